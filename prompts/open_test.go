package prompts_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/wav"
	"consentgw/prompts"
)

// one is where the good notice of these tests has its files.
const one = "recording/1/nl/"

func TestEachThingWrongIsNamedWithItsFile(t *testing.T) {
	clipped := append(speech(8000, 100), 32767, 32767, 32767, 32767)
	tests := map[string]struct {
		breakIt func(t *testing.T, dir string)
		file    string
		want    string
	}{
		"not RIFF":               {func(t *testing.T, d string) { put(t, d, one+"ask.wav", "ID3 an MP3 file") }, one + "ask.wav", "not a RIFF WAVE file"},
		"nothing at all":         {func(t *testing.T, d string) { put(t, d, one+"ask.wav", "") }, one + "ask.wav", "not a RIFF WAVE file: it ends after 0 bytes"},
		"cut short":              {func(t *testing.T, d string) { cut(t, d, one+"ask.wav") }, one + "ask.wav", `chunk "data": 100 bytes before its end: the file ends early`},
		"stereo":                 {func(t *testing.T, d string) { putSound(t, d, one+"ask.wav", 8000, 2, speech(8000, 100)) }, one + "ask.wav", "stereo, want mono"},
		"quadraphonic":           {func(t *testing.T, d string) { putSound(t, d, one+"ask.wav", 8000, 4, speech(8000, 100)) }, one + "ask.wav", "4 channels, want mono"},
		"CD rate":                {func(t *testing.T, d string) { putSound(t, d, one+"ask.wav", 44100, 1, speech(44100, 100)) }, one + "ask.wav", "44100 Hz, want 8000 or 16000"},
		"A-law":                  {func(t *testing.T, d string) { put(t, d, one+"ask.wav", alaw()) }, one + "ask.wav", "A-law, want 16-bit PCM"},
		"no audio":               {func(t *testing.T, d string) { putSound(t, d, one+"ask.wav", 8000, 1, nil) }, one + "ask.wav", "empty: no audio in it"},
		"silence":                {func(t *testing.T, d string) { putSound(t, d, one+"ask.wav", 8000, 1, make([]int16, 8000)) }, one + "ask.wav", "silent: its peak is 0"},
		"clipped":                {func(t *testing.T, d string) { putSound(t, d, one+"ask.wav", 8000, 1, clipped) }, one + "ask.wav", "clipped: 4 samples at full scale in a row, at sample 800"},
		"over two minutes":       {func(t *testing.T, d string) { putSound(t, d, one+"ask.wav", 8000, 1, speech(8000, 120_001)) }, one + "ask.wav", "2m0.001s long, at most 2m0s"},
		"a huge file":            {func(t *testing.T, d string) { put(t, d, one+"ask.wav", strings.Repeat("x", 9<<20)) }, one + "ask.wav", "larger than 8388608 bytes"},
		"no text":                {func(t *testing.T, d string) { remove(t, d, one+"ask.txt") }, one + "ask.txt", "missing: every prompt has its text beside it"},
		"no text for another":    {func(t *testing.T, d string) { putSound(t, d, one+"more.wav", 8000, 1, speech(8000, 100)) }, one + "more.txt", "missing: every prompt has its text"},
		"only a text":            {func(t *testing.T, d string) { put(t, d, one+"more.txt", "Meer.") }, one + "more.wav", "missing: there is only its text"},
		"an empty text":          {func(t *testing.T, d string) { put(t, d, one+"ask.txt", " \n") }, one + "ask.txt", "empty"},
		"a text in Latin-1":      {func(t *testing.T, d string) { put(t, d, one+"ask.txt", "toets \xe9\xe9n") }, one + "ask.txt", "not UTF-8"},
		"a text with controls":   {func(t *testing.T, d string) { put(t, d, one+"ask.txt", "toets\x001") }, one + "ask.txt", "control character U+0000"},
		"a huge text":            {func(t *testing.T, d string) { put(t, d, one+"ask.txt", strings.Repeat("x", 17<<10)) }, one + "ask.txt", "larger than 16384 bytes"},
		"no question":            {func(t *testing.T, d string) { putPrompt(t, d, "recording/1/en/more", "More.") }, "recording/1/en/ask.wav", "missing: every notice has to ask"},
		"an unknown prompt":      {func(t *testing.T, d string) { putPrompt(t, d, one+"welcome", "Welkom.") }, one + "welcome.wav", `unknown prompt "welcome"; the prompts are ask, agreed`},
		"another format":         {func(t *testing.T, d string) { put(t, d, one+"ask.mp3", "") }, one + "ask.mp3", "neither a .wav, an .opus nor a .txt file"},
		"capitals":               {func(t *testing.T, d string) { put(t, d, one+"MORE.WAV", "") }, one + "MORE.WAV", "neither a .wav, an .opus nor a .txt file"},
		"a directory as sound":   {func(t *testing.T, d string) { put(t, d, one+"more.wav/x", ""); put(t, d, one+"more.txt", "x") }, one + "more.wav", "not a file but a directory"},
		"version zero":           {func(t *testing.T, d string) { putPrompt(t, d, "recording/0/nl/ask", "x") }, "recording/0", "the name is not a version: 1, 2, 3 and so on"},
		"version 01":             {func(t *testing.T, d string) { putPrompt(t, d, "recording/01/nl/ask", "x") }, "recording/01", "not a version"},
		"version v2":             {func(t *testing.T, d string) { putPrompt(t, d, "recording/v2/nl/ask", "x") }, "recording/v2", "not a version"},
		"version beyond numbers": {func(t *testing.T, d string) { putPrompt(t, d, "recording/9999999999/nl/ask", "x") }, "recording/9999999999", "not a version"},
		"a language by name":     {func(t *testing.T, d string) { putPrompt(t, d, "recording/1/Nederlands/ask", "x") }, "recording/1/Nederlands", "not a language tag such as nl or fr-BE"},
		"a notice with a space":  {func(t *testing.T, d string) { putPrompt(t, d, "my notice/1/nl/ask", "x") }, "my notice", "not the id of a notice"},
		"no version":             {func(t *testing.T, d string) { mkdir(t, d, "survey") }, "survey", "the directory is empty"},
		"no language":            {func(t *testing.T, d string) { mkdir(t, d, "recording/2") }, "recording/2", "the directory is empty"},
		"no prompt":              {func(t *testing.T, d string) { mkdir(t, d, "recording/1/en") }, "recording/1/en/ask.wav", "missing: every notice has to ask"},
		"a file too high":        {func(t *testing.T, d string) { put(t, d, "recording/README", "") }, "recording/README", "a file where only directories belong"},
		"a link out":             {func(t *testing.T, d string) { link(t, d, one+"more.wav"); put(t, d, one+"more.txt", "x") }, one + "more.wav", "path escapes from parent"},
		"a directory link out":   {func(t *testing.T, d string) { link(t, d, "survey") }, "survey", "path escapes from parent"},
		"a link to nowhere":      {func(t *testing.T, d string) { require.NoError(t, os.Symlink("nowhere", filepath.Join(d, "survey"))) }, "survey", "no such file or directory"},
		"a named pipe":           {func(t *testing.T, d string) { pipe(t, d, one+"more.wav"); put(t, d, one+"more.txt", "x") }, one + "more.wav", "not a file but a special file"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			putPrompt(t, dir, one+"ask", "Vraag?")
			open(t, dir)
			tt.breakIt(t, dir)

			library, err := prompts.Open(dir)
			require.Error(t, err)
			assert.Nil(t, library)
			assert.Contains(t, err.Error(), "prompts: "+filepath.Join(dir, tt.file)+": ")
			assert.Contains(t, err.Error(), tt.want)
		})
	}
}

