package acceptance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// issuer signs certificates that last for one test.
type issuer struct {
	t    *testing.T
	ca   string // file
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{t: t, dir: t.TempDir()}
	i.cert = &x509.Certificate{Subject: pkix.Name{CommonName: "issuer"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	i.ca, _ = i.issue("issuer")
	return i
}

// issue makes a certificate for 127.0.0.1, and returns the files of it and its key.
// The first is the issuer's own.
func (i *issuer) issue(name string) (cert, key string) {
	fresh, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(i.t, err)
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if i.key == nil {
		i.key, template = fresh, i.cert
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, i.cert, &fresh.PublicKey, i.key)
	require.NoError(i.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(fresh)
	require.NoError(i.t, err)
	write := func(suffix, kind string, bytes []byte) string {
		path := filepath.Join(i.dir, name+suffix)
		require.NoError(i.t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600))
		return path
	}
	return write(".pem", "CERTIFICATE", der), write(".key", "PRIVATE KEY", secret)
}
