package sip

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// FuzzServed sends any datagram to an endpoint that serves, and sees that it
// answers the next one.
func FuzzServed(f *testing.F) {
	p := &peer{network: "UDP"}
	for _, r := range []request{
		{method: "INVITE", body: testOffer}, {method: "OPTIONS"}, {method: "BYE", toTag: "x"}, {method: "ACK"}, {method: "CANCEL"},
	} {
		f.Add([]byte(p.text(r)))
	}
	f.Add([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\nCSeq: 1 INVITE\r\n\r\n"))
	f.Add([]byte("INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport\r\nTo: <sip:x\r\n\r\n"))
	to, conn := served(f)
	buf := make([]byte, 65536)
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if len(datagram) > 8192 {
			return
		}
		if _, err := conn.WriteToUDP(datagram, to); err != nil {
			t.Fatal(err)
		}
		id := newToken()
		ask := &peer{network: "UDP", addr: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
		text := []byte(ask.text(request{method: "OPTIONS", callID: id}))
		for range 5 { // a datagram may be lost where buffers are full
			if _, err := conn.WriteToUDP(text, to); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
			for {
				n, err := conn.Read(buf)
				if err != nil {
					break
				}
				if answer := string(buf[:n]); strings.HasPrefix(answer, "SIP/2.0 200") && strings.Contains(answer, id) {
					return
				}
			}
		}
		t.Errorf("no answer after %q", datagram)
	})
}

// served is an endpoint that refuses calls, and a socket to speak to it.
func served(f *testing.F) (*net.UDPAddr, *net.UDPConn) {
	f.Helper()
	e, err := Listen(Config{Listen: []string{"udp:127.0.0.1:0"}, T1: testT1})
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- e.Serve(ctx, Handler{Invite: func(_ context.Context, in *Incoming) { _ = in.Reject(480, "Nobody Home") }})
	}()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			f.Error(err)
		}
		_ = conn.Close()
	})
	<-e.Serving()
	return net.UDPAddrFromAddrPort(e.Addrs()[0].AddrPort), conn
}
