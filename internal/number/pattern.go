// Package number selects, rewrites and normalises telephone numbers as they
// stand in the user part of a SIP URI (RFC 3261 section 19.1.1).
//
// What a configuration says is compiled once, with errors that begin with
// "must"; what is compiled takes any text from the network and never fails.
package number

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Pattern selects numbers, by one of four forms:
//
//	+31205550100        this number, character for character
//	+3120*              the numbers that begin so
//	/\+3120[0-4]\d*/    the numbers that this RE2 expression matches whole
//	* or nothing        every number
type Pattern string

// Matcher is a compiled pattern. It does not change.
type Matcher struct {
	form   form
	text   string         // the number, the prefix, or the expression with its slashes
	expr   *regexp.Regexp // anchored at both ends; of an expression
	groups int            // what ${1} and up may name in a replacement
}

type form int

const (
	exact form = iota
	prefix
	expression
)

// An expression longer than this is a list of numbers in disguise.
const maxExpression = 256

var (
	plainForm = regexp.MustCompile(`^(\*|[A-Za-z0-9+#._~!$&'()=-]{1,63}\*?)$`)

	errPattern = errors.New("must be a number as it comes in the URI, without spaces, " +
		"or the beginning of one and a * at the end, or a regular expression between slashes")
	errLong = errors.New("must be a regular expression of at most 256 characters between the slashes")
)

// Compile reports what is wrong with p by an error that does not repeat it: a
// pattern may be somebody's number.
func (p Pattern) Compile() (*Matcher, error) {
	text := string(p)
	if inside, ok := strings.CutPrefix(text, "/"); ok {
		return compileExpression(inside)
	}
	if text == "" {
		text = "*"
	}
	if !plainForm.MatchString(text) {
		return nil, errPattern
	}
	if begin, ok := strings.CutSuffix(text, "*"); ok {
		return &Matcher{form: prefix, text: begin, groups: 1}, nil
	}
	return &Matcher{form: exact, text: text}, nil
}

// compileExpression takes what follows the first slash. The expression is
// compiled alone first: "a)|(b" must not escape from its anchors.
func compileExpression(inside string) (*Matcher, error) {
	source, closed := strings.CutSuffix(inside, "/")
	switch {
	case !closed || source == "":
		return nil, errPattern
	case len(source) > maxExpression:
		return nil, errLong
	}
	if _, err := regexp.Compile(source); err != nil {
		return nil, expressionError(err)
	}
	expr, err := regexp.Compile(`\A(?:` + source + `)\z`)
	if err != nil {
		return nil, expressionError(err)
	}
	return &Matcher{form: expression, text: "/" + source + "/", expr: expr, groups: expr.NumSubexp()}, nil
}

// expressionError leaves out the expression, which the error of package regexp
// quotes.
func expressionError(err error) error {
	what := "not understood"
	if s, ok := errors.AsType[*syntax.Error](err); ok {
		what = string(s.Code)
	}
	return errors.New("must be a regular expression of RE2 between the slashes: " + what)
}

// Match reports whether the pattern selects a number.
func (m *Matcher) Match(number string) bool {
	switch m.form {
	case prefix:
		return strings.HasPrefix(number, m.text)
	case expression:
		return m.expr.MatchString(number)
	}
	return number == m.text
}

// All reports whether the pattern selects every number by its form.
func (m *Matcher) All() bool { return m.form == prefix && m.text == "" }

// Explain is the end of a sentence about a number: "begins with +3120", "does
// not begin with +3120". It holds the pattern, never the number.
func (m *Matcher) Explain(number string) string {
	matches := m.Match(number)
	says := func(yes, no string) string {
		if matches {
			return yes + " " + m.text
		}
		return no + " " + m.text
	}
	switch {
	case m.All():
		return "may be any"
	case m.form == prefix:
		return says("begins with", "does not begin with")
	case m.form == expression:
		return says("matches", "does not match")
	}
	return says("is", "is not")
}

// submatches are what ${0}, ${1} and up stand for; nil if the pattern does not
// select the number.
func (m *Matcher) submatches(number string) []string {
	switch {
	case m.form == expression:
		return m.expr.FindStringSubmatch(number)
	case !m.Match(number):
		return nil
	case m.form == prefix:
		return []string{number, number[len(m.text):]}
	}
	return []string{number}
}
