package consent

import "time"

// Heard is the evidence of the notice: what was played, and how much of it.
type Heard struct {
	StartedAt time.Time `json:"started_at,omitzero"`
	HeardMS   int64     `json:"heard_ms"`    // of the fullest playing
	LengthMS  int64     `json:"duration_ms"` // of the audio
	Complete  bool      `json:"complete"`    // one playing reached its end
	Plays     int       `json:"plays"`       // how often it was begun
	SSRC      uint32    `json:"ssrc,omitempty"`
	FirstSeq  uint16    `json:"first_seq,omitempty"`
	LastSeq   uint16    `json:"last_seq,omitempty"`
}

// Decision is a policy applied to a choice.
type Decision struct {
	Outcome Outcome
	Choice  Choice
	At      time.Time
	// Grants are what was answered for each purpose, if that was asked; nil: the
	// Outcome is that of all. A purpose that is not among them was not asked for.
	Grants []Grant
}

// grant is what d means for one purpose: a yes to it counts only in a decision
// that is Given as a whole.
func (d Decision) grant(purpose string) Grant {
	if d.Grants == nil {
		return Grant{Purpose: purpose, Granted: d.Outcome == Given}
	}
	g := Grant{Purpose: purpose, Outcome: d.Outcome}
	if d.Outcome == Given {
		g.Outcome = NotAsked
	}
	for _, answered := range d.Grants {
		if answered.Purpose == purpose {
			g = answered.clone()
		}
	}
	if g.Outcome == Given {
		g.Outcome = d.Outcome
	}
	g.Granted = g.Outcome == Given
	return g
}

// Decide applies the law to what was heard and chosen. Only a yes after a
// notice heard to its end is Given; a no is a no however little was heard.
// It reads no clock.
func Decide(now time.Time, heard Heard, c Choice) Decision {
	d := Decision{Choice: c, At: now}
	switch {
	case c.Kind == No:
		d.Outcome = Refused
	case c.Kind == OtherKey:
		d.Outcome = InvalidInput
	case c.Kind == Ambiguous:
		d.Outcome = DTMFAmbiguous
	case !heard.Complete:
		d.Outcome = NoticeIncomplete
	case c.Kind == Yes:
		d.Outcome = Given
	default:
		d.Outcome = NoInput
	}
	return d
}

// Unwilling is the refusal of a party whose telephone said so before anybody
// pressed a key. method says how, such as "sdp-recordpref".
func Unwilling(now time.Time, method string) Decision {
	return Decision{Outcome: Refused, Choice: Choice{Kind: No, Press: Press{Method: method, At: now}}, At: now}
}

// Undecided is a decision that no choice led to: the party left, the store was
// away, the route does not ask. It can never be Given.
func Undecided(now time.Time, o Outcome) Decision {
	if o == Given || o == Pending {
		o = Invalidated
	}
	return Decision{Outcome: o, Choice: Choice{Kind: Silence}, At: now}
}
