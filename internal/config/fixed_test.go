package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatCannotChangeWhileTheGatewayRunsIsNamedWithItsPlace(t *testing.T) {
	lookup, environ := fullEnvironment()
	old := parseFull(t)
	for _, c := range []mistake{
		{"nothing", "level: info", "level: info", nil},
		{"a limit of a trunk", "max_calls: 2000", "max_calls: 3000", nil},
		{"a target", "weight: 10 ", "weight: 20 ", nil},
		{"the node", "id: gw-1", "id: gw-2", []string{"8:7: error: node.id"}},
		{"an address", "udp:192.0.2.10:5070", "udp:192.0.2.10:5072", []string{"listen.platform.sip"}},
		{"an advertised address, taken out", "      media: 203.0.113.10             # default: media\n", "", []string{"listen.trunk.advertise"}},
		{"the ports", "ports: 22000-26999", "ports: 22000-25999", []string{"listen.platform.ports"}},
		{"a certificate's name", "tls/trunk.crt", "tls/new.crt", []string{"listen.trunk.tls"}},
		{"the API", "127.0.0.1:8080", "127.0.0.1:8081", []string{"listen.api"}},
		{"the store", "192.0.2.40:6379", "192.0.2.41:6379", []string{"store.redis"}},
		{"the log", "level: info", "level: debug", []string{"log.level"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, 1, strings.Count(full(t), c.old))
			file := filepath.Join(t.TempDir(), "consentgw.yaml")
			require.NoError(t, os.WriteFile(file, []byte(strings.Replace(full(t), c.old, c.new, 1)), 0o600))
			_, found := Reload(file, lookup, environ, old)
			got := lines(found)
			require.Len(t, got, len(c.want))
			for i, want := range c.want {
				assert.Contains(t, got[i], want)
				assert.Regexp(t, `^\S+:\d+:\d+: error: .+ cannot change while the gateway runs`, got[i])
			}
		})
	}
}

func TestAReloadWithoutAFileReadsTheVariablesAgain(t *testing.T) {
	old := Default()
	lookup, environ := environment("CONSENTGW_NODE_ID=other")
	_, found := Reload("", lookup, environ, old)
	require.ErrorContains(t, found.Err(), "cannot change while the gateway runs")
	_, found = Reload("", nil, nil, old)
	require.NoError(t, found.Err())
	_, found = Reload(filepath.Join(t.TempDir(), "none.yaml"), nil, nil, old)
	require.ErrorContains(t, found.Err(), "cannot be read")
}
