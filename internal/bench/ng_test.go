package bench

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// peer answers the NG protocol from a socket: what reply returns is sent, each
// with the cookie of the request, which @ stands for.
func peer(t *testing.T, reply func(n int, request map[string]any) []string) *ng {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(localhost(), 0)))
	require.NoError(t, err)
	var serving sync.WaitGroup
	t.Cleanup(func() { conn.Close(); serving.Wait() })
	serving.Go(func() {
		buf := make([]byte, 64<<10)
		for n := 0; ; n++ {
			size, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			cookie, body, _ := bytes.Cut(buf[:size], []byte(" "))
			v, err := bdecode(body)
			request, ok := v.(map[string]any)
			if err != nil || !ok {
				t.Errorf("request %q: %v", buf[:size], err)
				return
			}
			for _, answer := range reply(n, request) {
				conn.WriteToUDPAddrPort([]byte(strings.ReplaceAll(answer, "@", string(cookie))), from)
			}
		}
	})
	client, err := dialNG(conn.LocalAddr().(*net.UDPAddr).AddrPort())
	require.NoError(t, err)
	t.Cleanup(func() { client.close() })
	return client
}

func TestAnAnswerIsTheOneWithTheCookieOfItsRequest(t *testing.T) {
	client := peer(t, func(_ int, request map[string]any) []string {
		assert.Equal(t, "offer", request["command"])
		assert.Equal(t, "7", request["call-id"])
		return []string{"0 d6:result4:ponge", "nonsense", "@ d3:sdp1:x6:result2:oke"}
	})
	answer, err := client.ask("offer", map[string]any{"call-id": "7"})
	require.NoError(t, err)
	assert.Equal(t, "x", answer["sdp"])
}

func TestARequestWithoutAnAnswerIsSentAgain(t *testing.T) {
	client := peer(t, func(n int, _ map[string]any) []string {
		if n == 0 {
			return nil
		}
		return []string{"@ d6:result4:ponge"}
	})
	_, err := client.ask("ping", nil)
	assert.NoError(t, err)
}

func TestWhatRTPEngineDoesNotDoIsAnErrorThatSaysWhy(t *testing.T) {
	for name, c := range map[string]struct{ answer, want string }{
		"refused":           {"@ d12:error-reason7:no call6:result5:errore", "answer: result error: no call"},
		"no result":         {"@ de", "answer: result <nil>"},
		"not bencoded":      {"@ ok", "bencoding"},
		"not a dictionary":  {"@ le", "no dictionary"},
		"ends in a string":  {"@ d6:result9:oke", "bencoding"},
		"says another word": {"@ d6:result5:maybee", "result maybe"},
	} {
		t.Run(name, func(t *testing.T) {
			client := peer(t, func(int, map[string]any) []string { return []string{c.answer} })
			_, err := client.ask("answer", nil)
			assert.ErrorContains(t, err, c.want)
		})
	}
	client := peer(t, nil)
	_, err := client.ask("offer", map[string]any{"port": 5})
	assert.ErrorIs(t, err, errBencode)
}

func TestACallOfRTPEngineNamesPortsAndSubscriptions(t *testing.T) {
	world := exterior{Caller: netip.MustParseAddrPort("127.0.0.1:5000"), Agent: netip.MustParseAddrPort("127.0.0.1:5002"),
		CallerCopies: netip.MustParseAddrPort("127.0.0.1:5004"), AgentCopies: netip.MustParseAddrPort("127.0.0.1:5006")}
	description := func(port int) string { return describe(netip.AddrPortFrom(localhost(), uint16(port))) }
	sdpOf := func(text string) string { return fmt.Sprintf("3:sdp%d:%s", len(text), text) }
	good := map[string]string{
		"offer":             "@ d6:result2:ok" + sdpOf(description(9000)) + "e",
		"answer":            "@ d6:result2:ok" + sdpOf(description(9002)) + "e",
		"subscribe request": "@ d6:result2:ok" + sdpOf(description(9004)) + "6:to-tag3:tage",
		"subscribe answer":  "@ d6:result2:oke",
	}
	call := func(bad, with string) (ends, []map[string]any, error) {
		var mu sync.Mutex
		var asked []map[string]any
		r := &rtpengine{ng: peer(t, func(_ int, request map[string]any) []string {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, request)
			command, _ := request["command"].(string)
			if command == bad {
				return []string{with}
			}
			return []string{good[command]}
		})}
		e, err := r.call("1", Spec{Recorded: true, World: world})
		mu.Lock()
		defer mu.Unlock()
		return e, asked, err
	}
	e, asked, err := call("", "")
	require.NoError(t, err)
	assert.Equal(t, ends{Agent: netip.MustParseAddrPort("127.0.0.1:9000"), Caller: netip.MustParseAddrPort("127.0.0.1:9002")}, e)
	require.Len(t, asked, 6)
	for i, port := range []string{"5000", "5002", "", "5004", "", "5006"} {
		text, _ := asked[i]["sdp"].(string)
		assert.Contains(t, text, port)
	}
	assert.Equal(t, []any{"caller", "agent"}, []any{asked[2]["from-tag"], asked[4]["from-tag"]}, "both parties are copied")
	assert.Equal(t, "tag", asked[3]["to-tag"])

	for command := range good {
		_, _, err := call(command, "@ d6:result5:errore")
		assert.ErrorContains(t, err, "rtpengine: "+command)
	}
	for _, c := range [][3]string{
		{"offer", "@ d6:result2:ok3:sdp4:v=0\ne", "no port"},
		{"answer", "@ d6:result2:oke", "rtpengine"},
		{"subscribe request", "@ d6:result2:oke", "no to-tag"},
	} {
		_, _, err := call(c[0], c[1])
		assert.ErrorContains(t, err, c[2])
	}
}
