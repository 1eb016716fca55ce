package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// Invite is a call to make.
type Invite struct {
	// Target is where the INVITE goes: "sip:host:port;transport=tcp". Scheme,
	// port (5060) and transport (udp) may be missing; IPv6 stands in brackets.
	// Without a transport an INVITE of more than 1300 bytes goes over TCP if the
	// far end takes the connection and we listen on TCP too (RFC 3261 18.1.1).
	// "sips:host" and ";transport=tls" go over TLS, port 5061. A name without a
	// port is looked up as a service (RFC 3263).
	Target string
	// TLS is for targets that are reached by TLS; nil: we show what our TLS
	// listeners show, and trust what Config.TLS trusts.
	TLS *ClientTLS
	// Auth answers a digest challenge of the target; nil: a 401 or 407 is the
	// result of the call.
	Auth *Credentials
	// Called is the user part of the request URI and of To; "": the user part
	// of Target. It is escaped as needed.
	Called string
	// Caller is the user part of From; "": "anonymous".
	Caller string
	// CallID is random if "".
	CallID string
	// Headers are added. Those that the dialog layer writes itself, and values
	// with control characters, are refused before anything is sent.
	Headers []Header
	// Offer is our session description. It, or Body, is required.
	Offer []byte
	// Body is sent in place of Offer if it has bytes; the answer is the session
	// description of the response.
	Body Body
	// Extensions are those that the far end may, or must, use.
	Extensions Extensions
	// Present says more about who calls, and hides what is not to be told.
	Present Presentation
	// FirstResponse is how long to wait for any response at all; default 4 s.
	FirstResponse time.Duration
	// Answer is how long to wait for a final response; default 180 s, the
	// Timer C of RFC 3261 section 16.6.
	Answer time.Duration
	// Progress gets every provisional response but 100, repetitions included
	// unless they are reliable, in the order in which they came, one at a time, on Dial's goroutine.
	// The session description is nil if there is none.
	Progress func(code int, sdp []byte)
	// InDialog is what the far end may do once it has answered.
	InDialog InDialog
}

// Extensions are what a call makes use of beyond RFC 3261.
type Extensions struct {
	// Require names extensions that the far end must support.
	Require []string
	// Supported names more extensions that the caller of Dial takes care of.
	Supported []string
	// Reliable says whether the far end may, or must, make its provisional
	// responses reliable. Those that are get their PRACK in any case.
	Reliable Reliable
	// Heard gets the address that a response came from, for every provisional one
	// but 100 and the 2xx, before Progress does and before Dial returns: media of
	// a far end behind a NAT comes from there. It may be nil.
	Heard func(from netip.Addr)
}

const (
	defaultFirstResponse = 4 * time.Second
	defaultAnswer        = 180 * time.Second
	// maxCallID is the longest Call-ID that Dial sends.
	maxCallID = 256
)

// prepare fills in the defaults and refuses what must not be sent.
func (i *Invite) prepare() (target, error) {
	t, err := parseTarget(i.Target)
	switch {
	case err != nil:
		return t, err
	case hasControl(i.Called), hasControl(i.Caller):
		return t, errors.New("sip: the called or the calling user holds a control character")
	case len(i.CallID) > maxCallID || !isCallID(i.CallID):
		return t, errors.New("sip: not a Call-ID")
	case len(i.Offer) == 0 && len(i.Body.Bytes) == 0:
		return t, errors.New("sip: an INVITE without an offer")
	}
	if i.Auth != nil && hasControl(i.Auth.Username+i.Auth.Password) {
		return t, errors.New("sip: the credentials hold a control character")
	}
	for _, err := range []error{
		checkHeaders(i.Headers), i.Body.check(), checkTags(i.Extensions.Require), checkTags(i.Extensions.Supported), i.Present.check(),
	} {
		if err != nil {
			return t, err
		}
	}
	if timer := i.InDialog.SessionTimer; timer != nil {
		if err := timer.check(); err != nil {
			return t, err
		}
	}
	if i.Called == "" {
		i.Called = t.user
	}
	if i.Caller == "" {
		i.Caller = "anonymous"
	}
	if i.CallID == "" {
		i.CallID = newToken() + newToken()
	}
	if i.FirstResponse <= 0 {
		i.FirstResponse = defaultFirstResponse
	}
	if i.Answer <= 0 {
		i.Answer = defaultAnswer
	}
	return t, nil
}

