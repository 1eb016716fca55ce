package call

import (
	"context"
	"time"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/prompts"
)

// tape is what the call has at its recorders. There is no way to one but through
// a gate, which stands on the permit for the purposes of that recorder.
type tape struct {
	permit  consent.Permit
	brake   *media.Brake // of all gates; nil without a permit
	opening int          // recorders that have not answered yet
	open    []open       // those in use
	caller  *media.Tap
	agent   *media.Tap
	pause   pause
	reason  string // why the gate is shut; empty while copies flow
	passing bool
	pauses  int                // begun so far
	stored  time.Time          // when the counts were last handed to the journal
	quiet   context.CancelFunc // ends the tone; nil: there is none
	trying  []invitation       // openings that have begun
	// transfers are when one agent took the place of another; only appended to.
	transfers []time.Time
}

// open is one recording that has begun; its evidence is rec.Recordings[index].
type open struct {
	Recording
	permit consent.Permit // for the purposes of the recorder
	gate   *media.Gate
	index  int
	atStop uint64 // copies when it was stopped
	over   bool
	away   bool // the recorder is lost at the moment
}

// opened takes a recorder into use. If the consent was taken back while it
// opened, it gets nothing.
func (c *Call) opened(name string, take Take, recording Recording, err error) {
	defer c.publish()
	c.tape.opening--
	switch {
	case !take.Permit.Valid():
		if err == nil {
			c.dismiss(recording)
		}
		c.rec.Note(c.now(), "recorder_unused", name)
		return
	case err != nil:
		c.log.Warn("recorder not opened: the call goes on without it", "recorder", name, "error", err)
		c.rec.Note(c.now(), "recorder_failed", name)
		return
	}
	at := consent.Stamp(c.now())
	evidence := consent.Recording{Recorder: name, State: consent.RecordingOn, OpenedAt: at}
	if len(c.tape.open) == 0 {
		c.tape.reason = "opening"
	} else if c.tape.reason != "" {
		evidence.State, evidence.Pauses = consent.RecordingPaused, []consent.Pause{{From: at, Reason: c.tape.reason}}
	}
	c.rec.Recordings = append(c.rec.Recordings, evidence)
	c.tape.open = append(c.tape.open, open{Recording: recording, permit: take.Permit, gate: take.Gate, index: len(c.rec.Recordings) - 1})
	c.tape.caller, c.tape.agent = chain(recording.Caller(), c.tape.caller), chain(recording.Agent(), c.tape.agent)
	c.asked.stream.TapTo(c.tape.caller)
	c.agent.stream.TapTo(c.tape.agent)
	c.rec.Note(at, "recorder_opened", name)
	c.pass(c.tape.passing) // as for those that are open
	c.regate()
	c.tellRecorders() // of what happened while it opened
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
	c.tellRecorders()
}

// maxPauses is after how many pauses a recording stays shut. A party that holds
// and resumes all day must not make the evidence too large to be stored.
const maxPauses = 200

func (c *Call) shutReason() string {
	switch {
	case !c.tape.permit.Valid():
		return "no consent"
	case c.tape.pauses >= maxPauses:
		return "too many pauses"
	case c.asked.held() || c.agent.held():
		return "hold"
	case c.pausedByTransfer():
		return "transfer"
	case c.prefersPause():
		return "recordpref"
	}
	return c.tape.pause.by
}

// pass opens or shuts the gates of all recorders, but for those that get nothing
// any more. When it has shut them, no copy is on its way.
func (c *Call) pass(open bool) {
	on := false
	for i := range c.tape.open {
		if o := &c.tape.open[i]; open && !o.over {
			on = o.gate.Open() || on
		} else {
			o.gate.Shut()
		}
	}
	switch {
	case on && !c.tape.passing:
		c.svc.Metrics.GateOpened()
		c.sound()
	case !on && c.tape.passing:
		c.svc.Metrics.GateShut()
		if c.tape.quiet != nil {
			c.tape.quiet()
		}
	}
	c.tape.passing = on
}

