// Package sdp reads and writes session descriptions (RFC 8866) and runs the
// offer/answer model (RFC 3264) for the one thing the gateway connects: a
// RTP audio stream, in clear or by SRTP, with telephone-events beside it.
//
// The reader forgives what telephony equipment really sends and refuses only
// what has no safe reading. Everything here is a pure function of its
// arguments.
package sdp

import (
	"errors"
	"net/netip"
	"strings"
)

// ErrNoAudio says that a description has no audio line the gateway could
// serve: none at all, every one of them refused, or only encrypted ones where
// encryption is off or its keys are not in the description.
var ErrNoAudio = errors.New("sdp: no RTP audio stream (RTP/AVP, or RTP/SAVP where SRTP is on)")

// ErrNoCommonCodec says that both sides have audio but no codec in common, or
// that the far end refused the audio stream we offered.
var ErrNoCommonCodec = errors.New("sdp: no codec in common")

// ErrMismatch says that an answer does not fit the offer it answers: another
// number of media lines, or another kind of media in a place (RFC 3264 6).
var ErrMismatch = errors.New("sdp: the answer does not match the offer")

// Direction is who may send on a stream, seen from the author of the
// description (RFC 8866 6.7). The zero value is SendRecv, as in RFC 8866.
type Direction uint8

// The four directions of RFC 8866 6.7.
const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

// String returns the attribute name. A value that is no direction is inactive.
func (d Direction) String() string {
	switch d {
	case SendRecv:
		return "sendrecv"
	case SendOnly:
		return "sendonly"
	case RecvOnly:
		return "recvonly"
	}
	return "inactive"
}

// Reverse returns the same direction seen from the other end.
func (d Direction) Reverse() Direction {
	switch d {
	case SendOnly:
		return RecvOnly
	case RecvOnly:
		return SendOnly
	}
	return d
}

func (d Direction) sends() bool    { return d == SendRecv || d == SendOnly }
func (d Direction) receives() bool { return d == SendRecv || d == RecvOnly }

func directionOf(sends, receives bool) Direction {
	switch {
	case sends && receives:
		return SendRecv
	case sends:
		return SendOnly
	case receives:
		return RecvOnly
	}
	return Inactive
}

// Codec is one RTP payload format with the number it goes by.
type Codec struct {
	PT       uint8  // 0..127
	Name     string // upper case: "PCMU", "TELEPHONE-EVENT"
	Rate     int    // RTP clock rate, Hz
	Channels int    // 0 and 1 both mean one channel
	Fmtp     string // the value of a=fmtp without the payload type
}

// eventName is the encoding name of RFC 4733 7.1.1 in this package's spelling.
const eventName = "TELEPHONE-EVENT"

// defaultEvents is what we say we can take: the sixteen DTMF events and flash.
const defaultEvents = "0-16"

// PCMU is G.711 mu-law under its static payload type (RFC 3551 6).
func PCMU() Codec { return Codec{PT: 0, Name: "PCMU", Rate: 8000, Channels: 1} }

// PCMA is G.711 A-law under its static payload type (RFC 3551 6).
func PCMA() Codec { return Codec{PT: 8, Name: "PCMA", Rate: 8000, Channels: 1} }

// Event8000 is telephone-event at 8 kHz under the payload type most of the
// world gives it.
func Event8000() Codec {
	return Codec{PT: 101, Name: eventName, Rate: 8000, Channels: 1, Fmtp: defaultEvents}
}

// Same reports whether c and o are one format, whatever their payload types
// and parameters.
func (c Codec) Same(o Codec) bool {
	return c.Rate == o.Rate && max(c.Channels, 1) == max(o.Channels, 1) && strings.EqualFold(c.Name, o.Name)
}

// IsEvent reports whether c is telephone-event (RFC 4733), at any rate.
func (c Codec) IsEvent() bool { return strings.EqualFold(c.Name, eventName) }

// Attribute is an a= line that has no field of its own in Session or Media.
type Attribute struct{ Key, Value string }

// Media is one m= line with what belongs to it.
type Media struct {
	Kind      string     // "audio", "video", "image"; lower case
	Port      int        // 0..65535; 0 refuses or ends the stream (RFC 3264 6, 8.2)
	Proto     string     // as written: "RTP/AVP", "udptl"
	Formats   []string   // as written, in order
	Addr      netip.Addr // of the media's c=, else of the session's; invalid for a host name or none
	Direction Direction
	Ptime     int     // a=ptime, 1..1000 ms; 0 if unknown
	Codecs    []Codec // formats that are understood, in order; static types need no rtpmap
	RTCPPort  int     // a=rtcp (RFC 3605); 0 if not given
	RTCPAddr  netip.Addr
	RTCPMux   bool     // RFC 5761
	Crypto    []Crypto // keys for SRTP, in order; tags are unique
	// Attributes are the remaining a= lines in order.
	Attributes []Attribute
}

// Session is one session description.
type Session struct {
	User        string // of o=; empty for "-"
	ID, Version uint64 // of o=; 0 if missing or no number
	Addr        netip.Addr
	Name        string // empty for "-"
	Media       []Media
	Attributes  []Attribute // session-level a= lines, without the direction, which the media carry
}

// isRTP reports whether the formats of m are RTP payload types.
func (m *Media) isRTP() bool {
	return strings.Contains(strings.ToUpper(m.Proto), "RTP/")
}

// isPlainAudio reports whether m is audio over RTP/AVP. SAVP is not: answering
// it in clear would be a silent downgrade.
func (m *Media) isPlainAudio() bool {
	return m.Kind == "audio" && (strings.EqualFold(m.Proto, "RTP/AVP") || strings.EqualFold(m.Proto, "RTP/AVPF"))
}

// attribute returns the first value of key, which is in lower case.
func (m *Media) attribute(key string) string {
	for _, a := range m.Attributes {
		if strings.EqualFold(a.Key, key) {
			return a.Value
		}
	}
	return ""
}
