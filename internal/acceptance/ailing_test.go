package acceptance

import (
	"cmp"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"
	"consentgw/internal/recordserver"

	"github.com/stretchr/testify/require"
)

// ailing is a recorder that falls ill during a call, beside one that does not.
type ailing struct {
	*conversation
	tower  *tower                              // the program, or
	server *recordserver.Server                // one that does as it is told
	answer atomic.Pointer[recordserver.Answer] // to its invitations
	fell   time.Time                           // when it fell ill; one that never begins is ill from the first
}

// TestARecorderThatFailsCostsTheCallNothing: whatever becomes of a recorder, the
// parties hear every word, the other recorder has every packet, and the record
// tells the gap. One that comes back goes on recording.
func TestARecorderThatFailsCostsTheCallNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		program bool                // the recorder is the program
		at      recordserver.Answer // to the first invitation
		act     func(*ailing)
		gap     bool // it had begun, and goes on in the end
		gone    bool // it never begins
	}{
		{name: "killed and started again", program: true, gap: true, act: (*ailing).dies},
		{name: "stopped and let go on", program: true, gap: true, act: (*ailing).stalls},
		{name: "ends the session", gap: true, act: (*ailing).leaves},
		{name: "asks on and on", act: (*ailing).pesters},
		{name: "refuses", at: recordserver.Answer{Refuse: 503}, gone: true, act: func(a *ailing) { a.noted("recorder_failed") }},
		{name: "never answers", at: recordserver.Answer{Silent: true}, gone: true, act: func(a *ailing) { a.noted("recorder_failed") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			addr := freePort(t)
			s := newSite(t, plan{info: true, embedded: true, edits: withTowers("sip:srs@" + addr + ";transport=tcp")})
			a := &ailing{}
			a.answer.Store(&c.at)
			if c.program {
				a.tower = s.openTower(addr)
			} else {
				a.server = s.serveTower(addr, func() recordserver.Answer { return *a.answer.Load() })
			}
			s.start()
			p, center := s.openPhone(), s.openCenter()
			v, err := s.asked(p, "ailing")
			require.NoError(t, err)
			a.conversation = v
			v.caller.Press("1")
			require.NoError(t, v.reaches(center))
			a.noted("recorder_opened")
			if !c.gone {
				s.poll("copies at both recorders", func() bool { return len(a.record().Recordings) == 2 && a.copied(towerName) > 0 })
			}
			began := v.speaksUp()
			require.NoError(t, v.talks(100))
			a.fell = time.Now()
			c.act(a)
			require.NoError(t, v.talks(100))
			a.judge(began, c.gap, c.gone)
		})
	}
}

// dies and comes back.
func (a *ailing) dies() {
	a.tower.kill()
	a.noted("recorder_lost")
	require.NoError(a.t, a.talks(25))
	a.tower.launch()
	a.recordsAgain()
	require.Empty(a.t, a.tower.of("disliked"))
}

// stalls says nothing for a while, with its sockets open.
func (a *ailing) stalls() {
	a.tower.signal(syscall.SIGSTOP)
	a.noted("recorder_lost")
	require.NoError(a.t, a.talks(25))
	a.tower.signal(syscall.SIGCONT)
	a.recordsAgain()
}

func (a *ailing) leaves() {
	require.NoError(a.t, a.server.Sessions()[0].Hangup(a.ctx))
	a.noted("recorder_lost")
	a.recordsAgain()
}

// pesters asks for the whole metadata faster than it can be told.
func (a *ailing) pesters() {
	for range 300 {
		require.NoError(a.t, a.server.Sessions()[0].AskSnapshot(a.ctx))
	}
	require.Empty(a.t, a.server.Sessions()[0].Disliked())
	require.Len(a.t, a.server.Sessions(), 1)
}

// recordsAgain waits until copies go to the recorder after a gap.
func (a *ailing) recordsAgain() {
	a.t.Helper()
	a.noted("recorder_back")
	before := a.copied(towerName)
	a.poll("copies after the gap", func() bool { return a.copied(towerName) > before })
}

// record is the record of the call as it stands.
func (a *ailing) record() *consent.Record {
	a.t.Helper()
	status, err := a.api.Status(a.ctx, a.id)
	require.NoError(a.t, err)
	r, err := a.api.Show(a.ctx, string(status.RecordID))
	require.NoError(a.t, err)
	return r
}

func (a *ailing) noted(kind string) {
	a.t.Helper()
	a.poll(kind, func() bool {
		return slices.ContainsFunc(a.record().History, func(e consent.Event) bool { return e.Type == kind })
	})
}

// recordingAt is what a record says of one recorder; nil: nothing.
func recordingAt(r *consent.Record, name string) *consent.Recording {
	i := slices.IndexFunc(r.Recordings, func(rec consent.Recording) bool { return rec.Recorder == name })
	if i < 0 {
		return nil
	}
	return &r.Recordings[i]
}

