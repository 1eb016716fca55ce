package dtmf_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/dtmf"
)

const ms = time.Millisecond

func TestACleanPressIsReportedWhenCertainAndWhenReleased(t *testing.T) {
	reports := decode(8000, tone{ssrc: 7, timestamp: 1000, event: 1, length: 100 * ms}.packets())
	want := dtmf.Press{Key: '1', Method: dtmf.RFC4733, SSRC: 7, Timestamp: 1000, PayloadType: 101,
		Duration: 40 * ms, At: start.Add(20 * ms)}
	released := want
	released.Duration, released.Released = 100*ms, true
	assert.Equal(t, []dtmf.Press{want, released}, reports)
}

func TestEveryEventUpTo15IsItsKey(t *testing.T) {
	for event, key := range "0123456789*#ABCD" {
		reports := decode(8000, tone{event: uint8(event), length: 60 * ms}.packets())
		assert.Equal(t, string(key), pressed(reports))
	}
}

func TestOnePressIsCountedOnceWhateverIsLost(t *testing.T) {
	all := tone{timestamp: 5000, event: 11, length: 100 * ms}.packets() // 5 packets, 2 more ends
	for name, c := range map[string]struct {
		packets []packet
		length  time.Duration
	}{
		"nothing lost":             {all, 100 * ms},
		"first packet lost":        {all[1:], 100 * ms},
		"only the ends arrive":     {all[4:], 100 * ms},
		"only one end arrives":     {all[6:], 100 * ms},
		"all ends lost":            {all[:4], 80 * ms},
		"one packet, 60 ms long":   {all[2:3], 60 * ms},
		"every packet twice":       {twice(all), 100 * ms},
		"backwards":                {backwards(all), 100 * ms},
		"an end before the update": {[]packet{all[0], all[4], all[2], all[3]}, 100 * ms},
		"an end two seconds late":  {join(all, []packet{late(all[4], 2*time.Second)}), 100 * ms},
		"ends lost, update late":   {join(all[:4], []packet{late(all[2], 400*ms)}), 80 * ms},
		"end after the release":    {join(all[:4], []packet{late(all[5], 400*ms)}), 80 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			reports := decode(8000, c.packets)
			assert.Equal(t, "#", pressed(reports))
			require.NotEmpty(t, reports)
			require.LessOrEqual(t, len(reports), 2)
			last := reports[len(reports)-1]
			assert.True(t, last.Released)
			assert.Equal(t, c.length, last.Duration)
			if len(reports) == 2 {
				assert.False(t, reports[0].Released)
				assert.Equal(t, reports[0].At, last.At)
			}
		})
	}
}

func twice(list []packet) []packet {
	var all []packet
	for _, p := range list {
		all = append(all, p, p)
	}
	return all
}

func backwards(list []packet) []packet {
	var all []packet
	for i := range list {
		p := list[len(list)-1-i]
		p.at = 0
		all = append(all, p)
	}
	return all
}

func late(p packet, at time.Duration) packet {
	p.at = at
	return p
}

func TestAStrayPacketIsNoPress(t *testing.T) {
	first := tone{event: 1, length: 100 * ms}.packets()[0]
	for name, packets := range map[string][]packet{
		"one short packet":                {first},
		"one short packet and its copy":   {first, first},
		"duration 0, many times":          {{event: 1}, {event: 1}, {event: 1}, {event: 1}},
		"duration 0 with the end bit":     {{event: 1, end: true}},
		"event 16, hook flash":            tone{event: 16, length: 100 * ms}.packets(),
		"event 255":                       tone{event: 255, length: 100 * ms}.packets(),
		"one short packet of three keys":  {{event: 1, duration: 160}, {event: 2, duration: 160}, {event: 3, duration: 160}},
		"one short packet at three times": {{event: 1, duration: 160}, {event: 1, timestamp: 9000, duration: 160}, {event: 1, timestamp: 18000, duration: 160}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Empty(t, decode(8000, packets))
		})
	}
}

