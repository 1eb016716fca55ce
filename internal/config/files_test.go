package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const testdata = "../../testdata/config"

// example is the complete example, with every known key.
func example(t testing.TB) string {
	b, err := os.ReadFile(filepath.Join(testdata, "consentgw.yaml"))
	require.NoError(t, err)
	return string(b)
}

// lines is the findings as an operator sees them.
func lines(fs Findings) []string {
	var all []string
	for _, f := range fs {
		all = append(all, f.String())
	}
	return all
}

// environment is the pair of arguments that os.LookupEnv and os.Environ are.
func environment(pairs ...string) (func(string) (string, bool), []string) {
	return func(name string) (string, bool) {
		for _, p := range pairs {
			if n, v, _ := strings.Cut(p, "="); n == name {
				return v, true
			}
		}
		return "", false
	}, pairs
}

func TestTheCompleteExampleIsAcceptedExactlyAsItIs(t *testing.T) {
	lookup, environ := environment()
	c, fs := Load(filepath.Join(testdata, "consentgw.yaml"), lookup, environ)
	require.Empty(t, lines(fs))
	require.NoError(t, fs.Err())
	local := netip.MustParseAddr("127.0.0.1")
	assert.Equal(t, &Config{
		Node: Node{ID: "gw-1", Data: "./consentgw-data", Drain: 10 * time.Second},
		Listen: Listen{
			Trunk: Side{
				SIP: []SIPAddr{
					{"udp", netip.MustParseAddrPort("127.0.0.1:5060")},
					{"tcp", netip.MustParseAddrPort("127.0.0.1:5060")},
				},
				Media: local, Ports: PortRange{16384, 21999},
			},
			Platform: Side{
				SIP: []SIPAddr{
					{"udp", netip.MustParseAddrPort("127.0.0.1:5070")},
					{"tcp", netip.MustParseAddrPort("127.0.0.1:5070")},
				},
				Media: local, Ports: PortRange{22000, 26999},
			},
			Recorder: Side{
				SIP:   []SIPAddr{{"tcp", netip.MustParseAddrPort("127.0.0.1:5080")}},
				Media: local, Ports: PortRange{27000, 31999},
			},
			API: "127.0.0.1:8080",
		},
		Network: Network{KeepAlive: 100 * time.Second, DSCP: DSCP{Signalling: 40, Media: 46}},
		Dialogs: Dialogs{
			SessionTimer{Interval: 30 * time.Minute, Min: 90 * time.Second},
			MediaTimeout{First: time.Minute, Silence: 5 * time.Minute, Hold: time.Hour},
		},
		Trunks: []Trunk{{Name: "carrier-a", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, MaxCalls: 2000,
			SRTP: "off", NAT: true, Identity: "trusted", Normalize: "off"}},
		Platforms: []Platform{{
			Name: "contact-center",
			Destination: Destination{
				Targets: []Target{
					{URI: "sip:127.0.0.1:5090", Priority: 1, Weight: 10},
					{URI: "sip:127.0.0.1:5092", Priority: 2, Weight: 10},
				},
				Options:       OptionsPing{Every: 30 * time.Second, DownAfter: 3, UpAfter: 1, DownOn: []string{"503"}},
				AnswerTimeout: 30 * time.Second,
				FailoverOn:    FailoverOn{"408", "5xx", "timeout"},
			},
			Headers: "generic", SRTP: "off", Identity: "untrusted",
			Transfers: Transfers{By: []string{"agent"}},
		}},
		Recorders: []Recorder{{
			Name: "archive", Type: "rtp",
			Caller: netip.MustParseAddrPort("127.0.0.1:6000"), Agent: netip.MustParseAddrPort("127.0.0.1:6002"),
		}},
		Policies: []Policy{{
			Name:         "nl",
			Controller:   Controller{Name: "Voorbeeld B.V.", Contact: "privacy@example.com", Address: "Kade 1, Utrecht", Country: "NL"},
			Jurisdiction: "NL", Basis: "consent", Purposes: []string{"quality"}, Ask: "together", Notice: "recording", Language: "nl",
			Keys:          Keys{Yes: "1", No: "2", Repeat: "0", Withdraw: "*9"},
			AnswerTimeout: 6 * time.Second, Retries: 1,
			Retention: Retention{Record: "P7Y", Recording: "P90D"}, Dial: "after_decision", Waits: Waits{HoldBack: 1500 * time.Millisecond},
		}},
		Routes: []Route{{
			Name: "sales", Trunk: "carrier-a", To: "+3120*", Platform: "contact-center", Policy: "nl", Recorders: []string{"archive"},
		}},
		Store: Store{Redis: &Redis{Addrs: []string{"127.0.0.1:6379"}, Timeout: 500 * time.Millisecond}},
		Log:   Log{Level: "info", Format: "json"},
	}, c)
}

