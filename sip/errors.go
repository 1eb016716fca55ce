package sip

import (
	"errors"
	"fmt"
	"net"
	"time"
)

var (
	// ErrCancelled is the cause of Incoming.Context after the caller's CANCEL,
	// or after its BYE to the early dialog.
	ErrCancelled = errors.New("sip: the caller cancelled the call")
	// ErrNoACK ends a leg whose 2xx was repeated for 64*T1 without an ACK
	// (RFC 3261 section 13.3.1.4). A BYE has been sent.
	ErrNoACK = errors.New("sip: no ACK for our answer")
	// ErrSilent says that a target gave no sign of life at all.
	ErrSilent = errors.New("sip: the target does not respond")
	// ErrNoAnswer says that a target rang but did not answer in time. It has
	// been sent a CANCEL.
	ErrNoAnswer = errors.New("sip: the target did not answer in time")
	// ErrUnreachable says that a message could not be sent, or that the
	// connection it depends on broke.
	ErrUnreachable = errors.New("sip: unreachable")
	// ErrEnded is the cause of Leg.Context after our own Bye.
	ErrEnded = errors.New("sip: the dialog was ended by us")
	// ErrNotServing is returned while Serve is not running.
	ErrNotServing = errors.New("sip: the endpoint is not serving")
	// ErrAnswered is returned for a second final response to one INVITE.
	ErrAnswered = errors.New("sip: the INVITE has its final response already")
)

// StatusError is a final response other than 2xx to a request of ours.
type StatusError struct {
	Code       int           // 300..699
	Reason     string        // the far end's phrase, without control characters; not for logs
	RetryAfter time.Duration // from Retry-After (RFC 3261 section 20.33), 0 if none
	// Contacts are the URIs of a redirection, the most wanted first (RFC 3261
	// section 20.10), 16 at most. Nothing here follows them. Not for logs.
	Contacts []string

	minSE   int      // of a 422
	demands []demand // the challenges of a 401 or 407
}

// Error leaves the far end's phrase out: it may quote a number.
func (e *StatusError) Error() string {
	return fmt.Sprintf("sip: the request was answered with status %d", e.Code)
}

// ByeError is the cause of Leg.Context after the far end's BYE.
type ByeError struct {
	// Reason is the text of the BYE's Reason header (RFC 3326), or its
	// protocol and cause when it has no text, or "". Not for logs.
	Reason string
	// Header is the BYE's first Reason header as it came, at most 512 bytes,
	// without control characters: it can be passed on by Leg.ByeFor. Not for
	// logs.
	Header string
}

// Error leaves the far end's text out: it may quote a number.
func (e *ByeError) Error() string { return "sip: the far end ended the dialog" }

// unreachable turns an error of the transport into ErrUnreachable. Of the
// original only the system's own words are kept: sipgo's errors quote the
// request line, which holds a number.
func unreachable(err error) error {
	if why := certificateProblem(err); why != "" {
		return fmt.Errorf("%w: TLS: %s", ErrUnreachable, why)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return fmt.Errorf("%w: %s: %s", ErrUnreachable, op.Op, op.Err)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return fmt.Errorf("%w: name lookup failed", ErrUnreachable)
	}
	return ErrUnreachable
}
