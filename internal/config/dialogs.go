package config

import (
	"strings"
	"time"
)

// Dialogs is what keeps every call honest, on both of its legs.
type Dialogs struct {
	SessionTimer SessionTimer
	MediaTimeout MediaTimeout
}

// SessionTimer asks for a sign of life in the signalling (RFC 4028).
type SessionTimer struct {
	// Interval is asked for, Min the shortest that is agreed to: whole seconds,
	// 90 s to 24 h. Defaults 30 min and 90 s. An Interval of 0 asks for none.
	Interval, Min time.Duration
}

// MediaTimeout is how long a party may send nothing before the call is ended,
// up to 24 h; 0 is for ever.
type MediaTimeout struct {
	First   time.Duration // from the answer to the first packet; default 1 min
	Silence time.Duration // after the last packet; default 5 min
	Hold    time.Duration // while it is on hold, or holds; default 1 h
}

func (r *reader) dialogs(n *node) Dialogs {
	const day = 24 * time.Hour
	timer, media := n.get("session_timer"), n.get("media_timeout")
	d := Dialogs{
		SessionTimer: SessionTimer{
			Interval: parsed(r, timer.get("interval"), 30*time.Minute, sessionInterval),
			Min:      parsed(r, timer.get("min"), 90*time.Second, wholeSeconds(90*time.Second, day)),
		},
		MediaTimeout: MediaTimeout{
			First:   parsed(r, media.get("first"), time.Minute, duration(0, day)),
			Silence: parsed(r, media.get("silence"), 5*time.Minute, duration(0, day)),
			Hold:    parsed(r, media.get("hold"), time.Hour, duration(0, day)),
		},
	}
	if t := d.SessionTimer; t.Interval > 0 && t.Interval < t.Min {
		at := timer.get("min")
		if at == nil {
			at = timer.get("interval")
		}
		r.fail(at, "must not be above interval, %v: what is asked for would be refused", t.Interval)
	}
	return d
}

// sessionInterval is a session interval, or zero for none.
func sessionInterval(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil && d == 0 {
		return 0, nil
	}
	return wholeSeconds(90*time.Second, 24*time.Hour)(s)
}

// wholeSeconds: the headers of RFC 4028 count in nothing smaller.
func wholeSeconds(low, high time.Duration) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		d, err := duration(low, high)(s)
		if err == nil && d%time.Second != 0 {
			return 0, demand(false, "must be in whole seconds")
		}
		return d, err
	}
}

// Transfers says where a platform may lead its calls, by REFER and by 3xx.
type Transfers struct {
	// By names who may transfer: "agent", the default, and "caller". Empty but
	// not nil: nobody.
	By []string
	// To are the hosts, besides those of the targets, that calls may be led to:
	// host or host:port, in small letters. Any port of a host without one.
	To []string
}

func (r *reader) transfers(n *node) Transfers {
	t := Transfers{By: []string{"agent"}}
	if n.has("by") {
		t.By = append([]string{}, r.distinct(n.list("by"), oneOf("agent", "caller"))...)
	}
	for _, host := range r.distinct(n.list("to"), checkAdvertise) {
		t.To = append(t.To, strings.ToLower(host))
	}
	return t
}
