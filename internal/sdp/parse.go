package sdp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what Parse reads. A description of a large video conference has
// some 20 media lines and 300 lines in all.
const (
	maxBytes   = 64 << 10
	maxLines   = 2000
	maxMedia   = 32
	maxFormats = 128
)

// SyntaxError says where a description cannot be read, and why. It never
// contains anything the description said.
type SyntaxError struct {
	Line   int // from 1
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("sdp: line %d: %s", e.Line, e.Reason)
}

// Parse reads a session description of at most 64 KB. It forgives missing,
// misplaced, repeated and unknown lines, bare LF, trailing blanks and a
// missing last line end. Formats it cannot read are left out of Media.Codecs.
// It refuses, with a *SyntaxError: too much of anything, control characters, an
// m= line without kind, port and transport, a port outside 0..65535, and a text
// with neither a v= nor an m= line.
func Parse(b []byte) (*Session, error) {
	if len(b) > maxBytes {
		return nil, &SyntaxError{Line: 1, Reason: fmt.Sprintf("longer than %d bytes", maxBytes)}
	}
	// A terminating NUL counted into Content-Length is a known habit; a NUL
	// anywhere else is an error below.
	rest := strings.TrimRight(string(b), "\x00 \t\r\n")
	p := parser{session: &Session{}}
	for n := 1; rest != ""; n++ {
		var text string
		text, rest, _ = strings.Cut(rest, "\n")
		reason := "more than " + strconv.Itoa(maxLines) + " lines"
		if n <= maxLines {
			reason = p.line(strings.Trim(text, " \t\r"))
		}
		if reason != "" {
			return nil, &SyntaxError{Line: n, Reason: reason}
		}
	}
	p.endMedia()
	if !p.started {
		return nil, &SyntaxError{Line: 1, Reason: "no session description: neither a v= nor an m= line"}
	}
	return p.session, nil
}

// parser is the state of one Parse.
type parser struct {
	session   *Session
	started   bool      // a v= or m= line was seen
	direction Direction // of the session level, the default of every media

	// Of the media being read, nil before the first m= line.
	media  *Media
	rtpmap map[uint8]Codec
	fmtp   map[uint8]string
}

// line reads one line without its end and outer blanks. It returns what is
// wrong with it, or "".
func (p *parser) line(text string) string {
	if strings.IndexFunc(text, isControl) >= 0 {
		return "a control character"
	}
	if len(text) < 2 || text[1] != '=' {
		return ""
	}
	value := trim(text[2:])
	switch text[0] {
	case 'v':
		p.started = true
	case 'o':
		p.origin(fields(value))
	case 's':
		if p.media == nil && value != "-" {
			p.session.Name = value
		}
	case 'c':
		if p.media != nil {
			p.media.Addr = address(fields(value))
		} else {
			p.session.Addr = address(fields(value))
		}
	case 'm':
		p.started = true
		return p.startMedia(fields(value))
	case 'a':
		key, value, _ := strings.Cut(value, ":")
		p.attribute(Attribute{Key: trim(key), Value: trim(value)})
	}
	return ""
}

// origin reads o=. A user name with blanks pushes the numbers to the right, so
// they are counted from the end.
func (p *parser) origin(f []string) {
	if p.media != nil || len(f) == 0 {
		return
	}
	if f[0] != "-" {
		p.session.User = f[0]
	}
	first := max(1, len(f)-5)
	if len(f) > first+1 {
		p.session.ID, _ = strconv.ParseUint(f[first], 10, 64)
		p.session.Version, _ = strconv.ParseUint(f[first+1], 10, 64)
	}
}

func (p *parser) startMedia(f []string) string {
	p.endMedia()
	switch {
	case len(p.session.Media) == maxMedia:
		return fmt.Sprintf("more than %d m= lines", maxMedia)
	case len(f) < 3:
		return "an m= line needs a kind of media, a port and a transport"
	case len(f)-3 > maxFormats:
		return fmt.Sprintf("more than %d formats", maxFormats)
	}
	port, _, _ := strings.Cut(f[1], "/") // "port/count", RFC 8866 5.14
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "the media port is not a number in 0..65535"
	}
	p.session.Media = append(p.session.Media, Media{
		Kind:      strings.ToLower(f[0]),
		Port:      int(number),
		Proto:     f[2],
		Addr:      p.session.Addr,
		Direction: p.direction,
	})
	p.media = &p.session.Media[len(p.session.Media)-1]
	if len(f) > 3 {
		p.media.Formats = f[3:]
	}
	p.rtpmap, p.fmtp = map[uint8]Codec{}, map[uint8]string{}
	return ""
}

func (p *parser) attribute(a Attribute) {
	if a.Key == "" {
		return
	}
	if d, ok := parseDirection(a); ok {
		if p.media != nil {
			p.media.Direction = d
		} else {
			p.direction = d
		}
		return
	}
	switch {
	case p.media == nil:
		p.session.Attributes = append(p.session.Attributes, a)
	case !p.mediaAttribute(strings.ToLower(a.Key), a.Value):
		p.media.Attributes = append(p.media.Attributes, a)
	}
}

// mediaAttribute takes an attribute that has a field of its own, and reports
// whether it did. A first rtpmap or fmtp of a payload type stands.
func (p *parser) mediaAttribute(key, value string) bool {
	switch key {
	case "ptime":
		p.media.Ptime = milliseconds(value)
	case "rtcp-mux":
		p.media.RTCPMux = true
	case "rtcp":
		p.rtcp(fields(value))
	case "crypto":
		return p.crypto(value)
	case "rtpmap", "fmtp":
		if !p.media.isRTP() {
			return false
		}
		format, rest, _ := strings.Cut(strings.ReplaceAll(value, "\t", " "), " ")
		pt, ok := payloadType(format)
		if !ok {
			return true
		}
		if key == "fmtp" {
			if _, again := p.fmtp[pt]; !again {
				p.fmtp[pt] = trim(rest)
			}
		} else if _, again := p.rtpmap[pt]; !again {
			if c, ok := parseCodec(pt, rest); ok {
				p.rtpmap[pt] = c
			}
		}
	default:
		return false
	}
	return true
}

// crypto takes a key for SRTP that can be used, the first of its tag.
func (p *parser) crypto(value string) bool {
	c, ok := parseCrypto(value)
	same := func(o Crypto) bool { return o.Tag == c.Tag }
	if !ok || !p.media.isRTP() || slices.ContainsFunc(p.media.Crypto, same) {
		return false
	}
	p.media.Crypto = append(p.media.Crypto, c)
	return true
}

// rtcp reads a=rtcp: a port, and perhaps an address (RFC 3605 2.1).
func (p *parser) rtcp(f []string) {
	if len(f) == 0 {
		return
	}
	port, err := strconv.ParseUint(f[0], 10, 16)
	if err != nil || port == 0 {
		return
	}
	p.media.RTCPPort, p.media.RTCPAddr = int(port), netip.Addr{}
	if len(f) > 1 {
		p.media.RTCPAddr = address(f[1:])
	}
}

// endMedia turns the formats of the media read so far into codecs.
func (p *parser) endMedia() {
	if p.media == nil || !p.media.isRTP() {
		return
	}
	var done [128]bool
	for _, format := range p.media.Formats {
		pt, ok := payloadType(format)
		if !ok || done[pt] {
			continue
		}
		done[pt] = true
		c, ok := p.rtpmap[pt]
		if !ok && p.media.Kind == "audio" {
			c, ok = staticCodec(pt)
		}
		if ok {
			c.Fmtp = p.fmtp[pt]
			p.media.Codecs = append(p.media.Codecs, c)
		}
	}
}
