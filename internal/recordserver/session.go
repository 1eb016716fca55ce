package recordserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"consentgw/internal/sdp"
	"consentgw/internal/siprecxml"
	"consentgw/sip"
)

// Session is one recording session.
type Session struct {
	// Constant.
	server *Server
	name   string
	folder string // "": nothing is written
	answer Answer
	over   chan struct{}              // closed at the end
	header func(name string) []string // of the INVITE; set by serve

	mu        sync.Mutex // guards what follows
	leg       *sip.Leg
	book      siprecxml.Book
	documents []*siprecxml.Recording
	raw       [][]byte // the same as they came
	offers    []*sdp.Session
	version   uint64
	tracks    map[string]*track // by label
	disliked  []string
}

var errOffer = errors.New("no description that can be served")

// serve answers the invitation and records until either side ends it.
func (s *Session) serve(ctx context.Context, in *sip.Incoming) {
	s.mu.Lock()
	s.header = in.Header
	s.mu.Unlock()
	doc := in.Document()
	s.judge(doc, true)
	if err := in.SetEarly(sip.Early{ContactParams: []string{"+sip.srs"}}); err != nil {
		s.server.cfg.Log.Error("recording session", "error", err)
		return
	}
	answer, err := s.negotiate(in.Offer())
	if err != nil {
		_ = in.Reject(488, "Not Acceptable Here")
		return
	}
	s.announce("invited")
	leg, err := in.Answer(ctx, answer, sip.InDialog{Offer: s.offered, Document: s.document})
	if errors.Is(err, sip.ErrNoACK) {
		s.dislike("the answer was not acknowledged (RFC 3261 section 13.2.2.4)")
	}
	if err != nil {
		return // hung up already
	}
	s.mu.Lock()
	s.leg = leg
	s.mu.Unlock()
	s.server.stir()
	select {
	case <-leg.Context().Done():
	case <-ctx.Done():
		bye, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = leg.Bye(bye, "recorder stopping")
	}
}

// document takes what comes in a re-INVITE or UPDATE besides the description.
func (s *Session) document(doc sip.Document) int {
	s.judge(doc, false)
	return 200
}

// offered answers a later description.
func (s *Session) offered(body []byte) ([]byte, error) {
	if body == nil {
		return nil, errOffer // a server adds nothing of its own
	}
	answer, err := s.negotiate(body)
	if err == nil {
		s.announce("changed")
	}
	return answer, err
}

// negotiate opens a track for every label and answers the offer.
func (s *Session) negotiate(body []byte) ([]byte, error) {
	offer, err := sdp.Parse(body)
	if err != nil || len(offer.Media) == 0 {
		s.dislike("no session description that can be read")
		return nil, errOffer
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offers = append(s.offers, offer)
	s.version++
	answer := &sdp.Session{ID: 1, Version: s.version, Addr: s.server.cfg.Media}
	taken := 0
	for i := range offer.Media {
		m, err := s.line(&offer.Media[i])
		if err != nil {
			return nil, err
		}
		if m.Port != 0 {
			taken++
		}
		answer.Media = append(answer.Media, m)
	}
	if taken == 0 {
		return nil, errOffer
	}
	return answer.Marshal(), nil
}

// line answers one media line. s.mu is held.
func (s *Session) line(theirs *sdp.Media) (sdp.Media, error) {
	ours := sdp.Media{Kind: theirs.Kind, Proto: theirs.Proto, Addr: s.server.cfg.Media, Formats: theirs.Formats}
	codec, ok := s.choose(theirs.Codecs)
	label := labelOf(theirs)
	if theirs.Kind != "audio" || theirs.Proto != "RTP/AVP" && theirs.Proto != "RTP/SAVP" || theirs.Port == 0 || !ok || label == "" {
		return ours, nil
	}
	t := s.tracks[label]
	if t == nil {
		var err error
		if t, err = newTrack(s.server.cfg.Media, s.path("label-"+fileName(label)), s.server.stir); err != nil {
			return ours, err
		}
		s.tracks[label] = t
	}
	if theirs.Proto == "RTP/SAVP" {
		var err error
		if ours.Crypto, err = t.secure(theirs.Crypto); err != nil {
			return ours, err
		}
	}
	ours.Port, ours.Formats, ours.Codecs = t.port(), nil, []sdp.Codec{codec}
	t.agree(codec)
	ours.Ptime, ours.RTCPMux = 20, theirs.RTCPMux
	ours.Direction = theirs.Direction.Reverse()
	switch {
	case s.answer.Contrary && theirs.Direction == sdp.Inactive:
		ours.Direction = sdp.RecvOnly
	case s.answer.Paused:
		ours.Direction = sdp.Inactive
	}
	return ours, nil
}

// choose is the codec of an offer that is taken: the first that the server knows and
// its answer allows.
func (s *Session) choose(offered []sdp.Codec) (sdp.Codec, bool) {
	for _, c := range offered {
		if slices.ContainsFunc(codecs(), c.Same) && (s.answer.Codecs == nil || slices.Contains(s.answer.Codecs, c.Name)) {
			return c, true
		}
	}
	return sdp.Codec{}, false
}

func (s *Session) path(file string) string {
	if s.folder == "" {
		return ""
	}
	return filepath.Join(s.folder, file)
}

// keep writes one document beside the audio. s.mu is held.
func (s *Session) keep(doc []byte) {
	s.raw = append(s.raw, doc)
	if s.folder == "" {
		return
	}
	if err := os.WriteFile(s.path(fmt.Sprintf("metadata-%d.xml", len(s.raw))), doc, 0o600); err != nil {
		s.server.cfg.Log.Error("metadata not written", "error", err)
	}
}

// announce tells what the streams are now.
func (s *Session) announce(what string) {
	s.mu.Lock()
	streams := map[string]string{}
	for _, m := range s.offers[len(s.offers)-1].Media {
		streams[labelOf(&m)] = m.Direction.String()
	}
	s.mu.Unlock()
	s.server.tell(Event{Session: s.name, Type: what, Streams: streams, Folder: s.folder})
	s.server.stir()
}

// close ends the tracks and tells what there was.
func (s *Session) close() {
	packets := map[string]int{}
	s.mu.Lock()
	tracks := s.tracks
	s.mu.Unlock()
	for label, t := range tracks {
		if err := t.close(); err != nil {
			s.server.cfg.Log.Error("audio not written", "error", err)
		}
		packets[label] = len(t.packets())
		for _, fault := range t.faults() {
			s.dislike("label " + label + ": " + fault)
		}
	}
	close(s.over)
	s.server.tell(Event{Session: s.name, Type: "ended", Packets: packets, Folder: s.folder})
	s.server.stir()
}
