package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mistake is one change to the complete example and all it leads to.
type mistake struct {
	name, old, new string
	want           []string // without the name of the file
}

func runMistakes(t *testing.T, mistakes []mistake) {
	base := example(t)
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			require.Equal(t, 1, strings.Count(base, m.old), "the example has %q once", m.old)
			_, fs := Parse("c.yaml", []byte(strings.Replace(base, m.old, m.new, 1)), nil, nil)
			want := []string{}
			for _, w := range m.want {
				want = append(want, "c.yaml:"+w)
			}
			assert.Equal(t, want, append([]string{}, lines(fs)...))
			if !strings.Contains(strings.Join(want, "\n"), ": error: ") {
				assert.NoError(t, fs.Err())
			}
		})
	}
}

func TestOneMistakeInTheKeysIsOneFindingAtItsPlace(t *testing.T) {
	runMistakes(t, []mistake{
		{"a key nearly right", "max_calls", "max-calls",
			[]string{`27:5: error: trunks[0].max-calls: unknown key; did you mean "max_calls"?`}},
		{"a key in the wrong case", "max_calls", "maxCalls",
			[]string{`27:5: error: trunks[0].maxCalls: unknown key; did you mean "max_calls"?`}},
		{"a key with two letters swapped", "media: 127.0.0.1                # address", "meida: 127.0.0.1 # address",
			[]string{
				`10:3: error: listen.trunk.media: is missing: give the IP address that RTP uses on this side`,
				`12:5: error: listen.trunk.meida: unknown key; did you mean "media"?`,
			}},
		{"a key like no other", "max_calls: 2000", "colour: red", []string{`27:5: error: trunks[0].colour: unknown key`}},
		{"an unknown block is one finding", "log: {level", "logs: {colour: {red: 1}, level: 7}\nlog: {level",
			[]string{`76:1: error: logs: unknown key; did you mean "log"?`}},
		{"a key twice", "  id: gw-1", "  id: gw-1\n  id: gw-2",
			[]string{`4:3: error: node.id: is given twice, the first time on line 3`}},
		{"a block twice", "log: {level", "node: {id: gw-2}\nlog: {level",
			[]string{`76:1: error: node: is given twice, the first time on line 2`}},
		{"a value left out", "max_calls: 2000", "max_calls:",
			[]string{`27:5: error: trunks[0].max_calls: has no value: give it one, or leave the key out`}},
		{"a null", "max_calls: 2000", "max_calls: ~",
			[]string{`27:5: error: trunks[0].max_calls: has no value: give it one, or leave the key out`}},
		{"a list where a value belongs", "max_calls: 2000", "max_calls: [2000]",
			[]string{`27:16: error: trunks[0].max_calls: must be a single value, is a list`}},
		{"a value where a list belongs", `from: ["127.0.0.0/8"] `, `from: 127.0.0.0/8`,
			[]string{`26:11: error: trunks[0].from: must be a list, is a single value`}},
		{"a block where a list belongs", "routes:\n  - name: sales\n", "routes:\n    name: sales\n",
			[]string{`59:1: error: routes: must be a list, is a block of keys`}},
		{"a value where a block belongs", "log: {level: info, format: json}", "log: info",
			[]string{`76:6: error: log: must be a block of keys, is a single value`}},
		{"an empty item", `["127.0.0.0/8"]`, `["127.0.0.0/8", ]`, nil},
		{"a boolean where text belongs", "id: gw-1", "id: true",
			[]string{`3:7: error: node.id: must be text, is the boolean true: put it in quotes`}},
	})
}

