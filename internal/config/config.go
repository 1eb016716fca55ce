// Package config reads the gateway's one YAML file into typed, validated
// values.
//
// A file goes through five steps, one file each: document.go turns YAML into a
// tree whose nodes know their line and column, expand.go puts in secrets from
// the environment and from files, overlay.go lets CONSENTGW_* variables replace
// single values, structure.go holds the tree against the known keys (keys.go),
// and decode*.go makes typed values which relate.go then checks against each
// other. Every step adds findings and goes on, so that an operator sees all
// mistakes at once.
package config

import (
	"net/netip"
	"strings"
	"time"
)

// Config is a whole configuration. It is complete and consistent only if the
// Findings that came with it have no error; nothing changes it after that.
type Config struct {
	Node      Node
	Prompts   Prompts
	Listen    Listen
	Trunks    []Trunk
	Platforms []Platform
	Recorders []Recorder
	Policies  []Policy
	Routes    []Route
	Store     Store
	Log       Log
}

// Node is this gateway among others.
type Node struct {
	// ID names the gateway in records, events and SIP headers. Default "gw-1".
	ID string
	// Data is the directory of the embedded store, the ledger and the spool.
	// Default "./consentgw-data", relative to the working directory.
	Data string
}

// Prompts says where the notices are.
type Prompts struct {
	// Dir holds <notice>/<version>/<language>/<prompt>.wav and .txt. Empty: the
	// built-in notices.
	Dir string
}

// Listen holds the addresses the gateway binds.
type Listen struct {
	// Trunk faces the carrier, Platform the contact center.
	Trunk, Platform Side
	// Recorder is the zero Side if the file has none.
	Recorder Side
	// API is host:port of the HTTP API. Default "127.0.0.1:8080".
	API string
}

// Side is one face of the gateway towards the network.
type Side struct {
	// SIP holds at least one address, except that the recorder's side may have
	// none. Port 0 lets the system choose.
	SIP []SIPAddr
	// Media is the address our SDP names and RTP binds; never unspecified.
	Media netip.Addr
	Ports PortRange
}

// SIPAddr is one signalling address.
type SIPAddr struct {
	Transport string // udp, tcp or tls
	Addr      netip.AddrPort
}

// String is the form of the file: "udp:127.0.0.1:5060".
func (a SIPAddr) String() string { return a.Transport + ":" + a.Addr.String() }

// PortRange is an inclusive range of UDP ports, an even RTP port and the odd
// RTCP port after it making a pair (RFC 3550 section 11). Low is even, High odd.
type PortRange struct{ Low, High uint16 }

// Pairs is how many RTP and RTCP port pairs the range holds.
func (r PortRange) Pairs() int {
	if r.High <= r.Low {
		return 0
	}
	return (int(r.High) - int(r.Low) + 1) / 2
}

// Trunk is a carrier, known by where its requests come from.
type Trunk struct {
	Name string
	From []netip.Prefix
	// MaxCalls is how many calls the trunk may have at once; 0 is no limit.
	MaxCalls int
}

// Platform is a contact center and the addresses it answers at.
type Platform struct {
	Name    string
	Targets []Target
	Options OptionsPing
	// AnswerTimeout is how long a target may ring. Default 30 s.
	AnswerTimeout time.Duration
}

// Target is one address of a platform. The lowest priority is tried first;
// among equals the weight is the share of the calls.
type Target struct {
	URI              string // a SIP URI (RFC 3261 section 19.1)
	Priority, Weight int    // default 1 and 1
}

// OptionsPing says how a platform's targets are probed.
type OptionsPing struct {
	// Every is the time between two probes of a target; 0 is off. Default 30 s.
	Every time.Duration
	// DownAfter failures in a row take a target down, UpAfter answers in a row
	// bring it back. Defaults 3 and 1.
	DownAfter, UpAfter int
}

// Recorder is where copies go.
type Recorder struct {
	Name string
	// Type is "rtp", with Caller and Agent, or "siprec", with URI.
	Type          string
	Caller, Agent netip.AddrPort
	URI           string
}

// Policy says how a caller is asked and what an answer means.
type Policy struct {
	Name       string
	Controller Controller
	// Jurisdiction is an ISO 3166 code: NL, or US-CA.
	Jurisdiction string
	// Basis is one of the six of GDPR article 6(1): consent, contract,
	// legal_obligation, vital_interests, public_task, legitimate_interests.
	Basis    string
	Purposes []string
	// Notice and Language choose what is played. Notice defaults to "recording".
	Notice, Language string
	Keys             Keys
	// AnswerTimeout is the silence after the question. Default 6 s.
	AnswerTimeout time.Duration
	// Retries is how often the question is put again. Default 1.
	Retries   int
	Retention Retention
}

// Controller is who is responsible for the processing (GDPR article 4(7)).
type Controller struct{ Name, Contact, Address, Country string }

// Keys are what a caller presses: one key each, and a sequence of at least two
// for Withdraw. Defaults 1, 2, 0 and *9.
type Keys struct{ Yes, No, Repeat, Withdraw string }

// Retention is how long the evidence and the audio are kept.
type Retention struct{ Record, Recording Period }

// Route sends a called number to a platform.
type Route struct {
	Name string
	// Trunk is the name of a trunk; empty is any.
	Trunk string
	// To is a called number, a prefix with a trailing '*', or empty for any.
	To       string
	Platform string
	// Policy is empty on a plain relay: nobody is asked, nothing is recorded.
	Policy    string
	Recorders []string
}

// Matches reports whether the called number, as it stands in the request URI,
// is one of this route's. The trunk is not looked at.
func (r Route) Matches(called string) bool {
	if r.To == "" {
		return true
	}
	if prefix, ok := strings.CutSuffix(r.To, "*"); ok {
		return strings.HasPrefix(called, prefix)
	}
	return called == r.To
}

// Route returns the first route that matches the trunk and the called number.
func (c *Config) Route(trunk, called string) (Route, bool) {
	for _, r := range c.Routes {
		if (r.Trunk == "" || r.Trunk == trunk) && r.Matches(called) {
			return r, true
		}
	}
	return Route{}, false
}

// Store says where consent is kept.
type Store struct {
	Redis *Redis // nil: the embedded store
}

// Redis is a Redis server, or the nodes of one deployment.
type Redis struct {
	Addrs              []string // host:port
	Username, Password string
	Database           int
	TLS                bool
	// Timeout bounds one command. Default 500 ms.
	Timeout time.Duration
}

// Log says what is logged: Level is debug, info, warn or error, Format is json
// or text. Defaults info and json.
type Log struct{ Level, Format string }
