package call

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/phone"
	"consentgw/internal/sdp"
	"consentgw/prompts"
	"consentgw/sip"

	"github.com/stretchr/testify/require"
)

func happened(r *consent.Record, kind string) bool {
	for _, e := range r.History {
		if e.Type == kind {
			return true
		}
	}
	return false
}

// hearsMore waits until the line has heard n packets more.
func (h *house) hearsMore(line *phone.Line, n int) {
	h.t.Helper()
	had := len(line.Received())
	err := line.Until(h.ctx, func(p []phone.Packet, _ []byte) bool { return len(p) >= had+n })
	require.NoError(h.t, err, "the line has gone silent")
}

func TestAnAgreedCallIsRecordedFromTheConnectionToTheEnd(t *testing.T) {
	h, m := newHouse(t), newMemory()
	h.records(Recorder{Name: "archive", Open: m.open})
	h.open()
	line := h.agree()
	h.agent()
	h.live("copies", func(r *consent.Record) bool { return m.packets() > 10 })
	require.NoError(t, line.Hangup(h.ctx))
	r := h.ended()
	<-m.closed
	require.Equal(t, consent.Given, r.Outcome)
	require.EqualValues(t, m.packets(), r.RecordedPackets())
	require.Equal(t, "caller hung up", r.Call.EndCause)
}

// A recorder that takes its time to accept must not keep a withdrawal waiting:
// what was taken back before it accepted is never recorded.
func TestAWithdrawalCountsWhileARecorderStillOpens(t *testing.T) {
	h, m := newHouse(t), newMemory()
	opening, accept := make(chan struct{}), make(chan struct{})
	h.records(Recorder{Name: "slow", Open: func(ctx context.Context, take Take) (Recording, error) {
		close(opening)
		<-ctx.Done() // it is told to give up, and does not
		<-accept
		return m.open(ctx, take)
	}})
	h.open()
	line := h.agree()
	h.agent()
	<-opening
	require.NoError(t, h.command("withdraw"))
	close(accept)
	<-m.closed
	h.hearsMore(line, 25)
	require.NoError(t, line.Hangup(h.ctx))
	r := h.ended()
	require.Equal(t, consent.Withdrawn, r.Outcome)
	require.Empty(t, r.Recordings)
	require.Zero(t, m.packets())
}

func TestAPauseCountsWhileARecorderStillOpens(t *testing.T) {
	h, m := newHouse(t), newMemory()
	opening, accept := make(chan struct{}), make(chan struct{})
	h.records(Recorder{Name: "slow", Open: func(ctx context.Context, take Take) (Recording, error) {
		close(opening)
		<-accept
		return m.open(ctx, take)
	}})
	h.open()
	line := h.agree()
	h.agent()
	<-opening
	require.NoError(t, h.command("pause"))
	close(accept)
	r := h.live("the recording", func(r *consent.Record) bool { return len(r.Recordings) == 1 })
	require.Equal(t, consent.RecordingPaused, r.Recording())
	h.hearsMore(line, 25)
	require.Zero(t, m.packets())
	require.NoError(t, h.command("resume"))
	h.live("copies", func(*consent.Record) bool { return m.packets() > 0 })
}

func TestOneSlowRecorderDoesNotKeepAnotherWaiting(t *testing.T) {
	h, slow, quick := newHouse(t), newMemory(), newMemory()
	accept := make(chan struct{})
	h.records(Recorder{Name: "slow", Open: func(ctx context.Context, take Take) (Recording, error) {
		<-accept
		return slow.open(ctx, take)
	}})
	h.records(Recorder{Name: "quick", Open: quick.open})
	h.open()
	line := h.agree()
	h.agent()
	h.live("copies at the quick one", func(*consent.Record) bool { return quick.packets() > 5 })
	close(accept)
	h.live("copies at the slow one", func(*consent.Record) bool { return slow.packets() > 5 })
	require.NoError(t, line.Hangup(h.ctx))
	r := h.ended()
	require.Len(t, r.Recordings, 2)
	require.EqualValues(t, quick.packets()+slow.packets(), r.RecordedPackets())
}

