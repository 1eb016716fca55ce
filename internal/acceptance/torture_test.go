package acceptance

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"

	"github.com/stretchr/testify/require"
)

// plainNumber is called on a route on which nobody is asked.
const plainNumber = "+12025550199"

// plainRoute adds that route to the configuration.
func plainRoute() map[string]string {
	return map[string]string{"routes:\n": "routes:\n  - {name: plain, to: \"" + plainNumber + "\", platform: contact-center}\n"}
}

// TestRFC4475: every torture message against the running gateway, by UDP and by
// TCP. Each gets its answer, a call works after each, and when all of them have
// come many times more the process is as it was.
func TestRFC4475(t *testing.T) {
	t.Parallel()
	needsReal(t)
	files := tortureFiles(t)
	edits := plainRoute()
	edits[`["127.0.0.1/32"]`] = `["127.0.0.0/8"]` // they are answered at port 5060, wherever that is free
	s := newSite(t, plan{info: true, edits: edits})
	s.start()
	c := s.openCenter()
	udp, tcp := s.openPhone(), s.openPhoneAt("tcp:127.0.0.1:0")
	s.plainCalls(udp, "warm-udp", s.trunk)
	s.plainCalls(tcp, "warm-tcp", s.trunk+";transport=tcp")
	before := s.metrics()

	var silent []net.Conn
	for i, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".dat")
		// Many have the same branch, and would be taken for one transaction.
		text := strings.ReplaceAll(readFile(t, file), "z9hG4bKkdjuw", fmt.Sprintf("z9hG4bKkdjuw%d", i))
		want, ok := tortures()[name]
		require.True(t, ok, name)
		got, conn := s.tortureByUDP(text, want.udp != nothing)
		require.Equal(t, want.udp, got, "%s by UDP: %s", name, want.why)
		silent = append(silent, conn)
		s.plainCalls(udp, "udp-"+name, s.trunk)
		got, conn = s.tortureByTCP(text, want)
		require.Equal(t, want.tcp, got, "%s by TCP: %s", name, want.why)
		silent = append(silent, conn)
		s.plainCalls(tcp, "tcp-"+name, s.trunk+";transport=tcp")
	}
	s.throwAgain(files)
	s.answersOptions(s.trunk)
	v, err := s.connected(udp, c, "asked", "1")
	require.NoError(t, err)
	require.Equal(t, consent.Given, v.hangsUp().Outcome)
	for _, conn := range silent { // a late answer would be here by now
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		b := make([]byte, 4096)
		n, _ := conn.Read(b)
		require.NotContains(t, string(b[:n]), "SIP/2.0 2", "an answer where none may be")
		conn.Close()
	}
	s.untouched(before)
}

// untouched waits until nothing of what happened since is left in the process.
func (s *site) untouched(before metrics) {
	s.t.Helper()
	after := s.idle(before["go_goroutines"])
	require.Zero(s.t, after.sum("consentgw_fork_violations_total"))
	const mebi = 1 << 20
	was, is := before["process_resident_memory_bytes"]/mebi, after["process_resident_memory_bytes"]/mebi
	require.Positive(s.t, was)
	s.t.Logf("goroutines %.0f before, %.0f after; memory %.0f MiB before, %.0f MiB after", before["go_goroutines"], after["go_goroutines"], was, is)
	require.Less(s.t, is, was+64, "MiB of memory after all of it")
}

// tortureFiles returns the messages of RFC 4475 that the module sipgo carries.
func tortureFiles(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/emiago/sipgo").Output()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "sip/testdata/torture/*/*.dat"))
	require.NoError(t, err)
	require.Len(t, files, 50)
	return files
}

// plainCalls makes a call from beginning to end on the route that asks nobody.
func (s *site) plainCalls(p *phone.Phone, id, to string) {
	s.t.Helper()
	line, err := p.Call(s.ctx, phone.Dial{Target: "sip:" + to, Caller: callerNumber, Called: plainNumber, CallID: id})
	require.NoError(s.t, err, id)
	require.NoError(s.t, line.Hangup(s.ctx), id)
}

// tortureByUDP sends a message from port 5060 of an address of its own, where
// its Via has the answer sent, and returns the code of the final response if
// one is awaited. The connection stays open for answers that are not.
func (s *site) tortureByUDP(text string, awaited bool) (string, net.Conn) {
	s.t.Helper()
	to, err := net.ResolveUDPAddr("udp", s.trunk)
	require.NoError(s.t, err)
	port := 5060
	if strings.Contains(text, "192.0.2.59:5050") { // quotbal, which says so
		port = 5050
	}
	for {
		ip := net.IPv4(127, byte(1+rand.IntN(200)), byte(rand.IntN(256)), byte(1+rand.IntN(250)))
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: ip, Port: port}, to)
		if err != nil {
			continue // taken
		}
		s.t.Cleanup(func() { conn.Close() })
		_, err = conn.Write([]byte(text))
		require.NoError(s.t, err)
		if !awaited {
			return nothing, conn
		}
		return s.final(bufio.NewReaderSize(conn, 1<<16), conn), conn
	}
}

// tortureByTCP does the same on a connection of its own, and says if that is
// closed. The answer that there is by UDP may be faster than the end.
func (s *site) tortureByTCP(text string, want torture) (string, net.Conn) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.trunk)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { conn.Close() })
	_, err = conn.Write([]byte(text))
	require.NoError(s.t, err)
	if want.tcp == nothing {
		return nothing, conn
	}
	r := bufio.NewReader(conn)
	got := s.final(r, conn)
	if want.tcp == closed && got == want.udp {
		got = s.final(r, conn)
	}
	return got, conn
}

// final reads up to the status line of a final response, and returns its code.
func (s *site) final(r *bufio.Reader, conn net.Conn) string {
	s.t.Helper()
	deadline, _ := s.ctx.Deadline()
	require.NoError(s.t, conn.SetReadDeadline(deadline))
	for {
		line, err := r.ReadString('\n')
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			require.NoError(s.t, err, "no answer")
		}
		if err != nil {
			return closed
		}
		if code, ok := strings.CutPrefix(line, "SIP/2.0 "); ok && code[0] != '1' {
			return code[:3]
		}
	}
}

// throwAgain sends all messages forty times more, each as a new transaction,
// and cares for no answer.
func (s *site) throwAgain(files []string) {
	s.t.Helper()
	conn, err := net.Dial("udp", s.trunk)
	require.NoError(s.t, err)
	defer conn.Close()
	for round := range 40 {
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(s.t, err)
			again := strings.ReplaceAll(string(text), "branch=z9hG4bK", fmt.Sprintf("branch=z9hG4bK%d.", round))
			conn.Write([]byte(again)) // refused ones are none of ours
		}
	}
}
