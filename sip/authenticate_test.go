package sip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var trunkChallenge = Challenge{Realm: "trunk.example", Username: "trunk", Password: "correct horse"}

// challenging answers calls that prove themselves, and reports what came of
// each attempt.
func challenging(c Challenge) (Handler, <-chan error) {
	out := make(chan error, 16)
	return Handler{Invite: func(ctx context.Context, in *Incoming) {
		ok, err := in.Authenticate(c)
		if !ok {
			out <- err
			return
		}
		leg, err := in.Answer(ctx, []byte(testAnswer), InDialog{})
		out <- err
		if err == nil {
			<-leg.Context().Done()
		}
	}}, out
}

// A login is a caller that answers challenges.
type login struct {
	p     *peer
	to    netip.AddrPort
	seq   int
	proof proof
}

func newLogin(p *peer, to netip.AddrPort, challenge received, algorithm string) *login {
	p.t.Helper()
	l := &login{p: p, to: to, seq: 1, proof: proof{
		algorithm: algorithm, username: trunkChallenge.Username, password: trunkChallenge.Password,
		method: "INVITE", uri: "sip:+31205550123@127.0.0.1", cnonce: "c", qop: "auth", nc: "00000001",
	}}
	for _, v := range challenge.all("Proxy-Authenticate") {
		if d := parseDigest(v); d["algorithm"] == algorithm {
			l.proof.realm, l.proof.nonce = d["realm"], d["nonce"]
		}
	}
	require.NotEmpty(p.t, l.proof.nonce)
	return l
}

func (l *login) header() string {
	p := l.proof
	return fmt.Sprintf(`Proxy-Authorization: Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s, cnonce="%s", qop=%s, nc=%s`,
		p.username, p.realm, p.nonce, p.uri, p.response(), p.algorithm, p.cnonce, p.qop, p.nc)
}

// try sends an INVITE with the credentials and returns its final response.
func (l *login) try() received {
	l.p.t.Helper()
	l.seq++
	l.p.request(l.to, request{method: "INVITE", seq: l.seq, body: testOffer, headers: []string{l.header()}})
	m := l.p.final200or407()
	l.p.request(l.to, request{method: "ACK", seq: l.seq, toTag: m.tag("To"), branch: "z9hG4bKack" + newToken()})
	return m
}

func (p *peer) final200or407() received {
	p.t.Helper()
	for {
		m, ok := p.next(soon)
		require.True(p.t, ok, "no final response")
		if !strings.HasPrefix(m.start, "SIP/2.0 1") && !strings.HasPrefix(m.start, "BYE") {
			return m
		}
	}
}

func TestACallerProvesItself(t *testing.T) {
	for _, algorithm := range []string{SHA256, MD5} {
		t.Run(algorithm, func(t *testing.T) {
			h, out := challenging(trunkChallenge)
			e := start(t, h)
			p := dialTCP(t, e.tcp())
			p.request(e.tcp(), request{method: "INVITE", body: testOffer})
			challenge := p.until("SIP/2.0 407 Proxy Authentication Required")
			p.request(e.tcp(), request{method: "ACK", toTag: challenge.tag("To")})
			require.NoError(t, receive(t, out))
			offers := challenge.all("Proxy-Authenticate")
			require.Len(t, offers, 2)
			assert.Contains(t, offers[0], "algorithm=SHA-256", "the better one first (RFC 8760 section 2.4)")
			assert.Contains(t, offers[1], "algorithm=MD5")
			assert.Contains(t, offers[0], `qop="auth"`)
			assert.NotContains(t, offers[0], "stale")
			l := newLogin(p, e.tcp(), challenge, algorithm)
			ok := l.try()
			assert.Equal(t, "SIP/2.0 200 OK", ok.start)
			require.NoError(t, receive(t, out))
			p.request(e.tcp(), request{method: "BYE", seq: 99, toTag: ok.tag("To")})
			p.until("SIP/2.0 200")
		})
	}
}

func TestWrongCredentialsAreRefused(t *testing.T) {
	h, out := challenging(trunkChallenge)
	e := start(t, h)
	for name, tt := range map[string]struct {
		change func(*proof)
		stale  bool
	}{
		"a wrong password":             {func(p *proof) { p.password = "guess" }, false},
		"another user":                 {func(p *proof) { p.username = "other" }, false},
		"the URI of another number":    {func(p *proof) { p.uri = "sip:+31205550199@127.0.0.1" }, false},
		"a URI that is none":           {func(p *proof) { p.uri = "" }, false},
		"the digest of another method": {func(p *proof) { p.method = "BYE" }, false},
		"an algorithm not offered":     {func(p *proof) { p.algorithm = SHA512256 }, false},
		"no client nonce":              {func(p *proof) { p.cnonce = "" }, false},
		"a count that is none":         {func(p *proof) { p.nc = "1" }, false},
		"another quality":              {func(p *proof) { p.qop = "auth-int" }, false},
		"a nonce that is not ours":     {func(p *proof) { p.nonce = strings.Repeat("ab", 32) }, true},
		"a nonce of another length":    {func(p *proof) { p.nonce = "abcd" }, true},
		"a count of zero":              {func(p *proof) { p.nc = "00000000" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := dialTCP(t, e.tcp())
			id := newToken()
			p.request(e.tcp(), request{method: "INVITE", callID: id, body: testOffer})
			l := newLogin(p, e.tcp(), p.until("SIP/2.0 407"), SHA256)
			require.NoError(t, receive(t, out))
			tt.change(&l.proof)
			p.request(e.tcp(), request{method: "INVITE", callID: id, seq: 2, body: testOffer, headers: []string{l.header()}})
			again := p.until("SIP/2.0 407")
			assert.Equal(t, tt.stale, strings.Contains(again.get("Proxy-Authenticate"), "stale=true"))
			assert.NotContains(t, again.raw, l.proof.nonce, "a new nonce")
			err := receive(t, out)
			if tt.stale {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, ErrCredentials)
			}
		})
	}
}

