package acceptance

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"consentgw/internal/recordserver"

	"github.com/stretchr/testify/require"
)

// towerName is the SIPREC recorder of a site that has one besides the plain one.
const towerName = "compliance"

// towerComment stands in the example where one more recorder may stand.
const towerComment = "# - name: compliance                # a SIPREC recording server\n#   type: siprec\n" +
	`#   uri: "sip:srs@127.0.0.1:6060;transport=tcp"` + "\n"

// withTowers lets every call of the site be recorded by SIPREC servers, too, the
// first of which has this name, and others a number behind it.
func withTowers(uris ...string) map[string]string {
	var list, names strings.Builder
	for i, uri := range uris {
		name := towerName
		if i > 0 {
			name = fmt.Sprint(towerName, i+1)
		}
		fmt.Fprintf(&list, "  - {name: %s, type: siprec, uri: %q}\n", name, uri)
		names.WriteString(", " + name)
	}
	return map[string]string{
		towerComment:           list.String(),
		"recorders: [archive]": "recorders: [archive" + names.String() + "]",
	}
}

// tower is `consentgw record`, which may be killed and started again.
type tower struct {
	*site
	addr string // host and port
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu     sync.Mutex // of events
	events []recordserver.Event
}

func (s *site) openTower(addr string) *tower {
	w := &tower{site: s, addr: addr}
	w.launch()
	s.t.Cleanup(w.kill)
	return w
}

// launch starts the program and waits until it listens.
func (w *tower) launch() {
	w.t.Helper()
	before := w.count("listening")
	w.cmd = exec.Command(os.Getenv(binaryVariable), "record", "--listen", "tcp:"+w.addr, "--dir", filepath.Join(w.dir, "tower"), "--json")
	w.cmd.Stderr = os.Stderr
	stdout, err := w.cmd.StdoutPipe()
	require.NoError(w.t, err)
	require.NoError(w.t, w.cmd.Start())
	w.done = make(chan struct{})
	go func() {
		defer close(w.done)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var e recordserver.Event
			if json.Unmarshal(lines.Bytes(), &e) == nil {
				w.mu.Lock()
				w.events = append(w.events, e)
				w.mu.Unlock()
			}
		}
		_ = w.cmd.Wait() // it is killed
	}()
	w.poll("the recorder to listen", func() bool { return w.count("listening") > before })
}

func (w *tower) signal(sig syscall.Signal) { _ = w.cmd.Process.Signal(sig) }

// kill ends the program as a crash of the machine would.
func (w *tower) kill() {
	w.signal(syscall.SIGKILL)
	<-w.done
}

// count is how many events of a type there were.
func (w *tower) count(kind string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Type == kind {
			n++
		}
	}
	return n
}

// of is what the events of a type say.
func (w *tower) of(kind string) (texts []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Type == kind {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// serveTower is a recording server in the test itself, which does as it is told.
func (s *site) serveTower(addr string, answer func() recordserver.Answer) *recordserver.Server {
	s.t.Helper()
	server, err := recordserver.Listen(recordserver.Config{Listen: []string{"tcp:" + addr}, Media: netip.MustParseAddr("127.0.0.1"), Answer: answer})
	require.NoError(s.t, err)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	s.t.Cleanup(func() {
		stop()
		require.NoError(s.t, <-served)
	})
	return server
}
