package call

import (
	"context"
	"errors"

	"consentgw/consent"
	"consentgw/prompts"
)

// ask puts the questions of the policy one after the other and returns the
// decision. An error means that the call is over; the decision then says
// Abandoned.
func (c *Call) ask(ctx context.Context) (consent.Decision, error) {
	if c.route.policy == nil {
		return consent.Undecided(c.now(), consent.NotAsked), nil
	}
	if c.unwilling() {
		return consent.Unwilling(c.now(), recordpref), nil
	}
	if c.unheard() {
		return consent.Undecided(c.now(), consent.PromptFailed), nil
	}
	interview, heard := consent.NewInterview(*c.route.policy), c.newHearing()
	for {
		next, more := interview.Next()
		if !more || c.unwilling() {
			return c.heed(interview.Decision(c.now())), nil
		}
		q := c.newQuestion(heard, next, interview.Asking())
		choice, err := q.put(ctx)
		switch {
		case errors.Is(err, errPrompt):
			interview.Answer(consent.Undecided(c.now(), consent.PromptFailed), q.asks())
		case err != nil:
			return interview.Instead(consent.Undecided(c.now(), consent.Abandoned)), err
		default:
			interview.Answer(consent.Decide(c.now(), q.evidence(), choice), q.asks())
		}
	}
}

// errPrompt: not one packet of the notice could be sent.
var errPrompt = errors.New("the notice could not be played")

// put plays the question until it has been answered. An error is errPrompt, or the
// end of the call.
func (q *question) put(ctx context.Context) (consent.Choice, error) {
	parts := q.parts
	for {
		verdict, err := q.turn(ctx, parts)
		switch {
		case err != nil:
			return consent.Choice{}, err
		case verdict == consent.Decided:
			return q.asking.Choice(), nil
		case verdict == consent.Explain:
			parts = append([]string{prompts.NotUnderstood}, q.unheard()...)
		case verdict == consent.AskAgain:
			parts = q.unheard()
		default:
			parts = q.parts
		}
	}
}