func TestACallerWhoLeavesWhileARecorderOpensLeavesNothingBehind(t *testing.T) {
	h := newHouse(t)
	opening := make(chan struct{})
	h.records(Recorder{Name: "never", Open: func(ctx context.Context, _ Take) (Recording, error) {
		close(opening)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}})
	h.open()
	line := h.agree()
	h.agent()
	<-opening
	require.NoError(t, line.Hangup(h.ctx))
	require.Equal(t, "caller hung up", h.ended().Call.EndCause)
}

func TestARecorderThatFailsCostsTheCallNothing(t *testing.T) {
	h := newHouse(t)
	h.records(Recorder{Name: "broken", Open: func(context.Context, Take) (Recording, error) {
		return nil, errors.New("no")
	}})
	h.open()
	line := h.agree()
	h.agent()
	r := h.live("the failure in the record", func(r *consent.Record) bool { return happened(r, "recorder_failed") })
	require.Empty(t, r.Recordings)
	require.ErrorIs(t, h.command("pause"), consent.ErrNotPossible)
	require.NoError(t, line.Hangup(h.ctx))
	require.Equal(t, consent.Given, h.ended().Outcome)
}

// A defect in one call's recorder must not reach another call, and must leave
// neither a port nor an entry of its own behind: the house checks both.
func TestAPanicEndsItsOwnCallOnly(t *testing.T) {
	for name, open := range map[string]func(m *memory) func(context.Context, Take) (Recording, error){
		"while a recorder opens": func(*memory) func(context.Context, Take) (Recording, error) {
			return func(context.Context, Take) (Recording, error) { panic("a defect") }
		},
		"when it is asked for faults": func(m *memory) func(context.Context, Take) (Recording, error) {
			return func(ctx context.Context, take Take) (Recording, error) {
				_, err := m.open(ctx, take)
				return &faultless{m}, err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, m := newHouse(t), newMemory()
			h.records(Recorder{Name: "defect", Open: open(m)})
			h.open()
			line := h.agree()
			<-line.Ended()
			r := h.ended()
			require.Equal(t, "internal error", r.Call.EndCause)
			require.Contains(t, h.log.String(), "call failed")
		})
	}
}

type faultless struct{ *memory }

func (*faultless) Fault() string { panic("a defect") }

// SIP INFO is all that some phones can do: a platform that does not answer it
// must not keep the second key of the withdraw sequence waiting.
func TestAPlatformThatDoesNotAnswerAnInfoDelaysNoWithdrawal(t *testing.T) {
	h, m := newHouse(t), newMemory()
	h.records(Recorder{Name: "archive", Open: m.open})
	release := make(chan struct{})
	defer close(release)
	h.ring = []func(context.Context, *phone.Ring){func(ctx context.Context, r *phone.Ring) {
		leg, err := r.Answer(ctx, answerTo(r.Offer(), closedAddr(t)), sip.InDialog{Info: func(string, []byte) int {
			<-release
			return 200
		}})
		if err == nil {
			<-leg.Context().Done()
		}
	}}
	h.open()
	line := h.agree()
	h.live("copies", func(*consent.Record) bool { return m.packets() > 0 })
	for _, key := range []byte("*9") {
		asked := time.Now()
		require.NoError(t, line.PressInfo(h.ctx, key))
		require.Less(t, time.Since(asked), 2*time.Second, "the key waited for the platform")
	}
	h.live("the withdrawal", func(r *consent.Record) bool { return r.Outcome == consent.Withdrawn })
	require.NoError(t, line.Hangup(h.ctx))
}

