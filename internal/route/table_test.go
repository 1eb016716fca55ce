package route

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"consentgw/internal/config"
	"consentgw/internal/number"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// table reads the trunks and routes of a configuration; every route goes to the
// platform p.
func table(t require.TestingT, trunks, routes string) *Table {
	text := `
listen:
  trunk: {sip: ["tls:127.0.0.1:5061"], media: 127.0.0.1, tls: {cert: a, key: b, ca: c, client_auth: optional}}
  platform: {sip: ["udp:127.0.0.1:5070"], media: 127.0.0.1}
platforms: [{name: p, targets: [{uri: "sip:127.0.0.1:5090"}]}]
trunks:
` + trunks + "\nroutes:\n" + routes + "\n"
	cfg, findings := config.Parse("c.yaml", []byte(text), nil, nil)
	require.NoError(t, findings.Err())
	tab, err := New(cfg)
	require.NoError(t, err)
	return tab
}

const twoTrunks = `
  - {name: a, from: [127.0.0.1], country: NL, normalize: e164}
  - {name: b, from: [127.0.0.2]}`

// when is a time in Amsterdam; 2 March 2026 is a Monday.
func when(t require.TestingT, text string) time.Time {
	zone, err := time.LoadLocation("Europe/Amsterdam")
	require.NoError(t, err)
	at, err := time.ParseInLocation("2 January 2006 15:04", text, zone)
	require.NoError(t, err)
	return at
}

const monday = "2 March 2026 10:00"

func TestTheFirstRouteThatMatchesIsTaken(t *testing.T) {
	tab := table(t, twoTrunks, `
  - {name: one-number, trunk: a, to: "+31205550100", platform: p}
  - {name: vip, from: "+12025550100", to: "+3120*", platform: p}
  - {name: withheld, from: "/(anonymous)?/", to: "+31205550111", platform: p}
  - {name: office, to: "+3120*", platform: p, when: {days: [mon..fri], hours: 09:00-17:30, zone: Europe/Amsterdam}}
  - {name: night, to: "+3120*", platform: p, when: [{days: [mon..fri], hours: 17:30-09:00, zone: Europe/Amsterdam}, {days: [sat, sun], zone: Europe/Amsterdam}]}
  - {name: range, to: '/\+44207946(0\d{3})/', platform: p}
  - {name: rest-of-b, trunk: b, platform: p}`)
	for _, c := range []struct{ name, trunk, from, to, at, want string }{
		{"a number of a trunk", "a", "", "+31205550100", monday, "one-number"},
		{"the same number of another trunk", "b", "", "+31205550100", monday, "office"},
		{"a caller", "b", "+12025550100", "+31205550100", monday, "vip"},
		{"a caller who withholds the number", "b", "", "+31205550111", monday, "withheld"},
		{"another caller", "b", "+12025550101", "+31205550111", monday, "office"},
		{"the end of the day", "a", "", "+31205550199", "2 March 2026 17:30", "night"},
		{"before the day begins", "a", "", "+31205550199", "3 March 2026 08:59", "night"},
		{"a weekend", "a", "", "+31205550199", "7 March 2026 12:00", "night"},
		{"monday before nine is nobody's", "a", "", "+31205550199", "2 March 2026 08:00", ""},
		{"an expression", "a", "", "+442079460100", monday, "range"},
		{"an expression matches whole", "a", "", "+4420794601000", monday, ""},
		{"the rest of a trunk", "b", "", "+12025550100", monday, "rest-of-b"},
		{"no rest", "a", "", "+12025550100", monday, ""},
		{"a number in another form", "a", "", "0205550100", monday, "one-number"},
		{"that the trunk does not say how to read", "b", "", "0205550100", monday, "rest-of-b"},
		{"no trunk", "", "", "+31205550150", monday, "office"},
		{"no number", "a", "", "", monday, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			choice, ok := tab.Match(c.trunk, c.from, c.to, when(t, c.at))
			assert.Equal(t, c.want, choice.Route.Name)
			assert.Equal(t, c.want != "", ok)
			assert.Nil(t, choice.Why)
		})
	}
}

func TestTheNumbersOfTheChoiceAreNormalisedAndRewritten(t *testing.T) {
	tab := table(t, twoTrunks, `
  - name: dutch
    to: "+31*"
    rewrite:
      to: [{match: "+3185*", replace: "085${1}"}, {match: "+31*", replace: "0${1}"}, {match: "*", replace: "never"}]
      from: [{match: '/\+1(\d{3})(\d+)/', replace: "${1}-${2}"}]
    platform: p
  - {name: rest, platform: p}`)
	for _, c := range []struct{ name, trunk, from, to, wantFrom, wantTo string }{
		{"both in E.164", "a", "+12025550100", "+31205550100", "202-5550100", "0205550100"},
		{"normalised first", "a", "0012025550100", "0205550100", "202-5550100", "0205550100"},
		{"the first rule that fits", "a", "", "+31855550100", "", "0855550100"},
		{"a caller that no rule fits", "a", "+442079460100", "+31205550100", "+442079460100", "0205550100"},
		{"a route without rules", "a", "0205550101", "00442079460100", "+31205550101", "+442079460100"},
		{"a trunk that is left alone", "b", "0205550101", "00442079460100", "0205550101", "00442079460100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			choice, ok := tab.Match(c.trunk, c.from, c.to, time.Time{})
			require.True(t, ok)
			assert.Equal(t, c.wantFrom, choice.From)
			assert.Equal(t, c.wantTo, choice.To)
		})
	}
}

