package acceptance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// process is a program of ours that runs.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	up   chan struct{} // closed when it said that it is up
	done chan struct{} // closed when it has ended

	mu  sync.Mutex // of log
	log []string   // lines on its standard error
}

// upMessage is what the gateway logs when it serves.
const upMessage = "consentgw is up"

// launch starts the program in folder dir. It is killed with the test if it
// still runs then.
func launch(t *testing.T, dir string, args ...string) *process {
	p := &process{t: t, cmd: exec.Command(os.Getenv(binaryVariable), args...), up: make(chan struct{}), done: make(chan struct{})}
	p.cmd.Dir = dir
	// A configuration of the machine must not reach into the test.
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CONSENTGW_") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	stderr, err := p.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go p.follow(stderr)
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.done
		if t.Failed() {
			t.Logf("the last lines of the gateway's log:\n%s", strings.Join(p.tail(80), "\n"))
		}
	})
	return p
}

func (p *process) follow(stderr io.Reader) {
	defer close(p.done)
	up := false
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			p.mu.Lock()
			p.log = append(p.log, strings.TrimSuffix(line, "\n"))
			p.mu.Unlock()
		}
		if !up && strings.Contains(line, upMessage) {
			up = true
			close(p.up)
		}
		if err != nil {
			p.cmd.Wait() // its status is read from ProcessState
			return
		}
	}
}

// ready waits until the program serves.
func (p *process) ready(ctx context.Context) {
	p.t.Helper()
	select {
	case <-p.up:
	case <-p.done:
		require.FailNow(p.t, "the gateway ended at once", strings.Join(p.tail(20), "\n"))
	case <-ctx.Done():
		require.NoError(p.t, context.Cause(ctx))
	}
}

// ended waits for the end of the program and returns its exit code; -1 if it
// was killed.
func (p *process) ended(ctx context.Context) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-ctx.Done():
		p.signal(syscall.SIGQUIT) // so that the log shows where it stands
		require.NoError(p.t, context.Cause(ctx), "the gateway does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// signal does nothing to a process that has ended.
func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// goroutines ends the program, and says which goroutines it had and how many of
// each.
func (p *process) goroutines() string {
	p.signal(syscall.SIGQUIT)
	<-p.done
	count := map[string]int{}
	for _, line := range p.lines() {
		if by, ok := strings.CutPrefix(line, "created by "); ok {
			by, _, _ = strings.Cut(by, " in goroutine ")
			count[by]++
		}
	}
	return fmt.Sprint(count)
}

// kill ends the program as a crash of the machine would.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

func (p *process) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.log...)
}

func (p *process) tail(n int) []string {
	lines := p.lines()
	return lines[max(0, len(lines)-n):]
}

// run runs the program to its end and returns what it printed.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems strings.Builder
	cmd := exec.CommandContext(t.Context(), os.Getenv(binaryVariable), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), &out, &problems
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); !exited {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), problems.String()
}
