package sip

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// passport is an Identity header whose payload is the text.
func passport(payload, params string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"ES256"}`)) + "." + enc([]byte(payload)) + ".c2ln" + params
}

func identified(t *testing.T, headers ...string) Identity {
	t.Helper()
	return identityOf(parseRequest(t, (&peer{network: "UDP"}).text(request{method: "INVITE", headers: headers})))
}

func TestIdentityOfAnINVITE(t *testing.T) {
	attested := passport(`{"attest":"B","origid":"de305d54-75b4-431b-adb2-eb6b9e546014","iat":1}`, `;info=<https://cert.example/a>;alg=ES256;ppt="shaken"`)
	got := identified(t,
		`P-Asserted-Identity: "A, B" <sip:+31205550103@trunk.example;user=phone>, <tel:+31205550104;ext=1>`,
		"P-Asserted-Identity: <http://nobody.example>",
		"Privacy: ID;critical",
		"Identity: "+attested,
		"y: ..c2ln;info=<https://cert.example/a>",
		`History-Info: <sip:+31205550105@a.example?Reason=SIP%3Bcause%3D302&Privacy=history>;index=1, <sip:b@a.example>;index=1.1;rc=1`,
		`Diversion: <tel:+31205550106>;reason=no-answer;counter=1;privacy=full`,
		"Session-ID: AB30317F1A784DC48FF824D0D3715D86;remote="+nilSession,
	)
	assert.Equal(t, Identity{
		From: Party{"sip:+31205550101@127.0.0.1", "sip", "+31205550101", "127.0.0.1"},
		Asserted: []Party{
			{"sip:+31205550103@trunk.example;user=phone", "sip", "+31205550103", "trunk.example"},
			{"tel:+31205550104;ext=1", "tel", "+31205550104", ""},
		},
		Privacy:   []string{"id", "critical"},
		Passports: []string{attested, "..c2ln;info=<https://cert.example/a>"},
		History: []Redirection{
			{Party: Party{"sip:+31205550105@a.example", "sip", "+31205550105", "a.example"}, Index: "1", Reason: "SIP;cause=302", Private: true},
			{Party: Party{"sip:b@a.example", "sip", "b", "a.example"}, Index: "1.1"},
			{Party: Party{"tel:+31205550106", "tel", "+31205550106", ""}, Diversion: true, Reason: "no-answer", Private: true},
		},
		SessionID: SessionID{Local: "ab30317f1a784dc48ff824d0d3715d86"},
	}, got)
	assert.True(t, got.Withheld())
}

func TestAnIdentityIsWithheld(t *testing.T) {
	for value, want := range map[string]bool{
		"id": true, "USER;session": true, "header": true, "none": false, "session": false, "history, critical": false, "": false,
	} {
		id := identified(t, "Privacy: "+value)
		assert.Equal(t, want, id.Withheld(), value)
	}
	req := parseRequest(t, (&peer{network: "UDP"}).text(request{method: "INVITE", from: `"Anonymous" <sip:anonymous@anonymous.invalid>`}))
	id := identityOf(req)
	assert.True(t, id.Anonymous)
	assert.True(t, id.Withheld())
}

func TestAPassportThatCouldBreakOutIsLeftOut(t *testing.T) {
	got := identified(t, "Identity: a.b.c", "Identity: a.b."+strings.Repeat("c", maxPassport), "Identity: a.b.\x01c", "Identity: a.b.c;\tppt=div")
	assert.Equal(t, []string{"a.b.c", "a.b.c; ppt=div"}, got.Passports)
}

func TestListsOfAnIdentityAreBounded(t *testing.T) {
	many := func(s string) string { return strings.TrimSuffix(strings.Repeat(s+",", 100), ",") }
	headers := []string{
		"P-Asserted-Identity: " + many("<sip:a@b>"), "Privacy: " + strings.Repeat("id;", 100),
		"History-Info: " + many("<sip:a@b>;index=1"), "Diversion: " + many("<sip:a@b>"),
	}
	for range 20 {
		headers = append(headers, "Identity: a.b.c")
	}
	got := identified(t, headers...)
	assert.Len(t, got.Asserted, maxAsserted)
	assert.Len(t, got.Privacy, maxTokens)
	assert.Len(t, got.History, 2*maxHistory)
	assert.Len(t, got.Passports, maxPassports)
}

