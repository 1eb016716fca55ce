package sip

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
)

// ClientAuth says what a TLS listener wants of the other side's certificate.
type ClientAuth string

const (
	ClientCertNone     ClientAuth = "none"     // none is asked for; also what "" means
	ClientCertOptional ClientAuth = "optional" // one that is given must be valid
	ClientCertRequired ClientAuth = "required" // no connection without a valid one
)

// TLS is what the TLS listeners show and ask for. The files are PEM. They are
// read by Listen and by ReloadTLS.
type TLS struct {
	// CertFile holds our certificate and the intermediate ones after it,
	// KeyFile its private key. Both are required.
	CertFile, KeyFile string
	// CAFile holds who may sign the other sides' certificates. It is required
	// unless ClientAuth is "none". Connections that we open without a ClientTLS
	// of their own trust it too; "" there means the host's own roots.
	CAFile     string
	ClientAuth ClientAuth
}

// ClientTLS is what the connections to a target show and ask for. The files
// are PEM; they are read when the target is first called, and by ReloadTLS. One
// that names no file at all stands for what our TLS listeners show and trust.
type ClientTLS struct {
	// CertFile and KeyFile are shown to a server that asks; both or none.
	CertFile, KeyFile string
	// CAFile holds who may sign the server's certificate; "": the host's roots.
	CAFile string
	// ServerName is the name that the server's certificate must bear, a host
	// name or an IP address; "": the host of the target (RFC 5922 section 7.1).
	ServerName string
}

// Check reads the files and says what is wrong with them.
func (c ClientTLS) Check() error {
	_, err := c.load()
	return err
}

// material is what was read from the files.
type material struct {
	certs []tls.Certificate // at most one
	roots *x509.CertPool    // nil: the host's
}

// maxTLSStacks bounds the identities that connections are opened with: the
// Contact of a caller whose connection broke may name any host.
const maxTLSStacks = 256

// security is the TLS side of an endpoint. Certificates are exchanged by
// swapping what the pointers hold: a connection keeps those it was made with.
type security struct {
	files  TLS
	server atomic.Pointer[tls.Config] // nil: there are no TLS listeners

	mu      sync.Mutex // guards clients
	clients map[ClientTLS]*tlsClient
}

// tlsClient is one identity that connections are opened with, for one name of
// the far end. It has a stack of its own: sipgo finds connections by address,
// and one that was verified for another name must not be found.
type tlsClient struct {
	files ClientTLS // with a ServerName
	now   atomic.Pointer[material]
	stack *stack
}

// setUp reads what the listeners need; files may be nil.
func (s *security) setUp(files *TLS) error {
	s.clients = make(map[ClientTLS]*tlsClient)
	if files == nil {
		return nil
	}
	s.files = *files
	cfg, err := s.files.load()
	if err != nil {
		return err
	}
	s.server.Store(cfg)
	return nil
}

// load makes the configuration of the listeners.
func (f TLS) load() (*tls.Config, error) {
	kind, ok := map[ClientAuth]tls.ClientAuthType{
		"":                 tls.NoClientCert,
		ClientCertNone:     tls.NoClientCert,
		ClientCertOptional: tls.VerifyClientCertIfGiven,
		ClientCertRequired: tls.RequireAndVerifyClientCert,
	}[f.ClientAuth]
	switch {
	case !ok:
		return nil, fmt.Errorf("sip: TLS: client_auth %q is none of none, optional, required", f.ClientAuth)
	case f.CertFile == "" || f.KeyFile == "":
		return nil, errors.New("sip: TLS: a listener needs a certificate and its key")
	case kind != tls.NoClientCert && f.CAFile == "":
		return nil, errors.New("sip: TLS: client certificates are asked for, but no CA is named to check them with")
	}
	m, err := loadMaterial(f.CertFile, f.KeyFile, f.CAFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: m.certs, ClientAuth: kind, ClientCAs: m.roots,
		// Every connection shows its certificate anew: connections are few and
		// long, and a ticket would outlive what it was given for.
		SessionTicketsDisabled: true,
	}, nil
}

func (c ClientTLS) load() (*material, error) {
	return loadMaterial(c.CertFile, c.KeyFile, c.CAFile)
}

// loadMaterial reads PEM files; an empty name stands for none.
func loadMaterial(certFile, keyFile, caFile string) (*material, error) {
	m := &material{}
	if certFile != "" || keyFile != "" {
		cert, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("sip: TLS: certificate %q with key %q: %w", certFile, keyFile, err)
		}
		m.certs = []tls.Certificate{cert}
	}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("sip: TLS: CA: %w", err)
		}
		m.roots = x509.NewCertPool()
		if !m.roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("sip: TLS: CA %q holds no certificate", caFile)
		}
	}
	return m, nil
}

