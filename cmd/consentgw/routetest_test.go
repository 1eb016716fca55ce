package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// routed is a configuration with a few routes.
func routed(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "routes.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
trunks:
  - {name: carrier-a, from: [198.51.100.0/24], country: NL, normalize: e164}
  - {name: carrier-b, from: [203.0.113.0/24]}
platforms: [{name: center, targets: [{uri: "sip:127.0.0.1:5090"}]}]
policies:
  - name: ask
    controller: {name: "Example B.V.", contact: "privacy@example.com", address: "Kade 1, Utrecht", country: NL}
    jurisdiction: NL
    basis: consent
    purposes: [quality]
    language: en
    retention: {record: P7Y, recording: P90D}
routes:
  - {name: vip, from: "+12025550100", to: "+31*", platform: center}
  - name: sales
    trunk: carrier-a
    to: "+3120*"
    when: {days: [mon..fri], hours: 09:00-17:30, zone: Europe/Amsterdam}
    rewrite: {to: [{match: "+31*", replace: "0${1}"}]}
    platform: center
    policy: ask
`), 0o600))
	return file
}

const monday = "2026-03-02T10:00:00+01:00"

func TestRouteTestSaysWhichRouteIsTakenAndWhy(t *testing.T) {
	file := routed(t)
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"a route with everything", []string{"--source", "198.51.100.7", "--from", "+31205550111", "--to", "0205550122", "--at", monday}, exitOK,
			`trunk carrier-a: the source is in 198.51.100.0/24
trunk carrier-a: the called number 0205550122 is +31205550122 in E.164
route vip: the calling number is not +12025550100
route sales matches: the trunk is carrier-a, the called number begins with +3120, it is mon 10:00, within mon..fri 09:00-17:30 Europe/Amsterdam
rewrite.to[0] makes the called number 0205550122

The call takes route sales to platform center, by policy ask.
Calling number: +31205550111
Called number:  0205550122
`},
		{"a plain relay", []string{"--trunk", "carrier-b", "--from", "+12025550100", "--to", "+31205550122"}, exitOK,
			`route vip matches: the called number begins with +31, the calling number is +12025550100

The call takes route vip to platform center, nobody is asked and nothing is recorded.
Calling number: +12025550100
Called number:  +31205550122
`},
		{"nobody who calls", []string{"--trunk", "carrier-a", "--to", "+31205550122", "--at", monday}, exitOK,
			`route vip: the calling number is not +12025550100
route sales matches: the trunk is carrier-a, the called number begins with +3120, it is mon 10:00, within mon..fri 09:00-17:30 Europe/Amsterdam
rewrite.to[0] makes the called number 0205550122

The call takes route sales to platform center, by policy ask.
Calling number: withheld
Called number:  0205550122
`},
		{"from whichever trunk", []string{"--from", "+12025550100", "--to", "+442079460123", "--at", monday}, exitFailed,
			`From trunk carrier-a:
route vip: the called number does not begin with +31
route sales: the called number does not begin with +3120
no route matches

The call is refused with 404: no route.

From trunk carrier-b:
route vip: the called number does not begin with +31
route sales: the trunk is carrier-b, not carrier-a
no route matches

The call is refused with 404: no route.
`},
		{"no route", []string{"--trunk", "carrier-b", "--to", "+31205550122", "--at", monday}, exitFailed,
			`route vip: the calling number is not +12025550100
route sales: the trunk is carrier-b, not carrier-a
no route matches

The call is refused with 404: no route.
`},
		{"no trunk", []string{"--source", "2001:db8::1", "--to", "+31205550122"}, exitFailed,
			`no trunk owns the source

The call is refused with 403: unknown trunk.
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := consentgw(t, append([]string{"route-test", "-c", file}, c.args...)...)
			assert.Equal(t, result{c.code, c.want, ""}, r)
		})
	}
}

func TestRouteTestPrintsJSON(t *testing.T) {
	file := routed(t)
	r := consentgw(t, "route-test", "-c", file, "--trunk", "carrier-a", "--to", "0205550122", "--at", monday, "--json")
	require.Equal(t, exitOK, r.code, r.stderr)
	var got verdict
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got))
	assert.Len(t, got.Why, 4)
	got.Why = nil
	assert.Equal(t, verdict{Matches: true, Trunk: "carrier-a", Route: "sales", Platform: "center", Policy: "ask", To: "0205550122"}, got)
	r = consentgw(t, "route-test", "-c", file, "--source", "2001:db8::1", "--to", "1", "--json")
	require.Equal(t, exitFailed, r.code)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got))
	assert.False(t, got.Matches)
}

func TestRouteTestFindsATrunkByItsCertificate(t *testing.T) {
	file := example(t, "full.yaml")
	t.Setenv("CARRIER_B_PASSWORD", "a")
	t.Setenv("CENTER_PASSWORD", "b")
	with := consentgw(t, "route-test", "-c", file, "--source", "203.0.113.9", "--certificate", "sip.carrier-b.example", "--to", "+31205550100")
	require.Equal(t, exitOK, with.code, with.stdout+with.stderr)
	assert.Contains(t, with.stdout, "trunk carrier-b: the source is in 0.0.0.0/0\n")
	without := consentgw(t, "route-test", "-c", file, "--source", "203.0.113.9", "--to", "+31205550100")
	require.Equal(t, exitFailed, without.code)
	assert.Contains(t, without.stdout, "but without a certificate for sip.carrier-b.example\n")
}

func TestRouteTestSaysWhatIsWrongWithItsCommandLine(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--outbound --to 1", "--outbound goes with --platform or --source"},
		{"--trunk a --source 192.0.2.1 --to 1", "one of the three"},
		{"--trunk a", "--to is missing: name the called number"},
		{"--trunk a --certificate b --to 1", "--certificate goes with --source"},
		{"--source carrier --to 1", `--source is no IP address: "carrier"`},
		{"--trunk a --to 1 --at noon", `--at is no RFC 3339 time (2026-03-01T12:00:00Z): "noon"`},
		{"--trunk a --to 1", `no trunk is named "a"`},
		{"--trunk a --to 1 x", "x"},
	} {
		t.Run(c.args, func(t *testing.T) {
			r := consentgw(t, append([]string{"route-test"}, strings.Fields(c.args)...)...)
			assert.Equal(t, exitUsage, r.code)
			assert.Empty(t, r.stdout)
			assert.Contains(t, r.stderr, c.want)
			assert.Contains(t, r.stderr, "See consentgw route-test --help.")
		})
	}
}

func TestRouteTestNeedsAValidConfiguration(t *testing.T) {
	r := consentgw(t, "route-test", "-c", example(t, "bad20.yaml"), "--trunk", "carrier-a", "--to", "1")
	require.Equal(t, exitFailed, r.code)
	require.Empty(t, r.stdout)
	require.Contains(t, r.stderr, ": errors: 20, warnings: 0\n")
}