func TestWhoCallsIsPresentedAsAsked(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target(), Called: "100", Headers: []Header{{"Identity", "a.b.c"}}, Present: Presentation{
		Asserted: []string{"sip:+31205550103@trunk.example", "tel:+31205550103"}, Privacy: []string{"id", "critical"},
		FromHost: "anonymous.invalid", RequestHost: "tenant.example:5070",
	}})
	inv := p.expect("INVITE")
	assert.Equal(t, "INVITE sip:100@tenant.example:5070 SIP/2.0", inv.start)
	assert.Equal(t, "<sip:100@tenant.example:5070>", inv.get("To"))
	assert.True(t, strings.HasPrefix(inv.get("From"), "<sip:anonymous@anonymous.invalid>;tag="), inv.get("From"))
	assert.Equal(t, []string{"<sip:+31205550103@trunk.example>", "<tel:+31205550103>"}, inv.all("P-Asserted-Identity"))
	assert.Equal(t, "id;critical", inv.get("Privacy"))
	assert.Equal(t, "a.b.c", inv.get("Identity"))
	assert.Empty(t, inv.get("Session-ID"))
	p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer})
	p.expect("ACK")
	d := receive(t, got)
	require.NoError(t, d.err)
	done := make(chan error, 1)
	go func() { done <- d.leg.Bye(context.Background(), "") }()
	bye := p.expect("BYE")
	assert.Equal(t, inv.get("From"), bye.get("From"))
	p.respond(bye, "200 OK", reply{})
	require.NoError(t, receive(t, done))
}

func TestASessionIDIsInEveryMessageOfADialedCall(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	ours, theirs, later := NewSessionID(), NewSessionID(), NewSessionID()
	require.True(t, isSessionUUID(ours))
	got := dial(t.Context(), e, Invite{Target: p.target(), Present: Presentation{SessionID: ours}})
	inv := p.expect("INVITE")
	assert.Equal(t, ours+";remote="+nilSession, inv.get("Session-ID"))
	p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer, headers: []string{"Session-ID: " + theirs + ";remote=" + ours}})
	assert.Equal(t, ours+";remote="+theirs, p.expect("ACK").get("Session-ID"))
	d := receive(t, got)
	require.NoError(t, d.err)
	p.request(e.udp(), request{method: "INFO", callID: inv.get("Call-ID"), fromTag: "callee", toTag: inv.tag("From"),
		headers: []string{"Session-ID: " + later + ";remote=" + ours}})
	assert.Equal(t, ours+";remote="+later, p.expect("SIP/2.0 200").get("Session-ID"))
	done := make(chan error, 1)
	go func() { done <- d.leg.Bye(context.Background(), "") }()
	bye := p.expect("BYE")
	assert.Equal(t, ours+";remote="+later, bye.get("Session-ID"))
	p.respond(bye, "200 OK", reply{})
	require.NoError(t, receive(t, done))
}

func TestASessionIDIsInEveryMessageOfAnAnsweredCall(t *testing.T) {
	ours, theirs := NewSessionID(), NewSessionID()
	both := ours + ";remote=" + theirs
	legs := make(chan *Leg, 1)
	h, done := prompted(func(ctx context.Context, in *Incoming) {
		assert.ErrorIs(t, in.SetEarly(Early{SessionID: "x"}), errSessionID)
		assert.NoError(t, in.SetEarly(Early{SessionID: ours}))
		assert.NoError(t, in.Progress(180, "Ringing", nil))
		leg, err := in.Answer(ctx, []byte(testAnswer), InDialog{})
		if assert.NoError(t, err) {
			legs <- leg
			<-leg.Context().Done()
		}
	})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer, headers: []string{"Session-ID: " + theirs + ";remote=" + nilSession}})
	assert.Equal(t, both, p.until("SIP/2.0 180").get("Session-ID"))
	ok := p.until("SIP/2.0 200")
	assert.Equal(t, both, ok.get("Session-ID"))
	p.request(e.udp(), request{method: "ACK", toTag: ok.tag("To")})
	leg := receive(t, legs)
	byeDone := make(chan error, 1)
	go func() { byeDone <- leg.Bye(context.Background(), "") }()
	bye := p.expect("BYE")
	assert.Equal(t, both, bye.get("Session-ID"))
	p.respond(bye, "200 OK", reply{})
	require.NoError(t, receive(t, byeDone))
	receive(t, done)
}

func FuzzIdentity(f *testing.F) {
	f.Add(`"a" <sip:+31205550101@h;x=1?Reason=SIP%3Bcause%3D302>;index=1.2;reason="x"`, passport(`{"attest":"A","origid":"x"}`, ";ppt=shaken"), "ab30317f1a784dc48ff824d0d3715d86;remote=x")
	f.Add("tel:%0d%0a;", "..", "id;user")
	f.Fuzz(func(t *testing.T, party, token, other string) {
		req, ok := fuzzed((&peer{network: "UDP"}).text(request{method: "INVITE", headers: []string{
			"P-Asserted-Identity: " + party, "History-Info: " + party, "Diversion: " + party, "Contact: " + party,
			"Identity: " + token, "Session-ID: " + other, "Privacy: " + other,
		}}))
		if !ok {
			return
		}
		id := identityOf(req)
		texts := append(redirections(req), id.SessionID.Local, id.SessionID.Remote)
		texts = append(texts, id.Privacy...)
		for _, p := range id.Asserted {
			texts = append(texts, p.URI, p.User, p.Host)
		}
		for _, r := range id.History {
			texts = append(texts, r.URI, r.User, r.Host, r.Reason, r.Index)
		}
		texts = append(texts, id.Passports...)
		for _, s := range texts {
			if hasControl(s) {
				t.Errorf("control characters in %q", s)
			}
		}
	})
}
