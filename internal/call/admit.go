package call

import (
	"errors"
	"net/netip"
	"strconv"
	"time"

	"consentgw/consent"
	"consentgw/internal/headers"
	"consentgw/internal/media"
	"consentgw/internal/sdp"
	"consentgw/sip"

	"github.com/google/uuid"
)

// refusal is the one place where a reason becomes a SIP status (design 5.3).
type refusal struct {
	code       int
	word       string // metric label
	reason     string // told to the peer
	retryAfter int    // seconds; 0 none
}

var (
	refuseUnknownTrunk    = &refusal{code: 403, word: "unknown_trunk", reason: "Unknown trunk"}
	refuseUnknownPlatform = &refusal{code: 403, word: "unknown_platform", reason: "No calls are taken from this address"}
	refuseNoRoute         = &refusal{code: 404, word: "no_route", reason: "No route to this number"}
	refuseBadOffer        = &refusal{code: 400, word: "bad_sdp", reason: "Malformed SDP"}
	refuseNoOffer         = &refusal{code: 488, word: "no_offer", reason: "An outbound call needs an offer"}
	refuseNoCodec         = &refusal{code: 488, word: "no_codec", reason: "No common codec"}
	refuseNotSecured      = &refusal{code: 488, word: "not_secured", reason: "SRTP with SDES is required"}
	refuseBadAddress      = &refusal{code: 488, word: "bad_media_address", reason: "Unusable media address"}
	refuseNoPorts         = &refusal{code: 503, word: "no_ports", reason: "No media ports left", retryAfter: 5}
	refuseTrunkRate       = &refusal{code: 503, word: "trunk_rate", reason: "Calls per second of the trunk reached", retryAfter: 1}
	refuseSourceRate      = &refusal{code: 503, word: "source_rate", reason: "Calls per second of the source reached", retryAfter: 1}
	refuseOverload        = &refusal{code: 503, word: "overload", reason: "Processor load too high", retryAfter: 5}
	refuseFull            = &refusal{code: 503, word: "full", reason: "Call limit reached", retryAfter: 5}
	refuseNoTarget        = &refusal{code: 480, word: "no_target", reason: "No target is up"}
	refuseTrunkFull       = &refusal{code: 503, word: "trunk_full", reason: "Call limit of the trunk reached", retryAfter: 5}
	refuseDraining        = &refusal{code: 503, word: "draining", reason: "Draining", retryAfter: 30}
)

// after is r with the time after which another try has a chance, rounded up.
func (r *refusal) after(wait time.Duration) *refusal {
	return &refusal{r.code, r.word, r.reason, max(1, int((wait+time.Second-1)/time.Second))}
}

func (s *Service) refuse(in *sip.Incoming, trunk string, r *refusal) {
	s.Metrics.Invite(trunk, strconv.Itoa(r.code), r.word)
	s.Log.Info("call refused", "trunk", trunk, "code", r.code, "reason", r.word, "source", in.Source().Addr())
	var headers []sip.Header
	if r.retryAfter > 0 {
		headers = append(headers, sip.Header{Name: "Retry-After", Value: strconv.Itoa(r.retryAfter)})
	}
	if err := in.Reject(r.code, r.reason, headers...); err != nil {
		s.Log.Debug("refusal not sent", "error", err)
	}
}

// proven reports whether the sender knows what its trunk or platform asks of it.
// If not, the INVITE has been answered with 407 and a challenge.
func (s *Service) proven(in *sip.Incoming, j journey) bool {
	if j.auth == nil {
		return true
	}
	ok, err := in.Authenticate(sip.Challenge{Realm: j.auth.Realm, Username: j.auth.Username, Password: string(j.auth.Password)})
	if ok {
		return true
	}
	word := "challenged"
	if err != nil {
		word = "wrong_credentials"
		s.Log.Warn("call refused", "trunk", j.trunk.Name, "code", 407, "reason", word, "source", in.Source().Addr())
	}
	s.Metrics.Invite(j.trunk.Name, "407", word)
	return false
}

