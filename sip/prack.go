package sip

import (
	"strconv"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// onPrack answers a PRACK (RFC 3262 section 3).
func (l *Leg) onPrack(r responder) {
	l.mu.Lock()
	q := l.reliables
	l.mu.Unlock()
	rack, ok := parseRAck(headerValue(r.req, "RAck"))
	var item *reliable
	if ok && q != nil {
		item, ok = q.take(rack)
	}
	if item == nil || !ok {
		r.answer(481, "Call/Transaction Does Not Exist")
		return
	}
	defer close(item.acked)
	sdp := sdpOf(r.req)
	switch {
	case item.offer:
		l.setPending(settled)
		l.setSDP(sdp)
		if h := l.handlers(); h.Offered != nil && sdp != nil {
			h.Offered(sdp)
		}
		r.answer(200, "OK")
	case sdp == nil:
		r.answer(200, "OK")
	default: // an offer of its own (RFC 3262 section 5)
		answer, ref := l.negotiate(r, sdp)
		if ref != nil {
			r.answer(ref.code, ref.reason, ref.headers...)
			return
		}
		l.setSDP(sdp)
		l.setAnswered(answer)
		_ = r.send(r.build(200, "OK", answer)) // a failure is one more lost packet
	}
}

// A rack is a RAck header (RFC 3262 section 7.2).
type rack struct {
	rseq, cseq uint32
	method     siplib.RequestMethod
}

func parseRAck(value string) (rack, bool) {
	fields := strings.Fields(value)
	if len(fields) != 3 {
		return rack{}, false
	}
	rseq, ok1 := parseSeq(fields[0])
	cseq, ok2 := parseSeq(fields[1])
	return rack{rseq, cseq, siplib.RequestMethod(strings.ToUpper(fields[2]))}, ok1 && ok2
}

// parseSeq reads an RSeq or CSeq number.
func parseSeq(s string) (uint32, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	return uint32(n), err == nil
}
