package gateway_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"consentgw/internal/phone"
	"consentgw/internal/sdp"
	"consentgw/sip"
)

// lockedLog lets many goroutines write one log, and others read it meanwhile.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// desk is one target of the contact center.
type desk struct {
	refuse int           // answers every call with this code; 0 takes it
	silent bool          // answers nothing at all
	dead   bool          // nobody listens
	early  bool          // sends early media before it picks up
	rings  time.Duration // before it picks up
	lift   chan struct{} // rings until this is closed; nil: for the time above
	codecs []sdp.Codec
	srtp   *phone.SRTP // nil: in clear
	voice  float64     // its pitch; 0: the agent's
	// password that it asks the gateway for; empty: none
	password string

	aware bool                        // wants to be told of recordings
	meets func(context.Context) error // what it asks of a change of the call

	options, asked atomic.Int32 // its answer to OPTIONS if it is not 0, and how many there were

	phone *phone.Phone
	mute  net.PacketConn // of a silent or dead desk
	addr  string

	mu   sync.Mutex
	seen []*arrival
	past int // arrivals of earlier calls
	news chan struct{}
}

// arrival is a call at a desk.
type arrival struct {
	headers map[string]string
	header  func(name string) []string // any other of the INVITE
	line    *phone.Line                // nil until picked up
	gone    bool                       // cancelled before it was picked up
}

func (d *desk) open() error {
	d.news = make(chan struct{})
	if d.silent || d.dead {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		d.addr = conn.LocalAddr().String()
		if d.dead {
			return conn.Close()
		}
		d.mute = conn
		return nil
	}
	var err error
	d.phone, err = phone.New(phone.Config{Listen: "udp:127.0.0.1:0", Codecs: d.codecs, SRTP: d.srtp, Ring: d.ring, Options: d.alive, RecordAware: d.aware, Change: d.meets})
	return err
}

func (d *desk) close() error {
	if d.mute != nil {
		return d.mute.Close()
	}
	if d.phone == nil {
		return nil
	}
	return d.phone.Close()
}

func (d *desk) uri() string {
	if d.phone == nil {
		return "sip:" + d.addr
	}
	return d.phone.URI()
}

// alive answers OPTIONS.
func (d *desk) alive() (int, string) {
	d.asked.Add(1)
	if code := d.options.Load(); code != 0 {
		return int(code), "As the script says"
	}
	return 200, "OK"
}

func (d *desk) ring(ctx context.Context, r *phone.Ring) {
	a := &arrival{headers: map[string]string{}, header: r.Header}
	for _, name := range []string{"X-Consent-Status", "X-Consent-Id", "X-Consent-Outcome", "X-Consent-Language", "X-Consent-Purposes", "X-Recording", "X-CID", "Session-Expires", "Min-SE", "Contact", "Via", "From"} {
		if v := r.Header(name); len(v) == 1 {
			a.headers[name] = v[0]
		}
	}
	if d.refuse != 0 {
		r.Reject(d.refuse, "Not now")
		return
	}
	if d.password != "" {
		if ok, _ := r.Authenticate(sip.Challenge{Realm: "center", Username: "gateway", Password: d.password}); !ok {
			return
		}
	}
	d.change(func() { d.seen = append(d.seen, a) })
	line, err := d.pick(ctx, r)
	if err != nil {
		d.change(func() { a.gone = true })
		return
	}
	line.Speak(speech(cmp.Or(d.voice, agentVoice)), true)
	d.change(func() { a.line = line })
	select {
	case <-line.Ended():
	case <-ctx.Done():
	}
	line.Hangup(context.WithoutCancel(ctx))
}

func (d *desk) pick(ctx context.Context, r *phone.Ring) (*phone.Line, error) {
	var line *phone.Line
	var answer []byte
	var err error
	if d.early {
		if line, answer, err = r.Early(); err != nil {
			return nil, err
		}
		line.Speak(speech(900), true)
	} else if d.rings > 0 || d.lift != nil {
		r.Progress(180, "Ringing", nil)
	}
	var over <-chan time.Time
	if d.lift == nil {
		over = time.After(d.rings)
	}
	select {
	case <-over:
	case <-d.lift:
	case <-r.Context().Done():
		if line != nil {
			line.Drop()
		}
		return nil, errors.New("gone")
	}
	if d.early {
		return line, r.PickEarly(ctx, line, answer)
	}
	return r.Pick(ctx)
}

func (d *desk) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	close(d.news)
	d.news = make(chan struct{})
}

// expectAnother makes until wait for a call that has not arrived yet.
func (d *desk) expectAnother() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.past = len(d.seen)
}

// until waits for the newest arrival to be as ok wants it.
func (d *desk) until(ctx context.Context, ok func(*arrival) bool) (*arrival, error) {
	for {
		d.mu.Lock()
		var last *arrival
		if n := len(d.seen); n > d.past && ok(d.seen[n-1]) {
			last = d.seen[n-1]
		}
		news := d.news
		d.mu.Unlock()
		if last != nil {
			return last, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
