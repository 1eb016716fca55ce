package config

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lineNumber is what the full example moves with every key that is added above.
var lineNumber = regexp.MustCompile(`^[0-9]+:`)

// runFull makes one change each to the full example. Findings are held against
// their column and path; the number of the line is that of the day when the test
// was written (the lines themselves are tested with an example that stays).
func runFull(t *testing.T, mistakes []mistake) {
	base := full(t)
	lookup, environ := fullEnvironment()
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			require.Equal(t, 1, strings.Count(base, m.old), "the example has %q once", m.old)
			_, fs := Parse("f", []byte(strings.Replace(base, m.old, m.new, 1)), lookup, environ)
			got := []string{}
			for _, line := range lines(fs) {
				got = append(got, lineNumber.ReplaceAllString(strings.TrimPrefix(line, "f:"), ""))
			}
			want := []string{}
			for _, line := range m.want {
				want = append(want, lineNumber.ReplaceAllString(line, ""))
			}
			assert.Equal(t, want, got)
		})
	}
}

func TestOneMistakeInTheNodeAndItsSidesIsOneFindingAtItsPlace(t *testing.T) {
	runFull(t, []mistake{
		{"a long drain", "drain: 30s", "drain: 48h", []string{`10:10: error: node.drain: must be from 0s to 24h0m0s; it is "48h"`}},
		{"a negative limit", "max_calls: 4000", "max_calls: -1",
			[]string{`39:14: error: limits.max_calls: must be a whole number from 0 to 1000000; it is "-1"`}},
		{"a rate in words", "per_source_cps: 50 ", "per_source_cps: fast ",
			[]string{`40:19: error: limits.per_source_cps: must be calls per second from 0.01 to 100000, such as 20 or 0.5, or 0 for no limit; it is "fast"`}},
		{"a rate that is no rate", "per_source_cps: 50 ", "per_source_cps: 1e3 ",
			[]string{`40:19: error: limits.per_source_cps: must be calls per second from 0.01 to 100000, such as 20 or 0.5, or 0 for no limit; it is "1e3"`}},
		{"a rate that is hardly one", "per_source_cps: 50 ", "per_source_cps: 0.001 ",
			[]string{`40:19: error: limits.per_source_cps: must be calls per second from 0.01 to 100000, such as 20 or 0.5, or 0 for no limit; it is "0.001"`}},
		{"a limit nearly right", "  drop_after: 20", "  dropafter: 20",
			[]string{`41:3: error: limits.dropafter: unknown key; did you mean "drop_after"?`}},
		{"a certificate without a key", "      key: /etc/consentgw/tls/trunk.key\n", "",
			[]string{`20:5: error: listen.trunk.tls.key: is missing: name the file with our private key`}},
		{"an empty certificate", "cert: /etc/consentgw/tls/trunk.crt", `cert: ""`,
			[]string{`21:13: error: listen.trunk.tls.cert: must not be empty; it is ""`}},
		{"clients without authorities", "      ca: /etc/consentgw/tls/carriers.crt         # whose client certificates are believed\n", "",
			[]string{`20:5: error: listen.trunk.tls.ca: is missing: client_auth optional needs the authorities whose certificates are believed`}},
		{"clients that may be asked", "client_auth: optional", "client_auth: maybe",
			[]string{`24:20: error: listen.trunk.tls.client_auth: must be none, optional or required; it is "maybe"`}},
		{"clients that are not asked, by a trunk that wants them", "client_auth: optional", "client_auth: none",
			[]string{`56:14: error: trunks[1].tls.names: needs a tls: address in listen.trunk.sip and listen.trunk.tls.client_auth, optional or required: otherwise no carrier shows its certificate`}},
		{"no TLS at all, by the same trunk", ", \"tls:192.0.2.10:5061\"]", "]",
			[]string{`56:14: error: trunks[1].tls.names: needs a tls: address in listen.trunk.sip and listen.trunk.tls.client_auth, optional or required: otherwise no carrier shows its certificate`}},
		{"an advertised URI", "sip: sip.example.com ", "sip: sip:sip.example.com ",
			[]string{`26:12: error: listen.trunk.advertise.sip: must be a host or host:port, such as 203.0.113.10 or sip.example.com:5060, an IPv6 address in brackets; it is "sip:sip.example.com"`}},
		{"one advertised port of several", "sip: sip.example.com ", "sip: \"[2001:db8::1]:5060\" ",
			[]string{`27:12: error: listen.trunk.advertise.sip: names one port, and listen.trunk.sip has several: leave the port out`}},
		{"an advertised address", "sip: sip.example.com ", "sip: \"[2001:db8::1]\" ", nil},
		{"an advertised port that is none", "sip: sip.example.com ", "sip: sip.example.com:0 ",
			[]string{`26:12: error: listen.trunk.advertise.sip: must have a port from 1 to 65535, or none; it is "sip.example.com:0"`}},
		{"an advertised address that leads nowhere", "sip: sip.example.com ", "sip: 0.0.0.0 ",
			[]string{`26:12: error: listen.trunk.advertise.sip: must be the concrete address of one host: 0.0.0.0 and :: lead nowhere when they stand in SIP and SDP, or as a destination; it is "0.0.0.0"`}},
		{"advertised media by name", "media: 203.0.113.10", "media: sip.example.com",
			[]string{`27:14: error: listen.trunk.advertise.media: must be an IP address, such as 192.0.2.10; it is "sip.example.com"`}},
		{"a key of advertise", "      media: 203.0.113.10", "      rtp: 203.0.113.10", []string{`27:7: error: listen.trunk.advertise.rtp: unknown key`}},
	})
}

