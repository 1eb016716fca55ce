package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"consentgw/consent"
	"consentgw/internal/dtmf"
	"consentgw/internal/media"
	"consentgw/internal/sdp"
	"consentgw/sip"
)

var errAddress = errors.New("media address cannot be used")

// party is one side of a call: its dialog and its media. It is owned by the
// goroutine of the call; what the far end asks for reaches it through the inbox.
type party struct {
	name      string
	stream    *media.Stream
	signalled netip.Addr                // where its signalling comes from
	ours      func(netip.AddrPort) bool // a media socket of this gateway, or a recorder?
	leg       *sip.Leg                  // nil until answered
	dialog    string                    // Call-ID of the dialog it may use; empty until there is one
	negotiation
	info  chan dtmf.Press // keys that came by SIP INFO; the leg sends
	early context.Context // ends when early media has begun
	began context.CancelFunc
	life
	pressed presses
	voice   voice // what it hears from the gateway
	seen    vigil
	indication
}

// life is the packet loop of a party.
type life struct {
	running context.Context // ends when the loop is to end
	stop    context.CancelFunc
	stopped chan struct{} // closed when the loop has ended
}

// negotiation is where offer and answer have come to on one side.
type negotiation struct {
	laws      []sdp.Codec                             // what we offer to somebody of whom nothing is known
	choices   func(offered []sdp.Codec) [][]sdp.Codec // what we agree to, best first; nil: laws
	offered   []sdp.Codec                             // what it offered last, with its own numbers
	local     sdp.Local                               // what our description is made of
	described []byte                                  // our description as last sent
	agreed    sdp.Agreed
	round     uint                   // how often something was agreed
	prefers   string                 // what its last description asked for: see preference
	preferred string                 // and what the record says of it
	records   consent.RecordingState // whether its side records, as it says
	protection
}

// presses is what is remembered of a party's keys.
type presses struct {
	last     dtmf.Press
	once     dtmf.Once
	sequence *dtmf.Sequences // of the policy; nil until a key looks for them
	onward   chan info       // by SIP INFO, for the other party; the leg sends
}

func (c *Call) newParty(name string, ports *media.Ports, signalled netip.Addr) (*party, error) {
	stream, err := ports.Open()
	if err != nil {
		return nil, err
	}
	p := &party{name: name, stream: stream, signalled: signalled, ours: c.holds, info: make(chan dtmf.Press, 16), negotiation: negotiation{laws: lawsOf(nil)}}
	p.choices = func(offered []sdp.Codec) [][]sdp.Codec { return c.choices(p, offered) }
	p.pressed.onward = make(chan info, cap(p.info))
	local := ports.Public(stream.Local())
	p.local = sdp.Local{Addr: local.Addr(), Port: int(local.Port()), ID: uint64(rand.Uint32()), Version: 1}
	p.secure(c.srtpOf(ports))
	p.running, p.stop = context.WithCancel(context.Background())
	p.early, p.began = context.WithCancel(p.running)
	return p, nil
}

// listen runs the packet loop of p until hush. Should it end by itself, so does
// the call.
func (c *Call) listen(p *party) {
	p.stopped = make(chan struct{})
	go func() {
		defer close(p.stopped)
		c.guard(func() {
			err := p.stream.Run(p.running)
			if p.running.Err() != nil {
				return
			}
			var failure *media.PanicError
			if errors.As(err, &failure) {
				c.log.Error("media failed", "party", p.name, "error", err, "stack", failure.Stack)
			} else {
				c.log.Error("media failed", "party", p.name, "error", err)
			}
			c.end(fmt.Errorf("%w: %w", errMedia, err))
		})
	}()
}

// errMedia: nobody reads the packets of a party any more.
var errMedia = errors.New("media failed")

// hush ends the packet loop, waits for it and gives the ports back.
func (p *party) hush() {
	p.stop()
	if p.stopped != nil {
		<-p.stopped
	}
	p.stream.Close()
}

