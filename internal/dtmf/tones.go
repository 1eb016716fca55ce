package dtmf

import (
	"math"
	"time"
)

const (
	toneRate = 8000 // samples a second
	// A block of 102 samples (12.75 ms) tells the eight tones apart; a new one
	// begins every half block.
	block = 102
	hop   = block / 2
	// certainBlocks in a row make a press: a tone of 40 ms always has as many, one
	// of 23 ms never (ITU-T Q.24 annex A).
	certainBlocks = 4
	// overBlocks in a row without the tone end it: a drop-out of 10 ms does not, a
	// pause of 40 ms does.
	overBlocks = 4

	// The guards. Of all the power of a block the two tones have at least
	// purity, which speech, rich in overtones, has not; a tone stands that far
	// above the others of its group; and neither is louder than the other by more
	// than the twist that telephone networks make of equal tones.
	purity      = 0.72
	prominence  = 4.0  // 6 dB
	twist       = 3.16 // 5 dB, the higher tone above the lower
	reverse     = 8.9  // 9.5 dB, the lower above the higher
	quietest    = 0.018 * 0.018
	steadiness  = 4.0 // from block to block, in power
	groupOfFour = 4
)

// frequencies are those of the rows and the columns of a keypad in Hz (ITU-T
// Q.23); keypad is what they mean together.
var frequencies = [2 * groupOfFour]float64{697, 770, 852, 941, 1209, 1336, 1477, 1633}

const keypad = "123A456B789C*0#D"

// Tones finds keys that are pressed as tones in the speech itself, for far ends
// that have not agreed to telephone-events. Not safe for concurrent use. It
// does not allocate.
type Tones struct {
	filters [2 * groupOfFour]float64 // coefficients
	banks   [2]bank                  // one half a block behind the other
	held    byte                     // the key of the last blocks; 0: none
	hits    int                      // blocks in a row
	misses  int
	power   float64 // of the last hit
	began   uint32  // RTP timestamp of the first sample of the first hit
}

// bank is the eight filters in the middle of a block (Goertzel's algorithm).
type bank struct {
	n      int // samples so far
	s1, s2 [2 * groupOfFour]float64
	energy float64
}

// NewTones returns a detector at the start of a stream.
func NewTones() *Tones {
	t := &Tones{}
	for i, hz := range frequencies {
		t.filters[i] = 2 * math.Cos(2*math.Pi*hz/toneRate)
	}
	t.Reset()
	return t
}

// Reset forgets the blocks that have begun, as after a packet that is missing. A
// key that is down stays down.
func (t *Tones) Reset() {
	t.banks = [2]bank{{}, {n: -hop}}
}

// Push takes the next samples at 8 kHz, at most 20 ms of them, whose first one
// was taken at an RTP timestamp. It reports a press once, as soon as it is
// certain, with its duration so far.
func (t *Tones) Push(now time.Time, pt uint8, ssrc, timestamp uint32, pcm []int16) (p Press, ok bool) {
	for i, sample := range pcm {
		v := float64(sample) / 32768
		for b := range t.banks {
			bank := &t.banks[b]
			if bank.n++; bank.n <= 0 {
				continue
			}
			bank.take(&t.filters, v)
			if bank.n < block {
				continue
			}
			key, power := bank.verdict(&t.filters)
			*bank = empty()
			if t.judge(key, power, timestamp+uint32(i)+1-block) {
				p, ok = Press{Key: Key(t.held), Method: Inband, SSRC: ssrc, Timestamp: t.began, PayloadType: pt,
					Duration: time.Duration(timestamp+uint32(i)+1-t.began) * time.Second / toneRate, At: now}, true
			}
		}
	}
	return p, ok
}

// Sounding reports whether a key is down, or may be: what is heard now is not
// for a recording.
func (t *Tones) Sounding() bool { return t.held != 0 && t.hits > 1 }

func (b *bank) take(filters *[2 * groupOfFour]float64, v float64) {
	b.energy += v * v
	for i, c := range filters {
		b.s1[i], b.s2[i] = v+c*b.s1[i]-b.s2[i], b.s1[i]
	}
}

func empty() bank { return bank{} }

// judge takes the verdict of one block and reports whether it makes a press.
func (t *Tones) judge(key byte, power float64, began uint32) bool {
	if key != 0 && key == t.held {
		steady := t.hits >= certainBlocks || power < t.power*steadiness && t.power < power*steadiness
		t.misses, t.power = 0, power
		if !steady {
			t.hits, t.began = 1, began
			return false
		}
		t.hits++
		return t.hits == certainBlocks
	}
	if t.held != 0 {
		t.misses++
		if t.hits >= certainBlocks && t.misses < overBlocks {
			return false
		}
	}
	t.held, t.hits, t.misses, t.power, t.began = key, 0, 0, power, began
	if key != 0 {
		t.hits = 1
	}
	return false
}

// verdict returns the key that a whole block sounds like, 0 if like none.
func (b *bank) verdict(filters *[2 * groupOfFour]float64) (key byte, power float64) {
	var p [2 * groupOfFour]float64 // mean square of each tone, times the block
	for i, c := range filters {
		p[i] = (b.s1[i]*b.s1[i] + b.s2[i]*b.s2[i] - c*b.s1[i]*b.s2[i]) * 2 / block
	}
	row, column := loudest(p[:groupOfFour]), loudest(p[groupOfFour:])
	if row < 0 || column < 0 {
		return 0, 0
	}
	low, high := p[row], p[groupOfFour+column]
	switch {
	case min(low, high) < quietest*block/2:
	case low+high < purity*b.energy:
	case high > twist*low, low > reverse*high:
	default:
		return keypad[groupOfFour*row+column], low + high
	}
	return 0, 0
}

// loudest returns which of a group stands out, -1 if none does.
func loudest(group []float64) int {
	best := 0
	for i, p := range group {
		if p > group[best] {
			best = i
		}
	}
	for i, p := range group {
		if i != best && p*prominence > group[best] {
			return -1
		}
	}
	return best
}
