package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
	"consentgw/internal/stored"
	"consentgw/internal/storetest"
)

// second is a record that is not new, so that its write begins with the script.
func second() *consent.Record {
	r := storetest.Record()
	r.Note(r.UpdatedAt, "noted", "")
	return r
}

// clean checks that err has the reason and tells nobody who called.
func clean(t *testing.T, err error, reason string) {
	t.Helper()
	require.Error(t, err)
	assert.Equal(t, reason, Reason(err), err)
	assert.NotContains(t, err.Error(), "555", "a number in %q", err)
	for _, sentinel := range []error{consent.ErrConflict, consent.ErrStale, consent.ErrNotFound, stored.ErrInvalid} {
		assert.NotErrorIs(t, err, sentinel)
	}
}

func TestAnErrorOfTheServerIsNamedAndTheWriteIsNotSentAgain(t *testing.T) {
	const secret = " '+12025550143'"
	for line, reason := range map[string]string{
		"READONLY You can't write against a read only replica.":                                   "readonly",
		"NOAUTH Authentication required.":                                                         "noauth",
		"OOM command not allowed when used memory > 'maxmemory'.":                                 "oom",
		"LOADING Redis is loading the dataset in memory":                                          "loading",
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist": "misconf",
		"CLUSTERDOWN Hash slot not served":                                                        "clusterdown",
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.":        "masterdown",
		"NOREPLICAS Not enough good replicas to write.":                                           "noreplicas",
		"NOPERM this user has no permissions to run the 'evalsha' command":                        "noperm",
		"TRYAGAIN Multiple keys request during rehashing of slot":                                 "tryagain",
		"BUSY Redis is busy running a script.":                                                    "busy",
		"WRONGTYPE Operation against a key holding the wrong kind of value":                       "wrongtype",
		"ERR max number of clients reached":                                                       "maxclients",
		"ERR unknown command 'EVALSHA', with args beginning with:":                                "err",
		"ERR Error running script (call to f_1): @user_script:19: -OOM command not allowed":       "oom",
		"something quite different":                                                               "unknown",
		strings.Repeat("A", 300):                                                                  "unknown",
	} {
		t.Run(fmt.Sprintf("%.20s", line), func(t *testing.T) {
			modes(t, slow, func(t *testing.T, f *fake, s *Store) {
				f.onCommand("EVALSHA", "-"+line+secret)
				clean(t, s.Put(t.Context(), second()), reason)
				if reason == "readonly" { // the cluster client asks who the master is now; nothing ran
					assert.LessOrEqual(t, f.count("EVALSHA"), 4)
				} else {
					assert.Equal(t, 1, f.count("EVALSHA"))
				}
				assert.Zero(t, f.count("EVAL"))
			})
		})
	}
}

func TestAWriteWhoseReplyIsLostWasExecutedOnce(t *testing.T) {
	modes(t, slow, func(t *testing.T, f *fake, s *Store) {
		f.onCommand("EVALSHA", hangUp)
		clean(t, s.Put(t.Context(), second()), "reset")
		assert.Equal(t, []string{"EVALSHA"}, f.names())
	})
}

func TestAReplaceWhoseReplyIsLostWasExecutedOnce(t *testing.T) {
	modes(t, slow, func(t *testing.T, f *fake, s *Store) {
		f.onCommand("EVALSHA", hangUp)
		seen := storetest.Record()
		next := seen.Clone()
		next.Note(seen.UpdatedAt, "noted", "")
		clean(t, s.Replace(t.Context(), next, seen), "reset")
		assert.Equal(t, []string{"EVALSHA"}, f.names())
	})
}

func TestIndexEntriesWhoseReplyIsLostAreNotSentAgain(t *testing.T) {
	modes(t, slow, func(t *testing.T, f *fake, s *Store) {
		f.onCommand("ZADD", hangUp)
		clean(t, s.Put(t.Context(), storetest.Record()), "reset")
		assert.Equal(t, 1, f.count("ZADD"))
		assert.Zero(t, f.count("EVALSHA"), "no record without its index entries")
	})
}

func TestAMuteServerIsATimeout(t *testing.T) {
	for _, command := range []string{"HELLO", "ZADD", "EVALSHA"} {
		t.Run(command, func(t *testing.T) {
			modes(t, 50*time.Millisecond, func(t *testing.T, f *fake, s *Store) {
				f.onCommand(command, mute)
				err := s.Put(t.Context(), storetest.Record())
				clean(t, err, "timeout")
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.LessOrEqual(t, f.count("EVALSHA"), 1)
			})
		})
	}
}

