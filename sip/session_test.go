package sip

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// quick makes an endpoint for which a second is shorter than for others.
func quick(t *testing.T, h Handler, timer SessionTimer) *testEndpoint {
	t.Helper()
	return startWith(t, h, func(e *Endpoint) { e.second = testT1 / 50 }, func(c *Config) { c.SessionTimer = timer })
}

// half an hour: its refresh is due after 360 ms, its end comes after 700 ms.
var halfHour = SessionTimer{Interval: 1800 * time.Second}

func TestSessionTimersThatMakeNoSenseAreRefused(t *testing.T) {
	for name, timer := range map[string]SessionTimer{
		"below the least":           {Interval: 89 * time.Second},
		"below its own minimum":     {Interval: 100 * time.Second, Min: 200 * time.Second},
		"a minimum and no timer":    {Min: 90 * time.Second},
		"longer than a day":         {Interval: 25 * time.Hour},
		"not in whole seconds":      {Interval: 100*time.Second + 1},
		"negative":                  {Interval: -time.Second},
		"a minimum below the least": {Interval: 100 * time.Second, Min: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Listen(Config{Listen: []string{"udp:127.0.0.1:0"}, SessionTimer: timer})
			require.ErrorContains(t, err, "session timer")
			e := start(t, Handler{})
			_, err = e.Dial(t.Context(), Invite{Target: "127.0.0.1", Offer: []byte("v"), InDialog: InDialog{SessionTimer: &timer}})
			require.ErrorContains(t, err, "session timer")
		})
	}
}

func TestTheSessionTimerOfAnAnswer(t *testing.T) {
	half := SessionTimer{Interval: 1800 * time.Second, Min: 300 * time.Second}
	tests := map[string]struct {
		timer   SessionTimer
		headers []string
		now     timing
		want    timing
		expires string
		require string
	}{
		"we have none": {SessionTimer{}, []string{"Supported: timer", "Session-Expires: 600"}, timing{}, timing{}, "", ""},
		"the caller asks and refreshes": {half, []string{"Supported: timer", "Session-Expires: 600;refresher=uac"}, timing{},
			timing{600, 90, false}, "600;refresher=uac", "timer"},
		"the caller asks us to refresh": {half, []string{"k: timer", "x: 600 ; Refresher=UAS"}, timing{},
			timing{600, 90, true}, "600;refresher=uas", "timer"},
		"the caller leaves it to us": {half, []string{"Supported: timer", "Session-Expires: 7200"}, timing{},
			timing{1800, 90, false}, "1800;refresher=uac", "timer"},
		"the roles stay": {half, []string{"Supported: timer", "Session-Expires: 7200"}, timing{1800, 90, true},
			timing{1800, 90, true}, "1800;refresher=uas", "timer"},
		"the caller can and does not ask": {half, []string{"Supported: timer"}, timing{},
			timing{1800, 90, false}, "1800;refresher=uac", "timer"},
		"the caller cannot": {half, nil, timing{}, timing{1800, 90, true}, "1800;refresher=uas", ""},
		"a proxy asks for a caller that cannot": {half, []string{"Session-Expires: 120"}, timing{},
			timing{120, 90, true}, "120;refresher=uas", ""},
		"a minimum above ours": {half, []string{"Supported: timer", "Session-Expires: 7200", "Min-SE: 3600"}, timing{},
			timing{3600, 3600, false}, "3600;refresher=uac", "timer"},
		"nonsense": {half, []string{"Supported: timer", "Session-Expires: soon", "Min-SE: x"}, timing{},
			timing{1800, 90, false}, "1800;refresher=uac", "timer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := parseRequest(t, (&peer{network: "UDP"}).text(request{method: "INVITE", headers: tt.headers}))
			got, headers := tt.timer.accept(req, tt.now)
			assert.Equal(t, tt.want, got)
			said := map[string]string{}
			for _, h := range headers {
				said[h.Name] = h.Value
			}
			assert.Equal(t, tt.expires, said["Session-Expires"])
			assert.Equal(t, tt.require, said["Require"])
		})
	}
}

