package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"consentgw/consent"
	"consentgw/internal/stored"
)

// script is the compare-and-set. KEYS[1] is the record. ARGV: epoch, writer,
// index mark, "1" if the record has ended, "1" if its index entries have been
// written, "put" or "replace", then for a replace the epoch and the writer that
// were seen (else empty), then the fields. An epoch is compared as text, since
// a number of Lua loses digits above 2^53. pcall hands an error of the server
// on unchanged in every version of it.
const script = `
local epoch, writer, mark, ended, indexed, mode, seen_epoch, seen_writer = unpack(ARGV, 1, 8)
local held = redis.call('HMGET', KEYS[1], 'epoch', 'writer', 'index', 'ended', 'json')
local held_epoch, held_writer = held[1], held[2]
if mode == 'put' then
  if held_epoch then
    if held_writer ~= writer then return 'conflict' end
    if #held_epoch > #epoch or (#held_epoch == #epoch and held_epoch > epoch) then return 'stale' end
  end
else
  if held_epoch == epoch and held_writer == writer and held[5] == ARGV[10] then return 'stored' end
  if held_epoch ~= seen_epoch or held_writer ~= seen_writer then return 'conflict' end
end
if indexed ~= '1' and (held[3] ~= mark or (held[4] == '1' and ended ~= '1')) then return 'index' end
local done = redis.pcall('HSET', KEYS[1], unpack(ARGV, 9))
if type(done) == 'table' and done.err then return done end
return 'stored'
`

// The answers of the script.
const (
	replyStored   = "stored"
	replyStale    = "stale"
	replyConflict = "conflict"
	replyIndex    = "index" // nothing was written: the index entries come first
)

// write is one version on its way to Redis. It holds nothing of the caller's.
type write struct {
	id     consent.RecordID
	at     int64 // of the INVITE, Unix milliseconds
	calls  []string
	number string
	node   string
	first  bool // the first epoch: certainly not indexed yet
	ended  bool
	mode   string
	epoch  string
	writer string
	mark   string
	seen   [2]string // epoch and writer; empty unless mode is "replace"
	fields []any
}

func newWrite(r *consent.Record, text []byte) write {
	return write{id: r.ID, at: r.Call.InvitedAt.UnixMilli(), calls: stored.CallIDs(r), number: r.Subject, node: r.Node,
		first: r.Epoch <= 1, ended: r.Ended(), mode: "put", epoch: strconv.FormatUint(r.Epoch, 10), writer: r.Writer,
		mark: indexMark(r), fields: fields(r, text)}
}

func (w write) over(seen *consent.Record) write {
	w.mode, w.first = "replace", false
	w.seen = [2]string{strconv.FormatUint(seen.Epoch, 10), seen.Writer}
	return w
}

// fields are what a platform may read without knowing the JSON. The script
// expects the JSON first.
func fields(r *consent.Record, text []byte) []any {
	method := ""
	if r.Press != nil {
		method = r.Press.Method
	}
	return []any{
		"json", text,
		"epoch", strconv.FormatUint(r.Epoch, 10),
		"writer", r.Writer,
		"index", indexMark(r),
		"status", string(r.Status),
		"outcome", string(r.Outcome),
		"recording", string(r.Recording()),
		"call_id", r.Call.TrunkCallID,
		"platform_call_id", r.Call.PlatformCallID,
		"notice_id", r.Notice.ID,
		"notice_version", r.Notice.Version,
		"language", r.Notice.Language,
		"method", method,
		"decided_at", stamp(r.DecidedAt),
		"updated_at", stamp(r.UpdatedAt),
		"ended", flag(r.Ended()),
	}
}

func flag(set bool) string {
	if set {
		return "1"
	}
	return "0"
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// save stores w. It takes two round trips for a first version, one for those
// that follow, and one more for the version that ends the call.
func (s *Store) save(ctx context.Context, doing string, w write) error {
	reply, err := run(ctx, s, doing, s.timeout, func(ctx context.Context) (string, error) { return s.store(ctx, w) })
	switch {
	case err != nil:
		return err
	case reply == replyStored:
		s.close(ctx, w)
		return nil
	case reply == replyStale:
		return fmt.Errorf("%s: %w", doing, consent.ErrStale)
	case reply == replyConflict:
		return fmt.Errorf("%s: %w", doing, consent.ErrConflict)
	}
	return failure(ctx, doing, errReply)
}

// close takes w off the list of the unfinished if it has an end. The record is
// stored by now, so a failure is none of the write: it leaves an entry that
// Unfinished skips and takes away later.
func (s *Store) close(ctx context.Context, w write) {
	if w.ended {
		_, _ = run(ctx, s, "close record", s.timeout, func(ctx context.Context) (int64, error) {
			return 0, s.client.Process(ctx, once(ctx, "zrem", s.keys.open(w.node), string(w.id)))
		})
	}
}

// store writes the index entries, if needed, and then the record: a crash in
// between leaves entries that lead nowhere, never a record that nobody finds.
func (s *Store) store(ctx context.Context, w write) (string, error) {
	if !w.first {
		reply, err := s.execute(ctx, w, false)
		if err != nil || reply != replyIndex {
			return reply, err
		}
	}
	if err := s.index(ctx, w); err != nil {
		return "", err
	}
	return s.execute(ctx, w, true)
}

// index writes the entries of w, which are the same however often it is done.
func (s *Store) index(ctx context.Context, w write) error {
	pipe := s.client.Pipeline()
	add := func(key string, score int64, member string) error {
		return pipe.Process(ctx, once(ctx, "zadd", key, score, member))
	}
	day := dayOf(w.at)
	add(s.keys.days(), day, dayName(day))
	add(s.keys.day(dayName(day)), w.at, string(w.id))
	for _, call := range w.calls {
		add(s.keys.call(call), w.at, string(w.id))
	}
	if w.number != "" {
		add(s.keys.subject(w.number), w.at, string(w.id))
	}
	if !w.ended {
		add(s.keys.open(w.node), w.at, string(w.id))
	}
	_, err := pipe.Exec(ctx)
	return err
}

// execute runs the script. If the server does not know it, it ran nothing, and
// is given the text to run and to keep.
func (s *Store) execute(ctx context.Context, w write, indexed bool) (string, error) {
	args := []any{"1", s.keys.record(w.id), w.epoch, w.writer, w.mark, flag(w.ended), flag(indexed),
		w.mode, w.seen[0], w.seen[1]}
	args = append(args, w.fields...)
	cmd := once(ctx, append([]any{"evalsha", s.sha}, args...)...)
	err := s.client.Process(ctx, cmd)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		cmd = once(ctx, append([]any{"eval", script}, args...)...)
		err = s.client.Process(ctx, cmd)
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", err
	}
	reply, ok := cmd.Val().(string)
	if !ok {
		return "", errReply
	}
	return reply, nil
}

// onceCmd is a command that the library sends once: without this its cluster
// client sends a command again whose reply got lost, whatever MaxRetries says.
type onceCmd struct{ *redis.Cmd }

// NoRetry implements [redis.Cmder].
func (onceCmd) NoRetry() bool { return true }

func once(ctx context.Context, args ...any) onceCmd { return onceCmd{redis.NewCmd(ctx, args...)} }