// answerTo answers an offer from an address where nobody listens.
func answerTo(offer []byte, addr netip.AddrPort, change ...func(*sdp.Session)) []byte {
	o, err := sdp.Parse(offer)
	if err != nil {
		return nil
	}
	local := sdp.Local{Addr: addr.Addr(), Port: int(addr.Port()), ID: 1, Version: 1}
	answer, _, err := sdp.NewAnswer(o, local, []sdp.Codec{sdp.PCMA(), sdp.PCMU(), sdp.Event8000()})
	if err != nil {
		return nil
	}
	for _, c := range change {
		c(answer)
	}
	return answer.Marshal()
}

// An INVITE without an offer asks for ours; the answer to that can be a hold as
// much as an offer can (RFC 3261 section 14.2).
func TestAHoldByALateOfferShutsTheGate(t *testing.T) {
	h, m := newHouse(t), newMemory()
	h.records(Recorder{Name: "archive", Open: m.open})
	h.open()
	line := h.agree()
	h.agent()
	h.live("copies", func(*consent.Record) bool { return m.packets() > 0 })
	c := h.svc.find(h.callID())
	legs := c.inDialog(c.asked, h.callID())
	offer, err := legs.Offer(nil)
	require.NoError(t, err)
	require.NotNil(t, legs.Offered, "the answer to our offer is not heard")
	legs.Offered(answerTo(offer, line.MediaAddr(), func(s *sdp.Session) { s.Media[0].Direction = sdp.SendOnly }))
	r := h.live("the pause", func(r *consent.Record) bool { return r.Recording() == consent.RecordingPaused })
	require.Equal(t, "hold", r.Recordings[0].Pauses[0].Reason)
	n := m.packets()
	// Whoever asks for our offer while he holds may want to resume: it says
	// what we can do, not what he made of it (RFC 6337 section 5.3).
	offer, err = legs.Offer(nil)
	require.NoError(t, err)
	ours, err := sdp.Parse(offer)
	require.NoError(t, err)
	require.Equal(t, sdp.SendRecv, ours.Media[0].Direction)
	require.Equal(t, n, m.packets(), "a copy during the hold")
	legs.Offered(answerTo(offer, line.MediaAddr()))
	h.live("the end of the pause", func(r *consent.Record) bool { return r.Recording() == consent.RecordingOn })
	h.live("copies again", func(*consent.Record) bool { return m.packets() > n })
}

// A caller who holds and resumes all day must not make the record too large to
// be stored: that would be a way to destroy evidence.
func TestHoldingForEverLeavesARecordThatCanBeStored(t *testing.T) {
	h, m := newHouse(t), newMemory()
	h.records(Recorder{Name: "archive", Open: m.open})
	h.open()
	line := h.agree()
	h.agent()
	h.live("copies", func(*consent.Record) bool { return m.packets() > 0 })
	c := h.svc.find(h.callID())
	legs := c.inDialog(c.asked, h.callID())
	local := sdp.Local{Addr: line.MediaAddr().Addr(), Port: int(line.MediaAddr().Port()), ID: 7, Version: 2}
	for range 1500 {
		for _, d := range []sdp.Direction{sdp.SendOnly, sdp.SendRecv} {
			local.Version++
			local.Direction = d
			_, err := legs.Offer(sdp.NewOffer(local, []sdp.Codec{sdp.PCMA(), sdp.Event8000()}).Marshal())
			require.NoError(t, err)
		}
	}
	require.NoError(t, line.Hangup(h.ctx))
	r := h.ended()
	require.Equal(t, "ended", r.History[len(r.History)-1].Type)
	require.Less(t, len(r.History), 1100)
	require.Less(t, len(r.Recordings[0].Pauses), 600)
}

