package sip

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	siplib "github.com/emiago/sipgo/sip"
)

// Credentials are what we answer the challenges of a target with.
type Credentials struct{ Username, Password string }

// A demand is one challenge of a far end (RFC 7616 section 3.3).
type demand struct {
	answerIn string // the header to answer in
	realm    string
	nonce    string
	opaque   string
	hasOpaq  bool
	qop      string // "auth", or "" for RFC 2069
	hash     string // the algorithm as it was given
	stale    bool
}

// demandsOf reads the challenges of a 401 or 407: one for each realm, the best
// of those that we can answer. Other schemes and algorithms are skipped.
func demandsOf(res *siplib.Response) []demand {
	header, answerIn := "WWW-Authenticate", "Authorization"
	switch res.StatusCode {
	case 407:
		header, answerIn = "Proxy-Authenticate", "Proxy-Authorization"
	case 401:
	default:
		return nil
	}
	var demands []demand
	for _, v := range headerValues(res, header) {
		d, ok := readDemand(v)
		if !ok {
			continue
		}
		d.answerIn = answerIn
		same := -1
		for i := range demands {
			if demands[i].realm == d.realm {
				same = i
			}
		}
		switch {
		case same < 0 && len(demands) < maxDemands:
			demands = append(demands, d)
		case same >= 0 && digestRank(d.hash) < digestRank(demands[same].hash):
			demands[same] = d
		}
	}
	return demands
}

// maxDemands is how many realms one response may name.
const maxDemands = 4

// readDemand reads one challenge.
func readDemand(value string) (demand, bool) {
	p := parseDigest(value)
	if p == nil || p["nonce"] == "" || digestHash(p["algorithm"]) == nil {
		return demand{}, false
	}
	d := demand{realm: p["realm"], nonce: p["nonce"], hash: p["algorithm"], stale: strings.EqualFold(p["stale"], "true")}
	d.opaque, d.hasOpaq = p["opaque"]
	if hasControl(d.realm + d.nonce + d.opaque) {
		return demand{}, false // they go into a header of ours
	}
	if offered, ok := p["qop"]; ok {
		for option := range strings.SplitSeq(offered, ",") {
			if strings.EqualFold(strings.TrimSpace(option), "auth") {
				d.qop = "auth"
			}
		}
		if d.qop == "" {
			return demand{}, false // auth-int alone
		}
	}
	return d, true
}

// An authorizer answers the challenges of one far end. Those that came for the
// INVITE decide which are answered within the dialog: a far end that challenges
// a BYE in another's name would get a digest to use elsewhere. A nil authorizer
// answers none.
type authorizer struct {
	credentials Credentials

	mu      sync.Mutex // guards what follows
	demands []demand   // in force
	counts  []uint32   // how often each nonce was used
}

// newAuthorizer returns nil without credentials.
func newAuthorizer(c *Credentials) *authorizer {
	if c == nil {
		return nil
	}
	return &authorizer{credentials: *c}
}

// learn takes the challenges that an INVITE failed with. It reports true if the
// INVITE should be sent again: not if a challenge that was answered comes back,
// unless only its nonce was used up.
func (a *authorizer) learn(err error) bool {
	var status *StatusError
	if a == nil || !errors.As(err, &status) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	news := false
	for _, d := range status.demands {
		i := a.index(d)
		switch {
		case i < 0 && len(a.demands) < maxDemands:
			a.demands, a.counts = append(a.demands, d), append(a.counts, 0)
			news = true
		case i >= 0 && d.stale && !a.demands[i].stale:
			a.demands[i], a.counts[i] = d, 0 // and no second time
			news = true
		}
	}
	return news
}

// renew takes the challenges that a request within the dialog failed with. It
// reports true if one of them is of a realm that challenged the INVITE.
func (a *authorizer) renew(res *siplib.Response) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	news := false
	for _, d := range demandsOf(res) {
		if i := a.index(d); i >= 0 {
			a.demands[i], a.counts[i] = d, 0
			news = true
		}
	}
	return news
}

// index finds the challenge of the same realm and kind, or returns -1. a.mu is
// held.
func (a *authorizer) index(d demand) int {
	for i, known := range a.demands {
		if known.realm == d.realm && known.answerIn == d.answerIn {
			return i
		}
	}
	return -1
}

// headers answers the challenges in force, for a request that is complete but
// for them.
func (a *authorizer) headers(req *siplib.Request) []Header {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var headers []Header
	for i, d := range a.demands {
		a.counts[i]++
		headers = append(headers, Header{d.answerIn, d.answer(a.credentials, string(req.Method), req.Recipient.String(), a.counts[i])})
	}
	return headers
}

// answer is the value of the header that answers a challenge.
func (d demand) answer(c Credentials, method, uri string, count uint32) string {
	p := proof{
		algorithm: d.hash, username: c.Username, password: c.Password, realm: d.realm,
		method: method, uri: uri, nonce: d.nonce, qop: d.qop,
	}
	if d.qop != "" {
		p.nc, p.cnonce = fmt.Sprintf("%08x", count), newToken()
	}
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username=%s, realm=%s, nonce=%s, uri=%s, response="%s"`,
		verbatim(p.username), verbatim(p.realm), verbatim(p.nonce), verbatim(p.uri), p.response())
	if d.hash != "" {
		// One that digestHash knows, so nothing else can stand there.
		b.WriteString(", algorithm=" + d.hash)
	}
	if d.qop != "" {
		fmt.Fprintf(&b, `, cnonce="%s", qop=%s, nc=%s`, p.cnonce, p.qop, p.nc)
	}
	if d.hasOpaq {
		b.WriteString(", opaque=" + verbatim(d.opaque))
	}
	return b.String()
}

// verbatim is quoted for text without control characters that must come out
// byte for byte, whatever its encoding.
func verbatim(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
