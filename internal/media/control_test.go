package media

import (
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/sdp"
)

// reporting is a line whose caller hears reports on a socket of its own.
type reporting struct {
	*line
	ear *phone
}

func newReporting(t *testing.T) *reporting {
	r := &reporting{newLine(t), newPhone(t)}
	far := r.caller.far()
	far.RTCP = r.ear.addr
	r.a.Connect(far)
	return r
}

// tells lets a report of the caller arrive.
func (r *reporting) tells(packets ...rtcp.Packet) {
	data, err := rtcp.Marshal(packets)
	require.NoError(r.ear.t, err)
	r.a.report(r.now, data, r.ear.addr, false)
}

// told reads the one report that was sent.
func (r *reporting) told() []rtcp.Packet {
	r.ear.t.Helper()
	data := r.ear.raw()
	require.Len(r.ear.t, data, 1)
	return understood(r.ear.t, data[0])
}

func understood(t testing.TB, data []byte) []rtcp.Packet {
	t.Helper()
	packets, err := rtcp.Unmarshal(data)
	require.NoError(t, err)
	require.NoError(t, rtcp.CompoundPacket(packets).Validate())
	return packets
}

func TestAReportTellsWhatWasHeardAndSent(t *testing.T) {
	r := newReporting(t)
	for i := range 10 {
		if i == 4 || i == 5 {
			r.caller.step() // lost, across the turn of the number
			continue
		}
		r.says(r.caller.voice(frameOf(1)))
	}
	r.hear(r.b, r.now, r.callee.voice(frameOf(1)), r.callee.addr) // relayed to the caller
	last := r.caller.got()[0]
	r.tells(&rtcp.SenderReport{SSRC: r.caller.SSRC, NTPTime: 0x1111_2222_3333_4444}, rtcp.NewCNAMESourceDescription(r.caller.SSRC, "x"))
	r.a.sendReport(r.now.Add(500*time.Millisecond), false)

	packets := r.told()
	require.Len(t, packets, 2)
	sr := packets[0].(*rtcp.SenderReport)
	assert.Equal(t, r.a.SSRC(), sr.SSRC)
	assert.Equal(t, ntp(r.now.Add(500*time.Millisecond)), sr.NTPTime)
	assert.EqualValues(t, 1, sr.PacketCount)
	assert.EqualValues(t, frameBytes, sr.OctetCount)
	assert.InDelta(t, 4000, int32(sr.RTPTime-last.Timestamp), 2, "half a second later")
	require.Len(t, sr.Reports, 1)
	block := sr.Reports[0]
	assert.Equal(t, r.caller.SSRC, block.SSRC)
	assert.EqualValues(t, 2, block.TotalLost)
	assert.EqualValues(t, 2*256/10, block.FractionLost)
	assert.EqualValues(t, 1<<16|uint32(r.caller.SequenceNumber-1), block.LastSequenceNumber, "the number turned once")
	assert.EqualValues(t, 0x2222_3333, block.LastSenderReport)
	assert.InDelta(t, 32768, block.Delay, 2)
	name := packets[1].(*rtcp.SourceDescription).Chunks[0]
	assert.Equal(t, r.a.SSRC(), name.Source)
	assert.Len(t, name.Items[0].Text, 16)
	assert.NotEqual(t, r.b.control.name, r.a.control.name)

	r.a.sendReport(r.now.Add(time.Second), false)
	assert.Zero(t, r.told()[0].(*rtcp.SenderReport).Reports[0].FractionLost, "of the last interval nothing was")
	r.a.sendReport(r.now.Add(2*time.Second), true)
	packets = r.told()
	assert.IsType(t, &rtcp.ReceiverReport{}, packets[0], "nothing was sent since the report before the last")
	assert.Equal(t, &rtcp.Goodbye{Sources: []uint32{r.a.SSRC()}}, packets[2])
	assert.EqualValues(t, 3, r.a.Quality().ReportsSent)
}

