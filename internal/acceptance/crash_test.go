package acceptance

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"consentgw/consent"

	"github.com/stretchr/testify/require"
)

// cutOffCause is how the record of a call that died with its gateway ends.
const cutOffCause = "gateway stopped during the call"

// TestGatewayKilledDuringCalls kills the gateway with calls in each state that a
// crash can find, on either store. After the restart every record is closed,
// and none claims more than what reached the recorder.
func TestGatewayKilledDuringCalls(t *testing.T) {
	for _, store := range []string{"redis", "embedded"} {
		t.Run(store, func(t *testing.T) {
			s := newSite(t, plan{embedded: store == "embedded"})
			s.start()
			p, c := s.openPhone(), s.openCenter()
			c.letRing("ringing")

			ringing, err := s.asked(p, "ringing")
			require.NoError(t, err)
			ringing.caller.Press("1")
			_, err = c.await(s.ctx, "ringing", false)
			require.NoError(t, err)
			recorded, err := s.connected(p, c, "recorded", "1")
			require.NoError(t, err)
			withdrawn, err := s.connected(p, c, "withdrawn", "1")
			require.NoError(t, err)
			withdrawn.caller.Press("*9")
			refused, err := s.connected(p, c, "refused", "2")
			require.NoError(t, err)
			s.evidenced("recorded", consent.Given)
			s.evidenced("withdrawn", consent.Withdrawn)
			asking, err := s.asked(p, "undecided")
			require.NoError(t, err)
			s.settled("undecided", "ringing", "refused", "withdrawn")

			s.crash()
			s.start()
			for _, v := range []*conversation{asking, ringing, recorded, withdrawn, refused} {
				r := s.finished(v.id)
				require.Equal(t, cutOffCause, r.Call.EndCause, v.id)
				require.Equal(t, map[string]consent.Outcome{"undecided": consent.Abandoned, "ringing": consent.Given,
					"recorded": consent.Given, "withdrawn": consent.Withdrawn, "refused": consent.Refused}[v.id], r.Outcome, v.id)
				require.Equal(t, v == recorded || v == withdrawn, len(r.Recordings) == 1, "%s: %v", v.id, r.Recordings)
				s.claimsNothingFalse(r)
				v.forget(s.ctx)
			}
			after, err := s.connected(p, c, "after", "1")
			require.NoError(t, err)
			require.NoError(t, after.talks(25))
			require.NotZero(t, after.hangsUp().RecordedPackets(), "the next call is recorded")
		})
	}
}

// forget ends the phones' part of a call that the gateway knows nothing of any
// more: it says so to their BYE.
func (v *conversation) forget(ctx context.Context) {
	_ = v.caller.Hangup(ctx)
	if v.agent != nil {
		_ = v.agent.line.Hangup(ctx)
	}
}

// evidenced waits until the record says that packets reached the recorder.
func (s *site) evidenced(callID string, outcome consent.Outcome) {
	s.t.Helper()
	s.poll("packets in the record of "+callID, func() bool {
		r, ok := s.stored(callID)
		return ok && r.RecordedPackets() > 0 && r.Outcome == outcome
	})
}

// settled waits until the store has what the gateway says of the calls.
func (s *site) settled(callIDs ...string) {
	s.t.Helper()
	for _, id := range callIDs {
		s.poll("the record of "+id, func() bool {
			live, err := s.api.Status(s.ctx, id)
			r, ok := s.stored(id)
			return err == nil && ok && live.Outcome == r.Outcome
		})
	}
}

// stored reads a record that the search finds, which reads nothing but the store.
func (s *site) stored(callID string) (*consent.Record, bool) {
	page, err := s.api.Search(s.ctx, consent.Query{Limit: 100})
	if err != nil {
		return nil, false
	}
	for _, r := range page.Records {
		if r.Call.TrunkCallID == callID {
			return r, true
		}
	}
	return nil, false
}

