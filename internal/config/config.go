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
	"time"
)

// Config is a whole configuration. It is complete and consistent only if the
// Findings that came with it have no error; nothing changes it after that.
type Config struct {
	Node      Node
	Prompts   Prompts
	Listen    Listen
	Limits    Limits
	Network   Network
	Dialogs   Dialogs
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
	// Drain is how long calls may finish after the end was asked for, 0 to 24 h.
	// Default 10 s.
	Drain time.Duration
}

// Limits hold for the gateway as a whole, before any trunk is asked.
type Limits struct {
	// MaxCalls is how many calls may be up at once; 0, the default, is no limit.
	MaxCalls int
	// PerSourceCPS is how many INVITEs one source address may send per second,
	// with a burst of one second; 0, the default, is no limit.
	PerSourceCPS float64
	// DropAfter is how many requests of one source are refused with an answer
	// within ten seconds before it gets none; 0, the default: all are answered.
	DropAfter int
	// MaxCPU is the share of all processors' time, in percent, that the gateway
	// itself may use before it takes no new calls; 0, the default, is no limit.
	MaxCPU int
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
	// TLS is not nil if SIP has a tls: address.
	TLS       *TLS
	Advertise Advertise
}

// TLS names the files, in PEM, with which one end of a connection proves who it
// is and checks the other end. Whether they exist and fit, CheckFiles tells.
type TLS struct {
	// Cert is our certificate with its chain, Key its private key.
	Cert, Key string
	// CA holds the certificates that the other end must descend from. Empty: those
	// of the system, for servers; none, for clients.
	CA string
	// ClientAuth says whether a listener asks for a client certificate: none, the
	// default, optional or required. Empty on a target.
	ClientAuth string
}

// Advertise is how a side is reached from outside, if that differs from what it
// binds: behind a NAT, or by a name.
type Advertise struct {
	// SIP is what Via and Contact name: a host or host:port. Without a port it is
	// that of the listener. Empty: the address that is bound.
	SIP string
	// Media is what our SDP names. The zero Addr: Side.Media.
	Media netip.Addr
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
	// Ask says how the purposes are put: AskTogether, the default and the meaning
	// of empty, AskChoose or AskEach.
	Ask string
	// Notice and Language choose what is played. Notice defaults to "recording",
	// or to "purposes" if purposes are asked for one by one.
	Notice, Language string
	Keys             Keys
	// AnswerTimeout is the silence after the question. Default 6 s.
	AnswerTimeout time.Duration
	// Retries is how often the question is put again. Default 1.
	Retries   int
	Retention Retention
	// Dial says when the platform is called: DialAfterDecision, the default and
	// the meaning of empty, or DialDuringNotice.
	Dial string
	Waits
	// Tone is what parties hear while they are recorded, if they are not told by
	// signalling.
	Tone Tone
}

// Waits are how long the gateway waits during a recorded call.
type Waits struct {
	// MaxPause is when a pause that was asked for ends by itself. Default 0: never.
	MaxPause time.Duration
	// HoldBack is how long keys that a sequence of Keys may begin with are kept
	// from the other party. Default 1.5 s.
	HoldBack time.Duration
}

// Tone is a short tone at intervals.
type Tone struct {
	Every    time.Duration // 0: none
	HeardBy  string        // HeardByBoth, the default, or one of the others
	Recorded bool          // it is in the recording as well
}

// The values of Tone.HeardBy. The caller is the party who was asked.
const (
	HeardByBoth   = "both"
	HeardByCaller = "caller"
	HeardByAgent  = "agent"
)

// The values of Policy.Ask: one question for all purposes; one with a key that
// leads to a question for each; or a question for each from the beginning.
const (
	AskTogether = "together"
	AskChoose   = "choose"
	AskEach     = "each"
)

// The values of Policy.Dial. With DialDuringNotice the agent's telephone rings
// while the caller hears the notice; nothing is bridged or recorded before the
// decision either way.
const (
	DialAfterDecision = "after_decision"
	DialDuringNotice  = "during_notice"
)

// Controller is who is responsible for the processing (GDPR article 4(7)).
type Controller struct{ Name, Contact, Address, Country string }

// Keys are what a caller presses: one key each, and sequences of at least two for
// Withdraw, Pause and Resume. Defaults 1, 2, 0 and *9, and no Pause and Resume.
// Choose, by default 3, is empty unless the policy asks with AskChoose.
type Keys struct{ Yes, No, Repeat, Choose, Withdraw, Pause, Resume string }

// Retention is how long the evidence and the audio are kept.
type Retention struct{ Record, Recording Period }

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
