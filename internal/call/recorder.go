package call

import (
	"context"
	"slices"
	"sync"

	"consentgw/consent"
	"consentgw/internal/media"
)

// Recorder opens the copies of one call at one recorder. Open refuses without a
// valid permit. It may take its time, but not beyond the end of ctx.
type Recorder struct {
	Name string
	// Purposes are what it records for: it is opened for a consent to one of
	// them. Empty: for any.
	Purposes []string
	Open     func(ctx context.Context, take Take) (Recording, error)
}

// Take is what a recorder gets to know of a call. The permit is for the purposes of
// the recorder alone, and the gate stands on it.
type Take struct {
	News
	Permit consent.Permit
	Gate   *media.Gate
	// Changed may be called when the way to the recorder is lost, and when it is
	// there again, from any goroutine of the recorder's own. It returns when the
	// call has taken note, or is over. why is a few words without a number.
	Changed func(up bool, why string)
}

// Recording is one call at one recorder.
type Recording interface {
	Caller() *media.Tap // copies of what the caller sends
	Agent() *media.Tap  // copies of what the platform sends
	Fault() string      // why copies are missing; empty if nothing is known
	Close()             // may take a moment: somebody may have to be told
}

// Follower is a [Recording] whose recorder is told how the call goes on: paused,
// on again, off when the consent was taken back; with another agent, or in another
// codec. Follow must not wait. The gate has been shut or opened before, and depends
// on nothing that is told here.
type Follower interface {
	Follow(news News)
}

// wanted are the recorders of the route that record for what was granted.
func (c *Call) wanted() (list []Recorder) {
	for _, r := range c.route.recorders {
		if len(r.Purposes) == 0 || slices.ContainsFunc(c.rec.Purposes, func(g consent.Grant) bool {
			return g.Granted && slices.Contains(r.Purposes, g.Purpose)
		}) {
			list = append(list, r)
		}
	}
	return list
}

// record opens the recorders, if there is a permit, beside the call: a slow one
// delays neither the talk nor a withdrawal nor another recorder. One that cannot
// be opened costs the call nothing; the record says what is missing.
func (c *Call) record(ctx context.Context) {
	if !c.tape.permit.Valid() {
		return
	}
	take := Take{News: c.news()}
	for _, r := range c.wanted() {
		c.tape.opening++
		take := take // each its own
		take.Permit = c.tape.permit.For(r.Purposes)
		take.Gate = media.NewGate(take.Permit).Under(c.tape.brake)
		take.Changed = func(up bool, why string) {
			// Its only error: the call is over, and with it what there was to note.
			_ = c.do(ctx, func() { c.recorderChanged(r.Name, up, why) })
		}
		opening, giveUp := context.WithCancel(ctx)
		c.tape.trying = append(c.tape.trying, invitation{take.Permit, giveUp})
		c.beside(func() {
			recording, err := r.Open(opening, take)
			if c.do(ctx, func() { c.opened(r.Name, take, recording, err) }) != nil && err == nil {
				recording.Close() // the call was over first
			}
		})
	}
}

// invitation is the opening of one recorder, which ends with its permit.
type invitation struct {
	permit consent.Permit
	giveUp context.CancelFunc
}

// recorderChanged writes the gap of one recorder into its evidence. The other
// recorders and the call have nothing to do with it.
func (c *Call) recorderChanged(name string, up bool, why string) {
	c.log.Warn("recorder changed", "recorder", name, "up", up, "reason", why)
	kind, text := "recorder_lost", name+": "+why
	if up {
		kind, text = "recorder_back", name
	}
	opened := false
	for i := range c.tape.open {
		o := &c.tape.open[i]
		if c.rec.Recordings[o.index].Recorder != name {
			continue
		}
		opened = true
		if !o.over {
			o.away = !up
			o.mark(c.rec, consent.Stamp(c.now()), c.tape.reason)
		}
	}
	if !opened && !up {
		kind = "recorder_failed" // so far
	}
	c.remark(kind, text)
	c.indicate()
	c.publish()
}

// dismiss ends a recording that opened too late, beside the call.
func (c *Call) dismiss(recording Recording) {
	if f, ok := recording.(Follower); ok {
		news := c.news()
		news.State = consent.RecordingOff // though others may go on
		f.Follow(news)
	}
	c.beside(recording.Close)
}

func (c *Call) closeRecordings() {
	for _, a := range c.tape.trying {
		a.giveUp()
	}
	var wg sync.WaitGroup
	for _, o := range c.tape.open {
		c.count(o, &c.rec.Recordings[o.index])
		wg.Go(func() { c.guard(o.Close) })
	}
	wg.Wait()
}
