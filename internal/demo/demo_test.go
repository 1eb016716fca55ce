package demo

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"consentgw/internal/wav"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errors.New("what the test waits for did not come"))
	t.Cleanup(cancel)
	return ctx
}

// send sends one packet of each source.
func send(t *testing.T, to netip.AddrPort, sources ...uint32) {
	c, err := net.Dial("udp", to.String())
	require.NoError(t, err)
	defer c.Close()
	for i, ssrc := range sources {
		b := make([]byte, 12+160)
		b[0], b[1] = 0x80, 8
		binary.BigEndian.PutUint16(b[2:], uint16(i))
		binary.BigEndian.PutUint32(b[8:], ssrc)
		_, err := c.Write(b)
		require.NoError(t, err)
	}
}

func options(t *testing.T, out io.Writer) Options {
	return Options{Dir: filepath.Join(t.TempDir(), "demo"), Out: out, Log: slog.New(slog.DiscardHandler)}
}

func TestADemonstrationThatIsInterruptedLeavesNothingBehind(t *testing.T) {
	var out bytes.Buffer
	opt := options(t, &out)
	stop := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	opt.Out = writerFunc(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte("answered")) {
			cancel(stop) // in the middle of the first call
		}
		return out.Write(b)
	})
	err := Run(ctx, opt)
	require.ErrorIs(t, err, stop)
	require.NotErrorIs(t, err, ErrBroken, "an interrupted call proves nothing")
	left, err := os.ReadDir(opt.Dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestADemonstrationSaysWhyItCannotStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	opt := options(t, io.Discard)
	opt.Dir = filepath.Join(file, "below")
	require.ErrorContains(t, Run(t.Context(), opt), "not a directory")
}

func TestWhatTheRecorderGotIsSavedAsWAVAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	sc := lawful(1)
	files, err := sc.save(dir)
	require.NoError(t, err)
	require.Equal(t, []string{
		filepath.Join(dir, "1-agreed-caller.wav") + ", 7.0 s", filepath.Join(dir, "1-agreed-agent.wav") + ", 7.0 s"}, files)
	f, err := os.Open(filepath.Join(dir, "1-agreed-caller.wav"))
	require.NoError(t, err)
	defer f.Close()
	audio, err := wav.Read(f)
	require.NoError(t, err)
	require.Len(t, audio.PCM, 350*160)

	// The next time nothing is recorded: what was there would be a lie.
	sc.caller.copies, sc.agent.copies = nil, nil
	files, err = sc.save(dir)
	require.NoError(t, err)
	require.Empty(t, files)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	sc = lawful(1)
	_, err = sc.save(filepath.Join(dir, "nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
