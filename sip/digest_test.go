package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	siplib "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The examples of RFC 7616 section 3.9.1 and RFC 2617 section 3.5.
func TestDigestsAreThoseOfTheStandards(t *testing.T) {
	p := proof{
		username: "Mufasa", password: "Circle of Life", realm: "http-auth@example.org", method: "GET", uri: "/dir/index.html",
		nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc: "00000001",
		cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop: "auth",
	}
	p.algorithm = SHA256
	assert.Equal(t, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", p.response())
	p.algorithm = MD5
	assert.Equal(t, "8ca523f5e9506fed4657c9700eebdbec", p.response())
	assert.Nil(t, digestHash("SHA-1"))
	assert.NotNil(t, digestHash(SHA512256))
}

func TestDigestHeadersAreReadStrictly(t *testing.T) {
	assert.Equal(t, map[string]string{"realm": `a, "b"`, "nonce": "n", "qop": "auth,auth-int", "stale": "true"},
		parseDigest(`digest Realm="a, \"b\"" , nonce = "n",qop="auth,auth-int", stale=true,`))
	for _, bad := range []string{"", "Digest", `Basic realm="x"`, `Digest realm="a", realm="b"`, "Digest realm", `Digest a b="c"`,
		"Digest " + strings.Repeat("x1=y,", 1) + manyParams(maxDigestParams+1)} {
		assert.Nil(t, parseDigest(bad), bad)
	}
}

func manyParams(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "p%d=v,", i)
	}
	return b.String()
}

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

// asks answers a request with a challenge.
func (p *peer) asks(req received, status string, challenges ...string) {
	p.t.Helper()
	kind := "WWW-Authenticate: "
	if strings.HasPrefix(status, "407") {
		kind = "Proxy-Authenticate: "
	}
	headers := make([]string, len(challenges))
	for i, c := range challenges {
		headers[i] = kind + c
	}
	p.respond(req, status, reply{tag: "callee", headers: headers})
}

// checks says whether credentials of ours are right.
func (m received) checks(t *testing.T, header, method string, c Credentials) map[string]string {
	t.Helper()
	d := parseDigest(m.get(header))
	require.NotNil(t, d, m.raw)
	uri := strings.Fields(m.start)[1]
	assert.Equal(t, uri, d["uri"])
	p := proof{
		algorithm: d["algorithm"], username: c.Username, password: c.Password, realm: d["realm"], method: method, uri: uri,
		nonce: d["nonce"], nc: d["nc"], cnonce: d["cnonce"], qop: d["qop"],
	}
	assert.Equal(t, p.response(), d["response"])
	assert.Equal(t, c.Username, d["username"])
	return d
}

func TestAChallengeOfATargetIsAnswered(t *testing.T) {
	us := &Credentials{Username: "us", Password: "secret"}
	for name, tt := range map[string]struct {
		status, header string
		challenges     []string
		algorithm, qop string
	}{
		"401 with one": {"401 Unauthorized", "Authorization", []string{`Digest realm="p", nonce="n1", opaque="o", qop="auth,auth-int"`}, "", "auth"},
		"407, the best of three": {"407 Proxy Authentication Required", "Proxy-Authorization", []string{
			`Digest realm="p", nonce="n0", opaque="o", algorithm=MD5`, `Digest realm="p", nonce="n1", opaque="o", algorithm=SHA-256, qop="auth"`,
			`Digest realm="p", nonce="n2", algorithm=SHA-3, qop="auth"`,
		}, "SHA-256", "auth"},
		"without a quality": {"401 Unauthorized", "Authorization", []string{`Digest realm="p", nonce="n1", opaque="o", algorithm=MD5`}, "MD5", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, Handler{})
			p := udpPeer(t)
			got := dial(t.Context(), e, Invite{Target: p.target(), Called: "+31205550123", Auth: us})
			first := p.expect("INVITE")
			assert.Empty(t, first.get(tt.header))
			p.asks(first, tt.status, tt.challenges...)
			ack := p.expect("ACK")
			assert.Equal(t, first.branch(), ack.branch())
			second := p.expect("INVITE")
			d := second.checks(t, tt.header, "INVITE", *us)
			assert.Equal(t, []string{tt.algorithm, tt.qop, "n1", "o"}, []string{d["algorithm"], d["qop"], d["nonce"], d["opaque"]})
			assert.Equal(t, "2 INVITE", second.get("CSeq"))
			assert.Equal(t, first.get("Call-ID"), second.get("Call-ID"))
			assert.Equal(t, first.tag("From"), second.tag("From"))
			assert.NotEqual(t, first.branch(), second.branch())
			p.respond(second, "200 OK", reply{tag: "callee", body: testAnswer})
			assert.Equal(t, "2 ACK", p.expect("ACK").get("CSeq"))
			leg := receive(t, got).leg
			require.NotNil(t, leg)
			go func() { _ = leg.Bye(context.Background(), "") }()
			bye := p.expect("BYE")
			assert.Equal(t, "3 BYE", bye.get("CSeq"))
			assert.Empty(t, bye.get(tt.header))
			p.respond(bye, "200 OK", reply{})
		})
	}
}

