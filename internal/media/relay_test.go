package media

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/g711"
)

func TestBothPartiesHearEachOther(t *testing.T) {
	l := newLine(t)
	l.says(l.caller.voice(frameOf(0x11)))
	l.hear(l.b, l.now, l.callee.voice(frameOf(0x22)), l.callee.addr)

	heard := l.callee.one()
	assert.Equal(t, frameOf(0x11), heard.Payload)
	assert.Equal(t, l.b.SSRC(), heard.SSRC)
	assert.NotEqual(t, l.caller.SSRC, heard.SSRC)
	assert.True(t, heard.Marker, "the first packet of a stream")
	heard = l.caller.one()
	assert.Equal(t, frameOf(0x22), heard.Payload)
	assert.Equal(t, l.a.SSRC(), heard.SSRC)

	assert.EqualValues(t, 1, l.a.Stats().Received)
	assert.EqualValues(t, 1, l.b.Stats().Relayed)
	assert.EqualValues(t, 1, l.b.Stats().Sent)
	assert.Zero(t, l.b.Stats().Converted)
}

func TestALawIsConvertedWhenTheSidesDiffer(t *testing.T) {
	cases := map[string]struct {
		from, to Codec
		convert  func(byte) byte
	}{
		"mu to A":  {PCMU, PCMA, g711.MuToA},
		"A to mu":  {PCMA, PCMU, g711.AToMu},
		"mu to mu": {PCMU, PCMU, func(b byte) byte { return b }},
		"A to A":   {PCMA, PCMA, func(b byte) byte { return b }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLine(t)
			far := l.caller.far()
			far.Codec, far.PayloadType = c.from, 96 // a dynamic number for it
			l.a.Connect(far)
			far = l.callee.far()
			far.Codec, far.PayloadType = c.to, 97
			l.b.Connect(far)
			payload, want := make([]byte, 256), make([]byte, 256)
			for i := range payload {
				payload[i], want[i] = byte(i), c.convert(byte(i))
			}
			l.caller.PayloadType = 96
			l.says(l.caller.voice(payload))
			heard := l.callee.one()
			assert.Equal(t, want, heard.Payload)
			assert.EqualValues(t, 97, heard.PayloadType)
			assert.Equal(t, c.from != c.to, l.b.Stats().Converted == 1)
		})
	}
}

func TestAFarEndThatSendsTheOtherLawIsStillUnderstood(t *testing.T) {
	l := newLine(t)
	sink := &kept{}
	l.a.TapTo(NewTap(openGate(t), 1, sink))
	l.caller.PayloadType = 8 // PCMU was agreed
	l.says(l.caller.voice(frameOf(0xD5)))
	assert.Equal(t, frameOf(g711.AToMu(0xD5)), l.callee.one().Payload)
	require.Len(t, sink.packets, 1)
	assert.EqualValues(t, 8, sink.packets[0].PayloadType)
	assert.Equal(t, frameOf(0xD5), sink.packets[0].Payload)
}

func TestKeysAreRelayedUnderTheNumberOfTheOtherSide(t *testing.T) {
	l := newLine(t)
	far := l.callee.far()
	far.EventPT = 96
	l.b.Connect(far)
	l.says(l.caller.voice(frameOf(1)))
	start := l.caller.Timestamp
	l.says(l.caller.event(101, start, 5, false, 160))
	l.says(l.caller.event(101, start, 5, true, 320))
	l.caller.Timestamp += 2 * frameBytes
	l.says(l.caller.voice(frameOf(2)))

	got := l.callee.got()
	require.Len(t, got, 4)
	assert.EqualValues(t, []uint8{0, 96, 96, 0}, []uint8{got[0].PayloadType, got[1].PayloadType, got[2].PayloadType, got[3].PayloadType})
	assert.Equal(t, []byte{5, 0x8A, 1, 64}, got[2].Payload)
	base := got[0].Timestamp
	assert.Equal(t, []uint32{160, 160, 480}, []uint32{got[1].Timestamp - base, got[2].Timestamp - base, got[3].Timestamp - base})
	assert.Equal(t, got[0].SequenceNumber+3, got[3].SequenceNumber)
}