func TestTheFarEndsReportsAreTakenDown(t *testing.T) {
	r := newReporting(t)
	sent := middle(r.now.Add(-300 * time.Millisecond))
	other := rtcp.ReceptionReport{SSRC: r.a.SSRC() + 1, FractionLost: 255, LastSenderReport: sent}
	r.tells(&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{other, {SSRC: r.a.SSRC(), FractionLost: 64, Jitter: 80,
		LastSenderReport: sent, Delay: 65536 / 5}}})
	q := r.a.Quality()
	assert.True(t, q.Reported)
	assert.InDelta(t, 0.25, q.FarLoss, 0.001)
	assert.Equal(t, 10*time.Millisecond, q.FarJitter)
	assert.InDelta(t, 100, q.RoundTrip.Milliseconds(), 1)
	for name, block := range map[string]rtcp.ReceptionReport{
		"never heard of ours": {SSRC: r.a.SSRC()},
		"from the future":     {SSRC: r.a.SSRC(), LastSenderReport: middle(r.now.Add(time.Minute))},
		"held for too long":   {SSRC: r.a.SSRC(), LastSenderReport: sent, Delay: 65536},
		"from another day":    {SSRC: r.a.SSRC(), LastSenderReport: middle(r.now.Add(-time.Hour))},
	} {
		r.tells(&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{block}})
		assert.Equal(t, q.RoundTrip, r.a.Quality().RoundTrip, name)
	}
	assert.Zero(t, r.a.Stats().DroppedRTCP)
}

func TestWhatIsNoReportOfTheFarEndIsDropped(t *testing.T) {
	good, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}})
	require.NoError(t, err)
	long := append(append([]byte{}, good...), make([]byte, 4*maxPacket)...)
	cases := map[string]struct {
		data  []byte
		from  string
		muxed bool
	}{
		"from a stranger":        {data: good, from: stranger},
		"of four bytes":          {data: []byte{0x80, 201, 0, 0}},
		"longer than it is":      {data: []byte{0x80, 201, 0, 9, 0, 0, 0, 1}},
		"with a part cut off":    {data: append(append([]byte{}, good...), 0x80, 203)},
		"of another version":     {data: append([]byte{0x40}, good[1:]...)},
		"a goodbye alone":        {data: []byte{0x81, 203, 0, 1, 0, 0, 0, 7}},
		"with blocks it has not": {data: []byte{0x81, 201, 0, 1, 0, 0, 0, 7}},
		"a clock it has not":     {data: []byte{0x80, 200, 0, 1, 0, 0, 0, 7}},
		"padding at its start":   {data: append([]byte{0xA0}, good[1:]...)},
		"on the port for media":  {data: good, muxed: true},
		"nothing":                {data: nil},
		"longer than a datagram": {data: long},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newReporting(t)
			from := r.ear.addr
			if c.from != "" {
				from = netip.MustParseAddrPort(c.from)
			}
			r.a.report(r.now, c.data, from, c.muxed)
			assert.EqualValues(t, 1, r.a.Stats().DroppedRTCP)
			assert.Nil(t, r.a.far.Load().route.reports.Load(), "nothing is learned from it")
		})
	}
}

func TestReportsOnTheMediaPortIfThatIsAgreed(t *testing.T) {
	r := newReporting(t)
	far := r.a.far.Load().Far
	far.Mux = true
	r.a.Connect(far)
	r.says(r.caller.voice(frameOf(1)))
	r.callee.one()
	data, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 1, NTPTime: 7 << 16}})
	require.NoError(t, err)
	r.says(data)
	r.hear(r.a, r.now, data, netip.MustParseAddrPort(stranger))
	r.a.report(r.now, data, r.ear.addr, false)
	assert.EqualValues(t, 3, r.a.Stats().RTCP)
	assert.EqualValues(t, 2, r.a.Stats().DroppedRTCP)
	assert.Zero(t, r.a.Stats().DroppedNotRTP)
	r.a.sendReport(r.now, false)
	assert.Empty(t, r.ear.raw())
	sent := r.caller.raw()
	require.Len(t, sent, 1)
	report := understood(t, sent[0])[0].(*rtcp.ReceiverReport)
	assert.EqualValues(t, 7, report.Reports[0].LastSenderReport)
}