func TestOneMistakeInATrunkIsOneFindingAtItsPlace(t *testing.T) {
	runFull(t, []mistake{
		{"a codec", "codecs: [PCMA, PCMU]", "codecs: [PCMA, G729]", []string{`48:20: error: trunks[0].codecs[1]: must be PCMA, PCMU, G722 or opus; it is "G729"`}},
		{"a codec twice", "codecs: [PCMA, PCMU]", "codecs: [PCMA, PCMA]", []string{`48:20: error: trunks[0].codecs[1]: is listed twice`}},
		{"no codec", "codecs: [PCMA, PCMU]", "codecs: []",
			[]string{`48:13: error: trunks[0].codecs: is empty: no call could be agreed on; leave it out for all codecs`}},
		{"encryption as a boolean", `srtp: "off"`, "srtp: true",
			[]string{`49:11: error: trunks[0].srtp: must be text, is the boolean true: put it in quotes`}},
		{"off without quotes is text", `srtp: "off"`, "srtp: off", nil},
		{"a NAT in words", "nat: true", "nat: auto", []string{`50:10: error: trunks[0].nat: must be true or false; it is "auto"`}},
		{"a country without a plan", "country: NL                       # whose", "country: IT # whose",
			[]string{`51:14: error: trunks[0].country: must be a country whose numbering plan is built in, one of ` +
				`AT AU BE CA CH CZ DE DK ES FI FR GB IE NL NO NZ PL PT SE US; numbers of others can be rewritten by a route; it is "IT"`}},
		{"a country alone", "    normalize: e164                   # 00 and 0 become + and +31 before routes are looked for; default off\n", "",
			[]string{`51:14: warning: trunks[0].country: changes nothing without normalize: e164`}},
		{"numbers without a country", "    country: NL                       # whose national numbers it sends\n", "",
			[]string{`44:5: error: trunks[0].country: is missing: normalize e164 needs to know where the trunk's national numbers belong`}},
		{"another form of numbers", "normalize: e164", "normalize: E.164",
			[]string{`52:16: error: trunks[0].normalize: must be off or e164; it is "E.164"`}},
		{"a rate", "max_cps: 12.5", "max_cps: 12,5",
			[]string{`47:14: error: trunks[0].max_cps: must be calls per second from 0.01 to 100000, such as 20 or 0.5, or 0 for no limit; it is "12,5"`}},
		{"a wildcard", "names: [sip.carrier-b.example]", `names: ["*.carrier-b.example"]`,
			[]string{`56:15: error: trunks[1].tls.names[0]: must be a host name, such as sip.carrier.example, without wildcards; it is "*.carrier-b.example"`}},
		{"an address", "names: [sip.carrier-b.example]", `names: [192.0.2.1]`,
			[]string{`56:15: error: trunks[1].tls.names[0]: must be a host name, such as sip.carrier.example, without wildcards; it is "192.0.2.1"`}},
		{"no name", "names: [sip.carrier-b.example]", `names: []`,
			[]string{`56:14: error: trunks[1].tls.names: is empty: list the host names that its certificate may have`}},
		{"a name that the user part would end", "      username: consentgw\n      password: \"${env:CARRIER_B_PASSWORD}\"", "      username: \"a:b\"\n      password: \"${env:CARRIER_B_PASSWORD}\"",
			[]string{`58:17: error: trunks[1].auth.username: must be 1 to 128 characters of ASCII without " and \ and :`}},
		{"a realm with a quote", "realm: sip.example.com", `realm: 'sip"x'`,
			[]string{`60:14: error: trunks[1].auth.realm: must be 1 to 128 characters of ASCII without " and \; it is "sip\"x"`}},
		{"a password in clear", `"${env:CARRIER_B_PASSWORD}"`, "hunter2",
			[]string{`59:17: warning: trunks[1].auth.password: stands in the file in clear: use ${env:NAME} or ${file:PATH}`}},
		{"an empty password", `"${env:CARRIER_B_PASSWORD}"`, `"${env:NONE:-}"`, []string{`59:17: error: trunks[1].auth.password: must not be empty`}},
		{"no password", "      password: \"${env:CARRIER_B_PASSWORD}\"\n", "",
			[]string{`57:5: error: trunks[1].auth.password: is missing: give the password that the carrier signs its calls with`}},
		{"everybody, with neither certificate nor password", "    tls:\n      names: [sip.carrier-b.example]  # one of them must be in the client certificate\n    auth:\n      username: consentgw\n      password: \"${env:CARRIER_B_PASSWORD}\"\n      realm: sip.example.com          # default consentgw\n", "",
			[]string{`54:12: warning: trunks[1].from[0]: lets every host place calls through this trunk`, `54:25: warning: trunks[1].from[1]: lets every host place calls through this trunk`}},
		{"a network of two trunks, by certificate", `from: ["0.0.0.0/0", "::/0"]`, `from: ["198.51.100.0/24"]`, nil},
		{"a direction", "    nat: true ", "    direction: inbound\n    nat: true ", []string{`50:5: error: trunks[0].direction: unknown key`}},
	})
}

