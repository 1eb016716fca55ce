// Package phone is a user agent with a voice: it calls and answers over real
// SIP, speaks and hears real RTP, presses keys and keeps count of every packet.
// The demonstration and the tests of the gateway use it as caller and as
// contact center. Its media is its own, so that what it measures does not rest
// on the code that it measures.
package phone

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"consentgw/internal/sdp"
	"consentgw/sip"
)

// Config describes a phone.
type Config struct {
	Listen string       // such as "udp:127.0.0.1:0"
	TLS    *sip.TLS     // of a listener "tls:127.0.0.1:0"
	Codecs []sdp.Codec  // what it speaks, in its order; nil: PCMA, PCMU, telephone-event
	SRTP   *SRTP        // nil: its media is in clear
	Log    *slog.Logger // nil: nothing is logged
	// T1 is how soon its signalling is repeated (RFC 3261 17.1.1.1), and 64 of
	// it is when it gives up; 0: 500 ms.
	T1 time.Duration
	// Ring takes the incoming calls, each on its own goroutine; nil: busy.
	Ring func(ctx context.Context, r *Ring)
	// Change is asked before an offer within a call is answered, and may take its
	// time or refuse; nil: they are all accepted at once.
	Change      func(ctx context.Context) error
	RecordAware bool // wants to be told of recordings (RFC 7866 section 6.3)
	// Options answers OPTIONS; nil: 200.
	Options func() (code int, reason string)
}

// Phone is a user agent that is bound and served.
type Phone struct {
	cfg      Config
	endpoint *sip.Endpoint
	stop     context.CancelFunc
	served   chan error

	mu    sync.Mutex // of lines
	lines map[*Line]struct{}
}

// New binds a phone and serves it until Close.
func New(cfg Config) (*Phone, error) {
	if cfg.Codecs == nil {
		cfg.Codecs = []sdp.Codec{sdp.PCMA(), sdp.PCMU(), sdp.Event8000()}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	endpoint, err := sip.Listen(sip.Config{Listen: []string{cfg.Listen}, TLS: cfg.TLS, UserAgent: "consentgw-phone", T1: cfg.T1, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Phone{cfg: cfg, endpoint: endpoint, stop: stop, served: make(chan error, 1), lines: map[*Line]struct{}{}}
	go func() {
		p.served <- endpoint.Serve(ctx, sip.Handler{Invite: p.ring, Options: cfg.Options, Supported: cfg.tags()})
	}()
	<-endpoint.Serving()
	return p, nil
}

// tags are the extensions that the phone names.
func (c *Config) tags() []string {
	if c.RecordAware {
		return []string{"record-aware"}
	}
	return nil
}

// Addr is where the phone is reached.
func (p *Phone) Addr() netip.AddrPort { return p.endpoint.Addrs()[0].AddrPort }

// URI is the phone's address as a target.
func (p *Phone) URI() string {
	a := p.endpoint.Addrs()[0]
	return fmt.Sprintf("sip:%s;transport=%s", a.AddrPort, a.Transport)
}

// Close hangs up the lines that are left and ends the phone.
func (p *Phone) Close() error {
	p.mu.Lock()
	lines := slices.Collect(maps.Keys(p.lines))
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, l := range lines {
		l.Hangup(ctx)
	}
	p.stop()
	return <-p.served
}

func (p *Phone) forget(l *Line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lines, l)
}

// Dial is a call to make.
type Dial struct {
	Target string // the gateway's address as a SIP URI
	Caller string // a number reserved for fiction
	Called string
	CallID string                    // random if empty
	SDP    func(offer *sdp.Session)  // changes the offer before it is sent; may be nil
	Text   func(offer string) string // changes how the offer is written; may be nil
	Auth   *sip.Credentials          // answers a challenge; may be nil
	TLS    *sip.ClientTLS            // of a target by TLS; may be nil

	Headers []sip.Header     // more of them
	Present sip.Presentation // who calls, beside From
}

// Call dials and returns when the other end has answered. The line is up and
// its microphone is off.
func (p *Phone) Call(ctx context.Context, d Dial) (*Line, error) {
	l, err := p.newLine()
	if err != nil {
		return nil, err
	}
	offer := sdp.NewOffer(l.local(), p.cfg.Codecs)
	if d.SDP != nil {
		d.SDP(offer)
	}
	text := offer.Marshal()
	if d.Text != nil {
		text = []byte(d.Text(string(text)))
		if offer, err = sdp.Parse(text); err != nil {
			l.close()
			return nil, err
		}
	}
	l.offered = offer
	leg, err := p.endpoint.Dial(ctx, sip.Invite{Target: d.Target, Caller: d.Caller, Called: d.Called, CallID: d.CallID,
		Offer: text, InDialog: l.inDialog(), Auth: d.Auth, TLS: d.TLS,
		Headers: d.Headers, Present: d.Present, Extensions: sip.Extensions{Supported: p.cfg.tags()}})
	if err != nil {
		l.close()
		return nil, err
	}
	if err := l.answered(leg.SDP()); err != nil {
		leg.Bye(ctx, "")
		l.close()
		return nil, err
	}
	l.up(leg)
	return l, nil
}

// Ring is an incoming call that has not been answered.
type Ring struct {
	*sip.Incoming
	phone *Phone
}

func (p *Phone) ring(ctx context.Context, in *sip.Incoming) {
	if p.cfg.Ring == nil {
		in.Reject(486, "Busy Here")
		return
	}
	p.cfg.Ring(ctx, &Ring{in, p})
}

// Pick answers the call.
func (r *Ring) Pick(ctx context.Context) (*Line, error) {
	l, answer, err := r.prepare()
	if err != nil {
		return nil, err
	}
	leg, err := r.Answer(ctx, answer, l.inDialog())
	if err != nil {
		l.close()
		return nil, err
	}
	l.up(leg)
	return l, nil
}

// Early opens the line with a 183, so that the caller hears it before it is
// picked up with PickEarly.
func (r *Ring) Early() (*Line, []byte, error) {
	l, answer, err := r.prepare()
	if err != nil {
		return nil, nil, err
	}
	if err := r.Progress(183, "Session Progress", answer); err != nil {
		l.close()
		return nil, nil, err
	}
	l.listen()
	return l, answer, nil
}

// PickEarly answers a call that Early opened.
func (r *Ring) PickEarly(ctx context.Context, l *Line, answer []byte) error {
	leg, err := r.Answer(ctx, answer, l.inDialog())
	if err != nil {
		l.close()
		return err
	}
	l.leg = leg
	return nil
}

func (r *Ring) prepare() (*Line, []byte, error) {
	offer, err := sdp.Parse(r.Offer())
	if err != nil {
		r.Reject(400, "Malformed SDP")
		return nil, nil, err
	}
	l, err := r.phone.newLine()
	if err != nil {
		return nil, nil, err
	}
	l.read(offer)
	answer, agreed, err := sdp.NewAnswer(offer, l.local(), r.phone.cfg.Codecs)
	if err != nil {
		r.Reject(488, "No common codec")
		l.close()
		return nil, nil, err
	}
	if err := l.agree(agreed); err != nil {
		l.close()
		return nil, nil, err
	}
	return l, answer.Marshal(), nil
}

func (p *Phone) newLine() (*Line, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.Addr().Addr(), 0)))
	if err != nil {
		return nil, err
	}
	enlarge(conn)
	l := newLine(p, conn)
	l.NewKeys()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines[l] = struct{}{}
	return l, nil
}