func TestThreeShortPacketsAreAPress(t *testing.T) {
	d := dtmf.NewDecoder(8000)
	for i := range 3 {
		p := packet{event: 4, duration: uint16(80 * (i + 1))} // 10, 20, 30 ms
		press, ok := d.Push(start.Add(time.Duration(i)*10*ms), 101, 0, 0, p.payload())
		require.Equal(t, i == 2, ok)
		if ok {
			assert.Equal(t, 30*ms, press.Duration)
			assert.False(t, press.Released)
		}
	}
}

func TestAPressIsCertainAt40MillisecondsOfAnyClock(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		just, below := uint16(rate/25), uint16(rate/25-1)
		_, ok := dtmf.NewDecoder(rate).Push(start, 101, 0, 0, packet{event: 1, duration: below}.payload())
		assert.False(t, ok, "below 40 ms at %d Hz", rate)
		press, ok := dtmf.NewDecoder(rate).Push(start, 101, 0, 0, packet{event: 1, duration: just}.payload())
		assert.True(t, ok, "40 ms at %d Hz", rate)
		assert.Equal(t, 40*ms, press.Duration)
	}
}

func TestAClockRateThatIsNoneCountsAs8000(t *testing.T) {
	for _, rate := range []int{0, -1} {
		reports := decode(rate, tone{event: 1, length: 100 * ms}.packets())
		require.Len(t, reports, 2)
		assert.Equal(t, 100*ms, reports[1].Duration)
	}
}

func TestPressesOfOneKeyInQuickSuccessionAreAllCounted(t *testing.T) {
	first := tone{timestamp: 0, event: 9, at: 0, length: 60 * ms}.packets()
	second := tone{timestamp: 800, event: 9, at: 100 * ms, length: 60 * ms}.packets()
	for name, packets := range map[string][]packet{
		"clean":                        join(first, second),
		"ends of the first lost":       join(first[:2], second),
		"ends cross the next start":    {first[0], first[1], first[2], second[0], first[3], second[1], first[4], second[2]},
		"only one end of each arrives": {first[4], second[4]},
		"in the wrong order":           {second[4], first[4]},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, "99", pressed(decode(8000, packets)))
		})
	}
}

func TestALongPressIsOnePress(t *testing.T) {
	for name, c := range map[string]struct {
		rate   uint32
		start  uint32
		length time.Duration
		lose   func(i, n int) bool
	}{
		"12 s at 8 kHz":                      {8000, 0, 12 * time.Second, nil},
		"12 s at 16 kHz":                     {16000, 0, 12 * time.Second, nil},
		"12 s at 48 kHz":                     {48000, 0, 12 * time.Second, nil},
		"25 s across the timestamp's end":    {8000, 0xFFFFF000, 25 * time.Second, nil},
		"every second packet lost":           {8000, 77, 12 * time.Second, func(i, _ int) bool { return i%2 == 1 }},
		"the last of the first segment lost": {8000, 77, 12 * time.Second, func(i, _ int) bool { return i >= 405 && i <= 410 }},
		"all ends lost":                      {8000, 77, 12 * time.Second, func(i, n int) bool { return i >= n-3 }},
	} {
		t.Run(name, func(t *testing.T) {
			all := tone{rate: c.rate, timestamp: c.start, event: 5, length: c.length}.packets()
			var packets []packet
			for i, p := range all {
				if c.lose == nil || !c.lose(i, len(all)) {
					packets = append(packets, p)
				}
			}
			reports := decode(int(c.rate), packets)
			require.Len(t, reports, 2)
			assert.Equal(t, "5", pressed(reports))
			assert.True(t, reports[1].Released)
			assert.InDelta(t, c.length, reports[1].Duration, float64(20*ms))
		})
	}
}

