package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"consentgw/internal/phone"

	"github.com/stretchr/testify/require"
)

// outward are the sentences of calls from the platform. The callee is the asked
// party, so what a caller hears and presses there, a callee hears and presses here.
func (p *actor) outward() map[string]func([]string) {
	home := func(n int) func([]string) { return func([]string) { p.calleeAnswers(n) } }
	return map[string]func([]string){
		"agent dials NUMBER":          p.agentDials,
		"agent cancels":               func([]string) { p.cancel() },
		"agent is refused with CODE":  p.isRefused,
		"agent hears the callee":      func([]string) { p.agentHears(callerVoice) },
		"callee is rung":              func([]string) { p.calleeIs(func(*arrival) bool { return true }) },
		"callee answers":              home(0),
		"callee answers elsewhere":    home(1),
		"callee loses the call":       func([]string) { p.calleeIs(func(a *arrival) bool { return a.gone }) },
		"callee is hung up on":        func([]string) { p.hungUpOn(p.phone) },
		"callee hears PROMPT":         p.hears,
		"callee hears the agent":      func([]string) { p.callerHears(agentVoice) },
		"callee presses KEYS":         p.presses,
		"callee presses KEYS by info": p.pressesInfo,
		"callee hangs up":             func([]string) { p.must(p.phone.Hangup(p.ctx)) },
		"callee holds":                func([]string) { p.must(p.phone.Hold(p.ctx)); p.deaf = true },
		"callee resumes":              func([]string) { p.resuming(); p.must(p.phone.Resume(p.ctx)); p.deaf = false },
		"callee refuses with CODE":    func(a []string) { fmt.Sscan(a[0], &p.home(0).refuse) },
		"callee lets it ring":         func([]string) { p.home(0).lift = make(chan struct{}) },
		"callee's trunk is silent":    func([]string) { p.home(0).silent = true },
		"callee's trunk is dead":      func([]string) { p.home(0).dead = true },
		"callee's trunk has a second": func([]string) { p.home(1) },
		"trunk takes COUNT calls":     func(a []string) { fmt.Sscan(a[0], &p.cfg.Trunks[0].MaxCalls) },
		"expect callee not reached": func([]string) {
			require.Nil(p.t, p.phone)
			require.True(p.t, p.final().Call.AnsweredAt.IsZero())
		},
	}
}

func (p *actor) home(n int) *desk {
	for len(p.homes) <= n {
		p.homes = append(p.homes, &desk{voice: callerVoice})
	}
	return p.homes[n]
}

// agentDials starts the stage if this is the first call, and does not wait for
// the callee.
func (p *actor) agentDials(args []string) {
	if p.gateway == nil {
		p.aDesk(0)
		p.home(0)
		p.start(p.codecs)
	}
	p.outbound, p.called = true, args[0]
	p.callID = fmt.Sprintf("%s-%d", p.t.Name(), time.Now().UnixNano())
	a := p.gateway.PlatformAddrs()[0]
	ctx, cancel := context.WithCancel(p.ctx)
	p.cancel = cancel
	p.dialed = make(chan dialResult, 1)
	go func() {
		line, err := p.agent.Call(ctx, phone.Dial{Target: fmt.Sprintf("sip:%s;transport=%s", a.AddrPort, a.Transport),
			Caller: calledNumber, Called: p.called, CallID: p.callID})
		p.dialed <- dialResult{line, err}
	}()
}

func (p *actor) calleeIs(so func(*arrival) bool) *arrival {
	a, err := p.home(0).until(p.ctx, so)
	p.must(err)
	return a
}

// calleeAnswers lifts the receiver at a target of the trunk and waits until the
// agent has been told.
func (p *actor) calleeAnswers(n int) {
	d := p.home(n)
	if d.lift != nil {
		close(d.lift)
	}
	a, err := d.until(p.ctx, func(a *arrival) bool { return a.line != nil })
	require.NoError(p.t, err, "%s: %s", p.line, p.log)
	for name, value := range a.headers {
		require.False(p.t, strings.HasPrefix(name, "X-"), "the trunk is told what only the platform may know")
		if name == "From" {
			require.Contains(p.t, value, calledNumber, "the caller's number is passed on")
		}
	}
	p.phone = a.line
	result := <-p.dialed
	p.must(result.err)
	p.arrival = &arrival{line: result.line}
	p.answered = append(p.answered, result.line)
	result.line.Speak(speech(agentVoice), true)
}
