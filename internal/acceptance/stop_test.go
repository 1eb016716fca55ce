package acceptance

import (
	"errors"
	"os"
	"strings"
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

// TestADrainingGatewayLetsItsCallsFinish: whoever asks is told to go elsewhere,
// and the process ends with its last call, not with the time it was given.
func TestADrainingGatewayLetsItsCallsFinish(t *testing.T) {
	s := newSite(t, plan{embedded: true})
	s.gateway = launch(t, s.dir, "serve", "-c", s.file, "--drain", "1h")
	s.gateway.ready(s.ctx)
	p, c := s.openPhone(), s.openCenter()
	v, err := s.connected(p, c, "finishes", "1")
	require.NoError(t, err)
	gateway := s.gateway
	gateway.signal(syscall.SIGTERM)
	s.poll("draining", func() bool {
		code, _ := s.get("/readyz")
		return code == 503
	})
	require.Contains(t, s.options(s.trunk), "SIP/2.0 503 Draining")
	_, err = s.call(p, "late")
	var status *sip.StatusError
	require.True(t, errors.As(err, &status), "a call while draining: %v", err)
	require.Equal(t, 503, status.Code)
	require.NoError(t, v.talks(25), "the call goes on")
	require.NoError(t, v.caller.Hangup(s.ctx))
	s.gateway = nil
	require.Zero(t, gateway.ended(s.ctx))
	s.readLog(gateway)
}

// TestSIGHUPPutsANewConfigurationInForceOrNone: the call that is up goes on under
// the one that it began with.
func TestSIGHUPPutsANewConfigurationInForceOrNone(t *testing.T) {
	s := newSite(t, plan{embedded: true})
	s.start()
	p, c := s.openPhone(), s.openCenter()
	v, err := s.connected(p, c, "up", "1")
	require.NoError(t, err)
	text := readFile(t, s.file)
	reload := func(old, new string) {
		require.NoError(t, os.WriteFile(s.file, []byte(replaced(t, text, old, new)), 0o600))
		s.gateway.signal(syscall.SIGHUP)
	}
	before := s.metrics()
	reload("id: gw-1", "id: gw-2")
	s.poll("the refusal", func() bool { return s.metrics().sum("consentgw_config_reloads_total", `result="refused"`) == 1 })
	s.poll("the reason in the log", func() bool {
		return strings.Contains(strings.Join(s.gateway.lines(), "\n"), "node.id: cannot change while the gateway runs")
	})
	require.Zero(t, s.metrics()["consentgw_config_last_reload_successful"])
	reload(`to: "+3120*"`, `to: "+3130*"`)
	s.poll("the reload", func() bool { return s.metrics().sum("consentgw_config_reloads_total", `result="ok"`) == 1 })
	after := s.metrics()
	require.EqualValues(t, 1, after["consentgw_config_last_reload_successful"])
	require.NotEqual(t, before["consentgw_config_hash"], after["consentgw_config_hash"])
	_, err = s.call(p, "next")
	require.ErrorContains(t, err, "404")
	require.NoError(t, v.talks(25), "the call goes on")
	r := v.hangsUp()
	require.Equal(t, "sales", r.Call.Route)
	require.Equal(t, consent.Given, r.Outcome)
}
