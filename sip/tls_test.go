package sip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestACallComesInByTLS(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	h, legs, _ := answering(InDialog{})
	e := start(t, h, overTLS(a.gateway(ClientCertNone)))
	p := dialTLS(t, e.tls(), a.config("", named{}))
	ok := p.call(e.tls(), request{})
	assert.Contains(t, ok.get("Contact"), "sip:"+e.tls().String()+";transport=tls")
	leg := receive(t, legs)
	done := make(chan error, 1)
	go func() { done <- leg.Bye(t.Context(), "over") }()
	bye := p.expect("BYE") // on the caller's own connection
	assert.Contains(t, bye.get("Via"), "SIP/2.0/TLS "+e.tls().String())
	p.respond(bye, "200 OK", reply{})
	require.NoError(t, receive(t, done))
}

func TestASIPSCallIsAnsweredWithASIPSContact(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	h, legs, _ := answering(InDialog{})
	e := start(t, h, overTLS(a.gateway(ClientCertNone)))
	p := dialTLS(t, e.tls(), a.config("", named{}))
	ok := p.call(e.tls(), request{uri: "sips:+31205550123@127.0.0.1"})
	assert.Equal(t, "<sips:"+e.tls().String()+">", ok.get("Contact"))
	receive(t, legs)
	p.request(e.tls(), request{method: "BYE", seq: 2, toTag: ok.tag("To")})
	p.expect("SIP/2.0 200")
}

func TestIdentitiesAreTheNamesOfTheVerifiedCertificate(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	got := make(chan []string, 1)
	for name, tt := range map[string]struct {
		cert string
		is   named
		want []string
	}{
		"no certificate": {},
		"every kind of name": {"trunk", named{
			cn: "trunk", dns: []string{"trunk.example"}, uris: []string{"sip:trunk.example"}, ips: []string{"192.0.2.1"},
		}, []string{"trunk.example", "sip:trunk.example", "192.0.2.1", "trunk"}},
		"a common name that is among them": {"same", named{cn: "a.example", dns: []string{"a.example"}}, []string{"a.example"}},
		"a common name alone":              {"cn", named{cn: "old"}, []string{"old"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, rejecting(func(in *Incoming) {
				assert.Equal(t, "tls", in.Transport())
				got <- in.Identities()
			}), overTLS(a.gateway(ClientCertOptional)))
			p := dialTLS(t, e.tls(), a.config(tt.cert, tt.is))
			p.request(e.tls(), request{method: "INVITE", body: testOffer})
			assert.Equal(t, tt.want, receive(t, got))
			p.until("SIP/2.0 603")
		})
	}
}

func TestACallThatDoesNotComeByTLSHasNoIdentities(t *testing.T) {
	got := make(chan []string, 1)
	e := start(t, rejecting(func(in *Incoming) { got <- in.Identities() }))
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer})
	assert.Nil(t, receive(t, got))
	p.until("SIP/2.0 603")
}

// refused says whether a TLS connection is refused: in the handshake, or with
// TLS 1.3 at the first read.
func refused(t *testing.T, e *testEndpoint, cfg *tls.Config) bool {
	t.Helper()
	p, err := tryTLS(t, e.tls(), cfg)
	return err != nil || p.closes(soon)
}

func TestAClientWithoutAValidCertificateIsRefused(t *testing.T) {
	checkLeaks(t)
	a, other := newAuthority(t), newAuthority(t)
	log := &logged{}
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertRequired)), func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(log, nil))
	})
	foreign := other.config("stranger", named{cn: "stranger"})
	foreign.RootCAs = a.config("", named{}).RootCAs
	old := a.config("", named{})
	old.MaxVersion = tls.VersionTLS11
	old.MinVersion = tls.VersionTLS10
	for name, cfg := range map[string]*tls.Config{
		"no certificate":          a.config("", named{}),
		"an expired one":          a.config("expired", named{cn: "x", expired: true}),
		"one of another CA":       foreign,
		"a version before TLS1.2": old,
	} {
		assert.True(t, refused(t, e, cfg), name)
	}
	p := dialTLS(t, e.tls(), a.config("good", named{cn: "good"}))
	p.request(e.tls(), request{method: "OPTIONS"})
	p.expect("SIP/2.0 200")
	assert.Contains(t, log.String(), "TLS handshake failed: the certificate has expired or is not valid yet")
	assert.Contains(t, log.String(), "TLS handshake failed: the certificate is signed by nobody we trust")
}

