package media

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/sdp"
)

// TestTheWholeSuiteHoldsOnPlainSockets runs this test binary on the reference.
func TestTheWholeSuiteHoldsOnPlainSockets(t *testing.T) {
	if os.Getenv(engineVariable) != "" {
		t.Skip("this is that run")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^Test", "-test.timeout=100s",
		// These choose their engines themselves, or need none.
		"-test.skip=TestBothEngines|TestBothStreams|TestAfterShut|TestShut|ALoop|LoopsFill|RunningLoop|ItsLoop|ClosedSocket|Marked")
	cmd.Env = append(os.Environ(), engineVariable+"=plain", "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, string(out))
}

// duel is one engine under a script: two phones, a stranger and a recorder
// around two streams with their loops.
type duel struct {
	t                                  *testing.T
	a, b                               *Stream
	caller, callee, stranger, recorder *phone
	gate                               *Gate
	tap                                *Tap
	fences                             uint64
	seen                               []string
	last                               map[*phone]rtp.Packet
}

func newDuel(t *testing.T, engine *Engine, keys bool) *duel {
	d := &duel{t: t, gate: openGate(t), last: map[*phone]rtp.Packet{}}
	for _, p := range []**phone{&d.caller, &d.callee, &d.stranger, &d.recorder} {
		*p = newPhone(t)
		(*p).SSRC = 7
	}
	ports := NewPorts(PortsConfig{Addr: loopback(), Engine: engine})
	sender, err := ports.Sender(d.recorder.addr)
	require.NoError(t, err)
	t.Cleanup(func() { sender.Close() })
	d.tap = NewTap(d.gate, 4711, sender)
	d.a, d.b = opened(t, ports), opened(t, ports)
	d.a.Connect(d.caller.farOf(keys, sdp.AESCM80))
	d.b.Connect(d.callee.farOf(keys, sdp.AEAD128))
	d.a.RelayTo(d.b)
	d.b.RelayTo(d.a)
	d.a.TapTo(d.tap)
	run(t, d.a)
	run(t, d.b)
	return d
}

// settle waits until both loops have handled all that was sent: each reads its
// socket in order, and the fence comes last.
func (d *duel) settle() {
	d.fences++
	for _, s := range []*Stream{d.a, d.b} {
		d.stranger.send(s.Local(), []byte{0})
		until(d.t, "the fence is seen", func() bool { return s.Stats().DroppedNotRTP == d.fences })
	}
}

// look notes what has come out since, without what chance or the clock chose.
func (d *duel) look(step int) {
	// When a key that lost its end is over depends on the clock.
	pressed(d.t, d.a)
	pressed(d.t, d.b)
	for _, side := range []struct {
		name string
		at   *phone
	}{{"caller", d.caller}, {"callee", d.callee}, {"stranger", d.stranger}} {
		for _, p := range side.at.got() {
			before, ok := d.last[side.at]
			line := fmt.Sprintf("%d %s hears %d %t %x", step, side.name, p.PayloadType, p.Marker, p.Payload)
			if ok {
				line += fmt.Sprint(" seq ", int16(p.SequenceNumber-before.SequenceNumber))
			}
			if ok && !p.Marker {
				line += fmt.Sprint(" ts ", int32(p.Timestamp-before.Timestamp))
			}
			d.last[side.at] = p
			d.seen = append(d.seen, line)
		}
	}
	for _, p := range d.recorder.got() {
		line := fmt.Sprintf("%d recorder gets %d %t %d %d %x", step, p.PayloadType, p.Marker, p.SequenceNumber, p.SSRC, p.Payload)
		if before, ok := d.last[d.recorder]; ok && !p.Marker {
			line += fmt.Sprint(" ts ", int32(p.Timestamp-before.Timestamp))
		}
		d.last[d.recorder] = p
		d.seen = append(d.seen, line)
	}
}

// counts are all counts that do not depend on time.
func (d *duel) counts() []any {
	c := d.tap.Counts()
	c.FirstAt, c.LastAt = time.Time{}, time.Time{}
	return []any{d.a.Stats(), d.b.Stats(), d.gate.Counts(), c}
}

// step does one thing that chance chooses.
func (d *duel) step(r *rand.Rand) {
	from, to := d.caller, d.a
	if r.IntN(2) == 0 {
		from, to = d.callee, d.b
	}
	switch r.IntN(20) {
	case 0:
		from.SSRC++
	case 1:
		from.SequenceNumber += uint16(r.IntN(9000))
	case 2:
		from.SequenceNumber -= uint16(r.IntN(5))
	case 3:
		garbage := make([]byte, 1+r.IntN(40))
		for i := range garbage {
			garbage[i] = byte(r.Uint32())
		}
		// Version 2 and no RTCP: what is not RTP at all is the fence.
		garbage[0] = 0x80 | garbage[0]&0x3F
		if len(garbage) > 1 {
			garbage[1] &= 0x7F
		}
		from.send(to.Local(), garbage)
	case 4:
		d.stranger.send(to.Local(), d.stranger.voice(frameOf(66)))
	case 5:
		far := d.b.far.Load().Far
		far.Send, far.Receive, far.Codec = r.IntN(4) > 0, r.IntN(4) > 0, []Codec{PCMU, PCMA}[r.IntN(2)]
		far.PayloadType, far.EventPT = far.Codec.static(0), 96+r.IntN(2)
		d.b.Connect(far)
	case 6:
		if d.gate.Passing() {
			d.gate.Shut()
		} else {
			d.gate.Open()
		}
	case 7:
		d.a.RelayTo([]*Stream{nil, d.b, d.b}[r.IntN(3)])
	case 8:
		d.a.TapTo([]*Tap{nil, d.tap, d.tap}[r.IntN(3)])
	case 9, 10:
		for i := range uint16(3) {
			from.send(to.Local(), from.event(101, from.Timestamp, byte(r.IntN(16)), i == 2, 160*(i+1)))
		}
	default:
		from.PayloadType = []uint8{0, 0, 0, 0, 8, 13}[r.IntN(6)]
		for range 1 + r.IntN(6) {
			from.send(to.Local(), from.voice(frameOf(byte(r.Uint32()))[:r.IntN(frameBytes)]))
		}
	}
}

func play(t *testing.T, engine *Engine, seed uint64) *duel {
	d, r := newDuel(t, engine, seed%2 == 1), rand.New(rand.NewPCG(seed, seed))
	for i := range 150 {
		d.step(r)
		d.settle()
		d.look(i)
	}
	return d
}

// TestBothEnginesDoTheSameWithTheSamePackets is the differential test.
func TestBothEnginesDoTheSameWithTheSamePackets(t *testing.T) {
	for seed := range uint64(4) { // the odd ones with SRTP
		t.Run(fmt.Sprint("script ", seed), func(t *testing.T) {
			reference := play(t, NewEngine(EngineConfig{Plain: true}), seed)
			require.NotEmpty(t, reference.seen)
			require.NotZero(t, reference.tap.Counts().Sent)
			for name, cfg := range map[string]EngineConfig{"as configured": {}, "never waiting": {Tick: -1}, "one loop": {Loops: 1}} {
				got := play(t, NewEngine(cfg), seed)
				require.Equal(t, reference.seen, got.seen, name)
				assert.Equal(t, reference.counts(), got.counts(), name)
			}
		})
	}
}

// TestAfterShutNothingLeavesARunningLoop floods a recorded call and shuts its
// gate in the middle.
func TestAfterShutNothingLeavesARunningLoop(t *testing.T) {
	for _, cfg := range []EngineConfig{{}, {Plain: true}} {
		for range 5 {
			d := newDuel(t, NewEngine(cfg), false)
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for data := d.caller.voice(frameOf(1)); ; data[3]++ {
					select {
					case <-stop:
						return
					default:
						d.caller.conn.WriteToUDPAddrPort(data, d.a.Local())
					}
				}
			}()
			until(t, "copies flow", func() bool { return d.tap.Counts().Sent > 20 })
			d.gate.Shut()
			d.recorder.got() // what left before
			blocked := d.gate.Counts().Blocked
			until(t, "packets go on", func() bool { return d.gate.Counts().Blocked > blocked+50 })
			close(stop)
			<-stopped
			d.settleFlood()
			assert.Empty(t, d.recorder.got(), "a copy left after Shut had returned")
			assert.Zero(t, d.gate.Counts().Violations)
		}
	}
}

