package acceptance

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"consentgw/internal/dtmf"

	"github.com/stretchr/testify/require"
)

// A softphone is somebody else's user agent that says one tone and writes down
// what it hears.
type softphone interface {
	dial(uri string)
	press(key string)
	hangup()
	ended()         // waits until it knows that the call is over
	heard() []int16 // so far, at 8 kHz
}

// A handset is how a softphone is set up.
type handset struct {
	program    string // baresip or linphone
	user, port string
	codec      string // as the configuration of the gateway names it
	hertz      float64
	keys       dtmf.Method
	srtp       string // off, optional or required
}

// open starts a softphone, which answers every call.
func (s *site) open(h handset) softphone {
	s.t.Helper()
	if h.program == "linphone" {
		return s.openLinphone(h)
	}
	return s.openBaresip(h)
}

// program is a softphone's process, driven by lines or messages.
type program struct {
	s    *site
	dir  string
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex // of log
	log strings.Builder
}

// runProgram starts a softphone in a folder of its own. It is killed with the
// test.
func (s *site) runProgram(name string, args func(dir string) []string, stdin bool) (*program, io.Writer) {
	s.t.Helper()
	p := &program{s: s, dir: s.t.TempDir(), done: make(chan struct{})}
	p.cmd = exec.Command(name, args(p.dir)...)
	p.cmd.Dir = p.dir
	p.cmd.Env = append(os.Environ(), "HOME="+p.dir, "TERM=dumb")
	out, err := p.cmd.StdoutPipe()
	require.NoError(s.t, err)
	p.cmd.Stderr = p.cmd.Stdout
	var in io.WriteCloser
	if stdin {
		in, err = p.cmd.StdinPipe()
		require.NoError(s.t, err)
	}
	require.NoError(s.t, p.cmd.Start())
	go func() {
		defer close(p.done)
		p.follow(out)
		p.cmd.Wait() // it is killed in the end
	}()
	s.t.Cleanup(func() {
		p.cmd.Process.Signal(syscall.SIGKILL)
		<-p.done
		if s.t.Failed() {
			s.t.Logf("%s said:\n%s", name, p.said())
		}
	})
	return p, in
}

func (p *program) follow(out io.Reader) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		p.note(line)
		if err != nil {
			return
		}
	}
}

func (p *program) note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.WriteString(text)
}

func (p *program) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func (p *program) await(event string) {
	p.s.t.Helper()
	p.s.poll(event, func() bool { return strings.Contains(p.said(), event) }, p.said)
}