func TestAClientThatGivesABadCertificateIsRefusedEvenIfNoneIsNeeded(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertOptional)))
	assert.True(t, refused(t, e, a.config("expired", named{cn: "x", expired: true})))
}

func TestTLSFilesThatCannotBeUsedAreRefusedAtOnce(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	good := *a.gateway(ClientCertRequired)
	empty := a.dir + "/empty.pem"
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for want, change := range map[string]func(*TLS){
		"none of none, optional":    func(f *TLS) { f.ClientAuth = "maybe" },
		"needs a certificate":       func(f *TLS) { f.CertFile = "" },
		"no CA is named":            func(f *TLS) { f.CAFile = "" },
		"no such file":              func(f *TLS) { f.KeyFile = "/nonexistent" },
		"holds no certificate":      func(f *TLS) { f.CAFile = empty },
		"nonexistent-ca":            func(f *TLS) { f.CAFile = "/nonexistent-ca" },
		"does not match public key": func(f *TLS) { _, f.KeyFile = a.issue("another", named{cn: "x"}) },
	} {
		files := good
		change(&files)
		_, err := Listen(Config{Listen: []string{"tls:127.0.0.1:0"}, TLS: &files})
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, ClientTLS{CAFile: a.ca()}.Check())
	require.Error(t, ClientTLS{CertFile: good.CertFile}.Check())
}

func TestACallGoesOutByTLS(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertNone)))
	cfg := a.config("platform", named{dns: []string{"platform.example"}})
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	l := listenTLS(t, cfg)
	cert, key := a.issue("us", named{cn: "us"})
	got := dial(t.Context(), e, Invite{Target: l.target(), Called: "+31205550123", TLS: &ClientTLS{
		CertFile: cert, KeyFile: key, CAFile: a.ca(), ServerName: "platform.example",
	}})
	p := l.accept()
	inv := p.expect("INVITE sip:+31205550123@" + l.Addr().String() + ";transport=tls SIP/2.0")
	assert.Contains(t, inv.get("Via"), "SIP/2.0/TLS "+e.tls().String())
	assert.Contains(t, inv.get("Contact"), "sip:"+e.tls().String()+";transport=tls")
	assert.Equal(t, "us", p.stream.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName)
	p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer, headers: []string{"X: y"}})
	p.expect("ACK")
	leg := receive(t, got).leg
	done := make(chan error, 1)
	go func() { done <- leg.Bye(t.Context(), "") }()
	p.respond(p.expect("BYE"), "200 OK", reply{})
	require.NoError(t, receive(t, done))
}

func TestAServerThatIsNotWhoWeCallIsNotSpokenTo(t *testing.T) {
	checkLeaks(t)
	a, other := newAuthority(t), newAuthority(t)
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertNone)))
	for name, tt := range map[string]struct {
		server *tls.Config
		client ClientTLS
		want   string
	}{
		"another name": {
			a.config("wrong", named{dns: []string{"other.example"}}),
			ClientTLS{CAFile: a.ca(), ServerName: "platform.example"}, "for another name",
		},
		"another address": {a.config("ip", named{ips: []string{"192.0.2.1"}}), ClientTLS{CAFile: a.ca()}, "for another name"},
		"expired": {
			a.config("expired", named{ips: []string{"127.0.0.1"}, expired: true}), ClientTLS{CAFile: a.ca()}, "has expired",
		},
		"another CA": {other.config("o", named{ips: []string{"127.0.0.1"}}), ClientTLS{CAFile: a.ca()}, "nobody we trust"},
		"no files":   {a.config("ok", named{ips: []string{"127.0.0.1"}}), ClientTLS{CAFile: "/nonexistent"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listenTLS(t, tt.server)
			go func() {
				if c, err := l.Accept(); err == nil {
					_ = c.(*tls.Conn).Handshake()
					_ = c.Close()
				}
			}()
			_, err := e.Dial(t.Context(), Invite{Target: l.target(), TLS: &tt.client, Offer: []byte(testOffer), Called: "+31205550123"})
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "+3120")
		})
	}
}

