package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"consentgw/consent"
	"consentgw/internal/phone"
	"consentgw/internal/sdp"

	"github.com/stretchr/testify/require"
)

// Behind the NAT, and its address outside.
const (
	insideAddress = "10.77.0.2"
	natInside     = "10.77.0.1"
	natOutside    = "198.18.0.2"
)

// masquerading is how a NAT is made that gives every flow a port by chance, as
// one of a carrier does, and lets nothing in that nobody inside has asked for.
var masquerading = [...]string{
	"nft add table ip nat",
	"nft add chain ip nat out { type nat hook postrouting priority 100 ; }",
	"nft add rule ip nat out oifname out0 masquerade fully-random",
	"nft add chain ip nat through { type filter hook forward priority 0 ; }",
	"nft add rule ip nat through iifname out0 ct state new drop",
}

// A network is a network namespace besides that of the test. It is that of one
// thread, which does all that is done in it, and ends with that.
type network struct {
	t    *testing.T
	jobs chan func()
	tid  int
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{t: t, jobs: make(chan func())}
	made, over := make(chan error), make(chan struct{})
	go func() {
		defer close(over)
		runtime.LockOSThread() // for good: nobody else may have this thread
		n.tid = syscall.Gettid()
		made <- syscall.Unshare(syscall.CLONE_NEWNET)
		for f := range n.jobs {
			f()
		}
	}()
	t.Cleanup(func() {
		close(n.jobs)
		<-over
	})
	require.NoError(t, <-made)
	return n
}

// do does something there. It may not end the test.
func (n *network) do(f func()) {
	done := make(chan struct{})
	n.jobs <- func() {
		defer close(done)
		f()
	}
	<-done
}

// run runs a command there.
func (n *network) run(command string) {
	n.t.Helper()
	var out []byte
	var err error
	n.do(func() { out, err = commandOf(command).CombinedOutput() })
	require.NoError(n.t, err, "%s: %s", command, out)
}

func commandOf(line string) *exec.Cmd {
	words := strings.Fields(line)
	return exec.Command(words[0], words[1:]...)
}

// natted is a place behind a NAT.
type natted struct{ nat, inside *network }

// raiseNAT connects two more networks to that of the test: a NAT, and one behind it.
func raiseNAT(t *testing.T) natted {
	t.Helper()
	n := natted{newNetwork(t), newNetwork(t)}
	for _, line := range []string{
		"ip link set lo up", "ip link add cgw0 type veth peer name out0", fmt.Sprint("ip link set out0 netns ", n.nat.tid),
		"ip addr add " + ownAddress + "/24 dev cgw0", "ip link set cgw0 up",
		"ip route add default via " + natOutside,
	} {
		out, err := commandOf(line).CombinedOutput()
		require.NoError(t, err, "%s: %s", line, out)
	}
	n.nat.run("ip link add in0 type veth peer name eth0")
	n.nat.run(fmt.Sprint("ip link set eth0 netns ", n.inside.tid))
	for _, line := range slices.Concat(masquerading[:], []string{"ip addr add " + natOutside + "/24 dev out0",
		"ip addr add " + natInside + "/24 dev in0", "ip link set out0 up", "ip link set in0 up"}) {
		n.nat.run(line)
	}
	for _, line := range []string{"ip link set lo up", "ip addr add " + insideAddress + "/24 dev eth0", "ip link set eth0 up", "ip route add default via " + natInside} {
		n.inside.run(line)
	}
	require.NoError(t, n.nat.forward())
	return n
}

// forward makes the network one that passes on what is not for itself.
func (n *network) forward() (err error) {
	n.do(func() { err = os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) })
	return err
}

// natAllowed says why the system does not let us be a NAT in a network of ours.
func natAllowed(n *network) (err error) {
	for _, line := range masquerading {
		n.do(func() { err = commandOf(line).Run() })
		if err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return n.forward()
}

// forgets makes the NAT forget every flow, as one does that is switched off and on:
// what is sent through it next comes from another port.
func (n natted) forgets() {
	n.nat.run("ip link set out0 down")
	n.nat.run("ip link set out0 up")
}

// openPhone is a phone behind the NAT, which knows of no other address than the
// one it has there.
func (n natted) openPhone(s *site) *phone.Phone {
	s.t.Helper()
	var p *phone.Phone
	var err error
	n.inside.do(func() { p, err = phone.New(phone.Config{Listen: "udp:" + insideAddress + ":0"}) })
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, p.Close()) })
	return p
}

