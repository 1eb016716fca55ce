package phone

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"consentgw/internal/sdp"
	"consentgw/sip"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is two phones; the second one does with a call what ring says.
func pair(t *testing.T, ring func(context.Context, *Ring)) (context.Context, *Phone, *Phone) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	var phones [2]*Phone
	for i, r := range []func(context.Context, *Ring){nil, ring} {
		p, err := New(Config{Listen: "udp:127.0.0.1:0", Ring: r})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, p.Close()) })
		phones[i] = p
	}
	return ctx, phones[0], phones[1]
}

// picked is a phone that picks up and hands over the line.
func picked(lines chan<- *Line) func(context.Context, *Ring) {
	return func(ctx context.Context, r *Ring) {
		line, err := r.Pick(ctx)
		if err != nil {
			return
		}
		lines <- line
		<-line.Ended()
	}
}

func constant(value int16) []int16 {
	pcm := make([]int16, 1600)
	for i := range pcm {
		pcm[i] = value
	}
	return pcm
}

func dial(p *Phone) Dial {
	return Dial{Target: p.URI(), Caller: "+31205550100", Called: "+31205550123"}
}

func audioOf(n int) func([]Packet, []byte) bool {
	return func(_ []Packet, audio []byte) bool { return len(audio) >= n*frame }
}

func TestTwoPhonesHearEachOther(t *testing.T) {
	lines := make(chan *Line, 1)
	ctx, a, b := pair(t, picked(lines))
	line, err := a.Call(ctx, dial(b))
	require.NoError(t, err)
	other := <-lines
	assert.Equal(t, other.MediaAddr(), line.Far())
	line.Speak(constant(4000), true)
	other.Speak(constant(-2000), false)
	require.NoError(t, other.Until(ctx, audioOf(20)))
	require.NoError(t, line.Until(ctx, audioOf(20)))
	assert.InDelta(t, 4000, Loudness(other.Received()), 200)
	assert.NotZero(t, Loudness(line.Received()))
	sent, heard := line.Sent(), other.Received()
	for i := range 20 {
		assert.Equal(t, sent[i].Payload, heard[i].Payload)
		assert.Equal(t, sent[0].Seq+uint16(i), heard[i].Seq)
		assert.Equal(t, sent[0].Timestamp+uint32(i*frame), heard[i].Timestamp)
	}
	require.NoError(t, line.Hangup(ctx))
	<-other.Ended()
	require.NoError(t, line.Hangup(ctx), "twice is once")
}

func TestAKeyIsFiveUpdatesAndThreeEndsOfOneEvent(t *testing.T) {
	lines := make(chan *Line, 1)
	ctx, a, b := pair(t, picked(lines))
	line, err := a.Call(ctx, dial(b))
	require.NoError(t, err)
	other := <-lines
	line.Press("1#")
	events := func(packets []Packet) (list []Packet) {
		for _, p := range packets {
			if p.Type == 101 {
				list = append(list, p)
			}
		}
		return list
	}
	require.NoError(t, other.Until(ctx, func(p []Packet, _ []byte) bool { return len(events(p)) >= 16 }))
	heard := events(other.Received())
	for i, p := range heard[:16] {
		key, first := []byte{1, 11}[i/8], heard[i/8*8]
		assert.Equal(t, key, p.Payload[0])
		assert.Equal(t, first.Timestamp, p.Timestamp, "an event keeps its timestamp")
		assert.Equal(t, i%8 >= 5, p.Payload[1]&0x80 != 0, "packet %d", i)
	}
	assert.NotEqual(t, heard[0].Timestamp, heard[8].Timestamp)
}

func TestAHeldPhoneSaysNothing(t *testing.T) {
	lines := make(chan *Line, 1)
	ctx, a, b := pair(t, picked(lines))
	line, err := a.Call(ctx, dial(b))
	require.NoError(t, err)
	other := <-lines
	other.Speak(constant(4000), true)
	require.NoError(t, line.Until(ctx, audioOf(5)))
	require.NoError(t, line.Hold(ctx))
	held := len(other.Sent())
	line.Speak(constant(4000), true) // music on hold
	require.NoError(t, other.Until(ctx, audioOf(10)))
	assert.LessOrEqual(t, len(other.Sent())-held, 1, "one frame may have been on its way")
	require.NoError(t, line.Resume(ctx))
	require.NoError(t, line.Until(ctx, audioOf(held+5)))
}

func TestACallIsRefusedByWhoeverDoesNotWantIt(t *testing.T) {
	for name, c := range map[string]struct {
		ring func(context.Context, *Ring)
		sdp  func(*sdp.Session)
		code int
	}{
		"nobody to ring":     {nil, nil, 486},
		"refused":            {func(_ context.Context, r *Ring) { r.Reject(603, "Decline") }, nil, 603},
		"no codec in common": {func(ctx context.Context, r *Ring) { r.Pick(ctx) }, func(s *sdp.Session) { s.Media[0].Codecs, s.Media[0].Formats = nil, []string{"18"} }, 488},
		"no early codec in common": {func(context.Context, *Ring) {}, func(s *sdp.Session) {
			s.Media[0].Codecs, s.Media[0].Formats = nil, []string{"18"}
		}, 500},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, a, b := pair(t, c.ring)
			d := dial(b)
			d.SDP = c.sdp
			_, err := a.Call(ctx, d)
			var status *sip.StatusError
			require.ErrorAs(t, err, &status)
			assert.Equal(t, c.code, status.Code)
		})
	}
}

func TestEarlyMediaIsHeardOnTheSameLineAsTheCall(t *testing.T) {
	lines := make(chan *Line, 1)
	answer := make(chan struct{})
	ctx, a, b := pair(t, func(ctx context.Context, r *Ring) {
		line, described, err := r.Early()
		if err != nil {
			return
		}
		line.Speak(constant(4000), true)
		<-answer
		if r.PickEarly(ctx, line, described) == nil {
			lines <- line
			<-line.Ended()
		}
	})
	close(answer)
	line, err := a.Call(ctx, dial(b))
	require.NoError(t, err)
	<-lines
	require.NoError(t, line.Until(ctx, audioOf(5)))
	require.NoError(t, line.PressInfo(ctx, '1'))
	line.Drop()
	line.Drop()
}

func TestARecorderKeepsWhatComesBySource(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, err := NewRecorder(netip.MustParseAddr("127.0.0.1"))
	require.NoError(t, err)
	defer r.Close()
	for i, to := range []netip.AddrPort{r.CallerAddr(), r.CallerAddr(), r.AgentAddr()} {
		conn, err := net.Dial("udp", to.String())
		require.NoError(t, err)
		b := Event('1', uint16(i), 160, 160, false)
		b[11] = byte(i)
		for _, packet := range [][]byte{[]byte("not RTP"), b} {
			_, err = conn.Write(packet)
			require.NoError(t, err)
		}
		require.NoError(t, conn.Close())
	}
	require.NoError(t, r.Until(ctx, func(caller, agent []Packet) bool { return len(caller) == 2 && len(agent) == 1 }))
	assert.Len(t, r.Caller(0x5E00), 1)
	assert.Len(t, r.Caller(0x5E01), 1)
	assert.Len(t, r.Agent(0x5E02), 1)
	assert.Empty(t, r.Agent(0x5E01))
	over, end := context.WithCancel(ctx)
	end()
	assert.ErrorIs(t, r.Until(over, func([]Packet, []Packet) bool { return false }), context.Canceled)
}