func TestAChallengeIsAnsweredOnce(t *testing.T) {
	us := &Credentials{Username: "us", Password: "secret"}
	const challenge = `Digest realm="p", nonce="n1", qop="auth"`
	for name, tt := range map[string]struct {
		auth  *Credentials
		then  []string // challenges after the first answer
		tries int
	}{
		"without credentials never":                  {nil, nil, 1},
		"if it comes back the credentials are wrong": {us, []string{`Digest realm="p", nonce="n2", qop="auth"`}, 2},
		"once more if the nonce was stale":           {us, []string{`Digest realm="p", nonce="n2", qop="auth", stale=true`, `Digest realm="p", nonce="n3", qop="auth", stale=true`}, 3},
		"once for each realm":                        {us, []string{`Digest realm="q", nonce="n2", qop="auth"`, challenge}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, Handler{})
			p := udpPeer(t)
			got := dial(t.Context(), e, Invite{Target: p.target(), Auth: tt.auth})
			challenges := append([]string{challenge}, tt.then...)
			for i := range tt.tries {
				p.asks(p.until("INVITE"), "407 Proxy Authentication Required", challenges[min(i, len(challenges)-1)])
				p.expect("ACK")
			}
			var status *StatusError
			require.ErrorAs(t, receive(t, got).err, &status)
			assert.Equal(t, 407, status.Code)
			p.silent()
		})
	}
}

func TestChallengesThatWeCannotAnswerAreTheResult(t *testing.T) {
	e := start(t, Handler{})
	for _, challenge := range []string{
		`Basic realm="p"`, `Digest realm="p", nonce="n", algorithm=SHA-3`, `Digest realm="p", nonce="n", qop="auth-int"`, `Digest realm="p"`,
	} {
		p := udpPeer(t)
		got := dial(t.Context(), e, Invite{Target: p.target(), Auth: &Credentials{"us", "secret"}})
		p.asks(p.expect("INVITE"), "401 Unauthorized", challenge)
		p.expect("ACK")
		require.ErrorContains(t, receive(t, got).err, "401")
	}
}

// ES2021-05: a callee that challenges a BYE must not get a digest for it.
func TestInADialogOnlyTheRealmThatChallengedTheInviteIsAnswered(t *testing.T) {
	us := &Credentials{Username: "us", Password: "secret"}
	for name, tt := range map[string]struct {
		challenged bool // the INVITE
		realm      string
		answered   bool
	}{
		"the same realm":              {true, "p", true},
		"another realm":               {true, "evil", false},
		"an INVITE without challenge": {false, "p", false},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, Handler{})
			p := udpPeer(t)
			got := dial(t.Context(), e, Invite{Target: p.target(), Auth: us})
			inv := p.expect("INVITE")
			if tt.challenged {
				p.asks(inv, "401 Unauthorized", `Digest realm="p", nonce="n1", qop="auth"`)
				p.expect("ACK")
				inv = p.expect("INVITE")
			}
			p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer})
			p.expect("ACK")
			leg := receive(t, got).leg
			done := make(chan error, 1)
			go func() { _, err := leg.Info(t.Context(), "", nil); done <- err }()
			p.asks(p.expect("INFO"), "401 Unauthorized", `Digest realm="`+tt.realm+`", nonce="n2", qop="auth"`)
			if tt.answered {
				again := p.expect("INFO")
				assert.Equal(t, "n2", again.checks(t, "Authorization", "INFO", *us)["nonce"])
				p.respond(again, "200 OK", reply{})
			}
			require.NoError(t, receive(t, done))
			go func() { done <- leg.Bye(t.Context(), "") }()
			p.asks(p.expect("BYE"), "401 Unauthorized", `Digest realm="`+tt.realm+`", nonce="n3", qop="auth"`)
			if tt.answered {
				again := p.expect("BYE")
				again.checks(t, "Authorization", "BYE", *us)
				p.asks(again, "401 Unauthorized", `Digest realm="p", nonce="n4", qop="auth"`) // and not twice
			}
			require.NoError(t, receive(t, done))
			p.silent()
		})
	}
}

func TestAChallengeFromElsewhereIsNotAnsweredInADialog(t *testing.T) {
	e := start(t, Handler{})
	p, elsewhere := udpPeer(t), udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target(), Auth: &Credentials{"us", "secret"}})
	p.asks(p.expect("INVITE"), "401 Unauthorized", `Digest realm="p", nonce="n1", qop="auth"`)
	p.expect("ACK")
	inv := p.expect("INVITE")
	p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer, noContact: true,
		headers: []string{"Contact: <" + elsewhere.target() + ">"}})
	elsewhere.expect("ACK")
	leg := receive(t, got).leg
	done := make(chan error, 1)
	go func() { done <- leg.Bye(t.Context(), "") }()
	elsewhere.asks(elsewhere.expect("BYE"), "401 Unauthorized", `Digest realm="p", nonce="n2", qop="auth"`)
	require.NoError(t, receive(t, done))
	elsewhere.silent()
}

func TestANilAuthorizerAnswersNothing(t *testing.T) {
	var a *authorizer
	assert.Nil(t, newAuthorizer(nil))
	assert.False(t, a.learn(errors.New("x")))
	assert.False(t, a.renew(&siplib.Response{}))
	assert.Empty(t, a.headers(nil))
}

func FuzzDigest(f *testing.F) {
	f.Add(`Digest realm="a", nonce="b", algorithm=MD5, qop="auth"`)
	f.Add(`Digest realm="\"", nonce="\\", opaque="`)
	f.Fuzz(func(t *testing.T, s string) {
		if hasControl(s) {
			return // refused before, see admit and wellFormed
		}
		d, ok := readDemand(s)
		if !ok {
			return
		}
		p := parseDigest(d.answer(Credentials{"u", "p"}, "INVITE", "sip:x", 1))
		if p == nil || p["realm"] != d.realm || p["nonce"] != d.nonce || p["opaque"] != d.opaque {
			t.Errorf("%q is answered %q", s, p)
		}
	})
}