func TestTheDeadlineOfTheCallerCountsIfItIsSooner(t *testing.T) {
	modes(t, slow, func(t *testing.T, f *fake, s *Store) {
		f.onCommand("EVALSHA", mute)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := s.Put(ctx, second())
		clean(t, err, "timeout")
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestWhatACallerLeavesBehindEndsWithTheDeadlineToo(t *testing.T) {
	f := newFake(t)
	f.onCommand("EVALSHA", mute)
	s := openAt(t, Config{Addrs: []string{f.addr()}, Timeout: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	clean(t, s.Put(ctx, second()), "timeout")
	ended := make(chan struct{})
	go func() { s.ops.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(slow):
		t.Error("the socket is still waited for")
	}
}

func TestAReadIsNotRepeatedEither(t *testing.T) {
	f := newFake(t)
	f.onCommand("HGET", hangUp)
	s := openAt(t, Config{Addrs: []string{f.addr()}, Timeout: slow})
	_, err := s.Get(t.Context(), "a")
	clean(t, err, "reset")
	assert.Equal(t, 1, f.count("HGET"))
}

func TestACallerThatLeavesIsNotHeldUpByTheServer(t *testing.T) {
	modes(t, slow, func(t *testing.T, f *fake, s *Store) {
		cause := errors.New("caller hung up")
		ctx, cancel := context.WithCancelCause(t.Context())
		f.on(func(args []string) (string, bool) {
			if args[0] == "EVALSHA" {
				cancel(cause)
			}
			return mute, args[0] == "EVALSHA"
		})
		err := s.Put(ctx, second())
		clean(t, err, "canceled")
		require.ErrorIs(t, err, cause)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 1, f.count("EVALSHA"))
	})
}

// recovers waits until a write is taken; any answer but "stored" or a time-out
// is a failure.
func recovers(t *testing.T, s *Store) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		err := s.Put(context.Background(), second())
		if reason := Reason(err); reason != "" && reason != "timeout" && reason != "pool" {
			t.Error(err)
		}
		assert.NoError(c, err)
	}, slow, time.Millisecond)
}

func TestALateAnswerIsNotTakenForTheNextOne(t *testing.T) {
	modes(t, 100*time.Millisecond, func(t *testing.T, f *fake, s *Store) {
		late, answered := make(chan struct{}), make(chan struct{})
		f.on(func(args []string) (string, bool) {
			if args[0] != "EVALSHA" {
				return "", false
			}
			<-late
			defer close(answered)
			return "$5\r\nstale", true
		})
		for f.count("EVALSHA") == 0 { // a busy machine may not even get there in time
			clean(t, s.Put(t.Context(), second()), "timeout")
		}
		close(late)
		<-answered
		f.on(nil)
		recovers(t, s)
	})
}

func TestManyCallsOnAMuteServerAllComeBack(t *testing.T) {
	f := newFake(t)
	f.onCommand("EVALSHA", mute)
	s := openAt(t, Config{Addrs: []string{f.addr()}, Timeout: 100 * time.Millisecond})
	var calls sync.WaitGroup
	for range 3 * poolSize {
		calls.Go(func() {
			err := s.Put(t.Context(), second())
			assert.Contains(t, []string{"timeout", "pool"}, Reason(err))
		})
	}
	calls.Wait()
	f.on(nil)
	recovers(t, s)
}

func TestAScriptThatTheServerDoesNotKnowIsSentOnceAsText(t *testing.T) {
	modes(t, slow, func(t *testing.T, f *fake, s *Store) {
		f.onCommand("EVALSHA", "-NOSCRIPT No matching script. Please use EVAL.")
		require.NoError(t, s.Put(t.Context(), second()))
		assert.Equal(t, []string{"EVALSHA", "EVAL"}, f.names())
	})
}

func TestAnAnswerThatNoScriptGivesIsAnError(t *testing.T) {
	for _, reply := range []string{":1", "+done", "$-1", "*0", "$5\r\nindex"} {
		modes(t, slow, func(t *testing.T, f *fake, s *Store) {
			f.onCommand("EVALSHA", reply)
			err := s.Put(t.Context(), storetest.Record())
			clean(t, err, "reply")
		})
	}
}

func TestIndexEntriesComeBeforeTheRecord(t *testing.T) {
	modes(t, slow, func(t *testing.T, f *fake, s *Store) {
		require.NoError(t, s.Put(t.Context(), storetest.Record(storetest.Granted, func(r *consent.Record) { r.Epoch = 1 })))
		zadd := []string{"ZADD", "ZADD", "ZADD", "ZADD", "ZADD", "ZADD"}
		assert.Equal(t, append(zadd, "EVALSHA"), f.names(), "days, day, two Call-IDs, subject, open")
	})
}

func TestAFailedIndexEntryStopsTheWrite(t *testing.T) {
	modes(t, slow, func(t *testing.T, f *fake, s *Store) {
		f.on(func(args []string) (string, bool) {
			return "-OOM command not allowed", args[0] == "ZADD" && strings.Contains(args[1], "subject")
		})
		clean(t, s.Put(t.Context(), storetest.Record()), "oom")
		assert.Zero(t, f.count("EVALSHA"))
	})
}

func TestAnEndThatIsStoredStaysStoredThoughTheListIsNotUpdated(t *testing.T) {
	modes(t, slow, func(t *testing.T, f *fake, s *Store) {
		f.onCommand("ZREM", "-LOADING Redis is loading the dataset in memory")
		require.NoError(t, s.Put(t.Context(), storetest.Record(storetest.Ended)))
		assert.Equal(t, 1, f.count("ZREM"))
	})
}

func TestNobodyListensIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	for _, addrs := range [][]string{{l.Addr().String()}, {l.Addr().String(), l.Addr().String()}} {
		s := openAt(t, Config{Addrs: addrs, Timeout: slow})
		clean(t, s.Ping(t.Context()), "refused")
		_, err = s.Get(t.Context(), "a")
		clean(t, err, "refused")
	}
}

