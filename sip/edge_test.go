package sip

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// edit replaces a line of a message, found by its beginning; "" removes it.
func edit(text, line, by string) string {
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	kept := lines[:0]
	for _, l := range lines {
		if strings.HasPrefix(l, line) {
			if by == "" {
				continue
			}
			l = by
		}
		kept = append(kept, l)
	}
	return strings.Join(kept, "\r\n") + "\r\n\r\n" + body
}

// A badRequest is a change to a good INVITE and what it is answered with.
type badRequest struct {
	change func(string) string
	want   string
}

func badRequests() map[string]badRequest {
	line := func(old, by string) func(string) string {
		return func(s string) string { return edit(s, old, by) }
	}
	add := func(header string) func(string) string {
		return func(s string) string { return strings.Replace(s, "\r\n\r\n", "\r\n"+header+"\r\n\r\n", 1) }
	}
	return map[string]badRequest{
		"no From":                   {line("From", ""), "400 Missing From"},
		"no To":                     {line("To", ""), "400 Missing To"},
		"no Call-ID":                {line("Call-ID", ""), "400 Missing Call-ID"},
		"two From":                  {add("f: <sip:x@y>;tag=z"), "400 More Than One From"},
		"two To":                    {add("To: <sip:x@y>"), "400 More Than One To"},
		"two Call-ID":               {add("i: other"), "400 More Than One Call-ID"},
		"two CSeq":                  {add("CSeq: 1 INVITE"), "400 More Than One CSeq"},
		"two Content-Length":        {add("l: 0"), "400 More Than One Content-Length"},
		"no From tag":               {line("From", "From: <sip:a@b>"), "400 Missing From Tag"},
		"CSeq of another method":    {line("CSeq", "CSeq: 1 BYE"), "400 CSeq Method Does Not Match"},
		"no hops left":              {line("Max-Forwards", "Max-Forwards: 0"), "483 Too Many Hops"},
		"SIP/3.0":                   {func(s string) string { return strings.Replace(s, "SIP/2.0\r\n", "SIP/3.0\r\n", 1) }, "505 Version Not Supported"},
		"D3: a bare LF":             {add("Subject: a\nX-Consent: granted"), "400 Control Character In Header"},
		"D3: a NUL":                 {add("Subject: a\x00b"), "400 Control Character In Header"},
		"D3: a VT in a tag":         {line("From", "From: <sip:a@b>;tag=a\vb"), "400 Control Character In Header"},
		"an escaped CRLF in a user": {func(s string) string { return strings.Replace(s, "+31205550123@", "a%0d%0ab@", 1) }, "400 Control Character In Request-URI"},
		"an unknown scheme": {func(s string) string {
			return strings.Replace(s, "INVITE sip:+31205550123@127.0.0.1", "INVITE foo:bar", 1)
		}, "416 Unsupported URI Scheme"},
		"an extension required":    {add("Require: 100rel, foo, timer"), "420 Bad Extension"},
		"no Contact":               {line("Contact", ""), "400 Missing Contact"},
		"two Contacts":             {add("m: <sip:x@127.0.0.1>"), "400 More Than One Contact"},
		"a Contact list":           {line("Contact", "Contact: <sip:x@127.0.0.1>, <sip:y@127.0.0.1>"), "400 More Than One Contact"},
		"a Contact that is no SIP": {line("Contact", "Contact: <mailto:x@y>"), "400 Contact Is Not A SIP URI"},
		"a body of unknown type":   {line("Content-Type", "Content-Type: text/plain"), "415 Unsupported Media Type"},
		"an encoded body":          {add("e: gzip"), "415 Unsupported Media Type"},
		"a dialog we do not have": {func(s string) string {
			return strings.Replace(s, "To: <sip:+31205550123@127.0.0.1>", "To: <sip:x@y>;tag=nope", 1)
		}, "481 Call/Transaction Does Not Exist"},
		"an unknown method": {func(s string) string { return strings.ReplaceAll(s, "INVITE", "FOO") }, "405 Method Not Allowed"},
	}
}

