package dtmf_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"consentgw/internal/dtmf"
)

// TestExactlyThePressedKeysComeOut is the property the product stands on:
// whatever a network does to a sequence of presses, as long as it leaves of
// each press enough to be certain of, each comes out once.
func TestExactlyThePressedKeysComeOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]uint32{8000, 16000, 48000}).Draw(t, "rate")
		base := rapid.Uint32().Draw(t, "first timestamp")
		var arriving []packet
		want, at := "", time.Duration(0)
		for range rapid.IntRange(1, 12).Draw(t, "presses") {
			// A keypad needs 40 ms of tone and 40 ms between two (ITU-T Q.24).
			at += time.Duration(rapid.IntRange(2, 30).Draw(t, "pause")) * 20 * ms
			one := tone{
				rate: rate, ssrc: 9, at: at,
				timestamp: base + uint32(at/ms)*(rate/1000),
				event:     uint8(rapid.IntRange(0, 15).Draw(t, "event")),
				length:    time.Duration(rapid.IntRange(2, 20).Draw(t, "length")) * 20 * ms,
			}
			want += string("0123456789*#ABCD"[one.event])
			arriving = append(arriving, impair(t, one.packets(), rate)...)
			at += one.length
		}
		reports := decode(int(rate), swapNeighbours(t, arriving))
		checkReports(t, reports)
		slices.SortStableFunc(reports, func(a, b dtmf.Press) int { return cmp.Compare(a.Timestamp-base, b.Timestamp-base) })
		require.Equal(t, want, pressed(reports))
	})
}

// impair loses and doubles packets, but leaves enough of the press: an end, or
// 40 ms, or three packets.
func impair(t *rapid.T, list []packet, rate uint32) []packet {
	var left []packet
	enough := false
	for _, p := range list {
		for range rapid.SampledFrom([]int{0, 0, 1, 1, 1, 2}).Draw(t, "copies") {
			left = append(left, p)
			enough = enough || p.end || uint32(p.duration) >= rate/25
		}
	}
	if !enough && len(left) < 3 {
		left = append(left, list[rapid.IntRange(1, len(list)-1).Draw(t, "the one that came through")])
	}
	return left
}

func swapNeighbours(t *rapid.T, list []packet) []packet {
	for i := 0; i+1 < len(list); i++ {
		if rapid.IntRange(0, 4).Draw(t, "swap") == 0 {
			list[i], list[i+1] = list[i+1], list[i]
			i++
		}
	}
	return list
}

// checkReports holds what Push promises: a press is reported once, or first
// without and then with Released; in the end every press is released.
func checkReports(t require.TestingT, reports []dtmf.Press) {
	open := map[dtmf.Press]bool{}
	for _, p := range reports {
		id := dtmf.Press{Key: p.Key, SSRC: p.SSRC, Timestamp: p.Timestamp}
		isOpen, known := open[id]
		require.True(t, !known || isOpen && p.Released, "a press is reported twice at most, the second time released")
		require.Positive(t, p.Duration)
		open[id] = !p.Released
	}
	for _, isOpen := range open {
		require.False(t, isOpen, "a press stayed down")
	}
}
