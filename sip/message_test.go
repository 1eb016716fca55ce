package sip

import (
	siplib "github.com/emiago/sipgo/sip"
)

// headerOnly is a message of one header.
type headerOnly Header

func (h headerOnly) Headers() []siplib.Header {
	return []siplib.Header{siplib.NewHeader(h.Name, h.Value)}
}

// fuzzed parses a request that is made of anything.
func fuzzed(text string) (*siplib.Request, bool) {
	msg, err := siplib.ParseMessage([]byte(text))
	if err != nil {
		return nil, false
	}
	req, ok := msg.(*siplib.Request)
	return req, ok && req.CSeq() != nil
}
