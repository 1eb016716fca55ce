package call

import (
	"context"
	"fmt"
	"time"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/prompts"
)

// tape is what the call has at its recorders. The gate is nil without a permit,
// and there is no way to a recorder but through the gate.
type tape struct {
	permit  consent.Permit
	gate    *media.Gate
	open    []open
	paused  bool   // by the API
	reason  string // why the gate is shut; empty while copies flow
	passing bool
	stored  time.Time // when the counts were last handed to the journal
}

// open is one recording that has begun; its evidence is rec.Recordings[index].
type open struct {
	Recording
	index  int
	atStop uint64 // copies when it was stopped
	over   bool
}

// record opens the recorders, if there is a permit. A recorder that cannot be
// opened costs the call nothing; the record says what is missing.
func (c *Call) record(ctx context.Context) {
	if !c.tape.permit.Valid() {
		return
	}
	var caller, agent *media.Tap
	for _, r := range c.route.recorders {
		recording, err := r.Open(ctx, c.tape.permit, c.tape.gate)
		if err != nil {
			c.log.Warn("recorder not opened: the call goes on without it", "recorder", r.Name, "error", err)
			c.rec.Note(c.now(), "recorder_failed", r.Name)
			continue
		}
		c.rec.Recordings = append(c.rec.Recordings, consent.Recording{Recorder: r.Name,
			State: consent.RecordingOn, OpenedAt: consent.Stamp(c.now())})
		c.tape.open = append(c.tape.open, open{Recording: recording, index: len(c.rec.Recordings) - 1})
		caller, agent = chain(recording.Caller(), caller), chain(recording.Agent(), agent)
		c.rec.Note(c.now(), "recorder_opened", r.Name)
	}
	c.caller.stream.TapTo(caller)
	c.agent.stream.TapTo(agent)
	c.tape.reason = "opening"
	c.regate()
}

// chain puts a tap before those that are there already.
func chain(t, rest *media.Tap) *media.Tap {
	if rest == nil {
		return t
	}
	return t.Then(rest)
}

// regate opens or shuts the gate after something changed: copies flow only
// while the permit holds, nobody is on hold and nobody asked for a pause.
func (c *Call) regate() {
	if len(c.tape.open) == 0 {
		return
	}
	reason := c.shutReason()
	if reason == c.tape.reason {
		return
	}
	c.tape.reason = reason
	c.pass(reason == "")
	c.notePause(reason)
}

func (c *Call) shutReason() string {
	switch {
	case !c.tape.permit.Valid():
		return "no consent"
	case c.caller.held() || c.agent.held():
		return "hold"
	case c.tape.paused:
		return "api"
	}
	return ""
}

// pass opens or shuts the gate. When it has shut it, no copy is on its way.
func (c *Call) pass(on bool) {
	if on {
		on = c.tape.gate.Open()
	} else {
		c.tape.gate.Shut()
	}
	switch {
	case on && !c.tape.passing:
		c.svc.Metrics.GateOpened()
	case !on && c.tape.passing:
		c.svc.Metrics.GateShut()
	}
	c.tape.passing = on
}

// notePause writes the change of the gate into the evidence of each recording.
func (c *Call) notePause(reason string) {
	at := consent.Stamp(c.now())
	for _, o := range c.tape.open {
		if o.over {
			continue
		}
		r := &c.rec.Recordings[o.index]
		r.EndPause(at)
		r.State = consent.RecordingOn
		if reason != "" {
			r.State = consent.RecordingPaused
			r.Pauses = append(r.Pauses, consent.Pause{From: at, Reason: reason})
		}
	}
	if reason != "" {
		c.rec.Note(at, "recording_paused", reason)
	} else {
		c.rec.Note(at, "recording_on", "")
	}
}

// refresh brings the packet counts of the evidence up to date. A first packet
// is news worth storing at once: what is evidenced survives a crash.
func (c *Call) refresh() {
	news := c.now().Sub(c.tape.stored) >= 10*time.Second
	if len(c.tape.open) == 0 {
		return
	}
	for _, o := range c.tape.open {
		r := &c.rec.Recordings[o.index]
		before := r.FirstPacketAt
		c.count(o, r)
		news = news || before.IsZero() && !r.FirstPacketAt.IsZero()
	}
	if news {
		c.tape.stored = c.now()
		c.rec.Note(c.now(), "recording", fmt.Sprintf("%d packets", c.rec.RecordedPackets()))
		c.publish()
	}
}

func (c *Call) count(o open, r *consent.Recording) {
	caller, agent := o.Caller().Counts(), o.Agent().Counts()
	r.Caller = consent.Copies{SSRC: o.Caller().SSRC(), Packets: caller.Sent, Lost: caller.Lost}
	r.Agent = consent.Copies{SSRC: o.Agent().SSRC(), Packets: agent.Sent, Lost: agent.Lost}
	r.FirstPacketAt = consent.Stamp(earlier(caller.FirstAt, agent.FirstAt))
	r.LastPacketAt = consent.Stamp(later(caller.LastAt, agent.LastAt))
	r.Fault = o.Fault()
	if !r.FirstPacketAt.IsZero() && r.FirstPacketAt.Before(consent.Stamp(c.tape.permit.StoredAt())) {
		r.BeforeGrant = r.Caller.Packets + r.Agent.Packets
	}
	if o.over {
		r.AfterStop = caller.Sent + agent.Sent - o.atStop
	}
}

// stopTape shuts the gate for good. When it returns no copy is on its way; the
// recordings are closed in the evidence, and stay open in the process until
// close, so that a copy that should not be would still be counted.
func (c *Call) stopTape() {
	if c.tape.gate == nil {
		return
	}
	c.pass(false)
	c.tape.permit.Revoke()
	at := consent.Stamp(c.now())
	for i := range c.tape.open {
		o := &c.tape.open[i]
		if o.over {
			continue
		}
		o.over = true
		o.atStop = o.Caller().Counts().Sent + o.Agent().Counts().Sent
		r := &c.rec.Recordings[o.index]
		r.State, r.ClosedAt = consent.RecordingOff, at
		r.EndPause(at)
		c.count(*o, r)
	}
}

// withdraw takes the consent back: close, then store. It is the mirror of
// commit: after a crash between the two, nothing was recorded that the caller
// had stopped. It reports whether there was a consent.
func (c *Call) withdraw(method string) bool {
	if c.rec.Outcome != consent.Given {
		return false
	}
	c.stopTape()
	c.rec.Withdraw(c.now(), method)
	c.log.Info("consent withdrawn", "method", method)
	c.publish()
	c.speak(c.prompt(prompts.Stopped), c.ringback)
	return true
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
