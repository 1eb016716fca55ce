package media

import (
	"fmt"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

const withdrawn, paused Stop = 1, 2

// watched is a recorded line on which *9 withdraws and *7 pauses, and *8 does
// nothing here.
type watched struct {
	*line
	gate   *Gate
	brake  *Brake
	permit consent.Permit
	copies *kept
}

func newWatched(t testing.TB) *watched {
	w := &watched{line: newLine(t), brake: NewBrake(), permit: stored(t), copies: &kept{}}
	w.gate = NewGate(w.permit).Under(w.brake)
	require.True(t, w.gate.Open())
	w.a.TapTo(NewTap(w.gate, 1, w.copies))
	w.a.Watch(Watch{Permit: w.permit, Brake: w.brake, Hold: 1500 * time.Millisecond,
		Sequences: []Sequence{{"*9", withdrawn}, {"*7", paused}, {"*8", 0}}})
	w.talk(3)
	w.callee.got()
	return w
}

func code(key byte) byte {
	for i := range byte(16) {
		if "0123456789*#ABCD"[i] == key {
			return i
		}
	}
	panic(key)
}

// talk lets so many frames of speech arrive.
func (l *line) talk(frames int) {
	for range frames {
		l.says(l.caller.voice(frameOf(1)))
	}
}

// press presses keys, each for 100 ms, with 60 ms of silence behind it.
func (l *line) press(keys string) {
	for _, key := range []byte(keys) {
		start := l.caller.Timestamp
		for i := range 5 {
			l.says(l.caller.event(101, start, code(key), false, uint16(160*(i+1))))
		}
		for range 3 {
			l.hear(l.a, l.now, l.caller.event(101, start, code(key), true, 800), l.caller.addr)
		}
		l.caller.Timestamp = start + 5*frameBytes
		l.now = l.now.Add(3 * frameTime)
		l.caller.Timestamp += 3 * frameBytes
	}
}

// heardKey is one key as a platform reads it: from the packets with one time
// stamp.
type heardKey struct {
	code                byte
	packets, ends, mark int
	duration            uint16
	at                  uint32
}

// hears splits what the callee got, and holds it against what every receiver
// expects: numbers without a gap or a repetition, keys whose durations grow, and
// nothing of a key behind its end.
func (l *line) hears(t testing.TB) (keys []heardKey, voice int) {
	t.Helper()
	return read(t, l.callee.got())
}

func read(t testing.TB, packets []rtp.Packet) (keys []heardKey, voice int) {
	t.Helper()
	for i, p := range packets {
		if i > 0 {
			require.Equal(t, packets[i-1].SequenceNumber+1, p.SequenceNumber, "packet %d", i)
		}
		if p.PayloadType != 101 {
			voice++
			continue
		}
		if len(keys) == 0 || keys[len(keys)-1].at != p.Timestamp {
			if n := len(keys); n > 0 {
				require.Equal(t, 3, keys[n-1].ends, "a key ends before the next begins")
				require.Greater(t, int32(p.Timestamp-keys[n-1].at), int32(keys[n-1].duration), "keys do not overlap")
			}
			keys = append(keys, heardKey{code: p.Payload[0], at: p.Timestamp})
			require.True(t, p.Marker, "the first packet of a key is marked")
		}
		k := &keys[len(keys)-1]
		require.Equal(t, k.code, p.Payload[0])
		duration := uint16(p.Payload[2])<<8 | uint16(p.Payload[3])
		require.GreaterOrEqual(t, duration, k.duration, "a key does not get shorter")
		require.NotZero(t, duration)
		k.packets, k.duration = k.packets+1, duration
		if p.Marker {
			k.mark++
		}
		if p.Payload[1]&endBit != 0 {
			k.ends++
			continue
		}
		require.Zero(t, k.ends, "nothing of a key comes behind its end")
	}
	return keys, voice
}

func names(keys []heardKey) (s string) {
	for _, k := range keys {
		s += string("0123456789*#ABCD"[k.code])
	}
	return s
}

// What becomes of the keys that a caller presses, with 2 s of speech behind them.
func TestASequenceIsHeldBackUntilItIsDecided(t *testing.T) {
	for name, c := range map[string]struct {
		keys, heard string
		stopped     Stop
	}{
		"a complete one":                    {"*9", "", withdrawn},
		"another":                           {"*7", "", paused},
		"one that shuts nothing":            {"*8", "", 0},
		"a key of no sequence":              {"5", "5", 0},
		"its beginning alone":               {"*", "*", 0},
		"its beginning and another key":     {"*5", "*5", 0},
		"its beginning twice":               {"**9", "*", withdrawn},
		"keys before it":                    {"12*9", "12", withdrawn},
		"keys behind it":                    {"*945", "45", withdrawn},
		"its last key alone":                {"9", "9", 0},
		"more keys than wait":               {"0123456789*#0123456789", "0123456789*#0123456789", 0},
		"two of them":                       {"*7*9", "", paused | withdrawn},
		"one that is broken, then complete": {"*5*9", "*5", withdrawn},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatched(t)
			w.press(c.keys)
			w.talk(100)
			keys, voice := w.hears(t)
			assert.Equal(t, c.heard, names(keys))
			assert.Equal(t, 100, voice, "the speech flows on")
			assert.Equal(t, c.stopped, w.brake.On())
			for _, k := range keys {
				assert.EqualValues(t, 800, k.duration, "as long as it was pressed")
				assert.Equal(t, 3, k.ends)
				assert.Equal(t, 1, k.mark)
			}
			assert.Len(t, pressed(t, w.a), min(2*len(c.keys), pressBuffer), "the call learns of every key and its end")
		})
	}
}

