package sip

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tortureFiles returns the messages of RFC 4475 that sipgo's module carries.
func tortureFiles(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/emiago/sipgo").Output()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "sip/testdata/torture/*/*.dat"))
	require.NoError(t, err)
	require.Len(t, files, 50)
	return files
}

// readTorture returns a message, with a branch of its own: many have the same,
// and all go to one endpoint.
func readTorture(t *testing.T, file string, i int) string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return strings.ReplaceAll(string(data), "z9hG4bKkdjuw", fmt.Sprintf("z9hG4bKkdjuw%d", i))
}

// What RFC 4475 asks for, as far as it asks. Where it leaves a choice, the
// stricter one: what is malformed is answered 400 and not repaired. No method
// but our own is taken, so REGISTER, MESSAGE and what is unknown get 405. "" is
// no response: responses get none, nor does a request without a Via.
const nothing = ""

// A torture is what a message is answered with: over UDP, and over TCP if that
// is something else.
type torture struct{ udp, tcp string }

// closed says that a stream cannot be followed beyond the message (RFC 3261
// section 18.3): the connection is closed.
const closed = "closed"

func tortures() map[string]torture {
	both := func(status string) torture { return torture{status, status} }
	parse := torture{"400", closed}
	busy := both("486") // reached the handler
	return map[string]torture{
		"badaspec": parse, "badinv01": parse, "ltgtruri": parse,
		"baddn": {"400", nothing}, "clerr": {"400", nothing}, // over TCP they do not end
		"lwsruri": parse, "lwsstart": parse, "ncl": parse, "quotbal": parse, "scalar02": parse, "trws": parse,
		"novelsc":    {"416", closed},
		"test":       {nothing, closed}, // has no Via
		"unkscm":     both("416"),
		"badbranch":  both("200"),
		"baddate":    busy, // Date means nothing to us
		"badvers":    both("505"),
		"bext01":     both("420"),
		"escruri":    both("400"),
		"insuf":      both("400"),
		"inv2543":    {"400", closed}, // neither branch nor From tag
		"invut":      both("415"),
		"mcl01":      {"400", closed},
		"mismatch01": both("400"), "mismatch02": both("400"), "multi01": both("400"),
		"sdp01":    both("406"),
		"zeromf":   both("200"),
		"cparam01": both("405"), "cparam02": both("405"), "regaut01": both("405"), "regbadct": both("405"),
		"regescrt": both("405"), "unksm2": both("405"),
		"bcast": {nothing, nothing}, "bigcode": {nothing, closed}, "scalarlg": {nothing, closed},

		"dblreq":  {"405", closed}, // the second message has more body than it says
		"esc01":   busy,
		"esc02":   both("405"),
		"escnull": both("405"),
		"intmeth": both("400"), // D3: quoted control characters are not carried on
		"longreq": busy,
		"lwsdisp": both("200"), "semiuri": both("200"), "transports": both("200"),
		"mpart01":  both("405"),
		"noreason": {nothing, nothing}, "unreason": {nothing, nothing},
		"wsinv": both("481"), // valid, and of a dialog that nobody knows
	}
}

// choosy answers calls of the caller with ordinary numbers and is busy for
// everybody else.
func choosy() Handler {
	return Handler{Invite: func(ctx context.Context, in *Incoming) {
		if in.Caller() != "+31205550101" {
			_ = in.Reject(486, "Busy Here")
			return
		}
		if leg, err := in.Answer(ctx, []byte(testAnswer), InDialog{}); err == nil {
			<-leg.Context().Done()
		}
	}}
}

// workingCall makes a call from beginning to end.
func workingCall(p *peer, to netip.AddrPort, id string) {
	p.t.Helper()
	p.request(to, request{method: "INVITE", callID: id, body: testOffer})
	ok := p.until("SIP/2.0 200")
	p.request(to, request{method: "ACK", callID: id, toTag: ok.tag("To")})
	p.request(to, request{method: "BYE", callID: id, toTag: ok.tag("To"), seq: 2})
	for m := p.until("SIP/2.0 200"); !strings.Contains(m.get("CSeq"), "BYE"); m = p.until("SIP/2.0 200") {
	}
}

// wellKnown is a peer at the ports that the messages name, on a loopback
// address of its own: responses come to the source address and those ports.
func wellKnown(t *testing.T) (at5060, at5050 *peer) {
	t.Helper()
	for {
		ip := net.IPv4(127, byte(1+rand.IntN(200)), byte(rand.IntN(256)), byte(1+rand.IntN(250)))
		a, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: 5060})
		if err != nil {
			continue // taken
		}
		t.Cleanup(func() { _ = a.Close() })
		b, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: 5050})
		require.NoError(t, err)
		t.Cleanup(func() { _ = b.Close() })
		return &peer{t: t, network: "UDP", packets: a}, &peer{t: t, network: "UDP", packets: b}
	}
}

// final returns the code of the first final response, which comes soon if one
// is wanted.
func (p *peer) final(want string) string {
	p.t.Helper()
	patience := soon
	if want == nothing {
		patience = quietFor
	}
	for m, ok := p.next(patience); ok; m, ok = p.next(patience) {
		if code, ok := strings.CutPrefix(m.start, "SIP/2.0 "); ok && code[0] != '1' {
			return code[:3]
		}
	}
	return nothing
}

func TestRFC4475OverUDP(t *testing.T) {
	files, want := tortureFiles(t), tortures()
	e := start(t, choosy())
	for i, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".dat")
		t.Run(name, func(t *testing.T) {
			data := readTorture(t, file, i)
			require.Contains(t, want, name)
			at5060, at5050 := wellKnown(t)
			at5060.send(e.udp(), data)
			p := at5060
			if name == "quotbal" { // which says so in its Via
				p = at5050
			}
			assert.Equal(t, want[name].udp, p.final(want[name].udp))
			workingCall(udpPeer(t), e.udp(), fmt.Sprint("after-", i))
		})
	}
}

func TestRFC4475OverTCP(t *testing.T) {
	files, want := tortureFiles(t), tortures()
	e := start(t, choosy())
	for i, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".dat")
		t.Run(name, func(t *testing.T) {
			data := readTorture(t, file, i)
			p := dialTCP(t, e.tcp())
			p.send(e.tcp(), data)
			if want[name].tcp == closed {
				assert.True(t, p.ends(), "the connection is closed")
			} else {
				assert.Equal(t, want[name].tcp, p.final(want[name].tcp))
			}
			require.NoError(t, p.stream.Close())
			workingCall(dialTCP(t, e.tcp()), e.tcp(), fmt.Sprint("after-", i))
		})
	}
}

// ends says whether the far end closes the connection soon, whatever comes
// before that.
func (p *peer) ends() bool {
	for {
		if _, ok := p.next(soon); !ok {
			return p.closes(soon)
		}
	}
}

// The IPv6 cases of RFC 5118 section 4, in words of our own.
func TestRFC5118(t *testing.T) {
	sdp6 := "v=0\r\no=- 1 1 IN IP6 2001:db8::20\r\ns=-\r\nc=IN IP6 2001:db8::20\r\nt=0 0\r\nm=audio 42000 RTP/AVP 0\r\n"
	via := "Via: SIP/2.0/UDP [2001:db8::9:1];rport;branch=z9hG4bKas3-111"
	line := func(old, by string) func(string) string { return func(s string) string { return edit(s, old, by) } }
	uri := func(u string) func(string) string {
		return func(s string) string { return strings.Replace(s, "sip:+31205550123@127.0.0.1 SIP", u+" SIP", 1) }
	}
	tests := map[string]struct {
		req    request
		change []func(string) string
		want   string
	}{
		"4.1 a reference in request URI, Via and Contact": {
			request{method: "OPTIONS"}, []func(string) string{uri("sip:[2001:db8::10]"), line("Via", via)}, "200",
		},
		"4.2 no brackets around the request URI's host": {
			request{method: "OPTIONS"}, []func(string) string{uri("sip:2001:db8::10")}, "400",
		},
		"4.3 what could be a port is a part of the address": {
			request{method: "OPTIONS"}, []func(string) string{uri("sip:[2001:db8::10:5070]")}, "200",
		},
		"4.4 a port after the brackets": {
			request{method: "OPTIONS"}, []func(string) string{uri("sip:[2001:db8::10]:5070")}, "200",
		},
		"4.5 received with brackets": {
			request{method: "BYE", toTag: "nope", seq: 2},
			[]func(string) string{line("Via", via+"\r\nVia: SIP/2.0/UDP [2001:db8::9:2];received=[2001:db8::9:255];branch=z9hG4bKas3")}, "481",
		},
		"4.5 received without brackets": {
			request{method: "BYE", toTag: "nope", seq: 2},
			[]func(string) string{line("Via", via+"\r\nVia: SIP/2.0/UDP [2001:db8::9:2];received=2001:db8::9:255;branch=z9hG4bKas3")}, "481",
		},
		"4.6 and 4.8 IPv6 in the session description": {request{method: "INVITE", body: sdp6}, nil, "486"},
		"4.7 addresses of both families": {
			request{method: "INVITE", body: sdp6}, []func(string) string{
				line("Via", via+"\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdj"),
				line("Contact", "Contact: \"x\" <sip:x@[2001:db8::9:1]>"),
			}, "486",
		},
		"4.9 an IPv4-mapped address": {
			request{method: "INVITE", body: strings.ReplaceAll(sdp6, "2001:db8::20", "::ffff:192.0.2.10")},
			[]func(string) string{line("Contact", "Contact: <sip:x@[::ffff:192.0.2.10]:5070>")}, "486",
		},
		"4.10 the colon that RFC 3261's grammar had too many": {
			request{method: "OPTIONS"}, []func(string) string{uri("sip:[2001:db8:::192.0.2.1]")}, "200",
		},
	}
	e := start(t, choosy(), func(c *Config) { c.Listen = []string{"udp:[::1]:0"} })
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv6loopback})
			require.NoError(t, err)
			t.Cleanup(func() { _ = c.Close() })
			p := &peer{t: t, network: "UDP", addr: c.LocalAddr().(*net.UDPAddr).AddrPort(), packets: c}
			tt.req.callID = newToken()
			tt.req.from = "<sip:x@[2001:db8::9:1]>"
			text := p.text(tt.req)
			for _, change := range tt.change {
				text = change(text)
			}
			p.send(e.udp(), text)
			assert.Equal(t, tt.want, p.final(tt.want))
			workingCall(p, e.udp(), newToken())
		})
	}
}
