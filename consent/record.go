package consent

import (
	"slices"
	"time"
)

// Schema names the shape of a stored [Record].
const Schema = "consentgw.record/1"

// RecordID identifies the record of one call: a UUID in its textual form.
type RecordID string

// Record is the evidence of one call: who was called, what was heard, pressed
// and decided, when it was stored, and which packets reached a recorder. It is
// owned by the goroutine of its call; everyone else reads a Clone.
type Record struct {
	Schema string   `json:"schema"`
	ID     RecordID `json:"record_id"`
	// Epoch counts the versions, Writer names who wrote this one. Together
	// they are the compare-and-set of the [Store].
	Epoch   uint64 `json:"epoch"`
	Writer  string `json:"writer"`
	Node    string `json:"node"`
	Subject string `json:"subject"` // the asked party's number as it was signalled; empty if withheld
	Call    Call   `json:"call"`
	Terms   Terms  `json:"policy"`
	Notice  Notice `json:"notice"`
	Standing
	Legs       Legs        `json:"legs,omitzero"`
	Recordings []Recording `json:"recordings,omitempty"`
	Withdrawal *Withdrawal `json:"withdrawal,omitempty"`
	History    []Event     `json:"history"`
	UpdatedAt  time.Time   `json:"updated_at"`
}

// Standing is the decision as it stands.
type Standing struct {
	Outcome   Outcome   `json:"outcome"`
	Status    Status    `json:"status"`
	Press     *Press    `json:"press,omitempty"` // the key that decided
	Purposes  []Grant   `json:"purposes"`
	DecidedAt time.Time `json:"decided_at,omitzero"`
	StoredAt  time.Time `json:"stored_at,omitzero"`
}

// Call is the signalling side of the record.
type Call struct {
	TrunkCallID    string    `json:"trunk_call_id"`
	PlatformCallID string    `json:"platform_call_id,omitempty"`
	FormerCallIDs  []string  `json:"former_call_ids,omitempty"` // of platform legs that were replaced by a transfer
	Direction      string    `json:"direction"`                 // "inbound": trunk to platform; "outbound": platform to trunk
	Trunk          string    `json:"trunk"`
	Route          string    `json:"route"`
	Platform       string    `json:"platform,omitempty"`
	Target         string    `json:"target,omitempty"`
	Called         string    `json:"called"`
	InvitedAt      time.Time `json:"invited_at"`
	AnsweredAt     time.Time `json:"answered_at,omitzero"`  // by the gateway, or by the callee of an outbound call
	ConnectedAt    time.Time `json:"connected_at,omitzero"` // the two parties to each other
	EndedAt        time.Time `json:"ended_at,omitzero"`
	EndCause       string    `json:"end_cause,omitempty"`
	Signalled      Signalled `json:"signalled,omitzero"` // who calls, as the INVITE said
}

// Has reports whether a Call-ID is that of a leg of the call, or was.
func (c *Call) Has(callID string) bool {
	return callID != "" && (callID == c.TrunkCallID || callID == c.PlatformCallID || slices.Contains(c.FormerCallIDs, callID))
}

// Terms are the policy under which the question was put, as it stood then.
type Terms struct {
	Name         string     `json:"name"`
	Controller   Controller `json:"controller,omitzero"`
	Jurisdiction string     `json:"jurisdiction,omitempty"`
	Basis        string     `json:"basis,omitempty"`
	Retention    Retention  `json:"retention,omitzero"`
	Withdraw     string     `json:"withdraw,omitempty"` // key sequence
	Ask          Ask        `json:"ask,omitempty"`      // how the purposes were put; empty: together
}

// Notice is which notice was played and how much of it was heard.
type Notice struct {
	ID          string `json:"id,omitempty"`
	Version     string `json:"version,omitempty"`
	Language    string `json:"language,omitempty"`
	Codec       string `json:"codec,omitempty"`
	AudioSHA256 string `json:"audio_sha256,omitempty"`
	TextSHA256  string `json:"text_sha256,omitempty"`
	Heard
	// Prompts are what was played to ask, if that was more than one prompt, in the
	// order in which it was first to be played. The hashes above are those of the
	// first then, and the rest is the sum.
	Prompts []Spoken `json:"prompts,omitempty"`
}

// Spoken is one prompt of a notice, and how much of it was heard.
type Spoken struct {
	Prompt      string `json:"prompt"`
	Codec       string `json:"codec,omitempty"`
	AudioSHA256 string `json:"audio_sha256"`
	TextSHA256  string `json:"text_sha256"`
	Heard
}

// Grant is the decision for one purpose.
type Grant struct {
	Purpose string `json:"purpose"`
	Granted bool   `json:"granted"`
	// Outcome is what became of this purpose, where it was asked for or taken back
	// by itself; empty: it shares the outcome of the whole. Question is the
	// prompt that put it, one of Notice.Prompts, and Press the key that decided.
	Outcome     Outcome   `json:"outcome,omitempty"`
	Question    string    `json:"question,omitempty"`
	Press       *Press    `json:"press,omitempty"`
	DecidedAt   time.Time `json:"decided_at,omitzero"`
	WithdrawnAt time.Time `json:"withdrawn_at,omitzero"`
	WithdrawnBy string    `json:"withdrawn_by,omitempty"` // as Withdrawal.Method
}

