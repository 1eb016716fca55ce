package call

import (
	"context"
	"errors"
	"time"

	"consentgw/consent"
	"consentgw/internal/dtmf"
	"consentgw/internal/media"
	"consentgw/prompts"
)

// ask plays the notice, waits for the choice and returns the decision. An error
// means that the call is over; the decision then says Abandoned.
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
	q := c.newQuestion()
	parts := []string{prompts.Ask}
	for {
		verdict, err := q.turn(ctx, parts)
		switch {
		case errors.Is(err, errPrompt):
			return consent.Undecided(c.now(), consent.PromptFailed), nil
		case err != nil:
			return consent.Undecided(c.now(), consent.Abandoned), err
		case verdict == consent.Decided:
			return c.heed(consent.Decide(c.now(), c.rec.Notice.Heard, q.asking.Choice())), nil
		case verdict == consent.Explain:
			parts = []string{prompts.NotUnderstood, prompts.Ask}
		default:
			parts = []string{prompts.Ask}
		}
	}
}

// errPrompt: not one packet of the notice could be sent.
var errPrompt = errors.New("the notice could not be played")

// question is one asking: its rules, and what was heard of the notice so far.
type question struct {
	*Call
	asking   *consent.Asking
	openedAt time.Time   // a press that began before was not an answer
	heardAt  time.Time   // when the notice had first been heard to its end
	early    *dtmf.Press // a yes while the notice was playing, maybe at its very end
}

func (c *Call) newQuestion() *question {
	n, ask := c.route.notice, c.route.notice.Prompt(prompts.Ask)
	c.rec.Notice = consent.Notice{ID: n.ID, Version: n.Version, Language: n.Language,
		TextSHA256: ask.TextSHA256, Heard: consent.Heard{LengthMS: ask.Duration.Milliseconds()}}
	c.played(codecOf(c.asked.agreed.Audio))
	return &question{Call: c, asking: consent.NewAsking(*c.route.policy), openedAt: c.now()}
}

// turn plays the parts, of which the last is the notice, and returns what is to
// be done next. Keys count from the first moment; what they count for is up to
// the rules.
func (q *question) turn(ctx context.Context, parts []string) (consent.Verdict, error) {
	playing, stop := context.WithCancel(ctx)
	results := q.play(playing, parts)
	defer func() {
		stop()
		for r := range results {
			q.heard(r)
		}
	}()
	var silence, settle <-chan time.Time
	played := results
	for {
		verdict := consent.Ignore
		select {
		case r, more := <-played:
			if !more {
				played, silence = nil, q.svc.after(q.route.policy.AnswerTimeout)
				continue
			}
			if q.heard(r); r.failed() && !q.asked.held() && ctx.Err() == nil {
				return consent.Decided, errPrompt
			}
			verdict = q.late()
		case p := <-q.asked.stream.Presses():
			verdict = q.key(p)
		case p := <-q.asked.info:
			verdict = q.key(p)
		case <-silence:
			verdict = q.asking.Silence()
		case <-settle:
			return q.asking.Settled(), nil
		case f := <-q.inbox:
			f()
		case <-ctx.Done():
			return consent.Ignore, context.Cause(ctx)
		}
		switch verdict {
		case consent.Ignore:
		case consent.SettleIt:
			if settle == nil {
				silence, settle = nil, time.After(consent.Settle)
			}
		default:
			return verdict, nil
		}
	}
}

// key turns a press into a verdict.
func (q *question) key(p dtmf.Press) consent.Verdict {
	if q.asked.releases(p) {
		q.asking.Released(q.asked.evidence(p))
	}
	if !q.asked.fresh(p) || p.At.Before(q.openedAt) {
		return consent.Ignore
	}
	q.svc.Metrics.Press(string(p.Method))
	informed := !q.heardAt.IsZero() && !p.At.Before(q.heardAt)
	q.early = nil
	if q.heardAt.IsZero() {
		q.early = &p
	}
	return q.asking.Key(q.asked.evidence(p), informed)
}

// late judges a press again that came before the word that the notice has
// ended, but not before the end itself: both travel on goroutines of their own.
func (q *question) late() consent.Verdict {
	p := q.early
	if q.early = nil; p == nil || q.heardAt.IsZero() || p.At.Before(q.heardAt) || string(p.Key.Rune()) != q.route.policy.Keys.Yes {
		return consent.Ignore
	}
	return q.asking.Key(q.asked.evidence(*p), true)
}

// result is one prompt that was played, to its end or not.
type result struct {
	prompt string
	media.Played
}

// failed reports that not one packet of the notice could be sent.
func (r result) failed() bool { return r.prompt == prompts.Ask && r.Packets == 0 }

// play plays prompts one after the other, skipping those the operator has not
// supplied, and closes the channel at the end.
func (q *question) play(ctx context.Context, parts []string) <-chan result {
	results, codec := make(chan result, len(parts)), codecOf(q.asked.agreed.Audio)
	q.beside(func() {
		defer close(results)
		for _, name := range parts {
			prompt := q.route.notice.Prompt(name)
			if prompt == nil {
				continue
			}
			if name == prompts.Ask {
				q.svc.Metrics.Asked(q.route.notice.ID, q.route.notice.Language)
			}
			played, err := q.asked.stream.Play(ctx, clipOf(prompt, codec))
			results <- result{name, played}
			if err != nil {
				return
			}
		}
	})
	return results
}

// heard keeps the fullest playing of the notice as the evidence.
func (q *question) heard(r result) {
	if r.prompt != prompts.Ask {
		return
	}
	h := &q.rec.Notice.Heard
	h.Plays++
	if r.Complete && q.heardAt.IsZero() {
		q.heardAt = r.EndedAt
	}
	if r.Heard.Milliseconds() >= h.HeardMS {
		h.StartedAt, h.HeardMS = consent.Stamp(r.StartedAt), r.Heard.Milliseconds()
		h.SSRC, h.FirstSeq, h.LastSeq = r.SSRC, r.FirstSeq, r.LastSeq
		if r.Packets > 0 {
			q.played(r.Codec)
		}
	}
	h.Complete = h.Complete || r.Complete
	q.rec.Note(r.EndedAt, "notice_played", "")
}
