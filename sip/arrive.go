package sip

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// arrival is what the reading goroutine learned about a request. It travels
// with the request as a header that nothing on the wire can produce, because
// no header of that type is ever parsed.
type arrival struct {
	siplib.Header
	verdict Verdict // nothing else is filled in if it is not Serve
	fresh   bool    // came without a To tag; it has ours now
	leg     *Leg    // in whose turnstile seq has queued, or nil
	seq     uint32  // its CSeq
	// For a CANCEL: its INVITE, or what was left for it.
	invite *Incoming
	tomb   *tombstone
}

// arrivalOf returns the arrival of a request.
func arrivalOf(req *siplib.Request) arrival {
	for _, h := range req.Headers() {
		if a, ok := h.(*arrival); ok {
			return *a
		}
	}
	return arrival{}
}

// arrive sees every message first: in the reading goroutine, in the order in
// which messages came, before sipgo starts a goroutine for it. It must not
// block. Messages may be changed here and nowhere else.
func (e *Endpoint) arrive(st *stack, msg siplib.Message) {
	defer e.guard("arriving message", nil)
	switch m := msg.(type) {
	case *siplib.Request:
		if v := e.welcome(st, m); v != Serve {
			e.addTag(m)
			m.AppendHeader(&arrival{Header: siplib.NewHeader("", ""), verdict: v})
			return
		}
		if st.transport == "udp" {
			answerToSource(m)
		}
		e.arriveRequest(m)
	case *siplib.Response:
		e.arriveResponse(m)
	}
}

func (e *Endpoint) arriveRequest(req *siplib.Request) {
	from, to := req.From(), req.To()
	complete := from != nil && to != nil && req.CallID() != nil && req.CSeq() != nil && req.Via() != nil
	if from != nil {
		lowerTag(from.Params)
	}
	a := &arrival{Header: siplib.NewHeader("", "")}
	defer req.AppendHeader(a)
	if to == nil {
		return
	}
	a.fresh = e.addTag(req)
	if !complete {
		return // refused by admit
	}
	switch req.Method {
	case siplib.CANCEL:
		if a.fresh {
			a.invite, a.tomb = e.registry.cancel(branchOf(req), time.Now())
		}
	case siplib.INVITE, siplib.INFO, siplib.UPDATE, siplib.PRACK, siplib.REFER:
		seq := req.CSeq().SeqNo
		if l := e.registry.leg(dialogOf(req)); l != nil && l.order.arrive(seq) {
			a.leg, a.seq = l, seq
		}
	}
}

// answerToSource makes the responses to a request go back to where it came from
// if there is a NAT between: its Via names another IP address than that of its
// source, so the port of the Via is hardly that of the NAT. Where there is none,
// a sender that does not ask for it (RFC 3581) is answered at the port of its
// Via, as RFC 3261 section 18.2.2 has it.
func answerToSource(req *siplib.Request) {
	via := req.Via()
	if via == nil || hasParam(via.Params, "rport") {
		return
	}
	named, err := netip.ParseAddr(strings.Trim(via.Host, "[]"))
	source, err2 := netip.ParseAddrPort(req.Source())
	if err == nil && err2 == nil && named.Unmap() != source.Addr().Unmap() {
		via.Params.Add("rport", "")
	}
}

// addTag gives a request without a To tag ours, and says whether it did.
func (e *Endpoint) addTag(req *siplib.Request) bool {
	to := req.To()
	if to == nil {
		return false
	}
	lowerTag(to.Params)
	if param(to.Params, "tag") != "" {
		return false
	}
	to.Params.Add("tag", e.tagFor(req))
	return true
}

// lowerTag makes sipgo see a tag parameter however it is spelled.
func lowerTag(params siplib.HeaderParams) {
	for i := range params {
		if strings.EqualFold(params[i].K, "tag") {
			params[i].K = "tag"
		}
	}
}

// tagFor returns our To tag for a request without one. It depends on nothing
// but the request and a secret, so that every response to an INVITE and to its
// CANCEL carries the same tag (trap 19), whoever writes it and even if nothing
// was kept (RFC 3261 sections 8.2.6.2 and 8.2.7).
func (e *Endpoint) tagFor(req *siplib.Request) string {
	var parts [5]string // of a request that is not complete some stay empty
	if id := req.CallID(); id != nil {
		parts[0] = string(*id)
	}
	if from := req.From(); from != nil {
		parts[1] = param(from.Params, "tag")
	}
	if cseq := req.CSeq(); cseq != nil {
		parts[2] = strconv.FormatUint(uint64(cseq.SeqNo), 10)
	}
	if via := req.Via(); via != nil {
		parts[3], parts[4] = param(via.Params, "branch"), via.SentBy()
	}
	mac := hmac.New(sha256.New, e.secret[:])
	for _, s := range parts {
		io.WriteString(mac, strconv.Itoa(len(s))) // a hash never fails to write
		io.WriteString(mac, ":"+s)
	}
	return hex.EncodeToString(mac.Sum(nil)[:10])
}

// arriveResponse puts a response to an INVITE of ours into its inbox. Others
// are left to their transactions, and so is what holds control characters: it
// is malformed and discarded (RFC 3261 section 18.1.2).
func (e *Endpoint) arriveResponse(res *siplib.Response) {
	cseq, via := res.CSeq(), res.Via()
	if cseq == nil || via == nil || cseq.MethodName != siplib.INVITE || !wellFormed(res) {
		return
	}
	if box := e.registry.inbox(param(via.Params, "branch")); box != nil {
		box.put(res)
	}
}

// wellFormed says whether a response can be used without further checks.
func wellFormed(res *siplib.Response) bool {
	for _, h := range res.Headers() {
		if hasControlButTab(h.Value()) {
			return false
		}
	}
	return res.StatusCode >= 100 && res.StatusCode <= 699 &&
		res.From() != nil && res.To() != nil && res.CallID() != nil
}

// newBranch returns a Via branch (RFC 3261 section 8.1.1.7).
func newBranch() string { return siplib.RFC3261BranchMagicCookie + newToken() }

// newToken returns 80 random bits, for tags, branches and Call-IDs.
func newToken() string {
	var b [10]byte
	rand.Read(b[:]) // never fails, crypto/rand
	return hex.EncodeToString(b[:])
}
