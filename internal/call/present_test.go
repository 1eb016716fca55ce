package call

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"unicode"

	"consentgw/consent"
	"consentgw/internal/config"

	"github.com/stretchr/testify/require"
)

// center is a target that keeps what it gets, as it came, and is busy.
type center struct {
	*net.UDPConn
	h *house
}

func (h *house) center() *center {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback(), 0)))
	require.NoError(h.t, err)
	h.t.Cleanup(func() { conn.Close() })
	deadline, _ := h.ctx.Deadline()
	require.NoError(h.t, conn.SetReadDeadline(deadline))
	h.ring = nil
	h.cfg.Platforms[0].Targets = []config.Target{{URI: "sip:" + conn.LocalAddr().String(), Priority: 1, Weight: 1}}
	return &center{conn, h}
}

func (c *center) target() *config.Target { return &c.h.cfg.Platforms[0].Targets[0] }

// invited returns the next INVITE, byte for byte, after refusing it.
func (c *center) invited() string {
	b := make([]byte, 65536)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		require.NoError(c.h.t, err, "the gateway dialed nobody")
		text := string(b[:n])
		if !strings.HasPrefix(text, "INVITE ") {
			continue
		}
		answer := "SIP/2.0 486 Busy Here\r\n"
		for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
			answer += name + ": " + strings.Join(all(text, name), ", ")
			if name == "To" {
				answer += ";tag=center"
			}
			answer += "\r\n"
		}
		_, err = c.WriteToUDPAddrPort([]byte(answer+"Content-Length: 0\r\n\r\n"), from)
		require.NoError(c.h.t, err)
		return text
	}
}

