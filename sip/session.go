package sip

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrExpired is the cause of Leg.Context after the session timer ran out: the
// far end gave no sign of life in the agreed time (RFC 4028 section 10). A BYE
// has been sent.
var ErrExpired = errors.New("sip: the session expired")

// SessionTimer asks for a sign of life within a dialog (RFC 4028).
type SessionTimer struct {
	// Interval is the session interval we ask for, 90 s to 24 h in whole
	// seconds; the sign of life comes every half of it. 0: no session timer is
	// asked for, and what the far end asks for is left to the far end.
	Interval time.Duration
	// Min is the shortest interval we agree to, at least 90 s and at most
	// Interval. Default 90 s.
	Min time.Duration
}

const (
	// minInterval is the least Min-SE there may be, in seconds (RFC 4028 section 5).
	minInterval = 90
	maxInterval = 24 * 60 * 60
)

// check refuses a timer that RFC 4028 does not allow, and fills in the default.
func (t *SessionTimer) check() error {
	if t.Interval == 0 && t.Min == 0 {
		return nil
	}
	if t.Min == 0 {
		t.Min = minInterval * time.Second
	}
	switch {
	case t.Min < minInterval*time.Second, t.Interval < t.Min, t.Interval > maxInterval*time.Second:
		return fmt.Errorf("sip: session timer: %s with a minimum of %s is not within 90s to 24h", t.Interval, t.Min)
	case t.Interval%time.Second != 0 || t.Min%time.Second != 0:
		return errors.New("sip: session timer: not in whole seconds")
	}
	return nil
}

func (t SessionTimer) on() bool     { return t.Interval > 0 }
func (t SessionTimer) seconds() int { return int(t.Interval / time.Second) }
func (t SessionTimer) min() int     { return max(int(t.Min/time.Second), minInterval) }

// A timing is what was agreed about the session timer of a leg.
type timing struct {
	interval int  // seconds; 0: there is no timer
	min      int  // the largest Min-SE heard of, seconds
	ours     bool // we send the refreshes
}

// expires is a Session-Expires header (RFC 4028 section 4).
type expires struct {
	seconds   int
	refresher string // "uac", "uas" or ""
}

// sessionExpires reads the Session-Expires of a message; ok is false if there
// is none that can be used.
func sessionExpires(msg messageHeaders) (x expires, ok bool) {
	fields := splitParams(headerValue(msg, "Session-Expires"))
	if x.seconds, ok = deltaSeconds(fields[0]); !ok {
		return expires{}, false
	}
	for _, f := range fields[1:] {
		name, v, _ := strings.Cut(f, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "refresher") {
			continue
		}
		switch v = strings.ToLower(strings.TrimSpace(v)); v {
		case "uac", "uas":
			x.refresher = v
		}
	}
	return x, true
}

// minSE reads the Min-SE of a message, at least 90.
func minSE(msg messageHeaders) int {
	n, _ := deltaSeconds(splitParams(headerValue(msg, "Min-SE"))[0])
	return max(n, minInterval)
}

// deltaSeconds reads 1..86400; what is larger is 86400.
func deltaSeconds(s string) (int, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil || n == 0 {
		return 0, false
	}
	return int(min(n, maxInterval)), true
}

// tooBrief refuses a session interval below our minimum (RFC 4028 section 9).
// Who does not know timers could do nothing with a 422.
func (t SessionTimer) tooBrief(req messageHeaders) *refusal {
	x, ok := sessionExpires(req)
	if !t.on() || !ok || x.seconds >= t.min() || !supports(req, "timer") {
		return nil
	}
	return refuse(422, "Session Interval Too Small", Header{"Min-SE", strconv.Itoa(t.min())})
}

// accept decides about the timer as the answering side (RFC 4028 section 9).
// It returns the headers of the 2xx.
func (t SessionTimer) accept(req messageHeaders, now timing) (timing, []Header) {
	if !t.on() {
		return timing{}, nil
	}
	known := supports(req, "timer")
	next := timing{interval: t.seconds(), min: max(minSE(req), now.min)}
	x, asked := sessionExpires(req)
	next.interval = max(next.interval, minSE(req))
	if asked { // never above what was asked for
		next.interval = min(next.interval, x.seconds)
	}
	switch {
	case !known:
		next.ours = true
	case x.refresher != "":
		next.ours = x.refresher == "uas"
	default:
		next.ours = now.interval > 0 && now.ours
	}
	value := strconv.Itoa(next.interval) + ";refresher=uac"
	if next.ours {
		value = strconv.Itoa(next.interval) + ";refresher=uas"
	}
	headers := []Header{{"Session-Expires", value}}
	if known {
		headers = append(headers, Header{"Require", "timer"})
	}
	return next, headers
}

// ask returns the headers of a request of ours that starts or refreshes a
// session (RFC 4028 sections 7.1 and 7.4).
func (t SessionTimer) ask(now timing) []Header {
	if !t.on() {
		return nil
	}
	value := strconv.Itoa(max(t.seconds(), now.min))
	switch {
	case now.interval == 0: // who refreshes is for the far end to say
	case now.ours:
		value = strconv.Itoa(max(now.interval, now.min)) + ";refresher=uac"
	default:
		value = strconv.Itoa(max(now.interval, now.min)) + ";refresher=uas"
	}
	headers := []Header{{"Session-Expires", value}}
	if floor := max(t.min(), now.min); floor > minInterval {
		headers = append(headers, Header{"Min-SE", strconv.Itoa(floor)})
	}
	return headers
}

// agreed reads what a 2xx says about the timer that we asked for. Without a
// Session-Expires there is none (RFC 4028 section 7.2).
func (t SessionTimer) agreed(res messageHeaders, now timing) timing {
	x, ok := sessionExpires(res)
	if !t.on() || !ok {
		return timing{min: now.min}
	}
	return timing{interval: x.seconds, min: now.min, ours: x.refresher != "uas"}
}

// supports says whether a message names an extension as supported or required.
func supports(msg messageHeaders, tag string) bool {
	return hasTag(msg, "Supported", tag) || hasTag(msg, "Require", tag)
}

func hasTag(msg messageHeaders, header, tag string) bool {
	return slices.ContainsFunc(optionTags(msg, header), func(t string) bool { return strings.EqualFold(t, tag) })
}
