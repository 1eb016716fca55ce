package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"consentgw/internal/config"
	"consentgw/internal/phone"
	"consentgw/sip"

	"github.com/stretchr/testify/require"
)

// statusOf is the SIP status that a call was refused with; 0 if it was answered.
func statusOf(t *testing.T, err error) int {
	if err == nil {
		return 0
	}
	var status *sip.StatusError
	require.True(t, errors.As(err, &status), "%v", err)
	return status.Code
}

func TestATrunkWithAPasswordTakesNoCallWithoutIt(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.cfg.Trunks[0].Auth = &config.Auth{Username: "carrier", Password: "right", Realm: "consentgw"}
	s.desks = []*desk{{}}
	s.start(nil)
	for _, call := range []struct {
		name string
		auth *sip.Credentials
		code int
	}{
		{"none", nil, 407},
		{"wrong", &sip.Credentials{Username: "carrier", Password: "wrong"}, 407},
		{"another user", &sip.Credentials{Username: "other", Password: "right"}, 407},
		{"right", &sip.Credentials{Username: "carrier", Password: "right"}, 0},
	} {
		line, err := s.caller.Call(s.ctx, phone.Dial{Target: s.trunkURI(), Caller: callerNumber, Called: calledNumber, Auth: call.auth})
		require.Equal(t, call.code, statusOf(t, err), call.name)
		if line != nil {
			require.NoError(t, line.Hangup(s.ctx))
		}
	}
}

func TestATargetThatAsksForAPasswordGetsIt(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	p.aDesk(0).password = "right"
	p.start(nil)
	p.plan().Targets[0].Auth = &config.Auth{Username: "gateway", Password: "right"}
	p.halt()
	p.serve()
	p.dials([]string{"+31305550123"}) // a plain relay: nobody is asked
	p.picksUp(0)
	p.talk()
}

// plan is the only platform of the configuration.
func (s *stage) plan() *config.Platform { return &s.cfg.Platforms[0] }

func TestATrunkByTLSIsKnownByItsCertificate(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ca := newAuthority(t)
	server := ca.issue(t, "gateway.example")
	s.cfg.Listen.Trunk.SIP = []config.SIPAddr{{Transport: "tls", Addr: s.cfg.Listen.Trunk.SIP[0].Addr}}
	s.cfg.Listen.Trunk.TLS = &config.TLS{Cert: server.cert, Key: server.key, CA: ca.file, ClientAuth: "required"}
	s.cfg.Trunks[0].TLSNames = []string{"carrier.example"}
	s.desks = []*desk{{}}
	s.start(nil)
	for name, code := range map[string]int{"carrier.example": 0, "somebody.example": 403} {
		mine := ca.issue(t, name)
		caller, err := phone.New(phone.Config{Listen: "tls:127.0.0.1:0",
			TLS: &sip.TLS{CertFile: mine.cert, KeyFile: mine.key, CAFile: ca.file}})
		require.NoError(t, err)
		line, err := caller.Call(s.ctx, phone.Dial{Target: s.trunkURI(), Caller: callerNumber, Called: calledNumber,
			TLS: &sip.ClientTLS{CertFile: mine.cert, KeyFile: mine.key, CAFile: ca.file}})
		require.Equal(t, code, statusOf(t, err), name)
		if line != nil {
			require.NoError(t, line.Hangup(s.ctx))
		}
		require.NoError(t, caller.Close())
	}
}

// authority signs the certificates of one test.
type authority struct {
	dir, file string
	cert      *x509.Certificate
	key       *ecdsa.PrivateKey
}

// files are a certificate and its key on disk.
type files struct{ cert, key string }

func newAuthority(t *testing.T) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	a := &authority{dir: t.TempDir(), cert: cert, key: key}
	a.file = a.write(t, "ca.pem", "CERTIFICATE", der)
	return a
}

// issue makes a certificate for a name, and for the loopback address.
func (a *authority) issue(t *testing.T, name string) files {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return files{a.write(t, name+".pem", "CERTIFICATE", der), a.write(t, name+".key", "PRIVATE KEY", secret)}
}

func (a *authority) write(t *testing.T, name, kind string, der []byte) string {
	path := filepath.Join(a.dir, name)
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}