func TestTrap17ARequestIsCheckedBeforeAnyStateIsMade(t *testing.T) {
	calls := make(chan struct{}, 64)
	e := start(t, Handler{Invite: func(context.Context, *Incoming) { calls <- struct{}{} }})
	for name, tt := range badRequests() {
		t.Run(name, func(t *testing.T) {
			p := udpPeer(t)
			text := tt.change(p.text(request{method: "INVITE", callID: newToken(), body: testOffer}))
			p.send(e.udp(), text)
			first := p.expect("SIP/2.0")
			assert.Equal(t, "SIP/2.0 "+tt.want, first.start)
			switch {
			case strings.HasPrefix(tt.want, "405"):
				assert.Equal(t, allowed, first.get("Allow"))
			case strings.HasPrefix(tt.want, "420"):
				assert.Equal(t, "foo, timer", first.get("Unsupported"))
			case strings.HasPrefix(tt.want, "415"):
				assert.Equal(t, accepted, first.get("Accept"))
			}
			// Nothing was kept, and yet the answer is the same.
			p.send(e.udp(), text)
			assert.Equal(t, first.raw, p.expect("SIP/2.0").raw)
			p.silent()
		})
	}
	assert.Empty(t, calls)
}

func TestMethodsThatAreNotTakenGet405(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	for _, m := range []string{"SUBSCRIBE", "MESSAGE", "PUBLISH", "REGISTER", "NOTIFY"} {
		p.request(e.udp(), request{method: m, toTag: "x"})
		assert.Equal(t, allowed, p.expect("SIP/2.0 405").get("Allow"), m)
	}
}

func TestAReferOutsideOfADialogGets405(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "REFER", headers: []string{"Refer-To: <sip:x@127.0.0.1>"}})
	assert.Equal(t, allowed, p.expect("SIP/2.0 405").get("Allow"))
}

func TestInDialogRequestsWithoutADialogGet481(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	for _, m := range []string{"BYE", "INFO", "UPDATE", "INVITE", "OPTIONS"} {
		p.request(e.udp(), request{method: m, toTag: "x"})
		p.expect("SIP/2.0 481")
	}
	p.request(e.udp(), request{method: "ACK", toTag: "x"})
	p.silent()
}

func TestADialogIsOnlyItsThreeIdentifiers(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	leg := receive(t, legs)
	for name, r := range map[string]request{
		"another Call-ID":  {callID: "other", toTag: tag},
		"another To tag":   {toTag: "other"},
		"another From tag": {fromTag: "other", toTag: tag},
	} {
		r.method, r.seq = "BYE", 2
		p.request(e.udp(), r)
		m := p.expect("SIP/2.0 481")
		require.NoError(t, leg.Context().Err(), "%s ended the leg: %s", name, m.start)
	}
	p.request(e.udp(), request{method: "BYE", seq: 2, toTag: tag})
	p.expect("SIP/2.0 200")
}

func TestALowerCSeqIsRefused(t *testing.T) {
	h, legs, _ := answering(InDialog{Info: func(string, []byte) int { return 200 }})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{seq: 10}).tag("To")
	_ = tag
	p.request(e.udp(), request{method: "ACK", seq: 10, toTag: tag})
	leg := receive(t, legs)
	for _, m := range []string{"INFO", "BYE", "INVITE", "UPDATE"} {
		p.request(e.udp(), request{method: m, seq: 9, toTag: tag})
		p.until("SIP/2.0 500 CSeq Out Of Order")
	}
	p.request(e.udp(), request{method: "INFO", seq: 20, toTag: tag})
	p.until("SIP/2.0 200")
	p.request(e.udp(), request{method: "INFO", seq: 20, toTag: tag}) // another transaction
	p.until("SIP/2.0 500")
	require.NoError(t, leg.Context().Err())
	p.request(e.udp(), request{method: "BYE", seq: 21, toTag: tag})
	p.until("SIP/2.0 200")
}

