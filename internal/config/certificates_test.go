package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newCertificate writes a certificate of its own and its key, valid for the year
// 2026, and returns their files.
func newCertificate(t *testing.T, dir, name string) (cert, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	write := func(file, kind string, b []byte) string {
		path := filepath.Join(dir, file)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600))
		return path
	}
	return write(name+".crt", "CERTIFICATE", der), write(name+".key", "PRIVATE KEY", pkcs8)
}

func TestCertificatesAreCheckedWithTheirFiles(t *testing.T) {
	dir := t.TempDir()
	cert, key := newCertificate(t, dir, "a.example")
	_, other := newCertificate(t, dir, "b.example")
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte("hello\n"), 0o600))
	none := filepath.Join(dir, "none")
	march := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		tls  *TLS
		now  time.Time
		want []string
	}{
		{"no TLS", nil, march, nil},
		{"everything", &TLS{Cert: cert, Key: key, CA: cert, ClientAuth: "required"}, march, nil},
		{"authorities alone", &TLS{CA: cert}, march, nil},
		{"no files", &TLS{Cert: none, Key: none + "2", CA: none + "3"}, march, []string{
			none + "3: error: listen.trunk.tls.ca: cannot be read: no such file or directory",
			none + ": error: listen.trunk.tls.cert: cannot be read: no such file or directory",
			none + "2: error: listen.trunk.tls.key: cannot be read: no such file or directory",
		}},
		{"a directory", &TLS{Cert: dir, Key: key}, march, []string{dir + ": error: listen.trunk.tls.cert: cannot be read: is a directory"}},
		{"text", &TLS{Cert: text, Key: key, CA: text}, march, []string{
			text + ": error: listen.trunk.tls.ca: has no certificate in PEM",
			text + ": error: listen.trunk.tls.cert: cannot be used with its key: tls: failed to find any PEM data in certificate input",
		}},
		{"the key of another", &TLS{Cert: cert, Key: other}, march, []string{
			cert + ": error: listen.trunk.tls.cert: cannot be used with its key: tls: private key does not match public key"}},
		{"the wrong way round", &TLS{Cert: key, Key: cert}, march, []string{
			key + ": error: listen.trunk.tls.cert: cannot be used with its key: tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched"}},
		{"too early", &TLS{Cert: cert, Key: key}, march.AddDate(-1, 0, 0), []string{cert + ": error: listen.trunk.tls.cert: is not valid before 2026-01-01T00:00:00Z"}},
		{"too late", &TLS{Cert: cert, Key: key}, march.AddDate(1, 0, 0), []string{cert + ": error: listen.trunk.tls.cert: is not valid after 2026-12-31T00:00:00Z"}},
		{"nearly too late", &TLS{Cert: cert, Key: key}, march.AddDate(0, 9, 5), []string{
			cert + ": warning: listen.trunk.tls.cert: ends soon: it is not valid after 2026-12-31T00:00:00Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := &Config{Listen: Listen{Trunk: Side{TLS: c.tls}}}
			assert.Equal(t, c.want, lines(cfg.CheckFiles(c.now)))
		})
	}
}

func TestTheFilesOfEverySideAndTargetAreChecked(t *testing.T) {
	c := parseFull(t)
	c.Listen.Platform.TLS = &TLS{Cert: "p.crt", Key: "p.key"}
	c.Listen.Recorder.TLS = &TLS{CA: "r.crt"}
	var paths []string
	for _, f := range c.CheckFiles(time.Now()) {
		paths = append(paths, f.Path)
		assert.Equal(t, Error, f.Severity)
	}
	assert.Equal(t, []string{
		"listen.trunk.tls.ca", "listen.trunk.tls.cert", "listen.trunk.tls.key", "listen.platform.tls.cert", "listen.platform.tls.key",
		"listen.recorder.tls.ca", "platforms[0].targets[1].tls.ca", "platforms[0].targets[1].tls.cert", "platforms[0].targets[1].tls.key",
		"recorders[1].tls.ca", "recorders[1].tls.cert", "recorders[1].tls.key",
	}, paths)
	assert.Empty(t, Default().CheckFiles(time.Now()))
}
