package acceptance

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"consentgw/internal/g711"

	"github.com/stretchr/testify/require"
)

// sipp is a SIPp that runs.
type sipp struct {
	t    *testing.T
	name string
	dir  string
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan struct{}
}

// runSIPp starts a scenario of testdata/sipp. It is killed with the test.
func (s *site) runSIPp(scenario string, args ...string) *sipp {
	t := s.t
	t.Helper()
	file, err := filepath.Abs("../../testdata/sipp/" + scenario + ".xml")
	require.NoError(t, err)
	p := &sipp{t: t, name: scenario, dir: t.TempDir(), done: make(chan struct{})}
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "speech.pcap"), speechPCAP(), 0o600))
	p.cmd = exec.Command("sipp", append([]string{"-sf", file, "-nostdin", "-trace_err", "-error_file", "errors.txt",
		"-trace_logs", "-log_file", "log.txt", "-timeout", strconv.Itoa(int(patience.Seconds())), "-timeout_error",
		// A machine that is busy for seconds is no reason to give up.
		"-watchdog_minor_maxtriggers", "100000", "-watchdog_major_maxtriggers", "100000"}, args...)...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.dir, &p.out, &p.out
	p.cmd.Env = append(os.Environ(), "TERM=dumb")
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.done)
		p.cmd.Wait() // its status is read from ProcessState
	}()
	t.Cleanup(p.kill)
	return p
}

// wait waits for the end of a run in which every call went as the scenario says.
func (p *sipp) wait(s *site) {
	p.t.Helper()
	require.True(p.t, p.succeeds(s), "%s: %s", p.name, p.problems())
}

// succeeds waits for the end of a run, and reports whether every call went as
// the scenario says.
func (p *sipp) succeeds(s *site) bool {
	p.t.Helper()
	select {
	case <-p.done:
	case <-s.ctx.Done():
		require.FailNow(p.t, "SIPp does not end", "%s: %s", p.name, p.problems())
	}
	return p.cmd.ProcessState.ExitCode() == 0
}

// succeedsSoon is succeeds for the other side of calls that have ended. One that
// missed a call waits for it without end.
func (p *sipp) succeedsSoon(s *site) bool {
	p.t.Helper()
	s.idle(1e9)
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode() == 0
	case <-time.After(20 * time.Second):
		return false
	case <-s.ctx.Done():
		return false
	}
}

// starved reports whether SIPp says that it could not run for half a second.
func (p *sipp) starved() bool { return strings.Contains(p.problems(), "watchdog timer") }

// kill ends SIPp at once.
func (p *sipp) kill() {
	p.cmd.Process.Signal(syscall.SIGKILL) // nothing to a process that has ended
	<-p.done
}

// told is what each call was told, by the Call-ID of the trunk leg.
func (p *sipp) told(count int) map[string][]string {
	p.t.Helper()
	told := map[string][]string{}
	for _, line := range p.log() {
		words := strings.Fields(line)
		require.Len(p.t, words, 6, line)
		require.NotContains(p.t, told, words[1], "a call that reached the platform twice")
		told[words[1]] = words
	}
	require.Len(p.t, told, count, "calls at the platform")
	return told
}

func (p *sipp) problems() string {
	text, _ := os.ReadFile(filepath.Join(p.dir, "errors.txt"))
	out := p.out.String()
	return fmt.Sprintf("%s\n%s", text[:min(len(text), 3000)], out[max(0, len(out)-3000):])
}

// log is what the scenario logged, by lines.
func (p *sipp) log() []string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "log.txt"))
	require.NoError(p.t, err)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// sippPlatform is the contact center for a number of calls.
func (s *site) sippPlatform(calls int) *sipp {
	host, port, _ := strings.Cut(s.targets[0], ":")
	p := s.runSIPp("platform", "-i", host, "-mi", host, "-p", port, "-mp", strconv.Itoa(platformMedia), "-rtp_echo", "-m", strconv.Itoa(calls))
	// It has no way to say that it listens but to answer: anything will do.
	s.poll("SIPp to listen", func() bool { return listens(s.targets[0]) })
	return p
}

