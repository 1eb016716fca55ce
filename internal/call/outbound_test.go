package call

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/phone"
	"consentgw/internal/sdp"
	"consentgw/sip"

	"github.com/stretchr/testify/require"
)

const awayNumber = "+442079460123" // of a callee, reserved for fiction

// callsOut lets the platform place calls, to telephones that ring so, of which
// the first is tried first.
func (h *house) callsOut(rings ...func(ctx context.Context, r *phone.Ring)) {
	d := config.Destination{AnswerTimeout: 10 * time.Second}
	for i, ring := range rings {
		away, err := phone.New(phone.Config{Listen: "udp:127.0.0.1:0", Ring: ring})
		require.NoError(h.t, err)
		h.t.Cleanup(func() { require.NoError(h.t, away.Close()) })
		d.Targets = append(d.Targets, config.Target{URI: away.URI(), Priority: i + 1, Weight: 1})
	}
	h.cfg.Trunks[0].Destination = d
	h.cfg.Platforms[0].From = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	h.cfg.Routes = append(h.cfg.Routes, config.Route{Name: "back", Outbound: true, Platform: "center", Trunk: "carrier", To: "+4420*", Policy: "ask"})
}

// dialsOut calls as the agent.
func (h *house) dialsOut(ctx context.Context, callID string) (*phone.Line, error) {
	return h.caller.Call(ctx, phone.Dial{Target: fmt.Sprintf("sip:%s", h.platform.Addrs()[0].AddrPort), Caller: toNumber, Called: awayNumber, CallID: callID})
}

func TestAnOutboundCallThatMayNotBeIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   int
	}{
		"by a stranger": {func(c *config.Config) { c.Platforms[0].From = nil }, 403},
		"without the password": {func(c *config.Config) {
			c.Platforms[0].Auth = &config.Auth{Username: "center", Password: "x", Realm: "gw"}
		}, 407},
		"to a number of nobody": {func(c *config.Config) { c.Routes[2].To = "+1*" }, 404},
		"of another platform": {func(c *config.Config) {
			c.Routes[2].Platform = "other"
			c.Platforms = append(c.Platforms, config.Platform{Name: "other"})
		}, 404},
		"in no codec of the trunk": {func(c *config.Config) { c.Trunks[0].Codecs = []string{"opus"} }, 488},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.callsOut(h.pick)
			c.change(h.cfg)
			h.open()
			_, err := h.dialsOut(h.ctx, h.callID())
			requireStatus(t, c.want, err)
			require.Empty(t, h.svc.Live())
		})
	}
}

func requireStatus(t *testing.T, want int, err error) {
	t.Helper()
	var status *sip.StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, want, status.Code)
}

// The limits of a trunk hold for what goes out through it as for what comes in.
func TestTheCallsOfATrunkCountInBothDirections(t *testing.T) {
	h := newHouse(t)
	h.callsOut(h.pick)
	h.cfg.Trunks[0].MaxCalls = 1
	h.open()
	line, err := h.dialsOut(h.ctx, h.callID())
	require.NoError(t, err)
	h.agent() // the callee's line
	_, err = h.caller.Call(h.ctx, phone.Dial{Target: h.trunkURI(), Caller: fromNumber, Called: toNumber})
	requireStatus(t, 503, err)
	require.NoError(t, line.Hangup(h.ctx))
	require.Equal(t, "agent hung up", h.ended().Call.EndCause)
	h.until("the call to be over", func() (*consent.Record, bool) { return nil, len(h.svc.Live()) == 0 })
	in, err := h.caller.Call(h.ctx, phone.Dial{Target: h.trunkURI(), Caller: fromNumber, Called: toNumber})
	require.NoError(t, err)
	defer in.Hangup(context.Background())
	_, err = h.dialsOut(h.ctx, "second")
	requireStatus(t, 503, err)
}

// A callee who lets it ring is no callee; the time is the trunk's.
func TestACalleeWhoDoesNotAnswerEndsTheCallWithoutADecision(t *testing.T) {
	for name, c := range map[string]struct {
		ring func(ctx context.Context, r *phone.Ring)
		code int
		end  string
	}{
		"because it rings for too long": {func(_ context.Context, r *phone.Ring) {
			r.Progress(180, "Ringing", nil)
			<-r.Context().Done()
		}, 408, "callee did not answer"},
		"says the trunk":                   {func(_ context.Context, r *phone.Ring) { r.Reject(480, "Gone") }, 480, "callee did not answer"},
		"busy":                             {func(_ context.Context, r *phone.Ring) { r.Reject(486, "Busy Here") }, 486, "callee was busy"},
		"a number that nobody has":         {func(_ context.Context, r *phone.Ring) { r.Reject(404, "Who?") }, 404, "called number not reachable"},
		"a trunk that asks for a password": {func(_ context.Context, r *phone.Ring) { r.Reject(407, "Password") }, 503, "trunk did not take the call"},
		"a trunk that redirects":           {func(_ context.Context, r *phone.Ring) { r.Reject(302, "Elsewhere") }, 503, "trunk did not take the call"},
		"a trunk that fails":               {func(_ context.Context, r *phone.Ring) { r.Reject(500, "Oh") }, 500, "trunk did not take the call"},
		"a telephone that sends bad answers": {func(ctx context.Context, r *phone.Ring) {
			if leg, err := r.Answer(ctx, []byte("v=0\r\n"), sip.InDialog{}); err == nil {
				<-leg.Context().Done()
			}
		}, 503, "trunk did not take the call"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.callsOut(c.ring)
			if c.code == 408 {
				h.cfg.Trunks[0].AnswerTimeout = time.Second
			}
			h.open()
			_, err := h.dialsOut(h.ctx, h.callID())
			requireStatus(t, c.code, err)
			r := h.ended()
			require.Equal(t, c.end, r.Call.EndCause)
			require.Equal(t, consent.NotAsked, r.Outcome)
			require.Zero(t, r.Call.AnsweredAt)
			require.Empty(t, r.Recordings)
		})
	}
}

