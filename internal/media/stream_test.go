package media

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errHungUp = errors.New("caller hung up")

// until waits for a condition that the packet loop brings about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); runtime.Gosched() {
		require.True(t, time.Now().Before(end), what)
	}
}

func TestTheLoopEndsWithItsCause(t *testing.T) {
	s := newStream(t)
	stop := run(t, s)
	require.ErrorIs(t, stop(errHungUp), errHungUp)
	assert.ErrorIs(t, s.Run(t.Context()), ErrRunning)
}

func TestTheLoopEndsIfTheContextEndedBefore(t *testing.T) {
	ctx, end := context.WithCancelCause(t.Context())
	end(errHungUp)
	assert.ErrorIs(t, newStream(t).Run(ctx), errHungUp)
}

func TestTheLoopEndsWithItsSocket(t *testing.T) {
	s := newStream(t)
	stop := run(t, s)
	require.NoError(t, s.Close())
	assert.ErrorIs(t, stop(errHungUp), net.ErrClosed)
	assert.NoError(t, s.Close(), "closing twice is closing once")
}

// TestACallOverRealSockets is the whole path: two loops, two telephones, keys,
// a recorder, RTCP, and junk from a stranger.
func TestACallOverRealSockets(t *testing.T) {
	caller, callee, recorder, other := newPhone(t), newPhone(t), newPhone(t), newPhone(t)
	a, b := newStream(t), newStream(t)
	a.Connect(caller.far())
	b.Connect(callee.far())
	a.RelayTo(b)
	b.RelayTo(a)
	ports := NewPorts(PortsConfig{Engine: tested(), Addr: loopback()})
	sender, err := ports.Sender(recorder.addr)
	require.NoError(t, err)
	defer sender.Close()
	tap := NewTap(openGate(t), 4711, sender)
	a.TapTo(tap)
	stopA, stopB := run(t, a), run(t, b)

	other.send(a.Local(), other.voice(frameOf(66)))
	other.send(a.Local(), []byte("junk"))
	caller.send(netip.AddrPortFrom(a.Local().Addr(), a.Local().Port()+1), header(0x80, 200))
	for i := range byte(20) {
		sent := caller.Header
		caller.send(a.Local(), caller.voice(frameOf(i)))
		heard, recorded := callee.next(), recorder.next()
		assert.Equal(t, frameOf(i), heard.Payload)
		assert.Equal(t, frameOf(i), recorded.Payload)
		assert.Equal(t, sent.SequenceNumber, recorded.SequenceNumber)
		assert.Equal(t, sent.Timestamp, recorded.Timestamp)
		callee.send(b.Local(), callee.voice(frameOf(100+i)))
		assert.Equal(t, frameOf(100+i), caller.next().Payload)
	}
	until(t, "RTCP is counted", func() bool { return a.Stats().RTCP == 1 })
	assert.ErrorIs(t, stopA(errHungUp), errHungUp)
	assert.ErrorIs(t, stopB(errHungUp), errHungUp)

	in := a.Stats().Inbound
	assert.Equal(t, Inbound{Received: 20, RTCP: 1, DroppedRTCP: 1, DroppedSource: 1, DroppedNotRTP: 1}, in)
	assert.Equal(t, Outbound{Sent: 20, Relayed: 20}, a.Stats().Outbound)
	assert.EqualValues(t, 20, tap.Counts().Sent)
	assert.WithinDuration(t, time.Now(), tap.Counts().LastAt, patience)
}

func TestALostEndIsNoticedInSilence(t *testing.T) {
	caller, s := newPhone(t), newStream(t)
	s.Connect(caller.far())
	run(t, s)
	caller.send(s.Local(), caller.event(101, 1, 7, false, 400))
	first := <-s.Presses()
	assert.False(t, first.Released)
	select {
	case second := <-s.Presses():
		assert.True(t, second.Released)
		assert.Equal(t, first.Timestamp, second.Timestamp)
	case <-time.After(patience):
		t.Fatal("no end")
	}
	// The deadline that brought it must not cost the packets that follow.
	caller.send(s.Local(), caller.event(101, 80000, 8, true, 800))
	assert.Equal(t, '8', (<-s.Presses()).Key.Rune())
	assert.Zero(t, s.Stats().ReadErrors)
}

// TestATelephoneBehindANATIsAnsweredWhereItSendsFrom: what it describes cannot
// be reached, what it sends comes from its own address.
func TestATelephoneBehindANATIsAnsweredWhereItSendsFrom(t *testing.T) {
	l := newLine(t)
	far := l.caller.far()
	far.Addr, far.Signalled = netip.MustParseAddrPort("127.9.9.9:9"), loopback()
	l.a.Connect(far)
	for range 4 {
		l.says(l.caller.voice(frameOf(1)))
	}
	assert.Len(t, l.callee.got(), 2, "two are spent on the probation")
	l.hear(l.b, l.now, l.callee.voice(frameOf(2)), l.callee.addr)
	assert.Equal(t, frameOf(2), l.caller.one().Payload)
}

func TestEveryStreamHasItsOwnSSRCAndNeverZero(t *testing.T) {
	seen := map[uint32]bool{}
	for range 20 {
		s := newStream(t)
		assert.NotZero(t, s.SSRC())
		assert.False(t, seen[s.SSRC()])
		seen[s.SSRC()] = true
	}
}
