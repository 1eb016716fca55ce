package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAPolicyMayAskInThreeWays(t *testing.T) {
	for _, c := range []struct {
		name, ask, want, notice, choose string
	}{
		{"without a word: as ever", "", AskTogether, "recording", ""},
		{"together", "ask: together", AskTogether, "recording", ""},
		{"with a choice there is a key for it", "ask: choose", AskChoose, "purposes", "3"},
		{"each", "ask: each", AskEach, "purposes", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := parsePolicy(t, "purposes: [quality, training]\n    "+c.ask, nil)
			p := cfg.Policies[0]
			assert.Equal(t, []string{c.want, c.notice, c.choose}, []string{p.Ask, p.Notice, p.Keys.Choose})
		})
	}
	t.Run("a notice that is named stays", func(t *testing.T) {
		assert.Equal(t, "ours", parsePolicy(t, "purposes: [quality]\n    ask: each\n    notice: ours", nil).Policies[0].Notice)
	})
}

// parsePolicy parses the loopback default with other lines in the place of its
// purposes, and expects these findings, without their places.
func parsePolicy(t *testing.T, lines string, want []string, more ...string) *Config {
	text := strings.NewReplacer(append([]string{"purposes: [quality]", lines}, more...)...).Replace(string(defaults))
	lookup, environ := environment()
	cfg, findings := Parse("", []byte(text), lookup, environ)
	var got []string
	for _, f := range findings {
		got = append(got, f.Severity.String()+": "+f.Path+": "+f.Text)
	}
	require.Equal(t, want, got)
	return cfg
}

func TestMistakesWithSeveralPurposesAreNamed(t *testing.T) {
	many := func(n int) string {
		return "purposes: [" + strings.Join(strings.Split("abcdefghijklmnopqrstuvwxyzABCDEFGH"[:n], ""), ", ") + "]"
	}
	for _, c := range []struct {
		name, lines string
		want        []string
		more        []string
	}{
		{"a way to ask that there is not", "purposes: [quality]\n    ask: one-by-one",
			[]string{`error: policies[0].ask: must be together, choose or each; it is "one-by-one"`}, nil},
		{"a key that means two things", "purposes: [quality]\n    ask: choose\n    keys: {choose: \"2\"}",
			[]string{`error: policies[0].keys.choose: is the same key as no`}, nil},
		{"a default that another key has taken", "purposes: [quality]\n    ask: choose\n    keys: {repeat: \"3\"}",
			[]string{`error: policies[0].keys.choose: is the same key as repeat`}, nil},
		{"a key without a choice", "purposes: [quality]\n    keys: {choose: \"3\"}",
			[]string{`warning: policies[0].keys.choose: has no meaning: only a policy with ask: choose offers it`}, nil},
		{"more questions than anybody listens to", many(9) + "\n    ask: each",
			[]string{`error: policies[0].purposes[8]: is one too many: at most 8 purposes can be asked for one by one`}, nil},
		{"a recorder for what nobody is asked for", "purposes: [quality, training]",
			[]string{`warning: recorders[0].purposes[0]: no policy asks for "trainings"; did you mean "training"?`},
			[]string{"type: rtp", "type: rtp\n    purposes: [trainings]"}},
		{"a question in vain", "purposes: [quality, training]\n    ask: each",
			[]string{`warning: routes[0].recorders: record nothing for "training", which policy "ask" asks for by itself`},
			[]string{"type: rtp", "type: rtp\n    purposes: [quality]"}},
	} {
		t.Run(c.name, func(t *testing.T) { parsePolicy(t, c.lines, c.want, c.more...) })
	}
}
