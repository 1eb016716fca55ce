package call

import (
	"context"
	"slices"
	"time"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/prompts"
)

// commit stores the decision and keeps the Permit if there is one. Only a yes
// waits for the store, because only a yes opens anything; it waits no longer
// than the store's timeout, and whatever comes later opens nothing.
func (c *Call) commit(d consent.Decision) {
	if d.Outcome != consent.Given {
		c.rec.Decide(d)
	} else if permit, err := c.store(d); err != nil {
		c.log.Warn("decision not stored: the call goes on unrecorded", "error", err)
	} else {
		c.tape.permit = permit
		c.tape.brake = media.NewBrake()
		c.heedKeys(c.asked)
	}
	language := ""
	if c.route.policy != nil {
		language = c.route.policy.Language
	}
	c.svc.Metrics.Decided(c.route.trunk.Name, language, string(c.rec.Outcome), c.thought(d))
	c.log.Info("decided", "outcome", string(c.rec.Outcome))
	c.publish()
}

func (c *Call) store(d consent.Decision) (consent.Permit, error) {
	// Not the call's context: a caller who hangs up now has decided all the same.
	ctx, cancel := context.WithTimeout(context.Background(), c.svc.StoreTimeout)
	defer cancel()
	began := time.Now()
	permit, err := consent.Commit(ctx, c.svc.Store, c.rec, d, c.svc.Now)
	result := "ok"
	if err != nil {
		result = c.svc.StoreFault(err)
		c.rec.Note(c.now(), "store_failed", result)
	}
	c.svc.Metrics.StoreOp("commit", result, time.Since(began).Seconds())
	return permit, err
}

// thought is the time from the end of the notice to the key, in seconds;
// negative if there was no such time, or more than one.
func (c *Call) thought(d consent.Decision) float64 {
	end := c.rec.Notice.StartedAt.Add(time.Duration(c.rec.Notice.HeardMS) * time.Millisecond)
	if c.rec.Notice.StartedAt.IsZero() || d.Choice.Press.At.IsZero() || d.Grants != nil {
		return -1
	}
	return d.Choice.Press.At.Sub(end).Seconds()
}

// acknowledgement is the prompt that tells the caller what became of the choice.
func (c *Call) acknowledgement() string {
	switch c.rec.Outcome {
	case consent.Given:
		if c.partly() && c.route.notice.Prompt(prompts.Chosen) != nil {
			return prompts.Chosen
		}
		return prompts.Agreed
	case consent.StoreUnavailable, consent.PromptFailed, consent.NoticeIncomplete:
		return prompts.Unrecorded
	}
	return prompts.Refused
}

// partly reports whether some purposes were granted and others not.
func (c *Call) partly() bool {
	return slices.ContainsFunc(c.rec.Purposes, func(g consent.Grant) bool { return !g.Granted })
}
