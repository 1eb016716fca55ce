package sip

import (
	"strings"
	"testing"

	siplib "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhiteSpaceAroundSeparatorsIsNoPartOfWhatTheySeparate(t *testing.T) {
	msg, err := newParser().ParseSIP([]byte(strings.Join([]string{
		"OPTIONS sip:a@b SIP/2.0",
		"Via: SIP / 2.0 / UDP  192.0.2.1:5060 ; branch = z9hG4bK1 ; rport , SIP/2.0/TCP 192.0.2.2; received= 192.0.2.3 ;branch =z9hG4bK2",
		"v: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK3",
		`f: "A ; \" = B" <sip:a@b; user = phone> ; x = 1;	tag = from`,
		"TO : sip:b@c ; tag= to",
		"Contact: <sip:a@192.0.2.1> ; q = 0.3; expires = 60",
		"Call-ID: 1", "CSeq: 1 OPTIONS", "Content-Length: 0", "", ""}, "\r\n")))
	require.NoError(t, err)
	req, _ := msg.(*siplib.Request)
	require.NotNil(t, req)
	var vias []string
	for _, h := range req.GetHeaders("via") {
		vias = append(vias, h.Value())
	}
	require.Len(t, vias, 3)
	assert.True(t, strings.HasPrefix(vias[0], "SIP/2.0/UDP 192.0.2.1:5060;"), vias[0])
	assert.True(t, strings.HasPrefix(vias[1], "SIP/2.0/TCP 192.0.2.2;"), vias[1])
	via := req.Via()
	branch, _ := via.Params.Get("branch")
	assert.Equal(t, "z9hG4bK1", branch)
	assert.True(t, via.Params.Has("rport"))
	from, _ := req.From().Params.Get("tag")
	assert.Equal(t, "from", from)
	assert.Equal(t, `A ; \" = B`, req.From().DisplayName, "what is quoted stays")
	to, _ := req.To().Params.Get("tag")
	assert.Equal(t, "to", to)
	assert.Equal(t, "c", req.To().Address.Host)
	q, _ := req.Contact().Params.Get("q")
	assert.Equal(t, "0.3", q)
}

func FuzzBlanks(f *testing.F) {
	for _, s := range []string{`"a ; \" b" <sip:a@b ; c> ; tag = x`, "SIP / 2.0 / UDP  h ; branch = 1", `"open ; `, "<open ; ", " \t;= / "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := withoutBlanks(s)
		if again := withoutBlanks(once); again != once {
			t.Errorf("%q became %q, and then %q", s, once, again)
		}
		drop := func(s string) string { return strings.NewReplacer(" ", "", "\t", "").Replace(s) }
		if drop(once) != drop(s) {
			t.Errorf("%q lost more than blanks: %q", s, once)
		}
	})
}
