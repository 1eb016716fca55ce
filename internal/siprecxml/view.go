package siprecxml

import (
	"encoding/xml"
	"strconv"
	"time"

	"consentgw/consent"
)

// View is what there is to say of a call at one moment.
type View struct {
	Record *consent.Record
	State  consent.RecordingState // of this recorder
	Caller Party
	Agent  Party
	// Transfers are when one agent took the place of another, in order.
	Transfers []time.Time
	Session   string    // Session-ID of the parties (RFC 7989); "": not known
	Since     time.Time // when the recording session began
	Until     time.Time // when it ended; zero: it goes on
	Namespace string    // of the consent element; "": ConsentNamespace
}

// Party is one of the two. The AOR of the agent is that of all who were it.
type Party struct {
	AOR    string  // a URI; it is personal data unless the policy made it anonymous
	Label  string  // of the stream it sends; "": that is not recorded
	Params []Param // of its taking part in the session
}

// version of the consent element.
const version = 1

// ids are the identifiers of everything in the metadata of a call. agents are those
// who were the agent, in order.
type ids struct {
	session, group, caller, fromCaller, fromAgent string
	agents                                        []string
}

func (v View) ids() (ids, error) {
	id, err := ParseUUID(string(v.Record.ID))
	if err != nil {
		return ids{}, err
	}
	named := func(name string) string { return id.Named(name).String() }
	list := ids{session: id.String(), group: named("group"), caller: named("caller"), agents: []string{named("agent")},
		fromCaller: named("stream of the caller"), fromAgent: named("stream of the agent")}
	for i := range v.Transfers {
		list.agents = append(list.agents, named("agent "+strconv.Itoa(i+2)))
	}
	return list, nil
}

// Complete describes everything: the first document of a recording session, and
// what a recorder gets that asks for a snapshot (RFC 7866 section 9.1). After a
// transfer there is no other: that somebody sends a stream no longer can only be
// said by leaving it out (RFC 7865 section 6.8.1). The error is that of ParseUUID
// for the record's id.
func (v View) Complete() (*Recording, error) {
	id, err := v.ids()
	if err != nil {
		return nil, err
	}
	began := stamp(v.Record.Call.AnsweredAt)
	r := &Recording{
		DataMode:          Complete,
		Groups:            []Group{{ID: id.group, Associate: began}},
		Sessions:          []Session{{ID: id.session, SIP: v.sessions(), GroupRef: id.group, StartTime: began, Consent: v.consent()}},
		Participants:      []Participant{{ID: id.caller, Names: []NameID{{AOR: v.Caller.AOR}}}},
		SessionRecordings: []SessionRecording{{Session: id.session, Associate: stamp(v.Since)}},
		ParticipantSessions: []ParticipantSession{
			{Participant: id.caller, Session: id.session, Associate: began, Params: v.Caller.Params}},
	}
	v.agents(r, id)
	v.streams(r, id)
	return r, nil
}

func (v View) sessions() []string {
	if v.Session == "" {
		return nil
	}
	return []string{v.Session}
}

// agents names all who were the agent, and when.
func (v View) agents(r *Recording, id ids) {
	joined := v.Record.Call.ConnectedAt
	for i, agent := range id.agents {
		part := ParticipantSession{Participant: agent, Session: id.session, Associate: stamp(joined)}
		if i < len(v.Transfers) {
			joined = v.Transfers[i]
			part.Disassociate = stamp(joined)
		} else {
			part.Params = v.Agent.Params
		}
		r.Participants = append(r.Participants, Participant{ID: agent, Names: []NameID{{AOR: v.Agent.AOR}}})
		r.ParticipantSessions = append(r.ParticipantSessions, part)
	}
}

// streams says who sends and who receives what. Agents who have left do neither.
func (v View) streams(r *Recording, id ids) {
	caller, agent := ParticipantStream{Participant: id.caller}, ParticipantStream{Participant: id.agents[len(v.Transfers)]}
	if v.Caller.Label != "" {
		r.Streams = append(r.Streams, Stream{ID: id.fromCaller, Session: id.session, Label: v.Caller.Label})
		caller.Send, agent.Recv = []string{id.fromCaller}, []string{id.fromCaller}
	}
	if v.Agent.Label != "" {
		r.Streams = append(r.Streams, Stream{ID: id.fromAgent, Session: id.session, Label: v.Agent.Label})
		agent.Send, caller.Recv = []string{id.fromAgent}, []string{id.fromAgent}
	}
	r.ParticipantStreams = []ParticipantStream{caller}
	for i, left := range v.Transfers {
		r.ParticipantStreams = append(r.ParticipantStreams, ParticipantStream{Participant: id.agents[i], Disassociate: stamp(left)})
		agent.Associate = stamp(left)
	}
	r.ParticipantStreams = append(r.ParticipantStreams, agent)
}

// Partial describes what can change while the recording session lasts: the
// consent and the state of the recording. It names no label, so it may travel
// without an offer.
func (v View) Partial() (*Recording, error) {
	id, err := v.ids()
	if err != nil {
		return nil, err
	}
	r := &Recording{DataMode: Partial, Sessions: []Session{{ID: id.session, SIP: v.sessions(), Consent: v.consent()}}}
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
		if c.State == "given" && v.State == consent.RecordingOff {
			c.WithdrawnAt = max(c.WithdrawnAt, stamp(g.WithdrawnAt)) // of what this recorder was for
		}
		c.Grants = append(c.Grants, Grant{Purpose: g.Purpose, Granted: g.Granted})
	}
	if c.WithdrawnAt != "" {
		c.State = "withdrawn"
	}
	if n := r.Notice; n.ID != "" {
		c.Notice = &ConsentNotice{ID: n.ID, Version: n.Version, Language: n.Language, SHA256: n.AudioSHA256,
			PlayedMS: n.HeardMS, OfMS: n.LengthMS}
	}
	return c
}