// copied is how many copies of both parties went to a recorder.
func (a *ailing) copied(name string) uint64 {
	rec := recordingAt(a.record(), name)
	if rec == nil {
		return 0
	}
	return rec.Caller.Packets + rec.Agent.Packets
}

// speaksUp lets both say what they never say twice, so that each packet is known
// wherever it is seen. It returns the time from which that is so.
func (v *conversation) speaksUp() time.Time {
	noise := rand.New(rand.NewPCG(1, 2))
	for _, l := range []*phone.Line{v.caller, v.agent.line} {
		pcm := make([]int16, 8000*60*5)
		for i := range pcm {
			pcm[i] = int16(noise.IntN(1 << 16))
		}
		l.Speak(pcm, false)
	}
	return time.Now()
}

// judge ends the call and holds what both heard, what the healthy recorder got
// and what the record says against each other.
func (a *ailing) judge(began time.Time, gap, gone bool) {
	t := a.t
	t.Helper()
	a.hushed()
	healthy := recordingAt(a.record(), "archive")
	a.poll("the last packets at the healthy recorder", func() bool {
		return hasLast(a.caller.Sent(), a.recorder.Caller(healthy.Caller.SSRC)) && hasLast(a.agent.line.Sent(), a.recorder.Agent(healthy.Agent.SSRC))
	})
	callerLost, agentLost := a.dropped()
	trips := a.reachesAll(began, a.caller, a.agent.line, callerLost)
	trips = append(trips, a.reachesAll(began, a.agent.line, a.caller, agentLost)...)
	a.compare(trips)
	r := a.hangsUp()
	healthy = recordingAt(r, "archive")
	require.Empty(t, healthy.Pauses)
	require.Zero(t, healthy.Caller.Lost+healthy.Agent.Lost)
	for _, way := range []struct {
		from    *phone.Line
		dropped int
		claimed consent.Copies
		copies  []phone.Packet
	}{
		{a.caller, a.callerDropped, healthy.Caller, a.recorder.Caller(healthy.Caller.SSRC)},
		{a.agent.line, a.agentDropped, healthy.Agent, a.recorder.Agent(healthy.Agent.SSRC)},
	} {
		require.EqualValues(t, way.claimed.Packets, len(way.copies))
		checkCopies(t, window{stored: r.StoredAt, opened: began}, way.dropped, way.from.Sent(), way.copies)
	}
	ill := recordingAt(r, towerName)
	if gone {
		require.Nil(t, ill)
		return
	}
	require.Equal(t, gap, slices.ContainsFunc(ill.Pauses, func(p consent.Pause) bool { return p.Reason == "recorder" && !p.To.Before(p.From) }), ill.Pauses)
	require.Equal(t, gap, ill.Fault != "", ill.Fault)
}

// trip is one packet's way from one party to the other.
type trip struct {
	left time.Time
	took time.Duration
}

// reachesAll waits until one has heard all that the other said since then, but
// for what the kernel dropped, and returns how each packet got there.
func (v *conversation) reachesAll(began time.Time, from, to *phone.Line, dropped int) (trips []trip) {
	t := v.t
	t.Helper()
	said := map[string]time.Time{}
	for _, p := range audio(from.Sent()) {
		if p.At.After(began) {
			said[string(p.Payload)] = p.At
		}
	}
	err := to.Until(v.ctx, func(packets []phone.Packet, _ []byte) bool {
		trips = trips[:0]
		for _, p := range packets {
			if at, ok := said[string(p.Payload)]; ok {
				trips = append(trips, trip{at, p.At.Sub(at)})
			}
		}
		return len(trips)+dropped >= len(said)
	})
	require.NoError(t, err, "%d packets of %d were heard, %d dropped by the kernel", len(trips), len(said), dropped)
	return trips
}

// compare tells how long packets were on their way, before the recorder fell ill and
// since. The figures depend on the machine, and nothing is made to depend on them.
func (a *ailing) compare(trips []trip) {
	var well, ill []time.Duration
	for _, p := range trips {
		if p.left.Before(a.fell) {
			well = append(well, p.took)
		} else {
			ill = append(ill, p.took)
		}
	}
	at := func(list []time.Duration, percent int) time.Duration {
		slices.SortFunc(list, cmp.Compare[time.Duration])
		return list[len(list)*percent/100].Round(time.Microsecond)
	}
	a.t.Logf("%s: %d packets, none lost; on their way for %v (median), %v (99%%) before the recorder fell ill, and %v, %v since: %v and %v more",
		filepath.Base(a.t.Name()), len(trips), at(well, 50), at(well, 99), at(ill, 50), at(ill, 99), at(ill, 50)-at(well, 50), at(ill, 99)-at(well, 99))
}
