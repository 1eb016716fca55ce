package media

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"consentgw/consent"
)

// counter is a sink that counts what reaches it, and looks at a flag that must
// not be up by then.
type counter struct {
	packets atomic.Uint64
	shut    atomic.Bool
	after   atomic.Uint64
}

func (c *counter) Send([]byte, Codec) bool {
	if c.shut.Load() {
		c.after.Add(1)
	}
	c.packets.Add(1)
	return true
}

func voiceOf(seq uint16) *heard {
	return &heard{packet: packet{seq: seq, payload: frameOf(1)}, what: audio, scratch: new(scratch)}
}

func TestAGateOpensOnlyForAValidPermit(t *testing.T) {
	revoked := stored(t)
	revoked.Revoke()
	cases := map[string]struct {
		permit consent.Permit
		opens  bool
	}{
		"stored":  {stored(t), true},
		"zero":    {consent.Permit{}, false},
		"revoked": {revoked, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gate, sink := NewGate(c.permit), &counter{}
			tap := NewTap(gate, 1, sink)
			tap.offer(time.Now(), voiceOf(1))
			assert.Zero(t, sink.packets.Load(), "a gate starts shut")
			assert.Equal(t, c.opens, gate.Open())
			assert.Equal(t, c.opens, gate.Passing())
			tap.offer(time.Now(), voiceOf(2))
			want := GateCounts{Passed: 1, Blocked: 1}
			if !c.opens {
				want = GateCounts{Blocked: 2}
			}
			assert.Equal(t, want, gate.Counts())
			assert.Equal(t, want.Passed, sink.packets.Load())
		})
	}
}

func TestATapWithoutAGateCopiesNothing(t *testing.T) {
	sink := &counter{}
	NewTap(nil, 1, sink).offer(time.Now(), voiceOf(1))
	assert.Zero(t, sink.packets.Load())
}

func TestARevokedPermitClosesAnOpenGate(t *testing.T) {
	permit, sink := stored(t), &counter{}
	gate := NewGate(permit)
	tap := NewTap(gate, 1, sink)
	require.True(t, gate.Open())
	permit.Revoke()
	assert.False(t, gate.Passing())
	tap.offer(time.Now(), voiceOf(1))
	assert.Zero(t, sink.packets.Load())
	assert.False(t, gate.Open())
	assert.Equal(t, GateCounts{Blocked: 1}, gate.Counts())
}

func TestAHoldShutsAndReopensUnderTheSamePermit(t *testing.T) {
	permit, sink := stored(t), &counter{}
	gate := NewGate(permit)
	tap := NewTap(gate, 1, sink)
	for range 3 {
		require.True(t, gate.Open())
		require.True(t, gate.Open(), "opening twice is opening once")
		tap.offer(time.Now(), voiceOf(1))
		gate.Shut()
		gate.Shut()
		tap.offer(time.Now(), voiceOf(1))
	}
	assert.EqualValues(t, 3, sink.packets.Load())
	assert.Equal(t, GateCounts{Passed: 3, Blocked: 3}, gate.Counts())
	assert.True(t, gate.StandsOn(permit))
	assert.False(t, gate.StandsOn(stored(t)))
}

// TestAfterShutNotOnePacketFollows hammers on two taps of one gate, as the two
// streams of a call do, while it is shut and the permit revoked.
func TestAfterShutNotOnePacketFollows(t *testing.T) {
	for range 50 {
		permit, sink := stored(t), &counter{}
		gate := NewGate(permit)
		require.True(t, gate.Open())
		var hammers sync.WaitGroup
		var stop atomic.Bool
		for range 2 {
			tap := NewTap(gate, 1, sink)
			hammers.Go(func() {
				for seq := uint16(0); !stop.Load(); seq++ {
					tap.offer(time.Time{}, voiceOf(seq))
				}
			})
		}
		for sink.packets.Load() < 10 {
			runtime.Gosched() // let them run
		}
		gate.Shut()
		sink.shut.Store(true)
		sent := sink.packets.Load()
		permit.Revoke()
		for blocked := gate.Counts().Blocked; gate.Counts().Blocked < blocked+10; {
			runtime.Gosched()
		}
		stop.Store(true)
		hammers.Wait()
		require.Zero(t, sink.after.Load(), "copies after Shut returned")
		require.Equal(t, sent, sink.packets.Load())
		require.Equal(t, sent, gate.Counts().Passed)
		require.Zero(t, gate.Counts().Violations)
	}
}

