package number

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Rule rewrites the numbers that Match selects.
type Rule struct {
	Match Pattern
	// Replace is the new number. ${0} in it stands for the old one, ${1} and up
	// for the groups of an expression; in a pattern with a star, ${1} is what the
	// star stands for.
	Replace string
}

// Template is a compiled replacement for one matcher.
type Template struct{ parts []part }

// part is text, or the group of that index if it is not negative.
type part struct {
	text  string
	group int
}

const (
	maxReplace = 64
	// A number that grew longer than any user part is not used.
	maxResult = 128
)

var (
	replaceForm = regexp.MustCompile(`^(?:[A-Za-z0-9+#*._~!&'()=-]|\$\{[0-9]{1,2}\})*$`)
	groupForm   = regexp.MustCompile(`\$\{([0-9]{1,2})\}`)

	errReplace = errors.New("must be a number of at most 64 characters, in which ${1} stands for what the first group matched")
)

// Template compiles a replacement for what m selects.
func (m *Matcher) Template(replace string) (*Template, error) {
	if replace == "" || len(replace) > maxReplace || !replaceForm.MatchString(replace) {
		return nil, errReplace
	}
	t := &Template{}
	from := 0
	for _, at := range groupForm.FindAllStringSubmatchIndex(replace, -1) {
		group, err := strconv.Atoi(replace[at[2]:at[3]])
		if err != nil || group > m.groups {
			return nil, fmt.Errorf("must name groups that match has: it has %d, and this names ${%s}", m.groups, replace[at[2]:at[3]])
		}
		t.parts = append(t.parts, part{replace[from:at[0]], -1}, part{"", group})
		from = at[1]
	}
	t.parts = append(t.parts, part{replace[from:], -1})
	return t, nil
}

// Rewriter is the compiled rules of one number. The zero Rewriter changes
// nothing.
type Rewriter struct{ rules []compiled }

type compiled struct {
	match   *Matcher
	replace *Template
}

// Compile reports the first rule that is wrong, by its index.
func Compile(rules []Rule) (Rewriter, error) {
	var r Rewriter
	for i, rule := range rules {
		m, err := rule.Match.Compile()
		if err != nil {
			return Rewriter{}, fmt.Errorf("[%d].match: %w", i, err)
		}
		t, err := m.Template(rule.Replace)
		if err != nil {
			return Rewriter{}, fmt.Errorf("[%d].replace: %w", i, err)
		}
		r.rules = append(r.rules, compiled{m, t})
	}
	return r, nil
}

// Rewrite applies the first rule whose pattern selects the number; the others
// are not looked at. It returns the index of that rule, -1 if there is none. A
// result that is empty or longer than 128 bytes is none: the number stays.
func (r Rewriter) Rewrite(number string) (string, int) {
	for i, rule := range r.rules {
		groups := rule.match.submatches(number)
		if groups == nil {
			continue
		}
		if result := rule.replace.fill(groups); result != "" {
			return result, i
		}
		return number, -1
	}
	return number, -1
}

// fill is empty if the result would be too long.
func (t *Template) fill(groups []string) string {
	size := 0
	for _, p := range t.parts {
		size += len(p.text)
		if p.group >= 0 {
			size += len(groups[p.group])
		}
	}
	if size > maxResult {
		return ""
	}
	var b strings.Builder
	b.Grow(size)
	for _, p := range t.parts {
		b.WriteString(p.text)
		if p.group >= 0 {
			b.WriteString(groups[p.group])
		}
	}
	return b.String()
}
