// Package redisstore keeps the records in Redis 6.2 or newer: [consent.Store]
// for gateways that share their records with each other and with platforms.
//
// Every write of a record is one Lua script on one key, executed at most once:
// nothing is repeated blindly, and a reply that got lost is an error that does
// not say whether the write was kept. Reads ask the master, never a replica.
// A write is as durable as the server makes it: with "appendonly yes" and
// "appendfsync always" it is on the disk when the server answers.
package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"consentgw/consent"
	"consentgw/internal/stored"
)

const (
	defaultTimeout = 500 * time.Millisecond
	defaultPrefix  = "consentgw:"
	// poolSize is how many operations are under way at once. At a millisecond
	// each that is far beyond what one gateway can have calls for; while Redis
	// hangs it bounds how many connections hang with it.
	poolSize = 64
)

// Config says where Redis is and how to log in.
type Config struct {
	Addrs    []string // "host:port"; one is a single server, more are seeds of a cluster
	Username string   // ACL user; empty: the default user
	Password string
	Database int  // single server only
	TLS      bool // 1.2 or newer, certificate verified against the host of the address
	// Timeout bounds each operation, and each round trip of a search; default 500 ms.
	Timeout time.Duration
	Prefix  string // of every key; default "consentgw:"; no braces
}

// Store is a [consent.Store] in Redis.
type Store struct {
	// Set by Open, then constant.
	client  redis.UniversalClient
	keys    keys
	timeout time.Duration
	sha     string // of the script

	ops     sync.WaitGroup // operations under way, also those whose caller has left; Close waits
	checked atomic.Bool    // the version of the server was good once
}

// Open prepares a store. Redis need not be there: it is dialed when it is
// needed, again after every failure. The caller closes the store.
//
// The log of the Redis library is switched off for the whole process: it writes
// to the standard error, past the log of the gateway, and every failure comes
// back as an error anyway.
func Open(cfg Config) (*Store, error) {
	switch {
	case len(cfg.Addrs) == 0:
		return nil, errors.New("redis: no address")
	case strings.ContainsAny(cfg.Prefix, "{}"):
		return nil, errors.New("redis: the key prefix must not contain braces: they would decide the cluster slot")
	case len(cfg.Addrs) > 1 && cfg.Database != 0:
		return nil, fmt.Errorf("redis: a cluster has no database %d", cfg.Database)
	case cfg.Timeout < 0:
		return nil, fmt.Errorf("redis: timeout %v is negative", cfg.Timeout)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Prefix == "" {
		cfg.Prefix = defaultPrefix
	}
	logging.Disable()
	return &Store{client: connect(cfg), keys: keys{cfg.Prefix}, timeout: cfg.Timeout,
		sha: redis.NewScript(script).Hash()}, nil
}

func connect(cfg Config) redis.UniversalClient {
	opts := &redis.UniversalOptions{
		Addrs: cfg.Addrs, Username: cfg.Username, Password: cfg.Password, DB: cfg.Database,
		ClientName: "consentgw", Protocol: 2, DisableIdentity: true,
		DialTimeout: cfg.Timeout, ReadTimeout: cfg.Timeout, WriteTimeout: cfg.Timeout, PoolTimeout: cfg.Timeout,
		PoolSize: poolSize, PipelinePoolSize: -1,
		// The library's defaults ignore the context, send a write again up to
		// three times, and dial five times.
		ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if cfg.TLS {
		opts.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if len(cfg.Addrs) == 1 {
		return redis.NewClient(opts.Simple())
	}
	cluster := opts.Cluster()
	cluster.DisableRoutingPolicies = true // one key, one node: nothing to fan out
	return redis.NewClusterClient(cluster)
}

// Put implements [consent.Store].
func (s *Store) Put(ctx context.Context, r *consent.Record) error {
	text, err := stored.Encode(r)
	if err != nil {
		return fmt.Errorf("put record: %w", err)
	}
	return s.save(ctx, "put record", newWrite(r, text))
}

// Replace implements [consent.Store].
func (s *Store) Replace(ctx context.Context, r, seen *consent.Record) error {
	if err := stored.CheckSuccessor(r, seen); err != nil {
		return fmt.Errorf("replace record: %w", err)
	}
	text, err := stored.Encode(r)
	if err != nil {
		return fmt.Errorf("replace record: %w", err)
	}
	return s.save(ctx, "replace record", newWrite(r, text).over(seen))
}

// Close ends all connections and waits for the operations that used them.
func (s *Store) Close() error {
	err := s.client.Close()
	s.ops.Wait()
	if err != nil {
		return failure(context.Background(), "close", err)
	}
	return nil
}

// run does one operation within limit (0: only what ctx allows). It returns as
// soon as ctx ends, though the library may still be waiting for a socket then:
// the library heeds a deadline while it reads, but not a cancellation. What is
// left behind ends by the time-outs of the socket, and Close waits for it; do
// therefore shares nothing with its caller.
func run[T any](ctx context.Context, s *Store, doing string, limit time.Duration, do func(context.Context) (T, error)) (T, error) {
	var none T
	if ctx.Err() != nil {
		return none, failure(ctx, doing, context.Cause(ctx))
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, errTimeout)
		defer cancel()
	}
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	s.ops.Go(func() {
		value, err := do(ctx)
		answered <- answer{value, err}
	})
	select {
	case a := <-answered:
		if a.err != nil {
			return none, failure(ctx, doing, a.err)
		}
		return a.value, nil
	case <-ctx.Done():
		return none, failure(ctx, doing, context.Cause(ctx))
	}
}