// accept answers an offer of the far end, the first or a later one, and points
// the stream where it says.
func (p *party) accept(offer *sdp.Session) error {
	answer, agreed, offered, err := p.answerTo(offer)
	if err != nil {
		return err
	}
	if err := p.usable(agreed.Remote); err != nil {
		return err
	}
	if err := p.settle(agreed); err != nil {
		return err
	}
	p.mark(answer)
	p.described, p.offered = answer.After(p.described), offered
	p.prefers = preference(offer, agreed.Index)
	p.records = cmp.Or(indicated(offer, agreed.Index), p.records)
	return nil
}

// offerAnew describes what we can do once more, for a far end that asks for an
// offer. It is not what that far end made of the last one: a hold could not be
// ended that way (RFC 6337 section 5.3). The media lines stay as many as they are
// (RFC 3264 section 8).
func (p *party) offerAnew() ([]byte, error) { return p.describe(p.agreed.Audio) }

// answered takes the far end's answer to our offer, which may come several
// times: early, from several forks, and at last.
func (p *party) answered(body []byte) error {
	answer, err := sdp.Parse(body)
	if err != nil {
		return err
	}
	ours, err := sdp.Parse(p.described)
	if err != nil {
		return err
	}
	agreed, err := sdp.Accept(ours, answer)
	if err != nil {
		return err
	}
	p.records = cmp.Or(indicated(answer, agreed.Index), p.records)
	if wish := preference(answer, agreed.Index); wish != "" {
		p.prefers = wish // silence on it takes back nothing that an offer said
	}
	if err := p.usable(agreed.Remote); err != nil {
		return err
	}
	return p.settle(agreed)
}

func (p *party) usable(remote netip.AddrPort) error {
	if !remote.IsValid() || remote.Addr().IsUnspecified() || remote.Port() == 0 {
		return nil // hold, or a host name: only the source of its packets can tell
	}
	if err := media.UsableFar(remote, p.stream.Local().Addr()); err != nil {
		return fmt.Errorf("%w: %w", errAddress, err)
	}
	if p.ours(remote) {
		return fmt.Errorf("%w: a media socket of the gateway itself or of a recorder", errAddress)
	}
	return nil
}

// settle points the stream where it was agreed, under the keys that were agreed.
func (p *party) settle(agreed sdp.Agreed) error {
	if err := p.protect(agreed.SRTP); err != nil {
		return err
	}
	p.agreed = agreed
	p.round++
	far := media.Far{
		Addr: agreed.Remote, Signalled: p.signalled, Round: p.round,
		Codec: codecOf(agreed.Audio), PayloadType: agreed.Audio.PT, LocalPT: agreed.LocalPT, EventPT: -1,
		Send: agreed.Send, Receive: agreed.Receive,
		Mux: agreed.RTCPMux, Seal: p.seal, Open: p.open,
	}
	if p.usable(agreed.RTCP) == nil {
		far.RTCP = agreed.RTCP // else there are no reports, and the call goes on
	}
	if agreed.Event != nil {
		far.EventPT, far.LocalEventPT, far.EventRate = int(agreed.Event.PT), int(agreed.LocalEventPT), agreed.Event.Rate
	}
	p.stream.Connect(far)
	return nil
}

// held reports whether the far end does not both send and receive.
func (p *party) held() bool { return !p.agreed.Send || !p.agreed.Receive }

// fresh reports whether a press is news: not the end of one that was seen, and
// not the same press by another method. It is told of every report.
func (p *party) fresh(d dtmf.Press) bool {
	if !p.pressed.once.New(d) {
		return false
	}
	p.pressed.last = d
	return true
}

// releases reports whether d is the end of the press before.
func (p *party) releases(d dtmf.Press) bool {
	return d.Released && d.Method == dtmf.RFC4733 && d.Method == p.pressed.last.Method &&
		d.Key == p.pressed.last.Key && d.SSRC == p.pressed.last.SSRC && d.Timestamp == p.pressed.last.Timestamp
}
