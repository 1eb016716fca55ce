package call

import (
	"errors"
	"fmt"
	"slices"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/prompts"
)

// hearing is what the asked party has heard of a notice, prompt by prompt, and
// keeps the record up to date with it.
type hearing struct {
	call   *Call
	spoken []consent.Spoken // in the order in which they were first to be played
}

func (c *Call) newHearing() *hearing { return &hearing{call: c} }

// of is what was heard of one prompt of the notice.
func (h *hearing) of(name string) *consent.Spoken {
	i := slices.IndexFunc(h.spoken, func(s consent.Spoken) bool { return s.Prompt == name })
	if i < 0 {
		p := h.call.route.notice.Prompt(name)
		i = len(h.spoken)
		h.spoken = append(h.spoken, consent.Spoken{Prompt: name, TextSHA256: p.TextSHA256,
			Heard: consent.Heard{LengthMS: p.Duration.Milliseconds()}})
		h.in(&h.spoken[i], codecOf(h.call.asked.agreed.Audio))
	}
	return &h.spoken[i]
}

// in says in which codec a prompt was played, and which bytes that were.
func (h *hearing) in(s *consent.Spoken, codec media.Codec) {
	p := h.call.route.notice.Prompt(s.Prompt)
	s.Codec, s.AudioSHA256 = codec.String(), p.AudioSHA256
	if codec == media.Opus {
		s.AudioSHA256 = p.OpusSHA256
	}
}

// take adds one playing.
func (h *hearing) take(r result) {
	s := h.of(r.prompt)
	s.Plays++
	if r.Heard.Milliseconds() >= s.HeardMS {
		s.StartedAt, s.HeardMS = consent.Stamp(r.StartedAt), r.Heard.Milliseconds()
		s.SSRC, s.FirstSeq, s.LastSeq = r.SSRC, r.FirstSeq, r.LastSeq
		if r.Packets > 0 {
			h.in(s, r.Codec)
		}
	}
	s.Complete = s.Complete || r.Complete
	h.note()
}

// note writes all of it into the record: the prompts, if there are several, and
// their sum.
func (h *hearing) note() {
	notice, first := h.call.route.notice, h.spoken[0]
	n := consent.Notice{ID: notice.ID, Version: notice.Version, Language: notice.Language,
		Codec: first.Codec, AudioSHA256: first.AudioSHA256, TextSHA256: first.TextSHA256, Heard: first.Heard}
	if h.call.several() {
		n.Prompts = slices.Clone(h.spoken)
	}
	for _, s := range h.spoken[1:] {
		n.HeardMS += s.HeardMS
		n.LengthMS += s.LengthMS
		n.Complete = n.Complete && s.Complete
		n.Plays = max(n.Plays, s.Plays)
		if s.Plays > 0 {
			n.LastSeq = s.LastSeq
		}
	}
	h.call.rec.Notice = n
}

// several reports whether purposes can be asked for by themselves.
func (c *Call) several() bool {
	return c.route.policy.Ask == consent.AskChoose || c.route.policy.Ask == consent.AskEach
}

// partsOf are the prompts of a question. What informs comes first, and there is
// no purpose that is asked for without being named.
func (c *Call) partsOf(q consent.Question) (parts []string) {
	if c.several() && c.route.notice.Prompt(prompts.About) != nil {
		parts = append(parts, prompts.About)
	}
	if q.Ask == consent.AskEach {
		return append(parts, prompts.AskFor(q.Purposes[0]))
	}
	if c.several() {
		for _, p := range q.Purposes {
			if c.route.notice.Prompt(prompts.NameOf(p)) != nil {
				parts = append(parts, prompts.NameOf(p))
			}
		}
	}
	return append(parts, prompts.Ask)
}

// checkNotice says what a notice lacks for the questions of a policy.
func checkNotice(p *consent.Policy, n *prompts.Notice) error {
	if p.Ask != consent.AskChoose && p.Ask != consent.AskEach {
		if n.Prompt(prompts.About) != nil {
			return fmt.Errorf("policy %q: notice %q is made for several questions: set ask: choose or ask: each", p.Name, n.ID)
		}
		return nil
	}
	var problems []error
	lacks := func(name, purpose string) {
		problems = append(problems, fmt.Errorf("policy %q: notice %q, version %s, language %s has no prompt %s for the purpose %s",
			p.Name, n.ID, n.Version, n.Language, name, purpose))
	}
	named := slices.ContainsFunc(p.Purposes, func(purpose string) bool { return n.Prompt(prompts.NameOf(purpose)) != nil })
	for _, purpose := range p.Purposes {
		if n.Prompt(prompts.AskFor(purpose)) == nil {
			lacks(prompts.AskFor(purpose), purpose)
		}
		if p.Ask == consent.AskChoose && named && n.Prompt(prompts.NameOf(purpose)) == nil {
			lacks(prompts.NameOf(purpose), purpose) // one yes would count for what was not said
		}
	}
	return errors.Join(problems...)
}
