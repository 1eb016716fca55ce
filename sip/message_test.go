package sip

import (
	siplib "github.com/emiago/sipgo/sip"
)

// headerOnly is a message of one header.
type headerOnly Header

func (h headerOnly) Headers() []siplib.Header {
	return []siplib.Header{siplib.NewHeader(h.Name, h.Value)}
}
