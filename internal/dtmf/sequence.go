package dtmf

import "time"

const (
	// MaxSequence is the most keys that a sequence may have.
	MaxSequence = 8
	// SequenceGap is how long a sequence may rest between two keys. Above it, a
	// star pressed in a menu and a nine pressed later would stop a recording.
	SequenceGap = 3 * time.Second
)

// Sequences finds key sequences, such as `*9`, in a row of presses. Keys before
// a sequence do not spoil it: `**9` ends with `*9`. Not safe for concurrent use.
// It does not allocate.
type Sequences struct {
	wanted []string // constant
	keys   [MaxSequence]Key
	n      int // how many of them count
	at     time.Time
}

// NewSequences returns a finder of sequences of 1 to [MaxSequence] keys. Any
// other is never found.
func NewSequences(wanted ...string) *Sequences { return &Sequences{wanted: wanted} }

// Push takes a press and returns the place, among those wanted, of the sequence
// that it completes; -1: none.
func (s *Sequences) Push(p Press) (completed int) {
	s.forget(p.At)
	s.at = p.At
	if s.n == MaxSequence {
		copy(s.keys[:], s.keys[1:])
		s.n--
	}
	s.keys[s.n] = p.Key
	s.n++
	for i, want := range s.wanted {
		if n := len(want); n > 0 && n <= s.n && s.ends(want, s.n) {
			s.n = 0
			return i
		}
	}
	return -1
}

// Begins returns how many of the newest keys, of which key is the last, a
// sequence begins with, or is; 0: none does. Key is not taken.
func (s *Sequences) Begins(key Key, at time.Time) int {
	s.forget(at)
	for n := min(s.n+1, MaxSequence); n > 0; n-- {
		for _, want := range s.wanted {
			if len(want) >= n && want[n-1] == byte(key) && s.ends(want[:n-1], s.n) {
				return n
			}
		}
	}
	return 0
}

// ends reports whether the first n keys end with a text, no longer than they are.
func (s *Sequences) ends(text string, n int) bool {
	for i := range len(text) {
		if byte(s.keys[n-len(text)+i]) != text[i] {
			return false
		}
	}
	return true
}

func (s *Sequences) forget(now time.Time) {
	if now.Sub(s.at) > SequenceGap {
		s.n = 0
	}
}
