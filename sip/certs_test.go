package sip

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An authority signs the certificates of a test and keeps them in a directory.
type authority struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// ca is the file that holds the authority's own certificate.
func (a *authority) ca() string { return filepath.Join(a.dir, "ca.pem") }

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	writePEM(t, a.ca(), "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// A named is what a certificate is for.
type named struct {
	cn      string
	dns     []string
	uris    []string
	ips     []string
	expired bool
}

// issue writes a certificate and its key, and returns both files.
func (a *authority) issue(name string, n named) (certFile, keyFile string) {
	a.t.Helper()
	key := newKey(a.t)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(a.t, err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: n.cn}, DNSNames: n.dns,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if n.expired {
		template.NotAfter = time.Now().Add(-time.Minute)
	}
	for _, u := range n.uris {
		parsed, err := url.Parse(u)
		require.NoError(a.t, err)
		template.URIs = append(template.URIs, parsed)
	}
	for _, ip := range n.ips {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(a.t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(a.t, err)
	certFile, keyFile = filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key")
	writePEM(a.t, certFile, "CERTIFICATE", der)
	writePEM(a.t, keyFile, "EC PRIVATE KEY", keyDER)
	return certFile, keyFile
}

// gateway issues the endpoint's own certificate, for 127.0.0.1 and ::1.
func (a *authority) gateway(auth ClientAuth) *TLS {
	cert, key := a.issue("gateway", named{cn: "gateway", ips: []string{"127.0.0.1", "::1"}})
	return &TLS{CertFile: cert, KeyFile: key, CAFile: a.ca(), ClientAuth: auth}
}

// config is that of a peer with a certificate, or without one if name is "".
func (a *authority) config(name string, n named) *tls.Config {
	a.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	cfg := &tls.Config{RootCAs: pool, ClientCAs: pool}
	if name != "" {
		cert, err := tls.LoadX509KeyPair(a.issue(name, n))
		require.NoError(a.t, err)
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg
}

// overTLS makes start listen on TLS as well.
func overTLS(files *TLS, addrs ...string) func(*Config) {
	return func(c *Config) {
		c.TLS = files
		c.Listen = append(c.Listen, "tls:127.0.0.1:0")
		c.Listen = append(c.Listen, addrs...)
	}
}

func (e *testEndpoint) tls() netip.AddrPort { return e.first("tls") }

// dialTLS connects a peer. The handshake is complete on return.
func dialTLS(t *testing.T, to netip.AddrPort, cfg *tls.Config) *peer {
	t.Helper()
	p, err := tryTLS(t, to, cfg)
	require.NoError(t, err)
	return p
}

func tryTLS(t *testing.T, to netip.AddrPort, cfg *tls.Config) (*peer, error) {
	t.Helper()
	c, err := tls.Dial("tcp", to.String(), cfg)
	if err != nil {
		return nil, err
	}
	return tlsPeer(t, c), nil
}

// tlsPeer speaks over a connection that exists.
func tlsPeer(t *testing.T, c *tls.Conn) *peer {
	t.Helper()
	p := tcpPeer(t, c)
	p.network = "TLS"
	return p
}

// A tlsTarget is a server that the endpoint calls.
type tlsTarget struct {
	net.Listener
	t *testing.T
}

// listenTLS listens on 127.0.0.1, or on the address that is given.
func listenTLS(t *testing.T, cfg *tls.Config, at ...string) *tlsTarget {
	t.Helper()
	l, err := tls.Listen("tcp", append(at, "127.0.0.1:0")[0], cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return &tlsTarget{l, t}
}

func (l *tlsTarget) target() string { return "sip:" + l.Addr().String() + ";transport=tls" }

// accept takes the next connection.
func (l *tlsTarget) accept() *peer {
	l.t.Helper()
	c, err := l.Accept()
	require.NoError(l.t, err)
	return tlsPeer(l.t, c.(*tls.Conn))
}
