package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// Body is a message body that is not, or not only, a session description.
type Body struct {
	// ContentType stands in the Content-Type header as it is, with its
	// parameters, such as "multipart/mixed;boundary=x".
	ContentType string
	Bytes       []byte
}

// Change is what a re-INVITE or UPDATE of ours carries.
type Change struct {
	// Offer is our session description. In an UPDATE it may be missing.
	Offer []byte
	// Describe makes the offer in place of Offer if it is not nil: when no other
	// exchange is in progress any more, and anew for every try. So nothing that the
	// far end asked for meanwhile is undone by it.
	Describe func() (offer []byte, err error)
	// Conclude takes what became of an offer that Describe made: the answer, or
	// why there is none. It is called once for every try, before any other
	// exchange of the leg can begin, and must not wait for one. Its error is
	// that of the change, if there was none before. It may be nil.
	Conclude func(answer []byte, err error) error
	// Body is sent in place of Offer if it has bytes; the answer is the
	// session description of the response.
	Body Body
	// Require names the extensions that the far end must support.
	Require []string
	// Headers are added, under the conditions of Invite.Headers.
	Headers []Header
}

// check refuses what must not be sent.
func (c *Change) check() error {
	if err := checkTags(c.Require); err != nil {
		return err
	}
	if err := c.Body.check(); err != nil {
		return err
	}
	return checkHeaders(c.Headers)
}

func (b *Body) check() error {
	if len(b.Bytes) == 0 {
		return nil
	}
	if b.ContentType == "" || hasControl(b.ContentType) {
		return errors.New("sip: a body needs a Content-Type without control characters")
	}
	return nil
}

// checkTags refuses option tags that are no tokens (RFC 3261 section 25.1).
func checkTags(tags []string) error {
	for _, tag := range tags {
		if !isToken(tag) {
			return fmt.Errorf("sip: %q is no option tag", cleaned(tag))
		}
	}
	return nil
}

// payload returns what is to be sent of a body and an offer.
func (b Body) payload(offer []byte) Body {
	if len(b.Bytes) > 0 || len(offer) == 0 {
		return b
	}
	return Body{"application/sdp", offer}
}

// fill writes the body, the tags and the headers into a request.
func (c *Change) fill(req *siplib.Request) {
	if len(c.Require) > 0 {
		req.AppendHeader(siplib.NewHeader("Require", strings.Join(c.Require, ", ")))
	}
	appendHeaders(req, c.Headers)
	if b := c.Body.payload(c.Offer); len(b.Bytes) > 0 {
		req.AppendHeader(siplib.NewHeader("Content-Type", b.ContentType))
		req.SetBody(b.Bytes)
	}
}

func appendHeaders(msg siplib.Message, headers []Header) {
	for _, h := range headers {
		msg.AppendHeader(siplib.NewHeader(h.Name, h.Value))
	}
}

// offers says whether the change begins an exchange of session descriptions.
func (c *Change) offers() bool {
	return len(c.Offer) > 0 || len(c.Body.Bytes) > 0 || c.Describe != nil
}

// describe makes the offer, if that was left until now.
func (c *Change) describe() (err error) {
	if c.Describe == nil {
		return nil
	}
	if c.Offer, err = c.Describe(); err == nil && len(c.Offer) == 0 {
		err = errors.New("sip: a description without a byte")
	}
	return err
}

// conclude tells what became of the offer.
func (c *Change) conclude(answer []byte, err error) ([]byte, error) {
	if c.Describe == nil || c.Conclude == nil {
		return answer, err
	}
	if e := c.Conclude(answer, err); err == nil {
		err = e
	}
	return answer, err
}

// Reinvite offers a new session description within the dialog and returns the
// far end's answer. If both sides offer at the same time the far end refuses
// with 491; then it is tried again after the back-off of RFC 3261 section
// 14.1, and after a 500 with Retry-After when that says so, until ctx ends. One
// offer is in progress at a time, others wait.
//
// Errors: a *StatusError if the far end refused: what was agreed before stays
// in force. 481, 408 and silence end the leg (RFC 5057 section 5.1).
func (l *Leg) Reinvite(ctx context.Context, offer []byte) (answer []byte, err error) {
	return l.ReinviteWith(ctx, Change{Offer: offer})
}

// ReinviteWith is Reinvite with a body, tags and headers of the caller's
// choice.
func (l *Leg) ReinviteWith(ctx context.Context, c Change) (answer []byte, err error) {
	if !c.offers() {
		return nil, errors.New("sip: a re-INVITE without an offer")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return l.modify(ctx, c, (*Leg).reinvite)
}

// maxTries is how often a request that was refused for now is sent, glare
// apart.
const maxTries = 3

// modify sends a request that changes the session until it has an answer that
// counts.
func (l *Leg) modify(ctx context.Context, c Change, send func(*Leg, context.Context, Change) ([]byte, error)) (answer []byte, err error) {
	ctx, cancel := l.within(ctx)
	defer cancel()
	for tries := maxTries; ; {
		answer, err = send(l, ctx, c)
		wait, again := l.again(err)
		if !isStatus(err, 491) {
			tries-- // glare has a back-off that ends it; nothing else has
		}
		if !again || tries <= 0 {
			break
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if isStatus(err, 408, 481) || errors.Is(err, ErrSilent) {
		l.hangUp("", err)
	}
	return answer, err
}

// again says whether a refusal means only "not now", and how long to wait.
func (l *Leg) again(err error) (time.Duration, bool) {
	var status *StatusError
	switch {
	case !errors.As(err, &status):
		return 0, false
	case status.Code == 491:
		return l.backOff(), true
	case status.Code == 500 && status.RetryAfter > 0 && status.RetryAfter <= maxPatience:
		// RFC 3261 section 14.2: its own offer is in progress.
		return status.RetryAfter, true
	case status.Code == 422:
		return 0, l.lengthen(status.minSE)
	}
	return 0, false
}

// maxPatience is the longest Retry-After of a 500 that is worth waiting for:
// RFC 3261 section 14.2 has it chosen from 0 to 10 s.
const maxPatience = 10 * time.Second

// lengthen takes the Min-SE of a 422 (RFC 4028 section 7.3).
func (l *Leg) lengthen(min int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if min <= l.clock.min {
		return false
	}
	l.clock.min = min
	return true
}

// backOff is how long to wait after a 491: who chose the Call-ID 2.1 to 4 s,
// the other side 0 to 2 s, in steps of 10 ms; all in proportion to T1.
func (l *Leg) backOff() time.Duration {
	step := l.dialog.e.t1 / 50
	if l.target != "" {
		return time.Duration(210+rand.IntN(191)) * step
	}
	return time.Duration(rand.IntN(201)) * step
}
