package call

import (
	"fmt"
	"time"

	"consentgw/consent"
)

// How a pause is asked for, and how it ends. These words stand in the record.
const (
	byAPI    = "api"
	byKey    = "key"
	byHeader = "header"
	byTime   = "auto"
)

// pause is one that somebody asked for, so that nothing is recorded while a card
// number is said.
type pause struct {
	by    string           // how; empty: there is none
	asked bool             // it was the asked party
	due   <-chan time.Time // when it ends by itself; nil: never
}

// pauseBy shuts the gate until somebody resumes. who is nil for the API. A pause
// of the asked party becomes the other side's if that pauses as well.
func (c *Call) pauseBy(by string, who *party) error {
	if err := c.recordable(); err != nil {
		return err
	}
	own := who == c.asked
	if c.tape.pause.by != "" && (own || !c.tape.pause.asked) {
		return nil
	}
	c.tape.pause = pause{by: by, asked: own}
	if limit := c.route.maxPause; limit > 0 {
		c.tape.pause.due = time.After(limit)
	}
	c.remark("pause_asked", by+ofParty(who))
	c.regate()
	c.publish()
	return nil
}

// resumeBy ends a pause. The asked party ends only its own; whoever looks after
// the recording ends any. None of them opens what has no consent.
func (c *Call) resumeBy(by string, who *party) error {
	if err := c.recordable(); err != nil {
		return err
	}
	if c.tape.pause.by == "" || who == c.asked && !c.tape.pause.asked {
		return nil
	}
	c.tape.pause = pause{}
	c.remark("resume_asked", by+ofParty(who))
	c.regate()
	c.publish()
	return nil
}

// pauseOver ends a pause that nobody ended in time.
func (c *Call) pauseOver() {
	c.tape.pause.due = nil
	if err := c.resumeBy(byTime, nil); err != nil {
		c.log.Debug("pause not ended", "error", err)
	}
}

func (c *Call) recordable() error {
	if !c.tape.permit.Valid() || len(c.tape.open)+c.tape.opening == 0 {
		return fmt.Errorf("%w: nothing is being recorded", consent.ErrNotPossible)
	}
	return nil
}

func ofParty(p *party) string {
	if p == nil {
		return ""
	}
	return " of the " + p.name
}

// recordingHeader is how a platform pauses and resumes: it sends the header in an
// INFO, UPDATE or re-INVITE, with one of the values of the header that it got.
const recordingHeader = "X-Recording"

// heedHeader obeys that header. It comes from the platform's dialog.
func (c *Call) heedHeader(p *party, values []string) {
	if p != c.agent || len(values) != 1 {
		return
	}
	var err error
	switch values[0] {
	case string(consent.RecordingPaused):
		err = c.pauseBy(byHeader, p)
	case string(consent.RecordingOn):
		err = c.resumeBy(byHeader, p)
	default:
		c.remark("header_ignored", recordingHeader+" is neither paused nor on")
	}
	if err != nil {
		c.log.Debug("header without effect", "header", recordingHeader, "error", err)
	}
}