// notePause writes the change of the gate into the evidence of each recording.
func (c *Call) notePause(reason string) {
	at := consent.Stamp(c.now())
	for i := range c.tape.open {
		if o := &c.tape.open[i]; !o.over {
			o.mark(c.rec, at, reason)
		}
	}
	if reason != "" {
		c.tape.pauses++
		c.remark("recording_paused", reason)
	} else {
		c.remark("recording_on", "")
	}
}

// mark brings the pauses of one recording up to date: the gate's reason to be
// shut goes before its own. Of a recorder that comes and goes all day no more is
// kept than of parties that do.
func (o *open) mark(rec *consent.Record, at time.Time, reason string) {
	r := &rec.Recordings[o.index]
	if reason == "" && o.away {
		reason = "recorder"
	}
	if n := len(r.Pauses); n > 0 && reason != "" && r.Pauses[n-1].Reason == reason && r.Pauses[n-1].To.IsZero() {
		return // goes on
	}
	r.EndPause(at)
	r.State = consent.RecordingOn
	if reason != "" {
		r.State = consent.RecordingPaused
		if len(r.Pauses) < 2*maxPauses {
			r.Pauses = append(r.Pauses, consent.Pause{From: at, Reason: reason})
		}
	}
}

// refresh brings the packet counts of the evidence up to date. A first packet
// is news worth storing at once: what is evidenced survives a crash. After the
// tape was stopped there is no news.
func (c *Call) refresh() {
	if len(c.tape.open) == 0 || !c.tape.permit.Valid() {
		return
	}
	news := c.now().Sub(c.tape.stored) >= 10*time.Second
	for _, o := range c.tape.open {
		r := &c.rec.Recordings[o.index]
		before := r.FirstPacketAt
		c.count(o, r)
		news = news || before.IsZero() && !r.FirstPacketAt.IsZero()
	}
	if news {
		c.tape.stored = c.now()
		c.rec.Touch(c.now())
		c.publish()
	}
}

func (c *Call) count(o open, r *consent.Recording) {
	caller, agent := o.Caller().Counts(), o.Agent().Counts()
	defer c.guard(func() { r.Fault = o.Fault() })
	r.Caller = copies(o.Caller().SSRC(), caller)
	r.Agent = copies(o.Agent().SSRC(), agent)
	r.FirstPacketAt = consent.Stamp(earlier(caller.FirstAt, agent.FirstAt))
	r.LastPacketAt = consent.Stamp(later(caller.LastAt, agent.LastAt))
	if !r.FirstPacketAt.IsZero() && r.FirstPacketAt.Before(consent.Stamp(c.tape.permit.StoredAt())) {
		r.BeforeGrant = r.Caller.Packets + r.Agent.Packets
	}
	if o.over {
		r.AfterStop = caller.Sent + agent.Sent - o.atStop
	}
}

func copies(ssrc uint32, n media.TapCounts) consent.Copies {
	return consent.Copies{SSRC: ssrc, Packets: n.Sent, Lost: n.Lost, Codec: n.Codec.String(), PayloadType: n.PayloadType}
}

// stopTape shuts the gate for good. When it returns no copy is on its way; the
// recordings are closed in the evidence, and stay open in the process until
// close, so that a copy that should not be would still be counted.
func (c *Call) stopTape() {
	c.pass(false)
	c.tape.permit.Revoke()
	c.closeUnpermitted()
}

// withdraw takes the consent back, as a whole or for some purposes: close, then
// store. It is the mirror of commit: after a crash between the two, nothing was
// recorded that the caller had stopped. It reports whether there was a consent.
func (c *Call) withdraw(method string, purposes ...string) bool {
	if c.rec.Outcome != consent.Given {
		return false
	}
	if len(purposes) > 0 {
		return c.withdrawSome(method, purposes)
	}
	c.stopTape()
	c.rec.Withdraw(c.now(), method)
	c.tellRecorders()
	c.log.Info("consent withdrawn", "method", method)
	c.publish()
	c.confirm()
	return true
}

// confirm tells the caller that the recording has stopped, if it has for all
// purposes.
func (c *Call) confirm() {
	if c.rec.Outcome == consent.Withdrawn {
		c.speak(c.prompt(prompts.Stopped), c.ringback())
	}
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
