package boltstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"consentgw/consent"
	"consentgw/internal/stored"
	"consentgw/internal/storetest"
)

// victim names, in the environment, the file that the test binary fills until
// it is killed, when it is not to run tests.
const victim = "BOLTSTORE_TEST_FILL"

func TestMain(m *testing.M) {
	if path := os.Getenv(victim); path != "" {
		fill(path)
		return
	}
	goleak.VerifyTestMain(m)
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) consent.Store { return openTemp(t) })
}

func tempPath(t *testing.T) string { return filepath.Join(t.TempDir(), "new", "records.db") }

func openTemp(t *testing.T) *Store {
	t.Helper()
	return openAt(t, tempPath(t))
}

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func second(r *consent.Record) *consent.Record {
	c := r.Clone()
	c.Note(r.UpdatedAt.Add(time.Second), "noted", "")
	return c
}

func TestTheFileIsCreatedForItsOwnerOnly(t *testing.T) {
	path := tempPath(t)
	openAt(t, path)
	file, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), file.Mode().Perm())
	dir, err := os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), dir.Mode().Perm())
}

func TestWhatWasStoredIsThereAfterARestart(t *testing.T) {
	path := tempPath(t)
	s, err := Open(path)
	require.NoError(t, err)
	r := storetest.Record(storetest.Granted)
	require.NoError(t, s.Put(t.Context(), r))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing twice is closing once")

	s = openAt(t, path)
	got, err := s.Find(t.Context(), r.Call.PlatformCallID)
	require.NoError(t, err)
	assert.Equal(t, r, got)
}

func TestAFileThatIsInUseIsAnErrorThatSaysSo(t *testing.T) {
	path := tempPath(t)
	openAt(t, path)
	_, err := Open(path)
	require.ErrorContains(t, err, "in use by another process")
	require.ErrorContains(t, err, path)
}

func TestAFileThatIsNoStoreIsRefused(t *testing.T) {
	for name, content := range map[string]string{"text": strings.Repeat("no store\n", 2000), "short": "x"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "records.db")
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			_, err := Open(path)
			require.ErrorContains(t, err, path)
		})
	}
	_, err := Open(t.TempDir())
	require.Error(t, err, "a directory")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Open(filepath.Join(file, "records.db"))
	require.ErrorContains(t, err, "create directory")
}

func TestAFileOfALaterFormatIsRefused(t *testing.T) {
	path := tempPath(t)
	s, err := Open(path)
	require.NoError(t, err)
	require.NoError(t, s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucketMeta)).Put([]byte(formatName), []byte("2"))
	}))
	require.NoError(t, s.Close())
	_, err = Open(path)
	require.ErrorContains(t, err, "another version of the gateway")
}

func TestAFullDiskIsAnErrorAndLeavesTheStoreAsItWas(t *testing.T) {
	s, err := open(tempPath(t), &bbolt.Options{MaxSize: 1 << 20})
	require.NoError(t, err)
	defer s.Close()
	var kept []*consent.Record
	big := func(r *consent.Record) { r.Call.EndCause = strings.Repeat("x", 60<<10) }
	for err == nil {
		r := storetest.Record(big)
		if err = s.Put(t.Context(), r); err == nil {
			kept = append(kept, r)
		}
	}
	require.ErrorContains(t, err, "not written")
	require.NotEmpty(t, kept)
	n, err := s.Len()
	require.NoError(t, err)
	require.Equal(t, len(kept), n)
	for _, r := range kept {
		got, err := s.Get(t.Context(), r.ID)
		require.NoError(t, err)
		require.Equal(t, r, got)
	}
}

func TestADiskThatFailsIsAnError(t *testing.T) {
	var file *os.File
	s, err := open(tempPath(t), &bbolt.Options{OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}})
	require.NoError(t, err)
	kept, lost := storetest.Record(), storetest.Record()
	require.NoError(t, s.Put(t.Context(), kept))
	require.NoError(t, file.Close()) // every system call on it fails from here on
	require.ErrorContains(t, s.Put(t.Context(), lost), "not written")
	require.ErrorContains(t, s.Ping(t.Context()), "not written")
	_, err = s.Get(t.Context(), kept.ID)
	require.NoError(t, err)
	_, err = s.Get(t.Context(), lost.ID)
	require.ErrorIs(t, err, consent.ErrNotFound)
	_ = s.Close() // the lock of a closed file cannot be given back
}

