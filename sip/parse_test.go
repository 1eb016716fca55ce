package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	siplib "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func errJoin(text string, err error) error { return fmt.Errorf("%s: %w", text, err) }

func parseRequest(t testing.TB, text string) *siplib.Request {
	t.Helper()
	msg, err := siplib.ParseMessage([]byte(text))
	require.NoError(t, err)
	return msg.(*siplib.Request)
}

func responseTo(t testing.TB, text string) *siplib.Response {
	return siplib.NewResponseFromRequest(parseRequest(t, text), 200, "OK", nil)
}

func TestUserOfAURI(t *testing.T) {
	for in, want := range map[string]string{
		"sip:+31205550101@h":               "+31205550101",
		"sip:%2B31205550101@h":             "+31205550101",
		"sip:a%20b%zz%4@h":                 "a b%zz%4",
		"sip:+31205550101;ext=1:pw@h":      "+31205550101",
		"sip:h":                            "",
		"sips:bob@h":                       "bob",
		"tel:+31205550101":                 "+31205550101",
		"TEL:0205550101;phone-context=+31": "0205550101",
		"urn:service:sos":                  "",
		"tel:":                             "",
	} {
		var u siplib.Uri
		require.NoError(t, siplib.ParseUri(in, &u), in)
		assert.Equal(t, want, userOf(&u), in)
	}
}

func TestUsersAreEscapedAndComeBack(t *testing.T) {
	for in, want := range map[string]string{
		"+31205550101": "+31205550101", "*9#": "*9%23", "a b@c": "a%20b%40c", "x;y=z": "x%3By=z", "é": "%C3%A9", "": "", "a:b?": "a%3Ab%3F",
	} {
		assert.Equal(t, want, escapeUser(in))
		assert.Equal(t, in, unescape(want))
	}
}

