package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRouteTestFindsTheRouteOfAnOutboundCall(t *testing.T) {
	file := example(t, "full.yaml")
	for _, name := range []string{"CARRIER_B_PASSWORD", "CENTER_PASSWORD"} {
		t.Setenv(name, "a")
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"by name": {[]string{"--platform", "contact-center", "--to", "+442079460123"}, 0,
			[]string{"route office-hours: it is for inbound calls", "The call takes route call-back to trunk carrier-b, by policy nl."}},
		"by address": {[]string{"--outbound", "--source", "192.0.2.20", "--to", "+442079460123"}, 0,
			[]string{"platform contact-center: the source is in 192.0.2.20/32", "to trunk carrier-b"}},
		"from a stranger":       {[]string{"--outbound", "--source", "192.0.2.99", "--to", "+442079460123"}, 1, []string{"403: unknown platform"}},
		"to a number of nobody": {[]string{"--platform", "contact-center", "--to", "0205550100"}, 1, []string{"404: no route"}},
		"by a name of nobody":   {[]string{"--platform", "other", "--to", "+442079460123"}, 2, nil},
		"by two names":          {[]string{"--platform", "contact-center", "--trunk", "carrier-a", "--to", "+442079460123"}, 2, nil},
		"outbound from a trunk": {[]string{"--outbound", "--trunk", "carrier-a", "--to", "+442079460123"}, 2, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := consentgw(t, append([]string{"route-test", "-c", file}, c.args...)...)
			require.Equal(t, c.code, r.code, r.stdout+r.stderr)
			for _, line := range c.want {
				require.Contains(t, r.stdout, line)
			}
		})
	}
}