// settleFlood is settle after packets were lost for want of room.
func (d *duel) settleFlood() {
	before := d.a.Stats().DroppedNotRTP
	until(d.t, "the fence is seen", func() bool {
		d.stranger.send(d.a.Local(), []byte{0})
		return d.a.Stats().DroppedNotRTP > before
	})
}

func TestAnEngineIsConfiguredWithinItsBounds(t *testing.T) {
	for name, c := range map[string]struct{ given, used time.Duration }{
		"nothing said": {0, maxTick}, "longer than allowed": {time.Second, maxTick}, "never": {-1, 0}, "shorter": {time.Microsecond, time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.used, EngineConfig{Tick: c.given}.tick())
		})
	}
}

func TestAStreamTellsHowLongItsFarEndIsSilent(t *testing.T) {
	l, s := newLine(t), newStream(t)
	synctest.Test(t, func(t *testing.T) {
		quiet := func() Silence { return s.Silence(time.Now()) }
		far := l.caller.far()
		held := far
		held.Receive = false
		assert.Equal(t, Silence{Held: true}, quiet(), "nothing is agreed yet")
		s.Connect(far)
		time.Sleep(time.Minute)
		assert.Equal(t, Silence{For: time.Minute}, quiet(), "nothing ever")
		l.hear(s, time.Now(), l.caller.voice(frameOf(1)), l.caller.addr)
		time.Sleep(4 * time.Second)
		l.hear(s, time.Now(), l.caller.voice(frameOf(1)), netip.MustParseAddrPort(stranger))
		far.PayloadType = 96
		s.Connect(far)
		time.Sleep(time.Second)
		assert.Equal(t, Silence{Ever: true, For: 5 * time.Second}, quiet(), "neither a stranger nor another number ends a silence")
		s.Connect(held)
		time.Sleep(time.Hour)
		assert.Equal(t, Silence{Ever: true, Held: true}, quiet())
		s.Connect(far)
		time.Sleep(time.Second)
		assert.Equal(t, Silence{Ever: true, For: time.Second}, quiet(), "after a hold it begins anew")
		far.Addr = l.callee.addr
		s.Connect(far)
		assert.Equal(t, Silence{Ever: true}, quiet(), "and with another address")
		assert.Zero(t, s.Silence(time.Now().Add(-time.Hour)).For, "a clock that was set back")
	})
}

func TestAnotherSSRCOfTheFarEndIsStillOneStreamForTheRecorder(t *testing.T) {
	l, sink := newLine(t), &kept{}
	tap := NewTap(openGate(t), 99, sink)
	l.a.TapTo(tap)
	l.says(l.caller.voice(frameOf(1)))
	l.caller.SSRC++
	l.says(l.caller.voice(frameOf(2)))
	require.Len(t, sink.packets, 2)
	assert.EqualValues(t, 99, sink.packets[0].SSRC)
	assert.EqualValues(t, 99, sink.packets[1].SSRC)
	assert.Len(t, l.callee.got(), 2)
	assert.EqualValues(t, 2, l.a.Stats().Received)
}
