package consent

import "time"

// Policy is the rule by which one route asks.
type Policy struct {
	Name          string
	Controller    Controller
	Jurisdiction  string // ISO 3166 country of the law that applies
	Basis         string // GDPR Art. 6(1) basis; the gateway records on "consent" only
	Purposes      []string
	Ask           Ask    // how they are put
	Notice        string // notice id
	Language      string // RFC 5646 tag of the notice
	Keys          Keys
	AnswerTimeout time.Duration // silence after the end of the notice, > 0
	Retries       int           // how often the question is asked again, >= 0
	Retention     Retention
}

// Controller is who answers for the recording (GDPR Art. 4(7), 13(1)(a)).
type Controller struct {
	Name    string `json:"name"`
	Contact string `json:"contact"`
	Address string `json:"address"`
	Country string `json:"country"`
}

// Keys are the presses with a meaning. Yes, No, Repeat and Choose are one key
// each, Withdraw, Pause and Resume are sequences of at least two; the last two
// may be empty, and so may Choose, which only AskChoose has a use for.
type Keys struct {
	Yes, No, Repeat, Choose, Withdraw, Pause, Resume string
}

// Retention says how long what is kept, as ISO 8601 durations.
type Retention struct {
	Record    string `json:"record"`
	Recording string `json:"recording"`
}

// Press is the evidence of one key press (RFC 4733, or SIP INFO).
type Press struct {
	Key          string    `json:"key"`
	Method       string    `json:"method"` // "rfc4733", "sip-info", "inband"
	SSRC         uint32    `json:"ssrc,omitempty"`
	RTPTimestamp uint32    `json:"rtp_timestamp,omitempty"`
	PayloadType  uint8     `json:"payload_type,omitempty"`
	DurationMS   int64     `json:"duration_ms"`
	At           time.Time `json:"at"`
	EndSeen      bool      `json:"end_seen"`
	// SRTP is the crypto suite that protected an rfc4733 press on its way; empty:
	// nothing did (RFC 4733 section 6).
	SRTP string `json:"srtp,omitempty"`
}

// ChoiceKind is what the asked party did.
type ChoiceKind string

// The kinds of choice. Ambiguous is two different keys within [Settle], Choosing
// the wish to be asked for each purpose: it decides nothing by itself.
const (
	Silence   ChoiceKind = "silence"
	Yes       ChoiceKind = "yes"
	No        ChoiceKind = "no"
	OtherKey  ChoiceKind = "other"
	Ambiguous ChoiceKind = "ambiguous"
	Choosing  ChoiceKind = "choosing"
)

// Choice is what the asked party did, with the press that shows it. The press
// of a silence is zero.
type Choice struct {
	Kind  ChoiceKind
	Press Press
}

// evidence is the press as a record keeps it; nil if there was none.
func (c Choice) evidence() *Press {
	if c.Press.Key == "" && c.Press.Method == "" {
		return nil
	}
	p := c.Press
	p.At = Stamp(p.At)
	return &p
}

// Settle is how long a yes waits for a second, different key: fingers slip, and
// a yes that cannot be told from a no is not an unambiguous indication
// (GDPR Art. 4(11)). A no never waits.
const Settle = 300 * time.Millisecond
