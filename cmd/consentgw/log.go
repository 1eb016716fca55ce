package main

import (
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"consentgw/internal/config"
)

// queuedLines is how many log lines wait for a slow reader: some seconds of a
// busy gateway.
const queuedLines = 4096

// lastLines is how long the end of the process waits for the lines that are left.
const lastLines = time.Second

// patient is a log writer that nobody waits for: a call must not stand still
// because whoever reads the log does (law L9). While the reader is slow lines
// wait; when too many wait, lines are dropped and counted.
type patient struct {
	to      io.Writer
	dropped func(lines uint64) // says how many; called between two lines
	queue   chan []byte
	quit    chan struct{}
	ended   chan struct{} // closed when nothing is written any more
	closing sync.Once
	lost    atomic.Uint64
}

func newPatient(to io.Writer, dropped func(uint64)) *patient {
	p := &patient{to: to, dropped: dropped, queue: make(chan []byte, queuedLines), quit: make(chan struct{}), ended: make(chan struct{})}
	go p.run()
	return p
}

// Write takes one line. It never fails and never waits.
func (p *patient) Write(line []byte) (int, error) {
	select {
	case p.queue <- slices.Clone(line):
	default:
		p.lost.Add(1)
	}
	return len(line), nil
}

func (p *patient) run() {
	defer close(p.ended)
	for {
		select {
		case line := <-p.queue:
			p.pass(line)
		case <-p.quit:
			for len(p.queue) > 0 {
				p.pass(<-p.queue)
			}
			return
		}
	}
}

// pass writes a line. A log that cannot be written cannot be complained about.
func (p *patient) pass(line []byte) {
	_, _ = p.to.Write(line)
	if n := p.lost.Swap(0); n > 0 {
		p.dropped(n)
	}
}

// Close writes what is left, as far as the reader takes it within a second.
func (p *patient) Close() {
	p.closing.Do(func() { close(p.quit) })
	select {
	case <-p.ended:
	case <-time.After(lastLines):
	}
}

// patientLogger is logger for what must not wait. The caller calls end when
// nothing logs any more.
func patientLogger(c config.Log, w io.Writer) (log *slog.Logger, end func()) {
	direct := logger(c, w)
	p := newPatient(w, func(lines uint64) {
		direct.Warn("the log was read too slowly: lines are missing", "lines", lines)
	})
	return logger(c, p), p.Close
}
