package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// expiresSoon is how long before its end a certificate is warned of: time enough
// to get another one.
const expiresSoon = 30 * 24 * time.Hour

// CheckFiles reads the certificates and keys that a configuration names, and
// finds those that are absent, broken, do not belong together, or are not valid
// at the time given. Load does not: a file may come later than its name.
func (c *Config) CheckFiles(now time.Time) Findings {
	var all Findings
	check := func(path string, t *TLS) {
		if t != nil {
			all = append(all, t.check(path, now)...)
		}
	}
	check("listen.trunk.tls", c.Listen.Trunk.TLS)
	check("listen.platform.tls", c.Listen.Platform.TLS)
	check("listen.recorder.tls", c.Listen.Recorder.TLS)
	targets := func(path string, list []Target) {
		for i, t := range list {
			check(fmt.Sprintf("%s.targets[%d].tls", path, i), t.TLS)
		}
	}
	for i, t := range c.Trunks {
		targets(fmt.Sprintf("trunks[%d]", i), t.Targets)
	}
	for i, p := range c.Platforms {
		targets(fmt.Sprintf("platforms[%d]", i), p.Targets)
	}
	for i, r := range c.Recorders {
		check(fmt.Sprintf("recorders[%d].tls", i), r.TLS)
	}
	return all
}

func (t *TLS) check(path string, now time.Time) (all Findings) {
	found := func(s Severity, file, key, text string) {
		all = append(all, Finding{File: file, Severity: s, Path: join(path, key), Text: text})
	}
	if t.CA != "" {
		if err := readAuthorities(t.CA); err != nil {
			found(Error, t.CA, "ca", err.Error())
		}
	}
	if t.Cert == "" {
		return all
	}
	cert, err1 := readAtMost(t.Cert, MaxSize)
	if err1 != nil {
		found(Error, t.Cert, "cert", err1.Error())
	}
	key, err2 := readAtMost(t.Key, MaxSize)
	if err2 != nil {
		found(Error, t.Key, "key", err2.Error())
	}
	if err1 != nil || err2 != nil {
		return all
	}
	// The errors of X509KeyPair say what is wrong and quote nothing of the key.
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		found(Error, t.Cert, "cert", "cannot be used with its key: "+err.Error())
		return all
	}
	switch leaf := pair.Leaf; {
	case leaf == nil:
	case now.Before(leaf.NotBefore):
		found(Error, t.Cert, "cert", "is not valid before "+leaf.NotBefore.UTC().Format(time.RFC3339))
	case now.After(leaf.NotAfter):
		found(Error, t.Cert, "cert", "is not valid after "+leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Add(expiresSoon).After(leaf.NotAfter):
		found(Warning, t.Cert, "cert", "ends soon: it is not valid after "+leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return all
}

func readAuthorities(file string) error {
	b, err := readAtMost(file, MaxSize)
	if err != nil {
		return err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(b) {
		return errors.New("has no certificate in PEM")
	}
	return nil
}
