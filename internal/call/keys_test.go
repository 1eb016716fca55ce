package call

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"consentgw/consent"
	"consentgw/internal/dtmf"
	"consentgw/internal/media"
	"consentgw/internal/phone"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The gates are shut by the packets alone: the call's goroutine, which stores what
// was meant by the keys, may be as late as it likes.
func TestTheGatesAreShutAtTheLastKeyThoughTheCallIsBusy(t *testing.T) {
	for name, c := range map[string]struct {
		keys    string
		byAgent bool
		stop    media.Stop
		then    func(*consent.Record) bool
	}{
		"the caller withdraws": {"*9", false, stopWithdrawn, func(r *consent.Record) bool { return r.Outcome == consent.Withdrawn }},
		"the caller pauses":    {"*7", false, stopPausedByAsked, func(r *consent.Record) bool { return happened(r, "pause_asked") }},
		"the agent pauses":     {"*7", true, stopPausedByAgent, func(r *consent.Record) bool { return happened(r, "pause_asked") }},
	} {
		t.Run(name, func(t *testing.T) {
			h, m := newHouse(t), newMemory()
			h.cfg.Policies[0].Keys.Pause, h.cfg.Policies[0].Keys.Resume, h.cfg.Policies[0].HoldBack = "*7", "*8", patience
			h.records(Recorder{Name: "archive", Open: m.open})
			h.open()
			caller := h.agree()
			agent := h.agent()
			h.live("copies", func(*consent.Record) bool { return m.packets() > 0 })
			call := h.the()
			var brake *media.Brake
			release, busy := make(chan struct{}), make(chan struct{})
			go call.do(h.ctx, func() { brake = call.tape.brake; close(busy); <-release })
			<-busy
			who, other := caller, agent
			if c.byAgent {
				who, other = agent, caller
			}
			who.Press(c.keys)
			h.until("the brake", func() (*consent.Record, bool) { return nil, brake.On() == c.stop })
			talk := func(n int) {
				for _, line := range []*phone.Line{who, other} {
					heard := len(line.Received())
					require.NoError(t, line.Until(h.ctx, func(packets []phone.Packet, _ []byte) bool { return len(packets) >= heard+n }))
				}
			}
			talk(2) // a copy of the other party's may have been on its way
			copied := m.packets()
			talk(25)
			assert.Equal(t, copied, m.packets(), "copies after the keys")
			snapshot, found := h.svc.Find(h.callID())
			require.True(t, found)
			assert.False(t, c.then(snapshot), "and nothing has been stored")
			events, _ := other.HeardKeys()
			assert.Empty(t, events)
			close(release)
			r := h.live("what the keys meant", c.then)
			assert.EqualValues(t, copied, r.RecordedPackets())
			if c.stop != stopWithdrawn {
				require.NoError(t, h.command("resume"))
				h.live("more copies", func(*consent.Record) bool { return m.packets() > copied })
			}
			require.NoError(t, caller.Hangup(h.ctx))
			r = h.ended()
			assert.Zero(t, r.Recordings[0].AfterStop)
		})
	}
}

type keepsAll struct{ consent.Store }

func (keepsAll) Put(context.Context, *consent.Record) error { return nil }

func TestKeysByInfoWaitUntilTheyAreDecided(t *testing.T) {
	for name, c := range map[string]struct {
		keys, passed string
		late         string // after the time to hold them
	}{
		"none of a sequence":          {"123", "123", ""},
		"a sequence":                  {"*9", "", ""},
		"its beginning":               {"*", "", "*"},
		"its beginning and more":      {"*5", "*5", ""},
		"its beginning twice":         {"**9", "*", ""},
		"keys around it":              {"1*92", "12", ""},
		"the beginning of another":    {"1**", "1*", "*"},
		"a longer one":                {"#12#123", "#12", ""},
		"a longer one that is broken": {"#12*", "#12", "*"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				permit, err := consent.Commit(t.Context(), keepsAll{}, &consent.Record{ID: "keys"}, consent.Decision{Outcome: consent.Given, At: time.Now()}, time.Now)
				require.NoError(t, err)
				w := &waiting{permit: permit, found: dtmf.NewSequences("*9", "#123"), hold: time.Second}
				var passed, late string
				for _, key := range []byte(c.keys) {
					for _, i := range w.take(info{press: dtmf.Press{Key: dtmf.Key(key), Method: dtmf.Info, At: time.Now()}}) {
						passed += string(i.press.Key.Rune())
					}
				}
				assert.Equal(t, c.passed, passed)
				if c.late == "" {
					assert.Nil(t, w.due)
					return
				}
				began := time.Now()
				<-w.due
				assert.Equal(t, time.Second, time.Since(began))
				for _, i := range w.release(len(w.keys)) {
					late += string(i.press.Key.Rune())
				}
				assert.Equal(t, c.late, late)
				assert.Nil(t, w.due)
			})
		})
	}
}

func TestKeysByInfoOfACallWithoutConsentWaitForNothing(t *testing.T) {
	for name, w := range map[string]*waiting{
		"no policy":  {},
		"no consent": {found: dtmf.NewSequences("*9"), hold: time.Second},
	} {
		ready := w.take(info{press: dtmf.Press{Key: '*', At: time.Now()}})
		assert.Len(t, ready, 1, name)
		assert.Nil(t, w.due, name)
	}
}
