package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"consentgw/consent"
	"consentgw/sip"
)

// The ways a call ends, besides those of its dialogs.
var (
	errHungUpByAPI = errors.New("hung up by the api")
	errPanic       = errors.New("internal error")
	errNoTarget    = errors.New("no target answered")
)

// legEnded is the end of a dialog that was up.
type legEnded struct {
	by    string // "caller" or "agent"
	cause error
}

func (e *legEnded) Error() string { return e.by + ": " + e.cause.Error() }
func (e *legEnded) Unwrap() error { return e.cause }

// Call is one call. Everything in it is owned by the goroutine of Serve, except
// where it says otherwise.
type Call struct {
	id    consent.RecordID // constant
	svc   *Service         // constant
	route journey          // constant
	log   *slog.Logger     // constant
	end   context.CancelCauseFunc

	asked, agent *party // the trunk's side, which is asked, and the platform's
	rec          *consent.Record
	tape         tape
	seeking

	inbox    chan func()                    // anyone sends, the owner runs
	over     chan struct{}                  // closed when the owner runs nothing more
	gone     chan struct{}                  // closed when nothing of the call is left
	snapshot atomic.Pointer[consent.Record] // anyone reads; never modified
	work     sync.WaitGroup                 // goroutines of this call
}

// seeking is how the other party is found, and another one after it.
type seeking struct {
	search   *search   // the dialing of the other party; nil until it begins
	transfer *transfer // nil: none is under way
	moving   bool      // one agent is being put in the place of another
	former   []*party  // agents who were replaced, or almost agents
}

// do runs f on the goroutine of the call and returns when it has run. It fails
// if the call is over first.
func (c *Call) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case c.inbox <- func() { defer close(done); f() }:
		<-done // received means that it runs now
		return nil
	case <-c.over:
		return consent.ErrNoCall
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// publish makes the record as it stands visible to the API and hands it to the
// journal, which stores it without anybody waiting.
func (c *Call) publish() {
	snapshot := c.look()
	c.svc.Journal.Save(snapshot)
}

// look makes the record as it stands visible to the API. It is not stored.
func (c *Call) look() *consent.Record {
	c.rec.Legs = consent.Legs{Trunk: c.asked.carried(), Platform: c.agent.carried()}
	snapshot := c.rec.Clone()
	c.snapshot.Store(snapshot)
	return snapshot
}

// remark notes what a party or the API can bring about as often as it likes. Of
// that the history takes no more than maxRemarks lines; it has room for all the
// other events, of which a call has few.
func (c *Call) remark(kind, text string) {
	switch n := len(c.rec.History); {
	case n < maxRemarks:
		c.rec.Note(c.now(), kind, text)
	case n == maxRemarks:
		c.rec.Note(c.now(), "history_cut", "more of the kinds above is left out")
	default:
		c.rec.Touch(c.now())
	}
}

const maxRemarks = 1000

func (c *Call) now() time.Time { return c.svc.Now() }

// guard runs f. A panic in it ends this call and no other, and close shuts the
// gate then as after any other end. The value of the panic may quote anything,
// so only its type is logged.
func (c *Call) guard(f func()) {
	defer func() {
		if v := recover(); v != nil {
			c.log.Error("call failed", "panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			c.end(errPanic)
		}
	}()
	f()
}

// beside runs f on a goroutine of its own, under guard. close waits for it.
func (c *Call) beside(f func()) { c.work.Go(func() { c.guard(f) }) }

// connected reports whether the two parties may hear each other.
func (c *Call) connected() bool { return !c.rec.Call.ConnectedAt.IsZero() }

// follow ends the call when the dialog of p ends; of an agent, if it is still the
// one then and is not being replaced.
func (c *Call) follow(p *party, leg *sip.Leg) {
	p.leg = leg
	c.preferred(p)
	p.indication.aware = leg.Supports(recordAware)
	asked := p == c.asked
	context.AfterFunc(leg.Context(), func() {
		cause := context.Cause(leg.Context())
		if asked {
			c.end(&legEnded{p.name, cause})
			return
		}
		c.do(context.Background(), func() { c.agentGone(p, cause) })
	})
}

// until waits for done and meanwhile serves all that may happen to a decided
// call: keys of both, and the inbox. It is the only wait after the
// decision, so the ways a call can change or end are listed once.
func (c *Call) until(ctx context.Context, done <-chan struct{}) error {
	refresh := time.NewTicker(time.Second)
	defer refresh.Stop()
	news := time.NewTicker(5 * time.Second) // of how the media does, for whoever looks
	defer news.Stop()
	for {
		select {
		case <-done:
			return context.Cause(ctx) // nil unless the call has ended as well
		case d := <-c.asked.stream.Presses():
			c.pressed(c.asked, d)
		case d := <-c.asked.info:
			c.pressed(c.asked, d)
		case d := <-c.agent.stream.Presses():
			c.pressed(c.agent, d)
		case d := <-c.agent.info:
			c.pressed(c.agent, d)
		case <-c.tape.stops():
			c.stopped()
		case <-c.tape.pause.due:
			c.pauseOver()
		case f := <-c.inbox:
			f()
		case <-refresh.C:
			c.refresh()
		case <-news.C:
			c.look()
			c.watch()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
