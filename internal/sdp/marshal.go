package sdp

import (
	"net/netip"
	"strconv"
	"strings"
)

// Marshal writes s with CRLF line ends. Control characters in any field are
// left out, and blanks where a single word is due, so no value can become a
// line or a field of its own.
func (s *Session) Marshal() []byte {
	w := writer{buf: make([]byte, 0, 512)}
	w.line("v=0")
	w.line("o=", orDash(word(s.User)), " ", strconv.FormatUint(s.ID, 10), " ",
		strconv.FormatUint(s.Version, 10), " ", connection(s.originAddr()))
	w.line("s=", orDash(clean(s.Name)))
	if s.Addr.IsValid() {
		w.line("c=", connection(s.Addr))
	}
	w.line("t=0 0")
	w.attributes(s.Attributes)
	for i := range s.Media {
		w.media(&s.Media[i], s.Addr)
	}
	return w.buf
}

// originAddr is the address for o=, which has to be there: the session's, else
// the first one of a media.
func (s *Session) originAddr() netip.Addr {
	if s.Addr.IsValid() {
		return s.Addr
	}
	for i := range s.Media {
		if s.Media[i].Addr.IsValid() {
			return s.Media[i].Addr
		}
	}
	return netip.IPv4Unspecified()
}

type writer struct{ buf []byte }

func (w *writer) line(parts ...string) {
	for _, p := range parts {
		w.buf = append(w.buf, p...)
	}
	w.buf = append(w.buf, '\r', '\n')
}

func (w *writer) media(m *Media, session netip.Addr) {
	w.line("m=", word(m.Kind), " ", strconv.Itoa(m.Port), " ", word(m.Proto), formats(m))
	switch {
	case m.Addr.IsValid() && m.Addr != session:
		w.line("c=", connection(m.Addr))
	case !m.Addr.IsValid() && session.IsValid():
		// Without a line of its own the media would take the session's address.
		w.line("c=IN IP4 unknown.invalid")
	}
	for _, c := range m.Codecs {
		w.codec(c)
	}
	if m.Ptime > 0 {
		w.line("a=ptime:", strconv.Itoa(m.Ptime))
	}
	if m.RTCPPort > 0 && m.RTCPAddr.IsValid() {
		w.line("a=rtcp:", strconv.Itoa(m.RTCPPort), " ", connection(m.RTCPAddr))
	} else if m.RTCPPort > 0 {
		w.line("a=rtcp:", strconv.Itoa(m.RTCPPort))
	}
	if m.RTCPMux {
		w.line("a=rtcp-mux")
	}
	for _, c := range m.Crypto {
		w.line("a=crypto:", c.text())
	}
	if m.Port != 0 || m.Direction != SendRecv {
		w.line("a=", m.Direction.String())
	}
	w.attributes(m.Attributes)
}

func (w *writer) codec(c Codec) {
	pt := strconv.Itoa(int(c.PT))
	channels := ""
	if c.Channels > 1 {
		channels = "/" + strconv.Itoa(c.Channels)
	}
	w.line("a=rtpmap:", pt, " ", word(wireName(c.Name)), "/", strconv.Itoa(c.Rate), channels)
	if c.Fmtp != "" {
		w.line("a=fmtp:", pt, " ", clean(c.Fmtp))
	}
}

func (w *writer) attributes(list []Attribute) {
	for _, a := range list {
		if a.Value == "" {
			w.line("a=", clean(a.Key))
		} else {
			w.line("a=", clean(a.Key), ":", clean(a.Value))
		}
	}
}

// formats is the tail of an m= line, a blank before each format.
func formats(m *Media) string {
	var b strings.Builder
	for _, f := range m.Formats {
		b.WriteString(" " + word(f))
	}
	if len(m.Formats) == 0 {
		for _, c := range m.Codecs {
			b.WriteString(" " + strconv.Itoa(int(c.PT)))
		}
	}
	return b.String()
}

func connection(a netip.Addr) string {
	if a.Is4() {
		return "IN IP4 " + a.String()
	}
	return "IN IP6 " + a.String()
}

func clean(s string) string {
	return trim(drop(s, isControl))
}

func word(s string) string {
	return drop(s, func(r rune) bool { return isControl(r) || isBlank(r) })
}

// drop leaves out the runes that bad names; s is returned as it is, byte for
// byte, when there are none.
func drop(s string, bad func(rune) bool) string {
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if bad(r) {
			return -1
		}
		return r
	}, s)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
