package acceptance

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"
	"consentgw/internal/recordserver"

	"github.com/stretchr/testify/require"
)

// TestEveryRecorderHasWhatTheRecordsSay: calls that agree or refuse, pause, hold,
// go on and withdraw at random, each recorded at three places. Packet by packet,
// each recorder has what the records of the calls claim of it, and nothing else.
func TestEveryRecorderHasWhatTheRecordsSay(t *testing.T) {
	const atOnce = 20
	count := crowdOf(t, 100)
	addrs := []string{freePort(t), freePort(t)}
	s := newSite(t, plan{info: true, embedded: true, patience: 5*time.Minute + time.Duration(count)*time.Second,
		edits: withTowers("sip:srs@"+addrs[0]+";transport=tcp", "sip:srs@"+addrs[1]+";transport=tcp")})
	places := map[string]copies{"archive": s.recorder}
	var towers []*recordserver.Server
	for i, addr := range addrs {
		w := s.serveTower(addr, nil)
		towers = append(towers, w)
		places[[]string{towerName, towerName + "2"}[i]] = sessions{w}
	}
	s.start()
	p, c := s.openPhone(), s.openCenter()
	records := make([]*consent.Record, count)
	failed := make([]error, count)
	var running sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for i := range count {
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			r := restless{site: s, dice: rand.New(rand.NewPCG(7, uint64(i)))}
			failed[i] = r.plays(p, c, fmt.Sprintf("restless-%d", i))
		})
	}
	running.Wait()
	for i := range count {
		require.NoError(t, failed[i], "call %d", i)
		records[i] = s.finished(fmt.Sprintf("restless-%d", i))
	}
	for _, w := range towers {
		for _, session := range w.Sessions() {
			select {
			case <-session.Over():
			case <-s.ctx.Done():
				require.FailNow(t, "a recording session that does not end", session.Name())
			}
			require.Empty(t, session.Disliked())
		}
	}
	s.balance(records, places)
	require.Zero(t, s.metrics().sum("consentgw_fork_violations_total"))
}

// crowdOf is how many calls there are to be.
func crowdOf(t *testing.T, usual int) int {
	value := os.Getenv("CONSENTGW_CROWD")
	if value == "" {
		return usual
	}
	n, err := strconv.Atoi(value)
	require.NoError(t, err, "CONSENTGW_CROWD")
	return n
}

// copies are what a recorder got, of one synchronisation source or, for 0, of all.
type copies interface {
	Caller(ssrc uint32) []phone.Packet
	Agent(ssrc uint32) []phone.Packet
}

// sessions are those of a recording server, together.
type sessions struct{ *recordserver.Server }

func (w sessions) Caller(ssrc uint32) []phone.Packet { return w.of("1", ssrc) }
func (w sessions) Agent(ssrc uint32) []phone.Packet  { return w.of("2", ssrc) }

func (w sessions) of(label string, ssrc uint32) (list []phone.Packet) {
	for _, session := range w.Sessions() {
		for _, p := range session.Packets(label) {
			if ssrc == 0 || p.SSRC == ssrc {
				list = append(list, phone.Packet{At: p.At, Seq: p.Seq, Timestamp: p.Timestamp, SSRC: p.SSRC, Type: p.Type})
			}
		}
	}
	return list
}

// restless is a caller who cannot make up their mind.
type restless struct {
	*site
	dice *rand.Rand
}

// plays one call to its end.
func (r restless) plays(p *phone.Phone, c *center, id string) error {
	key := "1"
	if r.dice.IntN(4) == 0 {
		key = "2"
	}
	v, err := r.connected(p, c, id, key)
	if err != nil {
		return err
	}
	for range r.dice.IntN(5) {
		if err := v.talks(1 + r.dice.IntN(15)); err != nil {
			return err
		}
		if key == "2" {
			continue
		}
		over, err := r.acts(v)
		if err != nil {
			return err
		}
		if over {
			break
		}
	}
	if err := v.talks(1 + r.dice.IntN(15)); err != nil {
		return err
	}
	ends := v.caller
	if r.dice.IntN(2) == 0 {
		ends = v.agent.line
	}
	if err := ends.Hangup(r.ctx); err != nil {
		return err
	}
	select {
	case <-v.caller.Ended():
		return v.caller.Hangup(r.ctx)
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// acts does something to the recording; over: it was the last thing that can be
// done.
func (r restless) acts(v *conversation) (over bool, err error) {
	command := func(verb string) error { _, err := r.api.Command(r.ctx, v.id, verb); return err }
	switch r.dice.IntN(5) {
	case 0, 1:
		return false, r.between(v, func() error { return command("pause") }, func() error { return command("resume") })
	case 2, 3:
		line := []*phone.Line{v.caller, v.agent.line}[r.dice.IntN(2)]
		// On hold one hears nothing: they do not talk then.
		if err := line.Hold(r.ctx); err != nil {
			return false, err
		}
		return false, line.Resume(r.ctx)
	}
	if r.dice.IntN(2) == 0 {
		return true, command("withdraw")
	}
	v.caller.Press("*9")
	for {
		status, err := r.api.Status(r.ctx, v.id)
		if err != nil || status.Status == consent.StatusWithdrawn {
			return true, err
		}
		r.listen(20 * time.Millisecond)
	}
}

// between talks between two things.
func (r restless) between(v *conversation, first, last func() error) error {
	if err := first(); err != nil {
		return err
	}
	if err := v.talks(1 + r.dice.IntN(15)); err != nil {
		return err
	}
	return last()
}

// balance holds what each recorder got against what the records claim.
func (s *site) balance(records []*consent.Record, places map[string]copies) {
	t := s.t
	t.Helper()
	claimed, outcomes, pauses := map[string]int{}, map[consent.Outcome]int{}, 0
	for _, r := range records {
		outcomes[r.Outcome]++
		total := uint64(0)
		for _, rec := range r.Recordings {
			at := places[rec.Recorder]
			s.poll("the last copies", func() bool {
				return len(at.Caller(rec.Caller.SSRC)) >= int(rec.Caller.Packets) && len(at.Agent(rec.Agent.SSRC)) >= int(rec.Agent.Packets)
			})
			require.Len(t, at.Caller(rec.Caller.SSRC), int(rec.Caller.Packets), rec.Recorder)
			require.Len(t, at.Agent(rec.Agent.SSRC), int(rec.Agent.Packets), rec.Recorder)
			require.Zero(t, rec.BeforeGrant+rec.AfterStop)
			for _, packet := range append(at.Caller(rec.Caller.SSRC), at.Agent(rec.Agent.SSRC)...) {
				require.False(t, packet.At.Before(r.StoredAt), "a copy before the decision was stored")
			}
			claimed[rec.Recorder] += int(rec.Caller.Packets + rec.Agent.Packets)
			total += rec.Caller.Packets + rec.Agent.Packets
			pauses += len(rec.Pauses)
		}
		switch {
		case r.Withdrawal != nil:
			require.Equal(t, total, r.Withdrawal.RecordedPackets)
		case r.Outcome != consent.Given:
			require.Empty(t, r.Recordings)
		}
	}
	require.NotZero(t, outcomes[consent.Given])
	require.NotZero(t, outcomes[consent.Refused])
	require.NotZero(t, outcomes[consent.Withdrawn])
	for name, at := range places {
		require.NotZero(t, claimed[name], name)
		require.Equal(t, claimed[name], len(at.Caller(0))+len(at.Agent(0)), "packets at %s that belong to no recording", name)
	}
	t.Logf("%d calls, %v, %d pauses; packets at each recorder, as in the records: %v", len(records), outcomes, pauses, claimed)
}
