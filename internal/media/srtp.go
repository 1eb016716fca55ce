package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"consentgw/internal/sdp"
)

const (
	// sealRoom is by how much a packet grows when it is sealed: the longest tag
	// (RFC 7714 section 13.2). Our keys have no identifier.
	sealRoom = 16
	// replayWindow is how many packets back a late one is still told from one
	// that is sent again. RFC 3711 section 3.3.2 asks for 64 or more.
	replayWindow = 1024
	// maxSources is how many SSRCs a far end may use under one key. Each has a
	// state that is kept as long as the key.
	maxSources = 64
)

// errNotSealed: a sequence number had been used under the key.
var errNotSealed = errors.New("packet not sealed")

// Sealer encrypts and authenticates what goes to one far end (RFC 3711, RFC
// 7714). As long as the key stays so must the Sealer: another one would use the
// key stream from its beginning once more.
type Sealer struct {
	suite sdp.Suite
	// Owned by the holder of the stream's token, or by who sends at an outlet.
	packets *srtp.Context
	header  rtp.Header
	used    window
	// Owned by who sends the reports.
	reports *srtp.Context
}

// NewSealer makes the keys of the session from a master key of the suite.
func NewSealer(suite sdp.Suite, key sdp.Key) (*Sealer, error) {
	s := &Sealer{suite: suite}
	var err error
	if s.packets, err = newContext(suite, key); err != nil {
		return nil, err
	}
	s.reports, err = newContext(suite, key)
	return s, err
}

// seal turns a packet into its SRTP form, in place: the slice has room for it.
// It refuses a sequence number that it has sealed before (RFC 3711 section 9.1).
func (s *Sealer) seal(packet []byte) ([]byte, error) {
	if !s.used.first(binary.BigEndian.Uint16(packet[2:])) {
		return nil, errNotSealed
	}
	return s.packets.EncryptRTP(packet, packet, &s.header)
}

// sealReport turns a compound RTCP packet into its SRTCP form.
func (s *Sealer) sealReport(packet []byte) ([]byte, error) {
	return s.reports.EncryptRTCP(nil, packet, nil)
}

// Opener checks and decrypts what comes from one far end. It refuses what is
// not authentic and what came before.
type Opener struct {
	suite sdp.Suite
	// Owned by who reads the RTP socket.
	packets *srtp.Context
	header  rtp.Header
	plain   [maxPacket]byte
	last    uint32 // SSRC of the packet before
	sources int
	// Owned by who reads a report, one at a time.
	reports *srtp.Context
}

// NewOpener makes the keys of the session from the master keys of the suite, of
// which there may be several if each has an identifier.
func NewOpener(suite sdp.Suite, keys []sdp.Key) (*Opener, error) {
	if len(keys) == 0 {
		return nil, errors.New("SRTP needs a key")
	}
	o := &Opener{suite: suite}
	var err error
	if o.packets, err = newContext(suite, keys[0], keys[1:]...); err != nil {
		return nil, err
	}
	o.reports, err = newContext(suite, keys[0], keys[1:]...)
	return o, err
}

// Open returns the plain packet of one sealed, valid until the next one. Not ok:
// it is not authentic, or came before. It may be used by one goroutine at a time.
func (o *Opener) Open(sealed []byte) (plain []byte, ok bool) {
	if len(sealed) < headerSize || len(sealed) > maxPacket+sealRoom {
		return nil, false
	}
	return o.open(sealed)
}

// open returns the plain packet, which is valid until the next one. The sealed
// one stays as it is.
func (o *Opener) open(sealed []byte) ([]byte, bool) {
	ssrc := binary.BigEndian.Uint32(sealed[8:])
	known := o.sources > 0 && ssrc == o.last
	if !known {
		if _, known = o.packets.ROC(ssrc); !known && o.sources == maxSources {
			return nil, false
		}
	}
	plain, err := o.packets.DecryptRTP(o.plain[:0], sealed, &o.header)
	if err != nil {
		return nil, false
	}
	if !known {
		o.sources++
	}
	o.last = ssrc
	return plain, true
}

// OpenReport is Open for a compound RTCP packet (RFC 3711 section 3.4), which it
// may overwrite. It is for another goroutine than Open.
func (o *Opener) OpenReport(sealed []byte) (plain []byte, ok bool) { return o.openReport(sealed) }

// openReport turns an SRTCP packet into its plain form, in place.
func (o *Opener) openReport(sealed []byte) ([]byte, bool) {
	plain, err := o.reports.DecryptRTCP(sealed, sealed, nil)
	return plain, err == nil
}

func newContext(suite sdp.Suite, key sdp.Key, more ...sdp.Key) (*srtp.Context, error) {
	profile, size := profileOf(suite)
	if size == 0 || len(key.Bytes()) != suite.KeyBytes() {
		return nil, fmt.Errorf("no SRTP key for suite %q", suite)
	}
	c, err := srtp.CreateContext(key.Bytes()[:size], key.Bytes()[size:], profile, srtp.MasterKeyIndicator(identifier(key)),
		srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
	for _, k := range more {
		if err == nil {
			err = c.AddCipherForMKI(identifier(k), k.Bytes()[:size], k.Bytes()[size:])
		}
	}
	return c, err
}

// profileOf names a suite for the cipher, with the length of its master key.
func profileOf(s sdp.Suite) (srtp.ProtectionProfile, int) {
	switch s {
	case sdp.AESCM80:
		return srtp.ProtectionProfileAes128CmHmacSha1_80, 16
	case sdp.AESCM32:
		return srtp.ProtectionProfileAes128CmHmacSha1_32, 16
	case sdp.AEAD128:
		return srtp.ProtectionProfileAeadAes128Gcm, 16
	case sdp.AEAD256:
		return srtp.ProtectionProfileAeadAes256Gcm, 32
	}
	return 0, 0
}

// identifier is the MKI as packets bear it: big-endian (RFC 4568 section 6.1).
func identifier(k sdp.Key) []byte {
	if k.MKIBytes == 0 {
		return nil
	}
	number := binary.BigEndian.AppendUint64(nil, k.MKI)
	if k.MKIBytes <= len(number) {
		return number[len(number)-k.MKIBytes:]
	}
	return append(bytes.Repeat([]byte{0}, k.MKIBytes-len(number)), number...)
}

// window remembers which of the last 64 sequence numbers were used.
type window struct {
	begun bool
	top   uint16
	seen  uint64 // bit n: top-n
}

// first reports whether a number is used for the first time, as far as is
// remembered; what is older was used.
func (w *window) first(seq uint16) bool {
	step := int16(seq - w.top)
	switch {
	case !w.begun:
		*w = window{begun: true, top: seq, seen: 1}
	case step > 0:
		w.top, w.seen = seq, w.seen<<step|1
	case step <= -64 || w.seen>>-step&1 != 0:
		return false
	default:
		w.seen |= 1 << -step
	}
	return true
}
