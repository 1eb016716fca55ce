package bench

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"consentgw/internal/sdp"
)

// rtpengineProgram is what Debian's package rtpengine-daemon installs.
const rtpengineProgram = "rtpengine"

// rtpengine is the media proxy of that name, in user space: a process of its
// own, which is told over its NG protocol what to relay and, by a subscription
// to each party, where to send copies.
type rtpengine struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended and was waited for
	ng     *ng
}

const (
	rtpengineStart = 15 * time.Second
	rtpengineEnd   = 10 * time.Second
	// A stream has two ports; a recorded call four streams, and rtpengine passes
	// over ports that others have.
	rtpengineLow   = 20000
	rtpengineSpare = 2000
)

func newRTPEngine(spec Spec) (relay, error) {
	control, err := freePort()
	if err != nil {
		return nil, err
	}
	r := &rtpengine{exited: make(chan struct{}), cmd: exec.Command(rtpengineProgram,
		"--config-file=none", "--table=-1", "--foreground", "--log-stderr", "--log-level=3",
		"--interface="+localhost().String(), "--listen-ng="+control.String(),
		// Else it spends the first three seconds of a call in learning.
		"--endpoint-learning=immediate",
		"--port-min="+strconv.Itoa(rtpengineLow), "--port-max="+strconv.Itoa(rtpengineLow+rtpengineSpare+8*spec.Calls))}
	r.cmd.Stderr = os.Stderr
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process, which close ends
		defer close(r.exited)
		_ = r.cmd.Wait()
	}()
	if r.ng, err = dialNG(control); err == nil {
		err = r.greet()
	}
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// freePort is one that nobody has just now.
func freePort() (netip.AddrPort, error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(localhost(), 0)))
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), nil
}

// greet waits until it listens.
func (r *rtpengine) greet() error {
	var err error
	for began := time.Now(); time.Since(began) < rtpengineStart; {
		if _, err = r.ng.ask("ping", nil); err == nil {
			return nil
		}
		pause := time.NewTimer(20 * time.Millisecond)
		select {
		case <-pause.C:
		case <-r.exited:
			pause.Stop()
			return fmt.Errorf("rtpengine: ended at once: %s", r.cmd.ProcessState)
		}
	}
	return err
}

func (r *rtpengine) process() int { return r.cmd.Process.Pid }

func (r *rtpengine) open(spec Spec) ([]ends, error) {
	var all []ends
	for i := range spec.Calls {
		e, err := r.call(strconv.Itoa(i), spec)
		if err != nil {
			return nil, fmt.Errorf("call %d: %w", i+1, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// call sets up one call: what is offered to the agent, and answered to the
// caller, names the ports of rtpengine.
func (r *rtpengine) call(id string, spec Spec) (e ends, err error) {
	const caller, agent = "caller", "agent"
	offer, err := r.ng.ask("offer", map[string]any{"call-id": id, "from-tag": caller, "sdp": describe(spec.World.Caller)})
	if err != nil {
		return e, err
	}
	answer, err := r.ng.ask("answer", map[string]any{"call-id": id, "from-tag": caller, "to-tag": agent, "sdp": describe(spec.World.Agent)})
	if err != nil {
		return e, err
	}
	if e.Agent, err = mediaAddress(offer); err != nil {
		return e, err
	}
	if e.Caller, err = mediaAddress(answer); err != nil || !spec.Recorded {
		return e, err
	}
	if err := r.subscribe(id, caller, spec.World.CallerCopies); err != nil {
		return e, err
	}
	return e, r.subscribe(id, agent, spec.World.AgentCopies)
}

// subscribe lets copies of what one party says go to an address.
func (r *rtpengine) subscribe(id, party string, to netip.AddrPort) error {
	offer, err := r.ng.ask("subscribe request", map[string]any{"call-id": id, "from-tag": party})
	if err != nil {
		return err
	}
	tag, ok := offer["to-tag"].(string)
	if !ok {
		return errors.New("rtpengine: subscribe request: no to-tag in the answer")
	}
	_, err = r.ng.ask("subscribe answer", map[string]any{"call-id": id, "to-tag": tag, "sdp": describe(to)})
	return err
}

// describe offers G.711 at an address.
func describe(at netip.AddrPort) string {
	local := sdp.Local{Addr: at.Addr(), Port: int(at.Port()), ID: 1, Version: 1, Direction: sdp.SendRecv}
	return string(sdp.NewOffer(local, []sdp.Codec{sdp.PCMU()}).Marshal())
}

// mediaAddress is where the description in an answer wants packets.
func mediaAddress(answer map[string]any) (netip.AddrPort, error) {
	text, _ := answer["sdp"].(string)
	s, err := sdp.Parse([]byte(text))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("rtpengine: %w", err)
	}
	if len(s.Media) != 1 || s.Media[0].Port == 0 || !s.Media[0].Addr.IsValid() {
		return netip.AddrPort{}, errors.New("rtpengine: no port for the audio")
	}
	return netip.AddrPortFrom(s.Media[0].Addr, uint16(s.Media[0].Port)), nil
}

func (r *rtpengine) close() error {
	var err error
	if r.ng != nil {
		err = r.ng.close()
	}
	_ = r.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	patience := time.NewTimer(rtpengineEnd)
	defer patience.Stop()
	select {
	case <-r.exited:
	case <-patience.C:
		_ = r.cmd.Process.Kill()
		<-r.exited
	}
	return err
}
