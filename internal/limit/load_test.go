package limit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTheLoadIsTheShareOfAllProcessorsOverTheLastIntervals(t *testing.T) {
	l := NewLoad(2)
	assert.Zero(t, l.Percent())
	at, used := noon(), time.Minute
	step := func(busy time.Duration) float64 {
		at, used = at.Add(500*time.Millisecond), used+busy
		l.Sample(used, at)
		return l.Percent()
	}
	assert.Zero(t, step(time.Hour), "one sample says nothing")
	assert.InDelta(t, 100, step(time.Second), 1e-9, "both were busy for half a second")
	assert.InDelta(t, 50, step(0), 1e-9)
	step(0)
	assert.InDelta(t, 25, step(0), 1e-9)
	assert.Zero(t, step(0), "what is longer ago is forgotten")
	for range 10 {
		step(750 * time.Millisecond)
	}
	assert.InDelta(t, 75, l.Percent(), 1e-9)
	l.Sample(used, at.Add(-time.Hour))
	assert.Zero(t, l.Percent(), "a clock that goes back begins anew")
	l.Sample(used, at.Add(-time.Hour))
	assert.Zero(t, l.Percent(), "no time has passed")
}
