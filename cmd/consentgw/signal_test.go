package main

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"consentgw/internal/phone"

	"github.com/stretchr/testify/require"
)

// process starts "consentgw serve" as a process of its own and waits until it
// is up.
func process(t *testing.T, drain string, t1 time.Duration) (*exec.Cmd, *served) {
	s := newServed(t, t1)
	c := exec.CommandContext(s.ctx, os.Args[0], "serve", "--drain", drain, "-c", writeConfigFor(t, s.dir, "", s))
	c.Env = append(os.Environ(), asCommand+"=1")
	c.Stderr = s.log
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		if c.ProcessState == nil {
			c.Process.Kill()
			c.Wait()
		}
	})
	s.up()
	return c, s
}

func TestASignalEndsTheGatewayWhenItsCallsAreOver(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		c, s := process(t, "20s", 0)
		line := s.agrees("call-1")
		require.NoError(t, c.Process.Signal(signal))
		s.log.line(s.ctx, t, "draining")
		_, err := s.caller.Call(s.ctx, phone.Dial{Target: "sip:" + s.trunk[len("udp:"):], Caller: callerNumber, Called: calledNumber})
		require.ErrorContains(t, err, "503", "no new call is taken")
		require.NoError(t, line.Hangup(s.ctx))
		require.NoError(t, c.Wait(), "exit 0")
	}
}

func TestASecondSignalEndsTheGatewayAtOnce(t *testing.T) {
	c, s := process(t, "1h", 10*time.Millisecond) // nobody will answer the phones' BYE
	line := s.agrees("call-1")
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	s.log.line(s.ctx, t, "draining")
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	require.Error(t, c.Wait())
	require.Equal(t, exitFailed, c.ProcessState.ExitCode())
	line.Drop()
	require.NoError(t, context.Cause(s.ctx))
}