func TestReportsGoWhereTheFarEndIs(t *testing.T) {
	hidden := newPhone(t) // behind a NAT: it names an address where it is not
	cases := map[string]struct {
		change func(r *reporting, far *Far)
		learn  bool
		want   func(r *reporting) netip.AddrPort
	}{
		"as described": {func(*reporting, *Far) {}, false, func(r *reporting) netip.AddrPort { return r.ear.addr }},
		"on hold":      {func(_ *reporting, far *Far) { far.Send, far.Receive = false, false }, false, func(r *reporting) netip.AddrPort { return r.ear.addr }},
		"hold of old":  {func(_ *reporting, far *Far) { far.Addr = far0() }, false, func(*reporting) netip.AddrPort { return netip.AddrPort{} }},
		"nowhere":      {func(_ *reporting, far *Far) { far.RTCP = netip.AddrPort{} }, false, func(*reporting) netip.AddrPort { return netip.AddrPort{} }},
		"behind a NAT, not heard from": {func(r *reporting, far *Far) {
			far.Addr, far.RTCP, far.Signalled = netip.MustParseAddrPort("192.0.2.9:4000"), netip.MustParseAddrPort("192.0.2.9:4001"), r.caller.addr.Addr()
		}, false, func(*reporting) netip.AddrPort { return netip.AddrPort{} }},
		"behind a NAT, heard from": {func(r *reporting, far *Far) {
			far.Addr, far.RTCP, far.Signalled = netip.MustParseAddrPort("192.0.2.9:4000"), netip.MustParseAddrPort("192.0.2.9:4001"), r.caller.addr.Addr()
		}, true, func(*reporting) netip.AddrPort { return hidden.addr }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newReporting(t)
			far := r.a.far.Load().Far
			c.change(r, &far)
			r.a.Connect(far)
			for range 4 {
				r.says(r.caller.voice(frameOf(1)))
			}
			if c.learn {
				data, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}})
				require.NoError(t, err)
				r.a.report(r.now, data, hidden.addr, false)
			}
			to := r.a.far.Load().reportsTo()
			if want := c.want(r); want.IsValid() {
				require.NotNil(t, to)
				assert.Equal(t, want, to.addr)
			} else {
				assert.Nil(t, to)
			}
		})
	}
}

func TestReportsAreSealedWhereTheMediaIs(t *testing.T) {
	for _, suite := range sdp.Suites() {
		r := newReporting(t)
		e := secure(t, r.a, r.a.far.Load().Far, suite)
		mine, err := NewSealer(suite, e.theirs)
		require.NoError(t, err)
		r.says(e.says.seal(r.caller.voice(frameOf(1)), 0))
		plain, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 9, NTPTime: 5 << 16}})
		require.NoError(t, err)
		sealed, err := mine.sealReport(plain)
		require.NoError(t, err)
		again, forged := append([]byte{}, sealed...), append([]byte{}, sealed...)
		forged[9] ^= 1
		for _, data := range [][]byte{forged, plain, sealed, again} {
			r.a.report(r.now, data, r.ear.addr, false)
		}
		assert.EqualValues(t, 3, r.a.Stats().DroppedRTCP, "forged, in clear, and for the second time")
		r.a.sendReport(r.now, true)
		sent := r.ear.raw()
		require.Len(t, sent, 1)
		_, err = rtcp.Unmarshal(sent[0])
		opened, ok := e.hears.openReport(sent[0])
		require.True(t, ok, err)
		packets := understood(t, opened)
		assert.EqualValues(t, 5, packets[0].(*rtcp.ReceiverReport).Reports[0].LastSenderReport)
	}
}

func TestARunningStreamReportsAndSaysGoodbye(t *testing.T) {
	for name, cfg := range map[string]EngineConfig{"loops": {}, "plain": {Plain: true}} {
		for _, mux := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				ports := NewPorts(PortsConfig{Engine: NewEngine(cfg), Addr: loopback()})
				ports.reportEvery = time.Millisecond
				s, p, ear := opened(t, ports), newPhone(t), newPhone(t)
				far := p.far()
				far.RTCP, far.Mux = ear.addr, mux
				s.Connect(far)
				stop := run(t, s)
				p.send(s.Local(), p.voice(frameOf(1)))
				next := func() []rtcp.Packet {
					at := ear
					if mux {
						at = p
					}
					buf := make([]byte, maxPacket)
					require.NoError(t, at.conn.SetReadDeadline(time.Now().Add(patience)))
					n, err := at.conn.Read(buf)
					require.NoError(t, err)
					return understood(t, buf[:n])
				}
				for len(next()[0].(*rtcp.ReceiverReport).Reports) == 0 {
				}
				back := netip.AddrPortFrom(loopback(), s.Local().Port()+1)
				if mux {
					back = s.Local()
				}
				data, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 1, NTPTime: 9 << 16}})
				require.NoError(t, err)
				from := ear.conn
				if mux {
					from = p.conn
				}
				_, err = from.WriteToUDP(data, net.UDPAddrFromAddrPort(back))
				require.NoError(t, err)
				for next()[0].(*rtcp.ReceiverReport).Reports[0].LastSenderReport != 9 {
				}
				stop(errHungUp)
				for packets := next(); len(packets) < 3; packets = next() {
				}
			})
		}
	}
}