// listens reports whether some process has bound the UDP port of an address.
func listens(addr string) bool {
	n, err := strconv.Atoi(portOf(addr))
	for _, file := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		table, _ := os.ReadFile(file)
		if err == nil && strings.Contains(string(table), fmt.Sprintf(":%04X ", n)) {
			return true
		}
	}
	return false
}

// sippCall is one call that SIPp makes.
type sippCall struct{ id, choice, way string }

// outcome is what the record of the call must say.
func (c sippCall) outcome() string {
	return map[string]string{"yes": "given", "no": "refused", "silence": "no_input", "withdraw": "withdrawn"}[c.choice]
}

// sippCallers makes the calls one after the other at a rate per second.
func (s *site) sippCallers(rate int, calls []sippCall, name string) *sipp {
	return s.sippCallersBy("caller", rate, calls, name)
}

// sippCallersBy does so by a scenario.
func (s *site) sippCallersBy(scenario string, rate int, calls []sippCall, name string) *sipp {
	lines := []string{"SEQUENTIAL"}
	for _, c := range calls {
		lines = append(lines, callerNumber+";"+c.choice+";"+c.way)
	}
	file := filepath.Join(s.t.TempDir(), "calls.csv")
	require.NoError(s.t, os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return s.runSIPp(scenario, s.trunk, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", portOf(freePort(s.t)), "-mp", strconv.Itoa(callerMedia),
		"-s", calledNumber, "-inf", file, "-cid_str", name+"-%u@caller.test", "-m", strconv.Itoa(len(calls)), "-r", strconv.Itoa(rate), "-l", strconv.Itoa(len(calls)))
}

// sippCalls lists calls with the Call-IDs that SIPp gives them, taking the
// choices in turn. Every other call of a choice sends real RTP if it may.
func sippCalls(name string, count int, choices ...string) []sippCall {
	calls, raw := make([]sippCall, count), rawAllowed()
	for i := range calls {
		way := "info"
		if raw && i/len(choices)%2 == 0 {
			way = "rtp"
		}
		calls[i] = sippCall{fmt.Sprintf("%s-%d@caller.test", name, i+1), choices[i%len(choices)], way}
	}
	return calls
}

func portOf(addr string) string {
	_, port, _ := strings.Cut(addr, ":")
	return port
}

// speechPackets is how many packets of 20 ms speechPCAP has.
const speechPackets = 50

// speechPCAP is a capture of one second of A-law in RTP, for SIPp to play: what
// it holds above UDP is sent with the ports and addresses of the call.
func speechPCAP() []byte {
	var b bytes.Buffer
	write := func(order binary.ByteOrder, fields ...any) {
		for _, f := range fields {
			binary.Write(&b, order, f) // to memory
		}
	}
	write(binary.LittleEndian, uint32(0xA1B2C3D4), uint16(2), uint16(4), uint32(0), uint32(0), uint32(65535), uint32(1))
	speech := tone(440, 160*speechPackets)
	for i := range speechPackets {
		const payload, headers = 160, 14 + 20 + 8 + 12
		write(binary.LittleEndian, uint32(1), uint32(i*20000), uint32(headers+payload), uint32(headers+payload))
		write(binary.BigEndian, [12]byte{}, uint16(0x0800)) // Ethernet, IPv4
		write(binary.BigEndian, uint8(0x45), uint8(0), uint16(20+8+12+payload), uint32(0), uint8(64), uint8(17), uint16(0), [4]byte{127, 0, 0, 1}, [4]byte{127, 0, 0, 1})
		write(binary.BigEndian, uint16(4000), uint16(4000), uint16(8+12+payload), uint16(0)) // UDP
		write(binary.BigEndian, uint8(0x80), uint8(8), uint16(1000+i), uint32(i*payload), uint32(0xACCE97))
		for _, sample := range speech[i*payload : (i+1)*payload] {
			b.WriteByte(g711.EncodeA(sample))
		}
	}
	return b.Bytes()
}