// A caller that names a recorder as its own media address would make us send it
// the agent's voice without anybody's consent.
func TestARecordersAddressIsNoPartysAddress(t *testing.T) {
	recorder := closedAddr(t)
	at := func(s *sdp.Session) {
		s.Addr, s.Media[0].Addr, s.Media[0].Port = recorder.Addr(), recorder.Addr(), int(recorder.Port())
	}
	t.Run("in the caller's offer", func(t *testing.T) {
		h := newHouse(t)
		h.cfg.Recorders = []config.Recorder{{Name: "archive", Type: "rtp", Caller: closedAddr(t), Agent: recorder}}
		h.open()
		_, err := h.caller.Call(h.ctx, phone.Dial{Target: h.trunkURI(), Caller: fromNumber, Called: toNumber, SDP: at})
		var status *sip.StatusError
		require.ErrorAs(t, err, &status)
		require.Equal(t, 488, status.Code)
	})
	t.Run("in the platform's answer", func(t *testing.T) {
		h := newHouse(t)
		h.cfg.Recorders = []config.Recorder{{Name: "archive", Type: "rtp", Caller: recorder, Agent: closedAddr(t)}}
		h.ring = []func(context.Context, *phone.Ring){func(ctx context.Context, r *phone.Ring) {
			leg, err := r.Answer(ctx, answerTo(r.Offer(), recorder), sip.InDialog{})
			if err == nil {
				<-leg.Context().Done()
			}
		}}
		h.open()
		h.dial("+31305550123")
		require.Equal(t, "no target answered", h.ended().Call.EndCause)
	})
}

// refusing rings until released and then refuses.
func refusing(code int, rings chan<- struct{}, release <-chan struct{}) func(context.Context, *phone.Ring) {
	return func(ctx context.Context, r *phone.Ring) {
		r.Progress(180, "Ringing", nil)
		close(rings)
		select {
		case <-release:
			r.Reject(code, "Not now")
		case <-r.Context().Done():
		}
	}
}

func TestTheNextTargetIsToldWhatTheCallerSaidSince(t *testing.T) {
	h := newHouse(t)
	h.records(Recorder{Name: "archive", Open: newMemory().open})
	rings, release := make(chan struct{}), make(chan struct{})
	told := make(chan []string, 1)
	h.ring = []func(context.Context, *phone.Ring){refusing(503, rings, release), func(ctx context.Context, r *phone.Ring) {
		told <- append(r.Header("X-Consent-Status"), append(r.Header("X-Consent-Outcome"), r.Header("X-Recording")...)...)
		h.pick(ctx, r)
	}}
	h.open()
	line := h.agree()
	<-rings
	require.NoError(t, h.command("withdraw"))
	close(release)
	require.Equal(t, []string{"denied", "withdrawn", "off"}, <-told)
	h.agent()
	require.NoError(t, line.Hangup(h.ctx))
}

func TestTheCallerHearsTheNextTargetRingAfterEarlyMedia(t *testing.T) {
	h := newHouse(t)
	refuse, answer := make(chan struct{}), make(chan struct{})
	h.ring = []func(context.Context, *phone.Ring){func(ctx context.Context, r *phone.Ring) {
		line, _, err := r.Early()
		if err != nil {
			return
		}
		line.Speak(tone(900), true)
		<-refuse
		line.Drop()
		r.Reject(503, "Not now")
	}, func(ctx context.Context, r *phone.Ring) {
		r.Progress(180, "Ringing", nil)
		<-answer
		h.pick(ctx, r)
	}}
	h.open()
	line := h.dial("+31305550123")
	h.hearsMore(line, 20)
	close(refuse)
	h.live("the second target", func(r *consent.Record) bool { return true })
	h.hearsMore(line, 60)
	close(answer)
	h.agent()
	require.NoError(t, line.Hangup(h.ctx))
}

// A target that answers without usable media, and then not even our BYE, must
// not keep the caller from the next one.
func TestATargetThatAnswersWithoutMediaIsPassedOverAtOnce(t *testing.T) {
	h := newHouse(t)
	mute, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback(), 0)))
	require.NoError(t, err)
	defer mute.Close()
	go answerNothing(mute)
	h.cfg.Platforms[0].Targets = []config.Target{{URI: "sip:" + mute.LocalAddr().String(), Priority: 0, Weight: 1}}
	h.open()
	dialed := time.Now()
	line := h.dial("+31305550123")
	h.agent()
	require.Less(t, time.Since(dialed), 8*time.Second)
	require.NoError(t, line.Hangup(h.ctx))
}

