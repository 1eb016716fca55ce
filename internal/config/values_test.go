package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSIPURIs(t *testing.T) {
	for _, good := range []string{
		"sip:127.0.0.1", "sip:127.0.0.1:5090", "SIP:example.com", "sips:example.com:5061", "sip:[2001:db8::1]:5060", "sip:[::1]",
		"sip:srs@127.0.0.1:6060;transport=tcp", "sip:agents@example.com;transport=UDP;lr", "sip:+31205550100@example.com;user=phone",
		"sip:a%20b@example.com", "sip:a;b=c@example.com", "sip:_sip._udp.example.com", "sip:example.com.", "sip:pbx_1", "sip:pbx1;x=%41[1]",
	} {
		assert.NoError(t, checkURI(good), good)
	}
	for _, bad := range []string{
		"", "sip", "sip:", "tel:+31205550100", "http://example.com", "127.0.0.1:5090", "sip:@example.com", "sip:a@", "sip:a b@example.com",
		"sip:example.com;", "sip:example.com;=x", "sip:example.com;transport=ws", "sip:example.com;transport", "sip:example.com?Subject=x",
		"sip:user:secret@example.com", "sip:example.com:0", "sip:example.com:65536", "sip:example.com:", "sip:example.com:x", "sip:-a.com",
		"sip:a..b", "sip:2001:db8::1", "sip:[2001:db8::1", "sip:[127.0.0.1]", "sip:[fe80::1%25eth0]", "sip:[::1]x", "sip:exämple.com",
		"sip:a%zz@example.com", "sip:0.0.0.0", "sip:[::]", "sip:224.0.0.1", "sip:a@b@example.com", "sip:\x00", "sip:a\r\nb",
		"sip:" + strings.Repeat("a", 252),
	} {
		assert.Error(t, checkURI(bad), bad)
	}
}

func TestASIPURIErrorDoesNotRepeatThePassword(t *testing.T) {
	err := checkURI("sip:user:hunter2@example.com")
	require.EqualError(t, err, "must not have a password: SIP would send it in clear")
}

func TestSIPAddresses(t *testing.T) {
	for _, good := range []string{"udp:127.0.0.1:5060", "tcp:192.0.2.1:0", "tls:[2001:db8::1]:5061"} {
		a, err := parseSIPAddr(good)
		require.NoError(t, err, good)
		assert.Equal(t, good, a.String())
	}
	for _, bad := range []string{
		"", "udp", "udp:", "udp:127.0.0.1", "UDP:127.0.0.1:5060", "sctp:127.0.0.1:5060", "udp:localhost:5060", "udp::5060", "udp:127.0.0.1:65536",
		"udp:0.0.0.0:5060", "udp:[::]:5060", "udp:[::ffff:0.0.0.0]:5060", "udp:224.0.0.1:5060", "udp:255.255.255.255:5060", "udp:[fe80::1%eth0]:5060",
	} {
		_, err := parseSIPAddr(bad)
		assert.Error(t, err, bad)
	}
	a, err := parseSIPAddr("udp:[::ffff:127.0.0.1]:5060")
	require.NoError(t, err)
	assert.Equal(t, "udp:127.0.0.1:5060", a.String(), "one address has one form")
}

func TestPortRanges(t *testing.T) {
	r, err := parsePorts("16384 - 21999")
	require.NoError(t, err)
	assert.Equal(t, PortRange{16384, 21999}, r)
	assert.Equal(t, 2808, r.Pairs())
	r, err = parsePorts("65534-65535")
	require.NoError(t, err)
	assert.Equal(t, 1, r.Pairs())
	assert.Zero(t, PortRange{}.Pairs())
	for _, bad := range []string{
		"", "5000", "5000-", "-5000", "5001-5000", "5000-5000", "5001-5004", "5000-5002", "1000-1999", "60000-65536", "a-b", "5000-5001-5002", "5000..5001",
	} {
		_, err := parsePorts(bad)
		assert.Error(t, err, bad)
	}
}

func TestNetworks(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.0/24": "192.0.2.0/24", "192.0.2.7": "192.0.2.7/32", "2001:db8::/32": "2001:db8::/32", "2001:db8::1": "2001:db8::1/128",
		"::ffff:192.0.2.7": "192.0.2.7/32", "0.0.0.0/0": "0.0.0.0/0",
	} {
		p, err := parsePrefix(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, p.String())
	}
	for _, bad := range []string{"", "192.0.2.0/33", "192.0.2.1/24", "192.0.2", "carrier.example.com", "fe80::1%eth0", "192.0.2.0/", "::ffff:192.0.2.0/120"} {
		_, err := parsePrefix(bad)
		assert.Error(t, err, bad)
	}
}

func TestHostsWithPorts(t *testing.T) {
	for _, good := range []string{"127.0.0.1:6379", "redis:6379", "[::1]:6379", "redis-1.example.com:1", "redis_1:6379"} {
		assert.NoError(t, checkHostPort(good), good)
	}
	for _, bad := range []string{"", "redis", "redis:", ":6379", "redis:0", "redis:65536", "redis:http", "::1:6379", "a b:1", "redis://redis:6379", "-a:1"} {
		assert.Error(t, checkHostPort(bad), bad)
	}
	for _, good := range []string{"127.0.0.1:8080", ":8080", "localhost:0", "[::1]:8080", "0.0.0.0:8080"} {
		assert.NoError(t, checkAPI(good), good)
	}
	for _, bad := range []string{"", "8080", "127.0.0.1", "example.com:8080", "127.0.0.1:http", "127.0.0.1:65536"} {
		assert.Error(t, checkAPI(bad), bad)
	}
}

func TestPingsCanBeSwitchedOff(t *testing.T) {
	for in, want := range map[string]time.Duration{"0": 0, "0s": 0, "30s": 30 * time.Second, "1m30s": 90 * time.Second} {
		d, err := pingEvery(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, d)
	}
	for _, bad := range []string{"", "30", "1ms", "-1s", "2h", "often"} {
		_, err := pingEvery(bad)
		assert.Error(t, err, bad)
	}
}

func TestSuggestionsAreNearOrAbsent(t *testing.T) {
	keys := []string{"name", "trunk", "to", "platform", "policy", "recorders"}
	for written, want := range map[string]string{
		"nmae": "name", "Name": "name", "trunks": "trunk", "plattform": "platform", "polcy": "policy", "recorder": "recorders",
		"too": "to", "t": "to", "colour": "", "x": "", "": "", "recording": "recorders", "zzzzz": "",
	} {
		assert.Equal(t, want, closest(written, keys), written)
	}
	assert.Equal(t, 1, distance("ab", "ba", 9), "a swap is one mistake")
	assert.Equal(t, 3, distance("kitten", "sitting", 9))
	assert.Equal(t, 2, distance("", "ab", 9))
	assert.Equal(t, 2, distance("a", "abcdef", 2), "the limit")
}