func TestACallThatAsksForTooShortASessionIsRefusedWithOurMinimum(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := quick(t, h, SessionTimer{Interval: 1800 * time.Second, Min: 300 * time.Second})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer, headers: []string{"Supported: timer", "Session-Expires: 299"}})
	assert.Equal(t, "300", p.expect("SIP/2.0 422").get("Min-SE"))
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKc"})
	ok := p.call(e.udp(), request{callID: "again", headers: []string{"Supported: timer", "Session-Expires: 300", "Min-SE: 300", "Require: timer"}})
	assert.Equal(t, "300;refresher=uac", ok.get("Session-Expires"))
	assert.Equal(t, "timer", ok.get("Require"))
	assert.Contains(t, ok.get("Supported"), "timer")
	leg := receive(t, legs)
	p.request(e.udp(), request{method: "UPDATE", callID: "again", seq: 2, toTag: ok.tag("To"), headers: []string{"Supported: timer", "Session-Expires: 100"}})
	p.until("SIP/2.0 422")
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKd", callID: "again", seq: 3, toTag: ok.tag("To"), body: testOffer,
		headers: []string{"Supported: timer", "Session-Expires: 100"}})
	p.until("SIP/2.0 422")
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKd", callID: "again", seq: 3, toTag: ok.tag("To")})
	require.NoError(t, leg.Context().Err())
	p.request(e.udp(), request{method: "BYE", callID: "again", seq: 4, toTag: ok.tag("To")})
	p.until("SIP/2.0 200")
}

func TestAnAnsweredCallIsRefreshedByUsInTheWayTheFarEndTakes(t *testing.T) {
	tests := map[string]struct {
		allow string
		start string
	}{
		"by UPDATE":    {"Allow: INVITE, update", "UPDATE"},
		"by re-INVITE": {"Allow: INVITE", "INVITE"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, legs, _ := answering(InDialog{})
			e := quick(t, h, halfHour)
			p := udpPeer(t)
			p.call(e.udp(), request{headers: []string{"Supported: timer", "Session-Expires: 1800;refresher=uas", tt.allow}})
			leg := receive(t, legs)
			for range 2 {
				refresh := p.expect(tt.start)
				assert.Equal(t, "1800;refresher=uac", refresh.get("Session-Expires"))
				assert.Equal(t, "timer", refresh.get("Supported"))
				r := reply{headers: []string{"Session-Expires: 1800;refresher=uac"}}
				if tt.start == "INVITE" {
					assert.Equal(t, testAnswer, refresh.body, "unchanged")
					r.body = testOffer
				} else {
					assert.Empty(t, refresh.body)
				}
				p.respond(refresh, "200 OK", r)
				if tt.start == "INVITE" {
					p.expect("ACK")
				}
			}
			require.NoError(t, leg.Context().Err())
			// The far end wants no timer any more.
			refresh := p.expect(tt.start)
			p.respond(refresh, "200 OK", reply{body: testOffer})
			if tt.start == "INVITE" {
				p.expect("ACK")
			}
			p.silent()
			assert.Zero(t, leg.timed().interval)
			p.respondToBye(leg)
		})
	}
}

func TestACallThatTheFarEndDoesNotRefreshExpires(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := quick(t, h, halfHour)
	p := udpPeer(t)
	ok := p.call(e.udp(), request{headers: []string{"Supported: timer", "Session-Expires: 1800;refresher=uac"}})
	leg := receive(t, legs)
	began := time.Now()
	p.request(e.udp(), request{method: "UPDATE", seq: 2, toTag: ok.tag("To"), headers: []string{"Supported: timer", "Session-Expires: 1800;refresher=uac"}})
	assert.Equal(t, "1800;refresher=uac", p.expect("SIP/2.0 200").get("Session-Expires"))
	bye := p.until("BYE")
	// 32 s before the end of the interval.
	assert.GreaterOrEqual(t, time.Since(began), 1700*testT1/50)
	assert.Contains(t, bye.get("Reason"), "session expired")
	p.respond(bye, "200 OK", reply{})
	require.ErrorIs(t, ended(t, leg.Context()), ErrExpired)
}

