package main

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// signalled returns a context that the first signal to end ends. The second is
// for the command that asked for hurryOf the context; if none did, or at the
// third, the process ends at once.
func signalled() context.Context {
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return obey(signals, os.Exit)
}

// second is what becomes of the second signal.
type second struct {
	asked atomic.Bool   // somebody waits for came
	came  chan struct{} // closed by the signal
}

// hurryKey is where the context keeps its second signal.
type hurryKey struct{}

// obey is signalled without the process. Its goroutine runs until exit.
func obey(signals <-chan os.Signal, exit func(int)) context.Context {
	s := &second{came: make(chan struct{})}
	ctx, end := context.WithCancel(context.WithValue(context.Background(), hurryKey{}, s))
	go func() {
		<-signals
		end()
		<-signals
		if s.asked.Load() {
			close(s.came)
			<-signals
		}
		exit(exitFailed)
	}()
	return ctx
}

// hurryOf is closed when a command that takes its time to end is asked to end a
// second time; nil if nobody will ask.
func hurryOf(ctx context.Context) <-chan struct{} {
	s, ok := ctx.Value(hurryKey{}).(*second)
	if !ok {
		return nil
	}
	s.asked.Store(true)
	return s.came
}

// hangups receives once for each SIGHUP; several at once may be one.
func hangups() (c <-chan struct{}, unhook func()) {
	signals, reload, over := make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-signals:
			case <-over:
				return
			}
			select {
			case reload <- struct{}{}:
			case <-over:
				return
			}
		}
	}()
	return reload, func() {
		signal.Stop(signals)
		close(over)
		<-ended
	}
}
