package route

import (
	"crypto/x509"
	"strings"
)

// Identities are the SIP domains that a verified certificate speaks for: those
// of its sip URIs without a user and its DNS names, and its common name if it has
// no alternative name of any kind (RFC 5922 section 7.1).
func Identities(cert *x509.Certificate) []string {
	if cert == nil {
		return nil
	}
	var names []string
	for _, u := range cert.URIs {
		// A sip URI is opaque to package url. One with a user names a person.
		if strings.EqualFold(u.Scheme, "sip") && u.Opaque != "" && !strings.Contains(u.Opaque, "@") {
			host, _, _ := strings.Cut(u.Opaque, ";")
			names = append(names, host)
		}
	}
	names = append(names, cert.DNSNames...)
	alternatives := len(cert.URIs) + len(cert.DNSNames) + len(cert.IPAddresses) + len(cert.EmailAddresses)
	if alternatives == 0 && cert.Subject.CommonName != "" {
		names = append(names, cert.Subject.CommonName)
	}
	return names
}
