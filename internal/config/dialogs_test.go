package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOneMistakeInTheDialogsIsOneFindingAtItsPlace(t *testing.T) {
	runFull(t, []mistake{
		{"an interval that RFC 4028 forbids", "{interval: 30m,", "{interval: 1m,",
			[]string{`1:29: error: dialogs.session_timer.interval: must be from 1m30s to 24h0m0s; it is "1m"`}},
		{"half a second", "min: 90s}", "min: 90.5s}",
			[]string{`1:39: error: dialogs.session_timer.min: must be in whole seconds; it is "90.5s"`}},
		{"a minimum above the interval", "min: 90s}", "min: 40m}",
			[]string{`1:39: error: dialogs.session_timer.min: must not be above interval, 30m0s: what is asked for would be refused`}},
		{"no session timer", "{interval: 30m,", "{interval: 0s,", nil},
		{"a negative silence", "silence: 5m", "silence: -5m",
			[]string{`1:39: error: dialogs.media_timeout.silence: must be from 0s to 24h0m0s; it is "-5m"`}},
		{"a stranger who transfers", "by: [agent] ", "by: [robot] ",
			[]string{`1:12: error: platforms[0].transfers.by[0]: must be agent or caller; it is "robot"`}},
		{"a host that is a URI", "to: [pbx.example.com]", "to: [\"sip:pbx.example.com\"]",
			[]string{`1:12: error: platforms[0].transfers.to[0]: must be a host or host:port, such as 203.0.113.10 or sip.example.com:5060, an IPv6 address in brackets; it is "sip:pbx.example.com"`}},
	})
}

func TestDialogsAreWatchedUnlessTheFileSaysOtherwise(t *testing.T) {
	c, fs := Parse("c.yaml", []byte(example(t)+"\ndialogs: {session_timer: {interval: 0s}, media_timeout: {hold: 0s}}\n"), nil, nil)
	require.Empty(t, lines(fs))
	assert.Zero(t, c.Dialogs.SessionTimer.Interval)
	assert.Equal(t, MediaTimeout{First: time.Minute, Silence: 5 * time.Minute}, c.Dialogs.MediaTimeout)
	full := parseFull(t)
	assert.Equal(t, Transfers{By: []string{"agent"}, To: []string{"pbx.example.com"}}, full.Platforms[0].Transfers)
}