func TestAFailedCommitIsFailedForEveryWriteInIt(t *testing.T) {
	s := openTemp(t)
	fatal := errors.New("input/output error")
	batch := make([]*write, 3)
	for i := range batch {
		batch[i] = &write{done: make(chan error, 1), apply: func(*bbolt.Tx) (error, error) { return nil, nil }}
	}
	batch[1].apply = func(*bbolt.Tx) (error, error) { return nil, fatal }
	s.commit(batch)
	for _, w := range batch {
		require.ErrorIs(t, <-w.done, fatal)
	}
}

// busy holds the writer inside a commit until the returned function is called.
func busy(t *testing.T, s *Store) (release func()) {
	t.Helper()
	entered, leave, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.write(context.Background(), func(*bbolt.Tx) (error, error) {
			close(entered)
			<-leave
			return nil, nil
		})
	}()
	<-entered
	return func() {
		close(leave)
		require.NoError(t, <-done)
	}
}

func TestAWriteBehindASlowDiskEndsWithItsContext(t *testing.T) {
	s := openTemp(t)
	release := busy(t, s)
	cause := errors.New("caller hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	result := make(chan error, 1)
	go func() { result <- s.Put(ctx, storetest.Record()) }()
	cancel(cause)
	require.ErrorIs(t, <-result, cause)

	ctx, cancelTime := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancelTime()
	require.ErrorIs(t, s.Put(ctx, storetest.Record()), context.DeadlineExceeded)
	release()
	require.NoError(t, s.Put(t.Context(), storetest.Record()))
}

func TestAWriteUnderWayEndsWithItsContextToo(t *testing.T) {
	s := openTemp(t)
	ctx, cancel := context.WithCancel(t.Context())
	leave := make(chan struct{})
	err := s.write(ctx, func(*bbolt.Tx) (error, error) {
		cancel()
		<-leave
		return nil, nil
	})
	close(leave)
	require.ErrorIs(t, err, context.Canceled)
}

func TestConcurrentWritesShareCommits(t *testing.T) {
	s := openTemp(t)
	release := busy(t, s)
	before := commits(t, s)
	var calls sync.WaitGroup
	for range 100 {
		calls.Go(func() { assert.NoError(t, s.Put(t.Context(), storetest.Record())) })
	}
	release()
	calls.Wait()
	n, err := s.Len()
	require.NoError(t, err)
	require.Equal(t, 100, n)
	assert.Less(t, commits(t, s)-before, 100)
}

// commits is how many transactions have been written.
func commits(t *testing.T, s *Store) (n int) {
	t.Helper()
	require.NoError(t, s.db.View(func(tx *bbolt.Tx) error {
		n = tx.ID()
		return nil
	}))
	return n
}

func TestWritesThatWaitWhenTheStoreClosesFail(t *testing.T) {
	s := openTemp(t)
	release := busy(t, s)
	result := make(chan error, 1)
	go func() { result <- s.Put(context.Background(), storetest.Record()) }()
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	require.ErrorIs(t, <-result, errClosed)
	release()
	require.NoError(t, <-closed)
	require.ErrorIs(t, s.Put(t.Context(), storetest.Record()), errClosed)
	_, err := s.Get(t.Context(), "a")
	require.Error(t, err)
	require.NotErrorIs(t, err, consent.ErrNotFound)
}

func TestRemoveTakesOutTheVersionThatWasSeenOnly(t *testing.T) {
	s := openTemp(t)
	r := storetest.Record(storetest.Granted)
	require.NoError(t, s.Put(t.Context(), second(r)))
	other := second(r)
	other.Writer = "writer-2"
	for _, seen := range []*consent.Record{r, other, storetest.Record()} {
		require.NoError(t, s.Remove(t.Context(), seen))
	}
	require.NoError(t, s.Remove(t.Context(), second(r)))
	_, err := s.Find(t.Context(), r.Call.TrunkCallID)
	require.ErrorIs(t, err, consent.ErrNotFound)
	require.NoError(t, s.db.View(func(tx *bbolt.Tx) error {
		for _, bucket := range []string{bucketRecords, bucketTime, bucketCall, bucketSubject, bucketOpen} {
			assert.Zero(t, tx.Bucket([]byte(bucket)).Stats().KeyN, bucket)
		}
		return nil
	}))
}

func TestADamagedRecordIsAnErrorAndNotAMissingOne(t *testing.T) {
	s := openTemp(t)
	r := storetest.Record()
	require.NoError(t, s.Put(t.Context(), r))
	require.NoError(t, s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucketRecords)).Put([]byte(r.ID), []byte(`{"subject":"+31205550143"`))
	}))
	_, getErr := s.Get(t.Context(), r.ID)
	_, searchErr := s.Search(t.Context(), consent.Query{})
	for _, err := range []error{getErr, searchErr, s.Put(t.Context(), second(r)), s.Replace(t.Context(), second(r), r)} {
		require.ErrorContains(t, err, string(r.ID))
		require.NotErrorIs(t, err, consent.ErrNotFound)
		require.NotContains(t, err.Error(), "5550143")
	}
	require.NoError(t, s.Put(t.Context(), storetest.Record()), "the others are well")
}

