package call

import (
	"context"
	"slices"
	"time"

	"consentgw/consent"
	"consentgw/internal/dtmf"
	"consentgw/internal/media"
	"consentgw/prompts"
)

// question is one asking: its rules, its prompts, and since when it is open. No
// other question sees its keys.
type question struct {
	*Call
	*hearing
	asking   *consent.Asking
	parts    []string    // the prompts that inform, and at the end the one that asks
	openedAt time.Time   // a press that began before was not an answer
	heardAt  time.Time   // when all parts had first been heard to their end
	early    *dtmf.Press // a press that came too early, or at the very end of the notice
}

func (c *Call) newQuestion(heard *hearing, next consent.Question, asking *consent.Asking) *question {
	q := &question{Call: c, hearing: heard, asking: asking, parts: c.partsOf(next), openedAt: c.now()}
	if slices.Contains(q.parts, prompts.About) && heard.of(prompts.About).Complete {
		q.parts = q.parts[1:] // told once
	}
	for _, name := range q.parts {
		heard.of(name)
	}
	heard.note()
	return q
}

// asks is the prompt that puts the question.
func (q *question) asks() string { return q.parts[len(q.parts)-1] }

// unheard are the parts to be played again: what was heard to its end informs no
// more, but the question itself is always put.
func (q *question) unheard() []string {
	return slices.DeleteFunc(slices.Clone(q.parts), func(name string) bool {
		return name != q.asks() && q.of(name).Complete
	})
}

// evidence is what was heard of the question: complete if all of its parts were.
func (q *question) evidence() consent.Heard {
	h := q.of(q.asks()).Heard
	h.Complete = !q.heardAt.IsZero()
	return h
}

// turn plays prompts, of which the last is the question, and returns what is to
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
			if q.heard(r); q.failed(r) && !q.asked.held() && ctx.Err() == nil {
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
	verdict := q.asking.Key(q.asked.evidence(p), informed)
	q.early = nil
	if verdict == consent.Ignore && q.heardAt.IsZero() {
		q.early = &p
	}
	return verdict
}

// late judges a press again that counted for nothing because it came before the
// word that the notice has ended, but not before the end itself: both travel on
// goroutines of their own.
func (q *question) late() consent.Verdict {
	p := q.early
	if p == nil || q.heardAt.IsZero() {
		return consent.Ignore
	}
	if q.early = nil; p.At.Before(q.heardAt) {
		return consent.Ignore
	}
	return q.asking.Key(q.asked.evidence(*p), true)
}

// result is one prompt that was played, to its end or not.
type result struct {
	prompt string
	media.Played
}

// failed reports that not one packet of a part could be sent.
func (q *question) failed(r result) bool { return r.Packets == 0 && slices.Contains(q.parts, r.prompt) }

// play plays prompts one after the other, skipping those the operator has not
// supplied, and closes the channel at the end.
func (q *question) play(ctx context.Context, parts []string) <-chan result {
	results, codec := make(chan result, len(parts)), codecOf(q.asked.agreed.Audio)
	q.beside(func() {
		defer close(results)
		for i, name := range parts {
			prompt := q.route.notice.Prompt(name)
			if prompt == nil {
				continue
			}
			if i == len(parts)-1 {
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

// heard keeps the fullest playing of a part as the evidence.
func (q *question) heard(r result) {
	if !slices.Contains(q.parts, r.prompt) {
		return
	}
	q.take(r)
	if q.heardAt.IsZero() && !slices.ContainsFunc(q.parts, func(name string) bool { return !q.of(name).Complete }) {
		q.heardAt = r.EndedAt
	}
	text := ""
	if q.several() {
		text = r.prompt
	}
	q.rec.Note(r.EndedAt, "notice_played", text)
}