func TestAHeldKeyIsLetGoInTimeAndNotBefore(t *testing.T) {
	w := newWatched(t)
	w.press("*")
	w.talk(70) // 60 ms of silence and 1.4 s of speech
	keys, _ := w.hears(t)
	assert.Empty(t, keys, "after 1.46 s")
	w.talk(5)
	w.talk(20)
	packets := w.callee.got()
	require.NotEmpty(t, packets)
	keys, _ = read(t, packets)
	assert.Equal(t, "*", names(keys), "after 1.5 s")
	for i := range packets {
		if packets[i].PayloadType == 101 {
			assert.InDelta(t, packets[i-1].Timestamp, packets[i].Timestamp, frameBytes, "under the time of now, not that of the press")
			break
		}
	}
	w.press("9")
	w.talk(10)
	keys, _ = w.hears(t)
	assert.Empty(t, keys, "a slow hand withdraws as well, if the platform heard the star or not")
	assert.Equal(t, withdrawn, w.brake.On())
}

// The engine wakes up for a key that waits: a caller who is silent has released it
// all the same.
func TestAHeldKeyIsLetGoInSilence(t *testing.T) {
	w := newWatched(t)
	w.press("*")
	for range 1000 {
		if w.a.keys.due.IsZero() {
			break
		}
		w.now = w.a.keys.due
		w.a.expire(w.now, &w.room)
	}
	keys, voice := w.hears(t)
	assert.Equal(t, "*", names(keys))
	assert.EqualValues(t, 800, keys[0].duration)
	assert.Zero(t, voice)
	assert.True(t, w.a.keys.due.IsZero())
}

func TestNoPacketIsCopiedAfterTheOneThatCompletesTheSequence(t *testing.T) {
	w := newWatched(t)
	w.press("*")
	w.talk(2)
	before := len(w.copies.packets)
	require.Equal(t, 5, before)
	start := w.caller.Timestamp
	w.says(w.caller.event(101, start, 9, false, 160))
	w.says(w.caller.event(101, start, 9, false, 320)) // 40 ms: it is certain
	w.talk(50)
	assert.Len(t, w.copies.packets, before)
	assert.Equal(t, withdrawn, w.brake.On())
	select {
	case <-w.brake.News():
	default:
		assert.Fail(t, "the call is told")
	}
	w.gate.Shut()
	w.permit.Revoke()
	w.brake.Heed(paused)
	assert.False(t, w.gate.Open())
	assert.Zero(t, w.gate.Counts().Violations)
}

func TestNothingPassesAsLongAsTheBrakeIsOn(t *testing.T) {
	b, sink := NewBrake(), &kept{}
	one, two := NewGate(stored(t)).Under(b), NewGate(stored(t)).Under(b)
	require.True(t, one.Open())
	tap := NewTap(one, 1, sink).Then(NewTap(two, 2, sink))
	b.put(paused)
	tap.offer(time.Now(), voiceOf(1))
	assert.False(t, two.Open(), "an Open that did not know of it")
	tap.offer(time.Now(), voiceOf(2))
	one.Shut()
	assert.False(t, one.Open(), "nor does a Shut end it")
	b.put(withdrawn)
	b.Heed(paused)
	assert.Equal(t, withdrawn, b.On())
	tap.offer(time.Now(), voiceOf(3))
	assert.Empty(t, sink.packets)
	b.Heed(withdrawn)
	assert.True(t, one.Passing())
	tap.offer(time.Now(), voiceOf(4))
	assert.Len(t, sink.packets, 2)
	assert.Zero(t, one.Counts().Violations)
	<-b.News()
	b.put(0)
	assert.Empty(t, b.News())
	assert.True(t, two.Passing())
}

