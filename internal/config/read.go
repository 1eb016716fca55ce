package config

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// MaxSize is the largest file that is read, in bytes.
const MaxSize = 1 << 20

// A broken file can go wrong on every line; nobody reads more than this.
const maxFindings = 1000

// What a gateway without a file runs on: loopback only.
//
//go:embed default.yaml
var defaults []byte

const defaultsName = "built-in defaults"

// reader is one reading of one file.
type reader struct {
	file     string
	lookup   func(string) (string, bool)
	asked    map[string]bool // variables that ${env:} named
	findings Findings
}

// Load reads the file at path, puts in what ${env:} and ${file:} name, lets the
// CONSENTGW_* variables in environ ("NAME=value", as os.Environ gives them)
// replace single values, and validates. An empty path is no file: the defaults.
//
// All findings are collected, not only the first. The Config is never nil, and
// fit for use only if Findings.Err is nil.
func Load(path string, env func(string) (string, bool), environ []string) (*Config, Findings) {
	if path == "" {
		return Parse("", nil, env, environ)
	}
	b, err := readAtMost(path, MaxSize)
	if err != nil {
		return &Config{}, Findings{{File: path, Text: err.Error()}}
	}
	return Parse(path, b, env, environ)
}

// Parse is Load on the bytes of a file; name stands in the findings.
func Parse(name string, b []byte, lookup func(string) (string, bool), environ []string) (*Config, Findings) {
	return parse(name, b, lookup, environ, nil)
}

// parse is Parse, and Reload if old is not nil.
func parse(name string, b []byte, lookup func(string) (string, bool), environ []string, old *Config) (*Config, Findings) {
	r := newReader(name, lookup)
	root := r.document(b)
	if root == nil {
		return &Config{}, r.done()
	}
	keys := knownKeys()
	r.graft(root)
	gather(root, keys)
	r.overlay(root, keys, environ)
	r.structure(root, keys, "")
	r.expand(root)
	c := r.decode(root)
	r.relate(c, root)
	r.fixed(old, c, root)
	r.strayVariables(keys, environ)
	return c, r.done()
}

// Default is the configuration without a file: everything on loopback, the
// embedded store, one trunk, platform, recorder, policy and route, and every
// called number asked, in English, before it is recorded.
func Default() *Config {
	c, _ := Parse("", nil, nil, nil)
	return c
}

func newReader(name string, lookup func(string) (string, bool)) *reader {
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	return &reader{file: name, lookup: lookup, asked: map[string]bool{}}
}

// graft fills what the file leaves out whole: "listen", and the five lists that
// refer to each other, which stand or fall together.
func (r *reader) graft(root *node) {
	from := newReader(defaultsName, nil).document(defaults)
	together := []string{"trunks", "platforms", "recorders", "policies", "routes"}
	given := len(root.entries) > 0
	if !root.has("listen") {
		root.entries = append(root.entries, entry{"listen", root.at, from.get("listen")})
	}
	if slices.ContainsFunc(together, root.has) {
		return
	}
	for _, key := range together {
		root.entries = append(root.entries, entry{key, root.at, from.get(key)})
	}
	if given {
		r.warnAt(root.at, "routes", "the file has no trunks, platforms, recorders, policies and routes: "+
			"those of the loopback defaults are used")
	}
}

func (r *reader) done() Findings {
	r.findings.sort()
	return r.findings
}

func (r *reader) fail(n *node, format string, args ...any) {
	r.failAt(n.at, n.path, format, args...)
}

func (r *reader) warn(n *node, format string, args ...any) {
	r.warnAt(n.at, n.path, format, args...)
}

func (r *reader) failAt(at place, path, format string, args ...any) {
	r.add(at, path, Error, fmt.Sprintf(format, args...))
}

func (r *reader) warnAt(at place, path, format string, args ...any) {
	r.add(at, path, Warning, fmt.Sprintf(format, args...))
}

func (r *reader) add(at place, path string, s Severity, text string) {
	switch {
	case len(r.findings) > maxFindings:
		return
	case len(r.findings) == maxFindings:
		s, path = Error, ""
		text = fmt.Sprintf("there are more than %d findings: the rest is left out", maxFindings)
	}
	r.findings = append(r.findings, Finding{
		File: at.file, Line: at.line, Column: at.column, Variable: at.variable,
		Severity: s, Path: path, Text: text,
	})
}

// readAtMost reads a file of at most limit bytes. Its errors do not repeat the
// path.
func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("is larger than %d KiB", limit>>10)
	}
	return b, nil
}

func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
