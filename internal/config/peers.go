package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Trunk is a carrier, known by where its requests come from. A source that is
// within networks of several trunks belongs to the longest.
type Trunk struct {
	Name string
	From []netip.Prefix
	// TLSNames are the identities, one of which the client certificate must have
	// (RFC 5922): the names of hosts, in small letters. Empty: none is asked for.
	TLSNames []string
	// Auth is asked of every INVITE by digest (RFC 8760); nil: none is.
	Auth *Auth
	// MaxCalls is how many calls the trunk may have at once; 0 is no limit.
	MaxCalls int
	// MaxCPS is how many calls per second the trunk may begin, with a burst of
	// one second; 0, the default, is no limit.
	MaxCPS float64
	// Codecs are those that are agreed on, PCMA, PCMU, G722 and OPUS, in our order
	// of preference, and no others. Empty, the default: PCMA and PCMU in the order
	// of the caller, then the other two, then whatever the caller offers.
	Codecs []string
	// SRTP is off, the default and the meaning of empty, optional or required.
	SRTP string
	// NAT lets media come from another address than SDP names, that of the
	// signalling, or from another port. Default true.
	NAT bool
	// Identity says whether what the trunk asserts of its callers is believed:
	// IdentityTrusted, the default and the meaning of empty, or IdentityUntrusted.
	Identity string
	// Country, by its code of ISO 3166, says how the trunk's national numbers are
	// to be read. Empty: not known.
	Country string
	// Normalize is e164 if the trunk's numbers are written with + and country code
	// before any route is looked for; off is the default and the meaning of empty.
	Normalize string
	// Destination is where outbound calls are dialed. The zero value, without
	// targets: the trunk takes none.
	Destination
}

// The values of Trunk.SRTP and Platform.SRTP.
const (
	SRTPOff      = "off"
	SRTPOptional = "optional"
	SRTPRequired = "required"
)

// The values of Trunk.Identity and Platform.Identity: within the trust domain of
// RFC 3325, or not.
const (
	IdentityTrusted   = "trusted"
	IdentityUntrusted = "untrusted"
)

// NormalizeE164 is the one value of Trunk.Normalize that does something.
const NormalizeE164 = "e164"

// Auth is what proves an identity by digest (RFC 3261 section 22).
type Auth struct {
	Username string
	Password Secret
	// Realm is ours, told to a trunk. Default "consentgw". Empty on a target,
	// which tells its own.
	Realm string
}

// Platform is a contact center and the addresses it answers at.
type Platform struct {
	Name string
	// Origin is where its own calls, the outbound ones, come from. The zero value:
	// it places none.
	Origin
	Destination
	// Headers is the preset of the headers that carry the consent: generic, the
	// default and the meaning of empty, genesys, nice, amazon, twilio or
	// audiocodes.
	Headers string
	// SRTP is off, the default and the meaning of empty, optional or required.
	SRTP string
	// UserToUser sends the consent in a User-to-User header as well. The default
	// is the preset's.
	UserToUser bool
	// PassHeaders are headers of the caller's INVITE that go on to the platform.
	PassHeaders []string
	// Identity says whether the platform is told who calls if the caller asked
	// that it be told to nobody beyond those who must know: IdentityTrusted, with
	// that wish, or IdentityUntrusted, the default and the meaning of empty.
	Identity string
	// Transfers says where the platform may lead its calls.
	Transfers Transfers
}

// Origin is who may place calls. A source that is within several networks belongs
// to the longest.
type Origin struct {
	From []netip.Prefix
	// TLSNames and Auth are as those of a [Trunk].
	TLSNames []string
	Auth     *Auth
}

// Destination is where calls are dialed, and with what patience.
type Destination struct {
	Targets []Target
	Options OptionsPing
	// AnswerTimeout is how long a target may ring. Default 30 s.
	AnswerTimeout time.Duration
	// FailoverOn says which failures of a target lead to the next one.
	FailoverOn FailoverOn
}

// Target is one address of a destination. The lowest priority is tried first;
// among equals the weight is the share of the calls, and 0 hardly any.
type Target struct {
	URI              string // a SIP URI (RFC 3261 section 19.1)
	Priority, Weight int    // default 1 and 1
	// Transport is udp, tcp or tls. Empty: what URI says.
	Transport string
	// SRV takes the addresses from the SRV records of the URI's host
	// (RFC 3263 section 4.2).
	SRV bool
	// Auth answers the target's challenges; nil: they are failures.
	Auth *Auth
	// FromHost stands in From instead of our address: a host without a port, which
	// From must not have (RFC 3261 section 19.1.1).
	FromHost string
	// Host stands in To and the request URI instead of the URI's host and port:
	// host or host:port.
	Host string
	// TLS is our client certificate and whom we trust; nil: no certificate, and
	// the authorities of the system.
	TLS *TLS
}

// OptionsPing says how a platform's targets are probed.
type OptionsPing struct {
	// Every is the time between two probes of a target; 0 is off. Default 30 s.
	Every time.Duration
	// DownAfter failures in a row take a target down, UpAfter answers in a row
	// bring it back. Defaults 3 and 1.
	DownAfter, UpAfter int
	// DownOn lists the answers that mean that the target takes no calls: status
	// codes and classes of them. Nil is the default, 503. With every other answer,
	// also one that knows no OPTIONS, the target is alive.
	DownOn []string
}

// Alive reports whether a final answer to OPTIONS means that calls are taken.
func (o OptionsPing) Alive(code int) bool {
	if o.DownOn == nil {
		return code != 503
	}
	return !FailoverOn(o.DownOn).Has(code)
}

// FailoverOn lists failures: status codes ("408"), classes of them ("5xx") and
// "timeout", which is no final response in time and no way to the target
// either. Nil is the default, 408, 5xx and timeout; empty but not nil: none.
type FailoverOn []string

// failoverTimeout is no response, as against one.
const failoverTimeout = "timeout"

// Has reports whether a final status code leads to the next target; 0 stands
// for no response.
func (f FailoverOn) Has(code int) bool {
	if f == nil {
		return code == 0 || code == 408 || code/100 == 5
	}
	if code == 0 {
		return slices.Contains(f, failoverTimeout)
	}
	return slices.Contains(f, strconv.Itoa(code)) || slices.Contains(f, strconv.Itoa(code/100)+"xx")
}

// String is "408 5xx timeout".
func (f FailoverOn) String() string { return strings.Join(f, " ") }