func TestACertificateThatCannotBeVerifiedIsTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	s := openAt(t, Config{Addrs: []string{server.Listener.Addr().String()}, TLS: true, Timeout: slow})
	clean(t, s.Ping(t.Context()), "tls")
}

func TestAWrongPasswordIsNamed(t *testing.T) {
	f := newFake(t)
	f.onCommand("AUTH", "-WRONGPASS invalid username-password pair or user is disabled.")
	s := openAt(t, Config{Addrs: []string{f.addr()}, Username: "u", Password: "hunter2", Timeout: slow})
	err := s.Ping(t.Context())
	clean(t, err, "wrongpass")
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestPingDemandsRedis62UntilItHasSeenIt(t *testing.T) {
	for version, reason := range map[string]string{"5.0.14": "version", "6.0.16": "version", "6.2.0": "", "7.0.15": "",
		"8.2.1": "", "10.0": "", "255.255.255": "", "unstable": ""} {
		t.Run(version, func(t *testing.T) {
			f := newFake(t)
			info := "# Server\r\nredis_version:" + version + "\r\nos:Linux\r\n"
			f.onCommand("INFO", fmt.Sprintf("$%d\r\n%s", len(info), info))
			s := openAt(t, Config{Addrs: []string{f.addr()}, Timeout: slow})
			for range 2 {
				assert.Equal(t, reason, Reason(s.Ping(t.Context())))
			}
			if reason == "" {
				assert.Equal(t, []string{"INFO", "SET", "SET"}, f.names())
			}
		})
	}
}

func TestAUserWhoMayNotAskForTheVersionIsNotHeldUp(t *testing.T) {
	f := newFake(t)
	f.onCommand("INFO", "-NOPERM this user has no permissions to run the 'info' command")
	s := openAt(t, Config{Addrs: []string{f.addr()}, Timeout: slow})
	require.NoError(t, s.Ping(t.Context()))
}

func TestPingFailsIfAWriteWould(t *testing.T) {
	f := newFake(t)
	f.onCommand("SET", "-READONLY You can't write against a read only replica.")
	s := openAt(t, Config{Addrs: []string{f.addr()}, Timeout: slow})
	clean(t, s.Ping(t.Context()), "readonly")
}

func TestClosingEndsWhatIsUnderWay(t *testing.T) {
	f := newFake(t)
	arrived := make(chan struct{})
	f.on(func(args []string) (string, bool) {
		if args[0] == "EVALSHA" {
			close(arrived)
		}
		return mute, args[0] == "EVALSHA"
	})
	s, err := Open(Config{Addrs: []string{f.addr()}, Timeout: time.Hour})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Put(context.Background(), second()) }()
	<-arrived
	require.NoError(t, s.Close())
	require.Error(t, <-done)
}

func TestConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no address":            {},
		"braces in the prefix":  {Addrs: []string{"127.0.0.1:1"}, Prefix: "{x}:"},
		"database of a cluster": {Addrs: []string{"127.0.0.1:1", "127.0.0.1:2"}, Database: 1},
		"negative timeout":      {Addrs: []string{"127.0.0.1:1"}, Timeout: -1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(cfg)
			require.Error(t, err)
		})
	}
}

func TestReasonKnowsEveryErrorOfAStore(t *testing.T) {
	for reason, err := range map[string]error{
		"": nil, "conflict": fmt.Errorf("x: %w", consent.ErrConflict), "stale": consent.ErrStale,
		"not_found": consent.ErrNotFound, "invalid": stored.ErrInvalid, "unknown": errors.New("x"),
		"dns": failure(context.Background(), "x", &net.DNSError{Err: "no such host", Name: "redis.example", IsNotFound: true}),
	} {
		assert.Equal(t, reason, Reason(err))
	}
}
