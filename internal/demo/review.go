package demo

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"
)

// copies are the packets of one call at the recorder.
type copies struct{ caller, agent []phone.Packet }

func (c copies) total() int { return len(c.caller) + len(c.agent) }

// copies finds the packets of the call by the sources that its record names. A
// call without a recording has none.
func (sc *scene) copies(r *phone.Recorder) copies {
	var c copies
	if sc.record == nil {
		return c
	}
	for _, rec := range sc.record.Recordings {
		c.caller = append(c.caller, r.Caller(rec.Caller.SSRC)...)
		c.agent = append(c.agent, r.Agent(rec.Agent.SSRC)...)
	}
	return c
}

// review holds the call against the law and returns what it finds.
func (sc *scene) review(ctx context.Context, s *stage) (findings []error) {
	if sc.err != nil {
		return []error{fmt.Errorf("%s: %w", sc.title, sc.err)}
	}
	check := func(ok bool, format string, args ...any) {
		if !ok {
			findings = append(findings, fmt.Errorf("%s: "+format, append([]any{sc.title}, args...)...))
		}
	}
	r, got := sc.record, sc.copies(s.recorder)
	check(r.Outcome == sc.want, "the outcome is %s, not %s", r.Outcome, sc.want)
	check(r.Press != nil && r.Press.Key == sc.key, "the record does not show the key that was pressed")
	check(phone.Loudness(sc.visit.line.Received()) > audible, "the agent did not hear the caller")
	check(phone.Loudness(tail(sc.line.Received())) > audible, "the caller did not hear the agent")
	if sc.want == consent.Refused {
		check(len(r.Recordings) == 0 && got.total() == 0, "the recorder has %d packets of a refused call", got.total())
		check(sc.visit.status == "denied" && sc.visit.recording == "off", "the platform was told %q", sc.visit.status)
		return findings
	}
	check(sc.visit.status == "granted" && sc.visit.recording == "on", "the platform was told %q", sc.visit.status)
	check(r.Notice.Complete, "the notice was not heard to its end")
	check(len(r.Recordings) == 1, "there are %d recordings", len(r.Recordings))
	if len(r.Recordings) == 1 {
		sc.reviewCopies(r.Recordings[0], got, check)
	}
	return findings
}

// audible is the loudness of speech, in sample steps, as phone.Loudness counts.
const audible = 150

// tail is the last two seconds.
func tail(packets []phone.Packet) []phone.Packet { return packets[max(0, len(packets)-100):] }

// reviewCopies compares what arrived at the recorder with what was sent, packet
// by packet, and with the gateway's own counts.
func (sc *scene) reviewCopies(rec consent.Recording, got copies, check func(bool, string, ...any)) {
	check(uint64(len(got.caller)) == rec.Caller.Packets && uint64(len(got.agent)) == rec.Agent.Packets,
		"the gateway counts %d+%d copies, the recorder %d+%d", rec.Caller.Packets, rec.Agent.Packets, len(got.caller), len(got.agent))
	check(rec.BeforeGrant == 0 && rec.AfterStop == 0, "the record counts copies outside the permit")
	until := time.Now()
	if sc.record.Withdrawal != nil {
		// The record's times are cut to milliseconds, loopback takes far less.
		until = sc.record.Withdrawal.At.Add(5 * time.Millisecond)
	}
	for side, pair := range map[string][2][]phone.Packet{
		"caller": {sc.line.Sent(), got.caller}, "agent": {sc.visit.line.Sent(), got.agent}} {
		sent, copied := pair[0], pair[1]
		check(len(copied) > 0, "nothing of the %s was recorded", side)
		for _, p := range copied {
			check(!p.At.Before(sc.record.StoredAt), "a packet of the %s was copied before the decision was stored", side)
			check(!p.At.After(until), "a packet of the %s was copied after the withdrawal", side)
			check(contains(sent, p), "a copy is no packet that the %s sent", side)
		}
	}
}

func contains(sent []phone.Packet, p phone.Packet) bool {
	for _, s := range sent {
		if s.Seq == p.Seq && s.Timestamp == p.Timestamp && bytes.Equal(s.Payload, p.Payload) {
			return true
		}
	}
	return false
}

// strangers finds packets at the recorder that belong to no permitted call.
func (s *stage) strangers(scenes []*scene) []error {
	all := len(s.recorder.Caller(0)) + len(s.recorder.Agent(0))
	for _, sc := range scenes {
		all -= sc.copies(s.recorder).total()
	}
	if all != 0 {
		return []error{fmt.Errorf("the recorder has %d packets of no permitted call", all)}
	}
	return nil
}
