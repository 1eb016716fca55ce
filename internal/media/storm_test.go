package media

import (
	"bytes"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"consentgw/internal/sdp"
)

// storm is a call into which anybody throws what he likes, by whatever ports,
// while its parties agree anew and its gate is shut, opened and revoked. It is
// played from a script of bytes: who, what, how many more, and those.
type storm struct {
	t testing.TB
	*line
	gate       *Gate
	sink       *kept
	keys       *secured // of the caller; nil: in clear
	agreed     Far      // with the caller
	shut, gone bool     // the gate; for good
	nat, no    netip.AddrPort
}

func newStorm(t testing.TB, encrypted bool) *storm {
	s := &storm{t: t, line: newLine(t), gate: openGate(t), sink: &kept{},
		nat: netip.MustParseAddrPort("127.0.0.7:61000"), no: netip.MustParseAddrPort("127.0.0.66:61000")}
	s.caller.SequenceNumber = 100 // what it seals has no turns
	s.agreed = s.caller.far()
	s.agreed.Signalled = s.nat.Addr()
	if encrypted {
		s.keys = secure(t, s.a, s.agreed, sdp.AEAD128)
		s.agreed = s.a.far.Load().Far
	}
	s.a.Connect(s.agreed)
	s.a.TapTo(NewTap(s.gate, 77, s.sink))
	s.b.TapTo(NewTap(s.gate, 78, s.sink))
	return s
}

// play plays a script, and holds the law after every step of it.
func (s *storm) play(script []byte) {
	for len(script) >= 3 {
		who, what, size := script[0], script[1], int(script[2])
		script = script[3:]
		data := script[:min(size, len(script))]
		script = script[len(data):]
		s.now = s.now.Add(time.Duration(who) * time.Millisecond)
		if s.changes(what, data) {
			continue
		}
		before := len(s.sink.packets)
		relayed := s.b.Stats().Relayed
		from := []netip.AddrPort{s.caller.addr, s.nat, s.no, netip.AddrPortFrom(s.caller.addr.Addr(), 9), s.callee.addr}[who%5]
		s.throw(who, s.datagram(what, data), from)
		copies := s.sink.packets[before:]
		if s.shut || s.gone {
			require.Empty(s.t, copies, "nothing passes a shut gate")
		}
		if from == s.no {
			require.Empty(s.t, copies, "a stranger is not recorded")
			require.Equal(s.t, relayed, s.b.Stats().Relayed, "and heard by nobody")
		}
		for _, p := range copies {
			require.Contains(s.t, []uint32{77, 78}, p.SSRC)
			require.Contains(s.t, []uint8{0, 8}, p.PayloadType, "no key is recorded")
		}
	}
}

// changes is what the owner of the call does, if that is what the script says.
func (s *storm) changes(what byte, data []byte) bool {
	switch what % 16 {
	case 11: // a round, on hold or not
		s.agreed.Round++
		s.agreed.Receive = len(data)%4 != 0
		s.agreed.Mux = len(data)%4 == 1
		s.a.Connect(s.agreed)
	case 12:
		s.gate.Shut()
		s.shut = true
	case 13:
		s.shut = !s.gate.Open()
	case 14:
		if len(data) == 7 { // seldom: all is over for the tap
			s.gate.Shut()
			s.gate.permit.Revoke()
			s.gone = true
		}
	case 15:
		s.a.RelayTo([]*Stream{nil, s.b}[len(data)%2])
	default:
		return false
	}
	return true
}

// datagram is what is thrown: the bytes as they are, or a packet of the caller
// that has them as its payload, or over its header.
func (s *storm) datagram(what byte, data []byte) []byte {
	switch what % 16 {
	case 0, 1, 2:
		return bytes.Clone(data)
	case 3, 4:
		return s.sealed(s.caller.voice(frameOf(what)))
	case 5, 6:
		return s.sealed(s.caller.voice(data))
	case 7:
		return s.caller.voice(data) // in clear, whatever was agreed
	case 8:
		return s.sealed(s.caller.event(101, s.caller.Timestamp, byte(len(data)%17), len(data)%2 == 0, uint16(len(data))*160))
	}
	packet := s.sealed(s.caller.voice(frameOf(what)))
	for i, b := range data {
		packet[i%len(packet)] ^= b
	}
	return packet
}

func (s *storm) sealed(plain []byte) []byte {
	if s.keys == nil {
		return plain
	}
	return s.keys.says.seal(plain, 0)
}

// throw lets a datagram arrive at either stream, by either port.
func (s *storm) throw(who byte, data []byte, from netip.AddrPort) {
	at := s.a
	if who&0x40 != 0 {
		at = s.b
	}
	if who&0x80 != 0 {
		at.report(s.now, data, from, false)
	} else {
		before := known(at)
		at.handle(s.now, data, from, &s.room)
		require.Equal(s.t, before+1, known(at), "every datagram is counted, once")
	}
	if who%5 == 2 {
		for len(at.Presses()) > 0 {
			require.NotEqual(s.t, s.now, (<-at.Presses()).At, "a stranger pressed a key")
		}
	}
}

// known is how many datagrams of the RTP port the counters of a stream know.
func known(s *Stream) uint64 {
	i := s.Stats().Inbound
	return i.Received + i.RTCP + i.DroppedSource + i.DroppedMalformed + i.DroppedNotRTP + i.DroppedPayload + i.DroppedHeld + i.DroppedSRTP
}

// FuzzStream plays storms, in clear and encrypted.
func FuzzStream(f *testing.F) {
	f.Add([]byte{0, 3, 0, 0, 3, 0, 2, 3, 0, 0, 8, 4, 1, 2, 3, 4, 0, 12, 0, 0, 3, 0, 0, 13, 0, 0, 3, 0}, false)
	f.Add([]byte{1, 3, 0, 6, 3, 0, 11, 3, 0, 0, 11, 1, 9, 1, 3, 0, 2, 8, 2, 9, 9, 0, 14, 7, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0}, false)
	f.Add([]byte{0, 5, 3, 1, 2, 3, 0, 7, 2, 1, 2, 0, 9, 2, 0x80, 0xFF, 64, 3, 0, 128, 0, 8, 0x80, 200, 0, 1, 0, 0, 0, 7}, true)
	f.Fuzz(func(t *testing.T, script []byte, encrypted bool) {
		newStorm(t, encrypted).play(script)
	})
}

// TestAStormLeavesNothingBehind: whatever is thrown at a call, it holds no more
// memory afterwards than before.
func TestAStormLeavesNothingBehind(t *testing.T) {
	for name, encrypted := range map[string]bool{"in clear": false, "encrypted": true} {
		t.Run(name, func(t *testing.T) {
			s := newStorm(t, encrypted)
			rounds := func(n int) uint64 {
				for i := range n {
					script := make([]byte, 400)
					for j := range script {
						script[j] = byte(i*7919 + j*j*31 + i*j*13)
					}
					s.play(script)
					s.sink.packets = s.sink.packets[:0]
					s.callee.raw()
					s.caller.raw()
				}
				runtime.GC()
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			before := rounds(100) // by then everything is there that is ever made
			after := rounds(2000)
			require.Less(t, after, before+256<<10, "bytes of memory after twenty times as much")
		})
	}
}
