package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"
)

// expectation is what the law asks of a call.
type expectation struct {
	outcome consent.Outcome
	told    string   // to the contact center, with the INVITE
	api     []string // the answers of the API
}

// audible is the loudness of speech, in sample steps, as phone.Loudness counts.
const audible = 150

// review holds the call against the law and returns what it finds.
func (sc *scene) review() (findings []error) {
	if sc.err != nil {
		return []error{fmt.Errorf("call %d: %w", sc.number, sc.err)}
	}
	found := func(format string, args ...any) {
		findings = append(findings, fmt.Errorf("call %d: %s", sc.number, fmt.Sprintf(format, args...)))
	}
	sc.reviewRecord(found)
	sc.reviewTalk(found)
	if sc.want.outcome == consent.Refused {
		if n := len(sc.record.Recordings); n > 0 {
			found("the record shows %d recordings of a call that may not be recorded", n)
		}
		return findings
	}
	if n := len(sc.record.Recordings); n != 1 {
		found("the record shows %d recordings, not 1", n)
		return findings
	}
	sc.reviewCopies("caller", sc.caller, sc.record.Recordings[0].Caller.Packets, found)
	sc.reviewCopies("agent", sc.agent, sc.record.Recordings[0].Agent.Packets, found)
	return findings
}

// reviewRecord asks whether the record says what happened.
func (sc *scene) reviewRecord(found func(string, ...any)) {
	r := sc.record
	if r.Outcome != sc.want.outcome {
		found("the outcome is %q, not %q", r.Outcome, sc.want.outcome)
	}
	if r.Press == nil || r.Press.Key != sc.key {
		found("the record does not show the key that was pressed")
	}
	if sc.want.outcome != consent.Refused && !r.Notice.Complete {
		found("a yes counted although the notice was not heard to its end")
	}
	if withdrawn := r.Withdrawal != nil; withdrawn != (sc.want.outcome == consent.Withdrawn) {
		found("the record shows a withdrawal: %t", withdrawn)
	}
	for _, rec := range r.Recordings {
		if rec.BeforeGrant != 0 || rec.AfterStop != 0 {
			found("the record counts %d copies before the grant and %d after the stop", rec.BeforeGrant, rec.AfterStop)
		}
	}
}

// reviewTalk asks whether the two could talk, and whether the contact center
// knew what it may do.
func (sc *scene) reviewTalk(found func(string, ...any)) {
	if phone.Loudness(tail(sc.agent.heard)) < audible {
		found("the agent did not hear the caller")
	}
	if phone.Loudness(tail(sc.caller.heard)) < audible {
		found("the caller did not hear the agent")
	}
	if sc.told != sc.want.told {
		found("the contact center was told %q, not %q", sc.told, sc.want.told)
	}
	if !slices.Equal(sc.answers, sc.want.api) {
		found("the API answered %q, not %q", sc.answers, sc.want.api)
	}
}

// tail is the last seconds of what was heard, without the prompts before it.
func tail(packets []phone.Packet) []phone.Packet { return packets[max(0, len(packets)-100):] }

// reviewCopies compares what arrived at the recorder with what the party sent,
// packet by packet, and with the gateway's own count.
func (sc *scene) reviewCopies(party string, s side, counted uint64, found func(string, ...any)) {
	if len(s.copies) == 0 {
		found("nothing of the %s was recorded", party)
	}
	if uint64(len(s.copies)) != counted {
		found("the gateway counts %d copies of the %s, the recorder %d", counted, party, len(s.copies))
	}
	for _, name := range wrongs() {
		n := 0
		for _, c := range s.copies {
			if name.is(sc.record, s.sent, c) {
				n++
			}
		}
		if n > 0 {
			found("%d packets of the %s %s", n, party, name.words)
		}
	}
	if n := s.missing(); n > 0 {
		found("%d packets of the %s are missing from the recording", n, party)
	}
}

// wrong is one way in which a copy is not what it should be.
type wrong struct {
	words string
	is    func(r *consent.Record, sent []phone.Packet, c phone.Packet) bool
}

func wrongs() []wrong {
	return []wrong{
		{"at the recorder were never sent", func(_ *consent.Record, sent []phone.Packet, c phone.Packet) bool {
			_, ok := original(sent, c)
			return !ok
		}},
		{"at the recorder are keys", func(_ *consent.Record, sent []phone.Packet, c phone.Packet) bool {
			// A copy has the payload type of speech, whatever it is a copy of.
			o, ok := original(sent, c)
			return !isVoice(c) || ok && !isVoice(o)
		}},
		{"were copied before the decision was stored", func(r *consent.Record, _ []phone.Packet, c phone.Packet) bool {
			return c.At.Before(r.StoredAt)
		}},
		{"were copied although they were said after the withdrawal", func(r *consent.Record, sent []phone.Packet, c phone.Packet) bool {
			o, ok := original(sent, c)
			// The time of the record is cut to milliseconds.
			return ok && r.Withdrawal != nil && !o.At.Before(r.Withdrawal.At.Add(time.Millisecond))
		}},
	}
}

func isVoice(p phone.Packet) bool { return p.Type == 0 || p.Type == 8 }

// original finds the packet that a copy was made of.
func original(sent []phone.Packet, c phone.Packet) (phone.Packet, bool) {
	for _, s := range sent {
		if s.Seq == c.Seq && s.Timestamp == c.Timestamp && bytes.Equal(s.Payload, c.Payload) {
			return s, true
		}
	}
	return phone.Packet{}, false
}

// missing counts the voice that the party sent between the first and the last
// copy and that did not arrive.
func (s side) missing() (n int) {
	if len(s.copies) == 0 {
		return 0
	}
	first, last := s.copies[0].Seq, s.copies[0].Seq
	for _, c := range s.copies {
		if int16(c.Seq-first) < 0 {
			first = c.Seq
		}
		if int16(c.Seq-last) > 0 {
			last = c.Seq
		}
	}
	for _, p := range s.sent {
		if isVoice(p) && p.Seq-first <= last-first {
			n++
		}
	}
	for _, c := range s.copies {
		if isVoice(c) {
			n--
		}
	}
	return max(n, 0)
}

// hearer is a recorder that keeps what it heard.
type hearer interface {
	Caller(ssrc uint32) []phone.Packet
	Agent(ssrc uint32) []phone.Packet
	// Wait returns when ok says true; it asks whenever something was heard.
	Wait(ctx context.Context, ok func() bool) error
}

// strangers counts the packets at the recorder that belong to no call that may
// be recorded.
func strangers(r hearer, scenes []*scene) error {
	all := len(r.Caller(0)) + len(r.Agent(0))
	for _, sc := range scenes {
		all -= sc.copies()
	}
	if all != 0 {
		return fmt.Errorf("the recorder has %d packets of no permitted call", all)
	}
	return nil
}

// verdict is the error of all findings.
func verdict(findings []error) error {
	if len(findings) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrBroken, errors.Join(findings...))
}
