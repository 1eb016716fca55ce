package sip

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	siplib "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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

func TestAChallengeAndATooShortSessionAreBothMetInOneCall(t *testing.T) {
	us := Credentials{"us", "secret"}
	e := start(t, Handler{})
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target(), Auth: &us, InDialog: InDialog{
		SessionTimer: &SessionTimer{Interval: 1800 * time.Second, Min: 90 * time.Second},
	}})
	p.asks(p.expect("INVITE"), "401 Unauthorized", `Digest realm="p", nonce="n1", qop="auth"`)
	p.expect("ACK")
	second := p.expect("INVITE")
	second.checks(t, "Authorization", "INVITE", us)
	p.respond(second, "422 Session Interval Too Small", reply{tag: "callee", headers: []string{"Min-SE: 2400"}})
	p.expect("ACK")
	third := p.expect("INVITE")
	assert.Equal(t, "00000002", third.checks(t, "Authorization", "INVITE", us)["nc"])
	assert.Equal(t, []string{"3 INVITE", "2400"}, []string{third.get("CSeq"), third.get("Session-Expires")})
	p.respond(third, "200 OK", reply{tag: "callee", body: testAnswer, headers: []string{"Allow: INVITE, UPDATE"}})
	assert.Equal(t, "3 ACK", p.expect("ACK").get("CSeq"))
	leg := receive(t, got).leg
	done := make(chan error, 1)
	go func() { _, err := leg.Update(t.Context(), []byte(testOffer2)); done <- err }()
	p.asks(p.expect("UPDATE"), "401 Unauthorized", `Digest realm="p", nonce="n2", qop="auth"`)
	again := p.expect("UPDATE")
	again.checks(t, "Authorization", "UPDATE", us)
	assert.Equal(t, []string{"5 UPDATE", testOffer2}, []string{again.get("CSeq"), again.body})
	p.respond(again, "200 OK", reply{body: testAnswer})
	require.NoError(t, receive(t, done))
	p.respondToBye(leg)
}

func TestANilAuthorizerAnswersNothing(t *testing.T) {
	var a *authorizer
	assert.Nil(t, newAuthorizer(nil))
	assert.False(t, a.learn(errors.New("x")))
	assert.False(t, a.renew(&siplib.Response{}))
	assert.Empty(t, a.headers(nil))
}