func TestACompulsoryValueThatIsMissingIsOneFindingAtItsBlock(t *testing.T) {
	runMistakes(t, []mistake{
		{"media", "    media: 127.0.0.1                # address our SDP names and RTP binds\n", "",
			[]string{`10:3: error: listen.trunk.media: is missing: give the IP address that RTP uses on this side`}},
		{"the signalling address", `    sip: ["tcp:127.0.0.1:5080"]` + "\n", "", nil},
		{"jurisdiction", "    jurisdiction: NL\n", "",
			[]string{`47:5: error: policies[0].jurisdiction: is missing: say whose law applies, such as NL or US-CA`}},
		{"basis", "    basis: consent\n", "",
			[]string{`47:5: error: policies[0].basis: is missing: say on which of the six bases of GDPR article 6(1), such as consent`}},
		{"retention", "    retention: {record: P7Y, recording: P90D}\n", "",
			[]string{`47:5: error: policies[0].retention: is missing: say how long the record and the recording are kept`}},
		{"retention of the recording", "record: P7Y, recording: P90D", "record: P7Y",
			[]string{`57:16: error: policies[0].retention.recording: is missing: say how long the audio is kept, such as P90D`}},
		{"retention that is null", "retention: {record: P7Y, recording: P90D}", "retention: null",
			[]string{`57:5: error: policies[0].retention: has no value: give it one, or leave the key out`}},
		{"controller", `controller: {name: "Voorbeeld B.V.", contact: "privacy@example.com", address: "Kade 1, Utrecht", country: NL}`, "controller: {}",
			[]string{
				`48:17: error: policies[0].controller.name: is missing: give the controller's legal name`,
				`48:17: error: policies[0].controller.contact: is missing: give the address where data subjects reach the controller`,
				`48:17: error: policies[0].controller.address: is missing: give the controller's postal address`,
				`48:17: error: policies[0].controller.country: is missing: give the controller's country, such as NL`,
			}},
		{"purposes", "purposes: [quality]", "purposes: []",
			[]string{`51:15: error: policies[0].purposes: is empty: say what the recordings are for, such as [quality]`}},
		{"language", "    language: nl\n", "",
			[]string{`47:5: error: policies[0].language: is missing: say in which language callers are asked, such as nl`}},
		{"a platform in a route", "    platform: contact-center\n", "",
			[]string{`60:5: error: routes[0].platform: is missing: name the platform the calls go to, or come from if they are outbound`}},
		{"an address for plain copies", "    agent: 127.0.0.1:6002\n", "",
			[]string{`38:5: error: recorders[0].agent: is missing: type rtp needs the address that gets the agent's audio`}},
		{"the servers", `    addrs: ["127.0.0.1:6379"]` + "\n", "",
			[]string{`68:3: error: store.redis.addrs: is missing: list the servers as host:port`}},
		{"everything that has a default", "    keys: {yes: \"1\", no: \"2\", repeat: \"0\", withdraw: \"*9\"}\n", "", nil},
		{"the recorder's side", "  recorder:\n    sip: [\"tcp:127.0.0.1:5080\"]\n    media: 127.0.0.1\n    ports: 27000-31999\n", "", nil},
	})
}

