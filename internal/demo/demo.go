// Package demo plays the whole story on loopback with no other software: it
// starts the gateway on the embedded store, a caller, a contact center and a
// recorder, makes three real calls over real SIP and RTP, draws each as a
// ladder and holds every packet against the law.
package demo

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Options of a demonstration.
type Options struct {
	Dir  string // where the WAV files and the export go; created
	Out  io.Writer
	Log  *slog.Logger
	Stay bool // keep running until ctx ends, and say how to call it
}

// ErrBroken says that a law of the house did not hold.
var ErrBroken = errors.New("a law was broken")

// Run plays the three calls. It returns ErrBroken, with the findings, if any law
// did not hold, and context.Cause(ctx) if ctx ended before the calls did.
func Run(ctx context.Context, opt Options) (err error) {
	s := &stage{Options: opt, begun: time.Now()}
	defer func() { err = errors.Join(err, s.clear()) }()
	if err := s.open(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() {
		err := s.gateway.Serve(serving)
		served <- err
		cancel(errors.Join(errors.New("the gateway ended by itself"), err))
	}()
	broken := s.perform(ctx)
	if opt.Stay && ctx.Err() == nil {
		s.invite()
		<-ctx.Done()
	}
	stop()
	return errors.Join(broken, <-served)
}

// perform plays the calls and tells what became of them.
func (s *stage) perform(ctx context.Context) error {
	s.introduce()
	scenes := scenes()
	s.play(ctx, scenes)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.report(ctx, scenes)
}

// apart is the time between the beginnings of two calls.
const apart = 400 * time.Millisecond

// play makes the calls side by side, a little apart.
func (s *stage) play(ctx context.Context, scenes []*scene) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, sc := range scenes {
		wg.Go(func() {
			if sc.err = pause(ctx, time.Duration(i)*apart); sc.err == nil {
				sc.act(ctx, s)
			}
		})
	}
}
