package config_test

import (
	"testing"
	"time"

	"consentgw/internal/config"
	"consentgw/internal/route"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// parseRoutes reads routes of the shape trunk, to.
func parseRoutes(t require.TestingT, pairs ...[2]string) (*config.Config, []string) {
	text := "trunks: [{name: a, from: [127.0.0.1]}, {name: b, from: [127.0.0.2]}]\n" +
		"platforms: [{name: p, targets: [{uri: \"sip:127.0.0.1:5090\"}]}]\nroutes:\n"
	for i, p := range pairs {
		text += "- {name: r" + string(rune('A'+i)) + ", platform: p"
		if p[0] != "" {
			text += ", trunk: " + p[0]
		}
		if p[1] != "" {
			text += `, to: "` + p[1] + `"`
		}
		text += "}\n"
	}
	c, fs := config.Parse("c.yaml", []byte(text), nil, nil)
	require.NoError(t, fs.Err())
	var lines []string
	for _, f := range fs {
		lines = append(lines, f.String())
	}
	return c, lines
}

func TestARouteThatNoCallReachesIsAWarning(t *testing.T) {
	reached := func(line string) []string {
		return []string{"c.yaml:" + line + ": warning: routes[1]: is never reached: routes[0] before it takes all of its calls"}
	}
	for _, c := range []struct {
		name          string
		first, second [2]string
		want          []string
	}{
		{"everything before a number", [2]string{"", ""}, [2]string{"", "+31205550100"}, reached("5:3")},
		{"a star before a number", [2]string{"", "*"}, [2]string{"a", "+31205550100"}, reached("5:3")},
		{"everything before everything", [2]string{"", "*"}, [2]string{"", ""}, reached("5:3")},
		{"a prefix before a longer one", [2]string{"a", "+31*"}, [2]string{"a", "+3120*"}, reached("5:3")},
		{"the same number twice", [2]string{"a", "+31205550100"}, [2]string{"a", "+31205550100"}, reached("5:3")},
		{"a prefix before the number that it is", [2]string{"", "+31*"}, [2]string{"", "+31"}, reached("5:3")},
		{"a number before a prefix", [2]string{"", "+31205550100"}, [2]string{"", "+31205550100*"}, nil},
		{"a number before everything", [2]string{"", "+31205550100"}, [2]string{"", ""}, nil},
		{"a prefix before a shorter one", [2]string{"", "+3120*"}, [2]string{"", "+31*"}, nil},
		{"everything of another trunk", [2]string{"a", ""}, [2]string{"b", ""}, nil},
		{"everything of one trunk before all", [2]string{"a", ""}, [2]string{"", "+31*"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, got := parseRoutes(t, c.first, c.second)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestARouteThatACallReachesIsNoWarning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pair := rapid.Custom(func(t *rapid.T) [2]string {
			return [2]string{rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "trunk"), rapid.StringMatching(`|[12]{1,3}\*?|\*`).Draw(t, "to")}
		})
		c, warnings := parseRoutes(t, rapid.SliceOfN(pair, 1, 6).Draw(t, "routes")...)
		table, err := route.New(c)
		require.NoError(t, err)
		reached := map[string]bool{}
		for _, trunk := range []string{"a", "b"} {
			for _, called := range []string{"", "1", "2", "11", "12", "21", "22", "3", "13", "23",
				"111", "112", "121", "122", "211", "212", "221", "222", "113", "123", "213", "223",
				"1113", "1123", "1213", "1223", "2113", "2123", "2213", "2223"} {
				choice, _ := table.Match(trunk, "", called, time.Time{})
				reached[choice.Route.Name] = true
			}
		}
		for i, r := range c.Routes {
			path := "routes[" + string(rune('0'+i)) + "]: is never reached"
			for _, w := range warnings {
				if reached[r.Name] {
					assert.NotContains(t, w, path)
				}
			}
		}
	})
}
