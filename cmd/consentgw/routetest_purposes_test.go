package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRouteTestSaysHowPurposesAreAskedFor(t *testing.T) {
	for ask, want := range map[string]string{
		"together": "",
		"choose":   "Asked for:      quality, training; all at once, or each by itself if the asked party chooses so\n",
		"each":     "Asked for:      quality, training; each by itself\n",
	} {
		t.Run(ask, func(t *testing.T) {
			file := routed(t)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			asked := strings.Replace(string(text), "purposes: [quality]", "purposes: [quality, training]\n    ask: "+ask, 1)
			require.NoError(t, os.WriteFile(file, []byte(asked), 0o600))
			r := consentgw(t, "route-test", "-c", file, "--trunk", "carrier-a", "--to", "+31205550122", "--at", monday)
			require.Equal(t, exitOK, r.code, r.stderr)
			_, last, _ := strings.Cut(r.stdout, "Called number:  0205550122\n")
			assert.Equal(t, want, last)
		})
	}
}
