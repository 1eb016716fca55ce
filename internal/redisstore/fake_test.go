package redisstore

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fake speaks the protocol of Redis and does what no real one does on demand:
// it gives any error, is mute, answers late, or hangs up after it has executed.
type fake struct {
	listener net.Listener
	all      sync.WaitGroup

	mu     sync.Mutex
	conns  []net.Conn                                  // guarded by mu
	seen   [][]string                                  // guarded by mu: what was executed, in order
	answer func(args []string) (reply string, ok bool) // guarded by mu
}

// The replies that are none.
const (
	mute   = "mute"   // nothing, and the connection stays open
	hangUp = "hangUp" // nothing, and the connection is closed
)

func newFake(t *testing.T) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &fake{listener: l}
	f.all.Go(f.accept)
	t.Cleanup(f.close)
	return f
}

func (f *fake) addr() string { return f.listener.Addr().String() }

func (f *fake) accept() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.conns = append(f.conns, conn)
		f.mu.Unlock()
		f.all.Go(func() { f.serve(conn) })
	}
}

func (f *fake) close() {
	f.listener.Close()
	f.mu.Lock()
	for _, conn := range f.conns {
		conn.Close()
	}
	f.mu.Unlock()
	f.all.Wait()
}

func (f *fake) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		switch reply := f.execute(args); reply {
		case mute:
		case hangUp:
			return
		default:
			if _, err := io.WriteString(conn, reply+"\r\n"); err != nil {
				return
			}
		}
	}
}

func readCommand(r *bufio.Reader) ([]string, error) {
	count, err := readLength(r, '*')
	if err != nil {
		return nil, err
	}
	args := make([]string, count)
	for i := range args {
		size, err := readLength(r, '$')
		if err != nil {
			return nil, err
		}
		text := make([]byte, size+2)
		if _, err := io.ReadFull(r, text); err != nil {
			return nil, err
		}
		args[i] = string(text[:size])
	}
	return args, nil
}

func readLength(r *bufio.Reader, kind byte) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, fmt.Errorf("%q is no command", line)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

// on sets the answers from now on; a command that answer does not know gets
// what a healthy server says.
func (f *fake) on(answer func(args []string) (reply string, ok bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// onCommand answers every command of one name with reply.
func (f *fake) onCommand(name, reply string) {
	f.on(func(args []string) (string, bool) { return reply, args[0] == name })
}

func (f *fake) execute(args []string) string {
	args[0] = strings.ToUpper(args[0])
	f.mu.Lock()
	f.seen = append(f.seen, args)
	answer := f.answer
	f.mu.Unlock()
	if answer != nil {
		if reply, ok := answer(args); ok {
			return reply
		}
	}
	switch args[0] {
	case "HELLO":
		return "-ERR unknown command 'HELLO'"
	case "EVALSHA", "EVAL":
		return "$6\r\nstored"
	case "ZADD", "ZREM":
		return ":1"
	case "HGET":
		return "$-1"
	case "ZRANGE", "ZREVRANGE":
		return "*0"
	case "INFO":
		return "$21\r\nredis_version:7.0.15\n"
	case "CLUSTER":
		host, port, _ := net.SplitHostPort(f.addr())
		return fmt.Sprintf("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$%d\r\n%s\r\n:%s", len(host), host, port)
	}
	return "+OK"
}

// count is how often a command was executed.
func (f *fake) count(name string) int {
	n := 0
	for _, seen := range f.names() {
		if seen == name {
			n++
		}
	}
	return n
}

// names lists the commands that were executed, without those that set up a
// connection.
func (f *fake) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, args := range f.seen {
		switch args[0] {
		case "HELLO", "CLIENT", "CLUSTER", "COMMAND", "AUTH", "SELECT":
		default:
			names = append(names, args[0])
		}
	}
	return names
}

// modes runs a test against the fake as a single server and as a cluster.
func modes(t *testing.T, timeout time.Duration, test func(t *testing.T, f *fake, s *Store)) {
	for name, addrs := range map[string]int{"single": 1, "cluster": 2} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			cfg := Config{Timeout: timeout}
			for range addrs {
				cfg.Addrs = append(cfg.Addrs, f.addr())
			}
			s, err := Open(cfg)
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, s.Close()) })
			test(t, f, s)
		})
	}
}