func TestOneWrongAddressOrNumberIsOneFindingAtItsPlace(t *testing.T) {
	runMistakes(t, []mistake{
		{"a time without unit", "timeout: 500ms", "timeout: 500",
			[]string{`74:14: error: store.redis.timeout: must be a time with its unit, such as 30s, 500ms or 1m30s; it is "500"`}},
		{"a negative time", "answer_timeout: 6s", "answer_timeout: -6s",
			[]string{`55:21: error: policies[0].answer_timeout: must be from 100ms to 1m0s; it is "-6s"`}},
		{"a negative number", "max_calls: 2000", "max_calls: -1",
			[]string{`27:16: error: trunks[0].max_calls: must be a whole number from 0 to 1000000; it is "-1"`}},
		{"a fraction", "max_calls: 2000", "max_calls: 1.5",
			[]string{`27:16: error: trunks[0].max_calls: must be a whole number from 0 to 1000000; it is "1.5"`}},
		{"a hexadecimal number", "max_calls: 2000", "max_calls: 0x20",
			[]string{`27:16: error: trunks[0].max_calls: must be a whole number from 0 to 1000000; it is "0x20"`}},
		{"a word for a boolean", "tls: false", "tls: no",
			[]string{`73:10: error: store.redis.tls: must be true or false; it is "no"`}},
		{"host bits in a network", `["127.0.0.0/8"]`, `["127.0.0.1/8"]`,
			[]string{`26:12: error: trunks[0].from[0]: must be a network without host bits: did you mean 127.0.0.0/8; it is "127.0.0.1/8"`}},
		{"every host as a source", `["127.0.0.0/8"]`, `["0.0.0.0/0"]`,
			[]string{`26:12: warning: trunks[0].from[0]: lets every host place calls through this trunk`}},
		{"a signalling address that leads nowhere", `["tcp:127.0.0.1:5080"]`, `["tcp:[::]:5080"]`,
			[]string{`19:11: error: listen.recorder.sip[0]: must be the concrete address of one host: ` +
				`0.0.0.0 and :: lead nowhere when they stand in SIP and SDP, or as a destination; it is "tcp:[::]:5080"`}},
		{"a signalling address without transport", `["tcp:127.0.0.1:5080"]`, `["127.0.0.1:5080"]`,
			[]string{`19:11: error: listen.recorder.sip[0]: must be udp, tcp or tls, a colon, and an IP address with port, ` +
				`such as udp:192.0.2.10:5060; it is "127.0.0.1:5080"`}},
		{"a recorder that leads nowhere", "agent: 127.0.0.1:6002", "agent: 0.0.0.0:6002",
			[]string{`41:12: error: recorders[0].agent: must be the concrete address of one host: ` +
				`0.0.0.0 and :: lead nowhere when they stand in SIP and SDP, or as a destination; it is "0.0.0.0:6002"`}},
		{"a recorder without port", "agent: 127.0.0.1:6002", "agent: 127.0.0.1",
			[]string{`41:12: error: recorders[0].agent: must be an IP address and a port, such as 192.0.2.30:6000; it is "127.0.0.1"`}},
		{"a long value is cut", "level: info", "level: " + strings.Repeat("é", 99),
			[]string{`76:14: error: log.level: must be debug, info, warn or error; it is "` + strings.Repeat("é", 60) + `…"`}},
		{"a source of two trunks", "    max_calls: 2000\n", "  - {name: carrier-b, from: [\"127.0.0.0/8\"]}\n",
			[]string{`27:30: error: trunks[1].from[0]: is listed at trunks[0].from[0] already: a request must belong to one trunk`}},
		{"a TLS address without a certificate", `["tcp:127.0.0.1:5080"]`, `["tls:127.0.0.1:5080"]`,
			[]string{`19:11: error: listen.recorder.sip[0]: needs listen.recorder.tls with cert and key: nobody trusts a server that cannot say who it is`}},
		{"a TLS address", `["tcp:127.0.0.1:5080"]`, `["tls:127.0.0.1:5080"]` + "\n    tls: {cert: a.pem, key: a.key}", nil},
		{"ports of an odd beginning", "27000-31999", "27001-31999",
			[]string{`21:12: error: listen.recorder.ports: must begin at an even port and end at an odd one: ` +
				`RTP takes an even port, RTCP the one above; it is "27001-31999"`}},
		{"ports that overlap another side's", "27000-31999", "26000-31999",
			[]string{`21:12: error: listen.recorder.ports: 26000-31999 overlaps 22000-26999 of listen.platform on the same address`}},
		{"ports that overlap another side's default", "    ports: 22000-26999\n  recorder:\n    sip: [\"tcp:127.0.0.1:5080\"]\n    media: 127.0.0.1\n    ports: 27000-31999",
			"  recorder:\n    sip: [\"tcp:127.0.0.1:5080\"]\n    media: 127.0.0.1\n    ports: 26000-31999",
			[]string{`20:12: error: listen.recorder.ports: 26000-31999 overlaps 22000-26999 of listen.platform on the same address`}},
		{"the same ports on another address", "    media: 127.0.0.1\n    ports: 27000-31999", "    media: 127.0.0.2\n    ports: 16384-21999", nil},
		{"a signalling address twice", `["tcp:127.0.0.1:5080"]`, `["tcp:127.0.0.1:5070"]`,
			[]string{`19:11: error: listen.recorder.sip[0]: is the same address as listen.platform.sip[1]`}},
		{"the system's choice of port twice", `["tcp:127.0.0.1:5080"]`, `["tcp:127.0.0.1:0", "tcp:127.0.0.1:0"]`, nil},
		{"the API on a signalling address", `api: "127.0.0.1:8080"`, `api: "127.0.0.1:5060"`,
			[]string{`22:8: error: listen.api: is the same address as listen.trunk.sip[1]`}},
		{"the API for everyone", `api: "127.0.0.1:8080"`, `api: ":8080"`,
			[]string{`22:8: warning: listen.api: is reachable from other hosts, and the API asks nobody who they are: ` +
				`whoever reaches it reads consent records and ends calls`}},
		{"signalling inside the media ports", `["tcp:127.0.0.1:5080"]`, `["udp:127.0.0.1:27002"]`,
			[]string{`19:11: warning: listen.recorder.sip[0]: is inside the media ports of listen.recorder`}},
	})
}