func TestOneMistakeInATargetIsOneFindingAtItsPlace(t *testing.T) {
	runFull(t, []mistake{
		{"a transport", "transport: tcp ", "transport: sctp ",
			[]string{`68:20: error: platforms[0].targets[0].transport: must be udp, tcp or tls; it is "sctp"`}},
		{"two transports", `uri: "sip:192.0.2.20:5060"`, `uri: "sip:192.0.2.20:5060;transport=UDP"`,
			[]string{`68:20: error: platforms[0].targets[0].transport: must not differ from what uri says, udp`}},
		{"the same transport twice", `uri: "sip:192.0.2.20:5060"`, `uri: "sip:192.0.2.20:5060;transport=TCP"`, nil},
		{"a secure URI without TLS", `uri: "sip:192.0.2.20:5060"`, `uri: "sips:192.0.2.20:5060"`,
			[]string{`68:20: error: platforms[0].targets[0].transport: must not differ from what uri says, tls`}},
		{"records of an address", `uri: "sip:center.example.net"`, `uri: "sip:192.0.2.21"`,
			[]string{`73:14: error: platforms[0].targets[1].srv: needs a host name in uri: an IP address has no SRV records`}},
		{"records of an IPv6 address", `uri: "sip:center.example.net"`, `uri: "sip:[2001:db8::1]"`,
			[]string{`73:14: error: platforms[0].targets[1].srv: needs a host name in uri: an IP address has no SRV records`}},
		{"records and a port", `uri: "sip:center.example.net"`, `uri: "sip:center.example.net:5061"`,
			[]string{`73:14: error: platforms[0].targets[1].srv: needs a uri without a port: the SRV records say the port`}},
		{"records in words", "srv: true", "srv: maybe", []string{`73:14: error: platforms[0].targets[1].srv: must be true or false; it is "maybe"`}},
		{"a host that is a URI", "host: center.example.com ", "host: sip:center.example.com ",
			[]string{`70:15: error: platforms[0].targets[0].host: must be a host or host:port, such as 203.0.113.10 or sip.example.com:5060, an IPv6 address in brackets; it is "sip:center.example.com"`}},
		{"an IPv6 address in From", "from_host: gw.example.com ", "from_host: '[2001:db8::1]' ", nil},
		{"a port in From", "from_host: gw.example.com ", "from_host: gw.example.com:5070 ",
			[]string{`70:20: error: platforms[0].targets[0].from_host: must be a host without a port, such as gw.example.com or 203.0.113.10, an IPv6 address in brackets; it is "gw.example.com:5070"`}},
		{"a host that is none", "from_host: gw.example.com ", "from_host: a@b ",
			[]string{`70:20: error: platforms[0].targets[0].from_host: must be a host without a port, such as gw.example.com or 203.0.113.10, an IPv6 address in brackets; it is "a@b"`}},
		{"a certificate that is not used", "transport: tls\n", "transport: udp\n",
			[]string{`78:9: warning: platforms[0].targets[1].tls: is not used: the target is not reached by TLS`}},
		{"a certificate without a key", "          key: /etc/consentgw/tls/client.key\n", "",
			[]string{`78:9: error: platforms[0].targets[1].tls.key: is missing: the certificate is of no use without its private key`}},
		{"a key without a certificate", "          cert: /etc/consentgw/tls/client.crt\n", "",
			[]string{`78:9: error: platforms[0].targets[1].tls.cert: is missing: the private key is of no use without its certificate`}},
		{"authorities alone", "          cert: /etc/consentgw/tls/client.crt\n          key: /etc/consentgw/tls/client.key\n", "", nil},
		{"a realm of the target's", "          username: consentgw\n          password: \"${env:CENTER_PASSWORD}\"", "          realm: x\n          username: consentgw\n          password: \"${env:CENTER_PASSWORD}\"",
			[]string{`76:11: error: platforms[0].targets[1].auth.realm: unknown key`}},
		{"a failure that is none", "failover_on: [408, 5xx, timeout]", "failover_on: [408, 200]",
			[]string{`87:24: error: platforms[0].failover_on[1]: must be a status code from 300 to 699, a class of them such as 5xx, or timeout; it is "200"`}},
		{"a failure in words", "failover_on: [408, 5xx, timeout]", "failover_on: [timeouts]",
			[]string{`87:19: error: platforms[0].failover_on[0]: must be a status code from 300 to 699, a class of them such as 5xx, or timeout; it is "timeouts"`}},
		{"a failure twice", "failover_on: [408, 5xx, timeout]", "failover_on: [408, 408]",
			[]string{`87:24: error: platforms[0].failover_on[1]: is listed twice`}},
		{"no failure", "failover_on: [408, 5xx, timeout]", "failover_on: []", nil},
		{"a busy target", "failover_on: [408, 5xx, timeout]", "failover_on: [486, 6xx]", nil},
		{"a host with a port", "host: center.example.com ", "host: center.example.com:5070 ", nil},
		{"a header that is no name", "[X-Account-Id]", "['X A']",
			[]string{`91:20: error: platforms[0].pass_headers[0]: must be the name of a SIP header, such as X-Account-Id; it is "X A"`}},
		{"a header of the gateway's own", "[X-Account-Id]", "[X-B, x-consent-status]",
			[]string{`91:25: error: platforms[0].pass_headers[1]: must not be a header by which the gateway itself tells of the consent; it is "x-consent-status"`}},
		{"a header that routes", "[X-Account-Id]", "[Route]",
			[]string{`91:20: error: platforms[0].pass_headers[0]: must not be a header that steers or secures the call, or says who calls: the gateway writes those itself; it is "Route"`}},
		{"a header twice", "[X-Account-Id]", "[X-Account-Id, X-Account-Id]",
			[]string{`91:34: error: platforms[0].pass_headers[1]: is listed twice`}},
		{"trust in a platform", "identity: untrusted", "identity: yes!",
			[]string{`92:15: error: platforms[0].identity: must be trusted or untrusted; it is "yes!"`}},
		{"distrust in a trunk", "identity: trusted", "identity: untrusted", nil},
		{"a preset", "headers: generic", "headers: avaya",
			[]string{`88:14: error: platforms[0].headers: must be generic, genesys, nice, amazon, twilio or audiocodes; it is "avaya"`}},
	})
}

