package call

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"consentgw/internal/config"
	"consentgw/internal/media"
	"consentgw/internal/phone"
	"consentgw/internal/sdp"
	"consentgw/sip"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// watched is a party with a socket, and the far end of it.
func watched(t *testing.T) (*party, *net.UDPConn) {
	ports := media.NewPorts(media.PortsConfig{Addr: loopback(), Rest: time.Millisecond})
	stream, err := ports.Open()
	require.NoError(t, err)
	p := &party{name: "caller", stream: stream, ours: func(netip.AddrPort) bool { return false }}
	p.running, p.stop = context.WithCancel(context.Background())
	(&Call{log: slog.New(slog.DiscardHandler), end: func(error) {}}).listen(p)
	far, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback(), 0)))
	require.NoError(t, err)
	t.Cleanup(func() { p.hush(); far.Close(); require.NoError(t, ports.Close()) })
	return p, far
}

func (p *party) agreeWith(t *testing.T, far *net.UDPConn, d sdp.Direction) {
	local := sdp.Local{Addr: loopback(), Port: far.LocalAddr().(*net.UDPAddr).Port, ID: 1, Version: 1, Direction: d}
	p.laws = lawsOf(nil)
	p.local = sdp.Local{Addr: loopback(), Port: int(p.stream.Local().Port()), ID: 1, Version: 1}
	offer, err := sdp.Parse(sdp.NewOffer(local, []sdp.Codec{sdp.PCMA()}).Marshal())
	require.NoError(t, err)
	require.NoError(t, p.accept(offer))
}

// The clock of this test is its own: nothing here waits for time to pass.
func TestAPartyThatGivesNoSignOfLifeIsMissedAfterItsTime(t *testing.T) {
	limit := config.MediaTimeout{First: time.Minute, Silence: 5 * time.Minute, Hold: time.Hour}
	p, far := watched(t)
	p.agreeWith(t, far, sdp.SendRecv)
	now := time.Now()
	at := func(after time.Duration) string {
		if err := p.absent(now.Add(after), limit); err != nil {
			return err.Error()
		}
		return ""
	}
	require.Empty(t, at(0))
	assert.Empty(t, at(59*time.Second))
	assert.Equal(t, "caller never sent anything for 1m0s", at(61*time.Second))
	speak := func(pt byte, seq byte) {
		before := p.stream.Stats()
		packet := append([]byte{0x80, pt, 0, seq, 0, 0, 0, 0, 0, 0, 0, 7}, make([]byte, 160)...)
		_, err := far.WriteToUDPAddrPort(packet, p.stream.Local())
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			s := p.stream.Stats()
			return s.Received+s.DroppedPayload > before.Received+before.DroppedPayload
		}, 30*time.Second, time.Millisecond)
	}
	speak(8, 1)
	now = time.Now()
	require.Empty(t, at(0))
	assert.Empty(t, at(299*time.Second))
	assert.Equal(t, "caller sent nothing for 5m0s", at(301*time.Second))
	speak(13, 2) // comfort noise is not used, and is a sign of life
	assert.Empty(t, at(301*time.Second))
	p.agreeWith(t, far, sdp.Inactive)
	assert.Empty(t, at(302*time.Second))
	assert.Empty(t, at(302*time.Second+59*time.Minute))
	assert.Equal(t, "caller was on hold and sent nothing for 1h0m0s", at(302*time.Second+61*time.Minute))
	p.agreeWith(t, far, sdp.SendRecv)
	assert.Empty(t, at(2*time.Hour), "whoever resumes has its time anew")
	limit = config.MediaTimeout{}
	assert.Empty(t, at(1000*time.Hour), "without limits everybody may be silent for ever")
}

func TestACallerWhoIsNotThereLosesTheCall(t *testing.T) {
	h := newHouse(t)
	h.cfg.Dialogs.MediaTimeout.First = time.Millisecond
	h.open()
	line, err := h.caller.Call(h.ctx, phone.Dial{Target: h.trunkURI(), Caller: fromNumber, Called: "+31305550123", CallID: h.callID()})
	require.NoError(t, err)
	defer line.Drop()
	desk := h.agent()
	<-desk.Ended()
	require.Equal(t, "caller never sent anything for 1ms", h.ended().Call.EndCause)
	<-line.Ended()
}

func TestTheRecordSaysWhichLegWasLostAndHow(t *testing.T) {
	for want, cause := range map[string]error{
		"agent was lost: the session expired":               sip.ErrExpired,
		"agent was lost: the dialog is unknown there (481)": &sip.StatusError{Code: 481},
		"agent was lost":            sip.ErrUnreachable,
		"agent hung up":             &sip.ByeError{Reason: "x"},
		"agent did not acknowledge": sip.ErrNoACK,
		"agent was on hold and sent nothing for 1h0m0s": &vanished{"agent", "was on hold and sent nothing", time.Hour},
	} {
		assert.Equal(t, want, endCause(errors.Join(&legEnded{"agent", cause}), "caller"))
	}
}