// claimsNothingFalse holds a record against what arrived at the recorder.
func (s *site) claimsNothingFalse(r *consent.Record) {
	t := s.t
	t.Helper()
	if r.Outcome != consent.Given && r.Outcome != consent.Withdrawn {
		require.Empty(t, r.Recordings)
	}
	for _, rec := range r.Recordings {
		caller, agent := s.recorder.Caller(rec.Caller.SSRC), s.recorder.Agent(rec.Agent.SSRC)
		require.NotZero(t, len(caller)+len(agent), "a recording that did not happen")
		require.LessOrEqual(t, rec.Caller.Packets, uint64(len(caller)))
		require.LessOrEqual(t, rec.Agent.Packets, uint64(len(agent)))
		require.Equal(t, consent.RecordingOff, rec.State)
		require.Zero(t, rec.BeforeGrant+rec.AfterStop)
		for _, c := range append(caller, agent...) {
			require.False(t, c.At.Before(r.StoredAt), "a copy before the decision was stored")
			if r.Withdrawal != nil {
				require.False(t, c.At.After(r.Withdrawal.At.Add(onWay)), "a copy after the withdrawal")
			}
		}
	}
}

// TestGatewayKilledAtAnyMoment kills the gateway again and again while calls
// begin, so that each kill finds calls everywhere between INVITE and recording.
func TestGatewayKilledAtAnyMoment(t *testing.T) {
	const kills, calls, apart = 4, 20, 120 * time.Millisecond
	s := newSite(t, plan{})
	s.start()
	p, c := s.openPhone(), s.openCenter()
	seen := map[consent.Outcome]int{}
	for k := range kills {
		var dialing sync.WaitGroup
		round, hangUp := s.until()
		begun := make([]*conversation, calls)
		for i := range calls {
			id := fmt.Sprintf("kill-%d-%d", k, i)
			dialing.Go(func() {
				v, err := round.asked(p, id)
				if begun[i] = v; err == nil {
					v.caller.Press("1")
				}
			})
			s.listen(apart)
		}
		s.crash()
		hangUp()
		dialing.Wait()
		s.start()
		for i := range calls {
			id := fmt.Sprintf("kill-%d-%d", k, i)
			if _, ok := s.lookInRedis(id); !ok {
				seen["no record"]++
				continue // not admitted, or killed before the first write
			}
			r := s.finished(id)
			require.Equal(t, cutOffCause, r.Call.EndCause, id)
			require.Contains(t, []consent.Outcome{consent.Given, consent.Abandoned}, r.Outcome, id)
			s.claimsNothingFalse(r)
			seen[r.Outcome]++
			if len(r.Recordings) > 0 {
				seen["recorded"]++
			}
		}
		s.forgetAll(begun)
		c.forgetAll(s.ctx)
	}
	t.Logf("records of %d calls after %d kills: %v", kills*calls, kills, seen)
	require.NotZero(t, seen[consent.Given])
	require.NotZero(t, seen[consent.Abandoned])
	require.NotZero(t, seen["recorded"])
	require.LessOrEqual(t, seen["no record"], kills, "only a call that had just come in may be lost")
	s.allCopiesConsented()
}

func (s *site) forgetAll(talks []*conversation) {
	var ending sync.WaitGroup
	for _, v := range talks {
		if v != nil {
			ending.Go(func() { v.forget(s.ctx) })
		}
	}
	ending.Wait()
}

// until is the same site for calls that end earlier than the test.
func (s *site) until() (*site, context.CancelFunc) {
	round := *s
	ctx, cancel := context.WithCancel(s.ctx)
	round.ctx = ctx
	return &round, cancel
}

// allCopiesConsented: whatever is at the recorder belongs to a call with a
// decision that was stored before.
func (s *site) allCopiesConsented() {
	s.t.Helper()
	var granted []*consent.Record
	for _, r := range s.searched() {
		if !r.StoredAt.IsZero() {
			granted = append(granted, r)
		}
	}
	for _, packet := range append(s.recorder.Caller(0), s.recorder.Agent(0)...) {
		covered := false
		for _, r := range granted {
			covered = covered || !packet.At.Before(r.StoredAt) && packet.At.Before(r.Call.EndedAt)
		}
		require.True(s.t, covered, "a copy while no call had a stored consent")
	}
}