func TestTheLongestNetworkOwnsASource(t *testing.T) {
	tab := table(t, `
  - {name: everyone, from: [0.0.0.0/0, "2001:db8::/32"]}
  - {name: wide, from: [192.0.2.0/24]}
  - {name: host, from: [192.0.2.7, "2001:db8:0:7::7"]}
  - {name: narrow, from: [192.0.2.0/28]}`, "  - {name: r, platform: p}")
	for source, want := range map[string]string{
		"192.0.2.7": "host", "192.0.2.8": "narrow", "192.0.2.16": "wide", "198.51.100.1": "everyone", "::ffff:192.0.2.7": "host",
		"2001:db8::1": "everyone", "2001:db8:0:7::7": "host", "2001:db8:0:7::7%eth0": "host", "2001:db9::1": "", "::1": "",
	} {
		trunk, ok := tab.Trunk(netip.MustParseAddr(source), nil)
		assert.Equal(t, want, trunk.Name, source)
		assert.Equal(t, want != "", ok, source)
	}
	_, ok := tab.Trunk(netip.Addr{}, nil)
	assert.False(t, ok)
}

func TestATrunkThatDemandsACertificateOwnsASourceOnlyWithIt(t *testing.T) {
	tab := table(t, `
  - {name: rest, from: [192.0.2.0/24]}
  - {name: one, from: [192.0.2.0/24], tls: {names: [Sip.One.example, one.example]}}
  - {name: two, from: [192.0.2.0/24, "::/0"], tls: {names: [two.example]}}
  - {name: wide, from: [192.0.0.0/16]}
  - {name: host, from: [192.0.2.9], tls: {names: [host.example]}}`, "  - {name: r, platform: p}")
	for _, c := range []struct {
		name, source, identities, want string
	}{
		{"the first", "192.0.2.1", "one.example", "one"},
		{"in another case", "192.0.2.1", "SIP.ONE.EXAMPLE", "one"},
		{"among other names", "192.0.2.1", "x.example two.example", "two"},
		{"nobody's name", "192.0.2.1", "three.example", "rest"},
		{"a part of a name", "192.0.2.1", "example", "rest"},
		{"a wildcard", "192.0.2.1", "*.one.example *", "rest"},
		{"no certificate", "192.0.2.1", "", "rest"},
		{"a host without its own falls to its network", "192.0.2.9", "", "rest"},
		{"a host with that of another", "192.0.2.9", "two.example", "two"},
		{"a host with its own", "192.0.2.9", "host.example", "host"},
		{"the right name from elsewhere", "198.51.100.1", "one.example", ""},
		{"from everywhere", "2001:db8::1", "two.example", "two"},
		{"from everywhere without", "2001:db8::1", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			trunk, ok := tab.Trunk(netip.MustParseAddr(c.source), strings.Fields(c.identities))
			assert.Equal(t, c.want, trunk.Name)
			assert.Equal(t, c.want != "", ok)
		})
	}
}

func TestAConfigurationThatWasNotCheckedIsRefusedWithAllItsProblems(t *testing.T) {
	_, err := New(&config.Config{
		Trunks: []config.Trunk{{Name: "a", Normalize: config.NormalizeE164, Country: "XX"}},
		Routes: []config.Route{
			{Name: "r", From: "a b", To: "/(/"},
			{Name: "s", Rewrite: config.Rewrite{To: []number.Rule{{Match: "*", Replace: "${2}"}}}},
		},
	})
	require.Error(t, err)
	assert.Equal(t, []string{
		`trunk "a": the numbering plan of country "XX" is not known`,
		`route "r": from must be a number as it comes in the URI, without spaces, or the beginning of one and a * at the end, or a regular expression between slashes`,
		`to must be a regular expression of RE2 between the slashes: missing closing )`,
		`route "s": rewrite.to [0].replace: must name groups that match has: it has 1, and this names ${2}`,
	}, strings.Split(err.Error(), "\n"))
}

func TestATableWithoutRoutesMatchesNothing(t *testing.T) {
	tab, err := New(&config.Config{})
	require.NoError(t, err)
	_, ok := tab.Match("", "", "+31205550100", time.Time{})
	assert.False(t, ok)
	_, ok = tab.Trunk(netip.MustParseAddr("127.0.0.1"), nil)
	assert.False(t, ok)
}

func TestTheLongestNetworkIsTheOneThatASearchOfAllFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.SampledFrom([]byte{0, 1, 2, 127, 128, 255})
		address := rapid.Custom(func(t *rapid.T) netip.Addr {
			return netip.AddrFrom4([4]byte{10, bytes.Draw(t, "b"), bytes.Draw(t, "c"), bytes.Draw(t, "d")})
		})
		var cfg config.Config
		seen := map[netip.Prefix]bool{}
		for i := range rapid.IntRange(1, 8).Draw(t, "trunks") {
			p := netip.PrefixFrom(address.Draw(t, "network"), rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
			if !seen[p] {
				cfg.Trunks = append(cfg.Trunks, config.Trunk{Name: string(rune('a' + i)), From: []netip.Prefix{p}})
			}
			seen[p] = true
		}
		source, best, bits := address.Draw(t, "source"), "", -1
		for _, trunk := range cfg.Trunks {
			if trunk.From[0].Contains(source) && trunk.From[0].Bits() > bits {
				best, bits = trunk.Name, trunk.From[0].Bits()
			}
		}
		tab, err := New(&cfg)
		require.NoError(t, err)
		got, ok := tab.Trunk(source, nil)
		assert.Equal(t, best, got.Name)
		assert.Equal(t, best != "", ok)
	})
}
