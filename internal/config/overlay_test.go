package config

import (
	"net/netip"
	"testing"
	"time"

	"consentgw/internal/hours"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryValueCanBeSetByAVariable(t *testing.T) {
	for _, c := range []struct {
		name, variable string
		got            func(*Config) any
		want           any
	}{
		{"text", "CONSENTGW_NODE_ID=gw-7", func(c *Config) any { return c.Node.ID }, "gw-7"},
		{"an address", "CONSENTGW_LISTEN_TRUNK_MEDIA=127.0.0.9",
			func(c *Config) any { return c.Listen.Trunk.Media }, netip.MustParseAddr("127.0.0.9")},
		{"the alias", "CONSENTGW_API_LISTEN=127.0.0.1:9090", func(c *Config) any { return c.Listen.API }, "127.0.0.1:9090"},
		{"what the alias stands for", "CONSENTGW_LISTEN_API=127.0.0.1:9090", func(c *Config) any { return c.Listen.API }, "127.0.0.1:9090"},
		{"a key with an underscore", "CONSENTGW_TRUNKS_0_MAX_CALLS=5", func(c *Config) any { return c.Trunks[0].MaxCalls }, 5},
		{"deep in lists", "CONSENTGW_PLATFORMS_0_TARGETS_1_URI=sip:127.0.0.1:5999",
			func(c *Config) any { return c.Platforms[0].Targets[1].URI }, "sip:127.0.0.1:5999"},
		{"a time", "CONSENTGW_POLICIES_0_ANSWER_TIMEOUT=9s", func(c *Config) any { return c.Policies[0].AnswerTimeout }, 9 * time.Second},
		{"a boolean", "CONSENTGW_STORE_REDIS_TLS=true", func(c *Config) any { return c.Store.Redis.TLS }, true},
		{"an item", "CONSENTGW_STORE_REDIS_ADDRS_0=127.0.0.1:7000",
			func(c *Config) any { return c.Store.Redis.Addrs }, []string{"127.0.0.1:7000"}},
		{"one item more", "CONSENTGW_STORE_REDIS_ADDRS_1=127.0.0.1:7000",
			func(c *Config) any { return c.Store.Redis.Addrs }, []string{"127.0.0.1:6379", "127.0.0.1:7000"}},
		{"a list by commas", "CONSENTGW_STORE_REDIS_ADDRS=127.0.0.1:1, 127.0.0.1:2,",
			func(c *Config) any { return c.Store.Redis.Addrs }, []string{"127.0.0.1:1", "127.0.0.1:2"}},
		{"an empty text", "CONSENTGW_PROMPTS_DIR=", func(c *Config) any { return c.Prompts.Dir }, ""},
		{"a default that the file does not have", "CONSENTGW_PLATFORMS_0_OPTIONS_UP_AFTER=2",
			func(c *Config) any { return c.Platforms[0].Options.UpAfter }, 2},
		{"text that looks like a reference", "CONSENTGW_STORE_REDIS_PASSWORD=${env:X}",
			func(c *Config) any { return c.Store.Redis.Password }, "${env:X}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lookup, environ := environment(c.variable)
			cfg, fs := Parse("c.yaml", []byte(example(t)), lookup, environ)
			require.Empty(t, fs)
			assert.Equal(t, c.want, c.got(cfg))
		})
	}
}

