package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAPrivateAddressToldToAPublicPeerIsWarnedOf(t *testing.T) {
	const base = `listen:
  trunk: {sip: ["udp:TRUNK:5060"], media: TRUNK ADVERTISE}
  platform: {sip: ["udp:10.0.0.2:5070"], media: 10.0.0.2}
trunks: [{name: a, from: ["FROM"]}]
platforms: [{name: p, targets: [{uri: "sip:TARGET"}]}]
routes: [{name: r, platform: p}]
`
	for _, c := range []struct {
		name, trunk, advertise, from, target string
		want                                 []string
	}{
		{"all private", "10.0.0.1", "", "10.1.0.0/16", "10.2.0.1", nil},
		{"all on loopback", "127.0.0.1", "", "0.0.0.0/0", "center.example.com", nil},
		{"public carrier", "10.0.0.1", "", "198.51.100.0/24", "10.2.0.1", []string{"2:17: warning: listen.trunk.sip[0]: tells 198.51.100.0/24", "2:46: warning: listen.trunk.media: tells 198.51.100.0/24"}},
		{"everybody, from a shared address", "100.64.0.1", "", "0.0.0.0/0", "10.2.0.1", []string{"listen.trunk.sip[0]", "listen.trunk.media"}},
		{"a public carrier that is told what it sees", "10.0.0.1", `, advertise: {sip: 203.0.113.5, media: 203.0.113.5}`, "198.51.100.0/24", "10.2.0.1", nil},
		{"a name and a private address for media", "10.0.0.1", `, advertise: {sip: gw.example.com, media: 192.168.1.1}`, "198.51.100.0/24", "10.2.0.1", []string{"listen.trunk.advertise.media"}},
		{"half of it", "10.0.0.1", `, advertise: {sip: "192.168.1.1:5060", media: 203.0.113.5}`, "198.51.100.0/24", "10.2.0.1", []string{"listen.trunk.advertise.sip"}},
		{"public target", "10.0.0.1", "", "10.1.0.0/16", "203.0.113.20:5060", []string{"listen.platform.sip[0]: tells 203.0.113.20/32", "listen.platform.media: tells 203.0.113.20/32"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.NewReplacer("TRUNK", c.trunk, "ADVERTISE", strings.TrimSpace(c.advertise), "FROM", c.from, "TARGET", c.target).Replace(base)
			_, found := Parse("f", []byte(text), nil, nil)
			var got []string
			for _, line := range lines(found) {
				if strings.Contains(line, "private address") || strings.Contains(line, "error") {
					got = append(got, line)
				}
			}
			assert.Len(t, got, len(c.want), "%v", got)
			for i, want := range c.want[:min(len(c.want), len(got))] {
				assert.Contains(t, got[i], want)
			}
		})
	}
}
