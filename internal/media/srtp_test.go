package media

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/sdp"
)

func newKey(t testing.TB, suite sdp.Suite) sdp.Key {
	t.Helper()
	secret := make([]byte, suite.KeyBytes())
	_, err := rand.Read(secret)
	require.NoError(t, err)
	return sdp.NewKey(secret)
}

// secured is the far end of one stream, with a key for each direction.
type secured struct {
	t            testing.TB
	suite        sdp.Suite
	ours, theirs sdp.Key
	says         *reference // what the far end sends
	hears        *Opener    // what it gets
}

// secure gives a stream keys and returns its far end.
func secure(t testing.TB, s *Stream, far Far, suite sdp.Suite) *secured {
	t.Helper()
	e := &secured{t: t, suite: suite, ours: newKey(t, suite), theirs: newKey(t, suite)}
	var err error
	far.Seal, err = NewSealer(suite, e.ours)
	require.NoError(t, err)
	far.Open, err = NewOpener(suite, []sdp.Key{e.theirs})
	require.NoError(t, err)
	e.hears, err = NewOpener(suite, []sdp.Key{e.ours})
	require.NoError(t, err)
	e.says = newReference(suite, e.theirs)
	s.Connect(far)
	return e
}

func TestEverySuiteSealsAsTheReferenceDoes(t *testing.T) {
	for _, suite := range sdp.Suites() {
		t.Run(string(suite), func(t *testing.T) {
			key := newKey(t, suite)
			sealer, err := NewSealer(suite, key)
			require.NoError(t, err)
			opener, err := NewOpener(suite, []sdp.Key{key})
			require.NoError(t, err)
			ref, p := newReference(suite, key), newPhone(t)
			p.SequenceNumber = 65000
			var turn uint32
			for i := range 140_000 { // three turns
				if p.SequenceNumber == 0 {
					turn++
				}
				if i%997 > 1 && p.SequenceNumber > 100 && p.SequenceNumber < 65400 {
					p.step()
					continue // a jump is no turn
				}
				plain := p.voice(frameOf(byte(i))[:i%frameBytes])
				room := append(make([]byte, 0, len(plain)+sealRoom), plain...)
				sealed, err := sealer.seal(room)
				require.NoError(t, err)
				require.Equal(t, ref.seal(plain, turn), sealed)
				opened, ok := opener.open(sealed)
				require.True(t, ok)
				require.Equal(t, plain, opened)
			}
			require.EqualValues(t, 3, turn)
		})
	}
}

func TestTwoPartiesWithKeysOfTheirOwnHearEachOther(t *testing.T) {
	l := newLine(t)
	caller := secure(t, l.a, l.caller.far(), sdp.AESCM80)
	callee := secure(t, l.b, l.callee.far(), sdp.AEAD256)
	sink := &kept{}
	l.a.TapTo(NewTap(openGate(t), 1, sink))
	for i := range byte(3) {
		l.says(caller.says.seal(l.caller.voice(frameOf(i)), 0))
		heard := l.callee.sealed(callee)
		assert.Equal(t, frameOf(i), heard.Payload)
		assert.Equal(t, l.b.SSRC(), heard.SSRC)
		require.Len(t, sink.packets, int(i)+1)
		assert.Equal(t, frameOf(i), sink.packets[i].Payload, "the copy is in clear")
	}
	l.says(caller.says.seal(l.caller.event(101, 5, 7, true, 800), 0))
	require.Len(t, l.a.Presses(), 1)
	assert.Equal(t, []byte{7, 0x8A, 3, 32}, l.callee.sealed(callee).Payload)
	assert.Zero(t, l.a.Stats().DroppedSRTP)
}

