package sip

import (
	"maps"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// newParser is sipgo's parser, but white space around separators, which RFC 3261
// section 25.1 allows, is no part of what they separate: sipgo would take
// "; tag = x" for a parameter " tag ", and a request for one without a tag.
func newParser() *siplib.Parser {
	parsers := maps.Clone(siplib.HeadersParser(siplib.DefaultHeadersParser()))
	for _, name := range []string{"via", "v", "from", "f", "to", "t", "contact", "m", "route", "record-route"} {
		parsers[name] = tidied(parsers[name])
	}
	return siplib.NewParser(siplib.WithHeadersParsers(parsers))
}

// tidied parses a value without its superfluous white space. Where elements
// follow it goes in front, so that the comma stays where sipgo goes on.
func tidied(parse siplib.HeaderParser) siplib.HeaderParser {
	return func(name []byte, text string) (siplib.Header, error) {
		first, _, more := cutElement(text)
		tidy := withoutBlanks(first)
		if tidy == first {
			return parse(name, text)
		}
		if more {
			tidy = strings.Repeat(" ", len(first)-len(tidy)) + tidy
		}
		h, err := parse(name, tidy)
		switch {
		case err != nil:
			return parse(name, text)
		case more:
			return parse(name, tidy+text[len(first):])
		}
		return h, nil
	}
}

// withoutBlanks drops the white space around ";", "=" and "/" outside quotes and
// brackets, and leaves one blank of any other.
func withoutBlanks(s string) string {
	if !strings.ContainsAny(s, " \t") {
		return s
	}
	var b strings.Builder
	quoted, bracketed, blank := false, false, false
	var last byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		if quoted || bracketed {
			b.WriteByte(c)
			if quoted && c == '\\' && i+1 < len(s) {
				i++
				b.WriteByte(s[i])
			}
			quoted, bracketed = quoted && c != '"', bracketed && c != '>'
			last = c
			continue
		}
		if c == ' ' || c == '\t' {
			blank = true
			continue
		}
		if blank && last != 0 && !separates(c) && !separates(last) {
			b.WriteByte(' ')
		}
		blank, last = false, c
		quoted, bracketed = c == '"', c == '<'
		b.WriteByte(c)
	}
	return b.String()
}

func separates(c byte) bool { return c == ';' || c == '=' || c == '/' }
