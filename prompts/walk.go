package prompts

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	idForm       = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	versionForm  = regexp.MustCompile(`^[1-9][0-9]{0,8}$`)
	languageForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`)
)

// notices loads everything.
func (w *walk) notices() {
	for _, id := range w.folders(".", idForm, "the id of a notice: lower-case letters, digits, - and _") {
		w.versions(id)
	}
	if len(w.found) == 0 && len(w.problems) == 0 {
		w.problem(".", "there is no notice in it")
	}
}

func (w *walk) versions(id string) {
	for _, version := range w.folders(id, versionForm, "a version: 1, 2, 3 and so on") {
		number, err := strconv.Atoi(version)
		if err != nil {
			w.problem(path.Join(id, version), "version: %w", err)
			continue
		}
		dir := path.Join(id, version)
		for _, language := range w.folders(dir, languageForm, "a language tag such as nl or fr-BE") {
			n := &Notice{ID: id, Version: version, Language: language, number: number}
			n.prompts = w.prompts(path.Join(dir, language))
			w.found = append(w.found, n)
		}
	}
}

// folders returns the names in dir. All must be directories and have the form;
// those that do not are problems.
func (w *walk) folders(dir string, form *regexp.Regexp, meaning string) []string {
	var names []string
	before := len(w.problems)
	for _, e := range w.entries(dir) {
		at := path.Join(dir, e)
		info, err := fs.Stat(w.files, at)
		switch {
		case err != nil:
			w.problem(at, "%w", reason(err))
		case !info.IsDir():
			w.problem(at, "a file where only directories belong")
		case !form.MatchString(e):
			w.problem(at, "the name is not %s", meaning)
		default:
			names = append(names, e)
		}
	}
	if dir != "." && len(names) == 0 && len(w.problems) == before {
		w.problem(dir, "the directory is empty")
	}
	return names
}

// entries returns the names in dir that count, sorted.
func (w *walk) entries(dir string) []string {
	list, err := fs.ReadDir(w.files, dir)
	if err != nil {
		w.problem(dir, "%w", reason(err))
	}
	var names []string
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

// prompts loads one version in one language.
func (w *walk) prompts(dir string) map[string]*Prompt {
	before := len(w.problems)
	sounds, texts, opus := make(map[string]bool), make(map[string]bool), make(map[string]bool)
	for _, file := range w.entries(dir) {
		name, kind := strings.TrimSuffix(file, path.Ext(file)), path.Ext(file)
		switch {
		case kind != ".wav" && kind != ".txt" && kind != ".opus":
			w.problem(path.Join(dir, file), "neither a .wav, an .opus nor a .txt file")
		case !known(name):
			w.problem(path.Join(dir, file), "unknown prompt %q; the prompts are %s, and for several purposes %s, %s, %s and %s",
				name, strings.Join(Names(), ", "), About, Chosen, AskFor("<purpose>"), NameOf("<purpose>"))
		case kind == ".wav":
			sounds[name] = true
		case kind == ".opus":
			opus[name] = true
		default:
			texts[name] = true
		}
	}
	loaded := make(map[string]*Prompt)
	for _, name := range prompted(sounds, texts, opus) {
		at := path.Join(dir, name)
		switch {
		case sounds[name] && texts[name]:
			loaded[name] = w.prompt(name, at)
		case sounds[name]:
			w.problem(at+".txt", "missing: every prompt has its text beside it")
		case texts[name]:
			w.problem(at+".wav", "missing: there is only its text")
		case opus[name]:
			w.problem(at+".wav", "missing: there is only its Opus form")
		case name == Ask && len(w.problems) == before:
			w.problem(at+".wav", "missing: every notice has to ask")
		}
	}
	for name, p := range loaded {
		switch at := path.Join(dir, name); {
		case opus[name]:
			w.opus(p, at+".opus")
		case len(opus) > 0:
			w.problem(at+".opus", "missing: other prompts of this notice have their Opus form, so a call in Opus would need it")
		}
	}
	return loaded
}

// prompted lists whatever there is a file of, and Ask, which has to be there.
func prompted(files ...map[string]bool) []string {
	all := map[string]bool{Ask: true}
	for _, some := range files {
		maps.Copy(all, some)
	}
	return ordered(slices.Collect(maps.Keys(all)))
}

// reason strips the path that a problem already names.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
