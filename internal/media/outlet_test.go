package media

import (
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"consentgw/internal/g711"
	"consentgw/internal/g722"
)

func TestAnOutletSendsOnlyWhileItIsDirected(t *testing.T) {
	far, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer far.Close()
	ports := NewPorts(PortsConfig{Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1})})
	o, err := ports.Outlet()
	require.NoError(t, err)
	packet := make([]byte, 172)
	packet[0], packet[1] = 0x80, 8
	for i := range 160 {
		packet[12+i] = byte(i)
	}
	next := func() []byte {
		buf := make([]byte, 2000)
		require.NoError(t, far.SetReadDeadline(time.Now().Add(10*time.Second)))
		n, err := far.Read(buf)
		require.NoError(t, err)
		return buf[:n]
	}
	to := far.LocalAddr().(*net.UDPAddr).AddrPort()

	require.False(t, o.Send(packet, PCMA), "nobody has accepted anything")
	require.Error(t, o.Direct(Destination{Addr: netip.AddrPortFrom(to.Addr(), 0)}))
	require.False(t, o.Send(packet, PCMA))
	require.NoError(t, o.Direct(Destination{Addr: to, Formats: []Format{{PCMA, 8}, {PCMU, 0}}}))
	require.True(t, o.Send(packet, PCMA))
	require.Equal(t, packet, next())

	require.NoError(t, o.Direct(Destination{Addr: to, Formats: []Format{{PCMU, 0}}}))
	packet[1] |= 0x80
	require.True(t, o.Send(packet, PCMA))
	got := next()
	require.EqualValues(t, 0x80, got[1], "the marker stays, the type is that of mu-law")
	want := make([]byte, 160)
	g711.AToMuAll(want, packet[12:])
	require.Equal(t, want, got[12:])
	require.EqualValues(t, 8, packet[1]&0x7f, "the packet is others' as well")

	require.NoError(t, o.Direct(Destination{Addr: to, Formats: []Format{{G722, 9}}}))
	require.False(t, o.Send(packet, PCMA), "nothing can be made of G.711 for who wants G.722")
	o.Stop()
	require.False(t, o.Send(packet, PCMA))
	require.NoError(t, o.Close())
	require.NoError(t, o.Close())
	require.False(t, o.Send(packet, PCMA))
	require.NoError(t, ports.Close())
}

func TestG722ForWhoTakesG711OnlySoundsTheSame(t *testing.T) {
	far, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer far.Close()
	ports := NewPorts(PortsConfig{Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1})})
	o, err := ports.Outlet()
	require.NoError(t, err)
	defer o.Close()
	require.NoError(t, o.Direct(Destination{Addr: far.LocalAddr().(*net.UDPAddr).AddrPort(), Formats: []Format{{PCMU, 0}}}))

	pcm := make([]int16, 16000) // a second of 500 Hz
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*500*float64(i)/16000))
	}
	codes := make([]byte, 8000)
	g722.NewEncoder().Encode(codes, pcm)
	packet := make([]byte, 172)
	packet[0], packet[1] = 0x80, 9
	var heard []float64
	for at := 0; at < len(codes); at += 160 {
		copy(packet[12:], codes[at:])
		require.True(t, o.Send(packet, G722))
		buf := make([]byte, 2000)
		require.NoError(t, far.SetReadDeadline(time.Now().Add(10*time.Second)))
		n, err := far.Read(buf)
		require.NoError(t, err)
		require.Equal(t, 172, n)
		require.EqualValues(t, 0, buf[1])
		for _, c := range buf[12:n] {
			heard = append(heard, float64(g711.DecodeMu(c)))
		}
	}
	var in, out, power float64
	for i, v := range heard[4000:] {
		in += v * math.Sin(2*math.Pi*500*float64(i)/8000)
		out += v * math.Cos(2*math.Pi*500*float64(i)/8000)
		power += v * v
	}
	require.Greater(t, 2*(in*in+out*out)/4000/power, 0.95, "it is the tone and little else")
	require.InDelta(t, 8000, math.Sqrt(2*power/4000), 800, "as loud as it was")
	require.Zero(t, testing.AllocsPerRun(100, func() { o.Send(packet, G722) }))
}
