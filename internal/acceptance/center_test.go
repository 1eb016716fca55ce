package acceptance

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"

	"github.com/stretchr/testify/require"
)

// center is a contact center of phones: every call is answered and talked to.
type center struct {
	phone *phone.Phone

	mu    sync.Mutex
	calls map[string]*arrival // by the Call-ID of the trunk leg
	news  chan struct{}
	holds map[string]bool // calls to let ring
	twice int             // calls that came although they had come before
}

// arrival is a call at the center.
type arrival struct {
	headers map[string]string
	line    *phone.Line // nil while it rings
}

// openCenter answers the calls that come to the first target.
func (s *site) openCenter() *center {
	s.t.Helper()
	return s.openCenterAt(s.targets[0])
}

// openCenterAt answers the calls that come to an address.
func (s *site) openCenterAt(addr string) *center {
	s.t.Helper()
	c := &center{calls: map[string]*arrival{}, news: make(chan struct{}), holds: map[string]bool{}}
	var err error
	c.phone, err = phone.New(phone.Config{Listen: "udp:" + addr, Ring: c.ring})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, c.phone.Close()) })
	return c
}

func (c *center) ring(ctx context.Context, r *phone.Ring) {
	a := &arrival{headers: map[string]string{}}
	for _, name := range []string{"X-Consent-Status", "X-Consent-Outcome", "X-Consent-Id", "X-Recording", "X-CID"} {
		if v := r.Header(name); len(v) == 1 {
			a.headers[name] = v[0]
		}
	}
	id := a.headers["X-CID"]
	c.change(func() {
		if c.calls[id] != nil {
			c.twice++
		}
		c.calls[id] = a
	})
	if c.lets(id) {
		r.Progress(180, "Ringing", nil)
		<-r.Context().Done()
		return
	}
	line, err := r.Pick(ctx)
	if err != nil {
		return
	}
	line.Speak(tone(700, 8000), true)
	c.change(func() { a.line = line })
	select {
	case <-line.Ended():
	case <-ctx.Done():
	}
	line.Hangup(context.WithoutCancel(ctx))
}

// forgetAll hangs up every call, on a gateway that may know nothing of them.
func (c *center) forgetAll(ctx context.Context) {
	c.mu.Lock()
	calls := slices.Collect(maps.Values(c.calls))
	c.mu.Unlock()
	var ending sync.WaitGroup
	for _, a := range calls {
		if a.line != nil {
			ending.Go(func() { _ = a.line.Hangup(ctx) })
		}
	}
	ending.Wait()
}

// letRing makes the center leave a call unanswered.
func (c *center) letRing(callID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holds[callID] = true
}

func (c *center) lets(callID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holds[callID]
}

func (c *center) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.news)
	c.news = make(chan struct{})
}

// await waits for a call to arrive, and if wanted to be answered.
func (c *center) await(ctx context.Context, callID string, answered bool) (*arrival, error) {
	for {
		c.mu.Lock()
		a, news := c.calls[callID], c.news
		ok := a != nil && (a.line != nil || !answered)
		c.mu.Unlock()
		if ok {
			return a, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// conversation is a call between phones through the gateway.
type conversation struct {
	*site
	id     string
	caller *phone.Line
	agent  *arrival // nil until connected

	// Set by hangsUp: what the kernel threw away of what each of the two said.
	callerDropped, agentDropped int
}

// openPhone is the carrier's side for calls between phones.
func (s *site) openPhone() *phone.Phone {
	s.t.Helper()
	return s.openPhoneAt("udp:127.0.0.1:0")
}

func (s *site) openPhoneAt(addr string) *phone.Phone {
	s.t.Helper()
	p, err := phone.New(phone.Config{Listen: addr})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, p.Close()) })
	return p
}

func (s *site) call(p *phone.Phone, id string) (*conversation, error) {
	line, err := p.Call(s.ctx, phone.Dial{Target: "sip:" + s.trunk, Caller: callerNumber, Called: calledNumber, CallID: id})
	if err != nil {
		return nil, err
	}
	line.Speak(tone(500, 8000), true)
	return &conversation{site: s, id: id, caller: line}, nil
}

// asked makes a call and hears the question to its end.
func (s *site) asked(p *phone.Phone, id string) (*conversation, error) {
	v, err := s.call(p, id)
	if err != nil {
		return nil, err
	}
	ask := s.notice.Prompt("ask")
	return v, v.caller.Hears(s.ctx, ask.PCMU, ask.PCMA)
}

// connected makes a call with a key, and waits until each hears the other.
func (s *site) connected(p *phone.Phone, c *center, id, key string) (*conversation, error) {
	v, err := s.asked(p, id)
	if err != nil {
		return nil, err
	}
	v.caller.Press(key)
	return v, v.reaches(c)
}

// reaches waits for the agent, and until speech has come through both ways.
func (v *conversation) reaches(c *center) (err error) {
	if v.agent, err = c.await(v.ctx, v.id, true); err != nil {
		return err
	}
	return v.talks(10)
}

// talks waits until a number of packets more has come through both ways.
func (v *conversation) talks(packets int) error {
	for _, l := range []*phone.Line{v.caller, v.agent.line} {
		n := len(l.Received())
		if err := l.Until(v.ctx, func(p []phone.Packet, _ []byte) bool { return len(p) >= n+packets }); err != nil {
			return err
		}
	}
	return nil
}

// hangsUp ends the call from the caller's side and returns its record.
func (v *conversation) hangsUp() *consent.Record {
	v.t.Helper()
	v.callerDropped, v.agentDropped = v.dropped()
	require.NoError(v.t, v.caller.Hangup(v.ctx))
	return v.finished(v.id)
}

// dropped is how many packets of each party the kernel threw away so far.
func (v *conversation) dropped() (caller, agent int) {
	v.t.Helper()
	if v.agent != nil {
		agent = v.socketAt(v.agent.line.Far()).dropped
	}
	return v.socketAt(v.caller.Far()).dropped, agent
}

// hushed switches both microphones off and waits until every packet that has
// left is through the gateway.
func (v *conversation) hushed() {
	v.caller.Speak(nil, false)
	v.agent.line.Speak(nil, false)
}

// audio is what of the packets is speech.
func audio(packets []phone.Packet) (speech []phone.Packet) {
	for _, p := range packets {
		if p.Type == 0 || p.Type == 8 {
			speech = append(speech, p)
		}
	}
	return speech
}

// opened is the time at which a gate was open, to the millisecond below.
func opened(r *consent.Record) time.Time {
	for _, e := range r.History {
		if e.Type == "recording_on" {
			return e.At
		}
	}
	return time.Time{}
}