func TestTargets(t *testing.T) {
	for in, want := range map[string]target{
		"sip:192.0.2.1":                               {"", "192.0.2.1", 5060, "udp", false, false, false},
		"192.0.2.1:5090":                              {"", "192.0.2.1", 5090, "udp", false, true, false},
		"SIP:pbx.example:5090;transport=TCP":          {"", "pbx.example", 5090, "tcp", true, true, false},
		"pbx.example":                                 {"", "pbx.example", 5060, "udp", false, false, false},
		"sip:srs@[2001:db8::1]:6060;transport=udp;lr": {"srs", "2001:db8::1", 6060, "udp", true, true, false},
		"[::1]":                         {"", "::1", 5060, "udp", false, false, false},
		"sip:pbx.example;transport=tls": {"", "pbx.example", 5061, "tls", true, false, false},
		"SIPS:srs@pbx.example":          {"srs", "pbx.example", 5061, "tls", false, false, true},
		"sips:h:1;transport=tcp":        {"", "h", 1, "tls", true, true, true},
	} {
		got, err := parseTarget(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for in, want := range map[string]string{
		"": "host name", "sip:": "host name", "sips:h;transport=udp": "TLS", "tel:+1": "SIP URI", "sip:h:99999": "port", "sip:h;transport=ws": "transport",
		"sip:h?X=y": "headers", "sip:a b": "character", "sip:h\r\nX: y": "character", "sip:<h>": "character", "sip:h_-.;x": "",
		"sip:-h": "host name", "sip:[192.0.2.1]": "brackets", "sip:[x]": "host name", "sip:h:x": "SIP URI", "sip:h/": "host name",
	} {
		_, err := parseTarget(in)
		if want == "" {
			assert.NoError(t, err, in)
			continue
		}
		assert.ErrorContains(t, err, want, in)
	}
}

func TestReasonText(t *testing.T) {
	for in, want := range map[string]string{
		`SIP;cause=486;text="Busy Here"`:          "Busy Here",
		`Q.850;cause=16`:                          "Q.850;cause=16",
		`Q.850;text="a \"b\" , ;c";cause=16, SIP`: `a "b" , ;c`,
		`SIP;text=plain`:                          "plain",
		`SIP`:                                     "SIP",
		``:                                        "",
		`SIP;text=""`:                             "SIP",
		`Q.850 ; cause = 31 ;text="` + "a\tb" + `"`: "a b",
	} {
		assert.Equal(t, want, reasonText(in), in)
	}
	assert.Equal(t, Header{"Reason", `SIP;cause=503;text="a \\ \"b\" c"`}, rejectReason(503, "a \\ \"b\"\nc"))
	assert.Equal(t, `a \ "b" c`, reasonText(rejectReason(503, "a \\ \"b\"\nc").Value))
}

func TestRetryAfter(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"5": 5 * time.Second, " 120 (busy);duration=60": 2 * time.Minute, "x": 0, "": 0, "-1": 0, "99999999": time.Hour, "99999999999999": 0,
	} {
		assert.Equal(t, want, retryAfter(in), in)
	}
}

func TestSDPIsFoundInBodies(t *testing.T) {
	part := func(kind, body string) string { return "--x\r\nContent-Type: " + kind + "\r\n\r\n" + body + "\r\n" }
	tests := map[string]struct{ kind, body, want string }{
		"plain":                   {"application/sdp", testOffer, testOffer},
		"any case and parameters": {"Application/SDP; charset=utf-8", testOffer, testOffer},
		"broken parameters":       {"application/sdp; ;=", testOffer, testOffer},
		"no type":                 {"", testOffer, testOffer},
		"no type, no SDP":         {"", "hello", ""},
		"another type":            {"text/plain", testOffer, ""},
		"nothing":                 {"application/sdp", "", ""},
		"second part":             {"multipart/mixed;boundary=x", part("application/isup", "..") + part("application/sdp", testOffer) + "--x--", testOffer},
		"alternative":             {"multipart/alternative;boundary=x", part("application/sdp", testOffer) + "--x--", testOffer},
		"no such part":            {"multipart/mixed;boundary=x", part("text/plain", "..") + "--x--", ""},
		"an empty part":           {"multipart/mixed;boundary=x", "--x\r\nContent-Type: application/sdp\r\n\r\n\r\n--x--", ""},
		"no boundary":             {"multipart/mixed", part("application/sdp", testOffer) + "--x--", ""},
		"cut off":                 {"multipart/mixed;boundary=x", part("application/sdp", testOffer), ""},
		"too many parts before":   {"multipart/mixed;boundary=x", strings.Repeat(part("text/plain", ""), 20) + part("application/sdp", testOffer) + "--x--", ""},
	}
	for name, tt := range tests {
		assert.Equal(t, tt.want, string(extractSDP(tt.kind, []byte(tt.body))), name)
	}
}

func TestABodyThatMayBeIgnoredIsNoReasonToRefuse(t *testing.T) {
	p := &peer{t: t, network: "UDP"}
	optional := parseRequest(t, p.text(request{method: "INVITE", contentType: "text/plain", body: "x",
		headers: []string{"Content-Disposition: session;handling=optional"}}))
	assert.True(t, bodyAcceptable(optional))
	needed := parseRequest(t, p.text(request{method: "INVITE", contentType: "text/plain", body: "x"}))
	assert.False(t, bodyAcceptable(needed))
}

func TestCompactHeaderNamesAreThoseOfTheRegistry(t *testing.T) {
	for compact, long := range map[string]string{
		"a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition", "e": "content-encoding",
		"f": "from", "i": "call-id", "j": "reject-contact", "k": "supported", "l": "content-length", "m": "contact",
		"n": "identity-info", "o": "event", "r": "refer-to", "s": "subject", "t": "to", "u": "allow-events", "v": "via",
		"x": "session-expires", "y": "identity", "z": "z", " K ": "supported", "Via": "via", "": "",
	} {
		assert.Equal(t, long, longForm(compact), compact)
	}
}

func TestHeadersThatBelongToTheDialogAreRefused(t *testing.T) {
	for _, name := range []string{"Via", "v", "FROM", "t", "Call-ID", "CSeq", "m", "Max-Forwards", "Route", "Record-Route", "l", "Content-Type", "", "a b", "a:b"} {
		assert.Error(t, checkHeaders([]Header{{name, "x"}}), name)
	}
	assert.NoError(t, checkHeaders([]Header{{"X-Consent-Status", "granted"}, {"Reason", `SIP;text="é"`}}))
}