func TestEveryNewValueCanBeSetByAVariable(t *testing.T) {
	for _, c := range []struct {
		name, variable string
		got            func(*Config) any
		want           any
	}{
		{"a time", "CONSENTGW_NODE_DRAIN=1m", func(c *Config) any { return c.Node.Drain }, time.Minute},
		{"a rate", "CONSENTGW_LIMITS_PER_SOURCE_CPS=2.5", func(c *Config) any { return c.Limits.PerSourceCPS }, 2.5},
		{"a password", "CONSENTGW_TRUNKS_1_AUTH_PASSWORD=${env:X}", func(c *Config) any { return string(c.Trunks[1].Auth.Password) }, "${env:X}"},
		{"a list by commas", "CONSENTGW_TRUNKS_0_CODECS=PCMU", func(c *Config) any { return c.Trunks[0].Codecs }, []string{"PCMU"}},
		{"a name in a block", "CONSENTGW_TRUNKS_1_TLS_NAMES_0=Other.example", func(c *Config) any { return c.Trunks[1].TLSNames }, []string{"other.example"}},
		{"a boolean", "CONSENTGW_TRUNKS_0_NAT=false", func(c *Config) any { return c.Trunks[0].NAT }, false},
		{"deep in lists", "CONSENTGW_PLATFORMS_0_TARGETS_0_FROM_HOST=a.example",
			func(c *Config) any { return c.Platforms[0].Targets[0].FromHost }, "a.example"},
		{"no failure at all", "CONSENTGW_PLATFORMS_0_FAILOVER_ON=", func(c *Config) any { return c.Platforms[0].FailoverOn }, FailoverOn{}},
		{"a window that stands alone", "CONSENTGW_ROUTES_0_WHEN_0_HOURS=10:00-11:00",
			func(c *Config) any { return c.Routes[0].When[0].Span }, hours.Span{From: 600, To: 660}},
		{"a group is no variable", "CONSENTGW_ROUTES_0_REWRITE_TO_0_REPLACE=00${1}",
			func(c *Config) any { return c.Routes[0].Rewrite.To[0].Replace }, "00${1}"},
		{"an address by name", "CONSENTGW_LISTEN_PLATFORM_ADVERTISE_SIP=[2001:db8::1]:5070",
			func(c *Config) any { return c.Listen.Platform.Advertise.SIP }, "[2001:db8::1]:5070"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lookup, environ := fullEnvironment()
			cfg, fs := Parse("full.yaml", []byte(full(t)), lookup, append(environ, c.variable))
			require.Empty(t, lines(fs))
			assert.Equal(t, c.want, c.got(cfg))
		})
	}
}

func TestAWindowMayBeAddedByVariables(t *testing.T) {
	lookup, environ := fullEnvironment()
	environ = append(environ, "CONSENTGW_ROUTES_0_WHEN_1_ZONE=UTC", "CONSENTGW_ROUTES_0_WHEN_1_DAYS=sat,sun")
	c, fs := Parse("full.yaml", []byte(full(t)), lookup, environ)
	require.Empty(t, lines(fs))
	require.Len(t, c.Routes[0].When, 2)
	assert.Equal(t, "sat..sun all day UTC", c.Routes[0].When[1].String())
}

func TestVariablesAloneMakeBlocks(t *testing.T) {
	lookup, environ := environment(
		"CONSENTGW_STORE_REDIS_ADDRS_1=redis.example.com:6379", "CONSENTGW_STORE_REDIS_ADDRS=127.0.0.1:6379",
		"CONSENTGW_STORE_REDIS_PASSWORD=hunter2", "CONSENTGW_STORE_REDIS_TLS=true",
		"CONSENTGW_TRUNKS_1_NAME=second", "CONSENTGW_TRUNKS_1_FROM=192.0.2.1,192.0.2.128/25",
	)
	c, fs := Parse("", nil, lookup, environ)
	require.Empty(t, lines(fs), "a password in a variable is not in clear in a file")
	assert.Equal(t, []string{"127.0.0.1:6379", "redis.example.com:6379"}, c.Store.Redis.Addrs)
	assert.Equal(t, "hunter2", c.Store.Redis.Password)
	require.Len(t, c.Trunks, 2)
	assert.Equal(t, "second", c.Trunks[1].Name)
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.128/25")}, c.Trunks[1].From)
}

func TestAVariableIsNotHiddenByANullInTheFile(t *testing.T) {
	lookup, environ := environment("CONSENTGW_STORE_REDIS_ADDRS=127.0.0.1:6379", "CONSENTGW_NODE_ID=a")
	c, fs := Parse("c.yaml", []byte("node: {id: }\nstore:\n  redis:\n"), lookup, environ)
	require.NoError(t, fs.Err())
	assert.Equal(t, []string{"127.0.0.1:6379"}, c.Store.Redis.Addrs)
	assert.Equal(t, "a", c.Node.ID)
}

