package media

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recorded makes a line whose caller is copied to a recorder over a socket.
func recorded(t testing.TB) *line {
	t.Helper()
	l := newLine(t)
	ports := NewPorts(PortsConfig{Engine: tested(), Addr: loopback()})
	sender, err := ports.Sender(newPhone(t).addr)
	require.NoError(t, err)
	t.Cleanup(func() { sender.Close() })
	l.a.TapTo(NewTap(openGate(t), 1, sender))
	return l
}

// repeat sends one datagram again and again, as new packets. The receivers do
// not read: the kernel drops what has no room.
func (l *line) repeat(data []byte) func() {
	return func() {
		data[3]++
		if data[3] == 0 {
			data[2]++
		}
		l.hear(l.a, time.Now(), data, l.caller.addr)
	}
}

func TestThePacketPathDoesNotAllocate(t *testing.T) {
	plain, converted, tapped, busy := newLine(t), newLine(t), recorded(t), newLine(t)
	far := converted.callee.far()
	far.Codec, far.PayloadType = PCMA, 8
	converted.b.Connect(far)
	require.True(t, busy.b.out.claimPlay())
	defer busy.b.out.release()
	playback := busy.b.startPlayback(clipOf(frameBytes))
	key := plain.caller.event(101, 1, 1, false, 800)
	voice := func(l *line) func() { return l.repeat(l.caller.voice(frameOf(1))) }
	toned := newLine(t)
	mute := toned.caller.far()
	mute.EventPT = -1
	toned.a.Connect(mute)
	watch := newWatched(t)
	var typed [][]byte
	for _, key := range []byte("*5") {
		for i := range byte(4) {
			typed = append(typed, watch.caller.event(101, uint32(key)<<24, code(key), i == 3, 200))
		}
	}
	cases := map[string]func(){
		"keys held back and pressed anew": func() {
			for _, data := range typed {
				data[5]++ // another press
				watch.now = watch.now.Add(frameTime)
				watch.hear(watch.a, watch.now, data, watch.caller.addr)
			}
		},
		"tones looked for": voice(toned),
		"relay":            voice(plain),
		"relay, converted": voice(converted),
		"relay and tap":    voice(tapped),
		"displaced":        voice(busy),
		"a key":            plain.repeat(key),
		"a stranger":       func() { plain.hear(plain.a, plain.now, key, plain.callee.addr) },
		"garbage":          func() { plain.hear(plain.a, plain.now, key[:14], plain.caller.addr) },
		"a played frame":   func() { playback.due = time.Now(); playback.send(playback.due, 0) },
	}
	for name, packet := range cases {
		t.Run(name, func(t *testing.T) {
			packet() // the first one may build what stays
			assert.Zero(t, testing.AllocsPerRun(200, packet))
		})
	}
	for _, l := range []*line{plain, converted, tapped, busy} {
		assert.Zero(t, l.b.Stats().SendErrors)
	}
	assert.NotZero(t, tapped.a.tap.Load().Counts().Sent)
	assert.NotZero(t, busy.b.Stats().Displaced)
	assert.NotZero(t, watch.b.Stats().Relayed)
	assert.NotZero(t, converted.b.Stats().Converted)
}

func BenchmarkRelay(b *testing.B) {
	l := newLine(b)
	packet := l.repeat(l.caller.voice(frameOf(1)))
	b.ReportAllocs()
	for b.Loop() {
		packet()
	}
}

func BenchmarkRelayAndTap(b *testing.B) {
	l := recorded(b)
	packet := l.repeat(l.caller.voice(frameOf(1)))
	b.ReportAllocs()
	for b.Loop() {
		packet()
	}
}

func BenchmarkGate(b *testing.B) {
	gate := openGate(b)
	b.ReportAllocs()
	for b.Loop() {
		if gate.enter() {
			gate.leave()
		}
	}
}

func BenchmarkParse(b *testing.B) {
	data := newPhone(b).voice(frameOf(1))
	b.ReportAllocs()
	for b.Loop() {
		parse(data)
	}
}

func BenchmarkReadAndRelay(b *testing.B) {
	l := newLine(b)
	data := l.caller.voice(frameOf(1))
	run(b, l.a)
	b.ReportAllocs()
	for n := uint64(1); b.Loop(); n++ {
		l.caller.send(l.a.Local(), data)
		for l.b.Stats().Sent < n {
			runtime.Gosched()
		}
	}
}