// TestACallerBehindANAT: signalling and media come from ports and an address that
// the caller knows nothing of, and change in the middle of the call.
func TestACallerBehindANAT(t *testing.T) {
	needsReal(t)
	needs(t, "ip", "nft")
	t.Parallel()
	if !inOwnNetwork(t) {
		return
	}
	if err := natAllowed(newNetwork(t)); err != nil {
		t.Skipf("no NAT may be made here: %v", err) // .ci/run finds the same out by itself
	}
	n := raiseNAT(t)
	open := func(t *testing.T, nat bool) (*site, *phone.Phone, *center) {
		from := fmt.Sprintf("[%q]", ownAddress+"/32")
		s := newSite(t, plan{host: ownAddress, embedded: true, edits: map[string]string{from: fmt.Sprintf("[%q]\n    nat: %t", natOutside+"/32", nat)}})
		s.start()
		return s, n.openPhone(s), s.openCenter()
	}
	t.Run("is heard where the trunk is said to be behind one", func(t *testing.T) {
		s, p, c := open(t, true)
		var v *conversation
		var err error
		n.inside.do(func() { v, err = s.call(p, "natted") })
		require.NoError(t, err)
		// What is said before the gateway knows the NAT's port is lost on the way, so
		// the end of the question cannot be told, and a yes before it is none.
		tries := 0
		s.poll("the decision", func() bool {
			if tries++; tries%20 == 10 {
				v.caller.Press("1")
			}
			status, err := s.api.Status(s.ctx, v.id)
			return err == nil && status.Status == consent.StatusGranted
		})
		require.NoError(t, v.reaches(c))
		require.Equal(t, insideAddress, v.caller.MediaAddr().Addr().String())

		for _, update := range []bool{false, true} {
			n.forgets()
			sent := len(v.caller.Sent())
			s.poll("packets from a port that nobody announced", func() bool { return len(v.caller.Sent()) > sent+20 })
			require.NoError(t, v.caller.Change(s.ctx, update, unchanged), "the same description, from another port")
			require.NoError(t, v.talks(20), "both hear each other again")
		}
		require.NoError(t, v.agent.line.Hangup(s.ctx))
		select {
		case <-v.caller.Ended():
		case <-s.ctx.Done():
			require.FailNow(t, "the BYE did not reach the caller")
		}
		r := s.finished("natted")
		require.Equal(t, consent.Given, r.Outcome)
		require.Equal(t, "agent hung up", r.Call.EndCause)
		require.Equal(t, "rfc4733", r.Press.Method)
		require.NotZero(t, r.Recordings[0].Caller.Packets)
		dropped := s.idle(1e9).sum("consentgw_rtp_dropped_packets_total", `leg="caller"`, `reason="source"`)
		require.Greater(t, dropped, 20.0, "packets from ports that nobody announced")
	})
	t.Run("is not heard where it is not, and is connected unrecorded", func(t *testing.T) {
		s, p, c := open(t, false)
		var v *conversation
		var err error
		n.inside.do(func() { v, err = s.call(p, "not-natted") })
		require.NoError(t, err)
		v.caller.Press("1")
		v.agent, err = c.await(s.ctx, v.id, true)
		require.NoError(t, err)
		require.Equal(t, "off", v.agent.headers["X-Recording"])
		require.NoError(t, v.agent.line.Hangup(s.ctx))
		<-v.caller.Ended()
		r := s.finished("not-natted")
		require.Equal(t, consent.NoInput, r.Outcome)
		require.Empty(t, r.Recordings)
		require.Empty(t, v.agent.line.Received())
		require.Empty(t, v.caller.Received())
		s.idle(1e9)
	})
}

func unchanged(*sdp.Session) {}
