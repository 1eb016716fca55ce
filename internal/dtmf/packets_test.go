package dtmf_test

import (
	"encoding/binary"
	"time"

	"consentgw/internal/dtmf"
)

// start is the moment every test begins at.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// packet is one telephone-event packet on its way to the decoder.
type packet struct {
	at        time.Duration // after start
	ssrc      uint32
	timestamp uint32
	event     uint8
	end       bool
	duration  uint16
}

func (p packet) payload() []byte {
	b := []byte{p.event, 10, 0, 0}
	if p.end {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], p.duration)
	return b
}

// tone is one key press as a well-behaved sender sends it: an update every 20
// ms, the last packet three times, segments when the duration field is full.
type tone struct {
	rate      uint32 // 0 is 8000
	ssrc      uint32
	timestamp uint32
	event     uint8
	at        time.Duration
	length    time.Duration // whole 20 ms
}

func (t tone) packets() []packet {
	if t.rate == 0 {
		t.rate = 8000
	}
	step := t.rate / 50
	segment, said := t.timestamp, uint32(0)
	var list []packet
	add := func(end bool) {
		list = append(list, packet{at: t.at, ssrc: t.ssrc, timestamp: segment, event: t.event, end: end, duration: uint16(said)})
	}
	for range int(t.length / (20 * time.Millisecond)) {
		t.at += 20 * time.Millisecond
		if said += step; said > 0xFFFF {
			over := said - 0xFFFF
			said = 0xFFFF
			add(false)
			segment, said = segment+0xFFFF, over
		}
		add(false)
	}
	list[len(list)-1].end = true
	for range 2 {
		t.at += 20 * time.Millisecond
		add(true)
	}
	return list
}

// decode pushes the packets at their times, calls Expire every 20 ms as audio
// packets do, until 2 s after the last one, and returns every report.
func decode(rate int, packets []packet) []dtmf.Press {
	d := dtmf.NewDecoder(rate)
	now := start
	var reports []dtmf.Press
	expireUntil := func(at time.Time) {
		for ; now.Before(at); now = now.Add(20 * time.Millisecond) {
			if press, ok := d.Expire(now); ok {
				reports = append(reports, press)
			}
		}
	}
	for _, p := range packets {
		expireUntil(start.Add(p.at))
		if press, ok := d.Push(now, 101, p.ssrc, p.timestamp, p.payload()); ok {
			reports = append(reports, press)
		}
	}
	expireUntil(now.Add(2 * time.Second))
	return reports
}

// pressed lists the keys of the first reports, one for each press.
func pressed(reports []dtmf.Press) string {
	type id struct {
		ssrc, timestamp uint32
		key             dtmf.Key
	}
	seen := map[id]bool{}
	text := ""
	for _, p := range reports {
		i := id{p.SSRC, p.Timestamp, p.Key}
		if !seen[i] {
			text += string(p.Key.Rune())
		}
		seen[i] = true
	}
	return text
}

func join(lists ...[]packet) []packet {
	var all []packet
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
