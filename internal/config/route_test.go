package config

import (
	"testing"

	"consentgw/internal/number"

	"github.com/stretchr/testify/assert"
)

func TestARouteMatchesItsNumberItsPrefixOrEverything(t *testing.T) {
	for _, c := range []struct {
		to, called string
		want       bool
	}{
		{"", "+31205550100", true}, {"", "", true},
		{"*", "+31205550100", true}, {"*", "", true},
		{"+3120*", "+31205550100", true}, {"+3120*", "+3120", true}, {"+3120*", "+312", false}, {"+3120*", "31205550100", false},
		{"+31205550100", "+31205550100", true}, {"+31205550100", "+312055501001", false}, {"+31205550100", "", false},
		{"agents", "agents", true}, {"agents", "Agents", false},
	} {
		assert.Equal(t, c.want, Route{To: number.Pattern(c.to)}.Matches(c.called), "%q called %q", c.to, c.called)
	}
}

func TestTheFirstRouteThatMatchesIsTaken(t *testing.T) {
	c := &Config{Routes: []Route{
		{Name: "one number of a", Trunk: "a", To: "+31205550100"},
		{Name: "amsterdam", To: "+3120*"},
		{Name: "rest of a", Trunk: "a"},
		{Name: "rest of b", Trunk: "b", To: "*"},
	}}
	for _, w := range []struct{ trunk, called, want string }{
		{"a", "+31205550100", "one number of a"},
		{"b", "+31205550100", "amsterdam"},
		{"c", "+31205550199", "amsterdam"},
		{"a", "+12025550100", "rest of a"},
		{"b", "+12025550100", "rest of b"},
		{"c", "+12025550100", ""},
		{"", "+12025550100", ""},
	} {
		r, ok := c.Route(w.trunk, w.called)
		assert.Equal(t, w.want, r.Name, "%s from %s", w.called, w.trunk)
		assert.Equal(t, w.want != "", ok)
	}
}
