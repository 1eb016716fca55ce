package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Secrets are short; a larger file is the wrong file.
const maxSecret = 64 << 10

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	groupName    = regexp.MustCompile(`^[0-9]+$`)
)

// expand puts in what ${env:NAME}, ${env:NAME:-default} and ${file:PATH} name,
// in every value of the file. $${ stands for ${. What is put in is not expanded
// again, and what comes from a CONSENTGW_ variable is taken as it is. Where a
// value may name groups of a match, ${1} stands for itself.
func (r *reader) expand(n *node) {
	if n.kind == broken {
		return
	}
	for _, e := range n.entries {
		r.expand(e.value)
	}
	for _, item := range n.items {
		r.expand(item)
	}
	if n.kind != scalar || n.at.variable != "" || !strings.Contains(n.text, "${") {
		return
	}
	text, expanded, err := r.substitute(n.text, n.groups)
	if err != nil {
		r.fail(n, "%v", err)
		n.kind = broken
		return
	}
	n.text, n.expanded = text, expanded
}

// substitute also reports whether anything was put in.
func (r *reader) substitute(s string, groups bool) (string, bool, error) {
	var b strings.Builder
	expanded := false
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), expanded, nil
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1])
			b.WriteString("${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		inside, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed {
			return "", false, errors.New("${ is not closed by }; write $${ for the characters themselves")
		}
		s = rest
		if groups && groupName.MatchString(inside) {
			b.WriteString("${" + inside + "}")
			continue
		}
		value, err := r.value(inside)
		if err != nil {
			return "", false, err
		}
		b.WriteString(value)
		expanded = true
	}
}

// value is what stands for the inside of one ${...}.
func (r *reader) value(inside string) (string, error) {
	if path, ok := strings.CutPrefix(inside, "file:"); ok {
		return secretFile(path)
	}
	name, ok := strings.CutPrefix(inside, "env:")
	if !ok {
		return "", errors.New("${ must be followed by env: or file:; write $${ for the characters themselves")
	}
	name, fallback, optional := strings.Cut(name, ":-")
	if !variableName.MatchString(name) {
		return "", errors.New("${env:} must name a variable of letters, digits and underscores")
	}
	r.asked[name] = true
	value, set := r.lookup(name)
	switch {
	case optional && value == "":
		return fallback, nil
	case !set:
		return "", fmt.Errorf("the environment variable %s is not set; ${env:%s:-...} gives a default", name, name)
	}
	return value, nil
}

// secretFile reads a file without its trailing line break. Only regular files:
// a device or a pipe would not end.
func secretFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is not a regular file")
	}
	if err != nil {
		return "", fmt.Errorf("${file:%s}: %w", path, cause(err))
	}
	b, err := readAtMost(path, maxSecret)
	if err != nil {
		return "", fmt.Errorf("${file:%s}: %w", path, err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}