func TestOneWrongWordIsOneFindingAtItsPlace(t *testing.T) {
	const keypad = `must be one key: a digit, * or #; it is `
	runMistakes(t, []mistake{
		{"two keys for yes", `yes: "1"`, `yes: "12"`, []string{`54:17: error: policies[0].keys.yes: ` + keypad + `"12"`}},
		{"the same key for yes and no", `no: "2"`, `no: "1"`, []string{`54:26: error: policies[0].keys.no: is the same key as yes`}},
		{"the same key as a default", `yes: "1", no: "2"`, `no: "1"`, []string{`54:16: error: policies[0].keys.no: is the same key as yes`}},
		{"a withdrawal that begins like no", `withdraw: "*9"`, `withdraw: "29"`,
			[]string{`54:54: error: policies[0].keys.withdraw: begins with the key for no, so pressing that key would be ambiguous`}},
		{"a pause that begins like yes", `withdraw: "*9"`, `withdraw: "*9", pause: "17"`,
			[]string{`54:67: error: policies[0].keys.pause: begins with the key for yes, so pressing that key would be ambiguous`}},
		{"a pause that a withdrawal begins with", `withdraw: "*9"`, `withdraw: "*9", pause: "*97"`,
			[]string{`54:67: error: policies[0].keys.pause: cannot be told from the keys for withdraw`}},
		{"a resume within a pause", `withdraw: "*9"`, `withdraw: "*9", pause: "#*7", resume: "*7"`,
			[]string{`54:82: error: policies[0].keys.resume: cannot be told from the keys for pause`}},
		{"a resume and no pause", `withdraw: "*9"`, `withdraw: "*9", resume: "*8"`,
			[]string{`54:68: warning: policies[0].keys.resume: has nothing to end: there are no keys for pause`}},
		{"a withdrawal by one key", `withdraw: "*9"`, `withdraw: "*"`,
			[]string{`54:54: error: policies[0].keys.withdraw: must be 2 to 8 keys, such as *9: a single key would be pressed by accident; it is "*"`}},
		{"keys without quotes", `{yes: "1", no: "2", repeat: "0", withdraw: "*9"}`, `{yes: 1, no: 2, repeat: 0, withdraw: 99}`, nil},
		{"a withdrawal without quotes", `withdraw: "*9"`, `withdraw: *9`, []string{`54:54: error: ` + noAlias}},
		{"a basis that does not exist", "basis: consent", "basis: implied",
			[]string{`50:12: error: policies[0].basis: must be consent, contract, legal_obligation, vital_interest, public_task or legitimate_interest; it is "implied"`}},
		{"a jurisdiction in words", "jurisdiction: NL", "jurisdiction: Netherlands",
			[]string{`49:19: error: policies[0].jurisdiction: must be a code of ISO 3166 in capital letters, such as NL or US-CA; it is "Netherlands"`}},
		{"recordings kept for ever", "recording: P90D", "recording: P9999Y",
			[]string{`57:41: error: policies[0].retention.recording: must be at most 100 years: keeping for ever is not allowed; it is "P9999Y"`}},
		{"recordings that outlive their proof", "recording: P90D", "recording: P8Y",
			[]string{`57:41: warning: policies[0].retention.recording: is longer than record: recordings would outlive the proof that they were allowed`}},
		{"a purpose twice", "[quality]", "[quality, quality]", []string{`51:25: error: policies[0].purposes[1]: is listed twice`}},
		{"a notice that leaves its directory", "notice: recording", "notice: ../recording",
			[]string{`52:13: error: policies[0].notice: must be 1 to 64 letters, digits, dots, dashes or underscores, the first one a letter or a digit; it is "../recording"`}},
		{"a platform that is no SIP URI", `{uri: "sip:127.0.0.1:5092", priority: 2, weight: 10}`, `{uri: "127.0.0.1:5092"}`,
			[]string{`33:15: error: platforms[0].targets[1].uri: ` + errURI.Error() + `; it is "127.0.0.1:5092"`}},
		{"a server without port", `addrs: ["127.0.0.1:6379"]`, `addrs: [localhost]`,
			[]string{`69:13: error: store.redis.addrs[0]: must be host:port, such as redis.example.com:6379; it is "localhost"`}},
		{"a server elsewhere without TLS", `addrs: ["127.0.0.1:6379"]`, `addrs: ["redis.example.com:6379", "[::1]:6379"]`,
			[]string{`69:13: warning: store.redis.addrs[0]: is on another host and tls is off: consent records and the password cross the network in clear`}},
		{"a password in clear", `"${env:CONSENTGW_REDIS_PASSWORD:-}"`, `hunter2`,
			[]string{`71:15: warning: store.redis.password: stands in the file in clear: use ${env:NAME} or ${file:PATH}`}},
		{"a password that is no text", `"${env:CONSENTGW_REDIS_PASSWORD:-}"`, `[hunter2]`,
			[]string{`71:15: error: store.redis.password: must be a single value, is a list`}},
		{"a called number with a space", `to: "+3120*"`, `to: "+31 20 555*"`,
			[]string{`62:9: error: routes[0].to: must be a number as it comes in the URI, without spaces, or the beginning of one and a * at the end, or a regular expression between slashes`}},
		{"a star in the middle", `to: "+3120*"`, `to: "+31*20"`,
			[]string{`62:9: error: routes[0].to: must be a number as it comes in the URI, without spaces, or the beginning of one and a * at the end, or a regular expression between slashes`}},
	})
}

