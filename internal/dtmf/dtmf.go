// Package dtmf turns what arrives from a telephone keypad into key presses: RFC
// 4733 telephone-events and SIP INFO bodies, each press once. A press is legal
// evidence here, so it carries how it was seen. Everything is a pure function
// of its arguments and of what was pushed before; time is an argument.
package dtmf

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Key is a key of the keypad: '0'..'9', '*', '#', 'A'..'D'. Keys are personal
// data: a card number is made of them. A Key therefore shows itself to no
// printer, logger or encoder; Rune does.
type Key byte

const hidden = "•"

// keys are the DTMF keys in the order of their event codes (RFC 4733 3.2).
const keys = "0123456789*#ABCD"

// Events is how many event codes are keys: the first ones.
const Events = len(keys)

// Rune returns the key itself, for decisions and for the stored record.
func (k Key) Rune() rune { return rune(k) }

// String hides the key.
func (Key) String() string { return hidden }

// Format hides the key from every verb, %d and %#v included.
func (Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, hidden) }

// LogValue hides the key from logs.
func (Key) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the key from JSON and its like.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Method is how a press reached us.
type Method string

// The methods, as they stand in records.
const (
	RFC4733 Method = "rfc4733"
	Info    Method = "sip-info"
	Inband  Method = "inband"
)

// Press is one press of one key.
type Press struct {
	Key         Key
	Method      Method
	SSRC        uint32 // of the RTP stream; 0 for SIP INFO
	Timestamp   uint32 // RTP timestamp at which the press began; 0 for SIP INFO
	PayloadType uint8
	Duration    time.Duration // so far, or in all once Released; 0 if not known
	At          time.Time     // when its first packet was seen
	Released    bool          // the end was seen, or inferred from silence
}
