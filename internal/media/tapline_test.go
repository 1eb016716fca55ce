package media

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// talker is a stream whose packets a test hands to a tap, every 20 ms.
type talker struct {
	tap *Tap
	far *agreement
	now time.Time
	p   packet
}

func newTalker(tap *Tap) *talker {
	return &talker{tap: tap, far: &agreement{rate: 8000, Far: Far{Codec: PCMU}}, now: time.Now(),
		p: packet{seq: 65530, ts: 1000, ssrc: 7, payload: frameOf(1)}}
}

func (s *talker) next(what kind) {
	s.now = s.now.Add(frameTime)
	p := s.p
	if what == event {
		p.payload = []byte{1, 10, 0, 160}
	}
	s.tap.offer(s.now, &heard{packet: p, what: what, codec: PCMU, far: s.far, scratch: new(scratch)})
	s.p.seq++
	s.p.ts += frameBytes
}

func TestARecorderSeesOneCleanStream(t *testing.T) {
	for name, c := range map[string]struct {
		between func(t *testing.T, s *talker, gate *Gate)
		seq     uint16 // from the third to the fourth copy
		ts      uint32
		marker  bool
	}{
		"nothing happens": {func(*testing.T, *talker, *Gate) {}, 1, 160, false},
		"the gate was shut for a while": {func(t *testing.T, s *talker, gate *Gate) {
			gate.Shut()
			for range 50 {
				s.next(audio)
			}
			require.True(t, gate.Open())
		}, 1, 51 * 160, true},
		"the gate was shut, and the source went mad meanwhile": {func(t *testing.T, s *talker, gate *Gate) {
			gate.Shut()
			s.next(audio)
			s.now, s.p.seq, s.p.ts = s.now.Add(time.Second), 3, 0xFFFFFF00
			require.True(t, gate.Open())
		}, 1, 52 * 160, true},
		"another source": {func(_ *testing.T, s *talker, _ *Gate) {
			s.now, s.p.ssrc, s.p.seq, s.p.ts = s.now.Add(time.Second), 8, 999, 5
		}, 1, 51 * 160, true},
		"the same source from the start": {func(_ *testing.T, s *talker, _ *Gate) { s.p.seq, s.p.ts = 20000, 5 }, 1, 160, true},
		"a key":                          {func(_ *testing.T, s *talker, _ *Gate) { s.next(event); s.next(event); s.next(event) }, 1, 4 * 160, false},
		"packets that the network lost": {func(_ *testing.T, s *talker, _ *Gate) {
			s.p.seq += 2
			s.p.ts += 320
			s.now = s.now.Add(40 * time.Millisecond)
		}, 3, 3 * 160, false},
	} {
		t.Run(name, func(t *testing.T) {
			sink, gate := &kept{}, openGate(t)
			s := newTalker(NewTap(gate, 4711, sink))
			for range 3 {
				s.next(audio)
			}
			c.between(t, s, gate)
			s.next(audio)
			s.next(audio)
			require.Len(t, sink.packets, 5)
			third, fourth, fifth := sink.packets[2], sink.packets[3], sink.packets[4]
			assert.Equal(t, c.seq, fourth.SequenceNumber-third.SequenceNumber)
			assert.Equal(t, c.ts, fourth.Timestamp-third.Timestamp)
			assert.Equal(t, c.marker, fourth.Marker)
			assert.Equal(t, uint16(1), fifth.SequenceNumber-fourth.SequenceNumber)
			assert.Equal(t, uint32(160), fifth.Timestamp-fourth.Timestamp)
			assert.True(t, sink.packets[0].Marker)
			for _, p := range sink.packets {
				assert.EqualValues(t, 4711, p.SSRC)
			}
		})
	}
}

func TestALateCopyFromBeforeTheGapIsLeftOut(t *testing.T) {
	sink, gate := &kept{}, openGate(t)
	s := newTalker(NewTap(gate, 1, sink))
	s.next(audio)
	gate.Shut()
	late := s.p
	s.next(audio)
	require.True(t, gate.Open())
	s.next(audio)
	s.p = late
	s.next(audio)
	assert.Len(t, sink.packets, 2)
	assert.EqualValues(t, 1, s.tap.Counts().Lost)
}

// FuzzTap holds that no packets whatever make a recorder see two copies under
// one number at a time, or anything while the gate is shut.
func FuzzTap(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 1, 1, 2, 0, 0, 3, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		sink, gate := &kept{}, openGate(t)
		s := newTalker(NewTap(gate, 1, sink))
		seen := map[uint16]bool{}
		for len(script) >= 3 {
			step, value := script[0], binary.BigEndian.Uint16(script[1:])
			script = script[3:]
			before := len(sink.packets)
			switch step % 6 {
			case 0, 1:
				s.next(audio)
			case 2:
				s.next(event)
				require.Len(t, sink.packets, before, "a key is never copied")
			case 3:
				gate.Shut()
				s.next(audio)
				require.Len(t, sink.packets, before, "nothing passes a shut gate")
				gate.Open()
			case 4:
				s.p.seq, s.p.ts = value, uint32(value)*77
			case 5:
				s.p.ssrc, s.now = uint32(value), s.now.Add(time.Duration(value)*time.Millisecond)
			}
			for _, p := range sink.packets[before:] {
				if len(sink.packets) < 1000 { // the numbers come round, later
					require.False(t, seen[p.SequenceNumber] && p.Marker, "a new spurt never takes an old number")
				}
				seen[p.SequenceNumber] = true
			}
		}
	})
}