func TestWithoutAConsentThereIsNothingToHoldKeysBackFor(t *testing.T) {
	w := newWatched(t)
	w.permit.Revoke() // by the API, say
	w.press("*9*9")
	w.talk(50)
	keys, _ := w.hears(t)
	assert.Equal(t, "*9*9", names(keys))
	assert.Zero(t, w.brake.On())
}

func TestASequenceThatWasSeenByOtherMeansFirstStaysAsWell(t *testing.T) {
	w := newWatched(t)
	w.press("*")
	w.permit.Revoke() // *9 came by SIP INFO
	w.press("9*9")
	w.talk(50)
	keys, _ := w.hears(t)
	assert.Equal(t, "*9", names(keys), "the second time it is no sequence any more")
}

func TestTheRestOfAKeyThatEndedASequenceStaysAsWell(t *testing.T) {
	w := newWatched(t)
	w.press("*")
	start := w.caller.Timestamp
	w.says(w.caller.event(101, start, 9, false, 400))
	require.Equal(t, withdrawn, w.brake.On())
	w.permit.Revoke()
	for i := range 20 {
		w.says(w.caller.event(101, start, 9, i > 16, uint16(400+160*i)))
	}
	w.press("5")
	w.talk(50)
	keys, _ := w.hears(t)
	assert.Equal(t, "5", names(keys))
}

func TestAKeyIsHeardAsLongAsItIsDown(t *testing.T) {
	for name, lost := range map[string]func(i int) bool{
		"nothing lost":      func(int) bool { return false },
		"its start lost":    func(i int) bool { return i < 3 },
		"its end lost":      func(i int) bool { return i >= 600 },
		"every second lost": func(i int) bool { return i%2 == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatched(t)
			w.press("*")
			start, told := w.caller.Timestamp, uint32(0)
			var packets []rtp.Packet
			for i := range 603 { // 12 s, in two segments
				full := uint32(min(i+1, 600))*frameBytes > 0xFFFF
				ts, units := start, uint32(min(i+1, 600))*frameBytes
				if full {
					ts, units = start+0xFFFF, units-0xFFFF
				}
				data := w.caller.event(101, ts, 5, i >= 600, uint16(units))
				if w.now = w.now.Add(frameTime); !lost(i) {
					w.hear(w.a, w.now, data, w.caller.addr)
					told = uint32(min(i+1, 600)) * frameBytes
				}
				packets = append(packets, w.callee.got()...)
			}
			w.caller.Timestamp = start + 700*frameBytes
			w.talk(50)
			var units uint32
			packets = append(packets, w.callee.got()...)
			segments := map[uint32]uint16{}
			var stars int
			for _, p := range packets {
				if p.PayloadType == 101 && p.Payload[0] == 5 {
					segments[p.Timestamp] = max(segments[p.Timestamp], uint16(p.Payload[2])<<8|uint16(p.Payload[3]))
				} else if p.PayloadType == 101 {
					stars++
				}
			}
			for _, n := range segments {
				units += uint32(n)
			}
			assert.Len(t, segments, 2, fmt.Sprint(segments))
			assert.InDelta(t, told, units, 320)
			assert.Positive(t, stars)
		})
	}
}

func TestKeysAreForTheAgentTheyWerePressedFor(t *testing.T) {
	w := newWatched(t)
	w.a.RelayTo(nil)
	start := w.caller.Timestamp
	for i := range 5 { // pressed before anybody was there, and held
		w.says(w.caller.event(101, start, 1, false, uint16(160*(i+1))))
	}
	w.a.RelayTo(w.b)
	for i := range 5 {
		w.says(w.caller.event(101, start, 1, i > 3, uint16(960+160*i)))
	}
	w.press("*") // held back for an agent who is replaced meanwhile
	next := newStream(t)
	other := newPhone(t)
	next.Connect(other.far())
	w.a.RelayTo(next)
	w.talk(100)
	keys, _ := w.hears(t)
	assert.Empty(t, keys)
	keys, _ = read(t, other.got())
	assert.Empty(t, keys)
}

