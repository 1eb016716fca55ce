package sip

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
)

// nilSession stands for a session identifier that is not known yet (RFC 7989
// section 5).
const nilSession = "00000000000000000000000000000000"

var errSessionID = errors.New("sip: a session identifier is 32 lower-case hexadecimal digits and not all zero")

// NewSessionID returns our half of a Session-ID: a random UUID as 32
// hexadecimal digits (RFC 7989 section 4.1).
func NewSessionID() string {
	var b [16]byte
	rand.Read(b[:])         // never fails, crypto/rand
	b[6] = b[6]&0x0f | 0x40 // version 4
	b[8] = b[8]&0x3f | 0x80 // variant 1, RFC 4122 section 4.4
	return hex.EncodeToString(b[:])
}

// SessionID is a Session-ID header as the far end sent it (RFC 7989).
type SessionID struct {
	Local  string // the far end's half, 32 hexadecimal digits; "" if there is none
	Remote string // ours as the far end knows it; "" if it does not
}

// sessionID reads a Session-ID header. The older form of RFC 7329 has one half
// only.
func sessionID(value string) SessionID {
	fields := splitParams(value)
	id := SessionID{Local: sessionHalf(fields[0])}
	for _, f := range fields[1:] {
		if name, v, _ := strings.Cut(f, "="); strings.EqualFold(strings.TrimSpace(name), "remote") {
			id.Remote = sessionHalf(v)
		}
	}
	return id
}

func sessionHalf(s string) string {
	if s = strings.ToLower(strings.TrimSpace(s)); isSessionUUID(s) {
		return s
	}
	return ""
}

func isSessionUUID(s string) bool {
	if len(s) != 32 || s == nilSession {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// remoteSession is the far end's half in a message of its.
func remoteSession(msg messageHeaders) string { return sessionID(headerValue(msg, "Session-ID")).Local }

// sessionHeader writes a Session-ID, "" if we have no half of our own.
func sessionHeader(ours, theirs string) string {
	if ours == "" {
		return ""
	}
	if theirs == "" {
		theirs = nilSession
	}
	return ours + ";remote=" + theirs
}

// A sessionPair is both halves of a dialog's Session-ID.
type sessionPair struct{ ours, theirs string }

// sessionID is the Session-ID header of the dialog, "" for none.
func (d *dialog) sessionID() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return sessionHeader(d.session.ours, d.session.theirs)
}

// heard takes the far end's half from a message, which may change it when the
// far end transfers the call (RFC 7989 section 6), and returns our header.
func (d *dialog) heard(msg messageHeaders) string {
	if theirs := remoteSession(msg); theirs != "" {
		d.mu.Lock()
		d.session.theirs = theirs
		d.mu.Unlock()
	}
	return d.sessionID()
}

// SessionID is the far end's half of the Session-ID as it said last, "" if it
// sent none.
func (l *Leg) SessionID() string {
	l.dialog.mu.Lock()
	defer l.dialog.mu.Unlock()
	return l.dialog.session.theirs
}

// SetSessionID changes our half in whatever the dialog sends from now on: whom
// the far end talks to has changed, or is only known now (RFC 7989 section 7).
func (l *Leg) SetSessionID(ours string) error {
	if !isSessionUUID(ours) {
		return errSessionID
	}
	l.dialog.mu.Lock()
	defer l.dialog.mu.Unlock()
	l.dialog.session.ours = ours
	return nil
}
