package gateway_test

import (
	"consentgw/internal/config"
	"context"
	"errors"
	"strings"
	"time"

	"consentgw/internal/phone"
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
		"a tone sounds for PARTY": func(a []string) {
			p.cfg.Policies[0].Tone = config.Tone{Every: 500 * time.Millisecond, HeardBy: a[0]}
		},
		"the tone is recorded":          func([]string) { p.cfg.Policies[0].Tone.Recorded = true },
		"caller hears the tone":         func([]string) { p.hearsTone(p.phone) },
		"agent hears the tone":          func([]string) { p.hearsTone(p.arrival.line) },
		"expect no tone for the caller": func([]string) { require.False(p.t, toned(p.phone.Received())) },
		"expect no tone for the agent":  func([]string) { require.False(p.t, toned(p.arrival.line.Received())) },
		"expect the tone recorded": func([]string) {
			require.True(p.t, toned(p.recorder.Caller(0)))
			require.True(p.t, toned(p.recorder.Agent(0)))
		},
		"expect no tone recorded": func([]string) {
			require.False(p.t, toned(p.recorder.Caller(0)))
			require.False(p.t, toned(p.recorder.Agent(0)))
		},
		"caller is record-aware":     func([]string) { p.aware = true },
		"agent is record-aware":      func([]string) { p.aDesk(0).aware = true },
		"next agent is record-aware": func([]string) { p.nextAware = true },
		"callee is record-aware":     func([]string) { p.home(0).aware = true },
		"callee sees STATE":          func(a []string) { p.must(p.phone.UntilTold(p.ctx, a[0])) },
		"callee prefers PREFERENCE from now on": func(a []string) {
			p.must(p.phone.Change(p.ctx, false, preference(a[0])))
		},
		"expect callee told REST": func(a []string) { p.expectPartyTold(p.phone, a[0]) },
		"expect next agent told REST": func(a []string) {
			var states []string
			for _, told := range p.arrival.line.Told() {
				states = append(states, told.State)
			}
			require.Equal(p.t, strings.Fields(a[0]), states, p.line)
		},
		"agent refuses changes":             func([]string) { p.aDesk(0).meets = refusing },
		"agent never answers change":        func([]string) { p.aDesk(0).meets = never },
		"caller sees STATE":                 func(a []string) { p.must(p.phone.UntilTold(p.ctx, a[0])) },
		"agent sees STATE":                  func(a []string) { p.must(p.arrival.line.UntilTold(p.ctx, a[0])) },
		"expect caller told REST":           func(a []string) { p.expectPartyTold(p.phone, a[0]) },
		"expect agent told REST":            func(a []string) { p.expectPartyTold(p.arrival.line, a[0]) },
		"expect agent told nothing":         func([]string) { require.Empty(p.t, p.arrival.line.Told()) },
		"expect caller told nothing":        func([]string) { require.Empty(p.t, p.phone.Told()) },
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

var errRefused = errors.New("as the script says")

func refusing(context.Context) error { return errRefused }

func never(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// expectPartyTold compares what a party was told of the recording, and when: not
// before the gate was opened or shut, as the record has it.
func (p *actor) expectPartyTold(line *phone.Line, want string) {
	var states []string
	for _, told := range line.Told() {
		states = append(states, told.State)
	}
	require.Equal(p.t, strings.Fields(want), states, p.line)
	changes := map[string]string{"recording_on": "on", "recording_paused": "paused", "withdrawn": "off"}
	at := []time.Time{}
	for _, e := range p.final().History {
		if changes[e.Type] != "" && e.Text != "no consent" {
			at = append(at, e.At)
		}
	}
	told := line.Told()
	if told[0].State == "off" { // in the answer, before there was anything
		told = told[1:]
	}
	require.Len(p.t, at, len(told), p.line)
	for i := range told {
		require.False(p.t, told[i].At.Before(at[i]), "told %s before it was so", told[i].State)
	}
}

// toned reports whether some 60 ms hold the tone of a recorder, loud enough to be
// heard beside the speech.
func toned(packets []phone.Packet) bool {
	for i := 0; i+3 <= len(packets); i++ {
		if pitch(packets[i:i+3], 1400) {
			return true
		}
	}
	return false
}

func (p *actor) hearsTone(line *phone.Line) {
	p.must(line.Until(p.ctx, func(packets []phone.Packet, _ []byte) bool { return toned(packets) }))
}
