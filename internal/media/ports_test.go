package media

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rangeOf finds n free pairs in a row, and the clock that the ports look at.
func rangeOf(t *testing.T, n int) (*Ports, *time.Time) {
	t.Helper()
	for range 100 {
		probe := NewPorts(PortsConfig{Engine: tested(), Addr: loopback()})
		s, err := probe.Open()
		require.NoError(t, err)
		low := s.Local().Port()
		require.NoError(t, s.Close())
		if int(low)+2*n > 65535 {
			continue
		}
		ports := NewPorts(PortsConfig{Engine: tested(), Addr: loopback(), Low: low, High: low + uint16(2*n) - 1, Rest: time.Minute})
		if free(ports, n) {
			now := time.Now()
			ports.now = func() time.Time { return now }
			return ports, &now
		}
	}
	t.Fatal("no free ports")
	return nil, nil
}

// free tries a range out, and forgets that it did.
func free(p *Ports, n int) bool {
	var open []*Stream
	for range n {
		s, err := p.Open()
		if err != nil {
			break
		}
		open = append(open, s)
	}
	for _, s := range open {
		s.Close()
	}
	p.cfg.Rest = 0
	p.Counts() // wakes them
	p.cfg.Rest = time.Minute
	return len(open) == n
}

func opened(t *testing.T, p *Ports) *Stream {
	t.Helper()
	s, err := p.Open()
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func TestPortsComeInPairsEvenAndOdd(t *testing.T) {
	for name, ports := range map[string]*Ports{
		"of the system": NewPorts(PortsConfig{Engine: tested(), Addr: loopback()}),
		"IPv6":          NewPorts(PortsConfig{Engine: tested(), Addr: netip.IPv6Loopback()}),
	} {
		t.Run(name, func(t *testing.T) {
			if probe, err := ports.cfg.Engine.bind(ports.at(0, binding{})); errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
				t.Skip("this machine has no such address")
			} else {
				require.NoError(t, err)
				require.NoError(t, probe.close())
			}
			for range 10 {
				s := opened(t, ports)
				assert.Zero(t, s.Local().Port()%2)
				assert.Equal(t, s.Local().Port()+1, s.pair.rtcp.local().Port())
				assert.Equal(t, ports.cfg.Addr, s.Local().Addr())
			}
			assert.Equal(t, PortCounts{Used: 10, Free: -1}, ports.Counts())
		})
	}
}

func TestARangeIsUsedUpAndThenSaysSo(t *testing.T) {
	ports, _ := rangeOf(t, 3)
	used := map[uint16]bool{}
	for range 3 {
		s := opened(t, ports)
		port := s.Local().Port()
		assert.GreaterOrEqual(t, port, ports.cfg.Low)
		assert.LessOrEqual(t, port, ports.cfg.High-1)
		assert.False(t, used[port])
		used[port] = true
		assert.True(t, ports.Holds(s.Local()))
		assert.True(t, ports.Holds(netip.AddrPortFrom(s.Local().Addr(), port+1)), "its RTCP port too")
	}
	assert.Equal(t, PortCounts{Used: 3}, ports.Counts())
	_, err := ports.Open()
	require.ErrorIs(t, err, ErrNoPorts)
	assert.ErrorContains(t, err, "3 pairs in use, 0 resting, 0 held by other processes")
	assert.ErrorContains(t, ports.Close(), "3 RTP port pairs")
}

func TestAUsedPairRestsBeforeItIsUsedAgain(t *testing.T) {
	ports, now := rangeOf(t, 2)
	for range 20 { // whatever chance says
		s := opened(t, ports)
		require.NoError(t, s.Close())
		assert.Equal(t, PortCounts{Resting: 1, Free: 1}, ports.Counts())
		assert.False(t, ports.Holds(s.Local()))
		*now = now.Add(time.Minute - 1)
		other := opened(t, ports)
		assert.NotEqual(t, s.Local(), other.Local())
		require.NoError(t, other.Close())
		*now = now.Add(1)
		assert.Equal(t, PortCounts{Resting: 1, Free: 1}, ports.Counts(), "each rests from its own end")
		*now = now.Add(time.Minute)
		assert.Equal(t, PortCounts{Free: 2}, ports.Counts())
	}
	assert.NoError(t, ports.Close())
}