func TestWhatIsNotAuthenticIsNotHeard(t *testing.T) {
	cases := map[string]func(e *secured, packet []byte) []byte{
		"in clear": func(_ *secured, packet []byte) []byte { return packet },
		"of another key": func(e *secured, packet []byte) []byte {
			return newReference(e.suite, newKey(e.t, e.suite)).seal(packet, 0)
		},
		"of our own key":   func(e *secured, packet []byte) []byte { return newReference(e.suite, e.ours).seal(packet, 0) },
		"of another turn":  func(e *secured, packet []byte) []byte { return e.says.seal(packet, 7) },
		"without its tag":  func(e *secured, packet []byte) []byte { return e.says.seal(packet, 0)[:len(packet)] },
		"a bit of a key":   func(e *secured, packet []byte) []byte { b := e.says.seal(packet, 0); b[12] ^= 1; return b },
		"a bit of its tag": func(e *secured, packet []byte) []byte { b := e.says.seal(packet, 0); b[len(b)-1] ^= 1; return b },
		"a bit of a time":  func(e *secured, packet []byte) []byte { b := e.says.seal(packet, 0); b[7] ^= 1; return b },
		"a type":           func(e *secured, packet []byte) []byte { b := e.says.seal(packet, 0); b[1] ^= 2; return b },
		"padding":          func(e *secured, packet []byte) []byte { b := e.says.seal(packet, 0); b[0] |= 0x20; return b },
		"an extension":     func(e *secured, packet []byte) []byte { b := e.says.seal(packet, 0); b[0] |= 0x10; return b },
		"nothing more":     func(_ *secured, packet []byte) []byte { return packet[:12] },
	}
	for name, forge := range cases {
		for _, suite := range sdp.Suites() {
			t.Run(name+" "+string(suite), func(t *testing.T) {
				l := newLine(t)
				e := secure(t, l.a, l.caller.far(), suite)
				l.says(forge(e, l.caller.event(101, 5, 1, true, 800)))
				assert.EqualValues(t, 1, l.a.Stats().DroppedSRTP)
				assert.Empty(t, l.a.Presses())
				assert.Empty(t, l.callee.got())
				assert.Nil(t, l.a.far.Load().route.locked.Load(), "nothing is learned from it")
				l.says(e.says.seal(l.caller.event(101, 5, 1, true, 800), 0))
				assert.Len(t, l.a.Presses(), 1, "and nothing is spoiled by it")
			})
		}
	}
}

func TestAPacketThatComesAgainIsNotHeardAgain(t *testing.T) {
	l := newLine(t)
	e := secure(t, l.a, l.caller.far(), sdp.AEAD128)
	first := e.says.seal(l.caller.event(101, 5, 1, true, 800), 0)
	l.says(first)
	for range 40 {
		turn := turnOf(l.caller)
		l.says(e.says.seal(l.caller.voice(frameOf(1)), turn))
	}
	l.says(first)
	assert.Len(t, l.a.Presses(), 1)
	assert.EqualValues(t, 1, l.a.Stats().DroppedSRTP)
	assert.Len(t, l.callee.got(), 41)
}

// turnOf is the turn of the number that the phone has come to, which starts just
// below its end.
func turnOf(p *phone) uint32 {
	if p.SequenceNumber < 1000 {
		return 1
	}
	return 0
}

func TestNobodyButTheFarEndGetsAsFarAsTheCipher(t *testing.T) {
	l := newLine(t)
	e := secure(t, l.a, l.caller.far(), sdp.AEAD128)
	l.hear(l.a, l.now, e.says.seal(l.caller.voice(frameOf(1)), 0), netip.MustParseAddrPort(stranger))
	assert.EqualValues(t, 1, l.a.Stats().DroppedSource)
	assert.Zero(t, l.a.Stats().DroppedSRTP)
	// Behind a NAT, from another port: three authentic ones in a row.
	other := newPhone(t)
	for range 3 {
		l.hear(l.a, l.now, l.caller.same(frameOf(9)), other.addr)
		l.hear(l.a, l.now, e.says.seal(l.caller.voice(frameOf(1)), 0), other.addr)
	}
	assert.EqualValues(t, 3, l.a.Stats().DroppedSRTP)
	require.NotNil(t, l.a.far.Load().route.locked.Load())
	assert.Equal(t, other.addr, l.a.far.Load().route.locked.Load().addr)
}

func TestAChangeOfKeysLosesNothing(t *testing.T) {
	l := newLine(t)
	before := secure(t, l.a, l.caller.far(), sdp.AEAD128)
	l.says(before.says.seal(l.caller.voice(frameOf(1)), 0))
	late := before.says.seal(l.caller.voice(frameOf(2)), 0)
	after := secure(t, l.a, l.caller.far(), sdp.AESCM80)
	l.says(late)
	l.says(after.says.seal(l.caller.voice(frameOf(3)), 0))
	tooLate := before.says.seal(l.caller.voice(frameOf(4)), 0)
	l.says(tooLate)
	got := l.callee.got()
	require.Len(t, got, 3)
	assert.Equal(t, []byte{1, 2, 3}, []byte{got[0].Payload[0], got[1].Payload[0], got[2].Payload[0]})
	assert.EqualValues(t, 1, l.a.Stats().DroppedSRTP, "with the first packet under the new key the old one is over")
}

