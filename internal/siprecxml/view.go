package siprecxml

import (
	"encoding/xml"
	"time"

	"consentgw/consent"
)

// View is what there is to say of a call at one moment.
type View struct {
	Record    *consent.Record
	State     consent.RecordingState // of this recorder
	Caller    Party
	Agent     Party
	Since     time.Time // when the recording session began
	Until     time.Time // when it ended; zero: it goes on
	Namespace string    // of the consent element; "": ConsentNamespace
}

// Party is one of the two.
type Party struct {
	AOR    string  // a URI; it is personal data unless the policy made it anonymous
	Label  string  // of the stream it sends; "": that is not recorded
	Params []Param // of its taking part in the session
}

// version of the consent element.
const version = 1

// ids are the identifiers of everything in the metadata of a call.
type ids struct{ session, group, caller, agent, fromCaller, fromAgent string }

func (v View) ids() (ids, error) {
	id, err := ParseUUID(string(v.Record.ID))
	if err != nil {
		return ids{}, err
	}
	named := func(name string) string { return id.Named(name).String() }
	return ids{session: id.String(), group: named("group"), caller: named("caller"), agent: named("agent"),
		fromCaller: named("stream of the caller"), fromAgent: named("stream of the agent")}, nil
}

// Complete describes everything: the first document of a recording session, and
// what a recorder gets that asks for a snapshot (RFC 7866 section 9.1). The
// error is that of ParseUUID for the record's id.
func (v View) Complete() (*Recording, error) {
	id, err := v.ids()
	if err != nil {
		return nil, err
	}
	began, joined := stamp(v.Record.Call.AnsweredAt), stamp(v.Record.Call.ConnectedAt)
	r := &Recording{
		DataMode: Complete,
		Groups:   []Group{{ID: id.group, Associate: began}},
		Sessions: []Session{{ID: id.session, GroupRef: id.group, StartTime: began, Consent: v.consent()}},
		Participants: []Participant{
			{ID: id.caller, Names: []NameID{{AOR: v.Caller.AOR}}},
			{ID: id.agent, Names: []NameID{{AOR: v.Agent.AOR}}},
		},
		SessionRecordings: []SessionRecording{{Session: id.session, Associate: stamp(v.Since)}},
		ParticipantSessions: []ParticipantSession{
			{Participant: id.caller, Session: id.session, Associate: began, Params: v.Caller.Params},
			{Participant: id.agent, Session: id.session, Associate: joined, Params: v.Agent.Params},
		},
	}
	caller, agent := ParticipantStream{Participant: id.caller}, ParticipantStream{Participant: id.agent}
	if v.Caller.Label != "" {
		r.Streams = append(r.Streams, Stream{ID: id.fromCaller, Session: id.session, Label: v.Caller.Label})
		caller.Send, agent.Recv = []string{id.fromCaller}, []string{id.fromCaller}
	}
	if v.Agent.Label != "" {
		r.Streams = append(r.Streams, Stream{ID: id.fromAgent, Session: id.session, Label: v.Agent.Label})
		agent.Send, caller.Recv = []string{id.fromAgent}, []string{id.fromAgent}
	}
	r.ParticipantStreams = []ParticipantStream{caller, agent}
	return r, nil
}

// Partial describes what can change while the recording session lasts: the
// consent and the state of the recording. It names no label, so it may travel
// without an offer.
func (v View) Partial() (*Recording, error) {
	id, err := v.ids()
	if err != nil {
		return nil, err
	}
	r := &Recording{DataMode: Partial, Sessions: []Session{{ID: id.session, Consent: v.consent()}}}
	if !v.Until.IsZero() {
		r.SessionRecordings = []SessionRecording{{Session: id.session, Associate: stamp(v.Since), Disassociate: stamp(v.Until)}}
	}
	return r, nil
}

func (v View) consent() *Consent {
	r, space := v.Record, v.Namespace
	if space == "" {
		space = ConsentNamespace
	}
	c := &Consent{
		XMLName: xml.Name{Space: space, Local: "consent"}, Version: version,
		RecordID: string(r.ID), Basis: r.Terms.Basis, State: "given", DecidedAt: stamp(r.DecidedAt),
		Recording: string(v.State), Retention: r.Terms.Retention.Recording,
	}
	if r.Withdrawal != nil {
		c.State, c.WithdrawnAt = "withdrawn", stamp(r.Withdrawal.At)
	}
	for _, g := range r.Purposes {
		c.Grants = append(c.Grants, Grant{Purpose: g.Purpose, Granted: g.Granted})
	}
	if n := r.Notice; n.ID != "" {
		c.Notice = &ConsentNotice{ID: n.ID, Version: n.Version, Language: n.Language, SHA256: n.AudioSHA256,
			PlayedMS: n.HeardMS, OfMS: n.LengthMS}
	}
	return c
}
