package config

import "testing"

func TestKeysThatTravelInClearAreWarnedOf(t *testing.T) {
	const trunk = "protects less than it seems while listen.trunk.sip has udp: or tcp: addresses: " +
		"its keys travel in SIP, where everybody on the way can read them"
	const target = "is not reached by TLS, but srtp is on: its keys travel in SIP, where everybody on the way can read them"
	const sip = `sip: ["udp:192.0.2.10:5060", "tcp:192.0.2.10:5060", "tls:192.0.2.10:5061"]`
	runFull(t, []mistake{
		{"a trunk that may come by UDP", `srtp: "off"`, "srtp: optional", []string{"1:11: warning: trunks[0].srtp: " + trunk}},
		{"a trunk that must not", `srtp: "off"`, "srtp: required", []string{"1:11: warning: trunks[0].srtp: " + trunk}},
		{"a target by TCP", `srtp: 'off'`, "srtp: required", []string{"1:14: warning: platforms[0].targets[0].uri: " + target}},
		{"TLS only, without SRTP", sip, `sip: ["tls:192.0.2.10:5061"]`, nil},
		{"no such policy", `srtp: 'off'`, "srtp: sdes",
			[]string{`1:11: error: platforms[0].srtp: must be off, optional or required; it is "sdes"`}},
	})
}
