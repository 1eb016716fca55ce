package media

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/require"
)

func TestAnOutletReportsWhatItSentToThePortOfReports(t *testing.T) {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	listen := func() (*net.UDPConn, netip.AddrPort) {
		c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		return c, c.LocalAddr().(*net.UDPAddr).AddrPort()
	}
	_, audio := listen()
	reports, address := listen()
	ports := NewPorts(PortsConfig{Addr: loopback})
	o, err := ports.Outlet()
	require.NoError(t, err)
	packet := make([]byte, 172)
	packet[0], packet[1], packet[11] = 0x80, 8, 77

	to := Destination{Addr: audio, RTCP: address, Formats: []Format{{PCMA, 8}}}
	o.Report(time.Now(), false) // directed nowhere
	require.NoError(t, o.Direct(to))
	o.Report(time.Now(), false) // nothing sent
	require.True(t, o.Send(packet, PCMA))
	require.True(t, o.Send(packet, PCMA))
	o.Report(time.Now(), false)
	o.Report(time.Now(), false)
	o.Report(time.Now(), false)
	o.Report(time.Now(), true)
	o.Stop()
	o.Report(time.Now(), true)
	next := func() []rtcp.Packet {
		buf := make([]byte, 2000)
		require.NoError(t, reports.SetReadDeadline(time.Now().Add(10*time.Second)))
		n, from, err := reports.ReadFromUDPAddrPort(buf)
		require.NoError(t, err)
		require.Equal(t, o.Local().Port()+1, from.Port())
		list, err := rtcp.Unmarshal(buf[:n])
		require.NoError(t, err)
		return list
	}
	for range 2 {
		sender, ok := next()[0].(*rtcp.SenderReport)
		require.True(t, ok)
		require.Equal(t, []uint32{77, 2, 320}, []uint32{sender.SSRC, sender.PacketCount, sender.OctetCount})
	}
	require.IsType(t, &rtcp.ReceiverReport{}, next()[0], "nothing was sent for two reports")
	last := next()
	require.IsType(t, &rtcp.SourceDescription{}, last[1])
	require.Equal(t, []uint32{77}, last[2].(*rtcp.Goodbye).Sources)
	require.NoError(t, o.Close())
	require.NoError(t, ports.Close())
}
