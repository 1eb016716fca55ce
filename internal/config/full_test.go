package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentgw/internal/hours"
	"consentgw/internal/number"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// full is the commented example with every known key.
func full(t testing.TB) string {
	b, err := os.ReadFile(filepath.Join(testdata, "full.yaml"))
	require.NoError(t, err)
	return string(b)
}

func fullEnvironment() (func(string) (string, bool), []string) {
	return environment("CARRIER_B_PASSWORD=hunter2", "CENTER_PASSWORD=hunter3", "CONSENTGW_REDIS_PASSWORD=hunter4")
}

func parseFull(t testing.TB) *Config {
	lookup, environ := fullEnvironment()
	c, fs := Parse("full.yaml", []byte(full(t)), lookup, environ)
	require.Empty(t, lines(fs))
	return c
}

func TestTheFullExampleShowsEveryKnownKey(t *testing.T) {
	keys := knownKeys()
	root := newReader("", nil).document([]byte(full(t)))
	require.NotNil(t, root)
	gather(root, keys)
	known, shown := map[string]bool{}, map[string]bool{}
	for _, path := range paths(keys, "") {
		// The three sides are alike, and so are trunks and platforms.
		known[strings.NewReplacer("listen.platform.", "listen.trunk.", "listen.recorder.", "listen.trunk.",
			"trunks[].targets", "platforms[].targets", "trunks[].options", "platforms[].options",
			"trunks[].failover_on", "platforms[].failover_on",
			"platforms[].tls", "trunks[].tls", "platforms[].auth", "trunks[].auth").Replace(path)] = true
	}
	var walk func(*node, string)
	walk = func(n *node, path string) {
		for _, e := range n.entries {
			shown[join(path, e.key)] = true
			walk(e.value, join(path, e.key))
		}
		for _, item := range n.items {
			walk(item, path+"[]")
		}
	}
	walk(root, "")
	for path := range known {
		assert.True(t, shown[path], "%s is not shown", path)
	}
	assert.Greater(t, len(known), 100)
}

// paths is every key below a shape.
func paths(s *shape, path string) []string {
	var all []string
	for _, f := range s.fields {
		all = append(all, join(path, f.name))
		all = append(all, paths(f.shape, join(path, f.name))...)
	}
	if s.items != nil {
		all = append(all, paths(s.items, path+"[]")...)
	}
	return all
}

func TestTheFullExampleMeansWhatItSays(t *testing.T) {
	c := parseFull(t)
	assert.Equal(t, 30*time.Second, c.Node.Drain)
	assert.Equal(t, Limits{MaxCalls: 4000, PerSourceCPS: 50, DropAfter: 20, MaxCPU: 85}, c.Limits)
	assert.Equal(t, &TLS{
		Cert: "/etc/consentgw/tls/trunk.crt", Key: "/etc/consentgw/tls/trunk.key",
		CA: "/etc/consentgw/tls/carriers.crt", ClientAuth: "optional",
	}, c.Listen.Trunk.TLS)
	assert.Nil(t, c.Listen.Platform.TLS)
	assert.Equal(t, Advertise{SIP: "sip.example.com", Media: netip.MustParseAddr("203.0.113.10")}, c.Listen.Trunk.Advertise)
	assert.Equal(t, Advertise{}, c.Listen.Platform.Advertise)
	assert.Equal(t, []Trunk{{
		Name: "carrier-a", From: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8:a::/48")},
		MaxCalls: 2000, MaxCPS: 12.5, Codecs: []string{"PCMA", "PCMU"}, SRTP: "off", NAT: true, Identity: "trusted", Country: "NL", Normalize: "e164",
	}, {
		Name: "carrier-b", From: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")},
		TLSNames: []string{"sip.carrier-b.example"}, Auth: &Auth{Username: "consentgw", Password: "hunter2", Realm: "sip.example.com"},
		SRTP: "off", NAT: true, Identity: "trusted", Normalize: "off",
		Destination: Destination{
			Targets: []Target{{URI: "sip:192.0.2.60:5060", Priority: 1, Weight: 1}},
			Options: OptionsPing{Every: 30 * time.Second, DownAfter: 3, UpAfter: 1, DownOn: []string{"503"}}, AnswerTimeout: time.Minute,
			FailoverOn: FailoverOn{"408", "5xx", "timeout"},
		},
	}}, c.Trunks)
	assert.Equal(t, Origin{From: []netip.Prefix{netip.MustParsePrefix("192.0.2.20/32")}}, c.Platforms[0].Origin)
	assert.Equal(t, Route{Name: "call-back", Outbound: true, Platform: "contact-center", Trunk: "carrier-b", To: "+*", Policy: "nl"}, c.Routes[1])
	assert.Equal(t, []Target{{
		URI: "sip:192.0.2.20:5060", Priority: 1, Weight: 10, Transport: "tcp", FromHost: "gw.example.com", Host: "center.example.com",
	}, {
		URI: "sip:center.example.net", Priority: 2, Weight: 1, Transport: "tls", SRV: true,
		Auth: &Auth{Username: "consentgw", Password: "hunter3"},
		TLS:  &TLS{Cert: "/etc/consentgw/tls/client.crt", Key: "/etc/consentgw/tls/client.key", CA: "/etc/consentgw/tls/center.crt"},
	}}, c.Platforms[0].Targets)
	assert.Equal(t, "generic", c.Platforms[0].Headers)
	assert.Equal(t, []string{"X-Account-Id"}, c.Platforms[0].PassHeaders)
	assert.False(t, c.Platforms[0].UserToUser)
	assert.Equal(t, IdentityUntrusted, c.Platforms[0].Identity)
	assert.Equal(t, "408 5xx timeout", c.Platforms[0].FailoverOn.String())
	assert.Equal(t, DialAfterDecision, c.Policies[0].Dial)
	zone, err := time.LoadLocation("Europe/Amsterdam")
	require.NoError(t, err)
	assert.Equal(t, Route{
		Name: "office-hours", Trunk: "carrier-a", From: "+31*", To: `/\+3120555010[0-4]/`,
		When: []hours.Window{{Days: 0b0111110, Span: hours.Span{From: 9 * 60, To: 17*60 + 30}, Zone: zone}},
		Rewrite: Rewrite{
			From: []number.Rule{{Match: `/\+(\d+)/`, Replace: "00${1}"}},
			To:   []number.Rule{{Match: "+31*", Replace: "0${1}"}},
		},
		Platform: "contact-center", Policy: "nl", Recorders: []string{"archive", "compliance"},
	}, c.Routes[0])
}

