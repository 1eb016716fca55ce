package limit

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// noon is when the tests begin.
func noon() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

// taken counts the tokens that are there at once.
func taken(b *Bucket, at time.Time) int {
	n := 0
	for ; n < 1000; n++ {
		if ok, _ := b.Take(at); !ok {
			break
		}
	}
	return n
}

func TestABucketGivesOneSecondsWorthAtOnceAndThenItsRate(t *testing.T) {
	for _, c := range []struct {
		name  string
		rate  float64
		burst int
		wait  time.Duration // for the next
	}{
		{"ten a second", 10, 10, 100 * time.Millisecond},
		{"one a second", 1, 1, time.Second},
		{"one in two seconds", 0.5, 1, 2 * time.Second},
		{"one in a hundred seconds", 0.01, 1, 100 * time.Second},
		{"a fraction more than two", 2.5, 2, 200 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewBucket(c.rate)
			assert.Equal(t, c.burst, taken(b, noon()))
			ok, wait := b.Take(noon())
			assert.False(t, ok)
			assert.InDelta(t, c.wait, wait, float64(time.Microsecond))
			ok, _ = b.Take(noon().Add(wait - time.Millisecond))
			assert.False(t, ok, "a moment too early")
			ok, _ = b.Take(noon().Add(wait))
			assert.True(t, ok, "as soon as it was said")
			assert.Equal(t, c.burst, taken(b, noon().Add(time.Hour)), "no more is saved up than one second's worth")
		})
	}
}

func TestARateThatIsNoneIsNoLimit(t *testing.T) {
	for _, rate := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		assert.Equal(t, 1000, taken(NewBucket(rate), noon()), "%v", rate)
	}
}

func TestAClockThatGoesBackGivesNothingAway(t *testing.T) {
	b := NewBucket(5)
	assert.Equal(t, 5, taken(b, noon()))
	assert.Equal(t, 0, taken(b, noon().Add(-time.Hour)))
	assert.Equal(t, 0, taken(b, noon()))
	assert.Equal(t, 5, taken(b, noon().Add(time.Second)))
}

func TestNoSecondHasMoreThanTwiceTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0.1, 50).Draw(t, "rate")
		b := NewBucket(rate)
		at := noon()
		var given []time.Time
		for _, step := range rapid.SliceOfN(rapid.IntRange(0, 300), 1, 200).Draw(t, "steps") {
			at = at.Add(time.Duration(step) * time.Millisecond)
			if ok, wait := b.Take(at); ok {
				given = append(given, at)
				assert.Zero(t, wait)
			} else {
				assert.Positive(t, wait)
			}
		}
		for i := range given {
			n := 0
			for _, g := range given[i:] {
				if g.Sub(given[i]) < time.Second {
					n++
				}
			}
			assert.LessOrEqual(t, float64(n), max(1, rate)+rate+1e-6)
		}
	})
}

func TestABucketIsSharedByManyCalls(t *testing.T) {
	b := NewBucket(100)
	var given atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { given.Add(int64(taken(b, noon()))) })
	}
	all.Wait()
	assert.EqualValues(t, 100, given.Load())
}
