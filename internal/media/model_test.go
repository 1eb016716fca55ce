package media

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

// callsVariable is how many calls the model plays; 200 if it is not set.
const callsVariable = "CONSENTGW_TEST_CALLS"

// model is one call as the law sees it. The owner of the call changes lawful
// before it opens the gate and after it has shut it; a copy at any other moment
// is a crime.
type model struct {
	lawful atomic.Bool
	crimes atomic.Uint64
	copies atomic.Uint64
	held   bool // by the owner's knowledge
	paused bool
	permit consent.Permit
	gate   *Gate
}

func (m *model) Send([]byte, Codec) bool {
	m.copies.Add(1)
	if !m.lawful.Load() || !m.permit.Valid() {
		m.crimes.Add(1)
	}
	return true
}

// regate does what the goroutine of a call does after every change.
func (m *model) regate() {
	if m.permit.Valid() && !m.held && !m.paused {
		m.lawful.Store(true)
		m.gate.Open()
		return
	}
	m.gate.Shut()
	m.lawful.Store(false)
}

func (m *model) withdraw() {
	m.gate.Shut()
	m.lawful.Store(false)
	m.permit.Revoke()
}

// decide stores a decision, or fails to: then there is no permit.
func decide(r *rand.Rand) consent.Permit {
	outcomes := []consent.Outcome{consent.Given, consent.Given, consent.Given, consent.Refused, consent.NoInput}
	store := consent.Store(keepsAll{})
	if r.IntN(5) == 0 {
		store = keepsNothing{}
	}
	permit, _ := consent.Commit(context.Background(), store, &consent.Record{ID: "model"},
		consent.Decision{Outcome: outcomes[r.IntN(len(outcomes))], At: time.Now()}, time.Now)
	return permit
}

type keepsNothing struct{ consent.Store }

func (keepsNothing) Put(context.Context, *consent.Record) error { return errors.New("store is away") }

// TestNoCopyOutsideAPermitInAnyCall plays calls at random: grants and refusals,
// stores that fail, holds, pauses, withdrawals, keys, taps that are put on and
// taken off, while voice, strangers, forgeries and garbage come in at both
// streams all the time.
func TestNoCopyOutsideAPermitInAnyCall(t *testing.T) {
	calls := 200
	if n, err := strconv.Atoi(os.Getenv(callsVariable)); err == nil {
		calls = n
	}
	l := newLine(t)
	stranger := newPhone(t)
	// Before anything was heard of the far ends, a stranger at their address could
	// be taken for one that is behind a NAT.
	l.hear(l.a, l.now, l.caller.voice(frameOf(1)), l.caller.addr)
	l.hear(l.b, l.now, l.callee.voice(frameOf(1)), l.callee.addr)
	first := rand.Uint64()
	var copies uint64
	for n := range calls {
		seed := first + uint64(n)
		m := playCall(l, stranger, rand.New(rand.NewPCG(seed, 0)))
		require.Zerof(t, m.crimes.Load(), "seed %d: copies outside a permit", seed)
		require.Zerof(t, m.gate.Counts().Violations, "seed %d", seed)
		copies += m.copies.Load()
		for _, s := range []*Stream{l.a, l.b} {
			for _, p := range pressed(t, s) {
				require.Equalf(t, '1', p.Key.Rune(), "seed %d: a stranger pressed a key", seed)
			}
		}
		l.caller.got()
		l.callee.got()
	}
	require.NotZero(t, copies)
	t.Logf("%d calls, %d copies", calls, copies)
}

func playCall(l *line, stranger *phone, r *rand.Rand) *model {
	m := &model{permit: decide(r)}
	m.gate = NewGate(m.permit)
	taps := []*Tap{NewTap(m.gate, 1, m), NewTap(m.gate, 2, m)}
	over := make(chan struct{})
	var feeds sync.WaitGroup
	for i, s := range []*Stream{l.a, l.b} {
		far := []*phone{l.caller, l.callee}[i]
		s.Connect(far.far())
		seed := r.Uint64()
		feeds.Go(func() { feed(s, far, stranger, rand.New(rand.NewPCG(seed, 1)), over) })
	}
	for range 20 + r.IntN(20) {
		m.step(l, taps, r)
		for range r.IntN(4) {
			runtime.Gosched()
		}
	}
	m.withdraw()
	after := m.copies.Load()
	for range 3 {
		runtime.Gosched()
	}
	if m.copies.Load() != after {
		m.crimes.Add(1)
	}
	close(over)
	feeds.Wait()
	l.a.TapTo(nil)
	l.b.TapTo(nil)
	return m
}

// step is one thing that the owner of the call does.
func (m *model) step(l *line, taps []*Tap, r *rand.Rand) {
	switch r.IntN(9) {
	case 0:
		l.a.TapTo(taps[0])
		l.b.TapTo(taps[1])
	case 1:
		l.a.TapTo(nil)
	case 2:
		m.paused = !m.paused
	case 3: // a hold shuts before it is answered
		m.held = !m.held
		m.regate()
		far := l.callee.far()
		far.Send, far.Receive = !m.held, !m.held
		l.b.Connect(far)
	case 4: // the parties change what they speak
		far := l.caller.far()
		far.EventPT = []int{-1, 101}[r.IntN(2)]
		l.a.Connect(far)
	case 5:
		if r.IntN(6) == 0 {
			m.withdraw()
		}
	case 6:
		if !m.permit.Valid() {
			m.gate.Open() // whoever opens without a permit opens nothing
		}
		return
	}
	m.regate()
}

// feed is the packet loop of one stream, with all that may arrive.
func feed(s *Stream, far, stranger *phone, r *rand.Rand, over <-chan struct{}) {
	room, now := new(scratch), time.Now()
	for {
		select {
		case <-over:
			return
		default:
		}
		now = now.Add(time.Duration(r.IntN(40)) * time.Millisecond)
		data, from := far.voice(frameOf(byte(r.IntN(256)))), far.addr
		switch r.IntN(12) {
		case 0: // a key of the far end
			data = far.event(101, far.Timestamp, 1, r.IntN(2) == 0, uint16(r.IntN(2000)))
		case 1: // a stranger who knows everything but the address
			data, from = far.event(101, far.Timestamp+9, 9, true, 800), stranger.addr
		case 2:
			from = stranger.addr
		case 3: // garbage
			for range 1 + r.IntN(8) {
				data[r.IntN(12)] = byte(r.IntN(256))
			}
			data[1] &^= 0x60 // no key by chance: 0 to 31
			data = data[:r.IntN(len(data)+1)]
		case 4: // another source of the same far end
			far.SSRC = r.Uint32()
		case 5: // out of order
			far.SequenceNumber -= uint16(r.IntN(5))
		}
		s.handle(now, data, from, room)
	}
}