// isCallID says whether s may stand in a Call-ID header; "" may.
func isCallID(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// Dial makes a call and returns its leg once it is answered and acknowledged.
//
// Errors: a *StatusError for a final response other than 2xx, which is not
// followed if it is a redirection; ErrSilent without any response within
// FirstResponse; ErrNoAnswer without a final one within Answer; ErrUnreachable
// if the INVITE could not be sent or its connection broke; ErrNotServing; or
// the cause of ctx. In the last four cases the INVITE is cancelled as far as
// RFC 3261 section 9.1 allows, and a 2xx that crosses is acknowledged and
// released (trap 3), both in the background.
//
// Every address of the target is tried in turn, until one gives a final
// response other than 503 or rings (RFC 3263 section 4.3); the error is the last
// one's. FirstResponse and Answer count anew for each.
//
// After it has returned, repeated 2xx are acknowledged for 64*T1, and 2xx from
// other forks are acknowledged and released (trap 10).
func (e *Endpoint) Dial(ctx context.Context, inv Invite) (*Leg, error) {
	t, err := inv.prepare()
	if err != nil {
		return nil, err
	}
	// Counted among the sends: its CANCEL is to go out before the sockets close.
	if !e.enter(serving, &e.sends) {
		return nil, ErrNotServing
	}
	defer e.leave(&e.sends)
	hops, err := e.hops(ctx, t, inv.TLS)
	if err != nil {
		return nil, err
	}
	return e.try(ctx, hops, inv, func(inv Invite, a attempt) (*Leg, error) { return e.dial(ctx, t, inv, a) })
}

// dialWith makes one attempt at a call with a composed INVITE.
func (e *Endpoint) dialWith(ctx context.Context, a attempt, inv Invite, req *siplib.Request) (*Leg, error) {
	call, err := e.invite(ctx, a.hop, req, halfID{inv.CallID, a.tag})
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	d := &dialing{
		invitation: call, invite: inv, timing: a.agreed,
		forks: make(map[string]*fork), early: make(map[string]*earlyDialog),
	}
	return d.run(ctx)
}

// A dialing is a Dial at work and what comes after it.
type dialing struct {
	*invitation
	invite Invite
	timing timing
	forks  map[string]*fork // by To tag
	won    *fork            // the one that became the leg
	early  map[string]*earlyDialog
}

// run waits for the result and leaves the aftermath to a goroutine.
func (d *dialing) run(ctx context.Context) (*Leg, error) {
	res, err := d.await(ctx, patience{d.invite.FirstResponse, d.invite.Answer}, d.progress)
	switch {
	case err != nil:
		d.settle()
		d.dropEarly(nil, err)
		d.spawnLinger(true)
		return nil, err
	case !res.IsSuccess():
		d.settle()
		err = statusError(res)
		d.dropEarly(nil, err)
		d.refused() // its ACK comes before another INVITE of the call
		d.e.registry.removeInbox(d.branch)
		return nil, err
	}
	return d.answered(ctx, res)
}

// progress passes on a provisional response; a panic in there is survived.
func (d *dialing) progress(res *siplib.Response) {
	if !d.received(res) {
		return
	}
	d.heardFrom(res)
	if d.invite.Progress == nil {
		return
	}
	defer d.e.guard("reporting progress", nil)
	d.invite.Progress(res.StatusCode, sdpOf(res))
}

// heardFrom tells where a response came from.
func (d *dialing) heardFrom(res *siplib.Response) {
	source, err := netip.ParseAddrPort(res.Source())
	if err != nil || d.invite.Extensions.Heard == nil {
		return
	}
	defer d.e.guard("reporting a source", nil)
	d.invite.Extensions.Heard(source.Addr().Unmap())
}

// answered makes the leg of the first 2xx.
func (d *dialing) answered(ctx context.Context, res *siplib.Response) (*Leg, error) {
	d.heardFrom(res)
	leg := d.legOf(res)
	d.settle()
	d.won = &fork{dialog: leg.dialog}
	d.forks[leg.dialog.id.remote] = d.won
	err := d.won.acknowledge()
	if err != nil {
		leg.hangUp("", err)
	}
	d.dropEarly(leg, ErrEnded)
	d.spawnLinger(false)
	select {
	case <-d.e.draining:
		// The drain may have looked for legs just before there was this one.
		leg.hangUp("", ErrNotServing)
		return nil, ErrNotServing
	case <-ctx.Done():
		// The answer and the end of ctx crossed: nobody will want the leg.
		leg.hangUp("", context.Cause(ctx))
		return nil, context.Cause(ctx)
	default:
	}
	if err != nil {
		return nil, fmt.Errorf("acknowledging an answer: %w", err)
	}
	if leg.timer().on() {
		leg.setTiming(leg.timer().agreed(res, d.timing))
	}
	return leg, nil
}

func (d *dialing) spawnLinger(abandoned bool) {
	run := func() { d.linger(abandoned, d.onAnswer) }
	ok := false
	if abandoned && d.heard {
		ok = d.e.spawn(run, &d.e.sends)
	} else {
		ok = d.e.spawn(run)
	}
	if !ok {
		d.e.registry.removeInbox(d.branch)
		d.tx.Terminate()
	}
}
