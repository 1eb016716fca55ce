package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Lookup finds the SRV records of _service._proto.name, in any order. That there
// are none it says by a *net.DNSError with IsNotFound, or by an empty list.
type Lookup func(ctx context.Context, service, proto, name string) ([]*net.SRV, error)

// System is the Lookup of the system's resolver.
func System(ctx context.Context, service, proto, name string) ([]*net.SRV, error) {
	_, records, err := net.DefaultResolver.LookupSRV(ctx, service, proto, name)
	// Records that are not host names were left out, and are no reason to do
	// without the rest.
	if len(records) > 0 {
		return records, nil
	}
	return nil, err
}

// ErrNoService: the domain says that it has no SIP service over this transport
// (RFC 2782, a target of ".").
var ErrNoService = errors.New("the SRV record says that there is no SIP service")

const (
	// The resolver does not tell how long its answer is valid.
	cacheFor = 30 * time.Second
	// retryAfter keeps a broken name server from being asked for every call.
	retryAfter = 5 * time.Second
	// staleFor is how long the last answer serves while nobody gives a new one.
	staleFor = time.Hour
	// maxRecords bounds what a name server makes us try.
	maxRecords = 32
)

// records is when an entry was looked up, and shall be. Guarded by Set.mu.
type records struct {
	due    time.Time
	answer time.Time // of the last answer; zero: there was none
}

// Resolve looks up the SRV records of the targets that are due: call it at the
// start and before Order, or at intervals. Only one caller asks for each name;
// the others go on with what is known. An address that stays keeps its health.
//
// An error says which names were not found just now. The set can be used all the
// same, with the last answer for an hour, then with the name itself, as for a
// name without records (RFC 3263 section 4.2).
func (s *Set) Resolve(ctx context.Context, now time.Time) error {
	var problems []error
	for _, e := range s.entries {
		if !e.target.SRV || !s.begin(e, now) {
			continue
		}
		service, proto := e.uri.service()
		found, err := s.lookup(ctx, service, proto, e.uri.host)
		if err := s.take(e, found, err, now); err != nil {
			problems = append(problems, fmt.Errorf("_%s._%s.%s: %w", service, proto, e.uri.host, err))
		}
	}
	return errors.Join(problems...)
}

// begin reports whether the caller is to look up e.
func (s *Set) begin(e *entry, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(e.due) {
		return false
	}
	e.due = now.Add(retryAfter)
	return true
}

// take puts an answer in force.
func (s *Set) take(e *entry, found []*net.SRV, err error, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	absent, isDNS := errors.AsType[*net.DNSError](err)
	switch none := err == nil || isDNS && absent.IsNotFound; {
	case !none:
		if e.answer.IsZero() || now.Sub(e.answer) > staleFor {
			e.hops = []*Hop{s.hop(e, "", 0, 0)}
		}
		return err
	case len(found) == 1 && found[0].Target == ".":
		e.hops, err = nil, ErrNoService
	default:
		e.hops, err = s.hopsOf(e, found), nil
	}
	e.due, e.answer = now.Add(cacheFor), now
	return err
}

var recordForm = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?$`)

// hopsOf is the usable records, or the name itself if there is none.
func (s *Set) hopsOf(e *entry, found []*net.SRV) []*Hop {
	var hops []*Hop
	for _, r := range slices.SortedStableFunc(slices.Values(found), func(a, b *net.SRV) int { return int(a.Priority) - int(b.Priority) }) {
		host := strings.TrimSuffix(r.Target, ".")
		if !recordForm.MatchString(host) || r.Port == 0 || len(hops) == maxRecords {
			continue
		}
		dest := net.JoinHostPort(host, strconv.Itoa(int(r.Port)))
		if slices.ContainsFunc(hops, func(h *Hop) bool { return h.Dest == dest }) {
			continue
		}
		hops = append(hops, s.hop(e, dest, int(r.Priority), int(r.Weight)))
	}
	if len(hops) == 0 {
		return []*Hop{s.hop(e, "", 0, 0)}
	}
	return hops
}

// hop is the address of e at dest, with the health that it has already.
func (s *Set) hop(e *entry, dest string, priority, weight int) *Hop {
	i := slices.IndexFunc(e.hops, func(h *Hop) bool { return h.Dest == dest })
	if i < 0 {
		return &Hop{Target: e.target, Dest: dest, set: s, uri: e.uri.at(dest), priority: priority, weight: weight}
	}
	h := e.hops[i]
	h.priority, h.weight = priority, weight
	return h
}
