package gateway_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A call script is a story in plain words, one sentence a line; # begins a
// remark. The sentences are those of verbs; every script ends with what is
// expected, and with the deep check of the record that nobody has to ask for.

// TestCalls plays every script of testdata/calls with real phones.
func TestCalls(t *testing.T) {
	for _, file := range scripts(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, file)
		})
	}
}

// play performs one script.
func play(t *testing.T, file string) {
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		sentence, _, _ := strings.Cut(lines.Text(), "#")
		sentence = strings.TrimSpace(sentence)
		if sentence == "" {
			continue
		}
		p.line = sentence
		if !p.perform(strings.Fields(sentence)) {
			require.FailNow(t, "not a sentence of a call script", "%s:%d: %s", filepath.Base(file), n, sentence)
		}
		if t.Failed() {
			require.FailNow(t, "the script stops here", "%s:%d: %s", filepath.Base(file), n, sentence)
		}
	}
	require.NoError(t, lines.Err())
	p.finish()
}

// perform finds the sentence and acts on it. Words in capitals in the table
// match anything and are handed over; the sentence with the fewest wins.
func (p *actor) perform(words []string) bool {
	var best func()
	fewest := len(words) + 1
	for pattern, act := range p.verbs() {
		if args, ok := match(strings.Fields(pattern), words); ok && len(args) < fewest {
			best, fewest = func() { act(args) }, len(args)
		}
	}
	if best != nil {
		best()
	}
	return best != nil
}

func match(pattern, words []string) (args []string, ok bool) {
	if len(pattern) > 0 && pattern[len(pattern)-1] == "REST" && len(words) >= len(pattern) {
		rest := strings.Join(words[len(pattern)-1:], " ")
		words = append(append([]string{}, words[:len(pattern)-1]...), rest)
	}
	if len(pattern) != len(words) {
		return nil, false
	}
	for i, w := range pattern {
		switch {
		case w == strings.ToUpper(w) && strings.ContainsAny(w, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
			args = append(args, words[i])
		case w != words[i]:
			return nil, false
		}
	}
	return args, true
}
