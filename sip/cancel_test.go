package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// waiting is a handler that runs before, then waits for the end of the call
// and reports its cause.
func waiting(before func(in *Incoming)) (Handler, <-chan error) {
	causes := make(chan error, 8)
	return Handler{Invite: func(_ context.Context, in *Incoming) {
		before(in)
		<-in.Context().Done()
		causes <- context.Cause(in.Context())
	}}, causes
}

func TestTrap19CancelInEveryStateBeforeTheAnswerCarriesOneToTag(t *testing.T) {
	tests := map[string]struct {
		before func(in *Incoming)
		last   string
	}{
		"after 100": {func(*Incoming) {}, "SIP/2.0 100"},
		"after 180": {func(in *Incoming) { _ = in.Progress(180, "Ringing", nil) }, "SIP/2.0 180"},
		"after 183 with early media": {
			func(in *Incoming) { _ = in.Progress(183, "Session Progress", []byte(testAnswer)) }, "SIP/2.0 183"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, causes := waiting(tt.before)
			e := start(t, h)
			p := udpPeer(t)
			p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer})
			tag := p.until(tt.last).tag("To")
			p.request(e.udp(), request{method: "CANCEL", branch: "z9hG4bKc"})
			ok := p.expect("SIP/2.0 200")
			assert.Equal(t, "1 CANCEL", ok.get("CSeq"))
			gone := p.expect("SIP/2.0 487")
			assert.Equal(t, tag, ok.tag("To"))
			assert.Equal(t, tag, gone.tag("To"))
			require.ErrorIs(t, receive(t, causes), ErrCancelled)
			p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKc", toTag: tag})
			p.silent()
		})
	}
}

func TestAfterCancelNothingElseIsSent(t *testing.T) {
	done := make(chan struct{})
	e := start(t, Handler{Invite: func(ctx context.Context, in *Incoming) {
		defer close(done)
		<-in.Context().Done()
		assert.ErrorIs(t, in.Progress(180, "Ringing", nil), ErrCancelled)
		_, err := in.Answer(ctx, []byte(testAnswer), InDialog{})
		assert.ErrorIs(t, err, ErrCancelled)
		assert.NoError(t, in.Reject(486, "Busy Here"))
	}})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer})
	p.until("SIP/2.0 100")
	p.request(e.udp(), request{method: "CANCEL", branch: "z9hG4bKc"})
	p.until("SIP/2.0 487")
	receive(t, done)
	// What sipgo repeats is the 487, not what was given to it too late.
	assert.Equal(t, "SIP/2.0 487 Request Terminated", p.expect("SIP/2.0").start)
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKc"})
}

// What is sent after a CANCEL that sipgo has taken, and we have not heard of
// yet, must not replace the 487 that sipgo repeats.
func TestAResponseThatLosesTheRaceWithCancelIsNotSent(t *testing.T) {
	ready, cancelled, done := make(chan *Incoming, 1), make(chan struct{}), make(chan error, 1)
	e := start(t, Handler{Invite: func(_ context.Context, in *Incoming) {
		ready <- in
		<-cancelled
		done <- in.send(in.build(200, "OK", []byte(testAnswer)))
	}})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer})
	p.until("SIP/2.0 100")
	receive(t, ready)
	p.request(e.udp(), request{method: "CANCEL", branch: "z9hG4bKc"})
	p.until("SIP/2.0 487")
	close(cancelled)
	require.ErrorIs(t, receive(t, done), ErrCancelled)
	again := p.expect("SIP/2.0 487") // Timer G
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKc", toTag: again.tag("To")})
}

func TestCancelAfterTheAnswerChangesNothing(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer})
	ok := p.until("SIP/2.0 200")
	p.request(e.udp(), request{method: "CANCEL", branch: "z9hG4bKc"})
	for {
		if m := p.until("SIP/2.0 200"); m.get("CSeq") == "1 CANCEL" {
			break
		}
	}
	p.request(e.udp(), request{method: "ACK", toTag: ok.tag("To")})
	require.NoError(t, receive(t, legs).Context().Err())
}

