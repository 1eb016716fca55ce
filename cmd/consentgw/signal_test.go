package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

func TestASecondSignalHangsUpTheCallsThatAreLeft(t *testing.T) {
	c, s := process(t, "1h", 0)
	line := s.agrees("call-1")
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	s.log.line(s.ctx, t, "draining")
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	select {
	case <-line.Ended():
	case <-s.ctx.Done():
		require.NoError(t, context.Cause(s.ctx), "no BYE")
	}
	require.NoError(t, c.Wait(), "exit 0")
}

func TestASecondSignalEndsACommandThatHasNothingToHurry(t *testing.T) {
	signals, ended := make(chan os.Signal), make(chan int, 1)
	ctx := obey(signals, func(code int) { ended <- code })
	signals <- os.Interrupt
	<-ctx.Done()
	signals <- os.Interrupt
	require.Equal(t, exitFailed, <-ended)
}

func TestAThirdSignalEndsTheGatewayAtOnce(t *testing.T) {
	signals, ended := make(chan os.Signal), make(chan int, 1)
	ctx := obey(signals, func(code int) { ended <- code })
	hurry := hurryOf(ctx)
	signals <- os.Interrupt
	<-ctx.Done()
	signals <- os.Interrupt
	<-hurry
	require.Empty(t, ended)
	signals <- os.Interrupt
	require.Equal(t, exitFailed, <-ended)
}

func TestSIGHUPReloadsTheConfiguration(t *testing.T) {
	c, s := process(t, "0s", 0)
	line := s.agrees("call-1")
	file := filepath.Join(s.dir, "consentgw.yaml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	change := func(old, new string) {
		require.Contains(t, string(text), old)
		require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), old, new, 1)), 0o600))
		require.NoError(t, c.Process.Signal(syscall.SIGHUP))
	}
	change(`to: "*"`, `too: "*"`)
	s.log.line(s.ctx, t, "configuration refused: the old one stays in force")
	require.Contains(t, s.log.String(), "consentgw.yaml:23:")
	s.agrees("call-2")
	change(`to: "*"`, `to: "+3130*"`)
	s.log.line(s.ctx, t, "configuration reloaded")
	_, err = s.caller.Call(s.ctx, phone.Dial{Target: "sip:" + s.trunk[len("udp:"):], Caller: callerNumber, Called: calledNumber})
	require.ErrorContains(t, err, "404")
	require.NoError(t, line.Leg().Context().Err(), "the calls that were up go on")
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	require.NoError(t, c.Wait())
}
