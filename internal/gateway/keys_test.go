package gateway_test

import (
	"fmt"
	"time"

	"consentgw/internal/phone"
	"consentgw/internal/sdp"

	"github.com/stretchr/testify/require"
)

// keyVerbs are the sentences about what one party hears of the other's keys.
func (p *actor) keyVerbs() map[string]func([]string) {
	hears := func(line func() *phone.Line) func(events, infos string) {
		return func(events, infos string) {
			if err := line().UntilKeys(p.ctx, events, infos); err != nil {
				e, i := line().HeardKeys()
				require.Fail(p.t, "other keys were heard", "%s: %q, and by INFO %q", p.line, e, i)
			}
		}
	}
	caller := hears(func() *phone.Line { return p.phone })
	agent := hears(func() *phone.Line { return p.arrival.line })
	return map[string]func([]string){
		"keys are held back for DURATION": func(a []string) {
			d, err := time.ParseDuration(a[0])
			p.must(err)
			p.cfg.Policies[0].HoldBack = d
		},
		"caller presses keys at RATE": func(a []string) {
			rate := 0
			fmt.Sscan(a[0], &rate)
			p.codecs = []sdp.Codec{sdp.PCMA(), sdp.Event(rate, 98)}
		},
		"keys are recorded":              func([]string) { p.cfg.Recorders[0].Keys = true },
		"expect keys KEYS recorded":      func(a []string) { require.Equal(p.t, a[0], phone.Keys(p.recorder.Caller(0), 101)) },
		"expect no keys recorded":        func([]string) { require.Empty(p.t, phone.Keys(p.recorder.Caller(0), 101)) },
		"agent takes no keys":            func([]string) { p.aDesk(0).codecs = []sdp.Codec{sdp.PCMA()} },
		"agent hears keys KEYS":          func(a []string) { agent(a[0], "") },
		"agent hears keys KEYS by info":  func(a []string) { agent("", a[0]) },
		"agent hears KEYS both ways":     func(a []string) { agent(a[0], a[0]) },
		"caller hears keys KEYS":         func(a []string) { caller(a[0], "") },
		"caller hears keys KEYS by info": func(a []string) { caller("", a[0]) },
		"agent hears no keys":            func([]string) { agent("", "") },
		"caller hears no keys":           func([]string) { caller("", "") },
	}
}
