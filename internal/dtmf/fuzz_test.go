package dtmf_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"consentgw/internal/dtmf"
)

// FuzzPush reads packets of 10 bytes: milliseconds to wait, SSRC, timestamp,
// payload.
func FuzzPush(f *testing.F) {
	f.Add(wire(tone{event: 1, length: 100 * ms}.packets()))
	f.Add(wire(join(tone{event: 1, length: 60 * ms}.packets(), tone{event: 1, timestamp: 4000, length: 60 * ms}.packets())))
	f.Add(wire(tone{event: 1, timestamp: 0xFFFFFFF0, length: 200 * ms}.packets()))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 1, 0x80, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 1, 0, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		d := dtmf.NewDecoder(8000)
		now := start
		var reports []dtmf.Press
		// No more packets than the decoder remembers presses: then every report
		// can be held against all before it.
		for n := 0; len(data) >= 10 && n < 16; n++ {
			now = now.Add(time.Duration(data[0]) * ms)
			if p, ok := d.Push(now, 101, uint32(data[1]), binary.BigEndian.Uint32(data[2:6]), data[6:10]); ok {
				require.True(t, strings.ContainsRune("0123456789*#ABCD", p.Key.Rune()))
				require.False(t, p.At.After(now))
				reports = append(reports, p)
			}
			data = data[10:]
		}
		for range 16 {
			now = now.Add(time.Second)
			if p, ok := d.Expire(now); ok {
				require.True(t, p.Released)
				reports = append(reports, p)
			}
		}
		checkReports(t, reports)
	})
}

func wire(list []packet) []byte {
	var b []byte
	for _, p := range list {
		b = append(b, 20, byte(p.ssrc))
		b = binary.BigEndian.AppendUint32(b, p.timestamp)
		b = append(b, p.payload()...)
	}
	return b
}

func FuzzParseInfo(f *testing.F) {
	for _, body := range []string{"", "1", "Signal=1\r\nDuration=160", "signal= *\nDURATION= 1", "Signal=11", "Signal=1\rSignal=2", "=\x00="} {
		f.Add("application/dtmf-relay", []byte(body))
		f.Add("application/dtmf;x", []byte(body))
	}
	f.Add("text/plain", []byte("1"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		press, err := dtmf.ParseInfo(contentType, body, start)
		if err != nil {
			require.Zero(t, press)
			return
		}
		require.True(t, strings.ContainsRune("0123456789*#ABCD", press.Key.Rune()))
		require.LessOrEqual(t, press.Duration, 65535*ms)
		require.GreaterOrEqual(t, press.Duration, time.Duration(0))
		_, err = dtmf.ParseInfo("application/sdp", body, start)
		require.True(t, errors.Is(err, dtmf.ErrNotDTMF))
	})
}
