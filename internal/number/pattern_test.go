package number

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func compile(t require.TestingT, p Pattern) *Matcher {
	m, err := p.Compile()
	require.NoError(t, err, "%q", p)
	return m
}

func TestAPatternSelectsItsNumberItsPrefixItsExpressionOrEverything(t *testing.T) {
	for _, c := range []struct {
		pattern Pattern
		number  string
		want    bool
	}{
		{"", "+31205550100", true}, {"", "", true}, {"*", "", true}, {"*", "agents", true},
		{"+3120*", "+31205550100", true}, {"+3120*", "+3120", true}, {"+3120*", "+312", false}, {"+3120*", "31205550100", false},
		{"+31205550100", "+31205550100", true}, {"+31205550100", "+312055501001", false}, {"+31205550100", "", false},
		{"agents", "agents", true}, {"agents", "Agents", false}, {".1", "11", false}, {".*", ".5", true}, {".*", "5", false},
		{`/\+3120555010[0-4]/`, "+31205550104", true}, {`/\+3120555010[0-4]/`, "+31205550105", false},
		{`/\+3120555010[0-4]/`, "+312055501040", false}, {`/\+3120555010[0-4]/`, "0+31205550104", false},
		{`/1|2/`, "1", true}, {`/1|2/`, "12", false}, {`/1|2/`, "21", false},
		{`/(?m)^1$/`, "1", true}, {`/(?m)^1$/`, "1\n2", false}, {`/.*/`, "", true}, {`/.*/`, "1\n2", false}, {`/(?i)agents/`, "AGENTS", true},
		{`/\*21/`, "*21", true}, {`/a\/b/`, "a/b", true}, {`/1#x/`, "1#x", true},
	} {
		m := compile(t, c.pattern)
		assert.Equal(t, c.want, m.Match(c.number), "%q of %q", c.pattern, c.number)
		assert.Equal(t, c.want, m.submatches(c.number) != nil, "%q of %q", c.pattern, c.number)
	}
}

func TestAPatternThatIsNoneIsRefusedWithoutRepeatingIt(t *testing.T) {
	plain := errPattern.Error()
	for _, c := range []struct {
		name    string
		pattern Pattern
		want    string
	}{
		{"a space", "+31 20", plain}, {"a star in the middle", "+31*20", plain}, {"two stars", "+31**", plain}, {"a star in front", "*31", plain},
		{"a control character", "1\r2", plain}, {"a long number", Pattern(strings.Repeat("1", 64)), plain}, {"a letter of another script", "٣", plain},
		{"an expression without an end", "/1", plain}, {"a slash", "/", plain}, {"an empty expression", "//", plain}, {"an expression and more", "/1/*", plain},
		{"an expression that is not one", "/(/", "must be a regular expression of RE2 between the slashes: missing closing )"},
		{"one that escapes from its anchors", "/a)|(b/", "must be a regular expression of RE2 between the slashes: unexpected )"},
		{"one that RE2 has not", `/(a)\1/`, "must be a regular expression of RE2 between the slashes: invalid escape sequence"},
		{"one that grows", "/(((a{100}){100}){100})/", "must be a regular expression of RE2 between the slashes: invalid repeat count"},
		{"one that is not text", "/\xff/", "must be a regular expression of RE2 between the slashes: invalid UTF-8"},
		{"a long expression", Pattern("/" + strings.Repeat("1", 257) + "/"), errLong.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.pattern.Compile()
			assert.EqualError(t, err, c.want)
		})
	}
}

func TestAMatcherSaysInWordsWhatItFinds(t *testing.T) {
	for _, c := range []struct {
		pattern     Pattern
		number      string
		all         bool
		explanation string
	}{
		{"", "1", true, "may be any"}, {"*", "1", true, "may be any"},
		{"+3120*", "+31205550100", false, "begins with +3120"}, {"+3120*", "+12025550100", false, "does not begin with +3120"},
		{"+31205550100", "+31205550100", false, "is +31205550100"}, {"+31205550100", "", false, "is not +31205550100"},
		{`/\+31.*/`, "+31205550100", false, `matches /\+31.*/`}, {`/\+31.*/`, "+12025550100", false, `does not match /\+31.*/`},
	} {
		m := compile(t, c.pattern)
		assert.Equal(t, c.all, m.All(), "%q", c.pattern)
		assert.Equal(t, c.explanation, m.Explain(c.number), "%q of %q", c.pattern, c.number)
	}
}

func TestAPrefixSelectsWhatBeginsWithItAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := rapid.StringMatching(`[+0-9a-z]{1,6}`).Draw(t, "prefix")
		number := rapid.StringMatching(`[+0-9a-z]{0,8}`).Draw(t, "number")
		m := compile(t, Pattern(begin+"*"))
		assert.Equal(t, strings.HasPrefix(number, begin), m.Match(number))
		assert.True(t, m.Match(begin+number))
	})
}

func FuzzPattern(f *testing.F) {
	for _, p := range []string{"", "*", "+3120*", "+31205550100", `/\+3120555010[0-4]/`, "/a)|(b/", "/(?m)^1$/", "/(/", "/((((a{9}){9}){9}))/", "/", "//", `/\pN+/`, "/\xff/"} {
		f.Add(p, "+31205550100")
	}
	f.Fuzz(func(t *testing.T, pattern, number string) {
		m, err := Pattern(pattern).Compile()
		if err != nil {
			assert.True(t, strings.HasPrefix(err.Error(), "must "), err)
			return
		}
		matches := m.Match(number)
		groups := m.submatches(number)
		assert.Equal(t, matches, groups != nil)
		if groups != nil {
			assert.Equal(t, number, groups[0], "the whole number is matched, or nothing")
			assert.Equal(t, m.groups+1, len(groups))
		}
		assert.NotEmpty(t, m.Explain(number))
	})
}
