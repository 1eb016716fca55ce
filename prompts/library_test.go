package prompts_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/g711"
	"consentgw/internal/wav"
	"consentgw/prompts"
)

// speech is something that is no silence, so many milliseconds of it.
func speech(rate, milliseconds int) []int16 {
	pcm := make([]int16, rate*milliseconds/1000)
	for i := range pcm {
		pcm[i] = int16(8000 * (1 - 2*(i/20%2)))
	}
	return pcm
}

// put writes a file below dir.
func put(t *testing.T, dir, name, content string) {
	at := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
	require.NoError(t, os.WriteFile(at, []byte(content), 0o644))
}

// putSound writes a WAV file below dir.
func putSound(t *testing.T, dir, name string, rate, channels int, pcm []int16) {
	at := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
	f, err := os.Create(at)
	require.NoError(t, err)
	require.NoError(t, wav.Write(f, rate, channels, pcm))
	require.NoError(t, f.Close())
}

// putPrompt writes a good prompt; name is without extension.
func putPrompt(t *testing.T, dir, name, text string) {
	putSound(t, dir, name+".wav", 8000, 1, speech(8000, 500))
	put(t, dir, name+".txt", text)
}

func open(t *testing.T, dir string) *prompts.Library {
	library, err := prompts.Open(dir)
	require.NoError(t, err)
	return library
}

func TestStudioRecordingsReplaceTheBuiltInOnes(t *testing.T) {
	dir := t.TempDir()
	putPrompt(t, dir, "recording/1/nl/ask", "Oude vraag.")
	putPrompt(t, dir, "recording/10/nl/ask", "Nieuwe vraag.\n")
	putPrompt(t, dir, "recording/9/nl/ask", "Vorige vraag.")
	putPrompt(t, dir, "recording/9/nl/more", "Meer.")
	putPrompt(t, dir, "recording/10/fr-BE/ask", "Nouvelle question.")
	putPrompt(t, dir, "survey/3/en/ask", "A question.")
	putPrompt(t, dir, "survey/3/en/agreed", "Thanks.")
	put(t, dir, ".git/config", "left alone")
	put(t, dir, "recording/.DS_Store", "left alone")
	library := open(t, dir)

	var inForce []string
	for _, n := range library.Notices() {
		inForce = append(inForce, n.ID+" "+n.Version+" "+n.Language)
	}
	assert.Equal(t, []string{"recording 10 fr-BE", "recording 10 nl", "survey 3 en"}, inForce, "10 is more than 9")

	n, err := library.Notice("recording", "nl")
	require.NoError(t, err)
	assert.Equal(t, "10", n.Version)
	ask := n.Prompt(prompts.Ask)
	assert.Equal(t, "Nieuwe vraag.\n", ask.Text, "as it is in the file")
	assert.Equal(t, 500*time.Millisecond, ask.Duration)
	assert.Len(t, ask.PCMU, 4000)
	assert.Equal(t, g711.EncodeMu(8000), ask.PCMU[0])
	assert.Equal(t, g711.EncodeA(8000), ask.PCMA[0])
	assert.Len(t, ask.AudioSHA256, 64)
	assert.Nil(t, n.Prompt(prompts.More), "the operator supplied none")
	assert.Nil(t, n.Prompt("nonsense"))
	assert.Equal(t, []*prompts.Prompt{ask}, n.Prompts())
}

func TestAWidebandPromptIsBroughtDownTo8kHz(t *testing.T) {
	dir := t.TempDir()
	putPrompt(t, dir, "recording/1/nl/ask", "Vraag?")
	putSound(t, dir, "recording/1/nl/ask.wav", 16000, 1, speech(16000, 750))
	n, err := open(t, dir).Notice("recording", "nl")
	require.NoError(t, err)
	assert.Equal(t, 750*time.Millisecond, n.Prompt(prompts.Ask).Duration)
	assert.Len(t, n.Prompt(prompts.Ask).PCMA, 6000)
}

func TestWhatIsNotThereIsSaidWithWhatIs(t *testing.T) {
	dir := t.TempDir()
	putPrompt(t, dir, "recording/1/de/ask", "Frage?")
	putPrompt(t, dir, "recording/2/nl/ask", "Vraag?")
	putPrompt(t, dir, "recording/2/en/ask", "Question?")
	putPrompt(t, dir, "survey/1/en/ask", "Question?")
	library := open(t, dir)

	_, err := library.Notice("recroding", "nl")
	require.ErrorIs(t, err, prompts.ErrNoNotice)
	assert.EqualError(t, err, `prompts: "recroding": no such notice; there is recording, survey`)

	_, err = library.Notice("recording", "de")
	require.ErrorIs(t, err, prompts.ErrNoLanguage, "an older version does not stand in for the one in force")
	assert.EqualError(t, err, `prompts: notice "recording", version 2, language "de": notice not available in this language; it has en, nl`)
}

func TestLinksMayLeadAnywhereInside(t *testing.T) {
	dir := t.TempDir()
	putPrompt(t, dir, "..data/nl/ask", "Vraag?")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "recording"), 0o755))
	require.NoError(t, os.Symlink("../..data", filepath.Join(dir, "recording", "1")))
	n, err := open(t, dir).Notice("recording", "nl")
	require.NoError(t, err)
	assert.Equal(t, "Vraag?", n.Prompt(prompts.Ask).Text)
}