func TestAServerThatWantsACertificateWeDoNotHaveIsUnreachable(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertNone)))
	cfg := a.config("platform", named{ips: []string{"127.0.0.1"}})
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	l := listenTLS(t, cfg)
	go func() {
		if c, err := l.Accept(); err == nil {
			_ = c.(*tls.Conn).Handshake()
			_ = c.Close()
		}
	}()
	_, err := e.Dial(t.Context(), Invite{Target: l.target(), TLS: &ClientTLS{CAFile: a.ca()}, Offer: []byte(testOffer)})
	require.ErrorIs(t, err, ErrUnreachable)
}

func TestAServerThatDoesNotShakeHandsIsGivenUp(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertNone)))
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer mute.Close()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("enough"))
	defer cancel()
	_, err = e.Dial(ctx, Invite{Target: "sips:" + mute.Addr().String(), Offer: []byte(testOffer)})
	require.ErrorContains(t, err, "enough")
}

func TestConnectionsForOneNameAreNotUsedForAnother(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertNone)))
	l := listenTLS(t, a.config("both", named{dns: []string{"a.example", "b.example"}}))
	ask := func(name string) <-chan error {
		got := make(chan error, 1)
		go func() {
			_, err := e.OptionsTLS(t.Context(), l.target(), &ClientTLS{CAFile: a.ca(), ServerName: name})
			got <- err
		}()
		return got
	}
	got := ask("a.example")
	first := l.accept()
	first.respond(first.expect("OPTIONS"), "200 OK", reply{tag: "x"})
	require.NoError(t, receive(t, got))
	got = ask("b.example")
	second := l.accept()
	second.respond(second.expect("OPTIONS"), "200 OK", reply{tag: "x"})
	require.NoError(t, receive(t, got))
	got = ask("a.example") // and that of the same name is
	first.respond(first.expect("OPTIONS"), "200 OK", reply{tag: "x"})
	require.NoError(t, receive(t, got))
}

func TestFault50CertificatesAreExchangedWhileConnectionsLive(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	h, legs, _ := answering(InDialog{})
	e := start(t, h, overTLS(a.gateway(ClientCertNone)))
	serial := func(p *peer) string {
		return p.stream.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	old := dialTLS(t, e.tls(), a.config("", named{}))
	ok := old.call(e.tls(), request{})
	receive(t, legs)
	a.gateway(ClientCertNone) // writes the same files anew
	require.NoError(t, e.ReloadTLS())
	young := dialTLS(t, e.tls(), a.config("", named{}))
	assert.NotEqual(t, serial(old), serial(young), "a new connection sees the new certificate")
	young.request(e.tls(), request{method: "OPTIONS", callID: "young"})
	young.expect("SIP/2.0 200")
	old.request(e.tls(), request{method: "BYE", seq: 2, toTag: ok.tag("To")})
	old.expect("SIP/2.0 200")

	// A reload that fails changes nothing.
	require.NoError(t, os.WriteFile(a.dir+"/gateway.key", []byte("broken"), 0o600))
	require.ErrorContains(t, e.ReloadTLS(), "gateway.key")
	third := dialTLS(t, e.tls(), a.config("", named{}))
	assert.Equal(t, serial(young), serial(third))
}

func TestFault50OurClientCertificateAndRootsAreExchanged(t *testing.T) {
	checkLeaks(t)
	a, b := newAuthority(t), newAuthority(t)
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertNone)))
	cfg := a.config("platform", named{ips: []string{"127.0.0.1"}})
	cfg.ClientAuth = tls.RequireAnyClientCert
	l := listenTLS(t, cfg)
	cert, key := a.issue("us", named{cn: "first"})
	files := &ClientTLS{CertFile: cert, KeyFile: key, CAFile: a.ca()}
	ask := func() <-chan error {
		got := make(chan error, 1)
		go func() { _, err := e.OptionsTLS(t.Context(), l.target(), files); got <- err }()
		return got
	}
	shown := func(p *peer) string {
		return p.stream.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	got := ask()
	p := l.accept()
	p.respond(p.expect("OPTIONS"), "200 OK", reply{tag: "x"})
	require.NoError(t, receive(t, got))
	assert.Equal(t, "first", shown(p))
	a.issue("us", named{cn: "second"})
	require.NoError(t, e.ReloadTLS())
	got = ask()
	p.respond(p.expect("OPTIONS"), "200 OK", reply{tag: "x"}) // on the connection there is
	require.NoError(t, receive(t, got))
	require.NoError(t, p.stream.Close())
	forgotten := func() bool {
		return !e.security.stacks()[0].connected(l.Addr().(*net.TCPAddr).AddrPort())
	}
	require.Eventually(t, forgotten, soon, time.Millisecond)
	got = ask()
	p = l.accept()
	p.respond(p.expect("OPTIONS"), "200 OK", reply{tag: "x"})
	require.NoError(t, receive(t, got))
	assert.Equal(t, "second", shown(p))
	require.NoError(t, p.stream.Close())
	require.Eventually(t, forgotten, soon, time.Millisecond)

	other, err := os.ReadFile(b.ca())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(a.ca(), other, 0o600))
	require.NoError(t, e.ReloadTLS())
	got = ask()
	c, err := l.Accept()
	require.NoError(t, err)
	_ = c.(*tls.Conn).Handshake()
	defer c.Close()
	require.ErrorContains(t, receive(t, got), "nobody we trust")
}