// defaultLine is a line of the full example that only repeats a default.
func defaultLine(line string) bool {
	_, comment, _ := strings.Cut(line, "# default")
	return comment != "" && (comment[0] == ';' || comment[0] == ',') || strings.HasSuffix(line, "# default") ||
		strings.Contains(line, "# off (default)")
}

func TestWhatTheFullExampleCallsADefaultIsOne(t *testing.T) {
	want := parseFull(t)
	text := full(t)
	tried := 0
	for line := range strings.Lines(text) {
		key, _, isKey := strings.Cut(strings.TrimSpace(line), ":")
		alone := key == "log" || key == "dir" // a block would be left empty
		if !isKey || alone || !defaultLine(strings.TrimRight(line, "\n")) {
			continue
		}
		lookup, environ := fullEnvironment()
		without := strings.Replace(text, line, "", 1)
		got, fs := Parse("full.yaml", []byte(without), lookup, environ)
		require.NoError(t, fs.Err(), "without %s", line)
		assert.Equal(t, want, got, "without %s", line)
		tried++
	}
	assert.Greater(t, tried, 20)
}

func TestNewKeysLeaveAnOldFileAsItWas(t *testing.T) {
	c, fs := Parse("c.yaml", []byte(example(t)), nil, nil)
	require.Empty(t, lines(fs))
	assert.Equal(t, Limits{}, c.Limits)
	assert.Equal(t, 10*time.Second, c.Node.Drain)
	for _, s := range []Side{c.Listen.Trunk, c.Listen.Platform, c.Listen.Recorder} {
		assert.Nil(t, s.TLS)
		assert.Equal(t, Advertise{}, s.Advertise)
	}
	assert.Nil(t, c.Trunks[0].Auth)
	assert.Zero(t, c.Trunks[0].MaxCPS)
	assert.Empty(t, c.Trunks[0].Codecs)
	for code, want := range map[int]bool{0: true, 408: true, 500: true, 503: true, 599: true, 486: false, 404: false, 603: false, 302: false, 200: false} {
		assert.Equal(t, want, c.Platforms[0].FailoverOn.Has(code), code)
		assert.Equal(t, want, FailoverOn(nil).Has(code), "no list is the default: %d", code)
		assert.False(t, FailoverOn{}.Has(code), "an empty list is none: %d", code)
	}
	assert.True(t, FailoverOn{"486", "6xx"}.Has(486))
	assert.True(t, FailoverOn{"486", "6xx"}.Has(603))
	assert.False(t, FailoverOn{"486", "6xx"}.Has(0))
}
