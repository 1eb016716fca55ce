package target

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"consentgw/internal/config"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// noon is when the tests begin.
func noon() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

// platform has targets that are named by their number from 1 on.
func platform(targets ...config.Target) config.Destination {
	for i := range targets {
		targets[i].URI = "sip:t" + strconv.Itoa(i+1)
	}
	return config.Destination{Targets: targets, Options: config.OptionsPing{DownAfter: 3, UpAfter: 2}}
}

func at(priority, weight int) config.Target {
	return config.Target{Priority: priority, Weight: weight}
}

// hop finds an address of a set by its URI.
func hop(t require.TestingT, s *Set, uri string) *Hop {
	for _, h := range s.Hops() {
		if h.URI() == uri {
			return h
		}
	}
	require.Fail(t, "no such address", uri)
	return nil
}

// order is the URIs that a call tries.
func order(s *Set, now time.Time) []string {
	uris := []string{}
	for _, h := range s.Order(now) {
		uris = append(uris, h.URI())
	}
	return uris
}

// down takes an address down as its probes would.
func down(h *Hop) {
	for range h.set.downAfter {
		h.Pinged(false)
	}
}

func TestTargetsAreTriedByPriority(t *testing.T) {
	s := New(platform(at(2, 1), at(1, 1), at(3, 100), at(0, 1)), nil)
	for range 20 {
		assert.Equal(t, []string{"sip:t4", "sip:t2", "sip:t1", "sip:t3"}, order(s, noon()))
	}
}

func TestEqualTargetsShareTheCallsByTheirWeight(t *testing.T) {
	const calls = 20_000
	for _, c := range []struct {
		name    string
		weights []int
		share   []float64
	}{
		{"equal", []int{1, 1}, []float64{0.5, 0.5}},
		{"one to three", []int{10, 30}, []float64{0.25, 0.75}},
		{"three", []int{1, 2, 7}, []float64{0.1, 0.2, 0.7}},
		{"none at all", []int{0, 0}, []float64{0.5, 0.5}},
		{"one that is the last resort", []int{0, 1}, []float64{0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var targets []config.Target
			for _, w := range c.weights {
				targets = append(targets, at(1, w))
			}
			s := New(platform(targets...), nil)
			first := map[string]int{}
			for range calls {
				all := order(s, noon())
				require.Len(t, all, len(targets), "every target is tried in the end")
				first[all[0]]++
			}
			for i, want := range c.share {
				assert.InDelta(t, want, float64(first["sip:t"+strconv.Itoa(i+1)])/calls, 0.02)
			}
		})
	}
}

func TestTheSecondChoiceIsWeightedAsWell(t *testing.T) {
	const calls = 20_000
	s := New(platform(at(1, 1), at(1, 2), at(1, 7)), nil)
	second := 0
	for range calls {
		if all := order(s, noon()); all[0] == "sip:t3" && all[1] == "sip:t2" {
			second++
		}
	}
	assert.InDelta(t, 0.7*2/3, float64(second)/calls, 0.02)
}

func TestATargetThatFailedLatelyIsTriedLast(t *testing.T) {
	s := New(platform(at(1, 1), at(2, 1), at(3, 1)), nil)
	first := hop(t, s, "sip:t1")
	first.Failed(noon())
	assert.Equal(t, []string{"sip:t2", "sip:t3", "sip:t1"}, order(s, noon()))
	assert.Equal(t, []string{"sip:t2", "sip:t3", "sip:t1"}, order(s, noon().Add(shunned-time.Millisecond)))
	assert.Equal(t, []string{"sip:t1", "sip:t2", "sip:t3"}, order(s, noon().Add(shunned)), "then it is tried again")
	assert.True(t, first.Up(), "a call that failed is no probe that failed")

	first.Failed(noon())
	assert.False(t, first.Answered(noon()))
	assert.Equal(t, []string{"sip:t1", "sip:t2", "sip:t3"}, order(s, noon()), "an answer ends it")

	first.Failed(noon().Add(time.Hour))
	assert.Equal(t, []string{"sip:t1", "sip:t2", "sip:t3"}, order(s, noon()), "a clock that went back shuns nobody")
}

func TestATargetThatIsDownIsTriedAfterThoseThatFailed(t *testing.T) {
	s := New(platform(at(1, 1), at(2, 1), at(3, 1), at(4, 1)), nil)
	down(hop(t, s, "sip:t1"))
	hop(t, s, "sip:t2").Failed(noon())
	down(hop(t, s, "sip:t3"))
	hop(t, s, "sip:t3").Failed(noon())
	assert.Equal(t, []string{"sip:t4", "sip:t2", "sip:t1", "sip:t3"}, order(s, noon()))
}

func TestHealthFollowsTheProbesInARow(t *testing.T) {
	for _, c := range []struct {
		name    string
		results string // o ready, x not, A a call that was answered, F one that failed
		up      string // after each
		changes int
	}{
		{"up at first", "o", "u", 0},
		{"two failures are not three", "xxoxxoxx", "uuuuuuuu", 0},
		{"three are", "xxx", "uud", 1},
		{"and more change nothing", "xxxxxxxx", "uudddddd", 1},
		{"one answer is not two", "xxxoxox", "uuddddd", 1},
		{"two are", "xxxoo", "uuddu", 2},
		{"a failure between begins anew", "xxxoxoo", "uuddddu", 2},
		{"it goes down again by three", "xxxooxxx", "uudduuud", 3},
		{"an answered call counts at once", "xxxA", "uudu", 2},
		{"also between failures", "xxAxx", "uuuuu", 0},
		{"also in the middle of coming back", "xxxoAxx", "uudduuu", 2},
		{"a failed call is no probe", "xxFxF", "uuudd", 1},
		{"failed calls alone take nothing down", "FFFFFF", "uuuuuu", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := New(platform(at(1, 1)), nil)
			h := s.Hops()[0]
			states, changes := "", 0
			for _, r := range c.results {
				changed := false
				switch r {
				case 'o', 'x':
					changed = h.Pinged(r == 'o')
				case 'A':
					changed = h.Answered(noon())
				case 'F':
					h.Failed(noon())
				}
				if changed {
					changes++
				}
				state := "d"
				if h.Up() {
					state = "u"
				}
				assert.Equal(t, state == "d", s.AllDown())
				states += state
			}
			assert.Equal(t, c.up, states)
			assert.Equal(t, c.changes, changes)
		})
	}
}