func TestOptionsIsAnsweredWithWhatWeCanDo(t *testing.T) {
	var draining atomic.Bool
	e := start(t, Handler{Options: func() (int, string) {
		if draining.Load() {
			return 503, "Draining"
		}
		return 200, "OK"
	}})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "OPTIONS"})
	ok := p.expect("SIP/2.0 200")
	assert.Equal(t, allowed, ok.get("Allow"))
	assert.Equal(t, accepted, ok.get("Accept"))
	assert.NotEmpty(t, ok.tag("To"))
	draining.Store(true)
	p.request(e.udp(), request{method: "OPTIONS"})
	p.expect("SIP/2.0 503 Draining")
}

func TestAPanicInOptionsSends500(t *testing.T) {
	e := start(t, Handler{Options: func() (int, string) { panic("boom") }})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "OPTIONS"})
	p.expect("SIP/2.0 500")
}

func TestTrap20HeadersAreFoundInEveryForm(t *testing.T) {
	got := make(chan map[string][]string, 1)
	e := start(t, rejecting(func(in *Incoming) {
		m := map[string][]string{}
		for _, n := range []string{"Supported", "Session-Expires", "refer-to", "Referred-By", "Event", "Allow-Events", "X-Own"} {
			m[n] = in.Header(n)
		}
		got <- m
	}))
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer, headers: []string{
		"K: a", "x: 90", "r: <sip:r@h>", "b: <sip:b@h>", "o: talk", "u: dialog", "x-OWN: 1", "X-Own: 2",
	}})
	assert.Equal(t, map[string][]string{
		"Supported": {"a"}, "Session-Expires": {"90"}, "refer-to": {"<sip:r@h>"}, "Referred-By": {"<sip:b@h>"},
		"Event": {"talk"}, "Allow-Events": {"dialog"}, "X-Own": {"1", "2"},
	}, receive(t, got))
	p.until("SIP/2.0 603")
}

// D2: what came out of RFC 4475 and the like must leave the endpoint alive.
func TestHostileMessagesLeaveTheEndpointAlive(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	good := p.text(request{method: "INVITE", body: testOffer})
	hostile := []string{
		"", "\r\n\r\n", "\x00\x00\x00\x00", "SIP/2.0", "INVITE sip:a SIP/2.0\r\n", "SIP/2.0 200 OK\r\n\r\n",
		"SIP/2.0 99999999999999 OK\r\nCSeq: 1 INVITE\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\n\r\n",
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\nCSeq: 1 INVITE\r\n\r\n",
		edit(good, "CSeq", "CSeq: 4294967296 INVITE"), edit(good, "CSeq", "CSeq: INVITE"), edit(good, "Via", ""),
		edit(good, "Via", "Via: SIP/2.0/UDP ;branch="), edit(good, "To", "To: \"unclosed <sip:x"),
		edit(good, "Content-Length", "Content-Length: 99999999"), edit(good, "From", "From: ;tag="),
		edit(good, "Contact", "Contact: *"), edit(good, "INVITE", "INVITE  sip:x SIP/2.0"),
		edit(good, "INVITE", "INVITE * SIP/2.0"), strings.Repeat("A", 60000),
		edit(good, "Max-Forwards", "Max-Forwards: 999999999999"), edit(good, "To", "To: <tel:>"),
		edit(good, "INVITE", "INVITE sip:@@@:::;;;??? SIP/2.0"), edit(good, "INVITE", "INVITE sip:x@[::1 SIP/2.0"),
	}
	for i, text := range hostile {
		if text == "" {
			continue
		}
		p.send(e.udp(), strings.ReplaceAll(text, "call-1", fmt.Sprint("hostile-", i)))
	}
	p.request(e.udp(), request{method: "OPTIONS", callID: "alive"})
	for m := p.until("SIP/2.0"); m.get("Call-ID") != "alive"; m = p.until("SIP/2.0") {
		assert.NotContains(t, m.start, "SIP/2.0 2")
	}
}
