package call

import (
	"context"
	"net"
	"net/netip"

	"consentgw/internal/sdp"
	"consentgw/sip"

	"github.com/stretchr/testify/require"
)

// earlyAgent is an agent who calls out and has media before the answer.
type earlyAgent struct {
	h     *house
	media *net.UDPConn
	codes chan int // of provisional responses
	legs  chan *sip.Leg
}

// earlyAgent begins a call.
func (h *house) earlyAgent() *earlyAgent {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback(), 0)))
	require.NoError(h.t, err)
	deadline, _ := h.ctx.Deadline()
	require.NoError(h.t, conn.SetReadDeadline(deadline))
	endpoint := h.endpoint(h.svc.Log)
	serving, stop := context.WithCancel(h.ctx)
	served := make(chan error, 1)
	go func() {
		served <- endpoint.Serve(serving, sip.Handler{Invite: func(_ context.Context, in *sip.Incoming) { in.Reject(486, "Busy Here") }})
	}()
	<-endpoint.Serving()
	a := &earlyAgent{h, conn, make(chan int, 100), make(chan *sip.Leg, 1)}
	h.t.Cleanup(func() {
		stop()
		<-served
		conn.Close()
	})
	at := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	offer := sdp.NewOffer(sdp.Local{Addr: at.Addr(), Port: int(at.Port()), ID: 1, Version: 1}, []sdp.Codec{sdp.PCMA(), sdp.Event8000()})
	go func() {
		defer close(a.legs)
		leg, err := endpoint.Dial(h.ctx, sip.Invite{Target: "sip:" + h.platform.Addrs()[0].AddrPort.String(), Called: awayNumber, Caller: toNumber,
			CallID: h.callID(), Offer: offer.Marshal(), Progress: func(code int, body []byte) {
				if (code == 183) == (len(body) > 0) {
					a.codes <- code
				}
			}})
		if err == nil {
			a.legs <- leg
		}
	}()
	return a
}

// waitFor waits for the next provisional response, which is this one.
func (a *earlyAgent) waitFor(code int) {
	a.h.t.Helper()
	select {
	case got := <-a.codes:
		require.Equal(a.h.t, code, got)
	case <-a.h.ctx.Done():
		require.FailNow(a.h.t, "no provisional response", "%d: %s", code, a.h.log)
	}
}

// exchange hears packets and speaks as many.
func (a *earlyAgent) exchange(packets int) {
	a.h.t.Helper()
	b := make([]byte, 2048)
	for range packets {
		n, from, err := a.media.ReadFromUDPAddrPort(b)
		require.NoError(a.h.t, err)
		_, err = a.media.WriteToUDPAddrPort(b[:n], from)
		require.NoError(a.h.t, err)
	}
}

// answered waits for the answer.
func (a *earlyAgent) answered() *sip.Leg {
	a.h.t.Helper()
	select {
	case leg := <-a.legs:
		require.NotNil(a.h.t, leg, "the INVITE was refused: %s", a.h.log)
		return leg
	case <-a.h.ctx.Done():
		require.FailNow(a.h.t, "no answer", a.h.log.String())
		return nil
	}
}
