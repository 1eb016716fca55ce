package consent

// Verdict is what an [Asking] wants done after a key or a silence.
type Verdict uint8

// The verdicts.
const (
	Ignore   Verdict = iota // the key counts for nothing: keep waiting
	SettleIt                // a yes: wait [Settle] for a contradiction, then call Settled
	Repeat                  // play the notice again; this costs no retry
	AskAgain                // play the notice again; this cost a retry
	Explain                 // say "not understood", then play the notice again
	Decided                 // the choice stands: Choice returns it
)

// maxRepeats bounds the repeat key, so that a stuck key cannot hold a call in
// the question for ever. Later repeats count as keys without a meaning.
const maxRepeats = 5

// Asking is the pure state of one question: it turns keys and silences into a
// [Choice] under the rules of a policy. Not safe for concurrent use.
type Asking struct {
	keys    Keys
	retries int
	repeats int
	choice  Choice
}

// NewAsking starts a question under p.
func NewAsking(p Policy) *Asking {
	return &Asking{keys: p.Keys, retries: p.Retries, choice: Choice{Kind: Silence}}
}

// Key takes one press. heard says that the press began after the notice had
// been heard to its end: before that a yes is not informed and counts for
// nothing, while a no needs no information (GDPR Art. 4(11), design 4.2).
func (a *Asking) Key(p Press, heard bool) Verdict {
	settling := a.choice.Kind == Yes
	switch {
	case settling && p.Key == a.choice.Press.Key:
		return SettleIt
	case settling:
		return a.fail(Choice{Kind: Ambiguous, Press: p})
	case p.Key == a.keys.No:
		a.choice = Choice{Kind: No, Press: p}
		return Decided
	case p.Key == a.keys.Yes && heard:
		a.choice = Choice{Kind: Yes, Press: p}
		return SettleIt
	case p.Key == a.keys.Yes:
		return Ignore
	case p.Key == a.keys.Repeat && a.repeats < maxRepeats:
		a.repeats++
		return Repeat
	}
	return a.fail(Choice{Kind: OtherKey, Press: p})
}

// Released completes the evidence of the press that Key took before its end.
func (a *Asking) Released(p Press) {
	held := &a.choice.Press
	if held.Key == p.Key && held.Method == p.Method && held.SSRC == p.SSRC && held.RTPTimestamp == p.RTPTimestamp {
		held.DurationMS, held.EndSeen = p.DurationMS, p.EndSeen
	}
}

// Settled says that [Settle] passed without a contradiction.
func (a *Asking) Settled() Verdict { return Decided }

// Silence says that the answer time passed without a key that counts.
func (a *Asking) Silence() Verdict {
	if a.retries == 0 {
		a.choice = Choice{Kind: a.silentKind(), Press: a.choice.Press}
		return Decided
	}
	a.retries--
	return AskAgain
}

// silentKind keeps what an earlier attempt showed: a wrong key, then silence,
// is still a call in which a key was pressed.
func (a *Asking) silentKind() ChoiceKind {
	if a.choice.Kind == OtherKey || a.choice.Kind == Ambiguous {
		return a.choice.Kind
	}
	return Silence
}

func (a *Asking) fail(c Choice) Verdict {
	a.choice = c
	if a.retries == 0 {
		return Decided
	}
	a.retries--
	return Explain
}

// Choice is what the party did so far; final once a verdict was Decided.
func (a *Asking) Choice() Choice { return a.choice }
