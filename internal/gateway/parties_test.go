package gateway_test

import (
	"strings"
	"time"

	"consentgw/sip"

	"github.com/stretchr/testify/require"
)

// partyVerbs are the sentences about what the parties ask of a recording.
func (p *actor) partyVerbs() map[string]func([]string) {
	return map[string]func([]string){
		"keys KEYS pause and KEYS resume": func(a []string) {
			p.cfg.Policies[0].Keys.Pause, p.cfg.Policies[0].Keys.Resume = a[0], a[1]
		},
		"a pause ends after DURATION": func(a []string) {
			d, err := time.ParseDuration(a[0])
			p.must(err)
			p.cfg.Policies[0].MaxPause = d
		},
		"agent sends VALUE in a header": p.sendsHeader,
		"agent sends VALUE in a header of a re-INVITE": func(a []string) {
			line := p.arrival.line
			p.must(line.ChangeWith(p.ctx, []sip.Header{{Name: "X-Recording", Value: a[0]}}))
		},
		"caller prefers PREFERENCE from now on": func(a []string) {
			p.must(p.phone.Change(p.ctx, false, preference(a[0])))
		},
		"agent prefers PREFERENCE from now on": func(a []string) {
			p.must(p.arrival.line.Change(p.ctx, true, preference(a[0])))
		},
		"expect pauses for REST":            p.expectPausesFor,
		"expect history to tell KIND: REST": p.expectHistory,
	}
}

func (p *actor) sendsHeader(args []string) {
	_, err := p.arrival.line.Leg().UpdateWith(p.ctx, sip.Change{Headers: []sip.Header{{Name: "X-Recording", Value: args[0]}}})
	p.must(err)
}

// expectPausesFor compares why the recording paused, in order.
func (p *actor) expectPausesFor(args []string) {
	var reasons []string
	for _, pause := range p.final().Recordings[0].Pauses {
		reasons = append(reasons, pause.Reason)
	}
	require.Equal(p.t, strings.Fields(args[0]), reasons, p.line)
}

// expectHistory compares what stands in the history under one kind, separated by
// commas.
func (p *actor) expectHistory(args []string) {
	var texts []string
	for _, e := range p.final().History {
		if e.Type == strings.TrimSuffix(args[0], ":") {
			texts = append(texts, e.Text)
		}
	}
	require.Equal(p.t, args[1], strings.Join(texts, ", "), p.line)
}