func TestAKeyThatBeganBeforeThereWasAPeerIsNotForItEither(t *testing.T) {
	l := newLine(t)
	l.a.RelayTo(nil)
	start := l.caller.Timestamp
	l.says(l.caller.event(101, start, 2, false, 160))
	l.a.RelayTo(l.b)
	for range 5 {
		l.says(l.caller.event(101, start, 2, true, 800))
	}
	l.press("5")
	keys, _ := read(t, l.callee.got())
	assert.Equal(t, "5", names(keys), "without a watch keys go on as they come")
}

func TestKeysArePressedAnewUnderTheFarEndsOwnClockAndType(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			w := newWatched(t)
			far := w.callee.far()
			far.EventPT, far.EventRate = 99, rate
			w.b.Connect(far)
			w.press("*5")
			w.talk(60)
			last := map[byte]uint16{}
			for _, p := range w.callee.got() {
				if p.PayloadType == 99 {
					last[p.Payload[0]] = uint16(p.Payload[2])<<8 | uint16(p.Payload[3])
				}
			}
			assert.Equal(t, map[byte]uint16{10: uint16(rate / 10), 5: uint16(rate / 10)}, last)
		})
	}
}

func TestKeysForAFarEndThatAgreedToNoneAreCounted(t *testing.T) {
	w := newWatched(t)
	far := w.callee.far()
	far.EventPT = -1
	w.b.Connect(far)
	w.press("*5")
	w.talk(60)
	assert.Len(t, w.callee.got(), 60)
	assert.EqualValues(t, 2, w.b.Stats().Unmapped)
}

func TestAKeyWaitsForANoticeToEnd(t *testing.T) {
	w := newWatched(t)
	require.True(t, w.b.out.claimPlay())
	w.press("5")
	w.talk(20)
	assert.Empty(t, w.callee.got())
	w.b.out.release()
	w.talk(20)
	keys, _ := w.hears(t)
	require.Equal(t, "5", names(keys))
	assert.EqualValues(t, 800, keys[0].duration)
	assert.Greater(t, keys[0].packets, 3)
}

func TestAToneInTheSpeechShutsTheGateAtItsPacket(t *testing.T) {
	w := newWatched(t)
	far := w.caller.far()
	far.EventPT = -1
	w.a.Connect(far)
	say := &sounds{codec: PCMU}
	for _, tones := range [][]float64{{941, 1209}, nil, {852, 1477}, nil} {
		for range 5 {
			w.says(w.caller.voice(say.frame(tones...)))
		}
	}
	assert.Equal(t, withdrawn, w.brake.On())
	copied := len(w.copies.packets)
	w.talk(20)
	assert.Len(t, w.copies.packets, copied)
}

// FuzzWatch holds that no packets whatever let a sequence reach the platform, or
// bring what it gets out of order.
func FuzzWatch(f *testing.F) {
	f.Add([]byte{10, 5, 9, 5, 200, 20})
	f.Add([]byte{10, 1, 10, 0x85, 9, 1, 5, 3, 250, 100, 10, 7, 250, 90})
	f.Fuzz(func(t *testing.T, script []byte) {
		w := newWatched(t)
		last := uint16(0)
		check := func() {
			for _, p := range w.callee.got() {
				require.True(t, last == 0 || int16(p.SequenceNumber-last) > 0, "numbers rise")
				last = p.SequenceNumber
				if p.PayloadType == 101 {
					require.NotZero(t, uint16(p.Payload[2])<<8|uint16(p.Payload[3]))
				}
			}
		}
		for len(script) >= 2 && len(script) < 200 {
			what, n := script[0], script[1]
			script = script[2:]
			switch {
			case what < 16 && what != 7:
				w.says(w.caller.event(101, w.caller.Timestamp, what, n&0x80 != 0, uint16(n&0x7F)*frameBytes))
			case what < 32:
				w.caller.Timestamp += uint32(n) * frameBytes
			case what < 40:
				w.caller.SequenceNumber += uint16(n & 3)
			case what < 44:
				w.caller.SSRC += uint32(n & 1)
			default:
				w.talk(int(n))
			}
			check()
		}
		w.caller.Timestamp += 1 << 20
		w.press("*7")
		require.NotZero(t, w.brake.On()&paused, "whatever came before it")
		w.talk(200)
		for _, p := range w.callee.got() {
			require.False(t, p.PayloadType == 101 && p.Payload[0] == 7, "the end of a sequence")
		}
	})
}