func TestAReferenceThatLeadsNowhereIsOneFindingAtItsPlace(t *testing.T) {
	runMistakes(t, []mistake{
		{"to a trunk", "trunk: carrier-a", "trunk: carrier-b",
			[]string{`61:12: error: routes[0].trunk: no trunk is named "carrier-b"; did you mean "carrier-a"?`}},
		{"to a platform", "platform: contact-center", "platform: contact-centre",
			[]string{`63:15: error: routes[0].platform: no platform is named "contact-centre"; did you mean "contact-center"?`}},
		{"to a policy", "policy: nl", "policy: de", []string{`64:13: error: routes[0].policy: no policy is named "de"`}},
		{"to a recorder", "recorders: [archive]", "recorders: [archive, arcive]",
			[]string{`65:26: error: routes[0].recorders[1]: no recorder is named "arcive"; did you mean "archive"?`}},
		{"to a recorder twice", "recorders: [archive]", "recorders: [archive, archive]",
			[]string{`65:26: error: routes[0].recorders[1]: is listed twice`}},
		{"a name twice", "# - name: compliance                # a SIPREC recording server\n", "  - {name: archive, type: siprec, uri: \"sip:a\"}\n",
			[]string{`42:12: error: recorders[1].name: is the name of recorders[0] already`}},
		{"recorders on a plain relay", "    policy: nl\n", "",
			[]string{`64:16: error: routes[0].recorders: need a policy: without one nobody is asked, and nothing is recorded without consent`}},
		{"a plain relay", "    policy: nl\n    recorders: [archive]\n", "", nil},
		{"recorders on a basis other than consent", "basis: consent", "basis: contract",
			[]string{`65:16: error: routes[0].recorders: are not possible with policy "nl": its basis is contract, and the gateway records on consent only`}},
		{"a basis other than consent without recorders", "    recorders: [archive]\n", "", nil},
		{"plain copies to a SIP address", "    agent: 127.0.0.1:6002\n", "    agent: 127.0.0.1:6002\n    uri: \"sip:127.0.0.1\"\n",
			[]string{`42:10: error: recorders[0].uri: belongs to type siprec, and this recorder is of type rtp`}},
		{"both directions to one port", "agent: 127.0.0.1:6002", "agent: 127.0.0.1:6000",
			[]string{`41:12: error: recorders[0].agent: must differ from caller: the two directions are told apart by the port`}},
		{"a recording server", "type: rtp                       # plain copies: one port a direction\n    caller: 127.0.0.1:6000\n    agent: 127.0.0.1:6002\n",
			"type: siprec\n    uri: \"sip:srs@127.0.0.1:6060;transport=tcp\"\n", nil},
		{"a recording server with the keys of copies", "type: rtp                       # plain copies: one port a direction\n", "type: siprec\n",
			[]string{
				`38:5: error: recorders[0].uri: is missing: type siprec needs the SIP address of the recording server`,
				`40:13: error: recorders[0].caller: belongs to type rtp, and this recorder is of type siprec`,
				`41:12: error: recorders[0].agent: belongs to type rtp, and this recorder is of type siprec`,
			}},
	})
}

func TestARecordingServerNeedsAnAddressToAnswerTo(t *testing.T) {
	base := strings.Replace(example(t), "# - name: compliance                # a SIPREC recording server\n#   type: siprec\n#   uri:",
		"  - name: compliance\n    type: siprec\n    uri:", 1)
	const side = "  recorder:\n    sip: [\"tcp:127.0.0.1:5080\"]\n    media: 127.0.0.1\n    ports: 27000-31999\n"
	for _, c := range []struct {
		name, side string
		want       []string
	}{
		{"it has one", side, nil},
		{"no side", "", []string{"c.yaml:39:11: error: recorders[1].type: needs listen.recorder.sip: the recording server answers to that address"}},
		{"no address", "  recorder: {media: 127.0.0.1}\n",
			[]string{"c.yaml:40:11: error: recorders[1].type: needs listen.recorder.sip: the recording server answers to that address"}},
		{"a broken side is one finding", "  recorder: []\n", []string{"c.yaml:18:13: error: listen.recorder: must be a block of keys, is a list"}},
		{"a broken address is one finding", "  recorder: {media: 127.0.0.1, sip: x}\n",
			[]string{"c.yaml:18:37: error: listen.recorder.sip: must be a list, is a single value"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, 1, strings.Count(base, side))
			_, fs := Parse("c.yaml", []byte(strings.Replace(base, side, c.side, 1)), nil, nil)
			assert.Equal(t, c.want, lines(fs))
		})
	}
}
