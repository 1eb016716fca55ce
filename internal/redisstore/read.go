package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"consentgw/consent"
	"consentgw/internal/stored"
)

// Get implements [consent.Store].
func (s *Store) Get(ctx context.Context, id consent.RecordID) (*consent.Record, error) {
	return s.one(ctx, "get record", func(ctx context.Context) (*consent.Record, error) {
		found, err := s.fetch(ctx, []consent.RecordID{id})
		if err != nil {
			return nil, err
		}
		return found[0], nil
	})
}

// Find implements [consent.Store]. A record id is looked for first, so that no
// Call-ID can hide a record.
func (s *Store) Find(ctx context.Context, call string) (*consent.Record, error) {
	return s.one(ctx, "find call", func(ctx context.Context) (*consent.Record, error) {
		found, err := s.fetch(ctx, []consent.RecordID{consent.RecordID(call)})
		if err != nil || found[0] != nil {
			return found[0], err
		}
		return s.newestOf(ctx, stored.Text(call))
	})
}

// one runs a read of one record, of which nil is "not found".
func (s *Store) one(ctx context.Context, doing string, read func(context.Context) (*consent.Record, error)) (*consent.Record, error) {
	found, err := run(ctx, s, doing, s.timeout, read)
	if err == nil && found == nil {
		err = fmt.Errorf("%s: %w", doing, consent.ErrNotFound)
	}
	return found, err
}

// newestOf walks the records of a Call-ID, newest first, past entries that lead
// nowhere, and returns the first that has it on a leg.
func (s *Store) newestOf(ctx context.Context, call string) (*consent.Record, error) {
	const step, most = 16, 512
	for offset := int64(0); offset < most; offset += step {
		members, err := s.client.ZRevRange(ctx, s.keys.call(call), offset, offset+step-1).Result()
		if err != nil {
			return nil, err
		}
		found, err := s.fetch(ctx, recordIDs(members))
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			if r != nil && stored.HasCallID(r, call) {
				return r, nil
			}
		}
		if len(members) < step {
			break
		}
	}
	return nil, nil
}

// fetch reads records in one pipeline; one that is not there is nil.
func (s *Store) fetch(ctx context.Context, ids []consent.RecordID) ([]*consent.Record, error) {
	records, replies := make([]*consent.Record, len(ids)), make([]*redis.StringCmd, len(ids))
	pipe := s.client.Pipeline()
	for i, id := range ids {
		if stored.ValidID(id) {
			replies[i] = pipe.HGet(ctx, s.keys.record(id), "json")
		}
	}
	if pipe.Len() == 0 {
		return records, nil
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return records, err
	}
	for i, reply := range replies {
		if reply == nil {
			continue
		}
		text, err := reply.Bytes()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err == nil {
			records[i], err = stored.Decode(text)
		}
		if err != nil {
			return records, err
		}
	}
	return records, nil
}

func recordIDs(members []string) []consent.RecordID {
	ids := make([]consent.RecordID, len(members))
	for i, member := range members {
		ids[i] = consent.RecordID(member)
	}
	return ids
}

// Unfinished implements [consent.Store], oldest first. Entries whose record has
// an end are left over from a write that was cut off, and are taken away.
func (s *Store) Unfinished(ctx context.Context, node string) ([]consent.RecordID, error) {
	const step = 256
	var open []consent.RecordID
	for offset := int64(0); ; offset += step {
		members, err := run(ctx, s, "list unfinished records", s.timeout, func(ctx context.Context) ([]string, error) {
			return s.client.ZRange(ctx, s.keys.open(node), offset, offset+step-1).Result()
		})
		if err != nil {
			return nil, err
		}
		page, err := run(ctx, s, "list unfinished records", s.timeout, func(ctx context.Context) (unfinished, error) {
			return s.stillOpen(ctx, node, recordIDs(members))
		})
		if err != nil {
			return nil, err
		}
		open = append(open, page.open...)
		s.forget(ctx, node, page.ended)
		offset -= int64(len(page.ended))
		if len(members) < step {
			return open, nil
		}
	}
}

type unfinished struct{ open, ended []consent.RecordID }

// stillOpen sorts the candidates by what their records say. One without a
// record is neither: it may be about to be written.
func (s *Store) stillOpen(ctx context.Context, node string, ids []consent.RecordID) (unfinished, error) {
	found, err := s.fetch(ctx, ids)
	if err != nil {
		return unfinished{}, err
	}
	var u unfinished
	for _, r := range found {
		switch {
		case r == nil || r.Node != stored.Text(node):
		case r.Ended():
			u.ended = append(u.ended, r.ID)
		default:
			u.open = append(u.open, r.ID)
		}
	}
	return u, nil
}

func (s *Store) forget(ctx context.Context, node string, ids []consent.RecordID) {
	if len(ids) == 0 {
		return
	}
	args := []any{"zrem", s.keys.open(node)}
	for _, id := range ids {
		args = append(args, string(id))
	}
	// Best effort: what stays is skipped again by the next reader.
	_, _ = run(ctx, s, "list unfinished records", s.timeout, func(ctx context.Context) (int64, error) {
		return 0, s.client.Process(ctx, once(ctx, args...))
	})
}

// Ping implements [consent.Store]: it writes a key, since a server may answer
// and yet take no write (a replica, a full one, one that cannot save). The
// version of the server is looked at until it was good once.
func (s *Store) Ping(ctx context.Context) error {
	_, err := run(ctx, s, "ping", s.timeout, func(ctx context.Context) (string, error) {
		if !s.checked.Load() {
			if err := s.checkVersion(ctx); err != nil {
				return "", err
			}
			s.checked.Store(true)
		}
		cmd := once(ctx, "set", s.keys.ping(), "1", "ex", "60")
		return "", s.client.Process(ctx, cmd)
	})
	return err
}

// checkVersion demands Redis 6.2. A server that does not let its user ask, or
// does not say, is taken at its word that it can do the rest.
func (s *Store) checkVersion(ctx context.Context) error {
	info, err := s.client.Info(ctx, "server").Result()
	if redis.HasErrorPrefix(err, "NOPERM") {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(info) {
		if version, ok := strings.CutPrefix(strings.TrimSpace(line), "redis_version:"); ok && olderThan62(version) {
			return errVersion
		}
	}
	return nil
}

func olderThan62(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	x, err := strconv.Atoi(major)
	y, err2 := strconv.Atoi(minor)
	return err == nil && err2 == nil && (x < 6 || x == 6 && y < 2)
}