// all are the values of a header of a message.
func all(message, name string) (values []string) {
	head, _, _ := strings.Cut(message, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

// told plays a call that nobody is asked in, with these lines in its INVITE, and
// returns the INVITE that the platform got, and the record.
func (h *house) told(c *center, lines ...string) (string, *consent.Record) {
	h.cfg.Routes[0].Policy = ""
	h.build()
	w := h.wire("private-name-of-the-call")
	for _, line := range lines {
		if name, _, _ := strings.Cut(line, ":"); name == "From" {
			_, rest, _ := strings.Cut(w.tail, "\r\n")
			w.tail = rest
		}
		w.tail += line + "\r\n"
	}
	ok := w.invite()
	require.Contains(h.t, ok, "SIP/2.0 200 ")
	w.acknowledge(ok, "")
	invite := c.invited()
	w.reads("BYE ", "BYE")
	return invite, h.until("the record", func() (*consent.Record, bool) {
		r, err := h.store.Store.Find(h.ctx, w.id)
		return r, err == nil && r.Ended()
	})
}

const session = "0123456789abcdef0123456789abcdef"

// passport is an Identity header about fromNumber.
func passport() string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"ES256"}`)) + "." +
		encode([]byte(`{"attest":"A","iat":1785585600,"orig":{"tn":"`+fromNumber[1:]+`"},"origid":"de305d54"}`)) +
		".c2ln;info=<https://cert.example/a.cer>;alg=ES256;ppt=\"shaken\""
}

func TestThePlatformIsToldWhoCallsAsTheTrunkAndTheCallerAllow(t *testing.T) {
	for name, c := range map[string]struct {
		arrange  func(*config.Config)
		lines    []string
		from     string // URI of From toward the platform, without its host
		asserted string // user of P-Asserted-Identity toward the platform; empty: none
		privacy  string // toward the platform
		identity bool   // an Identity header toward the platform
		subject  string
		source   string
		withheld bool
	}{
		"only From": {from: "sip:" + fromNumber, subject: fromNumber, source: consent.SourceFrom},
		"the asserted number before From": {lines: []string{"P-Asserted-Identity: \"A\" <sip:+31205550111@caller.example>, <tel:+31205550112>"},
			from: "sip:+31205550111", asserted: "+31205550111", subject: "+31205550111", source: consent.SourceAsserted},
		"a tel URI": {lines: []string{"P-Asserted-Identity: <tel:+31205550112>"},
			from: "sip:+31205550112", asserted: "+31205550112", subject: "+31205550112", source: consent.SourceAsserted},
		"a trunk that is not trusted asserts nothing": {arrange: func(c *config.Config) { c.Trunks[0].Identity = config.IdentityUntrusted },
			lines: []string{"P-Asserted-Identity: <sip:+31205550111@caller.example>"},
			from:  "sip:" + fromNumber, subject: fromNumber, source: consent.SourceFrom},
		"a number that is withheld": {lines: []string{"P-Asserted-Identity: <sip:+31205550111@caller.example>", "Privacy: id", "Identity: " + passport()},
			from: "sip:anonymous", source: consent.SourceAsserted, withheld: true},
		"a number that is withheld by user and header": {lines: []string{"Privacy: user;header"},
			from: "sip:anonymous", source: consent.SourceFrom, withheld: true},
		"an anonymous From with an asserted number": {lines: []string{"From: <sip:anonymous@anonymous.invalid>;tag=wire", "P-Asserted-Identity: <sip:+31205550111@caller.example>"},
			from: "sip:anonymous", source: consent.SourceAsserted, withheld: true},
		"nobody": {lines: []string{"From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=wire"},
			from: "sip:anonymous", withheld: true},
		"an express wish for no privacy": {lines: []string{"From: <sip:anonymous@anonymous.invalid>;tag=wire", "P-Asserted-Identity: <sip:+31205550111@caller.example>", "Privacy: none"},
			from: "sip:+31205550111", asserted: "+31205550111", subject: "+31205550111", source: consent.SourceAsserted},
		"a platform that is trusted with what is withheld": {arrange: func(c *config.Config) { c.Platforms[0].Identity = config.IdentityTrusted },
			lines: []string{"P-Asserted-Identity: <sip:" + fromNumber + "@caller.example>", "Privacy: id;critical", "Identity: " + passport()},
			from:  "sip:anonymous", asserted: fromNumber, privacy: "id;critical", identity: true, source: consent.SourceAsserted, withheld: true},
		"a trusted platform and an anonymous From": {arrange: func(c *config.Config) { c.Platforms[0].Identity = config.IdentityTrusted },
			lines: []string{"From: <sip:anonymous@anonymous.invalid>;tag=wire", "P-Asserted-Identity: <sip:+31205550111@caller.example>"},
			from:  "sip:anonymous", asserted: "+31205550111", privacy: "id", source: consent.SourceAsserted, withheld: true},
		"a signed statement": {lines: []string{"Identity: " + passport()}, from: "sip:" + fromNumber, identity: true, subject: fromNumber, source: consent.SourceFrom},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			center := h.center()
			if c.arrange != nil {
				c.arrange(h.cfg)
			}
			invite, r := h.told(center, c.lines...)
			require.Contains(t, all(invite, "From")[0], "<"+c.from+"@")
			if c.withheld {
				require.Contains(t, all(invite, "From")[0], "@anonymous.invalid>")
			}
			if c.asserted == "" {
				require.Empty(t, all(invite, "P-Asserted-Identity"))
			} else {
				require.Equal(t, []string{"<sip:" + c.asserted + "@127.0.0.1;user=phone>"}, all(invite, "P-Asserted-Identity"))
			}
			require.Equal(t, c.privacy, strings.Join(all(invite, "Privacy"), " "))
			require.Equal(t, c.identity, len(all(invite, "Identity")) == 1)
			hidden(t, invite)
			require.Equal(t, c.subject, r.Subject)
			require.Equal(t, c.source, r.Call.Signalled.Source)
			require.Equal(t, c.withheld, r.Call.Signalled.Withheld)
			if c.withheld {
				notSearched(h, "+31205550111", fromNumber)
				if c.asserted == "" {
					require.NotContains(t, invite, "205550111")
					require.NotContains(t, invite, fromNumber)
				}
			}
		})
	}
}

// hidden checks that a message to the platform says nothing of the trunk.
func hidden(t *testing.T, message string) {
	for _, leak := range []string{"caller.example", "gw.example", "z9hG4bK-wire", "tag=wire"} {
		require.NotContains(t, message, leak)
	}
	require.Len(t, all(message, "Via"), 1)
	require.Empty(t, all(message, "Record-Route"))
	require.NotContains(t, strings.Join(all(message, "Call-ID"), ""), "private-name")
	head, _, _ := strings.Cut(message, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		require.False(t, strings.ContainsFunc(line, unicode.IsControl), "%q", line)
	}
}

// notSearched checks that no search by a number finds anything.
func notSearched(h *house, numbers ...string) {
	for _, n := range numbers {
		page, err := h.store.Search(h.ctx, consent.Query{Subject: n})
		require.NoError(h.t, err)
		require.Empty(h.t, page.Records)
	}
}

func TestWhatWasSignedAboutTheCallerIsEvidence(t *testing.T) {
	h := newHouse(t)
	invite, r := h.told(h.center(), "Identity: "+passport(), "Identity: ..c2ln;info=<https://cert.example/b>", "Identity: nonsense")
	require.Equal(t, []string{passport()}, all(invite, "Identity"))
	list := r.Call.Signalled.Attestations
	require.Len(t, list, 2)
	require.Equal(t, "shaken A de305d54", list[0].Type+" "+list[0].Attest+" "+list[0].OrigID)
	require.True(t, list[0].NumberMatches)
	require.False(t, list[0].Verified, "nobody has checked the signature")
	require.Len(t, list[0].TokenSHA256, 64)
	require.EqualValues(t, 1785585600, list[0].IssuedAt.Unix())
	require.Empty(t, list[1].Attest)
	require.False(t, list[1].NumberMatches)
}

func TestThePlatformIsToldOfTheConsentInItsOwnWay(t *testing.T) {
	for name, form := range map[string]string{
		"genesys": ";pd=00;encoding=hex;purpose=isdn-uui;content=isdn-uui", "generic": ";encoding=hex;purpose=isdn-uui;content=isdn-uui",
		"amazon": ";encoding=hex", "twilio": ";encoding=hex", "audiocodes": ";encoding=ascii", "nice": "",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			c := h.center()
			h.cfg.Platforms[0].Headers, h.cfg.Platforms[0].UserToUser = name, true
			invite, r := h.told(c)
			require.Equal(t, []string{string(r.ID)}, all(invite, "X-Consent-Id"))
			require.Equal(t, []string{"unknown"}, all(invite, "X-Consent-Status"))
			require.Equal(t, []string{"private-name-of-the-call"}, all(invite, "X-CID"))
			data := "cg1.unknown.off." + string(r.ID)
			uui := append(all(invite, "User-to-User"), all(invite, "X-User-to-User")...)
			switch name {
			case "nice":
				require.Empty(t, uui)
				return
			case "audiocodes":
				require.Equal(t, []string{data + form}, uui)
				return
			case "generic":
				data = "\x00" + data
			}
			require.Equal(t, []string{hex.EncodeToString([]byte(data)) + form}, uui)
		})
	}
}

func TestOnlyWhatIsListedOfTheCallersHeadersGoesOnAndOnlyIfItIsClean(t *testing.T) {
	h := newHouse(t)
	c := h.center()
	h.cfg.Platforms[0].PassHeaders = []string{"X-Account-Id", "Subject", "X-Folded", "X-Broken", "X-Line", "X-Long", "X-Twice", "User-to-User", "Diversion", "History-Info"}
	invite, r := h.told(c,
		"x-account-id: 4711", "s: compact \tform", "X-Folded: a\r\n b", "X-Broken: a\xffb", "X-Line: a\u0085X-Consent-Status: granted", "X-Long: "+strings.Repeat("a", 600),
		"X-Twice: 1", "X-Twice: 2", "User-to-User: 00313233;encoding=hex", "X-Other: secret",
		"X-Consent-Status: granted", "X-Consent-Id: forged", "X-Recording: on", "X-CID: forged", "X-Consent-Language: xx", "X-Consent-Anything: forged",
		"Route: <sip:"+h.closed()+";lr>", "Authorization: Digest username=\"secret\"", "Remote-Party-ID: <sip:secret@caller.example>", "P-Charging-Vector: icid-value=secret",
		"Record-Route: <sip:proxy.caller.example;lr>", "Organization: secret", "Server: secret", "User-Agent: secret",
		"History-Info: <sip:+31205550130@caller.example>;index=1, <sip:+31205550131@caller.example?Privacy=history>;index=1.1",
		"Diversion: <sip:+31205550132@caller.example>;reason=no-answer;privacy=off",
		"Diversion: <sip:+31205550133@caller.example>;reason=unconditional;privacy=full")
	for name, want := range map[string][]string{
		"X-Account-Id": {"4711"}, "Subject": {"compact  form"}, "X-Long": nil, "X-Twice": {"1"}, "X-Other": nil, "Organization": nil,
		"User-to-User": {"00313233;encoding=hex"}, "X-Broken": nil, "X-Line": nil, "X-Consent-Status": {"unknown"}, "X-Consent-Id": {string(r.ID)}, "X-Recording": {"off"},
		"X-CID": {"private-name-of-the-call"}, "X-Consent-Language": nil, "X-Consent-Anything": nil, "Route": nil,
		"History-Info": {"<sip:+31205550130@127.0.0.1;user=phone>;index=1"},
		"Diversion":    {"<sip:+31205550132@127.0.0.1;user=phone>;reason=no-answer"},
	} {
		require.Equal(t, want, all(invite, name), name)
	}
	require.NotContains(t, invite, "secret")
	require.NotContains(t, invite, "forged")
	hidden(t, invite)
	require.Equal(t, "+31205550132", r.Call.Signalled.DivertedFrom)
}

// A control character in any header is refused before anything of it is kept, so
// none can become a header of the gateway's further on.
func TestAHeaderThatCouldBecomeTwoIsRefused(t *testing.T) {
	for name, line := range map[string]string{
		"a line feed": "X-Account-Id: a\nX-Consent-Status: granted", "a NUL": "X-Account-Id: a\x00b", "a carriage return": "X-Account-Id: a\rX-Consent-Status: granted",
		"a vertical tab": "X-Account-Id: a\vb", "a delete": "X-Account-Id: a\x7fb", "an identity": "P-Asserted-Identity: <sip:a\nX: y@b.example>",
		"a name": "P-Asserted-Identity: \"a\nX: y\" <sip:+31205550111@b.example>", "a signed statement": "Identity: a.b.c;info=<https://a\nX: y>",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.center()
			h.cfg.Platforms[0].PassHeaders = []string{"X-Account-Id"}
			h.build()
			w := h.wire(h.callID())
			w.tail += line + "\r\n"
			require.Contains(t, w.invite(), "SIP/2.0 400 ")
			require.Empty(t, h.svc.Live())
		})
	}
}

func (h *house) closed() string { return closedAddr(h.t).String() }

func TestNothingOfTheCallersIsPassedUnlessAsked(t *testing.T) {
	h := newHouse(t)
	invite, r := h.told(h.center(), "X-Account-Id: 4711", "User-to-User: 00313233", "Diversion: <sip:+31205550132@caller.example>;privacy=full")
	for _, name := range []string{"X-Account-Id", "User-to-User", "Diversion", "History-Info", "Identity", "P-Asserted-Identity", "Privacy"} {
		require.Empty(t, all(invite, name), name)
	}
	require.Empty(t, r.Call.Signalled.DivertedFrom)
}

func TestATargetIsGivenTheHostsThatItExpects(t *testing.T) {
	h := newHouse(t)
	c := h.center()
	c.target().FromHost, c.target().Host = "gateway.tenant.example", "tenant.example:5070"
	invite, _ := h.told(c, "P-Asserted-Identity: <sip:+31205550111@caller.example>")
	require.True(t, strings.HasPrefix(invite, "INVITE sip:"+toNumber+"@tenant.example:5070 SIP/2.0\r\n"), invite)
	require.Contains(t, all(invite, "From")[0], "<sip:+31205550111@gateway.tenant.example>")
	require.Equal(t, []string{"<sip:+31205550111@gateway.tenant.example;user=phone>"}, all(invite, "P-Asserted-Identity"))
}

func TestTheSessionIDSpansBothLegs(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  string // of the platform leg; empty: the gateway's own
	}{
		"of a caller that has one": {[]string{"Session-ID: " + session + ";remote=00000000000000000000000000000000"}, session},
		"of one that has none":     {nil, ""},
		"of one that has another":  {[]string{"Session-ID: not-a-session"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			invite, r := h.told(h.center(), c.lines...)
			s := r.Call.Signalled.Sessions
			require.Len(t, s.Gateway, 32)
			require.Equal(t, c.want, s.Caller)
			if c.want == "" {
				c.want = s.Gateway
			}
			require.Equal(t, []string{c.want + ";remote=00000000000000000000000000000000"}, all(invite, "Session-ID"))
		})
	}
}

// A call that is answered carries the halves of both its ends.
func TestTheSessionIDOfThePlatformReachesTheCaller(t *testing.T) {
	h := newHouse(t)
	c := h.center()
	h.cfg.Routes[0].Policy = ""
	h.build()
	w := h.wire("both-halves")
	w.tail += "Session-ID: " + session + ";remote=00000000000000000000000000000000\r\n"
	ok := w.invite()
	r := h.until("the call", func() (*consent.Record, bool) { r, found := h.svc.Find("both-halves"); return r, found })
	require.Equal(t, []string{r.Call.Signalled.Sessions.Gateway + ";remote=" + session}, all(ok, "Session-ID"))
	w.acknowledge(ok, "")
	b := make([]byte, 65536)
	n, from, err := c.ReadFromUDPAddrPort(b)
	require.NoError(t, err)
	invite := string(b[:n])
	theirs := strings.Repeat("fe", 16)
	_, offer, _ := strings.Cut(invite, "\r\n\r\n")
	answer := "SIP/2.0 200 OK\r\n"
	for _, name := range []string{"Via", "From", "Call-ID", "CSeq"} {
		answer += name + ": " + all(invite, name)[0] + "\r\n"
	}
	answer += fmt.Sprintf("To: %s;tag=center\r\nContact: <sip:%s>\r\nSession-ID: %s;remote=%s\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
		all(invite, "To")[0], c.LocalAddr(), theirs, session, len(offer), moved(offer, c.LocalAddr()))
	_, err = c.WriteToUDPAddrPort([]byte(answer), from)
	require.NoError(t, err)
	h.until("the platform's half", func() (*consent.Record, bool) {
		r, found := h.svc.Find("both-halves")
		return r, found && r.Call.Signalled.Sessions.Platform == theirs
	})
	_, err = h.svc.Command(h.ctx, "both-halves", "hangup")
	require.NoError(t, err)
	require.Equal(t, []string{theirs + ";remote=" + session}, all(w.reads("BYE ", "BYE"), "Session-ID"))
}

// moved is a description with its port changed to that of a socket, in as many
// digits.
func moved(offer string, addr net.Addr) string {
	at := strings.Index(offer, "m=audio ") + len("m=audio ")
	end := at + strings.IndexByte(offer[at:], ' ')
	port := addr.(*net.UDPAddr).Port
	return offer[:at] + fmt.Sprintf("%0*d", end-at, port)[:end-at] + offer[end:]
}

func TestATrunkThatIsNotTrustedIsToldNoWithheldNumber(t *testing.T) {
	for name, c := range map[string]struct {
		identity   string
		withheld   bool
		from, wish string
		asserted   []string
	}{
		"shown to a trunk that is trusted":      {identity: config.IdentityTrusted, from: fromNumber, asserted: []string{"sip:" + fromNumber + "@carrier.example;user=phone"}},
		"shown to a trunk that is not trusted":  {identity: config.IdentityUntrusted, from: fromNumber},
		"withheld from a trunk that is trusted": {identity: config.IdentityTrusted, withheld: true, asserted: []string{"sip:" + fromNumber + "@carrier.example;user=phone"}, wish: "id"},
		"withheld from one that is not":         {identity: config.IdentityUntrusted, withheld: true},
	} {
		t.Run(name, func(t *testing.T) {
			call := &Call{rec: &consent.Record{}, asked: &party{}, route: journey{
				trunk: config.Trunk{Identity: c.identity}, from: fromNumber, caller: identity{withheld: c.withheld},
			}}
			told := call.presentToTrunk(config.Target{FromHost: "carrier.example"})
			require.Equal(t, c.from, told.caller)
			require.Equal(t, c.asserted, told.present.Asserted)
			require.Equal(t, c.wish, strings.Join(told.present.Privacy, ";"))
			require.Empty(t, told.headers)
		})
	}
}
