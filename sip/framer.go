package sip

import (
	"bytes"
	"strconv"
)

// maxHeaderLine is how much of one header line the framer looks at; a
// Content-Length is shorter.
const maxHeaderLine = 64

// A framer follows where SIP messages begin and end in a TCP stream
// (RFC 3261 section 18.3), only to know whether one is being sent at the
// moment. Parsing is sipgo's. Bytes that are no SIP leave it in the middle of
// a message, which is what a deadline is for. The zero value is ready.
type framer struct {
	blanks  int    // CRs and LFs seen since the last message or ping
	line    []byte // the current line, at most maxHeaderLine bytes of it
	lineLen int    // its true length
	inside  bool   // a start line has begun
	length  int    // Content-Length of the message whose header is being read
	body    int    // bytes of body still to come
}

// feed takes the next bytes. It reports whether a message was completed within
// them, and whether another has begun and is not complete.
func (f *framer) feed(p []byte) (completed, partial bool) {
	for len(p) > 0 {
		if f.body > 0 {
			n := min(f.body, len(p))
			f.body -= n
			p = p[n:]
			if f.body == 0 {
				f.inside, completed = false, true
			}
			continue
		}
		b := p[0]
		p = p[1:]
		if !f.inside && (b == '\r' || b == '\n') {
			continue // keep-alives between messages, RFC 5626 section 3.5.1
		}
		f.inside = true
		if b != '\n' {
			f.lineLen++
			if len(f.line) < maxHeaderLine {
				f.line = append(f.line, b)
			}
			continue
		}
		if f.endLine() {
			completed = true
		}
	}
	return completed, f.inside
}

// strip is feed, and moves what belongs to messages to the front of p: it
// returns how much that is. CRs and LFs between messages are to be ignored
// (RFC 3261 section 7.5), by us, because sipgo takes some of them for a message
// that cannot be parsed. Among them pings counts the double CRLFs (RFC 5626
// section 4.4.1).
func (f *framer) strip(p []byte) (kept, pings int, completed, partial bool) {
	for i := 0; i < len(p); {
		if !f.inside && (p[i] == '\r' || p[i] == '\n') {
			if p[i] == "\r\n\r\n"[f.blanks] {
				f.blanks++
			} else {
				f.blanks = 0
			}
			if f.blanks == len(ping) {
				f.blanks = 0
				pings++
			}
			i++
			continue
		}
		f.blanks = 0
		n := 1 // a byte of the header, or as much of the body as there is
		if f.body > 0 {
			n = min(f.body, len(p)-i)
		}
		done, _ := f.feed(p[i : i+n])
		completed = completed || done
		kept += copy(p[kept:], p[i:i+n])
		i += n
	}
	return kept, pings, completed, f.inside
}

// endLine takes a whole line of the header. It reports whether the message is
// complete with it.
func (f *framer) endLine() bool {
	empty := f.lineLen == 0 || f.lineLen == 1 && f.line[0] == '\r'
	line := f.line
	f.line, f.lineLen = f.line[:0], 0
	if !empty {
		if n, ok := contentLength(line); ok {
			f.length = n
		}
		return false
	}
	f.body, f.length = f.length, 0
	f.inside = f.body > 0
	return !f.inside
}

// contentLength reads a Content-Length header line, long or compact form.
func contentLength(line []byte) (int, bool) {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return 0, false
	}
	name = bytes.TrimSpace(name)
	if !bytes.EqualFold(name, []byte("Content-Length")) && !bytes.EqualFold(name, []byte("l")) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 31)
	return int(n), err == nil
}
