package siprecxml

import (
	"fmt"
	"net/url"
	"strconv"
)

// kind is what a value must be.
type kind uint8

const (
	text kind = iota
	identifier
	moment // RFC 3339, in UTC
	uri
	mode
	number
	sessionID
)

// wants says what a value of the kind looks like.
func (k kind) wants() string {
	switch k {
	case identifier:
		return "the base64 of the 16 bytes of a UUID"
	case moment:
		return "a time in UTC such as 2026-11-23T09:14:03Z"
	case uri:
		return "a URI"
	case mode:
		return "complete or partial"
	case number:
		return "a number from -32768 to 32767"
	case sessionID:
		return "both halves of a Session-ID (RFC 7989), such as ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2"
	}
	return "a text"
}

func (k kind) accepts(s string) bool {
	switch k {
	case identifier:
		return isID(s)
	case moment:
		return isStamp(s)
	case uri:
		u, err := url.Parse(s)
		return err == nil && u.Scheme != ""
	case mode:
		return s == Complete || s == Partial
	case number:
		_, err := strconv.ParseInt(s, 10, 16)
		return err == nil
	case sessionID:
		return isSessionID(s)
	}
	return true
}

// shape is what the schema says of an element (RFC 7865 section 10.2, and its
// text where that asks for more than its schema does).
type shape struct {
	value kind
	holds []part // in this order; nil: only text
	attrs []attribute
	open  bool // elements of other namespaces may follow
}

type part struct {
	name  string
	least int
	many  bool
	shape shape
}

type attribute struct {
	name     string
	kind     kind
	required bool
}

func one(name string, k kind) part { return part{name: name, shape: shape{value: k}} }

func several(name string, s shape) part { return part{name: name, many: true, shape: s} }

func required(name string) attribute { return attribute{name, identifier, true} }

func times() []part { return []part{one("associate-time", moment), one("disassociate-time", moment)} }

func associated(before []part, after []part, attrs ...attribute) shape {
	return shape{holds: append(append(before, times()...), after...), attrs: attrs, open: true}
}

func recordingShape() shape {
	reference := shape{value: identifier}
	reason := shape{value: text, attrs: []attribute{{"cause", number, true}, {"protocol", text, false}}}
	name := shape{holds: []part{one("name", text)}, attrs: []attribute{{"aor", uri, true}}}
	param := shape{holds: []part{}, attrs: []attribute{{"pname", text, true}, {"pval", text, true}}}
	named := several("nameID", name)
	named.least = 1
	return shape{open: true, holds: []part{
		one("datamode", mode),
		several("group", associated(nil, nil, required("group_id"))),
		several("session", shape{open: true, attrs: []attribute{required("session_id")}, holds: []part{
			several("sipSessionID", shape{value: sessionID}), several("reason", reason), one("group-ref", identifier),
			one("start-time", moment), one("stop-time", moment)}}),
		several("participant", shape{open: true, attrs: []attribute{required("participant_id")}, holds: []part{named}}),
		several("stream", shape{open: true, holds: []part{one("label", text)},
			attrs: []attribute{required("stream_id"), {"session_id", identifier, false}}}),
		several("sessionrecordingassoc", associated(nil, nil, required("session_id"))),
		several("participantsessionassoc", associated(nil, []part{several("param", param)},
			required("participant_id"), required("session_id"))),
		several("participantstreamassoc", associated([]part{several("send", reference), several("recv", reference)}, nil,
			required("participant_id"))),
	}}
}

// check holds e against s and reports everything that is wrong.
func (s shape) check(e *element, report func(line int, format string, args ...any)) {
	s.checkAttributes(e, report)
	if s.holds == nil {
		if len(e.children) > 0 {
			report(e.children[0].line, "%s holds an element, and may hold only text", e.name.Local)
		} else if !s.value.accepts(e.text) {
			report(e.line, "%s must be %s", e.name.Local, s.value.wants())
		}
		return
	}
	if e.text != "" {
		report(e.line, "%s holds text, and may hold only elements", e.name.Local)
	}
	s.checkOrder(e, report)
}

func (s shape) checkAttributes(e *element, report func(int, string, ...any)) {
	known := map[string]bool{}
	for _, a := range s.attrs {
		known[a.name] = true
		switch v := e.attr(a.name); {
		case v == "" && a.required:
			report(e.line, "%s has no %s", e.name.Local, a.name)
		case v != "" && !a.kind.accepts(v):
			report(e.line, "%s of %s must be %s", a.name, e.name.Local, a.kind.wants())
		}
	}
	for _, a := range e.attrs {
		if a.Name.Space == "" && a.Name.Local != "xmlns" && !known[a.Name.Local] {
			report(e.line, "%s has an attribute that the schema does not know", e.name.Local)
		}
	}
}

// checkOrder walks the children and the schema side by side: the schema is a
// sequence, so order matters.
func (s shape) checkOrder(e *element, report func(int, string, ...any)) {
	at, count := 0, 0
	enough := func(line int) {
		if at < len(s.holds) && count < s.holds[at].least {
			report(line, "%s needs a %s", e.name.Local, s.holds[at].name)
		}
	}
	foreign := false
	for _, c := range e.children {
		if c.name.Space != Namespace {
			foreign = true
			if !s.open || c.name.Space == "" {
				report(c.line, "%s may not hold an element of another namespace", e.name.Local)
			}
			continue
		}
		next := s.place(c.name.Local)
		switch {
		case next < 0:
			report(c.line, "%s may not hold %s", e.name.Local, quoted(c.name.Local))
			continue
		case foreign || next < at:
			report(c.line, "%s stands too late in %s: the order of the schema counts", c.name.Local, e.name.Local)
			continue
		case next > at:
			for ; at < next; at, count = at+1, 0 {
				enough(c.line)
			}
		}
		count++
		if count > 1 && !s.holds[at].many {
			report(c.line, "%s stands twice in %s", c.name.Local, e.name.Local)
		}
		s.holds[at].shape.check(c, report)
	}
	for ; at < len(s.holds); at, count = at+1, 0 {
		enough(e.line)
	}
}

func (s shape) place(name string) int {
	for i, p := range s.holds {
		if p.name == name {
			return i
		}
	}
	return -1
}

// quoted cuts what a stranger wrote to a length that fits a line.
func quoted(s string) string {
	if len(s) > 40 {
		s = s[:40]
	}
	return fmt.Sprintf("%q", s)
}
