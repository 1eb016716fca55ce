package media

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"
)

// Packet types of RTCP (RFC 3550 section 12.1).
const (
	senderReport   = 200
	receiverReport = 201
)

// feedback is what is taken from a compound packet of the far end.
type feedback struct {
	sender bool   // it told its clock
	clock  uint32 // the middle of its NTP time
	// Of the block about our stream, if there is one.
	about        bool
	fraction     uint8 // lost since the last report, of 256
	jitter       uint32
	echoed, held uint32 // LSR and DLSR
}

// parseReports reads a compound packet with the checks of RFC 3550 appendix A.2:
// it begins with a report without padding, all parts are of version 2, and their
// lengths add up. Parts that are no reports are passed over. It allocates
// nothing and keeps nothing.
func parseReports(data []byte, ours uint32) (f feedback, ok bool) {
	if len(data) < 8 || data[0]&0x20 != 0 || data[1] != senderReport && data[1] != receiverReport {
		return f, false
	}
	for len(data) > 0 {
		if len(data) < 4 || data[0]>>6 != rtpVersion {
			return f, false
		}
		size := 4 + 4*int(binary.BigEndian.Uint16(data[2:]))
		if size > len(data) {
			return f, false
		}
		if !f.part(data[:size], ours) {
			return f, false
		}
		data = data[size:]
	}
	return f, true
}

// part takes one packet of a compound one, and reports whether it holds what
// its header promises.
func (f *feedback) part(data []byte, ours uint32) bool {
	blocks := 8
	switch data[1] {
	case senderReport:
		blocks = 28
	case receiverReport:
	default:
		return true
	}
	count := int(data[0] & 0x1F)
	if len(data) < blocks+24*count {
		return false
	}
	if data[1] == senderReport {
		f.sender, f.clock = true, binary.BigEndian.Uint32(data[10:])
	}
	for b := data[blocks:]; count > 0; b, count = b[24:], count-1 {
		if binary.BigEndian.Uint32(b) == ours {
			f.about, f.fraction, f.jitter = true, b[4], binary.BigEndian.Uint32(b[12:])
			f.echoed, f.held = binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
		}
	}
	return true
}

// sent is what a sender report says of our stream.
type sentReport struct {
	clock           uint32 // RTP time stamp of now
	packets, octets uint32
}

// compound builds a report: of what we sent, if we did, of what we got, if we
// did, with our name, and a goodbye if it is the last one.
func compound(now time.Time, ssrc uint32, name string, sent *sentReport, got []rtcp.ReceptionReport, last bool) ([]byte, error) {
	var list rtcp.CompoundPacket
	if sent != nil {
		list = append(list, &rtcp.SenderReport{SSRC: ssrc, NTPTime: ntp(now), RTPTime: sent.clock,
			PacketCount: sent.packets, OctetCount: sent.octets, Reports: got})
	} else {
		list = append(list, &rtcp.ReceiverReport{SSRC: ssrc, Reports: got})
	}
	list = append(list, rtcp.NewCNAMESourceDescription(ssrc, name))
	if last {
		list = append(list, &rtcp.Goodbye{Sources: []uint32{ssrc}})
	}
	return list.Marshal()
}

// ntp is a time as RFC 3550 section 4 writes it: seconds since 1900 and their
// 2^32nd parts.
func ntp(t time.Time) uint64 {
	const since1900 = 2208988800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// middle is the part of an NTP time that reports echo: 1/65536 s.
func middle(t time.Time) uint32 { return uint32(ntp(t) >> 16) }

// longestTrip is the longest round trip that is believed.
const longestTrip = 10 * time.Second

// roundTrip is how long a report of ours and its echo were under way (RFC 3550
// section 6.4.1, figure 2). Not ok: there was no report, or the clocks disagree.
func (f feedback) roundTrip(now time.Time) (time.Duration, bool) {
	if !f.about || f.echoed == 0 {
		return 0, false
	}
	trip := time.Duration(int32(middle(now)-f.echoed-f.held)) * time.Second / 65536
	return max(trip, 1), trip >= 0 && trip <= longestTrip
}