func TestOnlyAGapOrAnEndMakesTwoPressesOfOneKey(t *testing.T) {
	for name, c := range map[string]struct {
		packets []packet
		want    string
	}{
		"no gap, no end: a segment of 0x3FFF (RFC 4733 2.5.2.3.1)": {
			[]packet{{event: 1, duration: 0x3FFF}, {event: 1, timestamp: 0x3FFF, duration: 800}}, "1"},
		"one update of 20 ms lost between the segments": {
			[]packet{{event: 1, duration: 0x3F5F}, {event: 1, timestamp: 0x3FFF, duration: 800}}, "1"},
		"40 ms of pause, ends lost": {
			[]packet{{event: 1, duration: 800}, {event: 1, timestamp: 1120, duration: 800}}, "11"},
		"an end and no pause": {
			[]packet{{event: 1, duration: 800, end: true}, {event: 1, timestamp: 800, duration: 800}}, "11"},
		"an end at the end of a segment": {
			[]packet{{event: 1, duration: 0xFFFF, end: true}, {event: 1, timestamp: 0xFFFF, duration: 800}}, "11"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, pressed(decode(8000, c.packets)))
		})
	}
}

func TestAnOutageWithinALongPressDoesNotMakeItTwo(t *testing.T) {
	all := tone{event: 5, length: 12 * time.Second}.packets()
	reports := decode(8000, join(all[:390], all[412:])) // 440 ms, across the segments
	require.Len(t, reports, 2)
	assert.Equal(t, 390*20*ms, reports[1].Duration, "released when it fell silent")
}

func TestALateCopyOfAnEarlierSegmentChangesNothing(t *testing.T) {
	all := tone{event: 5, length: 9 * time.Second}.packets()
	earlier := all[405]
	earlier.at = all[len(all)-10].at
	packets := join(all[:len(all)-9], []packet{earlier, earlier}, all[len(all)-9:])
	reports := decode(8000, packets)
	require.Len(t, reports, 2)
	assert.Equal(t, 9*time.Second, reports[1].Duration)
}

func TestADurationThatWrapsIsOnePress(t *testing.T) {
	var packets []packet
	for i := 1; i <= 600; i++ { // 12 s under one timestamp
		packets = append(packets, packet{at: time.Duration(i) * 20 * ms, event: 2, duration: uint16(160 * i), end: i == 600})
	}
	packets[408], packets[409] = packets[409], packets[408] // neighbours across the wrap
	reports := decode(8000, packets)
	require.Len(t, reports, 2)
	assert.Equal(t, 12*time.Second, reports[1].Duration)
}

func TestASenderThatMovesTheTimestampPressesOnce(t *testing.T) {
	var packets []packet
	for i := range 10 {
		packets = append(packets, packet{at: time.Duration(i) * 20 * ms, event: 1, timestamp: uint32(160 * i),
			duration: uint16(160 * min(i+1, 8)), end: i >= 7})
	}
	reports := decode(8000, packets)
	require.Len(t, reports, 2)
	assert.Equal(t, 160*ms, reports[1].Duration)
	assert.Equal(t, "1", pressed(decode(8000, packets[2:])), "start lost")
	assert.Equal(t, "1", pressed(decode(8000, packets[7:])), "only ends")
}

func TestTimestampsWrapAround(t *testing.T) {
	packets := join(
		tone{timestamp: 0xFFFFFF00, event: 1, length: 100 * ms}.packets(),
		tone{timestamp: 0x00000600, event: 1, at: 200 * ms, length: 100 * ms}.packets())
	assert.Equal(t, "11", pressed(decode(8000, packets)))
}

func TestAnotherSSRCIsAnotherPress(t *testing.T) {
	packets := join(
		tone{ssrc: 1, timestamp: 100, event: 1, length: 100 * ms}.packets()[:4], // ends lost
		tone{ssrc: 2, timestamp: 100, event: 1, at: 300 * ms, length: 100 * ms}.packets())
	reports := decode(8000, packets)
	assert.Equal(t, "11", pressed(reports))
	assert.Len(t, reports, 4, "both are released")
}

func TestATimestampUsedAgainMuchLaterIsANewPress(t *testing.T) {
	again := func(after time.Duration) string {
		d, text := dtmf.NewDecoder(8000), ""
		for _, at := range []time.Duration{0, after} {
			if p, ok := d.Push(start.Add(at), 101, 1, 100, packet{event: 1, end: true, duration: 800}.payload()); ok {
				text += string(p.Key.Rune())
			}
		}
		return text
	}
	assert.Equal(t, "1", again(10*time.Second))
	assert.Equal(t, "11", again(10*time.Second+1))
}

