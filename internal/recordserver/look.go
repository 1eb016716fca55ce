package recordserver

import (
	"context"
	"errors"
	"slices"

	"consentgw/internal/sdp"
	"consentgw/internal/siprecxml"
	"consentgw/sip"
)

// Name is the name of the session, and of its folder.
func (s *Session) Name() string { return s.name }

// Disliked is everything that broke a standard so far.
func (s *Session) Disliked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.disliked)
}

// Documents are the metadata so far, in order; Raw is the same as it came.
func (s *Session) Documents() []*siprecxml.Recording {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.documents)
}

// Raw is the metadata as it came.
func (s *Session) Raw() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.raw)
}

// Offers are the descriptions so far, in order.
func (s *Session) Offers() []*sdp.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.offers)
}

// Header is the values of a header of the INVITE.
func (s *Session) Header(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.header == nil {
		return nil
	}
	return s.header(name)
}

// Packets are those that came with a label; their payload is there only if the
// server writes no files.
func (s *Session) Packets(label string) []Packet {
	s.mu.Lock()
	t := s.tracks[label]
	s.mu.Unlock()
	if t == nil {
		return nil
	}
	return t.packets()
}

// Over is closed when the session has ended and everything is written.
func (s *Session) Over() <-chan struct{} { return s.over }

// errNotUp: the session is not established, or over.
var errNotUp = errors.New("recordserver: the session is not up")

func (s *Session) up() (*sip.Leg, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leg == nil {
		return nil, errNotUp
	}
	return s.leg, nil
}

// Hangup ends the session from the server's side.
func (s *Session) Hangup(ctx context.Context) error {
	leg, err := s.up()
	if err != nil {
		return err
	}
	return leg.Bye(ctx, "")
}

// AskSnapshot asks the client for a complete document (RFC 7866 section 9.2).
func (s *Session) AskSnapshot(ctx context.Context) error {
	leg, err := s.up()
	if err != nil {
		return err
	}
	doc, err := siprecxml.SnapshotRequest("started anew")
	if err != nil {
		return err
	}
	_, err = leg.UpdateWith(ctx, sip.Change{
		Body:    sip.Body{ContentType: siprecxml.MediaType, Bytes: doc},
		Require: []string{"siprec"},
		Headers: []sip.Header{{Name: "Content-Disposition", Value: siprecxml.Disposition}},
	})
	if err == nil {
		s.server.tell(Event{Session: s.name, Type: "snapshot_asked"})
	}
	return err
}

// Folder is where the session writes; "" if nothing is written.
func (s *Session) Folder() string { return s.folder }
