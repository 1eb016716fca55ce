package sip

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
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
		"sip:192.0.2.1":                               {"", "192.0.2.1", 5060, "udp", false},
		"192.0.2.1:5090":                              {"", "192.0.2.1", 5090, "udp", false},
		"SIP:pbx.example:5090;transport=TCP":          {"", "pbx.example", 5090, "tcp", true},
		"pbx.example":                                 {"", "pbx.example", 5060, "udp", false},
		"sip:srs@[2001:db8::1]:6060;transport=udp;lr": {"srs", "2001:db8::1", 6060, "udp", true},
		"[::1]": {"", "::1", 5060, "udp", false},
	} {
		got, err := parseTarget(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for in, want := range map[string]string{
		"": "host name", "sip:": "host name", "sips:h": "TLS", "tel:+1": "SIP URI", "sip:h:99999": "port", "sip:h;transport=tls": "transport",
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

func TestExpiringEntriesGoByTimeAndByNumber(t *testing.T) {
	now := time.Unix(0, 0)
	x := newExpiring[int, string](time.Minute, 3)
	for i := range 5 {
		x.put(i, "v", now)
	}
	_, ok := x.get(1, now)
	assert.False(t, ok, "the oldest goes first")
	_, ok = x.take(2, now)
	assert.True(t, ok)
	_, ok = x.get(2, now)
	assert.False(t, ok, "taken")
	x.put(3, "again", now.Add(30*time.Second))
	v, ok := x.get(3, now.Add(80*time.Second))
	assert.True(t, ok, "renewed")
	assert.Equal(t, "again", v)
	_, ok = x.get(4, now.Add(61*time.Second))
	assert.False(t, ok, "expired")
	for i := range 1000 { // one key for ever must not grow the order
		x.put(7, "v", now.Add(time.Duration(i)))
	}
	assert.LessOrEqual(t, len(x.order), 4*x.limit+2)
	assert.LessOrEqual(t, len(x.entries), x.limit)
}

func TestTheTurnstileKeepsTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newTurnstile()
		for _, seq := range []uint32{2, 3, 5} {
			assert.True(t, ts.arrive(seq))
		}
		assert.False(t, ts.arrive(5), "a repetition")
		assert.False(t, ts.arrive(4), "too late")
		got := make(chan uint32, 3)
		for _, seq := range []uint32{5, 3, 2} {
			go func() {
				assert.NoError(t, ts.enter(t.Context(), seq, time.Minute))
				got <- seq
				ts.exit()
				ts.leave(seq)
			}()
			synctest.Wait() // 5 is there first, and waits
		}
		assert.Equal(t, []uint32{2, 3, 5}, []uint32{<-got, <-got, <-got})
	})
}

func TestTheTurnstileDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newTurnstile()
		ts.arrive(2) // and never enters
		ts.arrive(3)
		began := time.Now()
		require.NoError(t, ts.enter(t.Context(), 3, time.Second))
		assert.Equal(t, time.Second, time.Since(began))
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(gone) })
		require.ErrorIs(t, ts.enter(ctx, 3, time.Minute), gone, "3 is inside")
		require.ErrorIs(t, ts.enter(ctx, 4, time.Minute), gone)
		ts.exit()
	})
}

func TestTheTurnstileHasALimit(t *testing.T) {
	ts := newTurnstile()
	for i := range 2 * maxWaiting {
		assert.Equal(t, i < maxWaiting, ts.arrive(uint32(i+1)))
	}
}

func TestTheInboxDropsProvisionalResponsesFirst(t *testing.T) {
	b := inbox{ready: make(chan struct{}, 1)}
	for range 2 * maxProvisional {
		b.put(siplib.NewResponse(180, "Ringing"))
	}
	b.put(siplib.NewResponse(200, "OK"))
	assert.Equal(t, 200, b.final().StatusCode)
	assert.Nil(t, b.final())
}

