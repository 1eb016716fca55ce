package sip

import (
	"errors"

	siplib "github.com/emiago/sipgo/sip"
)

// An attempt is one INVITE of a call. All to one address have the same From
// and Call-ID (RFC 3261 section 8.1.3.5).
type attempt struct {
	hop    hop
	tag    string // From
	seq    uint32 // CSeq
	agreed timing // what the far end wants of a session timer
}

// mark makes an INVITE that of the attempt.
func (a attempt) mark(req *siplib.Request) {
	setTag(req.From().Params, a.tag)
	req.CSeq().SeqNo = a.seq
	for _, h := range a.hop.auth.headers(req) {
		req.AppendHeader(siplib.NewHeader(h.Name, h.Value))
	}
}

func setTag(params siplib.HeaderParams, tag string) {
	for i := range params {
		if params[i].K == "tag" {
			params[i].V = tag
		}
	}
}

// lengthen says whether to try again because the far end wants a longer session
// interval (RFC 4028 section 7.3), as often as that is plausible.
func (a *attempt) lengthen(err error) bool {
	var status *StatusError
	if !errors.As(err, &status) || status.Code != 422 || status.minSE <= a.agreed.min || a.seq >= maxTries {
		return false
	}
	a.agreed.min = status.minSE
	return true
}
