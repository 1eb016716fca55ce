package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"
)

// evidence is what was seen of one call: what the phones sent and heard, what
// arrived at the recorder, what the contact center was told, and the record
// that the gateway keeps of it all.
type evidence struct {
	record  *consent.Record
	told    string   // "granted on": the consent headers of the INVITE
	answers []string // of the API, during the call
	caller  side
	agent   side
}

// side is one party: what left its phone and what reached it, and the copies of
// the former at the recorder.
type side struct {
	sent, heard, copies []phone.Packet
}

func (e *evidence) copies() int { return len(e.caller.copies) + len(e.agent.copies) }

// gather collects the evidence when the call is over.
func (sc *scene) gather(ctx context.Context, s *stage) error {
	record, err := sc.fetch(ctx, s)
	if err != nil {
		return err
	}
	sc.record = record
	sc.told = sc.visit.status + " " + sc.visit.recording
	sc.caller.sent, sc.caller.heard = sc.line.Sent(), sc.line.Received()
	sc.agent.sent, sc.agent.heard = sc.visit.line.Sent(), sc.visit.line.Received()
	sc.settle(ctx, s.recorder)
	return nil
}

// fetch waits until the call's record is complete in the store.
func (sc *scene) fetch(ctx context.Context, s *stage) (*consent.Record, error) {
	for {
		r, err := s.gateway.Records().Find(ctx, sc.callID)
		if err == nil && r.Ended() {
			return r, nil
		}
		if err != nil && !errors.Is(err, consent.ErrNotFound) {
			return nil, err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("no complete record: %w", err)
		}
	}
}

// arrival is how long the last copies of a call may take to be read at the
// recorder, which shares the machine with everything else.
const arrival = 2 * time.Second

// settle takes the copies of the call, when as many have arrived as the record
// counts. If they do not arrive, the review will say so.
func (sc *scene) settle(ctx context.Context, r hearer) {
	ctx, cancel := context.WithTimeout(ctx, arrival)
	defer cancel()
	_ = r.Wait(ctx, func() bool {
		sc.caller.copies, sc.agent.copies = nil, nil
		for _, rec := range sc.record.Recordings {
			sc.caller.copies = append(sc.caller.copies, r.Caller(rec.Caller.SSRC)...)
			sc.agent.copies = append(sc.agent.copies, r.Agent(rec.Agent.SSRC)...)
		}
		return uint64(sc.copies()) >= sc.record.RecordedPackets()
	})
}