func TestAStreamThatNeverSentSaysNoGoodbye(t *testing.T) {
	ports := NewPorts(PortsConfig{Engine: tested(), Addr: loopback()})
	ports.reportEvery = time.Hour
	s, ear := opened(t, ports), newPhone(t)
	far := ear.far()
	far.RTCP = ear.addr
	s.Connect(far)
	stop := run(t, s)
	stop(errHungUp)
	assert.Empty(t, ear.raw())
}

func TestTheQualityOfALegIsThatOfItsPackets(t *testing.T) {
	assert.Zero(t, Quality{}.MOS(), "nothing was heard")
	for name, c := range map[string]struct {
		q    Quality
		want float64
	}{
		"nothing amiss":         {Quality{Expected: 100}, 4.40},
		"one in a hundred lost": {Quality{Expected: 1000, Lost: 10}, 4.33},
		"five in a hundred":     {Quality{Expected: 1000, Lost: 50}, 3.90},
		"a quarter":             {Quality{Expected: 100, Lost: 25}, 2.35},
		"all":                   {Quality{Expected: 100, Lost: 100}, 1.16},
		"far away":              {Quality{Expected: 100, RoundTrip: 300 * time.Millisecond}, 4.32},
		"by satellite":          {Quality{Expected: 100, RoundTrip: 600 * time.Millisecond}, 3.59},
		"with a lot of jitter":  {Quality{Expected: 100, Jitter: 100 * time.Millisecond}, 4.14},
		"beyond everything":     {Quality{Expected: 100, Lost: 99, RoundTrip: 10 * time.Second}, 1.00},
	} {
		assert.InDelta(t, c.want, c.q.MOS(), 0.02, name)
		assert.False(t, math.IsNaN(c.q.MOS()))
	}
}

func TestJitterIsWhatTheClocksOfBothEndsDisagreeBy(t *testing.T) {
	l := newLine(t)
	for i := range 400 {
		late := time.Duration(i%2) * 10 * time.Millisecond
		l.now = l.now.Add(frameTime)
		l.hear(l.a, l.now.Add(late), l.caller.voice(frameOf(1)), l.caller.addr)
	}
	assert.InDelta(t, 10, l.a.Quality().Jitter.Milliseconds(), 1)
	l.says(l.caller.event(101, 5, 1, true, 800))
	assert.InDelta(t, 10, l.a.Quality().Jitter.Milliseconds(), 1, "a key has the time of its beginning")
}

func TestLossIsCountedAcrossSourcesAndNotAcrossAgreements(t *testing.T) {
	l := newLine(t)
	speak := func(n int) {
		for range n {
			l.says(l.caller.voice(frameOf(1)))
		}
	}
	speak(5)
	l.caller.SequenceNumber += 2
	speak(5)
	assert.Equal(t, []uint64{12, 2}, []uint64{l.a.Quality().Expected, l.a.Quality().Lost})
	l.caller.SSRC++
	l.caller.SequenceNumber = 5
	speak(5)
	l.caller.SequenceNumber++
	speak(1)
	assert.Equal(t, []uint64{19, 3}, []uint64{l.a.Quality().Expected, l.a.Quality().Lost})
	l.caller.SequenceNumber += 5000 // a jump is another source
	speak(1)
	assert.Equal(t, []uint64{20, 3}, []uint64{l.a.Quality().Expected, l.a.Quality().Lost})
	far := l.a.far.Load().Far
	far.EventPT = 99
	l.caller.SequenceNumber += 50
	l.a.Connect(far)
	speak(2)
	assert.Equal(t, []uint64{22, 3}, []uint64{l.a.Quality().Expected, l.a.Quality().Lost})
	late := l.caller.same(frameOf(1))
	l.caller.step()
	speak(1)
	assert.EqualValues(t, 4, l.a.Quality().Lost)
	l.says(late)
	assert.EqualValues(t, 3, l.a.Quality().Lost, "it was only late")
}

func FuzzReports(f *testing.F) {
	for _, packets := range [][]rtcp.Packet{
		{&rtcp.SenderReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 7, LastSenderReport: 1}}}, rtcp.NewCNAMESourceDescription(1, "x")},
		{&rtcp.ReceiverReport{SSRC: 1}, &rtcp.Goodbye{Sources: []uint32{1}}},
	} {
		data, err := rtcp.Marshal(packets)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, ok := parseReports(data, 7)
		if !ok {
			return
		}
		require.True(t, len(data)%4 == 0 && len(data) >= 8)
		if packets, err := rtcp.Unmarshal(data); err == nil {
			_, sender := packets[0].(*rtcp.SenderReport)
			require.True(t, got.sender || !sender)
		}
	})
}