func TestAPressWhoseEndIsLostIsReleasedAfter150Milliseconds(t *testing.T) {
	d := dtmf.NewDecoder(8000)
	_, ok := d.Push(start, 101, 1, 100, packet{event: 1, duration: 480}.payload())
	require.True(t, ok)
	_, ok = d.Expire(start.Add(150*ms - 1))
	assert.False(t, ok)
	press, ok := d.Expire(start.Add(150 * ms))
	require.True(t, ok)
	assert.True(t, press.Released)
	assert.Equal(t, 60*ms, press.Duration)
	_, ok = d.Expire(start.Add(time.Second))
	assert.False(t, ok, "released once")
}

func TestTheNextPressReleasesOneWhoseEndWasLost(t *testing.T) {
	d := dtmf.NewDecoder(8000)
	_, ok := d.Push(start, 101, 1, 100, packet{event: 1, duration: 480}.payload())
	require.True(t, ok)
	press, ok := d.Push(start.Add(200*ms), 101, 1, 1700, packet{event: 2, duration: 160}.payload())
	require.True(t, ok, "nobody has to call Expire")
	assert.Equal(t, '1', press.Key.Rune())
	assert.True(t, press.Released)
}

func TestPayloadsAreReadAsFarAsTheyMakeSense(t *testing.T) {
	for name, c := range map[string]struct {
		payload []byte
		want    string
	}{
		"nil":                         {nil, ""},
		"3 bytes":                     {[]byte{1, 0x80, 3}, ""},
		"reserved bit set":            {[]byte{1, 0xC0, 3, 0x20}, "1"},
		"full volume and reserved":    {[]byte{1, 0xFF, 3, 0x20}, "1"},
		"two events":                  {[]byte{1, 0x80, 3, 0x20, 2, 0x80, 3, 0x20}, "1"},
		"padding after it":            {[]byte{1, 0x80, 3, 0x20, 0, 0}, "1"},
		"first of two is hook flash":  {[]byte{16, 0x80, 3, 0x20, 1, 0x80, 3, 0x20}, ""},
		"the end, duration of 1 unit": {[]byte{1, 0x80, 0, 1}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			press, ok := dtmf.NewDecoder(8000).Push(start, 101, 0, 0, c.payload)
			require.Equal(t, c.want != "", ok)
			if ok {
				assert.Equal(t, c.want, string(press.Key.Rune()))
			}
		})
	}
}

func TestTheDecoderDoesNotAllocate(t *testing.T) {
	d := dtmf.NewDecoder(8000)
	all := join(tone{event: 1, length: 200 * ms}.packets(), tone{event: 2, timestamp: 9999, at: time.Second, length: 200 * ms}.packets())
	payloads := make([][]byte, len(all))
	for i, p := range all {
		payloads[i] = p.payload()
	}
	shift := uint32(0)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		shift += 100000
		for i, p := range all {
			d.Push(start.Add(p.at), 101, p.ssrc, p.timestamp+shift, payloads[i])
			d.Expire(start.Add(p.at))
		}
	}))
}

func TestEveryPacketIsToldToBelongToItsPress(t *testing.T) {
	d := dtmf.NewDecoder(8000)
	_, ok := d.Latest()
	assert.False(t, ok, "nothing has come")
	places := map[int]bool{}
	for press := range uint32(3) {
		for i, p := range (tone{event: byte(press), timestamp: press * 4000, length: 100 * ms}).packets() {
			d.Push(start, 101, p.ssrc, p.timestamp, p.payload())
			s, ok := d.Latest()
			require.True(t, ok)
			assert.Equal(t, i == 0, s.New)
			assert.Equal(t, rune('0'+press), s.Key.Rune())
			assert.Positive(t, s.Duration)
			places[s.Place] = true
		}
		assert.Len(t, places, int(press)+1, "each press has a place of its own")
		s, _ := d.Latest()
		assert.True(t, s.Ended)
		assert.Equal(t, 100*ms, s.Duration)
	}
	d.Push(start, 101, 1, 99, []byte{1, 10, 0, 0})
	_, ok = d.Latest()
	assert.False(t, ok, "a packet without a duration is of no press")
}
