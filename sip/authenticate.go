package sip

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// Challenge is what a caller must prove to know.
type Challenge struct {
	// Realm names the protected space to the caller. Required, as is the rest
	// but Algorithms.
	Realm, Username, Password string
	// Algorithms are offered in this order (RFC 8760 section 2.4). Default
	// SHA-256, then MD5 for the many that know nothing else.
	Algorithms []string
}

// ErrCredentials says that a caller proved nothing: its credentials are wrong
// or malformed.
var ErrCredentials = errors.New("sip: wrong credentials")

func (c *Challenge) prepare() error {
	if c.Realm == "" || c.Username == "" || c.Password == "" {
		return errors.New("sip: a challenge needs a realm, a username and a password")
	}
	if len(c.Algorithms) == 0 {
		c.Algorithms = []string{SHA256, MD5}
	}
	for _, a := range c.Algorithms {
		if a == "" || digestHash(a) == nil {
			return fmt.Errorf("sip: digest algorithm %q is none of SHA-256, SHA-512-256 and MD5", a)
		}
	}
	return checkValue("Proxy-Authenticate", c.Realm)
}

// Authenticate checks the caller's digest credentials (RFC 7616, RFC 3261
// section 22) and reports true if they are right. Otherwise it has refused the
// call with 407 and a challenge, and the INVITE has its final response; the
// error is nil if the caller showed no credentials or its nonce was used up,
// ErrCredentials if they are wrong, or says what is wrong with c.
//
// A nonce holds for a minute, for one source address, and each nonce count for
// one INVITE: call it once for an Incoming. The digest's URI must have the same
// user part as the request URI; hosts and parameters are rewritten on the way
// by too many to compare them.
func (in *Incoming) Authenticate(c Challenge) (ok bool, err error) {
	if err := c.prepare(); err != nil {
		return false, err
	}
	n := &in.e.nonces
	out := n.check(in.req, in.Source().Addr(), c)
	if out == proven {
		return true, nil
	}
	headers := make([]Header, 0, len(c.Algorithms))
	nonce := n.issue(in.Source().Addr(), c.Realm)
	for _, algorithm := range c.Algorithms {
		value := fmt.Sprintf(`Digest realm=%s, nonce="%s", algorithm=%s, qop="auth"`, verbatim(c.Realm), nonce, algorithm)
		if out == stale {
			value += ", stale=true"
		}
		headers = append(headers, Header{"Proxy-Authenticate", value})
	}
	if err := in.Reject(407, "Proxy Authentication Required", headers...); err != nil {
		return false, err
	}
	if out == wrong {
		return false, ErrCredentials
	}
	return false, nil
}

// Username is who the caller says it is in its digest credentials for a realm,
// "" if it shows none. Nothing about it is verified; not for logs.
func (in *Incoming) Username(realm string) string { return credentialsOf(in.req, realm)["username"] }

// credentialsOf returns the digest credentials of a request for a realm, nil if
// there are none.
func credentialsOf(req *siplib.Request, realm string) map[string]string {
	for _, v := range headerValues(req, "Proxy-Authorization") {
		if p := parseDigest(v); p != nil && p["realm"] == realm {
			return p
		}
	}
	return nil
}

const (
	// nonceLifetime is how long a nonce can be used.
	nonceLifetime = time.Minute
	// maxNonces is how many nonces in use are remembered, twice over.
	maxNonces = 65536
)

// nonces makes nonces that say themselves when and for whom they were made, so
// that a challenge costs no memory. What is remembered is which counts of a
// nonce were used, and only by callers that knew the password.
type nonces struct {
	key      []byte
	lifetime time.Duration
	limit    int
	begun    time.Time // nonces count from here, by the monotonic clock

	mu         sync.Mutex        // guards what follows
	used, past map[string]uint32 // highest count, by nonce; past is the generation before
	turned     time.Duration     // when used became past, since begun
	floor      time.Duration     // what was issued up to here is stale
}

func (n *nonces) setUp(secret []byte) {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("digest nonce")) // the tags have the secret itself
	n.key = mac.Sum(nil)
	n.lifetime, n.limit, n.begun = nonceLifetime, maxNonces, time.Now()
	n.used, n.floor = make(map[string]uint32), -1
}

