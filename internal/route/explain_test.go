package route

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const explained = `
  - {name: vip, trunk: b, to: "+31205550100", platform: p}
  - {name: sales, to: "+3120*", from: "+31*", platform: p}
  - {name: odd, to: '/\+4420\d+/', from: "+31205550199", platform: p}
  - name: office
    to: "+3110*"
    platform: p
    when: [{days: [mon..fri], hours: 09:00-17:30, zone: Europe/Amsterdam}, {days: [sat], hours: 10:00-12:00, zone: UTC}]
    rewrite: {to: [{match: "+31*", replace: "0${1}"}], from: [{match: "00*", replace: "+${1}"}, {match: "*", replace: "anonymous"}]}
  - {name: rest, trunk: b, platform: p}`

func TestEveryChoiceIsExplainedLineByLine(t *testing.T) {
	tab := table(t, twoTrunks, explained)
	for _, c := range []struct {
		name, trunk, from, to, at string
		want                      []string
	}{
		{"the first route", "b", "", "+31205550100", monday, []string{
			"route vip matches: the trunk is b, the called number is +31205550100",
		}},
		{"a route by both numbers", "a", "+31205550101", "+31205550102", monday, []string{
			"route vip: the trunk is a, not b",
			"route sales matches: the called number begins with +3120, the calling number begins with +31",
		}},
		{"a number that was normalised", "a", "0205550101", "0205550102", monday, []string{
			"trunk a: the calling number 0205550101 is +31205550101 in E.164",
			"trunk a: the called number 0205550102 is +31205550102 in E.164",
			"route vip: the trunk is a, not b",
			"route sales matches: the called number begins with +3120, the calling number begins with +31",
		}},
		{"hours, and numbers that are rewritten", "a", "", "+31105550100", monday, []string{
			"route vip: the trunk is a, not b",
			"route sales: the called number does not begin with +3120",
			`route odd: the called number does not match /\+4420\d+/`,
			"route office matches: the called number begins with +3110, it is mon 10:00, within mon..fri 09:00-17:30 Europe/Amsterdam",
			"rewrite.from[1] makes the calling number anonymous",
			"rewrite.to[0] makes the called number 0105550100",
		}},
		{"outside the hours", "b", "+12025550100", "+31105550100", "1 March 2026 10:00", []string{
			"route vip: the called number is not +31205550100",
			"route sales: the called number does not begin with +3120",
			`route odd: the called number does not match /\+4420\d+/`,
			"route office: it is sun 10:00, outside mon..fri 09:00-17:30 Europe/Amsterdam and sat 10:00-12:00 UTC",
			"route rest matches: the trunk is b",
		}},
		{"no route", "", "+12025550100", "+442079460100", monday, []string{
			"route vip: the trunk is unknown, not b",
			"route sales: the called number does not begin with +3120",
			"route odd: the calling number is not +31205550199",
			"route office: the called number does not begin with +3110",
			"route rest: the trunk is unknown, not b",
			"no route matches",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			choice, _ := tab.Explain(c.trunk, c.from, c.to, when(t, c.at))
			assert.Equal(t, c.want, choice.Why)
		})
	}
	all := table(t, twoTrunks, "  - {name: all, platform: p}")
	choice, ok := all.Explain("a", "", "+31205550100", time.Time{})
	assert.True(t, ok)
	assert.Equal(t, []string{"route all matches: it takes every call"}, choice.Why)
}

func TestWhatIsExplainedIsWhatHappens(t *testing.T) {
	tab := table(t, twoTrunks, explained)
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.OneOf(rapid.StringMatching(`\+31[12]0555010[0-9]`), rapid.StringMatching(`(\+|00)44207946010[0-9]`), rapid.Just(""), rapid.StringMatching(`0[12]0[0-9]{7}`))
		trunk := rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "trunk")
		from, to := numbers.Draw(t, "from"), numbers.Draw(t, "to")
		at := time.Unix(rapid.Int64Range(1_770_000_000, 1_790_000_000).Draw(t, "at"), 0)
		matched, ok1 := tab.Match(trunk, from, to, at)
		explained, ok2 := tab.Explain(trunk, from, to, at)
		assert.Equal(t, ok1, ok2)
		assert.NotEmpty(t, explained.Why)
		explained.Why = nil
		assert.Equal(t, matched, explained)
	})
}

func TestTheTrunkOfASourceIsExplained(t *testing.T) {
	tab := table(t, `
  - {name: rest, from: [192.0.2.0/24]}
  - {name: one, from: [192.0.2.0/28], tls: {names: [one.example, sip.one.example]}}`, "  - {name: r, platform: p}")
	for _, c := range []struct {
		name, source string
		identities   []string
		want         []string
	}{
		{"with its certificate", "192.0.2.1", []string{"one.example"}, []string{"trunk one: the source is in 192.0.2.0/28"}},
		{"without", "192.0.2.1", nil, []string{
			"trunk one: the source is in 192.0.2.0/28, but without a certificate for one.example or sip.one.example",
			"trunk rest: the source is in 192.0.2.0/24",
		}},
		{"a stranger", "198.51.100.1", nil, []string{"no trunk owns the source"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := netip.MustParseAddr(c.source)
			trunk, why, ok := tab.ExplainTrunk(source, c.identities)
			assert.Equal(t, c.want, why)
			same, found := tab.Trunk(source, c.identities)
			assert.Equal(t, same, trunk)
			assert.Equal(t, found, ok)
		})
	}
}

func TestACertificateSpeaksForItsDomains(t *testing.T) {
	link := func(text string) *url.URL {
		u, err := url.Parse(text)
		require.NoError(t, err)
		return u
	}
	for _, c := range []struct {
		name string
		cert *x509.Certificate
		want []string
	}{
		{"no certificate", nil, nil},
		{"nothing", &x509.Certificate{}, nil},
		{"a DNS name", &x509.Certificate{DNSNames: []string{"a.example", "b.example"}}, []string{"a.example", "b.example"}},
		{"a sip URI", &x509.Certificate{URIs: []*url.URL{link("sip:a.example"), link("SIP:b.example;lr")}}, []string{"a.example", "b.example"}},
		{"both", &x509.Certificate{URIs: []*url.URL{link("sip:a.example")}, DNSNames: []string{"b.example"}}, []string{"a.example", "b.example"}},
		{"a person is no domain", &x509.Certificate{URIs: []*url.URL{link("sip:alice@a.example")}}, nil},
		{"nor is a page", &x509.Certificate{URIs: []*url.URL{link("https://a.example"), link("sip://a.example")}}, nil},
		{"a common name", &x509.Certificate{Subject: pkix.Name{CommonName: "a.example"}}, []string{"a.example"}},
		{"a common name beside an address", &x509.Certificate{Subject: pkix.Name{CommonName: "a.example"}, IPAddresses: []net.IP{{192, 0, 2, 1}}}, nil},
		{"a common name beside another", &x509.Certificate{Subject: pkix.Name{CommonName: "a.example"}, DNSNames: []string{"b.example"}}, []string{"b.example"}},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, Identities(c.cert)) })
	}
}