// answerNothing answers every INVITE with a 200 without a description, and
// nothing else.
func answerNothing(conn *net.UDPConn) {
	header := regexp.MustCompile(`(?im)^(via|from|to|call-id|cseq):[^\r]*`)
	b := make([]byte, 65536)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if !strings.HasPrefix(string(b[:n]), "INVITE ") {
			continue
		}
		copied := header.FindAllString(string(b[:n]), -1)
		for i, line := range copied {
			if strings.HasPrefix(strings.ToLower(line), "to:") {
				copied[i] += ";tag=mute"
			}
		}
		fmt.Fprint(writerTo{conn, from}, "SIP/2.0 200 OK\r\n"+strings.Join(copied, "\r\n")+
			"\r\nContact: <sip:"+conn.LocalAddr().String()+">\r\nContent-Length: 0\r\n\r\n")
	}
}

type writerTo struct {
	*net.UDPConn
	to netip.AddrPort
}

func (w writerTo) Write(b []byte) (int, error) { return w.WriteToUDPAddrPort(b, w.to) }

// What a caller took back while "thank you" was being said is confirmed to its
// end before anything else is said.
func TestAWithdrawalDuringTheThanksIsConfirmed(t *testing.T) {
	h := newHouse(t)
	h.open()
	line := h.agree()
	h.live("the decision", func(r *consent.Record) bool { return r.Outcome == consent.Given })
	require.NoError(t, h.command("withdraw"))
	h.hears(line, prompts.Stopped)
	require.NoError(t, line.Hangup(h.ctx))
}

// The history says what happened; that copies still flow is no event, and none
// flow after a withdrawal.
func TestTheHistoryOfALongCallStaysShort(t *testing.T) {
	h, m := newHouse(t), newMemory()
	h.records(Recorder{Name: "archive", Open: m.open})
	h.open()
	line := h.agree()
	h.agent()
	h.live("copies", func(*consent.Record) bool { return m.packets() > 0 })
	c := h.svc.find(h.callID())
	refresh := func() *consent.Record {
		require.NoError(t, c.do(h.ctx, func() {
			c.tape.stored = time.Time{} // as after ten seconds
			c.refresh()
		}))
		r, _ := h.svc.Find(h.callID())
		return r
	}
	before := refresh()
	after := refresh()
	require.Equal(t, len(before.History), len(after.History))
	require.Greater(t, after.Epoch, before.Epoch, "another version needs another epoch")
	require.NoError(t, h.command("withdraw"))
	before, after = refresh(), refresh()
	require.Equal(t, before.Epoch, after.Epoch, "a version without news")
	require.NoError(t, line.Hangup(h.ctx))
}

// A target that was passed over still has a dialog for a moment. What it asks
// for there must not move the media of the one that answered.
func TestATargetThatWasPassedOverChangesNothing(t *testing.T) {
	h := newHouse(t)
	h.open()
	line := h.dial("+31305550123")
	h.agent()
	h.live("the connection", func(r *consent.Record) bool { return !r.Call.ConnectedAt.IsZero() })
	c := h.svc.find(h.callID())
	var before sdp.Agreed
	require.NoError(t, c.do(h.ctx, func() { before = c.agent.agreed }))
	stale := c.inDialog(c.agent, "another dialog")
	other := closedAddr(t)
	local := sdp.Local{Addr: other.Addr(), Port: int(other.Port()), ID: 9, Version: 1}
	_, err := stale.Offer(sdp.NewOffer(local, []sdp.Codec{sdp.PCMA()}).Marshal())
	require.ErrorIs(t, err, errNotUp)
	stale.Offered(sdp.NewOffer(local, []sdp.Codec{sdp.PCMA()}).Marshal())
	require.NoError(t, c.do(h.ctx, func() { require.Equal(t, before.Remote, c.agent.agreed.Remote) }))
	require.NoError(t, line.Hangup(h.ctx))
	h.ended()
	_, err = stale.Offer(nil)
	require.Error(t, err)
}
