package prompts_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sealedLibrary is a directory of notices that was in use once, and its seal.
func sealedLibrary(t *testing.T) (dir, seal string) {
	dir, seal = t.TempDir(), filepath.Join(t.TempDir(), "data", "notices.json")
	putPrompt(t, dir, "recording/2/nl/ask", "Vraag?")
	putPrompt(t, dir, "recording/2/nl/agreed", "Dank u wel.")
	require.NoError(t, open(t, dir).Seal(seal))
	return dir, seal
}

func content(t *testing.T, path string) string {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestAVersionThatWasUsedNeverChanges(t *testing.T) {
	tests := map[string]struct {
		change func(t *testing.T, dir string)
		want   []string // nil: no error
	}{
		"nothing changed": {func(*testing.T, string) {}, nil},
		"another sound":   {func(t *testing.T, d string) { putSound(t, d, "recording/2/nl/ask.wav", 8000, 1, speech(8000, 501)) }, []string{"prompt ask: its audio is another"}},
		"another text":    {func(t *testing.T, d string) { put(t, d, "recording/2/nl/agreed.txt", "Bedankt.") }, []string{"prompt agreed: its text is another"}},
		"a line end more": {func(t *testing.T, d string) { put(t, d, "recording/2/nl/ask.txt", "Vraag?\n") }, []string{"prompt ask: its text is another"}},
		"a prompt more":   {func(t *testing.T, d string) { putPrompt(t, d, "recording/2/nl/more", "Meer.") }, []string{"prompt more: it was not there"}},
		"a prompt less": {func(t *testing.T, d string) {
			remove(t, d, "recording/2/nl/agreed.wav")
			remove(t, d, "recording/2/nl/agreed.txt")
		}, []string{"prompt agreed: it is gone"}},
		"two changes": {func(t *testing.T, d string) {
			putPrompt(t, d, "recording/2/nl/ask", "x")
			putPrompt(t, d, "recording/2/nl/more", "x")
		}, []string{"prompt ask: its text", "prompt more: it was not"}},
		"a change under a new one": {func(t *testing.T, d string) {
			putPrompt(t, d, "recording/3/nl/ask", "x")
			put(t, d, "recording/2/nl/ask.txt", "x")
		}, []string{"version 2, language nl, prompt ask: its text"}},
		"a new version":  {func(t *testing.T, d string) { putPrompt(t, d, "recording/3/nl/ask", "Nieuwe vraag?") }, nil},
		"a new language": {func(t *testing.T, d string) { putPrompt(t, d, "recording/2/en/ask", "Question?") }, nil},
		"a new notice":   {func(t *testing.T, d string) { putPrompt(t, d, "survey/1/nl/ask", "Vraag?") }, nil},
		"the old version taken away": {func(t *testing.T, d string) {
			putPrompt(t, d, "recording/3/nl/ask", "x")
			require.NoError(t, os.RemoveAll(filepath.Join(d, "recording/2")))
		}, nil},
		"a version that was not used": {func(t *testing.T, d string) { putPrompt(t, d, "recording/1/nl/ask", "Oude vraag?") }, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir, seal := sealedLibrary(t)
			before := content(t, seal)
			tt.change(t, dir)

			err := open(t, dir).Seal(seal)
			if tt.want == nil {
				require.NoError(t, err)
				require.NoError(t, open(t, dir).Seal(seal), "and again")
				return
			}
			joined, ok := err.(interface{ Unwrap() []error })
			require.True(t, ok)
			require.Len(t, joined.Unwrap(), len(tt.want))
			for i, e := range joined.Unwrap() {
				assert.ErrorContains(t, e, `prompts: notice "recording", version 2, language nl, prompt `)
				assert.ErrorContains(t, e, tt.want[i])
			}
			assert.Equal(t, before, content(t, seal), "nothing is written")
		})
	}
}

func TestOnlyWhatWasInForceIsSealed(t *testing.T) {
	dir, seal := sealedLibrary(t)
	putPrompt(t, dir, "recording/1/nl/ask", "Ontwerp.")
	require.NoError(t, open(t, dir).Seal(seal))
	put(t, dir, "recording/1/nl/ask.txt", "Ander ontwerp.")
	require.NoError(t, open(t, dir).Seal(seal), "version 1 was never played")

	putPrompt(t, dir, "recording/3/nl/ask", "Vraag?")
	require.NoError(t, open(t, dir).Seal(seal))
	put(t, dir, "recording/3/nl/ask.txt", "Vraag!")
	require.ErrorContains(t, open(t, dir).Seal(seal), "version 3")
}

func TestTheBuiltInNoticesKeepTheirSealAcrossDirectories(t *testing.T) {
	seal := filepath.Join(t.TempDir(), "notices.json")
	require.NoError(t, open(t, "").Seal(seal))
	require.NoError(t, open(t, "").Seal(seal))

	dir := t.TempDir()
	putPrompt(t, dir, "recording/1/nl/ask", "Eigen vraag?")
	require.ErrorContains(t, open(t, dir).Seal(seal), "give the new one a higher number")
	require.NoError(t, os.Rename(filepath.Join(dir, "recording/1"), filepath.Join(dir, "recording/2")))
	require.NoError(t, open(t, dir).Seal(seal))
}

func TestTheSealSaysWhichBytesWereUsed(t *testing.T) {
	dir, seal := sealedLibrary(t)
	var file struct {
		Format  int
		Notices []struct {
			Notice, Version, Language string
			Prompts                   map[string]map[string]string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(content(t, seal)), &file))
	assert.Equal(t, 1, file.Format)
	require.Len(t, file.Notices, 1)
	got := file.Notices[0]
	assert.Equal(t, []string{"recording", "2", "nl"}, []string{got.Notice, got.Version, got.Language})
	n, err := open(t, dir).Notice("recording", "nl")
	require.NoError(t, err)
	for _, p := range n.Prompts() {
		assert.Equal(t, map[string]string{"audio_sha256": p.AudioSHA256, "text_sha256": p.TextSHA256}, got.Prompts[p.Name])
	}
	left, err := os.ReadDir(filepath.Dir(seal))
	require.NoError(t, err)
	assert.Len(t, left, 1, "no temporary file stays behind")
}

func TestASealThatIsNotUnderstoodIsKept(t *testing.T) {
	tests := map[string]struct{ content, want string }{
		"empty":          {"", "unexpected end of JSON input"},
		"cut short":      {`{"format":1,"notices":[{"notice"`, "not understood, and not replaced because it is evidence"},
		"something else": {`[]`, "not understood"},
		"a later format": {`{"format":2}`, "format 2, want 1"},
		"no format":      {`{}`, "format 0, want 1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir, seal := sealedLibrary(t)
			require.NoError(t, os.WriteFile(seal, []byte(tt.content), 0o600))
			err := open(t, dir).Seal(seal)
			require.ErrorContains(t, err, "prompts: seal "+seal+": ")
			require.ErrorContains(t, err, tt.want)
			assert.Equal(t, tt.content, content(t, seal))
		})
	}
}

func TestASealThatCannotBeKeptIsAnError(t *testing.T) {
	dir, _ := sealedLibrary(t)
	library := open(t, dir)

	require.Error(t, library.Seal(dir), "a directory has the name")
	put(t, dir, "file", "")
	require.Error(t, library.Seal(filepath.Join(dir, "file", "notices.json")), "a file is where the directory should be")
}
