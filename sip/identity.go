package sip

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"

	siplib "github.com/emiago/sipgo/sip"
)

// Identities returns the names in the certificate that the caller's connection
// was made with and that we verified: its subject alternative names (DNS names,
// URIs, IP addresses) in that order and then, if it is none of them, the common
// name of its subject. RFC 5922 section 7.1 allows the common name only where
// there is no other name; it comes last for who still needs it. nil if the
// caller did not come by TLS or showed no certificate.
func (in *Incoming) Identities() []string { return slices.Clone(in.identities) }

// identitiesOn returns the verified names of the far end of a connection.
func (s *stack) identitiesOn(source string) []string {
	if s.transport != "tls" {
		return nil
	}
	c, err := s.tpl.GetConnection(s.transport, source)
	if err != nil {
		return nil
	}
	defer c.TryClose() // gives back the reference GetConnection took
	sc, ok := c.(*siplib.TCPConnection)
	if !ok {
		return nil
	}
	secured, ok := plain(sc.Conn).(*tls.Conn)
	if !ok {
		return nil
	}
	state := secured.ConnectionState()
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	// What is there has been verified: by crypto/tls as we ask for it, or by
	// tlsClient.verify.
	return namesOf(state.PeerCertificates[0])
}

// plain returns the connection under the limits of a listener.
func plain(c net.Conn) net.Conn {
	if limited, ok := c.(*conn); ok {
		return limited.Conn
	}
	return c
}

// namesOf lists the names in a certificate. Those with control characters are
// left out: they could not be matched against anything, and would reach logs.
func namesOf(cert *x509.Certificate) []string {
	names := slices.Clone(cert.DNSNames)
	for _, u := range cert.URIs {
		names = append(names, u.String())
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if cn := cert.Subject.CommonName; cn != "" && !slices.Contains(names, cn) {
		names = append(names, cn)
	}
	return slices.DeleteFunc(names, hasControl)
}