func (g Grant) clone() Grant {
	if g.Press != nil {
		p := *g.Press
		g.Press = &p
	}
	return g
}

// Withdrawal is how a granted consent was taken back.
type Withdrawal struct {
	At     time.Time `json:"at"`     // when the gate was shut, or the request came after the call
	Method string    `json:"method"` // "key", "api"
	// RecordedPackets is how many packets had reached the recorders by then.
	RecordedPackets uint64 `json:"recorded_packets"`
}

// RecordingState says whether copies flow.
type RecordingState string

// The recording states.
const (
	RecordingOff    RecordingState = "off"
	RecordingOn     RecordingState = "on"
	RecordingPaused RecordingState = "paused"
)

// Recording is the evidence of the copies at one recorder. Its packet counts
// are the gate's own.
type Recording struct {
	Recorder      string         `json:"recorder"`
	State         RecordingState `json:"state"`
	OpenedAt      time.Time      `json:"opened_at"`
	ClosedAt      time.Time      `json:"closed_at,omitzero"`
	FirstPacketAt time.Time      `json:"first_packet_at,omitzero"`
	LastPacketAt  time.Time      `json:"last_packet_at,omitzero"`
	Caller        Copies         `json:"caller"`
	Agent         Copies         `json:"agent"`
	BeforeGrant   uint64         `json:"packets_before_grant"` // 0 by law
	AfterStop     uint64         `json:"packets_after_stop"`   // 0 by law
	Pauses        []Pause        `json:"pauses,omitempty"`
	Fault         string         `json:"fault,omitempty"` // why copies are missing
}

// Copies counts one direction of a recording.
type Copies struct {
	SSRC    uint32 `json:"ssrc"`
	Packets uint64 `json:"packets"` // handed to the network
	Lost    uint64 `json:"lost"`    // the network did not take them
	// Codec and PayloadType are those of the last copy.
	Codec       string `json:"codec,omitempty"`
	PayloadType uint8  `json:"payload_type,omitempty"`
}

// Pause is a stretch without copies inside a recording.
type Pause struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to,omitzero"`
	Reason string    `json:"reason"` // "hold", "api"
}

// EndPause ends the pause that is open, if one is.
func (r *Recording) EndPause(at time.Time) {
	if n := len(r.Pauses); n > 0 && r.Pauses[n-1].To.IsZero() {
		r.Pauses[n-1].To = Stamp(at)
	}
}

// Event is one line of the history. The history only grows.
type Event struct {
	At   time.Time `json:"at"`
	Type string    `json:"type"`
	Text string    `json:"text,omitempty"`
}

// Stamp is the precision and the zone of every time in a record: UTC,
// milliseconds.
func Stamp(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Millisecond)
}

// Clone returns a deep copy.
func (r *Record) Clone() *Record {
	c := *r
	c.Call.Signalled = r.Call.Signalled.clone()
	c.Call.FormerCallIDs = slices.Clone(r.Call.FormerCallIDs)
	c.Purposes = slices.Clone(r.Purposes)
	for i := range c.Purposes {
		c.Purposes[i] = c.Purposes[i].clone()
	}
	c.Notice.Prompts = slices.Clone(r.Notice.Prompts)
	c.History = slices.Clone(r.History)
	c.Legs = r.Legs.clone()
	c.Recordings = slices.Clone(r.Recordings)
	for i := range c.Recordings {
		c.Recordings[i].Pauses = slices.Clone(c.Recordings[i].Pauses)
	}
	if r.Press != nil {
		p := *r.Press
		c.Press = &p
	}
	if r.Withdrawal != nil {
		w := *r.Withdrawal
		c.Withdrawal = &w
	}
	return &c
}

// Has reports whether consent to a purpose is in force.
func (r *Record) Has(purpose string) bool {
	return slices.ContainsFunc(r.Purposes, func(g Grant) bool { return g.Granted && g.Purpose == purpose })
}

// TakenBack are the purposes that were granted and withdrawn by themselves.
func (r *Record) TakenBack() (purposes []string) {
	for _, g := range r.Purposes {
		if g.Outcome == Withdrawn {
			purposes = append(purposes, g.Purpose)
		}
	}
	return purposes
}

// Ended reports whether the call is over.
func (r *Record) Ended() bool { return !r.Call.EndedAt.IsZero() }

// Recording is the state over all recorders: on if any copies flow, else
// paused if any is paused, else off.
func (r *Record) Recording() RecordingState {
	state := RecordingOff
	for _, rec := range r.Recordings {
		switch rec.State {
		case RecordingOn:
			return RecordingOn
		case RecordingPaused:
			state = RecordingPaused
		}
	}
	return state
}

// RecordedPackets is how many packets were handed to all recorders.
func (r *Record) RecordedPackets() uint64 {
	var n uint64
	for _, rec := range r.Recordings {
		n += rec.Caller.Packets + rec.Agent.Packets
	}
	return n
}
