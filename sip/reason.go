package sip

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// quoted writes s as a quoted string (RFC 3261 section 25.1).
func quoted(s string) string {
	s = strings.ReplaceAll(cleaned(s), `\`, `\\`)
	return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
}

// rejectReason is the Reason header of a refusal (RFC 3326; for responses RFC 6432).
func rejectReason(code int, text string) Header {
	return Header{"Reason", fmt.Sprintf("SIP;cause=%d;text=%s", code, quoted(text))}
}

// reasonText reads a Reason header value: the text of its first reason, or
// protocol and cause where there is no text.
func reasonText(value string) string {
	fields := splitParams(splitList(value)[0])
	cause := ""
	for _, f := range fields[1:] {
		name, v, _ := strings.Cut(f, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "text":
			if text := unquoted(strings.TrimSpace(v)); text != "" {
				return cleaned(text)
			}
		case "cause":
			cause = ";cause=" + strings.TrimSpace(v)
		}
	}
	return cleaned(fields[0] + cause)
}

// PlainReason is what of a Reason header (RFC 3326) can be told to a third
// party: protocol and cause, and a text that is words alone. Numbers, addresses
// and names of hosts do not get through. "" if nothing is left.
func PlainReason(value string) string {
	if len(value) > maxReason || hasControl(value) {
		return ""
	}
	var reasons []string
	for _, item := range splitList(value) {
		if plain := plainReason(item); plain != "" && len(reasons) < maxReasons {
			reasons = append(reasons, plain)
		}
	}
	return strings.Join(reasons, ", ")
}

const maxReasons = 4

// plainReason is PlainReason of one reason.
func plainReason(item string) string {
	fields := splitParams(item)
	protocol := fields[0]
	if !isToken(protocol) || len(protocol) > 16 {
		return ""
	}
	cause, text := "", ""
	for _, f := range fields[1:] {
		name, v, _ := strings.Cut(f, "=")
		v = strings.TrimSpace(v)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "cause":
			if n, err := strconv.ParseUint(v, 10, 16); err == nil && n < 1000 {
				cause = ";cause=" + strconv.FormatUint(n, 10)
			}
		case "text":
			if v = unquoted(v); wordsAlone(v) {
				text = ";text=" + quoted(v)
			}
		}
	}
	if cause == "" && text == "" {
		return ""
	}
	return protocol + cause + text
}

// wordsAlone says whether a text holds nothing but letters and what stands
// between words.
func wordsAlone(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && strings.IndexByte(" -/()'", c) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// maxRetryAfter caps what a far end may tell us to wait.
const maxRetryAfter = time.Hour

// retryAfter reads a Retry-After value, "120 (comment);duration=60"; 0 if it
// is none.
func retryAfter(value string) time.Duration {
	digits := strings.TrimSpace(value)
	if i := strings.IndexAny(digits, " \t;("); i >= 0 {
		digits = digits[:i]
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, maxRetryAfter)
}
