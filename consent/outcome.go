package consent

// Outcome is what became of the question of one call. It says more than yes or
// no, because "did not press a key" and "our store was down" are different
// facts to an auditor, though neither is consent.
type Outcome string

// The outcomes. Only Given permits a recording.
const (
	Pending          Outcome = ""                  // no decision yet
	Given            Outcome = "given"             // a positive key after a complete notice, stored
	Refused          Outcome = "refused"           // the negative key
	NoInput          Outcome = "no_input"          // silence after the last question
	InvalidInput     Outcome = "invalid_input"     // only keys without a meaning
	NoticeIncomplete Outcome = "notice_incomplete" // the notice was not heard to its end
	Abandoned        Outcome = "abandoned"         // the asked party left before deciding
	PromptFailed     Outcome = "prompt_failed"     // the notice could not be played at all
	DTMFAmbiguous    Outcome = "dtmf_ambiguous"    // two different keys at once
	StoreUnavailable Outcome = "store_unavailable" // decided, but not durably stored
	NotAsked         Outcome = "not_asked"         // the route has no policy, or the callee never answered
	Withdrawn        Outcome = "withdrawn"         // given, then taken back
	Expired          Outcome = "expired"           // given, then past its validity
	Invalidated      Outcome = "invalidated"       // given, then voided by the controller
)

// Outcomes lists every decided outcome, in the order of the documentation.
func Outcomes() []Outcome {
	return []Outcome{Given, Refused, NoInput, InvalidInput, NoticeIncomplete, Abandoned, PromptFailed,
		DTMFAmbiguous, StoreUnavailable, NotAsked, Withdrawn, Expired, Invalidated}
}

// Known reports whether o is one of [Outcomes].
func (o Outcome) Known() bool {
	for _, known := range Outcomes() {
		if o == known {
			return true
		}
	}
	return false
}

// Status is the short answer for a platform that has a call on the line.
type Status string

// The statuses. A platform may rely on Granted alone meaning that consent is
// in force at this moment.
const (
	StatusGranted   Status = "granted"
	StatusDenied    Status = "denied"
	StatusPending   Status = "pending"
	StatusWithdrawn Status = "withdrawn"
	StatusUnknown   Status = "unknown"
)

// Status maps the outcome to what a platform is told. Everything that is not
// known to be a decision of the asked party is unknown, never granted.
func (o Outcome) Status() Status {
	switch o {
	case Pending:
		return StatusPending
	case Given:
		return StatusGranted
	case Withdrawn:
		return StatusWithdrawn
	case Refused, NoInput, InvalidInput, DTMFAmbiguous, Abandoned, NoticeIncomplete:
		return StatusDenied
	}
	return StatusUnknown
}

// Header is the value of X-Consent-Status toward a platform, which knows three
// words only.
func (o Outcome) Header() Status {
	switch s := o.Status(); s {
	case StatusGranted, StatusDenied:
		return s
	case StatusWithdrawn:
		return StatusDenied
	}
	return StatusUnknown
}
