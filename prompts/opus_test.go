package prompts_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/prompts"
)

// putSpoken writes a prompt that there is in both forms, taken from the built-in
// ones.
func putSpoken(t *testing.T, dir, name, from string) {
	for _, kind := range []string{".wav", ".opus"} {
		b, err := os.ReadFile("audio/recording/1/en/" + from + kind)
		require.NoError(t, err)
		put(t, dir, name+kind, string(b))
	}
	put(t, dir, name+".txt", "What it says.")
}

func TestAnOperatorMaySupplyOpusBesideTheWAV(t *testing.T) {
	dir := t.TempDir()
	putSpoken(t, dir, "survey/1/en/ask", "agreed")
	n, err := open(t, dir).Notice("survey", "en")
	require.NoError(t, err)
	assert.True(t, n.InOpus())
	p := n.Prompt(prompts.Ask)
	assert.Len(t, p.OpusSHA256, 64)
	assert.NotEqual(t, p.AudioSHA256, p.OpusSHA256)
	assert.Len(t, p.Opus, len(p.PCMU)/160+1)

	putPrompt(t, dir, "plain/1/en/ask", "What it says.")
	n, err = open(t, dir).Notice("plain", "en")
	require.NoError(t, err)
	assert.False(t, n.InOpus())
	assert.Len(t, n.Prompt(prompts.Ask).G722(), len(n.Prompt(prompts.Ask).PCMU), "G.722 there is always")
}

func TestAnOpusFormThatIsNotThePromptIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		breakIt func(t *testing.T, dir string)
		want    string
	}{
		"no Opus":          {func(t *testing.T, d string) { put(t, d, "survey/1/en/ask.opus", "OggS?") }, "ask.opus: ogg opus: page 0"},
		"another length":   {func(t *testing.T, d string) { putPrompt(t, d, "survey/1/en/ask", "x") }, "they are to be one recording"},
		"one without":      {func(t *testing.T, d string) { putPrompt(t, d, "survey/1/en/agreed", "x") }, "agreed.opus: missing: other prompts of this notice have"},
		"only this form":   {func(t *testing.T, d string) { remove(t, d, "survey/1/en/ask.wav"); remove(t, d, "survey/1/en/ask.txt") }, "missing: there is only its Opus form"},
		"a prompt of ours": {func(t *testing.T, d string) { put(t, d, "survey/1/en/hello.opus", "x") }, `unknown prompt "hello"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			putSpoken(t, dir, "survey/1/en/ask", "agreed")
			c.breakIt(t, dir)
			_, err := prompts.Open(dir)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestTheOpusFormIsSealedAsWell(t *testing.T) {
	dir, seal := t.TempDir(), filepath.Join(t.TempDir(), "notices.json")
	putSpoken(t, dir, "survey/1/en/ask", "agreed")
	later, err := os.ReadFile(filepath.Join(dir, "survey/1/en/ask.opus"))
	require.NoError(t, err)
	remove(t, dir, "survey/1/en/ask.opus")
	require.NoError(t, open(t, dir).Seal(seal))
	assert.NotContains(t, content(t, seal), "opus_sha256")

	put(t, dir, "survey/1/en/ask.opus", string(later))
	require.NoError(t, open(t, dir).Seal(seal), "nobody has heard it yet")
	assert.Contains(t, content(t, seal), "opus_sha256")

	other, err := os.ReadFile("audio/recording/1/nl/refused.opus")
	require.NoError(t, err)
	put(t, dir, "survey/1/en/ask.opus", string(other))
	if library, err := prompts.Open(dir); err == nil {
		require.ErrorContains(t, library.Seal(seal), "its Opus form is another")
	} else {
		require.ErrorContains(t, err, "one recording")
	}
	remove(t, dir, "survey/1/en/ask.opus")
	require.NoError(t, open(t, dir).Seal(seal), "a form less is no other notice")
}
