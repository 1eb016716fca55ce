package sip

import (
	"strings"
	"testing"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

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
	e := &Endpoint{parser: newParser()}
	e.registry.setUp(time.Second)
	f.Fuzz(func(t *testing.T, text string) {
		msg, err := e.parser.ParseSIP([]byte(text))
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
