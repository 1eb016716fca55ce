// Package recordserver is a session recording server (RFC 7866) for trying out
// and for tests. It takes every invitation that it can make sense of, holds each
// message against the standards, says what it disliked, and writes what it hears
// as WAVE or Ogg Opus files with the metadata beside them.
package recordserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"consentgw/sip"
)

// Config of a [Server].
type Config struct {
	// Listen are the addresses, "tcp:127.0.0.1:6060"; port 0 takes any.
	Listen []string
	TLS    *sip.TLS   // of tls: addresses
	Media  netip.Addr // where audio is received
	// Dir is where a folder is made for every recording session; "": nothing is
	// written.
	Dir string
	// Answer says what becomes of an invitation; nil: it is accepted.
	Answer func() Answer
	// Tell gets what happens, in order for each session; it must not block. Nil:
	// nobody is told.
	Tell func(Event)
	Log  *slog.Logger
}

// Answer is what a server does with an invitation.
type Answer struct {
	Refuse int // a status to refuse with; 0 accepts
	// Silent says nothing at all until the caller gives up.
	Silent bool
	// Paused accepts, but takes no audio.
	Paused bool
	// Codecs are the names of those that are taken, in upper case; nil: all that the
	// server knows.
	Codecs []string
	// Contrary answers a pause as if it were to go on, as some servers do.
	Contrary bool
}

// Event is one thing that happened in a session. It holds no personal data.
type Event struct {
	At      time.Time `json:"at"`
	Session string    `json:"session"`
	// Type is invited, changed, snapshot_asked, disliked, ended or refused.
	Type    string            `json:"type"`
	Text    string            `json:"text,omitempty"`
	Streams map[string]string `json:"streams,omitempty"` // direction by label
	Packets map[string]int    `json:"packets,omitempty"` // by label, at the end
	Folder  string            `json:"folder,omitempty"`
}

// Server records. Its methods may be used concurrently.
type Server struct {
	cfg      Config
	endpoint *sip.Endpoint

	mu       sync.Mutex // guards what follows
	sessions []*Session
	news     chan struct{} // closed and made anew when something happens
}

// Listen binds the addresses. Serve begins.
func Listen(cfg Config) (*Server, error) {
	if !cfg.Media.IsValid() {
		return nil, errors.New("recordserver: no address for audio")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Dir != "" {
		if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
			return nil, err
		}
	}
	endpoint, err := sip.Listen(sip.Config{Listen: cfg.Listen, TLS: cfg.TLS, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	return &Server{cfg: cfg, endpoint: endpoint, news: make(chan struct{})}, nil
}

// Serve takes invitations until ctx ends, then ends the sessions.
func (s *Server) Serve(ctx context.Context) error {
	return s.endpoint.Serve(ctx, sip.Handler{Invite: s.invited, Supported: []string{"siprec"}})
}

// Close gives the addresses back if Serve was never called.
func (s *Server) Close() error { return s.endpoint.Close() }

// Addrs are the addresses that are bound.
func (s *Server) Addrs() []sip.Addr { return s.endpoint.Addrs() }

// URI is where to send invitations.
func (s *Server) URI() string {
	a := s.endpoint.Addrs()[0]
	return fmt.Sprintf("sip:srs@%s;transport=%s", a.AddrPort, a.Transport)
}

// Sessions are all that there were, in order.
func (s *Server) Sessions() []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sessions)
}

// Until waits until ok says true. It asks again whenever something has happened.
func (s *Server) Until(ctx context.Context, ok func([]*Session) bool) error {
	for {
		s.mu.Lock()
		news := s.news
		s.mu.Unlock()
		if ok(s.Sessions()) {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// stir wakes who waits in Until.
func (s *Server) stir() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.news)
	s.news = make(chan struct{})
}

func (s *Server) tell(e Event) {
	if s.cfg.Tell != nil {
		e.At = time.Now().UTC().Truncate(time.Millisecond)
		s.cfg.Tell(e)
	}
}

// invited is the whole life of one recording session.
func (s *Server) invited(ctx context.Context, in *sip.Incoming) {
	answer := Answer{}
	if s.cfg.Answer != nil {
		answer = s.cfg.Answer()
	}
	if answer.Silent {
		select {
		case <-in.Context().Done():
		case <-ctx.Done():
		}
		return
	}
	if answer.Refuse != 0 {
		s.tell(Event{Type: "refused", Text: fmt.Sprint(answer.Refuse)})
		_ = in.Reject(answer.Refuse, "Refused")
		return
	}
	session, err := s.open(answer)
	if err != nil {
		s.cfg.Log.Error("recording session not opened", "error", err)
		_ = in.Reject(500, "Server Internal Error")
		return
	}
	defer session.close()
	session.serve(ctx, in)
}

// open makes the session and its folder.
func (s *Server) open(answer Answer) (*Session, error) {
	s.mu.Lock()
	n := len(s.sessions) + 1
	session := &Session{server: s, name: fmt.Sprintf("%s-%04d", time.Now().UTC().Format("20060102-150405"), n),
		answer: answer, tracks: map[string]*track{}, over: make(chan struct{})}
	s.sessions = append(s.sessions, session)
	s.mu.Unlock()
	if s.cfg.Dir == "" {
		return session, nil
	}
	session.folder = filepath.Join(s.cfg.Dir, session.name)
	return session, os.MkdirAll(session.folder, 0o700)
}
