package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"consentgw/internal/phone"

	"github.com/stretchr/testify/require"
)

// balancer is a Kamailio in front of gateways.
type balancer struct {
	s       *site
	addr    string
	control string
}

// openBalancer starts Kamailio and waits until it takes every gateway for up.
func (s *site) openBalancer(gateways ...*site) *balancer {
	t := s.t
	t.Helper()
	dir := t.TempDir()
	b := &balancer{s: s, addr: freePort(t), control: filepath.Join(dir, "ctl")}
	var list strings.Builder
	for _, g := range gateways {
		fmt.Fprintf(&list, "1 sip:%s\n", g.trunk)
	}
	cfg := strings.NewReplacer("udp:LISTEN", "udp:"+b.addr, "unix:CONTROL", "unix:"+b.control, `"LIST"`, `"`+filepath.Join(dir, "list")+`"`).
		Replace(readFile(t, "../../testdata/kamailio/dispatcher.cfg"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "list"), []byte(list.String()), 0o600))
	startKamailio(t, dir, cfg)
	for _, g := range gateways {
		b.awaits(g, true)
	}
	return b
}

// startKamailio runs Kamailio in a directory until the test ends.
func startKamailio(t *testing.T, dir, cfg string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cfg"), []byte(cfg), 0o600))
	cmd := exec.Command("kamailio", "-DD", "-E", "-m", "64", "-M", "8", "-Y", dir, "-f", filepath.Join(dir, "cfg"))
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it has many processes
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait() // killed
		if t.Failed() {
			t.Logf("Kamailio said:\n%s", readFile(t, log.Name()))
		}
	})
}

// awaits waits until the balancer takes a gateway for up, or for down.
func (b *balancer) awaits(g *site, up bool) {
	b.s.t.Helper()
	said := ""
	b.s.poll(fmt.Sprintf("%s at the balancer: up %v", g.trunk, up), func() bool {
		out, err := exec.Command("kamcmd", "-s", "unix:"+b.control, "dispatcher.list").CombinedOutput()
		said = string(out)
		_, rest, found := strings.Cut(said, g.trunk)
		_, flags, _ := strings.Cut(rest, "FLAGS: ")
		return err == nil && found && strings.HasPrefix(flags, "A") == up
	}, func() string { return said })
}

// invited is how many calls a gateway was offered, and how many it took.
func (s *site) invited() (offered, taken float64) {
	m := s.metrics()
	return m.sum("consentgw_invites_total"), m.sum("consentgw_invites_total", `reason="admitted"`)
}

// TestABalancerInFrontOfTwoGateways: Kamailio spreads calls over two gateways
// with one Redis, one of them drains without the loss of a call, old or new,
// and is back.
func TestABalancerInFrontOfTwoGateways(t *testing.T) {
	needsReal(t)
	needs(t, "kamailio", "kamcmd")
	one := newSite(t, plan{info: true, edits: plainRoute()})
	edits := plainRoute()
	edits["id: gw-1"] = "id: gw-2"
	edits["ports: "+trunkPorts], edits["ports: "+platformPorts], edits["ports: "+recorderPorts] = "ports: 19000-21999", "ports: 22000-24999", "ports: 25000-26999"
	two := newSite(t, plan{info: true, edits: edits, beside: one})
	gateways := []*site{one, two}
	for _, g := range gateways {
		g.startDraining("60s")
	}
	c, p := one.openCenter(), one.openPhone()
	b := one.openBalancer(gateways...)

	b.calls(p, c, "spread", 40)
	for _, g := range gateways {
		_, taken := g.invited()
		require.Greater(t, taken, 10.0, "calls of 40 at %s", g.trunk)
	}

	// Calls that are up on both while one of them goes.
	var up []*conversation
	for i := range 6 {
		v := b.call(p, c, fmt.Sprintf("stays-%d", i), calledNumber)
		require.NoError(t, v.talks(10))
		up = append(up, v)
	}
	leaving := one.gateway
	one.gateway = nil
	leaving.signal(syscall.SIGTERM)
	b.calls(p, c, "draining", 10) // some of them before the balancer knows
	b.awaits(one, false)
	offered, taken := one.invited()
	b.calls(p, c, "drained", 10)
	again, _ := one.invited()
	require.Equal(t, offered, again, "calls offered to a gateway that says that it drains")
	require.Positive(t, taken)
	for i, v := range up {
		require.NoError(t, v.talks(25), "a call that was up when its gateway began to drain")
		ends, other := v.caller, v.agent.line
		if i%2 == 0 {
			ends, other = other, ends
		}
		require.NoError(t, ends.Hangup(one.ctx))
		<-other.Ended()
	}
	require.Zero(t, leaving.ended(one.ctx), "exit code of the drained gateway")
	one.readLog(leaving)
	for i, v := range up {
		r := two.finished(v.id) // from the one Redis
		require.Equal(t, map[bool]string{true: "agent hung up", false: "caller hung up"}[i%2 == 0], r.Call.EndCause)
		require.NotZero(t, r.RecordedPackets())
	}

	one.startDraining("1s")
	b.awaits(one, true)
	b.calls(p, c, "back", 10)
	_, taken = one.invited()
	require.Positive(t, taken, "calls at the gateway that is back")
	for _, g := range gateways {
		require.Zero(t, g.idle(1e9).sum("consentgw_fork_violations_total"))
	}
}

// calls makes short calls, some at a time, each of which must reach the agent
// and be heard by both.
func (b *balancer) calls(p *phone.Phone, c *center, name string, count int) {
	b.s.t.Helper()
	todo := make(chan int, count)
	for i := range count {
		todo <- i
	}
	close(todo)
	var workers sync.WaitGroup
	failed := make(chan error, count)
	for range 5 {
		workers.Go(func() {
			for i := range todo {
				if err := b.one(p, c, fmt.Sprintf("%s-%d", name, i)); err != nil {
					failed <- fmt.Errorf("%s-%d: %w", name, i, err)
				}
			}
		})
	}
	workers.Wait()
	close(failed)
	for err := range failed {
		require.NoError(b.s.t, err)
	}
}

func (b *balancer) one(p *phone.Phone, c *center, id string) error {
	v, err := b.dial(p, id, plainNumber)
	if err != nil {
		return err
	}
	if err := v.reaches(c); err != nil {
		return err
	}
	return v.caller.Hangup(b.s.ctx)
}

func (b *balancer) dial(p *phone.Phone, id, called string) (*conversation, error) {
	line, err := p.Call(b.s.ctx, phone.Dial{Target: "sip:" + b.addr, Caller: callerNumber, Called: called, CallID: id})
	if err != nil {
		return nil, err
	}
	line.Speak(tone(500, 8000), true)
	return &conversation{site: b.s, id: id, caller: line}, nil
}

// call makes a call that is asked, agrees and is recorded.
func (b *balancer) call(p *phone.Phone, c *center, id, called string) *conversation {
	b.s.t.Helper()
	v, err := b.dial(p, id, called)
	require.NoError(b.s.t, err)
	ask := b.s.notice.Prompt("ask")
	require.NoError(b.s.t, v.caller.Hears(b.s.ctx, ask.PCMU, ask.PCMA))
	v.caller.Press("1")
	require.NoError(b.s.t, v.reaches(c))
	return v
}
