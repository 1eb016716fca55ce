package config

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// callingOut is a configuration whose platform may call out, and one more route.
func callingOut(trunk, platform, route string) string {
	return `listen:
  trunk: {sip: ["udp:127.0.0.1:5060"], media: 127.0.0.1}
  platform: {sip: ["udp:127.0.0.1:5070"], media: 127.0.0.1}
trunks: [{name: a, from: [127.0.0.1]` + trunk + `}]
platforms: [{name: p, targets: [{uri: "sip:127.0.0.1:5090"}]` + platform + `}]
routes:
- {name: in, platform: p}
- {name: out, direction: outbound, platform: p` + route + `}
`
}

const (
	takesCalls  = `, targets: [{uri: "sip:127.0.0.1:5091"}]`
	placesCalls = `, from: ["127.0.0.0/8"], auth: {username: center, password: "${env:PW}"}`
)

func TestAPlatformMayCallOutThroughATrunkWithTargets(t *testing.T) {
	lookup, _ := environment("PW=hunter2")
	c, fs := Parse("c.yaml", []byte(callingOut(takesCalls, placesCalls, ", trunk: a")), lookup, nil)
	require.Empty(t, lines(fs))
	assert.False(t, c.Routes[0].Outbound)
	assert.True(t, c.Routes[1].Outbound)
	assert.Equal(t, "sip:127.0.0.1:5091", c.Trunks[0].Targets[0].URI)
	assert.Equal(t, 3, c.Trunks[0].Options.DownAfter)
	assert.Equal(t, Origin{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Auth: &Auth{Username: "center", Password: "hunter2", Realm: "consentgw"}}, c.Platforms[0].Origin)
	shown := c.Redacted()
	assert.NotEqual(t, c.Platforms[0].Auth.Password, shown.Platforms[0].Auth.Password)
}

// column is left out: other tests hold it.
var column = regexp.MustCompile(`c\.yaml:(\d+):\d+: `)

func TestAMistakeInAnOutboundRouteIsAFindingAtItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		trunk, platform, route, want string
	}{
		"nothing wrong": {takesCalls, placesCalls, ", trunk: a", ""},
		"no trunk":      {takesCalls, placesCalls, "", "c.yaml:8: error: routes[1].trunk: is missing: name the trunk that the calls go to"},
		"a trunk without targets": {"", placesCalls, ", trunk: a",
			`c.yaml:8: error: routes[1].trunk: has no targets: say where its outbound calls are to be sent`},
		"a platform without networks": {takesCalls, "", ", trunk: a",
			`c.yaml:8: error: routes[1].platform: has no from: say which networks its outbound calls come from`},
		"patience of a trunk without targets": {", answer_timeout: 3s", placesCalls, ", trunk: a", "c.yaml:4: warning: trunks[0].answer_timeout: " +
			"changes nothing without targets, to which outbound calls go\nc.yaml:8: error: routes[1].trunk: has no targets: say where its outbound calls are to be sent"},
		"a password of a platform without networks": {takesCalls, ", auth: {username: c, password: \"${env:PW}\"}", ", trunk: a",
			"c.yaml:5: warning: platforms[0].auth: changes nothing without from, the networks that the platform's own calls come from\n" +
				`c.yaml:8: error: routes[1].platform: has no from: say which networks its outbound calls come from`},
		"a network twice": {takesCalls, ", from: [127.0.0.1, 127.0.0.1]", ", trunk: a",
			"c.yaml:5: error: platforms[0].from[1]: is listed at platforms[0].from[0] already: a request must belong to one platform"},
		"everybody": {takesCalls, ", from: [0.0.0.0/0]", ", trunk: a",
			"c.yaml:5: warning: platforms[0].from[0]: lets every host place calls through this platform"},
		"a certificate that nobody asks for": {takesCalls, ", from: [127.0.0.1], tls: {names: [a.example]}", ", trunk: a",
			"c.yaml:5: error: platforms[0].tls.names: needs a tls: address in listen.platform.sip and listen.platform.tls.client_auth, " +
				"optional or required: otherwise no platform shows its certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			lookup, _ := environment("PW=hunter2")
			_, fs := Parse("c.yaml", []byte(callingOut(c.trunk, c.platform, c.route)), lookup, nil)
			got := strings.Join(lines(fs), "\n")
			assert.Equal(t, c.want, column.ReplaceAllString(got, "c.yaml:$1: "))
		})
	}
}

// An inbound route that takes every call leaves the outbound ones alone.
func TestRoutesOfTheOtherDirectionHideNothing(t *testing.T) {
	lookup, _ := environment("PW=hunter2")
	text := callingOut(takesCalls, placesCalls, ", trunk: a") + "- {name: never, direction: outbound, platform: p, trunk: a, to: \"+31*\"}\n"
	_, fs := Parse("c.yaml", []byte(text), lookup, nil)
	require.Equal(t, []string{"c.yaml:9:3: warning: routes[2]: is never reached: routes[1] before it takes all of its calls"}, lines(fs))
}