func TestARefreshThatHasNoAnswerEndsTheCall(t *testing.T) {
	for name, status := range map[string]string{"refused for now": "500 Not Now", "gone": "481 Gone", "not a word": ""} {
		t.Run(name, func(t *testing.T) {
			h, legs, _ := answering(InDialog{})
			e := quick(t, h, halfHour)
			p := udpPeer(t)
			p.call(e.udp(), request{headers: []string{"Supported: timer", "Session-Expires: 1800;refresher=uas", "Allow: UPDATE"}})
			leg := receive(t, legs)
			for {
				m, ok := p.next(soon)
				require.True(t, ok)
				if strings.HasPrefix(m.start, "BYE") {
					p.respond(m, "200 OK", reply{})
					break
				}
				if status != "" {
					p.respond(m, status, reply{})
				}
			}
			cause := ended(t, leg.Context())
			if name == "gone" {
				require.True(t, isStatus(cause, 481))
			} else {
				require.ErrorIs(t, cause, ErrExpired)
			}
		})
	}
}

func TestARefreshThatIsTooShortIsTriedAgainWithTheFarEndsMinimum(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := quick(t, h, halfHour)
	p := udpPeer(t)
	p.call(e.udp(), request{headers: []string{"Supported: timer", "Session-Expires: 1800;refresher=uas", "Allow: UPDATE"}})
	leg := receive(t, legs)
	p.respond(p.expect("UPDATE"), "422 Too Small", reply{headers: []string{"Min-SE: 2000"}})
	again := p.expect("UPDATE")
	assert.Equal(t, "2000;refresher=uac", again.get("Session-Expires"))
	assert.Equal(t, "2000", again.get("Min-SE"))
	p.respond(again, "200 OK", reply{headers: []string{"Session-Expires: 2000;refresher=uac"}})
	p.respondToBye(leg)
}

func TestAFarEndThatTakesNoUPDATEAfterAllIsSentAReinvite(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := quick(t, h, halfHour)
	p := udpPeer(t)
	p.call(e.udp(), request{headers: []string{"Supported: timer", "Session-Expires: 1800;refresher=uas", "Allow: UPDATE"}})
	leg := receive(t, legs)
	p.respond(p.expect("UPDATE"), "405 Method Not Allowed", reply{})
	inv := p.expect("INVITE")
	assert.Equal(t, testAnswer, inv.body)
	p.respond(inv, "200 OK", reply{body: testOffer})
	p.expect("ACK")
	p.respondToBye(leg)
}

func TestDialAsksForASessionTimerAndAgainIfItIsTooShort(t *testing.T) {
	e := quick(t, Handler{}, SessionTimer{})
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target(), InDialog: InDialog{SessionTimer: &SessionTimer{Interval: 1800 * time.Second, Min: 90 * time.Second}}})
	first := p.expect("INVITE")
	assert.Equal(t, "timer", first.get("Supported"))
	assert.Equal(t, "1800", first.get("Session-Expires"))
	p.respond(first, "422 Session Interval Too Small", reply{tag: "callee", headers: []string{"Min-SE: 2400"}})
	p.expect("ACK")
	second := p.expect("INVITE")
	assert.Equal(t, "2400", second.get("Session-Expires"))
	assert.Equal(t, "2400", second.get("Min-SE"))
	assert.Equal(t, "2 INVITE", second.get("CSeq"))
	assert.Equal(t, first.get("Call-ID"), second.get("Call-ID"))
	assert.Equal(t, first.get("From"), second.get("From"))
	assert.NotEqual(t, first.branch(), second.branch())
	p.respond(second, "200 OK", reply{tag: "callee", body: testAnswer, headers: []string{"Session-Expires: 2400;refresher=uac", "Require: timer", "Allow: UPDATE"}})
	assert.Equal(t, "2 ACK", p.expect("ACK").get("CSeq"))
	d := receive(t, got)
	require.NoError(t, d.err)
	refresh := p.expect("UPDATE")
	assert.Equal(t, "3 UPDATE", refresh.get("CSeq"))
	assert.Equal(t, "2400;refresher=uac", refresh.get("Session-Expires"))
	p.respond(refresh, "200 OK", reply{headers: []string{"Session-Expires: 2400;refresher=uac"}})
	p.respondToBye(d.leg)
}