func TestAHoldDoesNotLoseTheTurnOfTheNumber(t *testing.T) {
	l := newLine(t)
	e := secure(t, l.a, l.caller.far(), sdp.AESCM80)
	l.caller.SequenceNumber = 65000
	l.says(e.says.seal(l.caller.voice(frameOf(1)), 0))
	far := l.a.far.Load().Far
	held := far
	held.Receive = false
	l.a.Connect(held)
	turn := uint32(0)
	for range 66000 { // 22 minutes of music
		if l.caller.SequenceNumber == 0 {
			turn++
		}
		l.says(e.says.seal(l.caller.voice(frameOf(2)[:1]), turn))
	}
	l.a.Connect(far)
	l.says(e.says.seal(l.caller.voice(frameOf(3)), turn))
	got := l.callee.got()
	require.Len(t, got, 2)
	assert.EqualValues(t, 3, got[1].Payload[0])
	assert.Zero(t, l.a.Quality().Lost, "what nobody was to hear is not lost")
}

func TestAFarEndMayChangeItsSSRCButNotForEver(t *testing.T) {
	l := newLine(t)
	e := secure(t, l.a, l.caller.far(), sdp.AEAD128)
	for range maxSources + 10 {
		l.caller.SSRC++
		l.says(e.says.seal(l.caller.voice(frameOf(1)), 0))
		l.caller.SequenceNumber = 100
	}
	assert.EqualValues(t, maxSources, l.a.Stats().Received)
	assert.EqualValues(t, 10, l.a.Stats().DroppedSRTP)
	l.caller.SSRC -= 20
	l.caller.SequenceNumber = 101
	l.says(e.says.seal(l.caller.voice(frameOf(1)), 0))
	assert.EqualValues(t, maxSources+1, l.a.Stats().Received)
}

func TestNoNumberIsSealedTwice(t *testing.T) {
	s, err := NewSealer(sdp.AEAD128, newKey(t, sdp.AEAD128))
	require.NoError(t, err)
	seal := func(seq uint16, payload byte) error {
		packet := append(make([]byte, 0, 64), header(0x80, 0, payload)...)
		binary.BigEndian.PutUint16(packet[2:], seq)
		_, err := s.seal(packet)
		return err
	}
	for _, seq := range []uint16{65530, 65532, 65531, 65535, 1, 0, 80, 17} {
		assert.NoError(t, seal(seq, 1), seq)
	}
	for _, seq := range []uint16{65530, 65531, 1, 80, 17, 16} {
		assert.ErrorIs(t, seal(seq, 2), errNotSealed, seq)
	}
}

func TestAFrameThatDidNotLeaveTakesItsNumberWithIt(t *testing.T) {
	l := newLine(t)
	far := l.callee.far()
	far.Addr = broadcast() // which the kernel refuses
	e := secure(t, l.b, far, sdp.AEAD128)
	play := l.b.startPlayback(clipOf(4 * frameBytes))
	play.send(play.due, 0)
	require.EqualValues(t, 1, l.b.Stats().SendErrors)
	good := l.b.far.Load().Far
	good.Addr = l.callee.addr
	l.b.Connect(good)
	play.send(play.due, 1)
	assert.Len(t, l.callee.sealed(e).Payload, frameBytes)
}

func TestKeysThatFitNoSuiteAreRefused(t *testing.T) {
	_, err := NewSealer("AES_CM_128_HMAC_SHA1_80", sdp.NewKey(make([]byte, 29)))
	assert.Error(t, err)
	_, err = NewSealer("ROT13", sdp.NewKey(make([]byte, 30)))
	assert.Error(t, err)
	_, err = NewOpener(sdp.AESCM80, nil)
	assert.Error(t, err)
	_, err = NewOpener(sdp.AESCM80, []sdp.Key{newKey(t, sdp.AESCM80), newKey(t, sdp.AESCM80)})
	assert.Error(t, err, "two keys that nothing tells apart")
}

