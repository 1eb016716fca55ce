package phone

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"consentgw/internal/sdp"
	"consentgw/sip"
)

// Line is one call of a phone that is up.
type Line struct {
	phone   *Phone
	conn    *net.UDPConn
	ctx     context.Context // ends the two loops
	stop    context.CancelFunc
	loops   sync.WaitGroup
	leg     *sip.Leg
	offered *sdp.Session
	closing sync.Once

	mu      sync.Mutex // of all below
	agreed  sdp.Agreed
	secured secured
	version uint64
	say     speech
	sent    []Packet
	ear     ear
}

// Packet is one RTP packet as it left or arrived.
type Packet struct {
	At        time.Time
	Seq       uint16
	Timestamp uint32
	SSRC      uint32
	Type      uint8 // payload type
	Payload   []byte
}

func newLine(p *Phone, conn *net.UDPConn) *Line {
	ctx, stop := context.WithCancel(context.Background())
	return &Line{phone: p, conn: conn, ctx: ctx, stop: stop, version: 1, say: newSpeech(), ear: ear{news: make(chan struct{})}}
}

func (l *Line) local() sdp.Local {
	a := l.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return l.secure(sdp.Local{Addr: a.Addr(), Port: int(a.Port()), ID: uint64(a.Port()), Version: l.version})
}

// MediaAddr is where the line receives.
func (l *Line) MediaAddr() netip.AddrPort { return l.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// Leg is the dialog of the line.
func (l *Line) Leg() *sip.Leg { return l.leg }

// Far is where the line sends.
func (l *Line) Far() netip.AddrPort {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.agreed.Remote
}

func (l *Line) agree(a sdp.Agreed) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.protect(a.SRTP); err != nil {
		return err
	}
	l.agreed = a
	return nil
}

func (l *Line) answered(body []byte) error {
	answer, err := sdp.Parse(body)
	if err != nil {
		return err
	}
	agreed, err := sdp.Accept(l.offered, answer)
	if err != nil {
		return err
	}
	l.read(answer)
	return l.agree(agreed)
}

// inDialog answers what the far end asks for during the call.
func (l *Line) inDialog() sip.InDialog {
	return sip.InDialog{
		Offer: func(body []byte) ([]byte, error) {
			if change := l.phone.cfg.Change; change != nil {
				if err := change(l.ctx); err != nil {
					return nil, err
				}
			}
			offer, err := sdp.Parse(body)
			if err != nil {
				return nil, err
			}
			l.read(offer)
			l.mu.Lock()
			l.version++
			local := l.local()
			l.mu.Unlock()
			answer, agreed, err := sdp.NewAnswer(offer, local, l.phone.cfg.Codecs)
			if err != nil {
				return nil, err
			}
			return answer.Marshal(), l.agree(agreed)
		},
		Info: func(_ string, body []byte) int {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.ear.infos = append(l.ear.infos, string(body))
			l.ear.wake()
			return 200
		},
	}
}

// up starts the line of a dialog.
func (l *Line) up(leg *sip.Leg) {
	l.leg = leg
	l.listen()
}

func (l *Line) listen() {
	l.loops.Go(l.receive)
	l.loops.Go(l.send)
}

// Ended is closed when the dialog has ended, whoever ended it.
func (l *Line) Ended() <-chan struct{} { return l.leg.Context().Done() }

// Hangup ends the call if it is still up, and the line.
func (l *Line) Hangup(ctx context.Context) error {
	var err error
	if l.leg != nil {
		err = l.leg.Bye(ctx, "")
	}
	l.close()
	return err
}

// Drop ends the line without a word, as a phone that lost its power does. The
// dialog is left to the far end.
func (l *Line) Drop() { l.close() }

func (l *Line) close() {
	l.closing.Do(func() {
		l.stop()
		l.conn.SetReadDeadline(time.Unix(1, 0))
		l.loops.Wait()
		l.conn.Close()
		l.phone.forget(l)
	})
}

// Redirect describes the line anew with a direction, as hold and resume do.
func (l *Line) Redirect(ctx context.Context, direction sdp.Direction) error {
	l.mu.Lock()
	l.version++
	local := l.local()
	local.Direction = direction
	offer := sdp.NewOffer(local, l.phone.cfg.Codecs)
	l.offered = offer
	l.mu.Unlock()
	answer, err := l.leg.Reinvite(ctx, offer.Marshal())
	if err != nil {
		return err
	}
	return l.answered(answer)
}

// Hold puts the far end on hold.
func (l *Line) Hold(ctx context.Context) error { return l.Redirect(ctx, sdp.SendOnly) }

// Resume ends a hold.
func (l *Line) Resume(ctx context.Context) error { return l.Redirect(ctx, sdp.SendRecv) }

// PressInfo presses a key by SIP INFO.
func (l *Line) PressInfo(ctx context.Context, key byte) error {
	_, err := l.leg.Info(ctx, "application/dtmf-relay", []byte("Signal="+string(key)+"\r\nDuration=120\r\n"))
	return err
}

func newSSRC() uint32 { return rand.Uint32() | 1 }
