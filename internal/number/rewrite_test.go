package number

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTheFirstRuleThatFitsRewritesANumber(t *testing.T) {
	rules, err := Compile([]Rule{
		{"112", "${0}"},
		{"00*", "+${1}"},
		{"0*", "+31${1}"},
		{`/(\d{3})(\d{4})/`, "+1202${1}${2}"},
		{`/9(?P<rest>\d+)?/`, "${1}"},
		{"desk*", "+31205550100"},
		{"*", "x${0}y${1}"},
	})
	require.NoError(t, err)
	for _, c := range []struct {
		name, number, want string
		rule               int
	}{
		{"one number stays itself", "112", "112", 0},
		{"an international prefix", "00442079460100", "+442079460100", 1},
		{"a national one", "0205550100", "+31205550100", 2},
		{"groups of an expression", "5550100", "+12025550100", 3},
		{"a prefix that is stripped", "9123", "123", 4},
		{"a group that matched nothing leaves nothing, and so no number", "9", "9", -1},
		{"a number that stands for all", "desk7", "+31205550100", 5},
		{"a rule for the rest", "+31205550100", "x+31205550100y+31205550100", 6},
		{"no number", "", "xy", 6},
		{"a result that is too long", strings.Repeat("a", 70), strings.Repeat("a", 70), -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, rule := rules.Rewrite(c.number)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.rule, rule)
		})
	}
}

func TestWithoutRulesNothingIsRewritten(t *testing.T) {
	got, rule := Rewriter{}.Rewrite("+31205550100")
	assert.Equal(t, "+31205550100", got)
	assert.Equal(t, -1, rule)
}

func TestARuleThatIsWrongIsNamed(t *testing.T) {
	form := "[1].replace: " + errReplace.Error()
	for _, c := range []struct {
		name string
		rule Rule
		want string
	}{
		{"a pattern", Rule{"a b", "x"}, "[1].match: " + errPattern.Error()},
		{"nothing", Rule{"*", ""}, form},
		{"a bare dollar", Rule{"*", "$1"}, form},
		{"a dollar at the end", Rule{"*", "1$"}, form},
		{"a group by name", Rule{"/(?P<a>1)/", "${a}"}, form},
		{"a group of three digits", Rule{"*", "${001}"}, form},
		{"a group without an end", Rule{"*", "${1"}, form},
		{"a space", Rule{"*", "1 2"}, form},
		{"a line break", Rule{"*", "1\r\n"}, form},
		{"an address", Rule{"*", "1@example.com"}, form},
		{"a long one", Rule{"*", strings.Repeat("1", 65)}, form},
		{"a group that the star has not", Rule{"0*", "${2}"}, "[1].replace: must name groups that match has: it has 1, and this names ${2}"},
		{"a group that a number has not", Rule{"112", "${1}"}, "[1].replace: must name groups that match has: it has 0, and this names ${1}"},
		{"a group that an expression has not", Rule{`/(1)(2)/`, "${2}${3}"}, "[1].replace: must name groups that match has: it has 2, and this names ${3}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compile([]Rule{{"*", "1"}, c.rule})
			assert.EqualError(t, err, c.want)
		})
	}
}

func TestStrippingAPrefixAndPuttingItBackChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		national := "0" + rapid.StringMatching(`[0-9]{1,12}`).Draw(t, "number")
		forth, err := Compile([]Rule{{"0*", "+31${1}"}})
		require.NoError(t, err)
		back, err := Compile([]Rule{{`/\+31(.*)/`, "0${1}"}})
		require.NoError(t, err)
		there, _ := forth.Rewrite(national)
		again, _ := back.Rewrite(there)
		assert.Equal(t, national, again)
	})
}

func FuzzRewrite(f *testing.F) {
	f.Add("00*", "+${1}", "00442079460100")
	f.Add(`/(\d{3})(\d{4})/`, "${2}${1}", "5550100")
	f.Add("*", "${0}${0}${0}", strings.Repeat("1", 50))
	f.Add("112", "$${0}", "112")
	f.Add("/(/", "${99}", "")
	f.Fuzz(func(t *testing.T, match, replace, number string) {
		r, err := Compile([]Rule{{Pattern(match), replace}})
		if err != nil {
			assert.Contains(t, err.Error(), ": must ")
			return
		}
		got, rule := r.Rewrite(number)
		if rule < 0 {
			assert.Equal(t, number, got)
			return
		}
		assert.NotEmpty(t, got)
		assert.LessOrEqual(t, len(got), maxResult)
		if !strings.Contains(replace, "${") {
			assert.Equal(t, replace, got)
		}
	})
}