func TestKeysTheOtherSideCannotTakeAreCounted(t *testing.T) {
	for name, change := range map[string]func(*Far){
		"no events": func(f *Far) { f.EventPT = -1 },
		"zero":      func(f *Far) { f.EventPT = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLine(t)
			far := l.callee.far()
			change(&far)
			l.b.Connect(far)
			l.says(l.caller.event(101, 0, 5, true, 800))
			assert.Empty(t, l.callee.got())
			assert.EqualValues(t, 1, l.b.Stats().Unmapped)
			assert.Len(t, l.a.Presses(), 1, "it was pressed all the same")
		})
	}
}

func TestWhatCannotBeRelayedIsCountedWhereItStops(t *testing.T) {
	cases := map[string]struct {
		prepare func(l *line)
		data    func(l *line) []byte
		count   func(l *line) uint64
	}{
		"held by the other side": {
			func(l *line) { far := l.callee.far(); far.Send = false; l.b.Connect(far) },
			nil, func(l *line) uint64 { return l.b.Stats().Unsent },
		},
		"old-style hold": {
			func(l *line) {
				far := l.callee.far()
				far.Addr = far0()
				l.b.Connect(far)
			},
			nil, func(l *line) uint64 { return l.b.Stats().Unsent },
		},
		"held by us": {
			func(l *line) { far := l.caller.far(); far.Receive = false; l.a.Connect(far) },
			nil, func(l *line) uint64 { return l.a.Stats().DroppedHeld },
		},
		"to a broadcast address, which the kernel refuses": {
			func(l *line) {
				far := l.callee.far()
				far.Addr = broadcast()
				l.b.Connect(far)
			},
			nil, func(l *line) uint64 { return l.b.Stats().SendErrors },
		},
		"comfort noise, which nobody agreed to": {
			nil, func(l *line) []byte { l.caller.PayloadType = 13; return l.caller.voice([]byte{60}) },
			func(l *line) uint64 { return l.a.Stats().DroppedPayload },
		},
		"a packet without a payload": {
			nil, func(l *line) []byte { return l.caller.voice(nil) },
			func(l *line) uint64 { return l.a.Stats().DroppedPayload },
		},
		"half a telephone event": {
			nil, func(l *line) []byte { l.caller.PayloadType = 101; return l.caller.voice([]byte{5, 0x80, 1}) },
			func(l *line) uint64 { return l.a.Stats().DroppedMalformed },
		},
		"garbage":        {nil, func(*line) []byte { return []byte{0x90, 0, 1} }, func(l *line) uint64 { return l.a.Stats().DroppedMalformed }},
		"RTCP":           {nil, func(*line) []byte { return header(0x80, 200) }, func(l *line) uint64 { return l.a.Stats().DroppedNotRTP }},
		"nothing agreed": {func(l *line) { l.a.far.Store(nil) }, nil, func(l *line) uint64 { return l.a.Stats().DroppedSource }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLine(t)
			if c.prepare != nil {
				c.prepare(l)
			}
			data := l.caller.voice(frameOf(1))
			if c.data != nil {
				data = c.data(l)
			}
			l.says(data)
			assert.Empty(t, l.callee.got())
			assert.EqualValues(t, 1, c.count(l))
			assert.Zero(t, l.b.Stats().Sent)
		})
	}
}

func TestForgedPacketsReachNobody(t *testing.T) {
	l := newLine(t)
	sink := &kept{}
	l.a.TapTo(NewTap(openGate(t), 1, sink))
	attacker := newPhone(t)
	attacker.SSRC = l.caller.SSRC
	forge := func() {
		l.hear(l.a, l.now, attacker.voice(frameOf(9)), netip.MustParseAddrPort(stranger))
		l.hear(l.a, l.now, attacker.event(101, 1, 1, true, 800), netip.MustParseAddrPort(stranger))
	}
	forge()
	l.says(l.caller.voice(frameOf(1)))
	forge()
	// From the caller's own host, but another port, after the lock.
	for range 5 {
		l.hear(l.a, l.now, attacker.event(101, 1, 1, true, 800), attacker.addr)
	}
	assert.Equal(t, frameOf(1), l.callee.one().Payload)
	assert.Len(t, sink.packets, 1)
	assert.Empty(t, l.a.Presses())
	assert.EqualValues(t, 9, l.a.Stats().DroppedSource)
	assert.EqualValues(t, 1, l.a.Stats().Received)
}

