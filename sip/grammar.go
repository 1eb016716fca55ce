package sip

import "strings"

// splitList splits a header value at the commas that are outside quotes and
// angle brackets (RFC 3261 section 7.3.1).
func splitList(value string) []string {
	var items []string
	for more := true; more; {
		var item string
		item, value, more = cutElement(value)
		items = append(items, strings.TrimSpace(item))
	}
	return items
}

// cutElement cuts a header value at the first such comma.
func cutElement(value string) (first, rest string, more bool) {
	quoted, bracketed := false, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && !bracketed:
			quoted = !quoted
		case quoted:
		case c == '<':
			bracketed = true
		case c == '>':
			bracketed = false
		case c == ',' && !bracketed:
			return value[:i], value[i+1:], true
		}
	}
	return value, "", false
}

// splitParams splits at the semicolons outside quotes. It returns one field at
// least.
func splitParams(s string) []string { return splitOutsideQuotes(s, ';') }

// splitOutsideQuotes splits at the separators that are not in a quoted string
// (RFC 3261 section 25.1). It returns one field at least.
func splitOutsideQuotes(s string, separator byte) []string {
	var fields []string
	quoted := false
	start := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == separator && !quoted:
			fields = append(fields, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	return append(fields, strings.TrimSpace(s[start:]))
}

// unquoted resolves a quoted string; other text stays as it is.
func unquoted(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// addrSpec returns the URI of a name-addr or addr-spec (RFC 3261 section
// 20.10): what stands in angle brackets after the display name, or else the
// text up to the first parameter.
func addrSpec(s string) string {
	if rest, ok := bracketed(s); ok {
		uri, _, _ := strings.Cut(rest, ">")
		return strings.TrimSpace(uri)
	}
	uri, _, _ := strings.Cut(s, ";")
	return strings.TrimSpace(uri)
}

// afterAddr returns what follows the closing bracket of a name-addr; an
// addr-spec stays as it is: its parameters are the header's.
func afterAddr(s string) string {
	if rest, ok := bracketed(s); ok {
		_, after, _ := strings.Cut(rest, ">")
		return after
	}
	return s
}

// bracketed returns what follows the bracket that opens the URI of a name-addr,
// which no bracket within a quoted display name is.
func bracketed(s string) (rest string, ok bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '<' && !quoted:
			return s[i+1:], true
		}
	}
	return "", false
}
