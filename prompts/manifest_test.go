package prompts

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	update    = flag.Bool("update", false, "write manifest.json instead of comparing")
	generator = flag.String("generator", "", "with -update: the tools and their versions")
	voices    = flag.String("voices", "", "with -update: language=voice, separated by commas")
)

// manifest is what prompts/manifest.json says about the built-in notices, for
// those who read it without this program.
type manifest struct {
	Generator string           `json:"generator"` // the tools that spoke the texts
	Command   string           `json:"command"`   // how to build it again
	Notices   []manifestNotice `json:"notices"`
}

type manifestNotice struct {
	ID       string           `json:"id"`
	Version  string           `json:"version"`
	Language string           `json:"language"`
	Voice    string           `json:"voice"` // name and options of the voice
	Prompts  []manifestPrompt `json:"prompts"`
}

type manifestPrompt struct {
	Name         string `json:"name"`
	File         string `json:"file"` // below prompts/audio
	Text         string `json:"text"`
	AudioSHA256  string `json:"audio_sha256"`
	OpusSHA256   string `json:"opus_sha256"` // of the .opus file beside it
	TextSHA256   string `json:"text_sha256"`
	Milliseconds int64  `json:"milliseconds"`
}

func TestTheManifestDescribesWhatIsBuiltIn(t *testing.T) {
	library, err := Open("")
	require.NoError(t, err)

	var written manifest
	stored, err := os.ReadFile("manifest.json")
	if !os.IsNotExist(err) || !*update {
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(stored, &written))
	}
	want := describe(library, written)
	if *update {
		if *generator != "" {
			want.Generator = *generator
		}
		require.NoError(t, os.WriteFile("manifest.json", encode(t, want), 0o644))
		return
	}
	assert.NotEmpty(t, want.Generator)
	for _, n := range want.Notices {
		assert.NotEmptyf(t, n.Voice, "voice of %s %s %s", n.ID, n.Version, n.Language)
	}
	assert.Equal(t, string(encode(t, want)), string(stored), "prompts/build.sh writes it anew")
}

// describe takes everything from the library but what only the builder knows.
func describe(l *Library, before manifest) manifest {
	m := manifest{Generator: before.Generator, Command: "prompts/build.sh"}
	for _, n := range l.all {
		described := manifestNotice{ID: n.ID, Version: n.Version, Language: n.Language}
		for _, p := range n.Prompts() {
			described.Prompts = append(described.Prompts, manifestPrompt{
				Name: p.Name, File: path.Join(n.ID, n.Version, n.Language, p.Name+".wav"), Text: p.Text,
				AudioSHA256: p.AudioSHA256, OpusSHA256: p.OpusSHA256, TextSHA256: p.TextSHA256, Milliseconds: p.Duration.Milliseconds(),
			})
		}
		described.Voice = voiceOf(described, before)
		m.Notices = append(m.Notices, described)
	}
	return m
}

// voiceOf returns the voice that spoke a notice: the one noted before as long
// as the prompts are the same, so that a new voice does not claim old versions.
func voiceOf(n manifestNotice, before manifest) string {
	voice := ""
	for pair := range strings.SplitSeq(*voices, ",") {
		if language, v, ok := strings.Cut(pair, "="); ok && language == n.Language {
			voice = v
		}
	}
	for _, b := range before.Notices {
		same := b.ID == n.ID && b.Version == n.Version && b.Language == n.Language
		if same && (voice == "" || slices.Equal(b.Prompts, n.Prompts)) {
			return b.Voice
		}
	}
	return voice
}

func encode(t *testing.T, m manifest) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	require.NoError(t, e.Encode(m))
	return b.Bytes()
}