func TestWhatTheFarEndDecoratesItsPacketsWithEndsHere(t *testing.T) {
	l := newLine(t)
	h := l.caller.Header
	h.CSRC = []uint32{1, 2}
	require.NoError(t, h.SetExtension(1, []byte{42}))
	h.Padding, h.PaddingSize = true, 4
	data, err := (&rtp.Packet{Header: h, Payload: frameOf(3)}).Marshal()
	require.NoError(t, err)
	l.says(data)
	heard := l.callee.one()
	assert.Equal(t, frameOf(3), heard.Payload)
	assert.Empty(t, heard.CSRC)
	assert.False(t, heard.Extension)
	assert.False(t, heard.Padding)
}

// TestInsideOneSourceTheSpacingStays sends a stream with loss, reordering, a
// duplicate and a silence, across the wrap of both counters.
func TestInsideOneSourceTheSpacingStays(t *testing.T) {
	l := newLine(t)
	first := l.caller.Header
	steps := []struct {
		seq uint16
		ts  uint32
	}{{0, 0}, {1, 160}, {4, 640}, {3, 480}, {4, 640}, {7, 1120}, {8, 40000}, {30, 43520}}
	for _, s := range steps {
		l.caller.SequenceNumber, l.caller.Timestamp = first.SequenceNumber+s.seq, first.Timestamp+s.ts
		l.says(l.caller.same(frameOf(byte(s.seq))))
	}
	got := l.callee.got()
	require.Len(t, got, len(steps))
	for i, s := range steps {
		assert.Equal(t, s.seq, got[i].SequenceNumber-got[0].SequenceNumber, "packet %d", i)
		assert.Equal(t, s.ts, got[i].Timestamp-got[0].Timestamp, "packet %d", i)
		assert.Equal(t, i == 0, got[i].Marker, "packet %d", i)
		assert.Equal(t, frameOf(byte(s.seq)), got[i].Payload)
	}
}

func TestAJumpOfTheSourceIsNoJumpForTheFarEnd(t *testing.T) {
	cases := map[string]struct {
		change func(p *phone)
		later  time.Duration
	}{
		"another SSRC":                     {func(p *phone) { p.SSRC++; p.SequenceNumber = 7; p.Timestamp = 99 }, 60 * time.Millisecond},
		"another SSRC at once":             {func(p *phone) { p.SSRC++ }, 0},
		"far ahead":                        {func(p *phone) { p.SequenceNumber += 20000; p.Timestamp += 1 << 30 }, 100 * time.Millisecond},
		"far back":                         {func(p *phone) { p.SequenceNumber -= 20000; p.Timestamp -= 1 << 30 }, 100 * time.Millisecond},
		"another description of the other": {nil, 40 * time.Millisecond},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLine(t)
			l.says(l.caller.voice(frameOf(1)))
			l.says(l.caller.voice(frameOf(2)))
			if c.change != nil {
				c.change(l.caller)
			} else {
				far := l.callee.far()
				far.PayloadType = 111
				l.b.Connect(far)
			}
			l.now = l.now.Add(c.later - frameTime)
			l.says(l.caller.voice(frameOf(3)))
			l.says(l.caller.voice(frameOf(4)))
			got := l.callee.got()
			require.Len(t, got, 4)
			elapsed := max(samples(c.later, clockRate), frameBytes)
			assert.Equal(t, got[1].SequenceNumber+1, got[2].SequenceNumber)
			assert.Equal(t, got[1].Timestamp+elapsed, got[2].Timestamp)
			assert.True(t, got[2].Marker)
			assert.Equal(t, got[2].SequenceNumber+1, got[3].SequenceNumber)
			assert.Equal(t, got[2].Timestamp+frameBytes, got[3].Timestamp)
			assert.False(t, got[3].Marker)
		})
	}
}

