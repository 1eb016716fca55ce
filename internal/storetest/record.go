// Package storetest is for tests only: the suite that every [consent.Store]
// passes, records to fill one with, a store that fails on demand, and a real
// redis-server.
package storetest

import (
	"crypto/rand"
	"fmt"
	"time"

	"consentgw/consent"
)

// Node is the node of every [Record].
const Node = "gw-test"

// Epoch0 is when the calls of [Record] begin.
func Epoch0() time.Time { return time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC) }

// Record returns a new record, like that of a call that was admitted and asked:
// epoch 1, pending, fictional numbers, all ids its own. Each change is applied
// in turn.
func Record(changes ...func(*consent.Record)) *consent.Record {
	id := newUUID()
	policy := consent.Policy{Name: "nl", Jurisdiction: "NL", Basis: "consent", Purposes: []string{"quality"},
		Controller: consent.Controller{Name: "Voorbeeld B.V.", Contact: "privacy@example.com", Country: "NL"},
		Keys:       consent.Keys{Yes: "1", No: "2", Repeat: "0", Withdraw: "*9"},
		Retention:  consent.Retention{Record: "P7Y", Recording: "P90D"}}
	r := consent.NewRecord(consent.RecordID(id), Node, "writer-1", policy, consent.Call{
		TrunkCallID: "trunk-" + id + "@192.0.2.10", Direction: "inbound", Trunk: "carrier-a", Route: "sales",
		Called: "+31205550100", InvitedAt: Epoch0()})
	r.Subject = "+31205550143"
	for _, change := range changes {
		change(r)
	}
	return r
}

// At sets when the call was invited.
func At(t time.Time) func(*consent.Record) {
	return func(r *consent.Record) { r.Call.InvitedAt = consent.Stamp(t) }
}

// After sets the time of the INVITE to d after [Epoch0].
func After(d time.Duration) func(*consent.Record) { return At(Epoch0().Add(d)) }

// By sets the writer.
func By(writer string) func(*consent.Record) { return func(r *consent.Record) { r.Writer = writer } }

// Calls sets the Call-IDs of both legs.
func Calls(trunk, platform string) func(*consent.Record) {
	return func(r *consent.Record) { r.Call.TrunkCallID, r.Call.PlatformCallID = trunk, platform }
}

// Ended ends the call a minute after it began.
func Ended(r *consent.Record) { r.End(r.Call.InvitedAt.Add(time.Minute), "caller hung up") }

// Granted turns r into the record of an agreed and recorded call that is still
// up, with every field set.
func Granted(r *consent.Record) {
	at := r.Call.InvitedAt
	step := func(n int) time.Time { return at.Add(time.Duration(n) * time.Millisecond) }
	r.Call.PlatformCallID = "platform-" + string(r.ID) + "@192.0.2.20"
	r.Call.Platform, r.Call.Target = "contact-center", "sip:127.0.0.1:5090"
	r.Call.AnsweredAt, r.Call.ConnectedAt = step(120), step(9120)
	r.Notice = consent.Notice{ID: "recording", Version: "3", Language: "nl", Codec: "PCMA",
		AudioSHA256: fmt.Sprintf("%064x", 11), TextSHA256: fmt.Sprintf("%064x", 12),
		Heard: consent.Heard{StartedAt: step(150), HeardMS: 8200, LengthMS: 8200, Complete: true, Plays: 1,
			SSRC: 0xdeadbeef, FirstSeq: 65500, LastSeq: 374}}
	r.Outcome, r.Status = consent.Given, consent.Given.Status()
	r.Press = &consent.Press{Key: "1", Method: "rfc4733", SSRC: 77, RTPTimestamp: 4123456789, PayloadType: 101,
		DurationMS: 140, At: step(8600), EndSeen: true}
	r.Purposes[0].Granted = true
	r.DecidedAt, r.StoredAt = step(8900), step(8903)
	r.Recordings = []consent.Recording{{Recorder: "archive", State: consent.RecordingOn, OpenedAt: step(9200),
		FirstPacketAt: step(9220), LastPacketAt: step(29220),
		Caller: consent.Copies{SSRC: 1, Packets: 1000, Lost: 1}, Agent: consent.Copies{SSRC: 2, Packets: 999},
		Pauses: []consent.Pause{{From: step(12000), To: step(14000), Reason: "hold"}}, Fault: "none"}}
	r.Note(step(8900), "decided", string(consent.Given))
}

// Asked makes of r that of a call in which each of four purposes was asked for by
// itself: two were agreed to, one refused, and one not answered.
func Asked(r *consent.Record) {
	r.Terms.Ask = consent.AskEach
	yes, no := *r.Press, *r.Press
	no.Key = "2"
	r.Purposes = []consent.Grant{
		{Purpose: "quality", Granted: true, Outcome: consent.Given, Question: "ask-quality", Press: &yes, DecidedAt: yes.At},
		{Purpose: "training", Granted: true, Outcome: consent.Given, Question: "ask-training", Press: &yes, DecidedAt: yes.At},
		{Purpose: "ai_analysis", Outcome: consent.Refused, Question: "ask-ai_analysis", Press: &no, DecidedAt: no.At},
		{Purpose: "fraud", Outcome: consent.NoInput, Question: "ask-fraud", DecidedAt: no.At},
	}
	for _, g := range r.Purposes {
		r.Notice.Prompts = append(r.Notice.Prompts, consent.Spoken{Prompt: g.Question, Codec: r.Notice.Codec,
			AudioSHA256: r.Notice.AudioSHA256, TextSHA256: r.Notice.TextSHA256, Heard: r.Notice.Heard})
	}
}

// newUUID returns a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
