package sip

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInfoOfTheFarEndIsAnswered(t *testing.T) {
	taken := func(kind string, body []byte) int {
		switch {
		case kind == "application/dtmf-relay":
			return 200
		case string(body) == "panic":
			panic("boom")
		case string(body) == "odd":
			return 7
		}
		return 415
	}
	tests := map[string]struct {
		info         func(string, []byte) int
		kind, body   string
		header, want string
		accept       string
	}{
		"a digit":                  {taken, "application/dtmf-relay", "Signal=1\r\n", "", "SIP/2.0 200", ""},
		"another type":             {taken, "text/plain", "x", "", "SIP/2.0 415", "application/dtmf-relay, application/dtmf"},
		"a package":                {taken, "application/dtmf-relay", "x", "Info-Package: dtmf", "SIP/2.0 469", ""},
		"a panic":                  {taken, "text/plain", "panic", "", "SIP/2.0 500", ""},
		"a status that is none":    {taken, "text/plain", "odd", "", "SIP/2.0 500", ""},
		"a digit without function": {nil, "application/dtmf-relay", "Signal=1\r\n", "", "SIP/2.0 415", ""},
		"a keep-alive":             {nil, "", "", "", "SIP/2.0 200", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, legs, _ := answering(InDialog{Info: tt.info})
			e := start(t, h)
			p := udpPeer(t)
			tag := p.call(e.udp(), request{}).tag("To")
			receive(t, legs)
			r := request{method: "INFO", seq: 2, toTag: tag, contentType: tt.kind, body: tt.body}
			if tt.header != "" {
				r.headers = []string{tt.header}
			}
			p.request(e.udp(), r)
			assert.Equal(t, tt.accept, p.expect(tt.want).get("Accept"))
			p.request(e.udp(), request{method: "BYE", seq: 3, toTag: tag})
			p.expect("SIP/2.0 200")
		})
	}
}

// Many INFOs in one write: sipgo handles each on a goroutine of its own.
func TestTrap07InfosAreTakenOneAtATimeInTheOrderTheyCame(t *testing.T) {
	const n = 30
	got := make(chan string, n)
	busy := make(chan struct{}, 1)
	h, legs, _ := answering(InDialog{Info: func(_ string, body []byte) int {
		select {
		case busy <- struct{}{}:
		default:
			t.Error("two at a time")
		}
		got <- string(body)
		<-busy
		return 200
	}})
	e := start(t, h, func(c *Config) { c.T1 = soon })
	p := dialTCP(t, e.tcp())
	tag := p.call(e.tcp(), request{}).tag("To")
	receive(t, legs)
	var all string
	for i := range n {
		all += p.text(request{method: "INFO", seq: 2 + i, toTag: tag, contentType: "application/dtmf", body: fmt.Sprint(i)})
	}
	p.send(e.tcp(), all)
	for i := range n {
		assert.Equal(t, fmt.Sprint(i), receive(t, got))
	}
	for range n {
		p.until("SIP/2.0 200")
	}
	p.request(e.tcp(), request{method: "BYE", seq: 100, toTag: tag})
	p.until("SIP/2.0 200")
}

func TestARepeatedInfoIsTakenOnce(t *testing.T) {
	got := make(chan string, 8)
	h, legs, _ := answering(InDialog{Info: func(_ string, body []byte) int { got <- string(body); return 200 }})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	receive(t, legs)
	text := p.text(request{method: "INFO", seq: 2, toTag: tag, contentType: "application/dtmf", body: "1"})
	p.send(e.udp(), text)
	first := p.expect("SIP/2.0 200")
	p.send(e.udp(), text)
	assert.Equal(t, first.raw, p.expect("SIP/2.0 200").raw)
	assert.Len(t, got, 1)
	p.request(e.udp(), request{method: "BYE", seq: 3, toTag: tag})
	p.expect("SIP/2.0 200")
}

func TestInfoReturnsTheStatusOfItsAnswer(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.call(e.udp(), request{})
	leg := receive(t, legs)
	type result struct {
		code int
		err  error
	}
	ask := func() <-chan result {
		ch := make(chan result, 1)
		go func() {
			code, err := leg.Info(context.Background(), "application/dtmf-relay", []byte("Signal=1\r\n"))
			ch <- result{code, err}
		}()
		return ch
	}
	got := ask()
	info := p.expect("INFO")
	assert.Equal(t, "application/dtmf-relay", info.get("Content-Type"))
	assert.Equal(t, "Signal=1\r\n", info.body)
	p.respond(info, "415 Unsupported Media Type", reply{})
	assert.Equal(t, result{415, nil}, receive(t, got))
	got = ask()
	info = p.expect("INFO")
	assert.Equal(t, "2 INFO", info.get("CSeq"))
	p.respond(info, "481 Gone", reply{})
	assert.Equal(t, result{481, nil}, receive(t, got))
	require.True(t, isStatus(ended(t, leg.Context()), 481))
	p.respond(p.until("BYE"), "200 OK", reply{})

	_, err := leg.Info(t.Context(), "a\nb", nil)
	require.ErrorContains(t, err, "control character")
	_, err = leg.Info(t.Context(), "", []byte("x"))
	require.ErrorContains(t, err, "Content-Type")
}