func TestWhenAllRestTheLongestRestedGoesFirst(t *testing.T) {
	ports, now := rangeOf(t, 3)
	var streams []*Stream
	for range 3 {
		streams = append(streams, opened(t, ports))
	}
	for _, i := range []int{1, 0, 2} {
		*now = now.Add(time.Second)
		require.NoError(t, streams[i].Close())
	}
	assert.Equal(t, PortCounts{Resting: 3}, ports.Counts())
	assert.Equal(t, streams[1].Local(), opened(t, ports).Local())
	assert.Equal(t, streams[0].Local(), opened(t, ports).Local())
	assert.Equal(t, PortCounts{Used: 2, Resting: 1, Hurried: 2}, ports.Counts())
}

func TestAPortOfAnotherProcessIsSkipped(t *testing.T) {
	for _, offset := range []uint16{0, 1} {
		ports, _ := rangeOf(t, 2)
		taken, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback(), ports.cfg.Low+offset)))
		require.NoError(t, err)
		defer taken.Close()
		s := opened(t, ports)
		assert.Equal(t, ports.cfg.Low+2, s.Local().Port())
		assert.Equal(t, PortCounts{Used: 1, Free: 1}, ports.Counts(), "it may become free again")
		_, err = ports.Open()
		require.ErrorIs(t, err, ErrNoPorts)
		assert.ErrorContains(t, err, "1 held by other processes")
	}
}

func TestPortsThatCannotBeOpenedSayWhy(t *testing.T) {
	closed := NewPorts(PortsConfig{Engine: tested(), Addr: loopback()})
	require.NoError(t, closed.Close())
	cases := map[string]struct {
		ports *Ports
		err   error
		text  string
	}{
		"closed":              {closed, ErrPortsClosed, ""},
		"no address":          {NewPorts(PortsConfig{}), nil, "no local address"},
		"not our address":     {NewPorts(PortsConfig{Engine: tested(), Addr: netip.MustParseAddr("192.0.2.1")}), syscall.EADDRNOTAVAIL, ""},
		"the same, a range":   {NewPorts(PortsConfig{Engine: tested(), Addr: netip.MustParseAddr("192.0.2.1"), Low: 40000, High: 40009}), syscall.EADDRNOTAVAIL, ""},
		"a range of one port": {NewPorts(PortsConfig{Engine: tested(), Addr: loopback(), Low: 40000, High: 40000}), ErrNoPorts, ""},
		"an odd pair only":    {NewPorts(PortsConfig{Engine: tested(), Addr: loopback(), Low: 40001, High: 40002}), ErrNoPorts, ""},
		"a range upside down": {NewPorts(PortsConfig{Engine: tested(), Addr: loopback(), Low: 40000, High: 30000}), ErrNoPorts, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := c.ports.Open()
			require.Error(t, err)
			if c.err != nil {
				assert.ErrorIs(t, err, c.err)
			}
			assert.ErrorContains(t, err, c.text)
			assert.Zero(t, c.ports.Counts().Used)
		})
	}
}

func TestTheLargestPortIsUsed(t *testing.T) {
	ports := NewPorts(PortsConfig{Engine: tested(), Addr: loopback(), Low: 65531, High: 65535})
	assert.ElementsMatch(t, []uint16{65532, 65534}, ports.free)
}

func TestASenderTellsWhatTheRecorderRefuses(t *testing.T) {
	recorder := newPhone(t)
	ports := NewPorts(PortsConfig{Engine: tested(), Addr: loopback()})
	s, err := ports.Sender(recorder.addr)
	require.NoError(t, err)
	data := recorder.voice(frameOf(1))
	require.True(t, s.Send(data, PCMA))
	assert.Equal(t, frameOf(1), recorder.one().Payload)
	assert.NoError(t, s.LastError())
	assert.Zero(t, s.Local().Port()%2)

	require.NoError(t, recorder.conn.Close())
	s.Send(data, PCMA) // refused, which the next one is told
	assert.False(t, s.Send(data, PCMA))
	assert.ErrorIs(t, s.LastError(), syscall.ECONNREFUSED)

	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	assert.False(t, s.Send(data, PCMA))
	assert.Equal(t, PortCounts{Resting: 1, Free: -1}, ports.Counts())
	assert.NoError(t, ports.Close())
}

func TestASenderNeedsAnAddress(t *testing.T) {
	ports := NewPorts(PortsConfig{Engine: tested(), Addr: loopback()})
	for _, to := range []string{"127.0.0.1:0", "0.0.0.0:6000", "[::1]:6000", "255.255.255.255:6000"} {
		_, err := ports.Sender(netip.MustParseAddrPort(to))
		assert.Error(t, err, to)
	}
	_, err := ports.Sender(netip.AddrPort{})
	assert.ErrorIs(t, err, ErrUnusableFar)
	assert.NoError(t, ports.Close(), "nothing is left open")
}
