package demo

import (
	"bytes"
	"context"
	_ "embed"
	"log/slog"
	"sync"
	"time"

	"consentgw/internal/phone"
	"consentgw/internal/wav"
)

//go:embed audio/caller.wav
var callerWAV []byte

//go:embed audio/agent.wav
var agentWAV []byte

// speech is one of the embedded voices.
func speech(file []byte) ([]int16, error) {
	a, err := wav.Read(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	return a.PCM, nil
}

// center is the contact center: one agent for every call.
type center struct {
	phone *phone.Phone
	voice []int16

	mu    sync.Mutex
	calls map[string]*visit // by the trunk's Call-ID, which the gateway passes on
	news  chan struct{}
}

// visit is one call at the contact center.
type visit struct {
	invitedAt, pickedAt time.Time
	status, recording   string // the consent headers
	line                *phone.Line
}

// ringFor is how long the contact center rings.
const ringFor = 700 * time.Millisecond

func newCenter(log *slog.Logger) (*center, error) {
	voice, err := speech(agentWAV)
	if err != nil {
		return nil, err
	}
	c := &center{voice: voice, calls: map[string]*visit{}, news: make(chan struct{})}
	if c.phone, err = phone.New(phone.Config{Listen: "udp:127.0.0.1:0", Log: log, Ring: c.ring}); err != nil {
		return nil, err
	}
	return c, nil
}

// ring answers one call and talks until it ends.
func (c *center) ring(ctx context.Context, r *phone.Ring) {
	v := &visit{invitedAt: time.Now(), status: first(r.Header("X-Consent-Status")), recording: first(r.Header("X-Recording"))}
	r.Progress(180, "Ringing", nil)
	select {
	case <-time.After(ringFor):
	case <-r.Context().Done():
		return
	}
	v.pickedAt = time.Now()
	line, err := r.Pick(ctx)
	if err != nil {
		return
	}
	v.line = line
	line.Speak(c.voice, true)
	c.mu.Lock()
	c.calls[first(r.Header("X-CID"))] = v
	close(c.news)
	c.news = make(chan struct{})
	c.mu.Unlock()
	select {
	case <-line.Ended():
	case <-ctx.Done():
	}
	line.Hangup(context.WithoutCancel(ctx))
}

// visit waits for the call of a caller to be picked up.
func (c *center) visit(ctx context.Context, callID string) (*visit, error) {
	for {
		c.mu.Lock()
		v, news := c.calls[callID], c.news
		c.mu.Unlock()
		if v != nil {
			return v, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
