package redisstore

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"consentgw/consent"
	"consentgw/internal/stored"
)

var (
	errTimeout = timeoutError{}
	errReply   = errors.New("unexpected reply")
	errVersion = errors.New("server is older than 6.2")
)

// timeoutError is the cause when an operation took longer than Config.Timeout.
type timeoutError struct{}

func (timeoutError) Error() string        { return "no answer in time" }
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// Error is a failure of Redis. It does not say whether a write was kept. Its
// text is put together from known words: what the server said is left out,
// because it may quote the command, and with it a caller's number.
type Error struct {
	Doing  string // what the store was doing, such as "put record"
	Reason string // see [Reason]
	cause  error  // of the context or of the socket; nil if the server said no
}

// Error implements error.
func (e *Error) Error() string {
	text := e.Doing + ": redis: " + e.Reason
	if meaning := meanings(e.Reason); meaning != "" {
		text += ": " + meaning
	}
	return text
}

// Unwrap is what ended the operation from this side, if anything did.
func (e *Error) Unwrap() error { return e.cause }

// Reason is a stable word for why a store operation failed, fit for a metric
// label and for the record: "timeout", "canceled", "refused", "reset", "dns",
// "tls", "pool", "network", "reply", "version", "closed", "maxclients", the
// server's own word in small letters ("readonly", "noauth", "wrongpass", "oom",
// "loading", "misconf", "clusterdown", "masterdown", ...), "conflict", "stale",
// "not_found", "invalid", and "unknown" for everything else. It is empty for no
// error.
func Reason(err error) string {
	var failed *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &failed):
		return failed.Reason
	case errors.Is(err, consent.ErrConflict):
		return "conflict"
	case errors.Is(err, consent.ErrStale):
		return "stale"
	case errors.Is(err, consent.ErrNotFound):
		return "not_found"
	case errors.Is(err, stored.ErrInvalid):
		return "invalid"
	}
	return "unknown"
}

// meanings says in words what an operator should look at.
func meanings(reason string) string {
	switch reason {
	case "timeout":
		return "no answer in time"
	case "refused":
		return "nobody listens at the address"
	case "readonly":
		return "server is a replica or was demoted"
	case "noauth":
		return "a password is required"
	case "wrongpass":
		return "user name or password is wrong"
	case "noperm":
		return "the user may not run a command or touch a key that the gateway needs"
	case "oom":
		return "memory limit of the server is reached"
	case "loading":
		return "server is still loading its data"
	case "misconf":
		return "server cannot save its data to disk and refuses writes"
	case "masterdown", "clusterdown", "noreplicas":
		return "a part of the cluster is down"
	case "maxclients":
		return "server has too many connections"
	case "pool":
		return "every connection is waiting for an answer"
	case "version":
		return errVersion.Error()
	}
	return ""
}

// failure makes the error of an operation that ran under ctx.
func failure(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil && context.Cause(ctx) != error(errTimeout) {
		reason := "canceled"
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			reason = "timeout"
		}
		return &Error{doing, reason, causes{context.Cause(ctx), ctx.Err()}}
	}
	reason, cause := classify(err)
	return &Error{doing, reason, cause}
}

// causes lets errors.Is find the cause of a context and the context's own error.
type causes [2]error

func (c causes) Error() string   { return c[0].Error() }
func (c causes) Unwrap() []error { return c[:] }

func classify(err error) (reason string, cause error) {
	var (
		server  redis.Error
		dns     *net.DNSError
		network net.Error
	)
	switch {
	case errors.Is(err, redis.ErrPoolTimeout):
		return "pool", errTimeout
	case errors.Is(err, redis.ErrClosed):
		return "closed", nil
	case errors.Is(err, errReply):
		return "reply", nil
	case errors.Is(err, errVersion):
		return "version", nil
	case errors.As(err, &server):
		return serverWord(server.Error()), nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout", errTimeout
	case errors.As(err, &network) && network.Timeout():
		return "timeout", errTimeout
	case errors.As(err, &dns):
		return "dns", nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused", nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset", nil
	case strings.Contains(err.Error(), "tls: "), strings.Contains(err.Error(), "x509: "):
		return "tls", nil
	case errors.As(err, &network):
		return "network", nil
	}
	return "unknown", nil
}

// serverWord is the first word of an error reply, which Redis keeps stable. A
// script of Redis 6.2 hides the word of the command that failed in its text.
func serverWord(text string) string {
	word, rest, _ := strings.Cut(text, " ")
	if word == "ERR" {
		if strings.HasPrefix(rest, "max number of clients") {
			return "maxclients"
		}
		if _, inner, found := strings.Cut(rest, ": -"); found {
			word, _, _ = strings.Cut(inner, " ")
		}
	}
	capital := func(c rune) bool { return c >= 'A' && c <= 'Z' }
	if word == "" || len(word) > 20 || strings.TrimFunc(word, capital) != "" {
		return "unknown"
	}
	return strings.ToLower(word)
}
