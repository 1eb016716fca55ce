package recordserver

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"consentgw/internal/sdp"
)

// Packet is one packet of RTP as it arrived, without what the header extends
// to.
type Packet struct {
	At        time.Time
	Type      uint8
	Seq       uint16
	Timestamp uint32
	SSRC      uint32
	Payload   []byte
}

// errPacket: a datagram that is no RTP.
var errPacket = errors.New("not RTP")

// parsePacket reads RTP (RFC 3550 section 5.1).
func parsePacket(b []byte) (Packet, error) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return Packet{}, errPacket
	}
	at := 12 + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 {
		if len(b) < at+4 {
			return Packet{}, errPacket
		}
		at += 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
	}
	end := len(b)
	if b[0]&0x20 != 0 {
		end -= int(b[len(b)-1])
	}
	if at > end {
		return Packet{}, errPacket
	}
	return Packet{Type: b[1] & 0x7f, Seq: binary.BigEndian.Uint16(b[2:]), Timestamp: binary.BigEndian.Uint32(b[4:]),
		SSRC: binary.BigEndian.Uint32(b[8:]), Payload: slices.Clone(b[at:end])}, nil
}

// track is the audio of one label.
type track struct {
	conn  *net.UDPConn
	last  [16]byte // the datagram that we end the listening with
	done  chan struct{}
	stir  func()
	keyed atomic.Pointer[keyed] // nil: in clear

	audio audio // owned by the goroutine that listens, until done is closed

	mu   sync.Mutex // guards what follows
	got  []Packet   // without their payload if it was written
	odd  []string
	ssrc map[uint32]bool
	// formats are the codecs that were agreed on, by payload type.
	formats map[uint8]sdp.Codec
	reports Reports
}

// newTrack listens on a port of its own. path is where the audio goes; "": it is
// kept in memory.
func newTrack(addr netip.Addr, path string, stir func()) (*track, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(receiveBuffer) // the system's limit is as much as there is
	t := &track{conn: conn, done: make(chan struct{}), stir: stir, ssrc: map[uint32]bool{}, formats: map[uint8]sdp.Codec{}, audio: audio{path: path}}
	rand.Read(t.last[:])
	go t.listen()
	return t, nil
}

// agree lets packets come in a codec from now on, as well as in those before: some
// may be on their way.
func (t *track) agree(c sdp.Codec) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.formats[c.PT] = c
}

func (t *track) format(pt uint8) (sdp.Codec, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.formats[pt]
	return c, ok
}

func (t *track) port() int { return t.conn.LocalAddr().(*net.UDPAddr).Port }

// listen reads until close.
func (t *track) listen() {
	defer close(t.done)
	buf := make([]byte, 2048)
	for {
		n, err := t.conn.Read(buf)
		if err != nil || bytes.Equal(buf[:n], t.last[:]) {
			return
		}
		if n > 1 && buf[1] >= 192 && buf[1] <= 223 {
			t.report(buf[:n])
			t.stir()
			continue
		}
		plain, ok := t.open(buf[:n])
		if !ok {
			t.fault("a packet that is no authentic SRTP")
			continue
		}
		p, err := parsePacket(plain)
		if err != nil {
			t.fault("a datagram that is no RTP")
			continue
		}
		p.At = time.Now()
		t.take(p)
		t.stir()
	}
}

func (t *track) take(p Packet) {
	codec, ok := t.format(p.Type)
	if !ok {
		t.fault("a payload type that was not agreed on")
		return
	}
	t.audio.take(p, codec)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ssrc[p.SSRC] = true
	if t.audio.path != "" {
		p.Payload = nil
	}
	t.got = append(t.got, p)
}

// fault keeps what is wrong with the packets, once.
func (t *track) fault(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Contains(t.odd, text) {
		t.odd = append(t.odd, text)
	}
}

// faults is what was wrong with the packets.
func (t *track) faults() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	faults := slices.Clone(t.odd)
	if len(t.ssrc) > 1 {
		faults = append(faults, "several synchronisation sources on one line")
	}
	return faults
}

func (t *track) packets() []Packet {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.got)
}

// close ends the listening and completes the file. What was sent before the end
// of the session is on its way for a moment, or lies in the socket already: a
// datagram of our own comes behind it.
func (t *track) close() error {
	goodbye := time.AfterFunc(lastWords, func() {
		_, _ = t.conn.WriteTo(t.last[:], t.conn.LocalAddr()) // if it is lost, the deadline ends the listening
	})
	defer goodbye.Stop()
	_ = t.conn.SetReadDeadline(time.Now().Add(lastWords + unread))
	<-t.done
	return errors.Join(t.audio.err, t.audio.close(), t.conn.Close())
}

const (
	// lastWords is how long a track still listens when its session has ended.
	lastWords = 100 * time.Millisecond
	// unread bounds the reading of what lies in the socket then.
	unread = 10 * time.Second
	// receiveBuffer is some seconds of one stream, for a machine that is busy.
	receiveBuffer = 1 << 20
)
