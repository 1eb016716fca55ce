package sip

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// A sessionClock is the running session timer of a leg. Its alarm starts a
// goroutine of the endpoint and no other.
type sessionClock struct {
	timing
	alarm    *time.Timer
	turn     int // counts agreements: an alarm of an earlier one means nothing
	deadline time.Time
}

// timer is the leg's policy.
func (l *Leg) timer() SessionTimer {
	if t := l.handlers().SessionTimer; t != nil {
		return *t
	}
	return l.dialog.e.timer
}

// timed returns what is agreed at the moment.
func (l *Leg) timed() timing {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock.timing
}

// setTiming puts an agreement in force: every session refresh makes one, also
// when nothing changes.
func (l *Leg) setTiming(t timing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.stop()
	l.clock.timing = t
	if t.interval == 0 || l.hung {
		return
	}
	second := l.dialog.e.second
	interval := time.Duration(t.interval) * second
	// Whoever waits in vain says BYE a little before the end (RFC 4028
	// section 10).
	l.clock.deadline = time.Now().Add(interval - min(32*second, interval/3))
	wait := time.Until(l.clock.deadline)
	if t.ours {
		wait = interval / 2
	}
	l.arm(wait)
}

// arm sets the alarm. l.mu is held.
func (l *Leg) arm(wait time.Duration) {
	turn := l.clock.turn
	l.clock.alarm = time.AfterFunc(wait, func() {
		l.dialog.e.spawn(func() {
			defer l.dialog.e.guard("keeping a session alive", nil)
			l.rung(turn)
		})
	})
}

// stop forgets the alarm, whether or not it has rung.
func (c *sessionClock) stop() {
	c.turn++
	if c.alarm != nil {
		c.alarm.Stop()
		c.alarm = nil
	}
}

// rung refreshes the session or, when it is too late for that, ends it.
func (l *Leg) rung(turn int) {
	l.mu.Lock()
	current, ours, deadline := l.clock.turn == turn, l.clock.ours, l.clock.deadline
	l.mu.Unlock()
	switch {
	case !current:
		return
	case !ours || !time.Now().Before(deadline):
		l.hangUp("session expired", ErrExpired)
		return
	}
	ctx, cancel := context.WithDeadlineCause(context.Background(), deadline, ErrExpired)
	err := l.refresh(ctx)
	cancel()
	if err == nil {
		return // a new agreement is in force
	}
	l.dialog.e.log.Debug("sip session refresh failed", "error", err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.clock.turn == turn && !l.hung {
		// Again halfway to the deadline, in the end at it.
		left := time.Until(deadline)
		if left > 2*l.dialog.e.second {
			left /= 2
		}
		l.arm(left)
	}
}

// refresh shows that the session lives: by an UPDATE if the far end takes
// those, else by a re-INVITE that changes nothing (RFC 4028 section 7.4).
func (l *Leg) refresh(ctx context.Context) error {
	l.mu.Lock()
	allows, sdp := l.peerUpdates, l.local
	l.mu.Unlock()
	if allows || len(sdp) == 0 {
		_, err := l.modify(ctx, Change{}, (*Leg).update)
		var status *StatusError
		if !errors.As(err, &status) || status.Code != 405 && status.Code != 501 || len(sdp) == 0 {
			return err
		}
		l.mu.Lock()
		l.peerUpdates = false
		l.mu.Unlock()
	}
	before := l.SDP()
	answer, err := l.Reinvite(ctx, sdp)
	if err == nil && !bytes.Equal(answer, before) {
		l.offered(answer)
	}
	return err
}
