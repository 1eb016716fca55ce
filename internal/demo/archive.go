package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"consentgw/internal/phone"
	"consentgw/internal/recordserver"
)

// archive is the recorder of the demonstration: a SIPREC recording server that
// holds every message against the standards.
type archive struct {
	*recordserver.Server
	stop   context.CancelFunc
	served chan error
}

func newArchive(log *slog.Logger) (*archive, error) {
	server, err := recordserver.Listen(recordserver.Config{Listen: []string{"tcp:127.0.0.1:0"}, Media: loopback, Log: log})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	a := &archive{Server: server, stop: stop, served: make(chan error, 1)}
	go func() { a.served <- server.Serve(ctx) }()
	return a, nil
}

// Close ends the server and waits for it.
func (a *archive) Close() error {
	a.stop()
	return <-a.served
}

// Caller returns the copies of what callers said, of one synchronization source
// or of all if ssrc is 0.
func (a *archive) Caller(ssrc uint32) []phone.Packet { return a.of("1", ssrc) }

// Agent returns the copies of what agents said, as Caller does.
func (a *archive) Agent(ssrc uint32) []phone.Packet { return a.of("2", ssrc) }

// Wait returns when ok says true, or ctx ends.
func (a *archive) Wait(ctx context.Context, ok func() bool) error {
	return a.Until(ctx, func([]*recordserver.Session) bool { return ok() })
}

func (a *archive) of(label string, ssrc uint32) (list []phone.Packet) {
	for _, s := range a.Sessions() {
		for _, p := range s.Packets(label) {
			if ssrc == 0 || p.SSRC == ssrc {
				list = append(list, phone.Packet{At: p.At, Seq: p.Seq, Timestamp: p.Timestamp, SSRC: p.SSRC, Type: p.Type, Payload: p.Payload})
			}
		}
	}
	return list
}

// session is the one that a call was recorded in, nil if there was none.
func (a *archive) session(sc *scene) *recordserver.Session {
	if sc.record == nil {
		return nil
	}
	for _, s := range a.Sessions() {
		if docs := s.Documents(); len(docs) > 0 && len(docs[0].Sessions) > 0 && docs[0].Sessions[0].Consent != nil &&
			docs[0].Sessions[0].Consent.RecordID == string(sc.record.ID) {
			return s
		}
	}
	return nil
}

// reviewSessions says what the server disliked.
func (a *archive) reviewSessions() (broken []error) {
	for _, s := range a.Sessions() {
		for _, text := range s.Disliked() {
			broken = append(broken, fmt.Errorf("the recorder disliked: %s", text))
		}
	}
	return broken
}

// saveMetadata writes what the recorder was told of the call last and in full,
// and returns the file in words.
func (a *archive) saveMetadata(dir string, sc *scene) (files []string, err error) {
	s := a.session(sc)
	for i := range 2 { // complete, and the withdrawal
		name := filepath.Join(dir, fmt.Sprintf("%s-metadata-%d.xml", sc.file, i+1))
		if s == nil || i >= len(s.Raw()) {
			// What an earlier run left was not recorded in this one.
			if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
			continue
		}
		if err := os.WriteFile(name, s.Raw()[i], 0o644); err != nil {
			return nil, err
		}
		files = append(files, name)
	}
	return files, nil
}
