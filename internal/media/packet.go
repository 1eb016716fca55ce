package media

import (
	"encoding/binary"

	"github.com/pion/rtp"
)

const (
	rtpVersion = 2
	headerSize = 12
	// maxPacket is the largest datagram taken: an Ethernet frame's worth.
	maxPacket = 1500
	eventSize = 4 // of one event block, RFC 4733 section 2.3
)

// packet is a received RTP packet. The payload lies in the buffer of the
// reader: without padding, and valid until the next read.
type packet struct {
	marker  bool
	pt      uint8
	seq     uint16
	ts      uint32
	ssrc    uint32
	payload []byte
}

// scratch is where a packet is built, with room to seal it. It belongs to
// whoever reads a socket.
type scratch [maxPacket + sealRoom]byte

// verdict says what a datagram is.
type verdict uint8

const (
	isRTP     verdict = iota
	notRTP            // another protocol: STUN, DTLS, RTCP, a keep-alive
	malformed         // RTP whose parts do not fit into it
)

// parse reads an RTP packet as RFC 3550 section 5.1 draws it:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	|V=2|P|X|  CC   |M|     PT      |       sequence number         |
//	|                           timestamp                           |
//	|                             SSRC                              |
//	|                    CSRC, 4 bytes each of CC                   |
//	|      profile, if X            |     length in 4-byte words    |
//
// Contributing sources and extensions are skipped, not read: they end here.
// An error value would have to be allocated for whoever floods the port with
// garbage, so the answer is a verdict.
func parse(data []byte) (packet, verdict) {
	if len(data) == 0 || data[0]>>6 != rtpVersion {
		return packet{}, notRTP
	}
	if len(data) >= 2 && isRTCP(data[1]) {
		return packet{}, notRTP
	}
	if len(data) < headerSize || len(data) > maxPacket {
		return packet{}, malformed
	}
	start, end := headerSize+4*int(data[0]&0x0F), len(data)
	if data[0]&0x10 != 0 {
		if start+4 > end {
			return packet{}, malformed
		}
		start += 4 + 4*int(binary.BigEndian.Uint16(data[start+2:]))
	}
	if data[0]&0x20 != 0 {
		padding := int(data[end-1])
		if padding == 0 {
			return packet{}, malformed
		}
		end -= padding
	}
	if start > end {
		return packet{}, malformed
	}
	return packet{
		marker:  data[1]&0x80 != 0,
		pt:      data[1] & 0x7F,
		seq:     binary.BigEndian.Uint16(data[2:]),
		ts:      binary.BigEndian.Uint32(data[4:]),
		ssrc:    binary.BigEndian.Uint32(data[8:]),
		payload: data[start:end],
	}, isRTP
}

// isSealed tells what would be RTP or SRTP by its first bytes. What padding says
// is not known before it is opened.
func isSealed(data []byte) bool {
	return len(data) >= headerSize && len(data) <= maxPacket && data[0]>>6 == rtpVersion && !isRTCP(data[1])
}

// isRTCP tells RTCP on an RTP port by its packet type, 192 to 223 (RFC 5761
// section 4).
func isRTCP(second byte) bool { return second >= 192 && second <= 223 }

// build writes an RTP header with nothing optional into buf, which holds at
// least headerSize bytes, and returns the room behind it.
func build(buf []byte, marker bool, pt uint8, seq uint16, ts, ssrc uint32) []byte {
	h := rtp.Header{
		Version: rtpVersion, Marker: marker, PayloadType: pt,
		SequenceNumber: seq, Timestamp: ts, SSRC: ssrc,
	}
	n, err := h.MarshalTo(buf)
	if err != nil { // the buffer is a constant of this package
		return nil
	}
	return buf[n:]
}
