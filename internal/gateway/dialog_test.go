package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"consentgw/internal/phone"
	"consentgw/internal/sdp"
	"consentgw/sip"

	"github.com/stretchr/testify/require"
)

// dialogs are the sentences about what happens inside a dialog.
func (p *actor) dialogs() map[string]func([]string) {
	verbs := map[string]func([]string){
		"agent hangs up because REST": func(a []string) { p.must(p.arrival.line.Leg().ByeFor(p.ctx, a[0])) },
		"caller is told REST":         p.isTold,
		"agents may take over":        func([]string) { p.mayTakeOver() },
		"caller hears the next agent": func([]string) { p.callerHears(nextVoice) },
		"another agent takes over":    func([]string) { p.takesOver() },
	}
	for who, line := range map[string]func() *phone.Line{
		"caller": func() *phone.Line { return p.phone },
		"agent":  func() *phone.Line { return p.arrival.line },
	} {
		verbs[who+" holds by update"] = func([]string) { p.changes(line(), true, direction(sdp.SendOnly)) }
		verbs[who+" resumes by update"] = func([]string) { p.resuming(); p.changes(line(), true, direction(sdp.SendRecv)) }
		verbs[who+" changes to CODEC"] = func(a []string) { p.changes(line(), false, speaks(a[0])) }
		verbs[who+" adds video"] = func([]string) { p.changes(line(), false, withVideo) }
		verbs[who+" cannot send a fax"] = func([]string) { p.cannotChange(line(), 488, fax) }
		verbs[who+" cannot change to G729"] = func([]string) { p.cannotChange(line(), 488, g729) }
	}
	return verbs
}

func (p *actor) changes(line *phone.Line, update bool, change func(*sdp.Session)) {
	p.must(line.Change(p.ctx, update, change))
}

func (p *actor) cannotChange(line *phone.Line, code int, change func(*sdp.Session)) {
	var status *sip.StatusError
	require.ErrorAs(p.t, line.Change(p.ctx, false, change), &status, p.line)
	require.Equal(p.t, code, status.Code, p.line)
}

// mayTakeOver lets the contact center's phones call the gateway, and transfer.
func (p *actor) mayTakeOver() {
	center := &p.cfg.Platforms[0]
	center.From = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	center.Transfers.By = []string{"agent"}
}

// nextVoice is the pitch of who takes over, in hertz.
const nextVoice = 1100.0

// takesOver calls the gateway from another phone of the contact center, with an
// INVITE that replaces the agent's dialog (RFC 3891).
func (p *actor) takesOver() {
	other, err := phone.New(phone.Config{Listen: "udp:127.0.0.1:0", RecordAware: p.nextAware})
	p.must(err)
	p.t.Cleanup(func() { require.NoError(p.t, other.Close()) })
	before := p.arrival.line
	agents, gateways := before.Leg().Tags()
	a := p.gateway.PlatformAddrs()[0]
	line, err := other.Call(p.ctx, phone.Dial{Target: fmt.Sprintf("sip:%s;transport=%s", a.AddrPort, a.Transport),
		Caller: calledNumber, Called: "agent", Headers: []sip.Header{
			{Name: "Require", Value: "replaces"},
			{Name: "Replaces", Value: fmt.Sprintf("%s;to-tag=%s;from-tag=%s", before.Leg().CallID(), gateways, agents)},
		}})
	p.must(err)
	line.Speak(speech(nextVoice), true)
	p.hungUpOn(before)
	p.arrival = &arrival{headers: p.arrival.headers, line: line}
	p.answered = append(p.answered, line)
}

// isTold waits for the end of the call and its Reason header.
func (p *actor) isTold(args []string) {
	<-p.phone.Ended()
	var bye *sip.ByeError
	require.True(p.t, errors.As(context.Cause(p.phone.Leg().Context()), &bye), p.line)
	require.Equal(p.t, args[0], bye.Header, p.line)
}

func direction(d sdp.Direction) func(*sdp.Session) {
	return func(s *sdp.Session) { s.Media[0].Direction = d }
}

func speaks(codec string) func(*sdp.Session) {
	return func(s *sdp.Session) {
		s.Media[0].Codecs, s.Media[0].Formats = nil, nil
		for _, c := range codecs(codec) {
			s.Media[0].Codecs = append(s.Media[0].Codecs, c)
			s.Media[0].Formats = append(s.Media[0].Formats, format(c))
		}
	}
}

func withVideo(s *sdp.Session) {
	s.Media = append(s.Media, sdp.Media{Kind: "video", Port: 40002, Proto: "RTP/AVP", Addr: s.Addr, Formats: []string{"96"}})
}

// fax turns the line into one of T.38 (ITU-T T.38 annex D).
func fax(s *sdp.Session) {
	s.Media = []sdp.Media{{Kind: "image", Port: 40004, Proto: "udptl", Addr: s.Addr, Formats: []string{"t38"}}}
}

func g729(s *sdp.Session) {
	s.Media[0].Codecs, s.Media[0].Formats = []sdp.Codec{{PT: 18, Name: "G729", Rate: 8000}}, []string{"18"}
}

func format(c sdp.Codec) string {
	if c.IsEvent() {
		return "101"
	}
	if c.Same(sdp.PCMU()) {
		return "0"
	}
	return "8"
}