func TestTwentyMistakesOnTwentyLinesAreTwentyFindings(t *testing.T) {
	_, fs := Load(filepath.Join(testdata, "bad20.yaml"), nil, nil)
	require.Error(t, fs.Err())
	want := []string{
		`1:1: error: nodes: unknown key; did you mean "node"?`,
		`2:14: error: log.level: must be debug, info, warn or error; it is "loud"`,
		`3:10: error: prompts: must be a block of keys, is a list`,
		`4:24: error: listen.trunk.sip[0]: must be the concrete address of one host: 0.0.0.0 and :: lead nowhere when they stand in SIP and SDP, or as a destination; it is "udp:0.0.0.0:5060"`,
		`5:50: error: listen.platform.media: must be an IP address, such as 192.0.2.10; it is "localhost"`,
		`6:39: error: listen.recorder.ports: must begin below its end; it is "5001-5000"`,
		`7:8: error: listen.api: must be an IP address or localhost, a colon and a port, such as 127.0.0.1:8080; it is "8080"`,
		`8:35: error: trunks[0].from[0]: must be an IP address or a network, such as 192.0.2.0/24; it is "127.0.0.0/40"`,
		`9:53: error: trunks[1].max_calls: must be a whole number from 0 to 1000000; it is "-1"`,
		`10:44: error: platforms[0].targets[0].uri: must have a port from 1 to 65535, or none; it is "sip:127.0.0.1:99999"`,
		`11:10: error: platforms[1].name: is the name of platforms[0] already`,
		`12:13: error: recorders[0].agent: is missing: type rtp needs the address that gets the agent's audio`,
		`13:64: error: policies[0].purposes[0]: must be one word of small letters, digits, dashes and underscores, such as quality; it is "Quality!"`,
		`14:109: error: policies[0].controller.country: must be a country code of ISO 3166 in two capital letters, such as NL; it is "Holland"`,
		`15:24: error: policies[0].keys.no: is the same key as yes`,
		`16:39: error: policies[0].retention.recording: must be an ISO 8601 duration in whole units, such as P90D, P6M or P7Y; it is "90 days"`,
		`17:19: error: policies[0].answer_timeout: must be a time with its unit, such as 30s, 500ms or 1m30s; it is "6"`,
		`18:31: error: routes[0].trunk: no trunk is named "carrier-c"; did you mean "carrier-a"?`,
		`19:48: error: routes[1].recorders: need a policy: without one nobody is asked, and nothing is recorded without consent`,
		`20:56: error: store.redis.timout: unknown key; did you mean "timeout"?`,
	}
	for i := range want {
		want[i] = filepath.Join(testdata, "bad20.yaml") + ":" + want[i]
	}
	assert.Equal(t, want, lines(fs))
	assert.Equal(t, want, strings.Split(fs.Err().Error(), "\n"))
}

func TestWithoutAFileEverythingIsOnLoopback(t *testing.T) {
	for name, read := range map[string]func() (*Config, Findings){
		"default":       func() (*Config, Findings) { return Default(), nil },
		"no path":       func() (*Config, Findings) { return Load("", os.LookupEnv, nil) },
		"an empty file": func() (*Config, Findings) { return Parse("x.yaml", nil, nil, nil) },
		"only comments": func() (*Config, Findings) { return Parse("x.yaml", []byte("# nothing\n\n---\n"), nil, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			c, fs := read()
			require.Empty(t, lines(fs))
			assert.Equal(t, "udp:127.0.0.1:5060 tcp:127.0.0.1:5060", c.Listen.Trunk.SIP[0].String()+" "+c.Listen.Trunk.SIP[1].String())
			assert.Equal(t, "udp:127.0.0.1:5070 tcp:127.0.0.1:5070", c.Listen.Platform.SIP[0].String()+" "+c.Listen.Platform.SIP[1].String())
			assert.Equal(t, "127.0.0.1:8080", c.Listen.API)
			assert.Equal(t, PortRange{16384, 21999}, c.Listen.Trunk.Ports)
			assert.Equal(t, PortRange{22000, 26999}, c.Listen.Platform.Ports)
			assert.Empty(t, c.Listen.Recorder.SIP)
			assert.Equal(t, "./consentgw-data", c.Node.Data)
			assert.Nil(t, c.Store.Redis)
			assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, c.Trunks[0].From)
			assert.Equal(t, "sip:127.0.0.1:5090", c.Platforms[0].Targets[0].URI)
			assert.Equal(t, "127.0.0.1:6000", c.Recorders[0].Caller.String())
			assert.Equal(t, "127.0.0.1:6002", c.Recorders[0].Agent.String())
			assert.Equal(t, "consent", c.Policies[0].Basis)
			assert.Equal(t, []Route{{Name: "every-number", Platform: "contact-center", Policy: c.Policies[0].Name, Recorders: []string{c.Recorders[0].Name}}}, c.Routes)
		})
	}
}

func TestAFileWithoutListsRunsOnTheLoopbackOnesAndSaysSo(t *testing.T) {
	c, fs := Parse("x.yaml", []byte("node: {id: a}\n"), nil, nil)
	require.NoError(t, fs.Err())
	assert.Equal(t, []string{"x.yaml:1:1: warning: routes: the file has no trunks, platforms, recorders, policies and routes: " +
		"those of the loopback defaults are used"}, lines(fs))
	assert.Equal(t, "a", c.Node.ID)
	assert.Equal(t, Default().Routes, c.Routes)
}

func TestAFileThatCannotBeReadIsOneFinding(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	require.NoError(t, os.WriteFile(large, make([]byte, MaxSize+1), 0o600))
	for path, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "cannot be read: no such file or directory",
		dir:                             "cannot be read: is a directory",
		large:                           "is larger than 1024 KiB",
	} {
		c, fs := Load(path, nil, nil)
		assert.NotNil(t, c)
		assert.Equal(t, []string{path + ": error: " + want}, lines(fs))
		assert.Error(t, fs.Err())
	}
}

func TestOnlyErrorsMakeAnError(t *testing.T) {
	warning := Finding{File: "a.yaml", Line: 1, Column: 2, Severity: Warning, Text: "careful"}
	assert.NoError(t, Findings(nil).Err())
	assert.NoError(t, Findings{warning}.Err())
	wrong := Finding{Variable: "CONSENTGW_NODE_ID", Path: "node.id", Text: "must not be empty"}
	assert.EqualError(t, Findings{warning, wrong}.Err(), "CONSENTGW_NODE_ID: error: node.id: must not be empty")
	assert.Equal(t, "a.yaml:1:2: warning: careful", warning.String())
}