func TestDialGivesUpOnAFarEndThatIsNeverContent(t *testing.T) {
	for name, minima := range map[string][]string{
		"the same again":  {"2400", "2400"},
		"more every time": {"2400", "3600", "4800"},
		"no minimum":      {""},
	} {
		t.Run(name, func(t *testing.T) {
			e := quick(t, Handler{}, halfHour)
			p := udpPeer(t)
			got := dial(t.Context(), e, Invite{Target: p.target()})
			for _, m := range minima {
				r := reply{tag: "callee", headers: []string{"Min-SE: " + m}}
				p.respond(p.expect("INVITE"), "422 Session Interval Too Small", r)
				p.expect("ACK")
			}
			require.True(t, isStatus(receive(t, got).err, 422))
			p.silent()
		})
	}
}

func TestADialedCallExpiresWhenTheFarEndWasToRefreshIt(t *testing.T) {
	e := quick(t, Handler{}, halfHour)
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target()})
	p.respond(p.expect("INVITE"), "200 OK", reply{tag: "callee", body: testAnswer, headers: []string{"Session-Expires: 1800;refresher=uas"}})
	p.expect("ACK")
	d := receive(t, got)
	require.NoError(t, d.err)
	p.respond(p.expect("BYE"), "200 OK", reply{})
	require.ErrorIs(t, ended(t, d.leg.Context()), ErrExpired)
}

func TestTwoEndpointsKeepACallAlive(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		h, legs, _ := answering(InDialog{})
		// Only who refreshes is quick: a slow machine does not let the call expire.
		b := startWith(t, h, func(*Endpoint) {}, func(c *Config) { c.SessionTimer = halfHour })
		a := quick(t, Handler{}, halfHour)
		d := receive(t, dial(t.Context(), a, Invite{Target: "sip:" + b.first(transport).String() + ";transport=" + transport}))
		require.NoError(t, d.err)
		theirs := receive(t, legs)
		turn := func() int {
			theirs.mu.Lock()
			defer theirs.mu.Unlock()
			return theirs.clock.turn
		}
		first := turn()
		require.Eventually(t, func() bool { return turn() >= first+3 }, soon, testT1)
		require.NoError(t, theirs.Context().Err())
		require.NoError(t, d.leg.Bye(context.Background(), ""))
		ended(t, theirs.Context())
	})
}

func FuzzSessionExpires(f *testing.F) {
	f.Add("1800;refresher=uac")
	f.Add(" 90 ; x=\"a;b\";REFRESHER = uas")
	f.Fuzz(func(t *testing.T, s string) {
		msg := headerOnly{"Session-Expires", s}
		x, ok := sessionExpires(msg)
		if ok && (x.seconds < 1 || x.seconds > maxInterval || x.refresher != "" && x.refresher != "uac" && x.refresher != "uas") {
			t.Errorf("%q is %+v", s, x)
		}
		if n := minSE(headerOnly{"Min-SE", s}); n < minInterval || n > maxInterval {
			t.Errorf("%q is %d", s, n)
		}
	})
}
