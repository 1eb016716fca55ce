package phone

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"consentgw/internal/g711"
	"consentgw/internal/wav"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// said is a packet of one sample value, in one of the laws.
func said(law uint8, ts uint32, samples int, value int16) Packet {
	encode := g711.EncodeMu
	if law == 8 {
		encode = g711.EncodeA
	}
	return Packet{Type: law, Timestamp: ts, Payload: bytes.Repeat([]byte{encode(value)}, samples)}
}

func TestAWAVHasEveryPacketAtItsTime(t *testing.T) {
	const wrap = math.MaxUint32 - 159 // the next timestamp is 0
	for name, c := range map[string]struct {
		packets []Packet
		want    []int // samples of sound and of silence in turn
	}{
		"nothing":                     {nil, nil},
		"in a row":                    {[]Packet{said(0, 0, 160, 4000), said(0, 160, 160, 4000)}, []int{320}},
		"with a gap":                  {[]Packet{said(0, 0, 160, 4000), said(0, 480, 160, 4000)}, []int{160, 320, 160}},
		"in both laws":                {[]Packet{said(0, 0, 160, 4000), said(8, 160, 80, 4000)}, []int{240}},
		"beyond the end of the clock": {[]Packet{said(0, wrap, 160, 4000), said(0, 160, 160, 4000)}, []int{160, 160, 160}},
		"another clock":               {[]Packet{said(0, 0, 160, 4000), said(0, 90*8000, 160, 4000)}, []int{320}},
		"just below a minute":         {[]Packet{said(0, 0, 160, 4000), said(0, 60*8000, 160, 4000)}, []int{160, 60*8000 - 160, 160}},
		"a clock that goes back":      {[]Packet{said(0, 8000, 160, 4000), said(0, 0, 160, 4000)}, []int{320}},
		"with a key between": {[]Packet{said(0, 0, 160, 4000), {Type: 101, Timestamp: 160, Payload: []byte{1, 10, 0, 160}},
			said(0, 320, 160, 4000)}, []int{160, 160, 160}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, WriteWAV(&b, c.packets))
			audio, err := wav.Read(&b)
			require.NoError(t, err)
			assert.Equal(t, 8000, audio.Rate)
			assert.Equal(t, c.want, stretches(audio.PCM))
		})
	}
}

// stretches are the lengths of sound and silence in turn.
func stretches(pcm []int16) (list []int) {
	sound := true
	for _, v := range pcm {
		if loud := v != 0; len(list) == 0 || loud != sound {
			list, sound = append(list, 0), loud
		}
		list[len(list)-1]++
	}
	return list
}

func TestLoudnessIsTheRootMeanSquareOfWhatIsSound(t *testing.T) {
	event := Packet{Type: 101, Payload: []byte{255, 255, 255, 255}}
	assert.Zero(t, Loudness(nil))
	assert.Zero(t, Loudness([]Packet{event}))
	for _, law := range []uint8{0, 8} {
		assert.InDelta(t, 0, Loudness([]Packet{said(law, 0, 160, 0)}), 10, "silence")
		assert.InDelta(t, 4000, Loudness([]Packet{said(law, 0, 160, 4000)}), 150)
		assert.InDelta(t, 4000, Loudness([]Packet{said(law, 0, 80, 4000), event, said(law, 80, 80, -4000)}), 150)
		assert.InDelta(t, 4000/math.Sqrt2, Loudness([]Packet{said(law, 0, 80, 4000), said(law, 80, 80, 0)}), 150)
	}
}

func TestAForgedKeyIsAWholePacket(t *testing.T) {
	for key, code := range map[byte]byte{'0': 0, '9': 9, '*': 10, '#': 11, 'D': 15} {
		p, ok := parse(Event(key, 7, 4711, 800, true))
		require.True(t, ok)
		assert.Equal(t, []any{uint8(101), uint16(7), uint32(4711)}, []any{p.Type, p.Seq, p.Timestamp})
		assert.Equal(t, []byte{code, 0x8A, 3, 32}, p.Payload)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 12))
	f.Add(append([]byte{0x80, 0x88, 1, 2}, make([]byte, 168)...))
	f.Add([]byte{0x90, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xBE, 0xDE})
	f.Add(Event('1', 1, 160, 160, false))
	f.Add([]byte("\x80\xc50000000000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parse(b)
		rtcp := len(b) > 1 && b[1] >= 192 && b[1] <= 223
		require.Equal(t, len(b) >= 12 && b[0] == 0x80 && !rtcp, ok)
		if !ok {
			return
		}
		require.Less(t, p.Type, uint8(128))
		require.Equal(t, b[12:], append([]byte{}, p.Payload...))
		require.Equal(t, binary.BigEndian.Uint32(b[8:]), p.SSRC)
		if len(p.Payload) > 0 { // what is kept is a copy
			b[12]++
			require.NotEqual(t, b[12], p.Payload[0])
		}
	})
}