// admit holds an INVITE against the plan and takes what the call will need, so
// that a gateway without ports says so before the phone is answered. A call
// that is admitted has a record from here on, whatever becomes of it.
func (s *Service) admit(in *sip.Incoming, j journey) (*Call, *refusal) {
	if s.Overloaded() {
		return nil, refuseOverload
	}
	if ok, wait := j.plan.rates[j.trunk.Name].Take(s.Now()); !ok {
		return nil, refuseTrunkRate.after(wait)
	}
	if j.targets().AllDown() {
		return nil, refuseNoTarget
	}
	offer, refused := readOffer(in.Offer())
	if refused != nil {
		return nil, refused
	}
	if offer == nil && j.carrier != nil {
		return nil, refuseNoOffer // the callee could not be offered what the agent speaks
	}
	c := s.newCall(in, j)
	if refused := s.enter(c, j.trunk.MaxCalls); refused != nil {
		return nil, refused
	}
	admitted := false
	defer func() { // by a panic, too, which ends in package sip
		if !admitted {
			s.leave(c)
		}
	}()
	if refused := c.takePorts(offer, in); refused != nil {
		return nil, refused
	}
	admitted = true
	s.Metrics.Invite(c.route.trunk.Name, "100", "admitted")
	s.Metrics.CallStarted(c.route.trunk.Name)
	c.publish()
	c.log.Info("call admitted", "trunk", c.route.trunk.Name, "route", j.name)
	return c, nil
}

// readOffer parses an offer; nil if there is none.
func readOffer(body []byte) (*sdp.Session, *refusal) {
	if len(body) == 0 {
		return nil, nil // the offer is ours to make
	}
	offer, err := sdp.Parse(body)
	if err != nil {
		return nil, refuseBadOffer
	}
	return offer, nil
}

// takePorts opens a stream on each side and answers the offer with that of the
// party that calls.
func (c *Call) takePorts(offer *sdp.Session, in *sip.Incoming) *refusal {
	name, signalled := "caller", netip.Addr{} // from where else media may come than SDP says
	if c.route.carrier != nil {
		name = "callee"
	} else if c.route.trunk.NAT {
		signalled = in.Source().Addr()
	}
	asked, err := c.newParty(name, c.svc.TrunkPorts, signalled)
	if err != nil {
		return c.portsRefusal(err)
	}
	asked.laws = lawsOf(c.route.trunk.Codecs)
	agent, err := c.newParty("agent", c.svc.PlatformPorts, netip.Addr{})
	if err != nil {
		asked.stream.Close()
		return c.portsRefusal(err)
	}
	c.asked, c.agent = asked, agent
	if err := c.calling().begin(offer); err != nil {
		asked.stream.Close()
		agent.stream.Close()
		return mediaRefusal(err)
	}
	return nil
}

// mediaRefusal is why an offer cannot be accepted.
func mediaRefusal(err error) *refusal {
	switch {
	case errors.Is(err, errAddress):
		return refuseBadAddress
	case errors.Is(err, sdp.ErrNotSecured):
		return refuseNotSecured
	}
	return refuseNoCodec
}

// calling is the party whose INVITE began the call.
func (c *Call) calling() *party {
	if c.route.carrier != nil {
		return c.agent
	}
	return c.asked
}

// holds reports whether an address is a media socket of this gateway or of one
// of its recorders: media sent there would run in a circle, into another call,
// or to a recorder past every gate. A recorder is one of the plan that the call
// follows, or of the one in force by now.
func (c *Call) holds(addr netip.AddrPort) bool {
	s := c.svc
	return s.TrunkPorts.Holds(addr) || s.PlatformPorts.Holds(addr) ||
		c.route.plan.recordsAt(addr) || s.inForce.Load().recordsAt(addr)
}

func (c *Call) portsRefusal(err error) *refusal {
	if !errors.Is(err, media.ErrNoPorts) {
		c.log.Error("media sockets", "error", err)
	}
	return refuseNoPorts
}

func (s *Service) newCall(in *sip.Incoming, j journey) *Call {
	id := newRecordID()
	policy := consent.Policy{}
	if j.policy != nil {
		policy = *j.policy
	}
	call, subject := consent.Call{
		TrunkCallID: in.CallID(), Direction: "inbound", Trunk: j.trunk.Name, Route: j.name,
		Platform: j.platform.Name, Called: in.Called(), InvitedAt: s.Now(), Signalled: j.caller.evidence(),
	}, j.caller.subject()
	if j.carrier != nil {
		call.Direction, subject = "outbound", in.Called()
		call.TrunkCallID, call.PlatformCallID = uuid.NewString(), in.CallID()
		call.Signalled = consent.Signalled{Sessions: call.Signalled.Sessions} // the rest is about who is asked
	} else {
		j.passed = headers.Pass(j.platform.PassHeaders, in.Header)
	}
	record := consent.NewRecord(id, s.Node, s.Journal.Name, policy, call)
	record.Subject = subject
	return &Call{
		id: id, svc: s, route: j, rec: record,
		log:   s.Log.With("record", id),
		inbox: make(chan func()), over: make(chan struct{}), gone: make(chan struct{}),
	}
}
