package sip

import (
	"errors"
	"strings"
)

// Replaces names a dialog (RFC 3891 section 6.1), by the tags as the side sees
// them that is to give it up: ToTag is its own, FromTag that of its far end.
type Replaces struct {
	CallID, ToTag, FromTag string
	EarlyOnly              bool // only if it is not answered yet
}

// maxReplaces is the longest Replaces that is read.
const maxReplaces = 512

// parseReplaces reads a Replaces value. It must have one of each tag (RFC 3891
// section 3).
func parseReplaces(value string) (*Replaces, bool) {
	fields := splitParams(value)
	re := &Replaces{CallID: fields[0]}
	if len(value) > maxReplaces || hasControlButTab(value) || re.CallID == "" || !isCallID(re.CallID) {
		return nil, false
	}
	for _, f := range fields[1:] {
		name, v, _ := strings.Cut(f, "=")
		v = strings.TrimSpace(v)
		var tag *string
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "to-tag":
			tag = &re.ToTag
		case "from-tag":
			tag = &re.FromTag
		case "early-only":
			re.EarlyOnly = true
			continue
		default:
			continue
		}
		if *tag != "" || !isToken(v) {
			return nil, false
		}
		*tag = v
	}
	return re, re.ToTag != "" && re.FromTag != ""
}

// Replaces is the dialog that the INVITE is to take the place of (RFC 3891),
// nil if there is none. The error says that the header is malformed, to be
// answered 400. Endpoint.Leg finds the leg:
//
//	leg := e.Leg(re.CallID, re.ToTag, re.FromTag)
func (in *Incoming) Replaces() (*Replaces, error) {
	values := headerValues(in.req, "Replaces")
	if len(values) == 0 {
		return nil, nil
	}
	if len(values) == 1 {
		if re, ok := parseReplaces(values[0]); ok {
			return re, nil
		}
	}
	return nil, errors.New("sip: malformed Replaces")
}

// Leg returns the leg of an answered dialog by its Call-ID, our tag and the far
// end's, nil if there is none.
func (e *Endpoint) Leg(callID, localTag, remoteTag string) *Leg {
	l := e.registry.leg(dialogID{callID, localTag, remoteTag})
	if l == nil || !l.up() {
		return nil
	}
	return l
}

// Tags returns our tag and the far end's, as in Endpoint.Leg.
func (l *Leg) Tags() (local, remote string) { return l.dialog.id.local, l.dialog.id.remote }

// String is the value of a Replaces header.
func (r *Replaces) String() string {
	s := r.CallID + ";to-tag=" + r.ToTag + ";from-tag=" + r.FromTag
	if r.EarlyOnly {
		s += ";early-only"
	}
	return s
}