func TestACountOfANonceWorksOnce(t *testing.T) {
	h, out := challenging(trunkChallenge)
	e := start(t, h)
	p := dialTCP(t, e.tcp())
	p.request(e.tcp(), request{method: "INVITE", body: testOffer})
	l := newLogin(p, e.tcp(), p.until("SIP/2.0 407"), SHA256)
	require.NoError(t, receive(t, out))
	ok := l.try()
	require.Equal(t, "SIP/2.0 200 OK", ok.start)
	require.NoError(t, receive(t, out))
	p.request(e.tcp(), request{method: "BYE", seq: 50, toTag: ok.tag("To")})
	p.until("SIP/2.0 200")
	replay := l.try()
	assert.Contains(t, replay.get("Proxy-Authenticate"), "stale=true")
	require.NoError(t, receive(t, out))
	l.proof.nc = "00000002"
	ok = l.try()
	require.Equal(t, "SIP/2.0 200 OK", ok.start)
	require.NoError(t, receive(t, out))
	p.request(e.tcp(), request{method: "BYE", seq: 60, toTag: ok.tag("To")})
	p.until("SIP/2.0 200")
}

func TestANonceIsForOneSourceOneRealmAndAMinute(t *testing.T) {
	var n nonces
	n.setUp([]byte("secret"))
	here, there := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	nonce := n.issue(here, "a")
	at, ok := n.issued(nonce, here, "a")
	require.True(t, ok)
	_, ok = n.issued(nonce, netip.MustParseAddr("::ffff:192.0.2.1"), "a")
	assert.True(t, ok, "the same source")
	_, ok = n.issued(nonce, there, "a")
	assert.False(t, ok, "another source")
	_, ok = n.issued(nonce, here, "b")
	assert.False(t, ok, "another realm")
	var other nonces
	other.setUp([]byte("secret of another process"))
	_, ok = other.issued(nonce, here, "a")
	assert.False(t, ok, "another process")
	assert.True(t, n.use(nonce, 1, at, at+time.Second))
	assert.False(t, n.use(nonce, 1, at, at+time.Second))
	assert.True(t, n.use(nonce, 7, at, at+time.Second))
	assert.False(t, n.use(nonce, 6, at, at+time.Second), "counts only go up")
	assert.False(t, n.use(nonce, 8, at, at+nonceLifetime+1), "expired")
	assert.False(t, n.use(nonce, 8, at, at-1), "from the future")
}

func TestUsedNoncesAreRememberedAsLongAsTheyCouldBeUsed(t *testing.T) {
	var n nonces
	n.setUp([]byte("secret"))
	n.lifetime = 10
	require.True(t, n.use("a", 1, 5, 6))
	require.True(t, n.use("b", 1, 11, 12), "this turns the generations")
	assert.False(t, n.use("a", 1, 5, 13), "and a is still known")
	require.True(t, n.use("c", 1, 23, 24))
	require.True(t, n.use("d", 1, 35, 36))
	assert.NotContains(t, n.past, "a")
	assert.NotContains(t, n.used, "a")
}

func TestUsedNoncesThatCannotBeRememberedAreStale(t *testing.T) {
	var n nonces
	n.setUp([]byte("secret"))
	n.limit = 2
	require.True(t, n.use("a", 1, 1, 2))
	require.True(t, n.use("b", 1, 1, 2))
	assert.False(t, n.use("c", 1, 3, 4), "no room")
	assert.False(t, n.use("a", 1, 1, 5), "and no replay of what was forgotten")
	assert.False(t, n.use("d", 1, 4, 5), "nor anything else of that time")
	assert.True(t, n.use("e", 1, 5, 6))
}

func TestAChallengeThatCannotBeMadeIsRefused(t *testing.T) {
	for want, change := range map[string]func(*Challenge){
		"needs a realm":       func(c *Challenge) { c.Realm = "" },
		"and a password":      func(c *Challenge) { c.Password = "" },
		"SHA-1":               func(c *Challenge) { c.Algorithms = []string{"SHA-1"} },
		"control character":   func(c *Challenge) { c.Realm = "a\r\nb" },
		"digest algorithm \"": func(c *Challenge) { c.Algorithms = []string{""} },
	} {
		c := trunkChallenge
		change(&c)
		_, err := new(Incoming).Authenticate(c)
		require.ErrorContains(t, err, want)
	}
}

func TestTheClaimedUsernameIsReadable(t *testing.T) {
	req := parseRequest(t, (&peer{t: t, network: "UDP"}).text(request{method: "INVITE", headers: []string{
		`Proxy-Authorization: Digest username="x", realm="other"`, `Proxy-Authorization: Digest username="trunk", realm="a"`,
	}}))
	in := &Incoming{responder: responder{req: req}}
	assert.Equal(t, "trunk", in.Username("a"))
	assert.Equal(t, "", in.Username("b"))
}
