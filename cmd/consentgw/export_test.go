package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// cutOff is a gateway that gives up in the middle of an export.
func cutOff(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "record_id\nhalf of")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAnExportThatWasCutOffFailsAndLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "march.csv")
	require.NoError(t, os.WriteFile(file, []byte("the whole of last time\n"), 0o600))
	for _, path := range []string{file, filepath.Join(dir, "new.csv")} {
		r := consentgw(t, "export", "--api", cutOff(t), "-o", path)
		require.Equal(t, exitFailed, r.code)
		require.Empty(t, r.stdout)
		require.Contains(t, r.stderr, "export is incomplete")
		require.NotContains(t, r.stderr, "running?")
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "the whole of last time\n", string(text))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "half an export stays nowhere")
}

func TestAnExportThatWasCutOffFailsOnStandardOutputToo(t *testing.T) {
	r := consentgw(t, "export", "--api", cutOff(t))
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "export is incomplete")
}

func whole(w io.Writer) error {
	_, err := io.WriteString(w, "whole\n")
	return err
}

func TestAnExportTakesThePlaceOfAnEarlierOneForItsOwnerOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "all.csv")
	require.NoError(t, os.WriteFile(file, []byte("a longer one of last time\n"), 0o644))
	require.NoError(t, toFile(file, nil, whole))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "whole\n", string(text))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestADashIsStandardOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	var failure = errors.New("the reader left")
	err := toFile("-", writer(func([]byte) (int, error) { return 0, failure }), whole)
	require.ErrorIs(t, err, failure)
	left, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, left)
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

func TestWhereAnExportCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorContains(t, toFile(dir, nil, whole), "is a directory")
	require.ErrorContains(t, toFile(filepath.Join(dir, "nowhere", "x.csv"), nil, whole), "x.csv cannot be written: ")
	require.ErrorContains(t, toFile(filepath.Join(file, "x.csv"), nil, whole), "not a directory")
}

func TestAnExportToAPipeGoesThroughIt(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	got := make(chan []byte, 1)
	go func() {
		text, _ := os.ReadFile(pipe)
		got <- text
	}()
	require.NoError(t, toFile(pipe, nil, whole))
	require.Equal(t, "whole\n", string(<-got))
	info, err := os.Stat(pipe)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeNamedPipe, "it is still a pipe")
}