// cut takes the last hundred bytes off a file.
func cut(t *testing.T, dir, name string) {
	at := filepath.Join(dir, name)
	info, err := os.Stat(at)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(at, info.Size()-100))
}

func remove(t *testing.T, dir, name string) {
	require.NoError(t, os.Remove(filepath.Join(dir, name)))
}

func mkdir(t *testing.T, dir, name string) {
	require.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
}

// link makes name lead to a good file outside dir.
func link(t *testing.T, dir, name string) {
	outside := t.TempDir()
	putPrompt(t, outside, "1/nl/ask", "Vraag?")
	if strings.HasSuffix(name, ".wav") {
		outside = filepath.Join(outside, "1/nl/ask.wav")
	}
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, name)))
}

func pipe(t *testing.T, dir, name string) {
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, name), 0o600))
}

// alaw is a WAV file in A-law, made from one in PCM of two channels.
func alaw() string {
	var b bytes.Buffer
	if err := wav.Write(&b, 8000, 1, speech(8000, 100)); err != nil {
		panic(err)
	}
	file := b.Bytes()
	file[20], file[34] = 6, 8       // A-law of 8 bits
	file[28], file[29] = 0x40, 0x1F // 8000 bytes a second
	file[32] = 1                    // a byte a frame
	return string(file)
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	dir := t.TempDir()
	putPrompt(t, dir, one+"ask", "Vraag?")
	put(t, dir, one+"ask.wav", "MP3")
	put(t, dir, one+"ask.txt", "\xff")
	putPrompt(t, dir, one+"welcome", "Welkom.")
	putPrompt(t, dir, "recording/v2/nl/ask", "Vraag?")
	putSound(t, dir, "survey/1/en/ask.wav", 8000, 2, speech(8000, 100))

	_, err := prompts.Open(dir)
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "one error for each problem")
	var got []string
	for _, e := range joined.Unwrap() {
		text := strings.TrimPrefix(e.Error(), "prompts: "+dir+string(filepath.Separator))
		got = append(got, text[:strings.Index(text, ": ")])
	}
	assert.Equal(t, []string{
		"recording/v2",
		one + "welcome.txt", one + "welcome.wav",
		one + "ask.txt", one + "ask.wav",
		"survey/1/en/ask.txt",
	}, got)
}

func TestADirectoryWithoutNoticesIsNoLibrary(t *testing.T) {
	dir := t.TempDir()
	_, err := prompts.Open(dir)
	require.EqualError(t, err, "prompts: "+dir+": there is no notice in it")

	_, err = prompts.Open(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.Contains(t, err.Error(), filepath.Join(dir, "missing"))

	put(t, dir, "file", "")
	_, err = prompts.Open(filepath.Join(dir, "file"))
	require.ErrorContains(t, err, filepath.Join(dir, "file"))
}

func TestASingleFullPeakIsNotClipping(t *testing.T) {
	dir := t.TempDir()
	putPrompt(t, dir, one+"ask", "Vraag?")
	pcm := append(speech(8000, 100), 32767, -32768, 32767, 0, -32768)
	putSound(t, dir, one+"ask.wav", 8000, 1, pcm)
	open(t, dir)
}
