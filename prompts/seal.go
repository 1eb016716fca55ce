package prompts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// sealFile is the file that Seal keeps.
type sealFile struct {
	Format  int      `json:"format"` // 1
	Notices []sealed `json:"notices"`
}

// sealed is a notice that was in force once.
type sealed struct {
	Notice   string                  `json:"notice"`
	Version  string                  `json:"version"`
	Language string                  `json:"language"`
	Prompts  map[string]sealedPrompt `json:"prompts"` // by name
}

type sealedPrompt struct {
	AudioSHA256 string `json:"audio_sha256"`
	TextSHA256  string `json:"text_sha256"`
	OpusSHA256  string `json:"opus_sha256,omitempty"`
}

const (
	sealFormat = 1
	maxSeal    = 64 << 20
)

// Seal holds the library against every notice that was in force at an earlier
// Seal with this path: a version that was used keeps its prompts, their audio
// and their texts. What differs is an error that names notice, version,
// language and prompt, and nothing is written. Otherwise the notices in force
// are added to the file. A new language of a known version is no change.
//
// The file is JSON and is created, with its directory, if missing. It is
// replaced as a whole and synced: a crash leaves the old or the new one. A file
// that cannot be read or understood is an error and stays as it is. One
// process at a time may seal a path.
func (l *Library) Seal(path string) error {
	before, err := readSeal(path)
	if err != nil {
		return fmt.Errorf("prompts: seal %s: %w", path, err)
	}
	var changes []error
	for _, n := range l.all {
		if i := before.find(n); i >= 0 {
			changes = append(changes, before.Notices[i].changes(n)...)
		}
	}
	if len(changes) > 0 {
		return errors.Join(changes...)
	}
	added := false
	for _, n := range l.Notices() {
		if i := before.find(n); i < 0 {
			before.Notices = append(before.Notices, seal(n))
			added = true
		} else if before.Notices[i].addOpus(n) {
			added = true
		}
	}
	if !added {
		return nil
	}
	if err := writeSeal(path, before); err != nil {
		return fmt.Errorf("prompts: seal %s: %w", path, err)
	}
	return nil
}

func seal(n *Notice) sealed {
	s := sealed{Notice: n.ID, Version: n.Version, Language: n.Language, Prompts: make(map[string]sealedPrompt)}
	for name, p := range n.prompts {
		s.Prompts[name] = sealedPrompt{AudioSHA256: p.AudioSHA256, TextSHA256: p.TextSHA256, OpusSHA256: p.OpusSHA256}
	}
	return s
}

// find returns where the notice stands, -1 if it was never in force.
func (f *sealFile) find(n *Notice) int {
	return slices.IndexFunc(f.Notices, func(s sealed) bool {
		return s.Notice == n.ID && s.Version == n.Version && s.Language == n.Language
	})
}

// addOpus takes the Opus form of prompts that had none when they were sealed, and
// reports whether there was any: nobody can have heard it before.
func (s sealed) addOpus(n *Notice) (added bool) {
	for name, p := range s.Prompts {
		if now := n.Prompt(name); p.OpusSHA256 == "" && now.OpusSHA256 != "" {
			p.OpusSHA256 = now.OpusSHA256
			s.Prompts[name] = p
			added = true
		}
	}
	return added
}

// changes returns an error for every prompt that is not what it was.
func (s sealed) changes(n *Notice) []error {
	now := seal(n).Prompts
	either := maps.Clone(now)
	maps.Copy(either, s.Prompts)
	var found []error
	for _, name := range slices.Sorted(maps.Keys(either)) {
		was, had := s.Prompts[name]
		is, has := now[name]
		var what string
		switch {
		case !has:
			what = "it is gone"
		case !had:
			what = "it was not there"
		case was.AudioSHA256 != is.AudioSHA256:
			what = fmt.Sprintf("its audio is another: SHA-256 %s, was %s", is.AudioSHA256, was.AudioSHA256)
		case was.TextSHA256 != is.TextSHA256:
			what = fmt.Sprintf("its text is another: SHA-256 %s, was %s", is.TextSHA256, was.TextSHA256)
		case was.OpusSHA256 != "" && is.OpusSHA256 != "" && was.OpusSHA256 != is.OpusSHA256:
			what = fmt.Sprintf("its Opus form is another: SHA-256 %s, was %s", is.OpusSHA256, was.OpusSHA256)
		default:
			continue
		}
		found = append(found, fmt.Errorf(
			"prompts: notice %q, version %s, language %s, prompt %s: %s; a version that has been used never changes, give the new one a higher number",
			n.ID, n.Version, n.Language, name, what))
	}
	return found
}

// readSeal returns an empty file if there is none.
func readSeal(path string) (*sealFile, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &sealFile{Format: sealFormat}, nil
	}
	if err != nil {
		return nil, reason(err)
	}
	if info.Size() > maxSeal {
		return nil, fmt.Errorf("larger than %d bytes", maxSeal)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, reason(err)
	}
	var f sealFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("not understood, and not replaced because it is evidence: %w", err)
	}
	if f.Format != sealFormat {
		return nil, fmt.Errorf("format %d, want %d", f.Format, sealFormat)
	}
	return &f, nil
}

// writeSeal replaces the file. The new one is synced before it takes the name
// and the directory after it: a crash in between leaves the old file.
func writeSeal(path string, f *sealFile) error {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once it has its name, and may
	_, err = tmp.Write(append(b, '\n'))
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
