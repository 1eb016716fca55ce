package recordserver

import "encoding/binary"

// Reports are those of the sender of a track (RFC 3550 section 6), as they came.
type Reports struct {
	Sender  int    // sender reports
	SSRC    uint32 // of the last one
	Packets uint32 // that it told of
	Names   int    // source descriptions
	Goodbye bool
}

// Types of RTCP packets (RFC 3550 section 12.1).
const (
	senderReport      = 200
	sourceDescription = 202
	goodbye           = 203
)

// report takes a compound packet.
func (t *track) report(datagram []byte) {
	data := datagram
	if k := t.keyed.Load(); k != nil {
		var ok bool
		if data, ok = k.opener.OpenReport(datagram); !ok {
			t.fault("a report that is no authentic SRTCP")
			return
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(data) >= 8 {
		size := 4 + 4*int(binary.BigEndian.Uint16(data[2:]))
		if size > len(data) {
			break
		}
		switch {
		case data[1] == senderReport && size >= 28:
			t.reports.Sender++
			t.reports.SSRC, t.reports.Packets = binary.BigEndian.Uint32(data[4:]), binary.BigEndian.Uint32(data[20:])
		case data[1] == sourceDescription:
			t.reports.Names++
		case data[1] == goodbye:
			t.reports.Goodbye = true
		}
		data = data[size:]
	}
	if len(data) > 0 {
		t.odd = append(t.odd, "a report whose parts do not add up")
	}
}

// Reports are those that came with a label so far.
func (s *Session) Reports(label string) Reports {
	s.mu.Lock()
	t := s.tracks[label]
	s.mu.Unlock()
	if t == nil {
		return Reports{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reports
}
