package sip

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// closes says whether the far end closes the connection within d.
func (p *peer) closes(d time.Duration) bool {
	p.t.Helper()
	require.NoError(p.t, p.stream.SetReadDeadline(time.Now().Add(d)))
	_, err := p.stream.Read(make([]byte, 1))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// hurried makes the TCP listener of an endpoint less patient.
func hurried(t *testing.T, timeout time.Duration, perSource int) *testEndpoint {
	t.Helper()
	checkLeaks(t)
	h, _, _ := answering(InDialog{})
	ep, err := Listen(Config{Listen: []string{"tcp:127.0.0.1:0"}, T1: testT1})
	require.NoError(t, err)
	ep.sockets[0].conns.timeout, ep.sockets[0].conns.perSource = timeout, perSource
	ctx, cancel := context.WithCancel(t.Context())
	e := &testEndpoint{Endpoint: ep, t: t, stop: cancel, served: make(chan error, 1)}
	go func() { e.served <- ep.Serve(ctx, h) }()
	t.Cleanup(e.shutdown)
	receive(t, ep.Serving())
	return e
}

func TestD08AConnectionThatSaysNothingIsClosed(t *testing.T) {
	e := hurried(t, 50*time.Millisecond, 8)
	assert.True(t, dialTCP(t, e.tcp()).closes(soon))
}

func TestD08AMessageThatDripsIsCutOff(t *testing.T) {
	e := hurried(t, 200*time.Millisecond, 8)
	p := dialTCP(t, e.tcp())
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for i := 0; ; i++ { // each byte would extend a plain read timeout
		if _, err := p.stream.Write([]byte{"OPTIONS sip:x SIP/2.0\r\nSubject: aaaaaaaaaaaaaaaaaaaaaaaaa"[i%40]}); err != nil {
			break
		}
		require.Less(t, time.Since(began), soon, "the drip goes on")
		<-tick.C
	}
}

func TestD08AConnectionMayBeIdleBetweenMessages(t *testing.T) {
	e := hurried(t, 100*time.Millisecond, 8)
	p := dialTCP(t, e.tcp())
	p.request(e.tcp(), request{method: "OPTIONS"})
	p.expect("SIP/2.0 200")
	assert.False(t, p.closes(300*time.Millisecond))
	p.send(e.tcp(), "\r\n\r\n") // RFC 5626 ping
	buf := make([]byte, 2)
	require.NoError(t, p.stream.SetReadDeadline(time.Now().Add(soon)))
	_, err := p.stream.Read(buf)
	require.NoError(t, err)
	assert.Equal(t, "\r\n", string(buf))
	assert.False(t, p.closes(300*time.Millisecond))
	p.request(e.tcp(), request{method: "OPTIONS", callID: "again"})
	p.expect("SIP/2.0 200")
}

func TestD08ConnectionsAreCappedPerSource(t *testing.T) {
	e := hurried(t, soon, 2)
	var open []*peer
	for i := range 2 {
		p := dialTCP(t, e.tcp())
		p.request(e.tcp(), request{method: "OPTIONS", callID: newToken()})
		p.expect("SIP/2.0 200")
		open = append(open, p)
		_ = i
	}
	assert.True(t, dialTCP(t, e.tcp()).closes(soon), "one too many")
	require.NoError(t, open[0].stream.Close())
	l := e.sockets[0].conns
	require.Eventually(t, func() bool { l.mu.Lock(); defer l.mu.Unlock(); return len(l.open) == 1 }, soon, time.Millisecond)
	p := dialTCP(t, e.tcp())
	p.request(e.tcp(), request{method: "OPTIONS"})
	p.expect("SIP/2.0 200")
}

func TestGarbageOverTCPClosesTheConnectionAndNothingElse(t *testing.T) {
	e := hurried(t, soon, 8)
	p, q := dialTCP(t, e.tcp()), dialTCP(t, e.tcp())
	p.send(e.tcp(), "this is not SIP\r\n\r\n")
	assert.True(t, p.closes(soon))
	q.request(e.tcp(), request{method: "OPTIONS"})
	q.expect("SIP/2.0 200")
}

// For a response whose connection is gone sipgo would connect to the Via.
func TestAListenerNeverOpensAConnection(t *testing.T) {
	e := start(t, Handler{})
	victim, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer victim.Close()
	st := e.sockets[1].stack
	h := hop{stack: st, local: st.local, dest: victim.Addr().(*net.TCPAddr).AddrPort()}
	req := e.newRequest("OPTIONS", h, target{host: "127.0.0.1"}.uri(""), "", "x")
	req.SetBody(nil)
	h.stamp(req)
	_, err = e.transact(t.Context(), h, req)
	require.ErrorIs(t, err, ErrUnreachable)
}

func TestABurstOfAcceptErrorsIsSurvived(t *testing.T) {
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := newListener(&failing{Listener: raw, left: 3}, soon, 8)
	c, err := net.Dial("tcp", raw.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	got, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, got.Close())
	require.NoError(t, l.Close())
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

// failing is a listener without file descriptors for a while.
type failing struct {
	net.Listener
	left int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left--; f.left >= 0 {
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}

func TestTheFramerKnowsWhereMessagesEnd(t *testing.T) {
	msg := "OPTIONS sip:x SIP/2.0\r\nContent-Length: 4\r\n\r\nbody"
	tests := map[string]struct {
		feed               string
		completed, partial bool
	}{
		"nothing":                   {"", false, false},
		"keep-alives":               {"\r\n\r\n", false, false},
		"a start line":              {"OPTIONS", false, true},
		"a whole message":           {msg, true, false},
		"two":                       {msg + msg, true, false},
		"one and a half":            {msg + msg[:10], true, true},
		"a body that is not whole":  {msg[:len(msg)-1], false, true},
		"a compact length":          {"A b SIP/2.0\r\nl:1\r\n\r\nx", true, false},
		"no length":                 {"A b SIP/2.0\r\n\r\n", true, false},
		"bare line feeds":           {"A b SIP/2.0\nl: 2\n\nxy", true, false},
		"a long line before length": {"A b SIP/2.0\r\nX: " + strings.Repeat("y", 500) + "\r\nContent-Length : 2\r\n\r\nab", true, false},
		"a length that is none":     {"A b SIP/2.0\r\nContent-Length: x\r\n\r\n", true, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var whole, bytewise framer
			completed, partial := whole.feed([]byte(tt.feed))
			assert.Equal(t, tt.completed, completed)
			assert.Equal(t, tt.partial, partial)
			completed = false
			for i := range len(tt.feed) {
				var c bool
				c, partial = bytewise.feed([]byte{tt.feed[i]})
				completed = completed || c
			}
			assert.Equal(t, tt.completed, completed)
			assert.Equal(t, tt.partial, partial && tt.feed != "")
		})
	}
}

func FuzzFramer(f *testing.F) {
	f.Add([]byte("OPTIONS sip:x SIP/2.0\r\nContent-Length: 4\r\n\r\nbody"), 7)
	f.Add([]byte("\r\n\r\nA\nl:99999999999\n\n"), 3)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		var whole, parts framer
		_, want := whole.feed(data)
		cut = max(0, min(cut, len(data)))
		parts.feed(data[:cut])
		if _, got := parts.feed(data[cut:]); got != want {
			t.Errorf("partial depends on how the bytes come in")
		}
		if len(whole.line) > maxHeaderLine || !bytes.Equal(whole.line, parts.line) {
			t.Errorf("line %q and %q", whole.line, parts.line)
		}
	})
}
