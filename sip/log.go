package sip

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// quietHandler stands between sipgo and our log. sipgo logs whole datagrams
// and request lines as attributes (trap 24, D10), at a rate its peers choose.
// The handler keeps the message, which is a constant in sipgo, drops every
// attribute that is not known to be harmless, lets at most logBurst records
// a second through and never above the level Warn: a stranger's packet is no
// error of ours.
type quietHandler struct {
	next  slog.Handler
	meter *logMeter
}

const logBurst = 5

// logMeter counts the records of the current second.
type logMeter struct {
	mu         sync.Mutex
	second     time.Time
	passed     int
	suppressed int
}

func newQuietLogger(l *slog.Logger) *slog.Logger {
	return slog.New(quietHandler{next: l.Handler(), meter: &logMeter{}})
}

func (h quietHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.next.Enabled(ctx, slog.LevelWarn)
}

func (h quietHandler) Handle(ctx context.Context, r slog.Record) error {
	suppressed, ok := h.meter.admit(r.Time)
	if !ok {
		return nil
	}
	out := slog.NewRecord(r.Time, slog.LevelWarn, "sip transport: "+r.Message, 0)
	r.Attrs(func(a slog.Attr) bool {
		if harmless(a.Key) {
			out.AddAttrs(a)
		}
		return true
	})
	if suppressed > 0 {
		out.AddAttrs(slog.Int("suppressed", suppressed))
	}
	return h.next.Handle(ctx, out)
}

func (h quietHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	kept := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		if harmless(a.Key) {
			kept = append(kept, a)
		}
	}
	return quietHandler{next: h.next.WithAttrs(kept), meter: h.meter}
}

func (h quietHandler) WithGroup(string) slog.Handler { return h }

// harmless names the attributes of sipgo that hold neither message text nor
// an error that quotes it.
func harmless(key string) bool {
	switch key {
	case "caller", "network", "laddr", "dur":
		return true
	}
	return false
}

// admit says whether a record of this moment may pass, and how many were held
// back before it.
func (m *logMeter) admit(now time.Time) (suppressed int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if second := now.Truncate(time.Second); !second.Equal(m.second) {
		m.second, m.passed = second, 0
	}
	if m.passed >= logBurst {
		m.suppressed++
		return 0, false
	}
	m.passed++
	suppressed, m.suppressed = m.suppressed, 0
	return suppressed, true
}
