package sdp

// After writes s as the description that follows previous, our last one in the
// same session. If nothing but the version of o= differs, it is previous once
// more, else its version is one above that of previous; s.Version does not matter
// (RFC 3264 section 8). Without a previous one it is Marshal.
func (s *Session) After(previous []byte) []byte {
	last, err := Parse(previous)
	if err != nil {
		return s.Marshal()
	}
	next := *s
	next.Version = last.Version
	text := next.Marshal()
	if string(text) == string(previous) {
		return text
	}
	next.Version++
	return next.Marshal()
}
