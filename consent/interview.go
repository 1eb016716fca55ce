package consent

import (
	"slices"
	"time"
)

// Ask is how the purposes of a policy are put to the asked party.
type Ask string

// The ways to ask. Empty is AskTogether.
const (
	AskTogether Ask = "together" // one question, one yes for all purposes
	AskChoose   Ask = "choose"   // one question for all, with a key that leads to AskEach
	AskEach     Ask = "each"     // a question for each purpose, one after the other
)

// Question is one of those that are put in a call.
type Question struct {
	Ask      Ask
	Purposes []string // what a yes to it is for: with AskEach only one
}

// Interview is the pure state of all that is asked in one call: which question
// comes next, and what was answered to those before. An answer counts for the
// purposes of its own question and for no others. Not safe for concurrent use.
type Interview struct {
	policy    Policy
	ahead     []Question
	decisions []Decision
	grants    []Grant
}

// NewInterview begins the questions of p.
func NewInterview(p Policy) *Interview {
	i := &Interview{policy: p}
	switch p.Ask {
	case AskEach:
		i.ahead = each(p.Purposes)
	case AskChoose:
		i.ahead = []Question{{AskChoose, p.Purposes}}
	default:
		i.ahead = []Question{{AskTogether, p.Purposes}}
	}
	return i
}

func each(purposes []string) (list []Question) {
	for _, p := range purposes {
		list = append(list, Question{AskEach, []string{p}})
	}
	return list
}

// Next is the question to be put now; false: there is none any more.
func (i *Interview) Next() (Question, bool) {
	if len(i.ahead) == 0 {
		return Question{}, false
	}
	return i.ahead[0], true
}

// Asking starts the question that Next returned. It has the retries of the
// policy for itself, and the key to choose only where there is a choice.
func (i *Interview) Asking() *Asking {
	p := i.policy
	if q, _ := i.Next(); q.Ask != AskChoose {
		p.Keys.Choose = ""
	}
	return NewAsking(p)
}

// Answer closes the question that Next returned. by is the prompt that put it.
// Choosing decides nothing: every purpose is asked for by itself then.
func (i *Interview) Answer(d Decision, by string) {
	q, more := i.Next()
	if !more {
		return
	}
	i.ahead = i.ahead[1:]
	if q.Ask == AskChoose && d.Choice.Kind == Choosing {
		i.ahead = each(q.Purposes)
		return
	}
	i.decisions = append(i.decisions, d)
	for _, p := range q.Purposes {
		i.grants = append(i.grants, Grant{Purpose: p, Outcome: d.Outcome, Question: by, Press: d.Choice.evidence(), DecidedAt: Stamp(d.At)})
	}
}

// Decision is the outcome of the call with what became of each purpose. One yes
// is enough for it to be Given; without one, a refusal goes before a question
// without an answer.
func (i *Interview) Decision(now time.Time) Decision {
	d := Undecided(now, NotAsked)
	if len(i.decisions) > 0 {
		d = i.decisions[0]
	}
	for _, o := range []Outcome{Given, Refused} {
		if n := slices.IndexFunc(i.decisions, func(d Decision) bool { return d.Outcome == o }); n >= 0 {
			d = i.decisions[n]
			break
		}
	}
	return i.Instead(d)
}

// Instead is d, which nobody's answers led to, such as that the party left: what
// was answered before stays in evidence and grants nothing unless d does.
func (i *Interview) Instead(d Decision) Decision {
	if i.policy.Ask == AskChoose || i.policy.Ask == AskEach {
		d.Grants = slices.Clone(i.grants)
	}
	return d
}