// TestAfterALongKeyTimeGoesOnFromItsBeginning: all packets of a key bear the
// time of its beginning, so what comes next must not be dated from there.
func TestAfterALongKeyTimeGoesOnFromItsBeginning(t *testing.T) {
	l := newLine(t)
	for i := range uint16(50) {
		l.says(l.caller.event(101, 5000, 9, false, 160*(i+1)))
	}
	l.caller.SSRC++ // transferred
	l.now = l.now.Add(400 * time.Millisecond)
	l.says(l.caller.voice(frameOf(1)))
	got := l.callee.got()
	require.Len(t, got, 51)
	assert.Equal(t, got[0].Timestamp, got[49].Timestamp)
	assert.Equal(t, got[0].Timestamp+70*frameBytes, got[50].Timestamp)
	assert.Equal(t, got[0].SequenceNumber+50, got[50].SequenceNumber)
}

func TestAPacketFromBeforeTheTurnTakesNobodysPlace(t *testing.T) {
	l := newLine(t)
	late := l.caller.voice(frameOf(1)) // held up on its way
	l.says(l.caller.voice(frameOf(2)))
	l.says(late)
	l.says(l.caller.voice(frameOf(3)))
	got := l.callee.got()
	require.Len(t, got, 2)
	assert.Equal(t, got[0].SequenceNumber+1, got[1].SequenceNumber)
	assert.EqualValues(t, 1, l.b.Stats().Late)
}

func TestTheRelayCanBeTurnedElsewhere(t *testing.T) {
	l := newLine(t)
	third := newStream(t)
	p := newPhone(t)
	third.Connect(p.far())
	l.says(l.caller.voice(frameOf(1)))
	l.a.RelayTo(third)
	l.says(l.caller.voice(frameOf(2)))
	l.a.RelayTo(nil)
	l.says(l.caller.voice(frameOf(3)))
	assert.Equal(t, frameOf(1), l.callee.one().Payload)
	assert.Equal(t, frameOf(2), p.one().Payload)
	assert.EqualValues(t, 3, l.a.Stats().Received)
}

// TestNoticeRelayNoticeRelayIsOneStream plays and relays in turn, on a clock of
// its own, and looks at the result as the callee's jitter buffer would.
func TestNoticeRelayNoticeRelayIsOneStream(t *testing.T) {
	l := newLine(t)
	synctest.Test(t, func(t *testing.T) {
		speak := func(b byte) {
			for range 5 {
				l.hear(l.a, time.Now(), l.caller.voice(frameOf(b)), l.caller.addr)
				time.Sleep(frameTime)
			}
		}
		play := func(b byte) {
			_, err := l.b.Play(t.Context(), Clip{PCMU: append(frameOf(b), frameOf(b)...)})
			require.NoError(t, err)
		}
		play(1)
		time.Sleep(300 * time.Millisecond)
		speak(2)
		play(3)
		speak(4)
		time.Sleep(35 * time.Millisecond)
		play(5)

		got := l.callee.got()
		require.Len(t, got, 2+5+2+5+2)
		gaps := map[int]uint32{2: 300 * 8, 7: 0, 9: 0, 14: 35 * 8} // before a turn, in samples
		for i := 1; i < len(got); i++ {
			gap, turn := gaps[i]
			assert.Equal(t, got[i-1].SequenceNumber+1, got[i].SequenceNumber, "packet %d", i)
			assert.Equal(t, got[i-1].Timestamp+frameBytes+gap, got[i].Timestamp, "packet %d", i)
			assert.Equal(t, turn, got[i].Marker, "packet %d", i)
			assert.Equal(t, l.b.SSRC(), got[i].SSRC)
		}
	})
}
