package dtmf_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"consentgw/internal/dtmf"
)

func rtp(key dtmf.Key, timestamp uint32, at time.Duration) dtmf.Press {
	return dtmf.Press{Key: key, Method: dtmf.RFC4733, SSRC: 1, Timestamp: timestamp, At: start.Add(at)}
}

func info(key dtmf.Key, at, duration time.Duration) dtmf.Press {
	return dtmf.Press{Key: key, Method: dtmf.Info, Duration: duration, At: start.Add(at), Released: true}
}

func inband(key dtmf.Key, at time.Duration) dtmf.Press {
	return dtmf.Press{Key: key, Method: dtmf.Inband, At: start.Add(at)}
}

func TestOnceCountsEachPressOnce(t *testing.T) {
	for name, c := range map[string]struct {
		seen []dtmf.Press
		want []bool
	}{
		"one method, three presses": {
			[]dtmf.Press{rtp('1', 0, 0), rtp('1', 800, 100*ms), rtp('1', 1600, 200*ms)}, []bool{true, true, true}},
		"one INFO press after another": {
			[]dtmf.Press{info('1', 0, 0), info('1', 100*ms, 0)}, []bool{true, true}},
		"RFC 4733, then INFO":              {[]dtmf.Press{rtp('1', 0, 0), info('1', 500*ms, 0)}, []bool{true, false}},
		"INFO, then RFC 4733":              {[]dtmf.Press{info('1', 0, 0), rtp('1', 0, 500*ms)}, []bool{true, false}},
		"INFO handled late, sent before":   {[]dtmf.Press{rtp('1', 0, 300*ms), info('1', 0, 0)}, []bool{true, false}},
		"more than 500 ms apart":           {[]dtmf.Press{rtp('1', 0, 0), info('1', 501*ms, 0)}, []bool{true, true}},
		"another key":                      {[]dtmf.Press{rtp('1', 0, 0), info('2', 0, 0)}, []bool{true, true}},
		"INFO on release of a long press":  {[]dtmf.Press{rtp('1', 0, 0), info('1', 2*time.Second, 1900*ms)}, []bool{true, false}},
		"three methods":                    {[]dtmf.Press{rtp('1', 0, 0), inband('1', 60*ms), info('1', 90*ms, 0)}, []bool{true, false, false}},
		"the release of a press":           {[]dtmf.Press{rtp('1', 0, 0), rtp('1', 0, 0)}, []bool{true, false}},
		"the release of a second sighting": {[]dtmf.Press{info('1', 0, 0), rtp('1', 9, 50*ms), rtp('1', 9, 50*ms)}, []bool{true, false, false}},
		"a timestamp used again later":     {[]dtmf.Press{rtp('1', 9, 0), rtp('1', 9, 11*time.Second)}, []bool{true, true}},
		"an unknown method":                {[]dtmf.Press{rtp('1', 0, 0), {Key: '1', Method: "other", At: start}}, []bool{true, false}},
		"two quick presses by both, in turn": {
			[]dtmf.Press{rtp('1', 0, 0), info('1', 50*ms, 0), rtp('1', 1600, 200*ms), info('1', 250*ms, 0)},
			[]bool{true, false, true, false}},
		"two quick presses by both, one method behind": {
			[]dtmf.Press{rtp('1', 0, 0), rtp('1', 1600, 200*ms), info('1', 210*ms, 0), info('1', 410*ms, 0)},
			[]bool{true, true, false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			var once dtmf.Once
			var got []bool
			for _, p := range c.seen {
				got = append(got, once.New(p))
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestOnceForgetsTheOldestPress(t *testing.T) {
	var once dtmf.Once
	for i := range 9 {
		assert.True(t, once.New(rtp('1', uint32(i*100), 0)))
	}
	assert.False(t, once.New(rtp('1', 100, 0)), "the last eight are known")
	assert.True(t, once.New(rtp('1', 0, 0)))
}