func TestCancelAfterTheRefusalChangesNothing(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer})
	refused := p.until("SIP/2.0 480")
	p.request(e.udp(), request{method: "CANCEL", branch: "z9hG4bKc"})
	p.expect("SIP/2.0 200")
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKc", toTag: refused.tag("To")})
	p.silent()
}

func TestCancelOfNothingGets481(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "CANCEL"})
	p.expect("SIP/2.0 481")
}

func TestTrap07ACancelBeforeItsInviteStillCancelsIt(t *testing.T) {
	calls := make(chan struct{}, 1)
	e := start(t, Handler{Invite: func(context.Context, *Incoming) { calls <- struct{}{} }},
		func(c *Config) { c.T1 = soon }) // the CANCEL waits for its INVITE all that time
	p := udpPeer(t)
	p.request(e.udp(), request{method: "CANCEL", branch: "z9hG4bKc"})
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer})
	got := map[string]string{}
	for range 2 {
		m := p.expect("SIP/2.0")
		got[m.get("CSeq")] = m.start
		assert.NotEmpty(t, m.tag("To"))
	}
	assert.Equal(t, map[string]string{"1 CANCEL": "SIP/2.0 200 OK", "1 INVITE": "SIP/2.0 487 Request Terminated"}, got)
	assert.Empty(t, calls)
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKc"})
	e.shutdown()
}

func TestTrap07ACancelLongBeforeItsInviteStillCancelsIt(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "CANCEL", branch: "z9hG4bKc"})
	p.expect("SIP/2.0 481")
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer})
	p.expect("SIP/2.0 487")
}

// INVITE and CANCEL in one write: sipgo handles them on two goroutines.
func TestTrap07NoCancelThatFollowsItsInviteAtOnceIsLost(t *testing.T) {
	const pairs = 200
	h, causes := waiting(func(*Incoming) {})
	// A CANCEL waits for its INVITE for T1: for longer than a busy machine takes.
	e := start(t, h, func(c *Config) { c.T1 = soon })
	p := dialTCP(t, e.tcp())
	for i := range pairs {
		r := request{method: "INVITE", callID: fmt.Sprint("c", i), branch: fmt.Sprint("z9hG4bK", i), body: testOffer}
		invite := p.text(r)
		r.method, r.body = "CANCEL", ""
		p.send(e.tcp(), invite+p.text(r))
		tags := map[string]bool{}
		for final := 0; final < 2; {
			m := p.expect("SIP/2.0")
			if strings.HasPrefix(m.start, "SIP/2.0 1") {
				continue
			}
			final++
			tags[m.tag("To")] = true
			want := "SIP/2.0 200 OK"
			if m.get("CSeq") == "1 INVITE" {
				want = "SIP/2.0 487 Request Terminated"
			}
			assert.Equal(t, want, m.start)
		}
		assert.Len(t, tags, 1)
	}
	for len(causes) > 0 {
		require.ErrorIs(t, <-causes, ErrCancelled)
	}
}

func TestByeOnAnEarlyDialogCancelsTheCall(t *testing.T) {
	h, causes := waiting(func(in *Incoming) { _ = in.Progress(180, "Ringing", nil) })
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer})
	tag := p.until("SIP/2.0 180").tag("To")
	p.request(e.udp(), request{method: "BYE", seq: 2, toTag: tag})
	got := map[string]bool{p.expect("SIP/2.0").start: true, p.expect("SIP/2.0").start: true}
	assert.Equal(t, map[string]bool{"SIP/2.0 200 OK": true, "SIP/2.0 487 Request Terminated": true}, got)
	require.ErrorIs(t, receive(t, causes), ErrCancelled)
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKc", toTag: tag})
}

func TestACallersConnectionThatBreaksEndsItsUnansweredCall(t *testing.T) {
	h, causes := waiting(func(in *Incoming) { _ = in.Progress(180, "Ringing", nil) })
	e := start(t, h)
	p := dialTCP(t, e.tcp())
	p.request(e.tcp(), request{method: "INVITE", body: testOffer})
	p.until("SIP/2.0 180")
	require.NoError(t, p.stream.Close())
	require.ErrorIs(t, receive(t, causes), ErrUnreachable)
}
