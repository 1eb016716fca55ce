package recordserver

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"consentgw/internal/g711"
	"consentgw/internal/wav"
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
	conn *net.UDPConn
	last [16]byte // the datagram that we end the listening with
	done chan struct{}
	stir func()

	// Owned by the goroutine that listens, until done is closed.
	file *os.File
	wave *wav.Writer
	next uint32 // time stamp that continues the file
	err  error  // of writing

	mu   sync.Mutex // guards what follows
	got  []Packet   // without their payload if it was written
	odd  []string
	ssrc map[uint32]bool
}

// newTrack listens on a port of its own. path is where the audio goes; "": it is
// kept in memory.
func newTrack(addr netip.Addr, path string, stir func()) (*track, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(receiveBuffer) // the system's limit is as much as there is
	t := &track{conn: conn, done: make(chan struct{}), stir: stir, ssrc: map[uint32]bool{}}
	rand.Read(t.last[:])
	if path != "" {
		if t.file, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err == nil {
			t.wave, err = wav.NewWriter(t.file, 8000, 1)
		}
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go t.listen()
	return t, nil
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
		p, err := parsePacket(buf[:n])
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
	if p.Type != 0 && p.Type != 8 {
		t.fault("a payload type that was not agreed on")
		return
	}
	t.write(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ssrc[p.SSRC] = true
	if t.wave != nil {
		p.Payload = nil
	}
	t.got = append(t.got, p)
}

// longestGap is the longest silence that is written for audio that did not
// come: half an hour of hold, in samples.
const longestGap = 8000 * 60 * 30

// write puts the audio where its time stamp says, with silence for what is
// missing. What comes late is left out.
func (t *track) write(p Packet) {
	if t.wave == nil || t.err != nil {
		return
	}
	if t.wave.Duration() > 0 {
		switch gap := int32(p.Timestamp - t.next); {
		case gap < 0:
			return
		case gap <= longestGap:
			t.silence(int(gap))
		}
	}
	decode := g711.DecodeMu
	if p.Type == 8 {
		decode = g711.DecodeA
	}
	pcm := make([]int16, len(p.Payload))
	for i, c := range p.Payload {
		pcm[i] = decode(c)
	}
	t.keep(t.wave.Write(pcm))
	t.next = p.Timestamp + uint32(len(pcm))
}

func (t *track) silence(samples int) {
	for quiet := make([]int16, 8000); samples > 0 && t.err == nil; samples -= len(quiet) {
		t.keep(t.wave.Write(quiet[:min(samples, len(quiet))]))
	}
}

func (t *track) keep(err error) {
	if t.err == nil {
		t.err = err
	}
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
	err := errors.Join(t.err, t.conn.Close())
	if t.wave != nil {
		err = errors.Join(err, t.wave.Close(), t.file.Close())
	}
	return err
}

const (
	// lastWords is how long a track still listens when its session has ended.
	lastWords = 100 * time.Millisecond
	// unread bounds the reading of what lies in the socket then.
	unread = 10 * time.Second
	// receiveBuffer is some seconds of one stream, for a machine that is busy.
	receiveBuffer = 1 << 20
)
