package call

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/target"
	"consentgw/sip"
)

// search is the dialing of the party that did not call, beside the call's
// goroutine. With dial: during_notice it goes on while the caller is asked.
type search struct {
	// Constant.
	name       string // of the platform or trunk
	targets    *target.Set
	failoverOn config.FailoverOn
	try        func(context.Context, *target.Hop) error
	wanted     chan struct{} // closed when whoever answers is to be put through
	done       chan struct{} // closed at the end

	err error // why nobody was found; to be read once done is closed

	// Owned by the call's goroutine.
	early bool            // the far end sends media before its answer
	said  consent.Outcome // what the last INVITE said of the consent
}

func (s *search) isWanted() bool {
	select {
	case <-s.wanted:
		return true
	default:
		return false
	}
}

// seek begins a search. It ends with ctx, or when somebody was put through.
func (c *Call) seek(ctx context.Context, s search) {
	s.wanted, s.done = make(chan struct{}), make(chan struct{})
	c.search = &s
	c.beside(func() {
		defer close(s.done)
		c.search.err = errPanic // unless dial returns
		c.search.err = c.dial(ctx, c.search)
	})
}

// errLeft: whoever answered hung up before being put through.
var errLeft = errors.New("left before the decision")

// dial tries the targets in turn. It runs beside the call's goroutine and
// touches nothing of the call but through the inbox. An agent who did not wait
// for the caller's decision is no reason to leave the caller without one: the
// targets are dialed again once there is nothing to wait for.
func (c *Call) dial(ctx context.Context, s *search) error {
	err := c.dialTargets(ctx, s)
	if !errors.Is(err, errLeft) {
		return err
	}
	select {
	case <-s.wanted:
		return c.dialTargets(ctx, s)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Call) dialTargets(ctx context.Context, s *search) error {
	failure := error(sip.ErrUnreachable) // of the last target
	for _, t := range s.targets.Order(c.now()) {
		err := s.try(ctx, t)
		if err == nil {
			t.Answered(c.now())
			c.svc.Metrics.Setup(c.now().Sub(c.rec.Call.InvitedAt).Seconds())
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, errLeft) {
			t.Answered(c.now())
			return err
		}
		failure = err
		word := failureWord(err)
		c.log.Warn("target failed", "target", t.URI(), "reason", word)
		if !s.failoverOn.Has(failureCode(err)) {
			t.Answered(c.now())
			break
		}
		t.Failed(c.now())
		c.svc.Metrics.Failover(s.name, word)
	}
	return fmt.Errorf("%w: %w", errNoTarget, failure)
}

// failureCode is the SIP status that a target refused with, or 0 if it is dead
// or silent. A busy or declining one is an answer of the platform, and no reason
// to try another: see [config.FailoverOn].
func failureCode(err error) int {
	var status *sip.StatusError
	if errors.As(err, &status) {
		return status.Code
	}
	return 0
}

func failureWord(err error) string {
	var status *sip.StatusError
	switch {
	case errors.As(err, &status):
		return strconv.Itoa(status.Code)
	case errors.Is(err, sip.ErrSilent):
		return "silent"
	case errors.Is(err, sip.ErrNoAnswer):
		return "no_answer"
	case errors.Is(err, sip.ErrUnreachable):
		return "unreachable"
	}
	return "failed"
}

// credentials are what a target's challenge is answered with; nil: nothing.
func credentials(t config.Target) *sip.Credentials {
	if t.Auth == nil {
		return nil
	}
	return &sip.Credentials{Username: t.Auth.Username, Password: string(t.Auth.Password)}
}

// clientTLS is what a connection to a target shows and trusts; nil:
// what the platform's side shows and trusts. certified is the name that the far
// end's certificate must bear; empty: the host that is dialed.
func clientTLS(t config.Target, certified string) *sip.ClientTLS {
	c := sip.ClientTLS{ServerName: certified}
	if t.TLS != nil {
		c.CertFile, c.KeyFile, c.CAFile = t.TLS.Cert, t.TLS.Key, t.TLS.CA
	}
	if c == (sip.ClientTLS{}) {
		return nil
	}
	return &c
}
