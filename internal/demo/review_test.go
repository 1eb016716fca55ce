package demo

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestALawfulCallIsFoundLawful(t *testing.T) {
	for _, sc := range scenes() {
		require.Empty(t, lawful(sc.number).review(), sc.title)
	}
}

func TestTheReviewFindsEveryBrokenLaw(t *testing.T) {
	const agrees, refuses, withdraws = 1, 2, 3
	for _, c := range []struct {
		name   string
		call   int
		tamper func(*scene)
		want   string
	}{
		{"the call did not get to its end", agrees, func(sc *scene) { sc.err = errors.New("no answer") }, "no answer"},
		{"another outcome", agrees, func(sc *scene) { sc.record.Outcome = consent.NoInput }, `the outcome is "no_input", not "given"`},
		{"no key in the record", agrees, func(sc *scene) { sc.record.Press = nil }, "does not show the key"},
		{"another key in the record", refuses, func(sc *scene) { sc.record.Press.Key = "1" }, "does not show the key"},
		{"a yes to a notice that was cut off", agrees, func(sc *scene) { sc.record.Notice.Complete = false }, "notice was not heard to its end"},
		{"a withdrawal that nobody asked for", agrees, func(sc *scene) { sc.record.Withdrawal = &consent.Withdrawal{At: at(endAt)} }, "withdrawal: true"},
		{"a withdrawal that was not recorded", withdraws, func(sc *scene) { sc.record.Withdrawal = nil }, "withdrawal: false"},
		{"copies before the grant", agrees, func(sc *scene) { sc.record.Recordings[0].BeforeGrant = 2 }, "2 copies before the grant"},
		{"copies after the stop", withdraws, func(sc *scene) { sc.record.Recordings[0].AfterStop = 3 }, "3 after the stop"},
		{"a deaf agent", agrees, func(sc *scene) { sc.agent.heard = nil }, "the agent did not hear the caller"},
		{"a deaf caller", refuses, func(sc *scene) { sc.caller.heard = silence(sc.caller.heard) }, "the caller did not hear the agent"},
		{"a platform that was told a lie", refuses, func(sc *scene) { sc.told = "granted on" }, `was told "granted on", not "denied off"`},
		{"an API that tells a lie", withdraws, func(sc *scene) { sc.answers[1] = "granted on" }, `not ["granted on" "withdrawn off"]`},
		{"an API that was not asked", agrees, func(sc *scene) { sc.answers = nil }, "the API answered"},
		{"a recording of a refusal", refuses, func(sc *scene) { sc.record.Recordings = make([]consent.Recording, 1) }, "shows 1 recordings of a call that may not be recorded"},
		{"an agreed call without a recording", agrees, func(sc *scene) { sc.record.Recordings = nil }, "shows 0 recordings, not 1"},
		{"a recording without a packet", agrees, func(sc *scene) { sc.caller.copies = nil }, "nothing of the caller was recorded"},
		{"a packet that the gateway did not count", agrees, func(sc *scene) { sc.record.Recordings[0].Agent.Packets-- }, "counts 349 copies of the agent, the recorder 350"},
		{"a copy before the store said yes", agrees, func(sc *scene) {
			sc.copyMore(recorded(sc.caller.sent, talkFrom-60, talkFrom-59, 21)[0])
		}, "1 packets of the caller were copied before the decision was stored"},
		{"a copy of what was said after the withdrawal", withdraws, func(sc *scene) {
			sc.copyMore(recorded(sc.caller.sent, stopAt, stopAt+1, 21)[0])
		}, "1 packets of the caller were copied although they were said after the withdrawal"},
		{"a copy of what nobody said", agrees, func(sc *scene) {
			sc.caller.copies[3].Payload = slices.Repeat([]byte{1}, 160)
		}, "1 packets of the caller at the recorder were never sent"},
		{"a copy with another time", agrees, func(sc *scene) { sc.agent.copies[3].Timestamp++ }, "1 packets of the agent at the recorder were never sent"},
		{"a copied key", agrees, func(sc *scene) {
			sc.caller.sent[600].Type = 101
		}, "1 packets of the caller at the recorder are keys"},
		{"a hole in the recording", agrees, func(sc *scene) {
			sc.caller.copies = slices.Delete(sc.caller.copies, 10, 12)
			sc.record.Recordings[0].Caller.Packets -= 2
		}, "2 packets of the caller are missing from the recording"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc := lawful(c.call)
			c.tamper(sc)
			findings := sc.review()
			require.NotEmpty(t, findings)
			assert.ErrorContains(t, errors.Join(findings...), c.want)
			err := verdict(findings)
			assert.ErrorIs(t, err, ErrBroken)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestNoFindingIsNoError(t *testing.T) { require.NoError(t, verdict(nil)) }

func silence(packets []phone.Packet) []phone.Packet {
	quiet := slices.Clone(packets)
	for i := range quiet {
		quiet[i].Payload = slices.Repeat([]byte{0xD5}, 160)
	}
	return quiet
}

func TestKeysBetweenTheCopiesAreNotMissed(t *testing.T) {
	sc := lawful(1)
	sc.caller.sent[600].Type = 101
	sc.caller.copies = slices.Delete(sc.caller.copies, 600-talkFrom, 601-talkFrom)
	sc.record.Recordings[0].Caller.Packets--
	require.Empty(t, sc.review())
}

func TestCopiesThatCameOutOfOrderAreNotMissed(t *testing.T) {
	sc := lawful(1)
	c := sc.caller.copies
	c[0], c[1] = c[1], c[0]
	c[len(c)-1], c[len(c)-2] = c[len(c)-2], c[len(c)-1]
	require.Empty(t, sc.review())
}

func TestAPacketOfNoPermittedCallIsFoundAtTheRecorder(t *testing.T) {
	r, err := phone.NewRecorder(loopback)
	require.NoError(t, err)
	defer r.Close()
	all := scenes()
	require.NoError(t, strangers(plain{r}, all))
	send(t, r.AgentAddr(), 99)
	require.NoError(t, r.Until(soon(t), func(_, agent []phone.Packet) bool { return len(agent) == 1 }))
	require.ErrorContains(t, strangers(plain{r}, all), "1 packets of no permitted call")
}

func TestTheCopiesOfACallAreThoseOfItsRecordedSources(t *testing.T) {
	r, err := phone.NewRecorder(loopback)
	require.NoError(t, err)
	defer r.Close()
	sc := lawful(1)
	rec := &sc.record.Recordings[0]
	rec.Caller.Packets, rec.Agent.Packets = 1, 2
	send(t, r.CallerAddr(), rec.Caller.SSRC, 99)
	send(t, r.AgentAddr(), rec.Agent.SSRC, rec.Agent.SSRC, 98)
	sc.settle(soon(t), plain{r})
	require.Len(t, sc.caller.copies, 1)
	require.Len(t, sc.agent.copies, 2)
}

func TestCopiesThatNeverArriveAreNotWaitedForAtLength(t *testing.T) {
	r, err := phone.NewRecorder(loopback)
	require.NoError(t, err)
	defer r.Close()
	sc := lawful(1)
	begun := time.Now()
	sc.settle(t.Context(), plain{r})
	require.Less(t, time.Since(begun), arrival+5*time.Second)
	require.Empty(t, sc.caller.copies)
	require.ErrorContains(t, errors.Join(sc.review()...), "nothing of the caller was recorded")
}

// plain is a recorder that hears.
type plain struct{ *phone.Recorder }

func (p plain) Wait(ctx context.Context, ok func() bool) error {
	return p.Until(ctx, func(_, _ []phone.Packet) bool { return ok() })
}