// listening is the configuration that a listener is made with: it looks up the
// current one for each handshake.
func (s *security) listening() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: true,
		GetConfigForClient:     func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.server.Load(), nil },
	}
}

// ReloadTLS reads every certificate, key and CA file again, those of the
// listeners and those of the targets that were called. If one of them cannot
// be used it names that one, and everything stays as it was. What was read
// governs the handshakes from then on; open connections, and the calls on
// them, are not touched. It may be called at any time, also while serving.
func (e *Endpoint) ReloadTLS() error {
	s := &e.security
	s.mu.Lock()
	defer s.mu.Unlock()
	var server *tls.Config
	if s.server.Load() != nil {
		var err error
		if server, err = s.files.load(); err != nil {
			return err
		}
	}
	fresh := make(map[*tlsClient]*material, len(s.clients))
	for _, c := range s.clients {
		m, err := c.files.load()
		if err != nil {
			return err
		}
		fresh[c] = m
	}
	if server != nil {
		s.server.Store(server)
	}
	for c, m := range fresh {
		c.now.Store(m)
	}
	return nil
}

// secureStack returns the stack for TLS connections to host. With files nil we
// show what our listeners show.
func (e *Endpoint) secureStack(files *ClientTLS, host string) (*stack, error) {
	s := &e.security
	key := ClientTLS{CertFile: s.files.CertFile, KeyFile: s.files.KeyFile, CAFile: s.files.CAFile}
	switch {
	case files == nil:
	case files.CertFile == "" && files.CAFile == "":
		key.ServerName = files.ServerName
	default:
		key = *files
	}
	if key.ServerName == "" {
		key.ServerName = host
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.clients[key]; c != nil {
		return c.stack, nil
	}
	if len(s.clients) >= maxTLSStacks || e.ending.Err() != nil {
		return nil, fmt.Errorf("%w: no more TLS identities can be used", ErrUnreachable)
	}
	m, err := key.load()
	if err != nil {
		return nil, err
	}
	c := &tlsClient{files: key}
	c.now.Store(m)
	c.stack = e.newStack("tls", netip.AddrPort{}, c.config())
	s.clients[key] = c
	return c.stack, nil
}

// config is the configuration that connections are opened with. The server is
// verified by verify and not by crypto/tls, which knows only roots that never
// change.
func (c *tlsClient) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: c.files.ServerName,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if m := c.now.Load(); len(m.certs) > 0 {
				return &m.certs[0], nil
			}
			return &tls.Certificate{}, nil // none, as its contract has it
		},
		InsecureSkipVerify: true, // see verify
		VerifyConnection:   c.verify,
	}
}

// verify checks the server's certificate as crypto/tls would, against the
// roots that are current.
func (c *tlsClient) verify(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("sip: TLS: the server shows no certificate")
	}
	opts := x509.VerifyOptions{
		Roots: c.now.Load().roots, DNSName: c.files.ServerName, Intermediates: x509.NewCertPool(),
	}
	for _, cert := range cs.PeerCertificates[1:] {
		opts.Intermediates.AddCert(cert)
	}
	if _, err := cs.PeerCertificates[0].Verify(opts); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: cs.PeerCertificates, Err: err}
	}
	return nil
}

// closeClients closes the stacks of the connections that we opened.
func (s *security) closeClients() {
	for _, st := range s.stacks() {
		st.close()
	}
}

// stacks returns the stacks of the connections that we open.
func (s *security) stacks() []*stack {
	s.mu.Lock()
	defer s.mu.Unlock()
	stacks := make([]*stack, 0, len(s.clients))
	for _, c := range s.clients {
		stacks = append(stacks, c.stack)
	}
	return stacks
}

// certificateProblem says in fixed words what is wrong with a certificate or a
// handshake, "" if err is about something else. It quotes nothing of the far
// end's.
func certificateProblem(err error) string {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &name):
		return "the certificate is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired or is not valid yet"
	case errors.As(err, &invalid):
		return "the certificate is not valid for this use"
	case errors.As(err, &unknown):
		return "the certificate is signed by nobody we trust"
	case errors.As(err, &alert):
		return "the far end refused: " + alert.Error()
	case errors.As(err, &record):
		return "the far end does not speak TLS"
	}
	return ""
}