func TestOneMistakeInARouteIsOneFindingAtItsPlace(t *testing.T) {
	runFull(t, []mistake{
		{"a moment to dial", "dial: after_decision", "dial: at_once",
			[]string{`111:11: error: policies[0].dial: must be after_decision or during_notice; it is "at_once"`}},
		{"an expression", `"/\\+3120555010[0-4]/"`, `"/(/"`,
			[]string{`116:9: error: routes[0].to: must be a regular expression of RE2 between the slashes: missing closing )`}},
		{"an expression without an end", `"/\\+3120555010[0-4]/"`, `"/1"`,
			[]string{`116:9: error: routes[0].to: must be a number as it comes in the URI, without spaces, or the beginning of one and a * at the end, or a regular expression between slashes`}},
		{"an empty number", `"/\\+3120555010[0-4]/"`, `""`, []string{`116:9: error: routes[0].to: must not be empty`}},
		{"a caller with a space", `from: "+31*"`, `from: "+31 20*"`,
			[]string{`117:11: error: routes[0].from: must be a number as it comes in the URI, without spaces, or the beginning of one and a * at the end, or a regular expression between slashes`}},
		{"a day", "days: [mon..thu, fri]", "days: [mon-fri]",
			[]string{`119:14: error: routes[0].when[0].days[0]: must be a day or a range of days: mon, tue, wed, thu, fri, sat or sun, such as mon..fri; it is "mon-fri"`}},
		{"a day twice", "days: [mon..thu, fri]", "days: [mon..thu, tue]",
			[]string{`119:24: error: routes[0].when[0].days[1]: has a day that is listed already`}},
		{"no day", "days: [mon..thu, fri]", "days: []", []string{`119:13: error: routes[0].when[0].days: is empty: leave it out for every day`}},
		{"hours", "hours: 09:00-17:30", "hours: 9-17",
			[]string{`120:14: error: routes[0].when[0].hours: must be two times of the day with a dash between, such as 09:00-17:30; it is "9-17"`}},
		{"hours without length", "hours: 09:00-17:30", "hours: 09:00-09:00",
			[]string{`120:14: error: routes[0].when[0].hours: must not begin and end at the same time: for the whole day, leave it out; it is "09:00-09:00"`}},
		{"a zone", "zone: Europe/Amsterdam", "zone: Europe/Amsterdan",
			[]string{`121:13: error: routes[0].when[0].zone: must be a time zone of the IANA database, such as Europe/Amsterdam or UTC; it is "Europe/Amsterdan"`}},
		{"no zone", "      zone: Europe/Amsterdam\n", "",
			[]string{`118:5: error: routes[0].when[0].zone: is missing: say on whose clock, such as Europe/Amsterdam`}},
		{"a key of the hours", "      zone: Europe/Amsterdam\n", "      zone: Europe/Amsterdam\n      day: mon\n",
			[]string{`122:7: error: routes[0].when[0].day: unknown key; did you mean "days"?`}},
		{"no window", "    when:                             # one window or a list of them; default: always\n      days: [mon..thu, fri]           # default: every day\n      hours: 09:00-17:30              # default: all day; 22:00-06:00 ends on the next day\n      zone: Europe/Amsterdam\n", "    when: []\n",
			[]string{`118:11: error: routes[0].when: is empty: leave it out for always`}},
		{"a window in words", "    when:                             # one window or a list of them; default: always\n      days: [mon..thu, fri]           # default: every day\n      hours: 09:00-17:30              # default: all day; 22:00-06:00 ends on the next day\n      zone: Europe/Amsterdam\n", "    when: weekdays\n",
			[]string{`118:11: error: routes[0].when: must be a list, is a single value`}},
		{"a group that is not there", `replace: "0${1}"`, `replace: "0${2}"`,
			[]string{`124:36: error: routes[0].rewrite.to[0].replace: must name groups that match has: it has 1, and this names ${2}`}},
		{"a dollar", `replace: "0${1}"`, `replace: "0$1"`,
			[]string{`124:36: error: routes[0].rewrite.to[0].replace: must be a number of at most 64 characters, in which ${1} stands for what the first group matched`}},
		{"a replacement that is looked up", `replace: "0${1}"`, `replace: "0${one}"`,
			[]string{`124:36: error: routes[0].rewrite.to[0].replace: ${ must be followed by env: or file:; write $${ for the characters themselves`}},
		{"an empty replacement", `replace: "0${1}"`, `replace: ""`,
			[]string{`124:36: error: routes[0].rewrite.to[0].replace: must be a number of at most 64 characters, in which ${1} stands for what the first group matched`}},
		{"no replacement", `, replace: "0${1}"}`, `}`,
			[]string{`124:11: error: routes[0].rewrite.to[0].replace: is missing: say what they become, such as +${1}`}},
		{"a rule that matches nothing", `{match: "+31*", replace: "0${1}"}`, `{match: "", replace: "0"}`,
			[]string{`124:19: error: routes[0].rewrite.to[0].match: must not be empty`}},
		{"a rule by a broken expression is one finding", `{match: "/\\+(\\d+)/"`, `{match: "/(/"`,
			[]string{`126:19: error: routes[0].rewrite.from[0].match: must be a regular expression of RE2 between the slashes: missing closing )`}},
		{"a rule alone", "      to:\n        - {match: \"+31*\", replace: \"0${1}\"}", "      to: {match: \"+31*\", replace: \"0${1}\"}",
			[]string{`123:11: error: routes[0].rewrite.to: must be a list, is a block of keys`}},
	})
}