// A target that fails after it has played something is passed over like any
// other, and what it played is not heard any more.
func TestTheSecondTargetOfATrunkIsTriedAfterEarlyMediaOfTheFirst(t *testing.T) {
	h := newHouse(t)
	h.callsOut(func(_ context.Context, r *phone.Ring) {
		line, _, err := r.Early()
		if err != nil {
			return
		}
		line.Speak(tone(900), true)
		r.Reject(503, "Not now")
		line.Drop()
	}, h.pick)
	h.open()
	agent, err := h.dialsOut(h.ctx, h.callID())
	require.NoError(t, err)
	agent.Speak(tone(500), true)
	callee := h.agent()
	h.hears(callee, "ask")
	callee.Press("2")
	h.live("the two to be connected", func(r *consent.Record) bool { return !r.Call.ConnectedAt.IsZero() })
	require.NoError(t, callee.Hangup(h.ctx))
	r := h.ended()
	require.Equal(t, consent.Refused, r.Outcome)
	require.Equal(t, "callee hung up", r.Call.EndCause)
	require.Equal(t, h.cfg.Trunks[0].Targets[1].URI, r.Call.Target)
}

// What the trunk plays before the answer is for the agent; what the agent says
// reaches nobody.
func TestTheAgentHearsTheTrunkBeforeTheAnswer(t *testing.T) {
	h := newHouse(t)
	early, lift := make(chan *phone.Line, 1), make(chan struct{})
	h.callsOut(func(ctx context.Context, r *phone.Ring) {
		r.Progress(180, "Ringing", nil)
		line, answer, err := r.Early()
		if err != nil {
			return
		}
		line.Speak(tone(900), true)
		early <- line
		<-lift
		if r.PickEarly(ctx, line, answer) == nil {
			<-line.Ended()
			line.Hangup(context.WithoutCancel(ctx))
		}
	})
	h.open()
	a := h.earlyAgent()
	a.waitFor(180)
	a.waitFor(183)
	callee := <-early
	a.exchange(10)
	require.Empty(t, callee.Received(), "the callee hears the agent before the answer")
	close(lift)
	require.NoError(t, a.answered().Bye(h.ctx, ""))
	r := h.ended()
	require.Equal(t, consent.Abandoned, r.Outcome)
	require.Equal(t, "outbound", r.Call.Direction)
}

// Media of a callee may come from where the trunk's signalling comes from, as
// that of a caller may, if the trunk is said to be behind a NAT.
func TestACalleeBehindANATIsHeardFromWhereItsSignallingComesFrom(t *testing.T) {
	h := newHouse(t)
	h.cfg.Trunks[0].NAT = true
	h.cfg.Policies[0].Retries, h.cfg.Policies[0].AnswerTimeout = 5, 2*time.Second // the first time is gone before the callee is found
	lines := make(chan *phone.Line, 1)
	h.callsOut(func(ctx context.Context, r *phone.Ring) {
		line, answer, err := r.Early()
		if err != nil {
			return
		}
		far, err := sdp.Parse(answer)
		if err != nil {
			return
		}
		far.Addr = netip.MustParseAddr("127.0.0.9") // as a telephone behind a NAT knows itself
		far.Media[0].Addr = far.Addr
		if r.PickEarly(ctx, line, far.Marshal()) != nil {
			return
		}
		lines <- line
		line.Speak(tone(700), true)
		<-line.Ended()
		line.Hangup(context.WithoutCancel(ctx))
	})
	h.open()
	agent, err := h.dialsOut(h.ctx, h.callID())
	require.NoError(t, err)
	callee := <-lines
	h.hears(callee, "ask")
	callee.Press("1")
	require.Equal(t, consent.Given, h.live("the decision", func(r *consent.Record) bool { return r.Outcome != consent.Pending }).Outcome)
	require.NoError(t, agent.Hangup(h.ctx))
	require.Equal(t, "agent hung up", h.ended().Call.EndCause)
}