func TestAFindingFromAVariableNamesIt(t *testing.T) {
	for _, c := range []struct {
		name string
		set  []string
		want []string
	}{
		{"a wrong value, which is not repeated", []string{"CONSENTGW_LISTEN_TRUNK_MEDIA=hunter2"},
			[]string{"CONSENTGW_LISTEN_TRUNK_MEDIA: error: listen.trunk.media: must be an IP address, such as 192.0.2.10"}},
		{"a wrong item", []string{"CONSENTGW_STORE_REDIS_ADDRS=127.0.0.1:1,hunter2"},
			[]string{"CONSENTGW_STORE_REDIS_ADDRS: error: store.redis.addrs[1]: must be host:port, such as redis.example.com:6379"}},
		{"a name that leads nowhere", []string{"CONSENTGW_ROUTES_0_PLATFORM=hunter2"},
			[]string{"CONSENTGW_ROUTES_0_PLATFORM: error: routes[0].platform: no platform has this name"}},
		{"an empty compulsory value", []string{"CONSENTGW_POLICIES_0_CONTROLLER_NAME="},
			[]string{"CONSENTGW_POLICIES_0_CONTROLLER_NAME: error: policies[0].controller.name: must not be empty"}},
		{"an empty compulsory list", []string{"CONSENTGW_TRUNKS_0_FROM="},
			[]string{"CONSENTGW_TRUNKS_0_FROM: error: trunks[0].from: is empty: list the addresses or networks its requests come from"}},
		{"a gap in a list", []string{"CONSENTGW_TRUNKS_2_NAME=x"},
			[]string{"CONSENTGW_TRUNKS_2_NAME: error: trunks[2].name: skips a place: the next free index is 1"}},
		{"half of an item", []string{"CONSENTGW_TRUNKS_1_NAME=x"},
			[]string{"CONSENTGW_TRUNKS_1_NAME: error: trunks[1].from: is missing: list the addresses or networks its requests come from"}},
		{"two variables for one value", []string{"CONSENTGW_LISTEN_API=127.0.0.1:1", "CONSENTGW_API_LISTEN=127.0.0.1:2"},
			[]string{"CONSENTGW_LISTEN_API: error: listen.api: CONSENTGW_API_LISTEN sets the same value: unset one of the two"}},
		{"a variable for a block", []string{"CONSENTGW_STORE=redis"},
			[]string{"CONSENTGW_STORE: warning: store: is ignored: it names a block of keys, and only single values can be set"}},
		{"a variable for a list of blocks", []string{"CONSENTGW_TRUNKS=x"},
			[]string{"CONSENTGW_TRUNKS: warning: trunks: is ignored: it names a list, and only single values can be set"}},
		{"a name nearly right", []string{"CONSENTGW_NODE_DI=x"},
			[]string{`CONSENTGW_NODE_DI: warning: sets nothing; did you mean "CONSENTGW_NODE_ID"?`}},
		{"a name nearly right in a list", []string{"CONSENTGW_PLATFORM_0_TARGETS_7_URI=x"},
			[]string{`CONSENTGW_PLATFORM_0_TARGETS_7_URI: warning: sets nothing; did you mean "CONSENTGW_PLATFORMS_0_TARGETS_7_URI"?`}},
		{"names like no other", []string{"CONSENTGW_SERVICE_HOST=192.0.2.1", "CONSENTGW_PORT_8080_TCP=x", "CONSENTGWX=1", "CONSENTGW_=1", "CONSENTGW_SECRET=1", "NODE_ID=x", "=", "CONSENTGW_NODE_ID"}, nil},
		{"a name that the file asks for", []string{"CONSENTGW_REDIS_PASSWORD=hunter2"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			lookup, environ := environment(c.set...)
			_, fs := Parse("c.yaml", []byte(example(t)), lookup, environ)
			assert.Equal(t, c.want, lines(fs))
		})
	}
}

func TestAVariableDoesNotRepairABlockOfTheWrongKind(t *testing.T) {
	lookup, environ := environment("CONSENTGW_LOG_LEVEL=debug", "CONSENTGW_TRUNKS_0_NAME=x")
	_, fs := Parse("c.yaml", []byte("log: loud\ntrunks: none\nplatforms: []\nroutes: []\n"), lookup, environ)
	assert.Equal(t, []string{
		"c.yaml:1:6: error: log: must be a block of keys, is a single value",
		"c.yaml:2:9: error: trunks: must be a list, is a single value",
		"c.yaml:3:12: error: platforms: is empty: name at least one contact center",
		"c.yaml:4:9: error: routes: is empty: without one every call is refused",
	}, lines(fs))
}

func TestTheLastOfTwoEqualVariablesCounts(t *testing.T) {
	c, fs := Parse("", nil, nil, []string{"CONSENTGW_NODE_ID=a", "CONSENTGW_NODE_ID=b"})
	require.Empty(t, fs)
	assert.Equal(t, "b", c.Node.ID)
}

func TestEveryKnownValueHasAVariableThatFindsIt(t *testing.T) {
	keys := knownKeys()
	count := 0
	keys.variables(variablePrefix, func(name string) {
		_, s, ok := resolve(withIndices(name, nil), keys)
		require.True(t, ok, name)
		assert.True(t, s.kind() == scalar || s.items.kind() == scalar, name)
		count++
	})
	assert.Greater(t, count, 60)
}
