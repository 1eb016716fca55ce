package storetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// RequireReal is the environment variable that turns "skipped, not installed"
// into a failure, if it is "1".
const RequireReal = "CONSENTGW_REQUIRE_REAL"

const redisPatience = 20 * time.Second

// RedisServer is a real redis-server on a loopback port, with its data in a
// directory of the test, synced on every write. It ends with the test.
type RedisServer struct {
	t    testing.TB
	path string // of the binary
	dir  string
	port string
	args []string

	cmd  *exec.Cmd // nil while it does not run
	logs sync.WaitGroup
}

// Redis starts a redis-server. args are further settings, such as
// "--requirepass", "secret". Without redis-server on the PATH the test is
// skipped, or fails if the environment says so ([RequireReal]).
func Redis(t testing.TB, args ...string) (addr string, ctl *RedisServer) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv(RequireReal) == "1" {
			t.Fatal("redis-server is not installed, and " + RequireReal + "=1")
		}
		t.Skip("redis-server is not installed")
	}
	s := &RedisServer{t: t, path: path, dir: t.TempDir(), args: args}
	t.Cleanup(s.Kill)
	// Redis cannot pick a port itself: take one that was free a moment ago,
	// and another one if somebody was faster.
	for range 10 {
		s.port = freePort(t)
		if err = s.start(); err == nil {
			return s.Addr(), s
		}
	}
	require.NoError(t, err)
	return "", nil
}

func freePort(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// Addr is "127.0.0.1:port"; it stays the same over a restart.
func (s *RedisServer) Addr() string { return net.JoinHostPort("127.0.0.1", s.port) }

// start runs the server and returns when it says that it is ready.
func (s *RedisServer) start() error {
	args := append([]string{"--port", s.port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no"}, s.args...)
	cmd := exec.Command(s.path, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	ready := make(chan error, 1)
	s.logs.Go(func() { watch(out, ready) })
	select {
	case err = <-ready:
	case <-time.After(redisPatience):
		err = errors.New("redis-server is not ready")
	}
	s.cmd = cmd
	if err != nil {
		s.Kill()
	}
	return err
}

// watch reads the log of the server to its end and reports once whether it
// became ready.
func watch(out io.Reader, ready chan<- error) {
	said := false
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if !said && strings.Contains(lines.Text(), "Ready to accept connections") {
			said = true
			ready <- nil
		}
	}
	if !said {
		ready <- errors.New("redis-server ended at once")
	}
}

// Kill ends the server as kill -9 does; what it had acknowledged is on its
// disk. Killing one that does not run does nothing.
func (s *RedisServer) Kill() { s.end(syscall.SIGKILL) }

// Stop ends the server in good order.
func (s *RedisServer) Stop() { s.end(syscall.SIGTERM) }

func (s *RedisServer) end(how syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(how)
	s.logs.Wait()
	_ = s.cmd.Wait() // its status says only how it was ended
	s.cmd = nil
}

// Restart starts a server that was ended, on its data; one that runs is
// stopped before.
func (s *RedisServer) Restart() {
	s.t.Helper()
	s.Stop()
	require.NoError(s.t, s.start())
}

// Wipe ends the server and removes its data.
func (s *RedisServer) Wipe() {
	s.t.Helper()
	s.Kill()
	require.NoError(s.t, os.RemoveAll(s.dir))
	require.NoError(s.t, os.Mkdir(s.dir, 0o700))
}

// Freeze stops the server as SIGSTOP does: connections are accepted and
// nothing is answered. Thaw lets it go on.
func (s *RedisServer) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (s *RedisServer) Thaw() { s.signal(syscall.SIGCONT) }

func (s *RedisServer) signal(sig syscall.Signal) {
	s.t.Helper()
	require.NotNil(s.t, s.cmd, "redis-server does not run")
	require.NoError(s.t, s.cmd.Process.Signal(sig))
}

// Do sends one command on a connection of its own and returns the reply: the
// text of a string, a status or a number, the elements of an array by lines. An
// error reply fails the test. No argument may contain a space.
func (s *RedisServer) Do(args ...string) string {
	s.t.Helper()
	conn, err := net.DialTimeout("tcp", s.Addr(), redisPatience)
	require.NoError(s.t, err)
	defer conn.Close()
	require.NoError(s.t, conn.SetDeadline(time.Now().Add(redisPatience)))
	_, err = fmt.Fprintf(conn, "%s\r\n", strings.Join(args, " "))
	require.NoError(s.t, err)
	reply, err := readReply(bufio.NewReader(conn))
	require.NoError(s.t, err, args[0])
	return reply
}

// readReply reads one reply in the protocol of Redis (RESP2).
func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, rest := line[0], strings.TrimSpace(line[1:])
	switch kind {
	case '-':
		return "", errors.New(rest)
	case '$':
		size, err := strconv.Atoi(rest)
		if err != nil || size < 0 {
			return "", err
		}
		text := make([]byte, size+2)
		_, err = io.ReadFull(r, text)
		return string(text[:size]), err
	case '*':
		count, err := strconv.Atoi(rest)
		var elements []string
		for range count {
			element, elementErr := readReply(r)
			elements, err = append(elements, element), errors.Join(err, elementErr)
		}
		return strings.Join(elements, "\n"), err
	}
	return rest, nil
}