func TestTheIdentitiesOfConnectionsThatWeOpenAreBounded(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertNone)))
	for i := range maxTLSStacks {
		_, err := e.secureStack(nil, strings.Repeat("x", i+1))
		require.NoError(t, err)
	}
	_, err := e.secureStack(nil, "one-more")
	require.ErrorIs(t, err, ErrUnreachable)
	_, err = e.secureStack(nil, "x")
	require.NoError(t, err)
}

func TestD08ATLSConnectionThatNeverShakesHandsIsClosed(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	e := startWith(t, Handler{}, func(e *Endpoint) {
		e.sockets[2].conns.timeout, e.sockets[2].conns.idle = 300*time.Millisecond, 600*time.Millisecond
	}, overTLS(a.gateway(ClientCertNone)))
	assert.True(t, dialTCP(t, e.tls()).closes(soon), "no handshake")
	p := dialTLS(t, e.tls(), a.config("", named{}))
	assert.True(t, p.closes(soon), "no message")
	p = dialTLS(t, e.tls(), a.config("", named{}))
	p.request(e.tls(), request{method: "OPTIONS"})
	p.expect("SIP/2.0 200")
	p.send(e.tls(), "OPTIONS sip:x SIP/2.0\r\nSubject: aaa")
	assert.True(t, p.closes(soon), "a message that does not end")
	p = dialTLS(t, e.tls(), a.config("", named{}))
	p.request(e.tls(), request{method: "OPTIONS"})
	p.expect("SIP/2.0 200")
	assert.False(t, p.closes(400*time.Millisecond), "idle for less than the limit")
	assert.True(t, p.closes(soon), "idle for too long")
}

func TestCertificateProblemsAreNamedInFixedWords(t *testing.T) {
	for want, err := range map[string]error{
		"the certificate is for another name":             x509.HostnameError{Certificate: &x509.Certificate{}, Host: "+31205550101"},
		"the certificate has expired or is not valid yet": &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}},
		"the certificate is not valid for this use":       x509.CertificateInvalidError{Reason: x509.IncompatibleUsage},
		"the certificate is signed by nobody we trust":    x509.UnknownAuthorityError{},
		"the far end refused: tls: bad certificate":       tls.AlertError(42),
		"the far end does not speak TLS":                  tls.RecordHeaderError{Msg: "+31205550101"},
		"":                                                errors.New("x"),
	} {
		assert.Equal(t, want, certificateProblem(err))
	}
}