func FuzzUser(f *testing.F) {
	f.Add("+31205550101")
	f.Add("a%0d%0ab;c@d")
	f.Fuzz(func(t *testing.T, s string) {
		esc := escapeUser(s)
		if unescape(esc) != s || hasControl(esc) || strings.ContainsAny(esc, " @;:?<>\"") {
			t.Errorf("%q became %q", s, esc)
		}
		_ = unescape(s)
	})
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"sip:h", "sip:srs@[::1]:5060;transport=tcp", "h:1", "sip:%0a@h", "[::1", ":", "sip:@:;?"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseTarget(s)
		if err != nil {
			if hasControl(err.Error()) {
				t.Errorf("control characters in %q", err)
			}
			return
		}
		u := got.uri(got.user)
		if got.host == "" || got.port == 0 || hasControl(u.String()) {
			t.Errorf("%q became %q", s, u.String())
		}
		again, err := parseTarget(u.String())
		if err != nil || again.host != got.host || again.port != got.port || again.transport != got.transport {
			t.Errorf("%q became %q became %+v, %v", s, u.String(), again, err)
		}
	})
}

func FuzzAddressList(f *testing.F) {
	f.Add(`"a, <b>" <sip:proxy.example>, <tel:+31205550103>`)
	f.Add(`"\"" <sip:x`)
	f.Fuzz(func(t *testing.T, s string) {
		for _, item := range splitList(s) {
			var u siplib.Uri
			if siplib.ParseUri(addrSpec(item), &u) == nil {
				if user := callerUser(&u); hasControl(user) {
					t.Errorf("%q gives the caller %q", s, user)
				}
			}
		}
	})
}

func FuzzReason(f *testing.F) {
	f.Add(`SIP;cause=486;text="Busy \"Here\""`)
	f.Add(`;;text="`)
	f.Fuzz(func(t *testing.T, s string) {
		if hasControl(reasonText(s)) {
			t.Errorf("control characters in the reason of %q", s)
		}
		if d := retryAfter(s); d < 0 || d > maxRetryAfter {
			t.Errorf("%q: %v", s, d)
		}
		if s != "" && cleaned(s) != reasonText("SIP;text="+quoted(s)) && cleaned(s) != "" {
			t.Errorf("%q is not what it was", s)
		}
	})
}

func FuzzSDP(f *testing.F) {
	f.Add("multipart/mixed;boundary=x", []byte("--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--x--"))
	f.Add("application/sdp;a=\"", []byte("v=0"))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		if sdp := extractSDP(kind, body); sdp != nil && (len(sdp) == 0 || len(sdp) > len(body)) {
			t.Errorf("%d bytes out of %d", len(sdp), len(body))
		}
	})
}

// FuzzRequest takes any datagram through everything that reads a request.
func FuzzRequest(f *testing.F) {
	p := &peer{network: "UDP"}
	f.Add(p.text(request{method: "INVITE", body: testOffer}))
	f.Add(p.text(request{method: "CANCEL"}))
	f.Add("BYE tel:1 SIP/2.0\r\nf: <tel:2>;TAG=x\r\nt: *\r\ni: x\r\nCSeq: 1 BYE\r\nv: SIP/2.0/UDP [::1\r\n\r\n")
	e := &Endpoint{}
	e.registry.setUp(time.Second)
	f.Fuzz(func(t *testing.T, text string) {
		msg, err := siplib.ParseMessage([]byte(text))
		if err != nil {
			return
		}
		switch m := msg.(type) {
		case *siplib.Request:
			e.arriveRequest(m)
			if admit(m) != nil {
				return
			}
			in := &Incoming{responder: responder{e: e, req: m, stack: &stack{transport: "udp"}}, id: dialogOf(m), branch: branchOf(m)}
			for _, s := range append(in.Header("Subject"), in.Called(), in.Caller()) {
				if hasControlButTab(s) {
					t.Errorf("control characters in %q", s)
				}
			}
			_ = in.Offer()
			if m.Method == siplib.INVITE {
				res := in.build(200, "OK", []byte(testAnswer)).String()
				if head, _, _ := strings.Cut(res, "\r\n\r\n"); hasControl(strings.ReplaceAll(strings.ReplaceAll(head, "\r\n", ""), "\t", "")) {
					t.Errorf("control characters in the response\n%q", res)
				}
			}
		case *siplib.Response:
			e.arriveResponse(m)
			_ = sdpOf(m)
			_ = statusError(m)
		}
	})
}
