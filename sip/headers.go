package sip

import (
	"fmt"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// allowed is the Allow header: the methods this endpoint takes.
const allowed = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK"

// allowedBy is the Allow header within a dialog.
func allowedBy(d InDialog) string {
	if d.Refer == nil {
		return allowed
	}
	return allowed + ", REFER"
}

// accepted is the Accept header: the bodies an INVITE may carry.
const accepted = "application/sdp, multipart/mixed"

// longForm returns the lower-case long form of a header name. sipgo knows
// seven of the registered compact forms (trap 20); this is the IANA table.
func longForm(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if len(name) != 1 {
		return name
	}
	switch name[0] {
	case 'a':
		return "accept-contact"
	case 'b':
		return "referred-by"
	case 'c':
		return "content-type"
	case 'd':
		return "request-disposition"
	case 'e':
		return "content-encoding"
	case 'f':
		return "from"
	case 'i':
		return "call-id"
	case 'j':
		return "reject-contact"
	case 'k':
		return "supported"
	case 'l':
		return "content-length"
	case 'm':
		return "contact"
	case 'n':
		return "identity-info"
	case 'o':
		return "event"
	case 'r':
		return "refer-to"
	case 's':
		return "subject"
	case 't':
		return "to"
	case 'u':
		return "allow-events"
	case 'v':
		return "via"
	case 'x':
		return "session-expires"
	case 'y':
		return "identity"
	}
	return name
}

// headerValues returns the values of every header of that name, in order, one
// for each header line; lists are not split.
func headerValues(msg messageHeaders, name string) []string {
	var values []string
	name = longForm(name)
	for _, h := range msg.Headers() {
		if longForm(h.Name()) == name {
			values = append(values, strings.TrimSpace(h.Value()))
		}
	}
	return values
}

// headerValue returns the first of headerValues, or "".
func headerValue(msg messageHeaders, name string) string {
	if v := headerValues(msg, name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// messageHeaders is what requests and responses of sipgo have in common here.
type messageHeaders interface{ Headers() []siplib.Header }

// optionTags splits the values of Require and its like into option tags.
func optionTags(msg messageHeaders, name string) []string {
	var tags []string
	for _, v := range headerValues(msg, name) {
		for tag := range strings.SplitSeq(v, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				tags = append(tags, tag)
			}
		}
	}
	return tags
}

// param returns a parameter of a header. Names are case-insensitive
// (RFC 3261 section 7.3.1), in sipgo they are not.
func param(params siplib.HeaderParams, name string) string {
	for _, kv := range params {
		if strings.EqualFold(strings.TrimSpace(kv.K), name) {
			return kv.V
		}
	}
	return ""
}

// hasControl says whether s holds a control character: CR, LF, NUL and their
// like. A tab is one too; sipgo unfolds lines, so no header needs it.
func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// hasControlButTab is hasControl for headers as they come in, where a tab is
// white space.
func hasControlButTab(s string) bool {
	return hasControl(strings.ReplaceAll(s, "\t", ""))
}

// cleaned replaces control characters by spaces, for text of the far end that
// is kept.
func cleaned(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// checkValue refuses a value that would break out of its header: sipgo writes
// values as they are (traps 14, D3, D5). The error does not quote it.
func checkValue(name, value string) error {
	if hasControl(value) {
		return fmt.Errorf("sip: header %q: the value holds a control character", name)
	}
	return nil
}

// checkHeaders refuses extra headers that are malformed or that the dialog
// layer writes itself.
func checkHeaders(headers []Header) error {
	for _, h := range headers {
		if !isToken(h.Name) {
			return fmt.Errorf("sip: header %q: not a header name", cleaned(h.Name))
		}
		switch longForm(h.Name) {
		case "via", "from", "to", "call-id", "cseq", "contact", "max-forwards", "route",
			"record-route", "content-length", "content-type":
			return fmt.Errorf("sip: header %q: written by the dialog, not to be added", h.Name)
		}
		if err := checkValue(h.Name, h.Value); err != nil {
			return err
		}
	}
	return nil
}

// isToken says whether s is a token (RFC 3261 section 25.1).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && strings.IndexByte("-.!%*_+`'~", c) < 0 {
			return false
		}
	}
	return s != ""
}