func TestPacketsAreOpenedWithTheKeyThatTheyName(t *testing.T) {
	for _, size := range []int{1, 4, 128} {
		keys := []sdp.Key{newKey(t, sdp.AESCM80), newKey(t, sdp.AESCM80)}
		for i := range keys {
			keys[i].MKI, keys[i].MKIBytes = uint64(i+1), size
		}
		o, err := NewOpener(sdp.AESCM80, keys)
		require.NoError(t, err)
		p := newPhone(t)
		for i, k := range keys {
			sealed := newReference(sdp.AESCM80, k).seal(p.voice(frameOf(byte(i))), 0)
			tag := append([]byte(nil), sealed[len(sealed)-10:]...)
			sealed = append(append(sealed[:len(sealed)-10], identifier(k)...), tag...)
			plain, ok := o.open(sealed)
			require.True(t, ok)
			assert.EqualValues(t, i, plain[12])
		}
	}
}

func TestARecorderMayHaveAKeyOfItsOwn(t *testing.T) {
	sealer, err := NewSealer(sdp.AEAD128, newKey(t, sdp.AEAD128))
	require.NoError(t, err)
	got := make(chan int, 1)
	sink := SealedSink(sealer, sinkFunc(func(packet []byte) bool { got <- len(packet); return true }))
	l := newLine(t)
	l.a.TapTo(NewTap(openGate(t), 1, sink))
	l.says(l.caller.voice(frameOf(1)))
	assert.Equal(t, headerSize+frameBytes+16, <-got)
	assert.Equal(t, frameOf(1), l.callee.one().Payload)
}

type sinkFunc func([]byte) bool

func (f sinkFunc) Send(packet []byte, _ Codec) bool { return f(packet) }

// sealed is one for a phone with keys.
func (p *phone) sealed(e *secured) (got struct {
	SSRC    uint32
	Payload []byte
}) {
	p.t.Helper()
	data := p.raw()
	require.Len(p.t, data, 1)
	plain, ok := e.hears.open(data[0])
	require.True(p.t, ok)
	packet := p.read(plain)
	got.SSRC, got.Payload = packet.SSRC, append([]byte(nil), packet.Payload...)
	return got
}

func BenchmarkRelaySRTP(b *testing.B) {
	for _, suite := range sdp.Suites() {
		b.Run(string(suite), func(b *testing.B) {
			l := newLine(b)
			caller := secure(b, l.a, l.caller.far(), suite)
			secure(b, l.b, l.callee.far(), suite)
			sealer, err := NewSealer(suite, caller.theirs)
			require.NoError(b, err)
			room := make([]byte, 0, maxPacket)
			b.ReportAllocs()
			for b.Loop() {
				plain := append(room[:0], l.caller.same(frameOf(1))...)
				l.caller.step()
				sealed, err := sealer.seal(plain)
				if err != nil {
					b.Fatal(err)
				}
				l.hear(l.a, l.now, sealed, l.caller.addr)
			}
		})
	}
}

// farOf is far, and with keys the phone speaks SRTP from now on. It may say what
// no sealer of ours would.
func (p *phone) farOf(keys bool, suite sdp.Suite) Far {
	far := p.far()
	if !keys {
		return far
	}
	ours, theirs := newKey(p.t, suite), newKey(p.t, suite)
	var err error
	far.Seal, err = NewSealer(suite, ours)
	require.NoError(p.t, err)
	far.Open, err = NewOpener(suite, []sdp.Key{theirs})
	require.NoError(p.t, err)
	out, err := newContext(suite, theirs)
	require.NoError(p.t, err)
	in, err := newContext(suite, ours)
	require.NoError(p.t, err)
	p.seal = func(data []byte) []byte {
		sealed, err := out.EncryptRTP(nil, data, nil)
		if err != nil {
			return data // no RTP
		}
		return sealed
	}
	p.open = func(data []byte) []byte {
		plain, err := in.DecryptRTP(nil, data, nil)
		require.NoError(p.t, err)
		return plain
	}
	return far
}

// FuzzSealed throws datagrams at a stream with keys: whatever they are, nothing
// of them is heard.
func FuzzSealed(f *testing.F) {
	l := newLine(f)
	e := secure(f, l.a, l.caller.far(), sdp.AEAD128)
	f.Add(e.says.seal(l.caller.voice(frameOf(1)), 0)[:40])
	f.Add(header(0x90, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9))
	f.Add(header(0xBF, 101))
	f.Fuzz(func(t *testing.T, data []byte) {
		l.callee.t = t
		l.says(data)
		assert.Empty(t, l.callee.got())
		assert.Zero(t, l.a.Stats().Received)
	})
}
