package media

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func header(first, second byte, rest ...byte) []byte {
	return append([]byte{first, second, 0, 9, 0, 0, 0, 8, 0, 0, 0, 7}, rest...)
}

func TestADatagramIsRTPOrItIsNot(t *testing.T) {
	cases := map[string]struct {
		data    []byte
		is      verdict
		payload []byte
	}{
		"plain":                           {header(0x80, 0, 1, 2), isRTP, []byte{1, 2}},
		"no payload":                      {header(0x80, 0), isRTP, []byte{}},
		"marker and dynamic type":         {header(0x80, 0x80|101, 1), isRTP, []byte{1}},
		"one contributing source":         {header(0x81, 0, 9, 9, 9, 9, 1), isRTP, []byte{1}},
		"extension of one word":           {header(0x90, 0, 0xBE, 0xDE, 0, 1, 9, 9, 9, 9, 1), isRTP, []byte{1}},
		"empty extension":                 {header(0x90, 0, 0, 0, 0, 0, 1), isRTP, []byte{1}},
		"padding":                         {header(0xA0, 0, 1, 0, 2), isRTP, []byte{1}},
		"nothing but padding":             {header(0xA0, 0, 0, 2), isRTP, []byte{}},
		"largest":                         {header(0x80, 0, make([]byte, maxPacket-headerSize)...), isRTP, make([]byte, maxPacket-headerSize)},
		"too large":                       {header(0x80, 0, make([]byte, maxPacket-headerSize+1)...), malformed, nil},
		"empty":                           {nil, notRTP, nil},
		"keep-alive of two line ends":     {[]byte("\r\n\r\n"), notRTP, nil},
		"STUN":                            {[]byte{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, notRTP, nil},
		"DTLS":                            {header(22, 254), notRTP, nil},
		"version 1":                       {header(0x40, 0, 1), notRTP, nil},
		"version 3":                       {header(0xC0, 0, 1), notRTP, nil},
		"RTCP sender report":              {header(0x80, 200), notRTP, nil},
		"RTCP feedback":                   {header(0x81, 206), notRTP, nil},
		"one byte":                        {[]byte{0x80}, malformed, nil},
		"eleven bytes":                    {header(0x80, 0)[:11], malformed, nil},
		"contributing sources cut off":    {header(0x82, 0, 9, 9, 9, 9), malformed, nil},
		"extension header cut off":        {header(0x90, 0, 0, 0, 0), malformed, nil},
		"extension longer than the rest":  {header(0x90, 0, 0, 0, 0xFF, 0xFF, 1), malformed, nil},
		"padding of none":                 {header(0xA0, 0, 1, 0), malformed, nil},
		"padding longer than the payload": {header(0xA0, 0, 1, 3), malformed, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, is := parse(c.data)
			require.Equal(t, c.is, is)
			if is != isRTP {
				assert.Zero(t, p)
				return
			}
			assert.True(t, bytes.Equal(c.payload, p.payload))
			assert.Equal(t, packet{marker: c.data[1]&0x80 != 0, pt: c.data[1] & 0x7F, seq: 9, ts: 8, ssrc: 7, payload: p.payload}, p)
		})
	}
}

// FuzzParse holds our reading against pion's: what we take, pion takes and reads
// the same. pion looks into extensions, and then refuses more.
func FuzzParse(f *testing.F) {
	f.Add(header(0x80, 0, 1, 2))
	f.Add(header(0x91, 101, 1, 2, 3, 4, 0, 0, 0, 1, 9, 9, 9, 9, 1))
	f.Add(header(0xA0, 0x88, 1, 0, 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		ours, is := parse(data)
		var theirs rtp.Packet
		err := theirs.Unmarshal(data)
		if is != isRTP {
			if err == nil && is == malformed {
				assert.Greater(t, len(data), maxPacket, "pion reads it")
			}
			return
		}
		if err != nil {
			assert.NotZero(t, data[0]&0x10, "pion refuses it: %v", err)
			return
		}
		assert.Equal(t, theirs.Marker, ours.marker)
		assert.Equal(t, theirs.PayloadType, ours.pt)
		assert.Equal(t, theirs.SequenceNumber, ours.seq)
		assert.Equal(t, theirs.Timestamp, ours.ts)
		assert.Equal(t, theirs.SSRC, ours.ssrc)
		assert.True(t, bytes.Equal(theirs.Payload, ours.payload))
	})
}

// FuzzPacket throws datagrams at a stream that relays and records. Whatever
// they are: no panic, and what leaves is RTP of our own making, of an agreed
// type, under our SSRC, without anything but the payload of the original.
func FuzzPacket(f *testing.F) {
	f.Add(header(0x80, 0, 1, 2), true)
	f.Add(header(0x80, 8, 1, 2), false)
	f.Add(header(0x80, 0x80|101, 5, 0x80, 0, 160), true)
	f.Add(header(0xB1, 0, 1, 2, 3, 4, 0, 0, 0, 1, 9, 9, 9, 9, 1, 0, 2), true)
	l := newLine(f)
	far := l.callee.far()
	far.Codec, far.PayloadType, far.EventPT = PCMA, 8, 96
	l.b.Connect(far)
	sink := &kept{}
	l.a.TapTo(NewTap(openGate(f), 77, sink))
	stranger := newPhone(f)
	f.Fuzz(func(t *testing.T, data []byte, agreed bool) {
		sink.packets, l.callee.t = nil, t
		if !agreed {
			l.hear(l.a, l.now, data, stranger.addr)
			assert.Empty(t, l.callee.got())
			assert.Empty(t, sink.packets)
			return
		}
		l.says(data)
		p, is := parse(data)
		sent := l.callee.got()
		assert.LessOrEqual(t, len(sent), 1)
		for _, out := range sent {
			assert.Equal(t, isRTP, is)
			assert.Equal(t, l.b.SSRC(), out.SSRC)
			assert.Len(t, out.Payload, len(p.payload))
			assert.False(t, out.Extension || out.Padding || len(out.CSRC) > 0)
			assert.Contains(t, []uint8{8, 96}, out.PayloadType)
		}
		for _, out := range sink.packets {
			assert.Equal(t, isRTP, is)
			assert.EqualValues(t, 77, out.SSRC)
			assert.Contains(t, []uint8{0, 8}, out.PayloadType)
			assert.True(t, bytes.Equal(p.payload, out.Payload))
		}
	})
}
