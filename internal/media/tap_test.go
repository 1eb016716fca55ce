package media

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kept is a sink that keeps packets, and takes only those that it is told to.
type kept struct {
	packets []rtp.Packet
	refuse  bool
}

func (k *kept) Send(data []byte, _ Codec) bool {
	if k.refuse {
		return false
	}
	var p rtp.Packet
	if err := p.Unmarshal(append([]byte(nil), data...)); err != nil {
		panic(err)
	}
	k.packets = append(k.packets, p)
	return true
}

func openGate(t testing.TB) *Gate {
	gate := NewGate(stored(t))
	require.True(t, gate.Open())
	return gate
}

func TestACopyIsTheOriginalUnderItsOwnSSRC(t *testing.T) {
	sink := &kept{}
	tap := NewTap(openGate(t), 0xC0FFEE, sink)
	original := packet{marker: true, pt: 96, seq: 65535, ts: 7, ssrc: 1, payload: []byte{1, 2, 3}}
	tap.offer(time.Now(), &heard{packet: original, what: audio, codec: PCMA, scratch: new(scratch)})

	require.Len(t, sink.packets, 1)
	copied := sink.packets[0]
	assert.Equal(t, uint32(0xC0FFEE), copied.SSRC)
	assert.Equal(t, tap.SSRC(), copied.SSRC)
	assert.Equal(t, original.seq, copied.SequenceNumber)
	assert.Equal(t, original.ts, copied.Timestamp)
	assert.True(t, copied.Marker)
	assert.EqualValues(t, 8, copied.PayloadType, "static type of the law that came")
	assert.Equal(t, original.payload, copied.Payload)
	assert.Equal(t, uint32(1), original.ssrc, "the original is untouched")
}

func TestKeysNeverReachARecorder(t *testing.T) {
	sink := &kept{}
	gate := openGate(t)
	tap := NewTap(gate, 1, sink)
	tap.offer(time.Now(), &heard{packet: packet{payload: []byte{5, 0x80, 0, 160}}, what: event})
	assert.Empty(t, sink.packets)
	assert.Equal(t, TapCounts{Stripped: 1}, tap.Counts())
	gate.Shut()
	tap.offer(time.Now(), &heard{what: event})
	assert.Equal(t, TapCounts{Stripped: 1}, tap.Counts(), "behind a shut gate there is nothing to strip")
	assert.Zero(t, gate.Counts().Violations)
}

func TestKeysAreCopiedWhereTheyAreToBeKept(t *testing.T) {
	l, strict, kind := newLine(t), &kept{}, &kept{}
	gate := openGate(t)
	l.a.TapTo(NewTap(gate, 1, strict).Then(NewTap(gate, 2, kind).KeepKeys()))
	l.talk(2)
	l.press("5")
	l.talk(2)
	assert.Len(t, strict.packets, 4)
	require.Len(t, kind.packets, 12)
	for i, p := range kind.packets {
		assert.Equal(t, kind.packets[0].SequenceNumber+uint16(i), p.SequenceNumber)
		assert.EqualValues(t, 2, p.SSRC)
		if i >= 2 && i < 10 {
			assert.EqualValues(t, 101, p.PayloadType)
			assert.EqualValues(t, 5, p.Payload[0])
		}
	}
	gate.Shut()
	l.press("5")
	assert.Len(t, kind.packets, 12, "not behind a shut gate")
}

func TestATapCountsWhatEverySinkTookAndWhen(t *testing.T) {
	good, bad := &kept{}, &kept{refuse: true}
	tap := NewTap(openGate(t), 1, good, bad)
	assert.Equal(t, TapCounts{}, tap.Counts())
	first := time.Now()
	last := first.Add(time.Second)
	tap.offer(first, voiceOf(1))
	tap.offer(last, voiceOf(2))
	c := tap.Counts()
	assert.EqualValues(t, 2, c.Sent)
	assert.EqualValues(t, 2, c.Lost)
	assert.True(t, first.Equal(c.FirstAt))
	assert.True(t, last.Equal(c.LastAt))
}

func TestOneStreamFeedsSeveralRecordersEachBehindItsGate(t *testing.T) {
	one, two := &kept{}, &kept{}
	shut := NewGate(stored(t))
	tap := NewTap(shut, 1, one).Then(NewTap(openGate(t), 2, two))
	tap.offer(time.Now(), voiceOf(1))
	assert.Empty(t, one.packets)
	assert.Len(t, two.packets, 1)
}

// slow holds a packet until it is told to let go.
type slow struct{ entered, leave chan struct{} }

func (s slow) Send([]byte, Codec) bool {
	s.entered <- struct{}{}
	<-s.leave
	return true
}

func TestShutWaitsForTheCopyThatIsOnItsWay(t *testing.T) {
	gate := openGate(t)
	sink := slow{make(chan struct{}), make(chan struct{})}
	tap := NewTap(gate, 1, sink)
	var offers sync.WaitGroup
	offers.Go(func() { tap.offer(time.Now(), voiceOf(1)) })
	<-sink.entered

	tap.offer(time.Now(), voiceOf(2))
	assert.EqualValues(t, 1, tap.Counts().Lost, "a second packet never waits for the first")

	shut := make(chan struct{})
	offers.Go(func() { gate.Shut(); close(shut) })
	for gate.Passing() {
		runtime.Gosched()
	}
	select {
	case <-shut:
		t.Error("Shut returned while a copy was in flight")
	default:
	}
	close(sink.leave)
	<-shut
	offers.Wait()
	assert.Zero(t, gate.Counts().Violations)
}