// TestShutIsExactHoweverOftenItComes opens and shuts as fast as it can, to hit
// the moment between a packet's look at the gate and its passing.
func TestShutIsExactHoweverOftenItComes(t *testing.T) {
	sink, gate := &counter{}, NewGate(stored(t))
	tap := NewTap(gate, 1, sink)
	var hammer sync.WaitGroup
	var stop atomic.Bool
	hammer.Go(func() {
		for voice := voiceOf(1); !stop.Load(); {
			tap.offer(time.Time{}, voice)
		}
	})
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
		sink.shut.Store(false)
		gate.Open()
		for range 20 {
			gate.Passing()
		}
		gate.Shut()
		sink.shut.Store(true)
		for range 100 {
			gate.Passing()
		}
	}
	stop.Store(true)
	hammer.Wait()
	assert.Zero(t, sink.after.Load(), "copies after Shut returned")
	assert.Zero(t, gate.Counts().Violations)
	assert.Equal(t, gate.Counts().Passed, sink.packets.Load())
}

func TestShutReturnsFromManyGoroutinesAtOnce(t *testing.T) {
	gate := NewGate(stored(t))
	tap := NewTap(gate, 1, &counter{})
	for range 200 {
		require.True(t, gate.Open())
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() { tap.offer(time.Time{}, voiceOf(1)) })
			all.Go(gate.Shut)
		}
		all.Wait()
		require.False(t, gate.Passing())
	}
	require.Zero(t, gate.Counts().Violations)
}

// pass is a gate that does not ask: what a broken build would do.
func (g *Gate) pass() { g.state.Add(1) }

func TestASecondLookSeesWhatAGateThatDoesNotAskLetThrough(t *testing.T) {
	cases := map[string]struct {
		prepare    func(g *Gate, p consent.Permit)
		permit     consent.Permit
		violations uint64
	}{
		"never opened":         {func(*Gate, consent.Permit) {}, stored(t), 1},
		"shut before":          {func(g *Gate, _ consent.Permit) { g.Open(); g.Shut() }, stored(t), 1},
		"revoked, not shut":    {func(g *Gate, p consent.Permit) { g.Open(); p.Revoke() }, stored(t), 1},
		"opened by force":      {func(g *Gate, _ consent.Permit) { g.state.Store(gateOpen) }, consent.Permit{}, 1},
		"open under a permit":  {func(g *Gate, _ consent.Permit) { g.Open() }, stored(t), 0},
		"on its way, now shut": {func(g *Gate, _ consent.Permit) { g.Open(); g.state.And(^uint64(gateOpen)) }, stored(t), 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := NewGate(c.permit)
			c.prepare(g, c.permit)
			g.pass()
			g.leave()
			assert.Equal(t, c.violations, g.Counts().Violations)
		})
	}
}

// TestCopiesLeaveOnlyWhileOpenAndValid holds gate and tap against the law in
// its plainest form, over any sequence of events.
func TestCopiesLeaveOnlyWhileOpenAndValid(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var permit consent.Permit
		if rapid.Bool().Draw(r, "stored") {
			permit = stored(t)
		}
		gate, sink := NewGate(permit), &counter{}
		tap := NewTap(gate, 1, sink)
		open, valid := false, permit.Valid()
		var want GateCounts
		check := func() {
			assert.Equal(r, want, gate.Counts())
			assert.Equal(r, want.Passed, sink.packets.Load())
			assert.Equal(r, open && valid, gate.Passing())
		}
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			switch step := rapid.SampledFrom([]string{"open", "shut", "revoke", "voice", "voice", "key"}).Draw(r, "step"); step {
			case "open":
				assert.Equal(r, valid, gate.Open())
				open = open || valid
			case "shut":
				gate.Shut()
				open = false
			case "revoke":
				permit.Revoke()
				valid = false
			case "voice":
				tap.offer(time.Now(), voiceOf(1))
				if open && valid {
					want.Passed++
				} else {
					want.Blocked++
				}
			case "key":
				tap.offer(time.Now(), &heard{what: event})
			default:
				panic(fmt.Sprint(step))
			}
			check()
		}
	})
}
