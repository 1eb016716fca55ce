package sdp

import (
	"net/netip"
	"strconv"
	"strings"
)

// isControl reports whether r may not stand in a line. Such a byte has no
// meaning in SDP and could become a line of its own further on.
func isControl(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f }

func isBlank(r rune) bool { return r == ' ' || r == '\t' }

func trim(s string) string { return strings.TrimFunc(s, isBlank) }

func fields(s string) []string { return strings.FieldsFunc(s, isBlank) }

// address reads the fields of c=, "IN IP4 192.0.2.1", where a multicast
// address has "/ttl" behind it. A host name or an address with a zone gives the
// invalid address: looking names up is not this package's work.
func address(f []string) netip.Addr {
	if len(f) == 0 {
		return netip.Addr{}
	}
	text, _, _ := strings.Cut(f[min(2, len(f)-1)], "/")
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}
	}
	return addr.Unmap()
}

// payloadType reads a format of an RTP media line.
func payloadType(s string) (uint8, bool) {
	n, err := strconv.ParseUint(s, 10, 7)
	return uint8(n), err == nil
}

// milliseconds reads a=ptime: 1..1000, a fraction is cut off, else 0.
func milliseconds(s string) int {
	whole, _, _ := strings.Cut(s, ".")
	n, err := strconv.ParseUint(whole, 10, 16)
	if err != nil || n > 1000 {
		return 0
	}
	return int(n)
}

func parseDirection(a Attribute) (Direction, bool) {
	if a.Value != "" {
		return 0, false
	}
	for d := SendRecv; d <= Inactive; d++ {
		if strings.EqualFold(a.Key, d.String()) {
			return d, true
		}
	}
	return 0, false
}

// parseCodec reads the encoding of a=rtpmap, "opus/48000/2". A missing rate is
// 8000 Hz (RFC 4733 7.1.1 and RFC 3551 agree for everything met in telephony).
func parseCodec(pt uint8, encoding string) (Codec, bool) {
	f := fields(encoding)
	if len(f) == 0 {
		return Codec{}, false
	}
	part := strings.Split(f[0], "/")
	c := Codec{PT: pt, Name: strings.ToUpper(part[0]), Rate: 8000, Channels: 1}
	if !isToken(part[0]) {
		return Codec{}, false
	}
	if len(part) > 1 && part[1] != "" {
		rate, err := strconv.ParseUint(part[1], 10, 20) // up to 1 MHz
		if err != nil || rate == 0 {
			return Codec{}, false
		}
		c.Rate = int(rate)
	}
	if len(part) > 2 && part[2] != "" {
		channels, err := strconv.ParseUint(part[2], 10, 8)
		if err != nil || channels == 0 {
			return Codec{}, false
		}
		c.Channels = int(channels)
	}
	return c, true
}

// isToken reports whether s is printable ASCII without blanks, and not empty.
func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
}

// staticCodec returns the audio codec that a payload type means by itself
// (RFC 3551 6, tables 4 and 5).
func staticCodec(pt uint8) (Codec, bool) {
	c := Codec{PT: pt, Rate: 8000, Channels: 1}
	switch pt {
	case 0:
		c.Name = "PCMU"
	case 3:
		c.Name = "GSM"
	case 4:
		c.Name = "G723"
	case 5:
		c.Name = "DVI4"
	case 6:
		c.Name, c.Rate = "DVI4", 16000
	case 7:
		c.Name = "LPC"
	case 8:
		c.Name = "PCMA"
	case 9:
		c.Name = "G722" // the clock says 8000, the audio is 16 kHz (RFC 3551 4.5.2)
	case 10:
		c.Name, c.Rate, c.Channels = "L16", 44100, 2
	case 11:
		c.Name, c.Rate = "L16", 44100
	case 12:
		c.Name = "QCELP"
	case 13:
		c.Name = "CN"
	case 14:
		c.Name, c.Rate = "MPA", 90000
	case 15:
		c.Name = "G728"
	case 16:
		c.Name, c.Rate = "DVI4", 11025
	case 17:
		c.Name, c.Rate = "DVI4", 22050
	case 18:
		c.Name = "G729"
	default:
		return Codec{}, false
	}
	return c, true
}

// wireName is the spelling on the wire. Names are compared without case by the
// RFCs, and with case by some equipment.
func wireName(name string) string {
	switch upper := strings.ToUpper(name); upper {
	case eventName, "OPUS", "SPEEX", "RED":
		return strings.ToLower(upper)
	case "ILBC":
		return "iLBC"
	default:
		return upper
	}
}
