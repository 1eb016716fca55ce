package acceptance

import (
	"errors"
	"syscall"
	"testing"

	"consentgw/consent"
	"consentgw/sip"

	"github.com/stretchr/testify/require"
)

// TestSIGTERMEndsEveryCallAndRecord: with calls in every state, new calls are
// refused, those that are up are said goodbye to, every record gets its end,
// and the exit code is 0.
func TestSIGTERMEndsEveryCallAndRecord(t *testing.T) {
	s := newSite(t, plan{})
	s.start()
	p, c := s.openPhone(), s.openCenter()
	c.letRing("ringing")
	ringing, err := s.asked(p, "ringing")
	require.NoError(t, err)
	ringing.caller.Press("2")
	recorded, err := s.connected(p, c, "recorded", "1")
	require.NoError(t, err)
	refused, err := s.connected(p, c, "refused", "2")
	require.NoError(t, err)
	asking, err := s.call(p, "undecided")
	require.NoError(t, err)

	gateway := s.gateway
	s.gateway = nil
	gateway.signal(syscall.SIGTERM)
	s.poll("draining", func() bool {
		code, _ := s.get("/readyz")
		return code == 503
	})
	_, err = s.call(p, "late")
	var status *sip.StatusError
	require.True(t, errors.As(err, &status), "a call while draining: %v", err)
	require.Equal(t, 503, status.Code)
	require.NotZero(t, status.RetryAfter)

	require.Zero(t, gateway.ended(s.ctx))
	s.readLog(gateway)
	for _, v := range []*conversation{ringing, recorded, refused, asking} {
		select {
		case <-v.caller.Ended():
		case <-s.ctx.Done():
			require.FailNow(t, "no BYE", v.id)
		}
		r := s.inRedis(v.id)
		require.True(t, r.Ended(), v.id)
		require.Equal(t, "gateway stopping", r.Call.EndCause, v.id)
		require.NotEqual(t, consent.Pending, r.Outcome, v.id)
		require.Equal(t, v == recorded, len(r.Recordings) == 1, v.id)
		s.claimsNothingFalse(r)
	}
	for _, v := range []*conversation{recorded, refused} {
		<-v.agent.line.Ended()
	}
	r := s.inRedis("recorded")
	require.EqualValues(t, r.Recordings[0].Caller.Packets, len(s.recorder.Caller(0)))
	require.EqualValues(t, r.Recordings[0].Agent.Packets, len(s.recorder.Agent(0)))
	_, late := s.lookInRedis("late")
	require.False(t, late, "a refused call has no record")
}