func TestItIsKnownThatNothingIsUp(t *testing.T) {
	s := New(platform(at(1, 1), at(2, 1)), nil)
	assert.False(t, s.AllDown())
	down(hop(t, s, "sip:t1"))
	assert.False(t, s.AllDown())
	down(hop(t, s, "sip:t2"))
	assert.True(t, s.AllDown())
	assert.Equal(t, []string{"sip:t1", "sip:t2"}, order(s, noon()), "they can be tried all the same")
	hop(t, s, "sip:t2").Answered(noon())
	assert.False(t, s.AllDown())
	assert.Equal(t, []string{"sip:t2", "sip:t1"}, order(s, noon()))
	assert.True(t, New(platform(), nil).AllDown(), "no target at all")
}

func TestAPlatformMadeByHandNeedsNoOptions(t *testing.T) {
	s := New(config.Destination{Targets: []config.Target{{URI: "sip:t1"}}}, nil)
	h := s.Hops()[0]
	assert.True(t, h.Pinged(false), "one failure")
	assert.True(t, h.Pinged(true), "one answer")
}

func TestAnOrderHoldsEveryAddressOnceAndTheBestFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var targets []config.Target
		for range rapid.IntRange(0, 6).Draw(t, "targets") {
			targets = append(targets, at(rapid.IntRange(0, 2).Draw(t, "priority"), rapid.IntRange(0, 3).Draw(t, "weight")))
		}
		s := New(platform(targets...), nil)
		for _, h := range s.Hops() {
			switch rapid.IntRange(0, 3).Draw(t, "what happened") {
			case 1:
				h.Failed(noon().Add(-time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds ago")) * time.Second))
			case 2:
				down(h)
			}
		}
		all := s.Order(noon())
		assert.ElementsMatch(t, s.Hops(), all)
		for i := 1; i < len(all); i++ {
			a, b := all[i-1], all[i]
			assert.LessOrEqual(t, a.rank(noon()), b.rank(noon()))
			if a.rank(noon()) == b.rank(noon()) {
				assert.LessOrEqual(t, a.Target.Priority, b.Target.Priority)
			}
		}
	})
}

func TestASetIsSharedByManyCalls(t *testing.T) {
	s := New(platform(at(1, 1), at(1, 1), at(2, 1)), nil)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 200 {
				h := s.Order(noon())[0]
				if (i+n)%3 == 0 {
					h.Failed(noon())
				} else {
					h.Answered(noon())
				}
				h.Pinged(n%2 == 0)
				h.Up()
				s.AllDown()
			}
		})
	}
	all.Wait()
	assert.Len(t, order(s, noon()), 3)
}

func TestAnAddressThatAnswersCallsNeedsNoAsking(t *testing.T) {
	h := New(platform(at(1, 1)), nil).Hops()[0]
	assert.False(t, h.Carries(noon(), time.Minute), "it was never called")
	h.Failed(noon())
	assert.False(t, h.Carries(noon(), time.Minute), "a failure says nothing good")
	h.Answered(noon())
	assert.True(t, h.Carries(noon().Add(59*time.Second), time.Minute))
	assert.False(t, h.Carries(noon().Add(time.Minute), time.Minute))
}

func TestHealthGoesOnInTheNextConfiguration(t *testing.T) {
	old := New(platform(at(1, 1), at(2, 1), at(3, 1)), nil)
	down(hop(t, old, "sip:t1"))
	hop(t, old, "sip:t2").Failed(noon())
	s := New(platform(at(5, 7), at(1, 1), at(1, 1), at(0, 1)), nil)
	s.Inherit(old)
	assert.False(t, hop(t, s, "sip:t1").Up(), "it is down still")
	assert.Equal(t, 5, hop(t, s, "sip:t1").Target.Priority, "what is configured is new")
	assert.Equal(t, []string{"sip:t4", "sip:t3", "sip:t2", "sip:t1"}, order(s, noon()))
	hop(t, s, "sip:t1").Answered(noon())
	assert.False(t, hop(t, old, "sip:t1").Up(), "the old one has a life of its own")
}

func TestSilenceSaysNothingOfAnAddressThatKnowsNoOptions(t *testing.T) {
	s := New(platform(at(1, 1), at(1, 1), at(1, 1)), nil)
	calls, speaks, dead := hop(t, s, "sip:t1"), hop(t, s, "sip:t2"), hop(t, s, "sip:t3")
	calls.Answered(noon())
	speaks.Answered(noon())
	speaks.Pinged(true)
	for range 10 {
		calls.Unanswered()
		speaks.Unanswered()
		dead.Unanswered()
	}
	assert.True(t, calls.Up(), "it takes calls, and has never answered an OPTIONS")
	assert.False(t, speaks.Up(), "it has answered before, and does not any more")
	assert.False(t, dead.Up(), "nothing good is known of it")
}
