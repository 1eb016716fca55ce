package recordserver

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzReport(f *testing.F) {
	f.Add([]byte{0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0x81, 203, 0, 1, 0, 0, 0, 1})
	f.Add([]byte{0x80, 201, 0xFF, 0xFF, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		tr := &track{}
		tr.report(datagram)
		require.LessOrEqual(t, tr.reports.Sender+tr.reports.Names, len(datagram)/4)
	})
}

func FuzzParsePacket(f *testing.F) {
	f.Add([]byte{0x90, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xBE, 0xDE, 0, 0, 1, 2, 3})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if p, err := parsePacket(datagram); err == nil {
			require.LessOrEqual(t, len(p.Payload), len(datagram)-12)
		}
	})
}