// Lengths of the parts of a nonce, in bytes.
const (
	nonceTime   = 8
	nonceRandom = 8
	nonceMAC    = 16
)

// issue makes a nonce for a source.
func (n *nonces) issue(source netip.Addr, realm string) string {
	var b [nonceTime + nonceRandom]byte
	binary.BigEndian.PutUint64(b[:], uint64(time.Since(n.begun)))
	rand.Read(b[nonceTime:]) // never fails, crypto/rand
	return hex.EncodeToString(append(b[:], n.mac(b[:], source, realm)...))
}

func (n *nonces) mac(head []byte, source netip.Addr, realm string) []byte {
	mac := hmac.New(sha256.New, n.key)
	ip := source.Unmap().As16()
	mac.Write(head) // both of fixed length
	mac.Write(ip[:])
	mac.Write([]byte(realm))
	return mac.Sum(nil)[:nonceMAC]
}

// issued says when a nonce was made, false if it was not made here for this
// source and realm.
func (n *nonces) issued(nonce string, source netip.Addr, realm string) (time.Duration, bool) {
	b, err := hex.DecodeString(nonce)
	if err != nil || len(b) != nonceTime+nonceRandom+nonceMAC {
		return 0, false
	}
	head := b[:nonceTime+nonceRandom]
	if !hmac.Equal(b[len(head):], n.mac(head, source, realm)) {
		return 0, false
	}
	return time.Duration(binary.BigEndian.Uint64(head)), true
}

// outcome of a check.
type outcome int

const (
	missing outcome = iota // no credentials for the realm
	wrong                  // the password is not known
	stale                  // it is, but the nonce cannot be used (any more)
	proven
)

// check checks the credentials of a request.
func (n *nonces) check(req *siplib.Request, source netip.Addr, c Challenge) outcome {
	p := credentialsOf(req, c.Realm)
	if p == nil {
		return missing
	}
	algorithm := p["algorithm"]
	if algorithm == "" {
		algorithm = MD5
	}
	offered := slices.ContainsFunc(c.Algorithms, func(a string) bool { return strings.EqualFold(a, algorithm) })
	count, err := strconv.ParseUint(p["nc"], 16, 32)
	if !offered || err != nil || len(p["nc"]) != 8 || p["cnonce"] == "" || !strings.EqualFold(p["qop"], "auth") {
		return wrong
	}
	want := proof{
		algorithm: algorithm, username: c.Username, password: c.Password, realm: c.Realm,
		method: string(req.Method), uri: p["uri"],
		nonce: p["nonce"], nc: p["nc"], cnonce: p["cnonce"], qop: p["qop"],
	}.response()
	// Both are compared, and in constant time: how long a refusal takes does
	// not say which of them was right.
	user := subtle.ConstantTimeCompare([]byte(p["username"]), []byte(c.Username))
	response := subtle.ConstantTimeCompare([]byte(strings.ToLower(p["response"])), []byte(want))
	if user&response != 1 || !sameUser(p["uri"], &req.Recipient) {
		return wrong
	}
	at, ours := n.issued(p["nonce"], source, c.Realm)
	if !ours || !n.use(p["nonce"], uint32(count), at, time.Since(n.begun)) {
		return stale
	}
	return proven
}

// sameUser says whether the URI of a digest has the user part of the request URI.
func sameUser(digestURI string, requestURI *siplib.Uri) bool {
	var u siplib.Uri
	return siplib.ParseUri(digestURI, &u) == nil && userOf(&u) == userOf(requestURI)
}

// use takes a count of a nonce. Counts only go up: one that was overtaken is
// answered stale, and the caller tries anew.
func (n *nonces) use(nonce string, count uint32, issued, now time.Duration) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if issued <= n.floor || now-issued > n.lifetime || now < issued {
		return false
	}
	if now-n.turned > n.lifetime {
		// What was used before the last turn but one has expired.
		n.past, n.used, n.turned = n.used, make(map[string]uint32), now
	}
	if count <= max(n.used[nonce], n.past[nonce]) {
		return false
	}
	if len(n.used) >= n.limit {
		// Nothing may be forgotten that could be used again: so all of it is
		// declared stale.
		n.past, n.used, n.turned, n.floor = nil, make(map[string]uint32), now, now
		return false
	}
	n.used[nonce] = count
	return true
}
