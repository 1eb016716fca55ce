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
	decided bool // the choice stands, whatever comes late
}

// NewAsking starts a question under p.
func NewAsking(p Policy) *Asking {
	return &Asking{keys: p.Keys, retries: p.Retries, choice: Choice{Kind: Silence}}
}

// Key takes one press. heard says that the press began after the notice had
// been heard to its end: before that a yes is not informed and counts for
// nothing, while a no needs no information (GDPR Art. 4(11), design 4.2). A
// press without a key evidences nothing and counts for nothing. Whoever wants to
// choose is to know what about, like whoever agrees.
func (a *Asking) Key(p Press, heard bool) Verdict {
	settling := a.choice.Kind == Yes
	switch {
	case a.decided:
		return Decided
	case p.Key == "":
		return Ignore
	case settling && p.Key == a.choice.Press.Key:
		return SettleIt
	case settling:
		return a.fail(Choice{Kind: Ambiguous, Press: p})
	case p.Key == a.keys.No:
		return a.decide(Choice{Kind: No, Press: p})
	case p.Key == a.keys.Yes && heard:
		a.choice = Choice{Kind: Yes, Press: p}
		return SettleIt
	case p.Key == a.keys.Yes:
		return Ignore
	case p.Key == a.keys.Choose && heard:
		return a.decide(Choice{Kind: Choosing, Press: p})
	case p.Key == a.keys.Choose:
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

// Settled says that [Settle] passed without a contradiction. Without a yes that
// was waiting for it, it says nothing: a timer may outlive its yes.
func (a *Asking) Settled() Verdict {
	switch {
	case a.decided:
		return Decided
	case a.choice.Kind == Yes:
		return a.decide(a.choice)
	}
	return Ignore
}

// Silence says that the answer time passed without a key that counts. A yes
// that waits for [Settle] is no silence, and goes on waiting.
func (a *Asking) Silence() Verdict {
	switch {
	case a.decided:
		return Decided
	case a.choice.Kind == Yes:
		return SettleIt
	case a.retries == 0:
		return a.decide(Choice{Kind: a.silentKind(), Press: a.choice.Press})
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
	if a.retries == 0 {
		return a.decide(c)
	}
	a.choice = c
	a.retries--
	return Explain
}

func (a *Asking) decide(c Choice) Verdict {
	a.choice, a.decided = c, true
	return Decided
}

// Choice is what the party did so far; final once a verdict was Decided.
func (a *Asking) Choice() Choice { return a.choice }
