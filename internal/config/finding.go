package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether the gateway can start with a finding.
type Severity int

const (
	// Error keeps the gateway from starting.
	Error Severity = iota
	// Warning is likely a mistake or a risk, and is allowed.
	Warning
)

// String is "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Finding is one thing that is wrong with a configuration. It never holds a
// secret: of a value that came from the environment or from another file it
// says what is wrong, not what it is.
type Finding struct {
	File string
	// Line and Column count from 1, Column in characters. Both are 0 if Variable
	// is set, or if the file could not be read at all.
	Line, Column int
	// Variable is the environment variable the value came from.
	Variable string
	Severity Severity
	Path     string // listen.trunk.sip[0]; empty for the file as a whole
	Text     string
}

// String is one line: "consentgw.yaml:12:5: error: listen.trunk.media: ...".
func (f Finding) String() string {
	var b strings.Builder
	switch {
	case f.Variable != "":
		b.WriteString(f.Variable)
	case f.Line == 0:
		b.WriteString(f.File)
	default:
		fmt.Fprintf(&b, "%s:%d:%d", f.File, f.Line, f.Column)
	}
	b.WriteString(": ")
	b.WriteString(f.Severity.String())
	b.WriteString(": ")
	if f.Path != "" {
		b.WriteString(f.Path)
		b.WriteString(": ")
	}
	b.WriteString(f.Text)
	return b.String()
}

// Findings are sorted: first the lines of the file, then the variables.
type Findings []Finding

// Err is nil if no finding is an error. Otherwise its text has every error, one
// a line; warnings are left out.
func (fs Findings) Err() error {
	var lines []string
	for _, f := range fs {
		if f.Severity == Error {
			lines = append(lines, f.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return &invalid{lines}
}

// invalid is the error of a configuration that cannot be used.
type invalid struct{ lines []string }

func (e *invalid) Error() string { return strings.Join(e.lines, "\n") }

func (fs Findings) sort() {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(
			strings.Compare(a.Variable, b.Variable),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
		)
	})
}