func TestADamagedIndexIsAnError(t *testing.T) {
	s := openTemp(t)
	require.NoError(t, s.db.Update(func(tx *bbolt.Tx) error {
		return errors.Join(tx.Bucket([]byte(bucketTime)).Put([]byte("short"), nil),
			tx.Bucket([]byte(bucketOpen)).Put([]byte(hashed("gw")+"short"), nil))
	}))
	_, err := s.Search(t.Context(), consent.Query{})
	require.ErrorIs(t, err, errIndex)
	_, err = s.Unfinished(t.Context(), "gw")
	require.ErrorIs(t, err, errIndex)
}

func TestAPageIsBoundedAndGoesOn(t *testing.T) {
	s := openTemp(t)
	var writes sync.WaitGroup
	rare := storetest.Record(storetest.After(-time.Hour), func(r *consent.Record) { r.Call.Route = "rare" })
	require.NoError(t, s.Put(t.Context(), rare))
	for range 100 {
		writes.Go(func() {
			for range stored.MaxExamined / 100 {
				assert.NoError(t, s.Put(t.Context(), storetest.Record()))
			}
		})
	}
	writes.Wait()
	page, err := s.Search(t.Context(), consent.Query{Route: "rare"})
	require.NoError(t, err)
	require.Empty(t, page.Records)
	require.NotEmpty(t, page.Next)
	page, err = s.Search(t.Context(), consent.Query{Route: "rare", Cursor: page.Next})
	require.NoError(t, err)
	require.Equal(t, []*consent.Record{rare}, page.Records)
	require.Empty(t, page.Next)
}

// fill stores records and names each one after the store said yes.
func fill(path string) {
	s, err := Open(path)
	for err == nil {
		r := storetest.Record(storetest.Granted)
		if err = s.Put(context.Background(), r); err == nil {
			fmt.Println(r.ID, r.Call.TrunkCallID)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestWhatWasAcknowledgedOutlivesAKill(t *testing.T) {
	path := tempPath(t)
	acknowledged := map[string]string{}
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), victim+"="+path)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := 0; n < 20*(round+1) && lines.Scan(); n++ {
			id, call, _ := strings.Cut(lines.Text(), " ")
			acknowledged[id] = call
		}
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
	}
	s := openAt(t, path)
	require.Len(t, acknowledged, 20+40+60)
	for id, call := range acknowledged {
		r, err := s.Find(t.Context(), call)
		require.NoError(t, err)
		require.EqualValues(t, id, r.ID)
	}
	n, err := s.Len()
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, len(acknowledged))
}
