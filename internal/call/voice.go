package call

import (
	"context"
)

// voice is what a party hears from the gateway outside the question: one thing
// at a time, the newest wins. Owned by the call's goroutine.
type voice struct {
	cancel context.CancelFunc // nil: nothing has been said yet
	first  chan struct{}      // closed when the first step has ended
	done   chan struct{}
}

// step is one thing to be heard. It returns at its end, or when ctx ends.
type step func(ctx context.Context)

// speak lets the asked party hear the steps; see speakTo.
func (c *Call) speak(steps ...step) <-chan struct{} { return c.speakTo(c.asked, steps...) }

// speakTo lets a party hear the steps one after the other, instead of whatever it
// is hearing now. The returned channel closes when the first has ended.
func (c *Call) speakTo(p *party, steps ...step) <-chan struct{} {
	before := p.voice
	if before.cancel != nil {
		before.cancel()
	}
	ctx, cancel := context.WithCancel(p.running)
	first, done := make(chan struct{}), make(chan struct{})
	p.voice = voice{cancel: cancel, first: first, done: done}
	c.beside(func() {
		defer close(done)
		defer cancel()
		if before.done != nil {
			<-before.done // ends at once: it was cancelled
		}
		for i, s := range steps {
			s(ctx)
			if i == 0 {
				close(first)
			}
		}
	})
	return first
}

// silence ends what a party hears from the gateway and waits for it.
func (p *party) silence() {
	if p.voice.cancel != nil {
		p.voice.cancel()
		<-p.voice.done
	}
}

// prompt is a step that plays a prompt of the route's notice, or nothing if the
// operator has not supplied it.
func (c *Call) prompt(name string) step {
	codec := codecOf(c.asked.agreed.Audio)
	return func(ctx context.Context) {
		if c.route.notice == nil || ctx.Err() != nil {
			return
		}
		p := c.route.notice.Prompt(name)
		if p == nil {
			return
		}
		clip := clipOf(p, codec)
		if !clip.In(codec) {
			return // silence would only keep the caller waiting
		}
		if _, err := c.asked.stream.Play(ctx, clip); err != nil && ctx.Err() == nil {
			c.log.Warn("prompt not played", "prompt", name, "error", err)
		}
	}
}

// ringback is a step that plays the ringback tone until the platform sends
// media of its own, early or not.
func (c *Call) ringback() step {
	early := c.agent.early
	return func(ctx context.Context) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		defer context.AfterFunc(early, stop)()
		if ctx.Err() == nil && early.Err() == nil {
			c.asked.stream.Ring(ctx)
		}
	}
}

// waitingTone is a step that plays the tone of somebody who waits.
func (p *party) waitingTone() step {
	return func(ctx context.Context) { p.stream.Wait(ctx) }
}
