package prompts

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed audio
var builtIn embed.FS

// Open loads and checks every notice: the built-in ones if dir is empty, else
// <dir>/<notice>/<version>/<language>/<prompt>.wav with <prompt>.txt beside it.
//
// Versions are positive whole numbers. Audio is 16-bit PCM, mono, at 8 or 16
// kHz, at most MaxDuration long, neither clipped nor silent; 16 kHz is brought
// down to 8. <prompt>.opus is the same recording in Ogg Opus: mono, packets of 20
// ms; all prompts of a notice have it or none. Texts are UTF-8. Names that begin with a dot are left alone;
// symbolic links may lead anywhere inside dir and nowhere else.
//
// The error joins every problem found, one error for each, and each names the
// file: errors.Join's Unwrap() []error takes them apart. With any problem there
// is no Library.
func Open(dir string) (*Library, error) {
	if dir == "" {
		audio, err := fs.Sub(builtIn, "audio")
		if err != nil {
			return nil, fmt.Errorf("prompts: %w", err)
		}
		return open(audio, "built-in")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("prompts: %w", err)
	}
	defer root.Close()
	return open(root.FS(), dir)
}

// open loads the notices of a file system; problems call it name.
func open(files fs.FS, name string) (*Library, error) {
	w := walk{files: files, name: name}
	w.notices()
	if len(w.problems) > 0 {
		return nil, errors.Join(w.problems...)
	}
	return newLibrary(w.found), nil
}

// walk goes through a directory of notices and collects what it finds.
type walk struct {
	files    fs.FS
	name     string
	found    []*Notice
	problems []error
}

// problem notes what is wrong with a file, whose path is as in fs.FS.
func (w *walk) problem(path, format string, args ...any) {
	where := filepath.Join(w.name, filepath.FromSlash(path))
	w.problems = append(w.problems, fmt.Errorf("prompts: %s: %w", where, fmt.Errorf(format, args...)))
}
