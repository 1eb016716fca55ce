package call

import (
	"net/netip"
	"regexp"
	"testing"
	"time"

	"consentgw/internal/config"
	"consentgw/internal/media"
	"consentgw/internal/sdp"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// body is an offer that the house would take.
func body(w *wire, change ...func(*sdp.Session)) []byte {
	local := sdp.Local{Addr: loopback(), Port: 40000, ID: 1, Version: 1}
	offer := sdp.NewOffer(local, []sdp.Codec{sdp.PCMA(), sdp.Event8000()})
	for _, c := range change {
		c(offer)
	}
	return offer.Marshal()
}

// Each refusal says what was wrong in its status, in a Reason header and in the
// metrics, takes nothing and leaves no record (design 5.3).
func TestAnINVITEThatCannotBeTakenIsRefusedWithItsReason(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, h *house) // before the house opens
		before  func(t *testing.T, h *house) // after it has opened
		body    func(w *wire) []byte
		status  string
		reason  string
		retry   string // of Retry-After; empty: none
	}{
		"a stranger": {prepare: func(_ *testing.T, h *house) {
			h.cfg.Trunks[0].From = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		}, status: "403", reason: "Unknown trunk"},
		"a number that nobody configured": {prepare: func(_ *testing.T, h *house) { h.cfg.Routes = h.cfg.Routes[1:] },
			status: "404", reason: "No route to this number"},
		"a description that is none": {body: func(*wire) []byte { return []byte("v=0\r\nm=audio\r\n") },
			status: "400", reason: "Malformed SDP"},
		"no codec in common": {prepare: func(_ *testing.T, h *house) { h.cfg.Trunks[0].Codecs = []string{"PCMA", "PCMU"} }, body: func(w *wire) []byte {
			return body(w, func(s *sdp.Session) {
				s.Media[0].Codecs = []sdp.Codec{{PT: 18, Name: "G729", Rate: 8000}}
				s.Media[0].Formats = []string{"18"}
			})
		}, status: "488", reason: "No common codec"},
		"an address that is no host": {body: func(w *wire) []byte {
			return body(w, func(s *sdp.Session) {
				s.Addr = netip.MustParseAddr("169.254.1.1")
				s.Media[0].Addr = s.Addr
			})
		}, status: "488", reason: "Unusable media address"},
		"an address of the gateway's own": {body: nil, before: func(t *testing.T, h *house) {
			s, err := h.svc.PlatformPorts.Open()
			require.NoError(t, err)
			t.Cleanup(func() { s.Close() })
			h.offer = func(o *sdp.Session) { o.Media[0].Port = int(s.Local().Port()) }
		}, status: "488", reason: "Unusable media address"},
		"no ports for the caller": {before: func(t *testing.T, h *house) { exhaust(t, &h.svc.TrunkPorts) },
			status: "503", reason: "No media ports left", retry: "5"},
		"no ports for the agent": {before: func(t *testing.T, h *house) { exhaust(t, &h.svc.PlatformPorts) },
			status: "503", reason: "No media ports left", retry: "5"},
		"draining": {before: func(t *testing.T, h *house) { require.NoError(t, h.svc.Drain(h.ctx)) },
			status: "503", reason: "Draining", retry: "30"},
		"the trunk is full": {prepare: func(_ *testing.T, h *house) { h.cfg.Trunks[0].MaxCalls = 1 },
			before: func(_ *testing.T, h *house) { h.dial("+31305550123") },
			status: "503", reason: "Call limit of the trunk reached", retry: "5"},
		"the gateway is full": {prepare: func(_ *testing.T, h *house) { h.cfg.Limits.MaxCalls = 1 },
			before: func(_ *testing.T, h *house) { h.dial("+31305550123") },
			status: "503", reason: "Call limit reached", retry: "5"},
		"the trunk is too fast": {prepare: func(_ *testing.T, h *house) { h.cfg.Trunks[0].MaxCPS = 0.2 },
			before: func(_ *testing.T, h *house) { h.dial("+31305550123") },
			status: "503", reason: "Calls per second of the trunk reached", retry: "[1-5]"},
		"no target is up": {before: func(_ *testing.T, h *house) {
			for _, hop := range h.svc.Plan.Platforms()[0].Targets.Hops() {
				for range 5 {
					hop.Pinged(false)
				}
			}
		}, status: "480", reason: "No target is up"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			if c.prepare != nil {
				c.prepare(t, h)
			}
			h.open()
			if c.before != nil {
				c.before(t, h)
			}
			up := len(h.svc.Live())
			w := h.wire("refused@caller.example")
			offer := body(w, func(s *sdp.Session) {
				if h.offer != nil {
					h.offer(s)
				}
			})
			if c.body != nil {
				offer = c.body(w)
			}
			w.send("INVITE", 1, offer)
			answer := w.reads("SIP/2.0 ", "INVITE")
			w.send("ACK", 1, nil)
			assert.Regexp(t, "^SIP/2.0 "+c.status+" ", answer)
			assert.Contains(t, answer, "\r\nReason: SIP;cause="+c.status+`;text="`+c.reason+`"`+"\r\n")
			if c.retry == "" {
				assert.NotContains(t, answer, "Retry-After")
			} else {
				assert.Regexp(t, regexp.MustCompile("\r\nRetry-After: "+c.retry+"\r\n"), answer)
			}
			assert.NotContains(t, answer, "<sip:"+fromNumber+"@gw", "nothing of the caller is told back but what he sent")
			_, found := h.svc.Find("refused@caller.example")
			assert.False(t, found)
			assert.Len(t, h.svc.Live(), up)
		})
	}
}

// exhaust leaves no port pair in ports.
func exhaust(t *testing.T, ports **media.Ports) {
	port := closedAddr(t).Port() &^ 1
	few := media.NewPorts(media.PortsConfig{Addr: loopback(), Low: port, High: port + 1, Rest: time.Millisecond})
	s, err := few.Open()
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Close()
		assert.NoError(t, few.Close())
	})
	*ports = few
}

func TestRetryAfterIsRoundedUpAndNeverZero(t *testing.T) {
	for wait, want := range map[time.Duration]int{0: 1, time.Millisecond: 1, time.Second: 1, 1001 * time.Millisecond: 2, time.Minute: 60} {
		r := refuseTrunkRate.after(wait)
		assert.Equal(t, want, r.retryAfter, wait)
		assert.Equal(t, refuseTrunkRate.code, r.code)
	}
	assert.Equal(t, 1, refuseTrunkRate.retryAfter, "the original is untouched")
}

func TestThePlanNamesEveryReferenceThatLeadsNowhere(t *testing.T) {
	h := newHouse(t)
	h.open() // for its library
	library := h.library
	cfg := *h.cfg
	cfg.Routes = []config.Route{
		{Name: "one", Platform: "nowhere"},
		{Name: "two", Platform: "center", Policy: "none"},
		{Name: "three", Platform: "center", Policy: "lost", Recorders: []string{"tape"}},
	}
	cfg.Policies = append(cfg.Policies, config.Policy{Name: "lost", Notice: "missing", Language: "en"})
	_, err := NewPlan(&cfg, library, nil)
	for _, part := range []string{`route "one": unknown platform "nowhere"`, `route "two": unknown policy "none"`,
		`policy "lost": `, `route "three": recorder "tape" cannot be used`} {
		assert.ErrorContains(t, err, part)
	}
}
