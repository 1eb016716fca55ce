package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"consentgw/internal/config"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// zone is a name server: what it knows, what it was asked, and whether it is
// broken.
type zone struct {
	mu      sync.Mutex
	records map[string][]*net.SRV
	asked   []string
	broken  error
}

func (z *zone) lookup(ctx context.Context, service, proto, name string) ([]*net.SRV, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	question := fmt.Sprintf("_%s._%s.%s", service, proto, name)
	z.asked = append(z.asked, question)
	switch records, ok := z.records[question]; {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case z.broken != nil:
		return nil, z.broken
	case !ok:
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	default:
		return records, nil
	}
}

// srv reads "priority weight port host".
func srv(t require.TestingT, lines ...string) []*net.SRV {
	var all []*net.SRV
	for _, line := range lines {
		r := &net.SRV{}
		_, err := fmt.Sscanf(line, "%d %d %d %s", &r.Priority, &r.Weight, &r.Port, &r.Target)
		require.NoError(t, err)
		all = append(all, r)
	}
	return all
}

const question = "_sip._udp.center.example"

// center is a set of one target that is looked up in z.
func center(z *zone) *Set {
	return New(config.Destination{Targets: []config.Target{{URI: "sip:center.example", SRV: true, Priority: 1, Weight: 1}}}, z.lookup)
}

func uris(s *Set) []string {
	all := []string{}
	for _, h := range s.Hops() {
		all = append(all, h.URI())
	}
	return all
}

func TestATargetIsExpandedIntoItsRecords(t *testing.T) {
	z := &zone{records: map[string][]*net.SRV{question: srv(t, "20 0 5062 c.example.", "10 60 5060 a.example.", "10 40 5061 b.example.")}}
	s := center(z)
	assert.Equal(t, []string{"sip:center.example"}, uris(s), "until it was looked up")
	require.NoError(t, s.Resolve(t.Context(), noon()))
	assert.Equal(t, []string{"sip:a.example:5060", "sip:b.example:5061", "sip:c.example:5062"}, uris(s))
	assert.Equal(t, "a.example:5060", s.Hops()[0].Dest)
	assert.Equal(t, "sip:center.example", s.Hops()[0].Target.URI, "what is called stays the name of the service")

	first := map[string]int{}
	for range 20_000 {
		all := order(s, noon())
		require.Equal(t, "sip:c.example:5062", all[2])
		first[all[0]]++
	}
	assert.InDelta(t, 0.6, float64(first["sip:a.example:5060"])/20_000, 0.02)
}

func TestRecordsStayTogetherWithinTheirTarget(t *testing.T) {
	z := &zone{records: map[string][]*net.SRV{
		"_sip._udp.one.example": srv(t, "1 1 1 a.one.", "2 1 1 b.one."),
		"_sip._udp.two.example": srv(t, "1 1 1 a.two.", "2 1 1 b.two."),
	}}
	s := New(config.Destination{Targets: []config.Target{
		{URI: "sip:one.example", SRV: true, Priority: 1, Weight: 1},
		{URI: "sip:two.example", SRV: true, Priority: 1, Weight: 1},
		{URI: "sip:last.example", Priority: 2, Weight: 1},
	}}, z.lookup)
	require.NoError(t, s.Resolve(t.Context(), noon()))
	seen := map[string]bool{}
	for range 100 {
		seen[strings.Join(order(s, noon()), " ")] = true
	}
	assert.Equal(t, map[string]bool{
		"sip:a.one:1 sip:b.one:1 sip:a.two:1 sip:b.two:1 sip:last.example": true,
		"sip:a.two:1 sip:b.two:1 sip:a.one:1 sip:b.one:1 sip:last.example": true,
	}, seen)
	hop(t, s, "sip:a.one:1").Failed(noon())
	assert.Equal(t, "sip:a.one:1", order(s, noon())[4])
}

func TestWhatIsAskedFollowsTheTransport(t *testing.T) {
	for _, c := range []struct{ uri, transport, question, hop string }{
		{"sip:center.example", "", "_sip._udp.center.example", "sip:a.example:5"},
		{"sip:center.example", "udp", "_sip._udp.center.example", "sip:a.example:5;transport=udp"},
		{"sip:center.example", "tcp", "_sip._tcp.center.example", "sip:a.example:5;transport=tcp"},
		{"sip:center.example", "tls", "_sips._tcp.center.example", "sip:a.example:5;transport=tls"},
		{"sip:center.example;transport=TCP", "", "_sip._tcp.center.example", "sip:a.example:5;transport=TCP"},
		{"sip:center.example;transport=tcp", "tcp", "_sip._tcp.center.example", "sip:a.example:5;transport=tcp"},
		{"sips:center.example", "", "_sips._tcp.center.example", "sips:a.example:5"},
		{"sips:center.example;transport=tcp", "", "_sips._tcp.center.example", "sips:a.example:5;transport=tcp"},
		{"SIP:+31205550100;a=b@center.example;user=phone", "", "_sip._udp.center.example", "SIP:+31205550100;a=b@a.example:5;user=phone"},
	} {
		z := &zone{records: map[string][]*net.SRV{c.question: srv(t, "1 1 5 a.example.")}}
		s := New(config.Destination{Targets: []config.Target{{URI: c.uri, Transport: c.transport, SRV: true}}}, z.lookup)
		require.NoError(t, s.Resolve(t.Context(), noon()), c.uri)
		assert.Equal(t, []string{c.question}, z.asked)
		assert.Equal(t, []string{c.hop}, uris(s))
	}
}

func TestATargetThatIsNotLookedUpKeepsItsAddress(t *testing.T) {
	z := &zone{}
	for uri, want := range map[string]string{
		"sip:192.0.2.20:5060":    "sip:192.0.2.20:5060;transport=tcp",
		"sip:[2001:db8::1]":      "sip:[2001:db8::1];transport=tcp",
		"sip:[2001:db8::1]:5070": "sip:[2001:db8::1]:5070;transport=tcp",
		"sip:a@b.example;lr":     "sip:a@b.example;lr;transport=tcp",
	} {
		s := New(config.Destination{Targets: []config.Target{{URI: uri, Transport: "tcp"}}}, z.lookup)
		require.NoError(t, s.Resolve(t.Context(), noon()))
		assert.Equal(t, []string{want}, uris(s))
		assert.Empty(t, s.Hops()[0].Dest)
	}
	assert.Empty(t, z.asked)
}

func TestAnswersAreKeptForAWhile(t *testing.T) {
	z := &zone{records: map[string][]*net.SRV{question: srv(t, "1 1 1 a.example.")}}
	s := center(z)
	for _, step := range []struct {
		after time.Duration
		asked int
	}{{0, 1}, {time.Second, 1}, {cacheFor - 1, 1}, {cacheFor, 2}, {cacheFor + time.Second, 2}, {3 * cacheFor, 3}} {
		require.NoError(t, s.Resolve(t.Context(), noon().Add(step.after)))
		assert.Len(t, z.asked, step.asked, "%v", step.after)
	}
}

func TestAnAddressThatStaysKeepsItsHealth(t *testing.T) {
	z := &zone{records: map[string][]*net.SRV{question: srv(t, "1 1 1 a.example.", "2 1 1 b.example.")}}
	s := center(z)
	require.NoError(t, s.Resolve(t.Context(), noon()))
	kept := hop(t, s, "sip:b.example:1")
	down(kept)
	z.records[question] = srv(t, "1 1 1 b.example.", "2 1 1 c.example.")
	require.NoError(t, s.Resolve(t.Context(), noon().Add(cacheFor)))
	assert.Equal(t, []string{"sip:b.example:1", "sip:c.example:1"}, uris(s))
	assert.Same(t, kept, s.Hops()[0])
	assert.Equal(t, []string{"sip:c.example:1", "sip:b.example:1"}, order(s, noon()))
	kept.Answered(noon())
	assert.Equal(t, []string{"sip:b.example:1", "sip:c.example:1"}, order(s, noon()), "with the priority that it has now")
}

func TestWithoutRecordsTheNameItselfIsTheAddress(t *testing.T) {
	for name, records := range map[string][]*net.SRV{
		"there are none":  nil,
		"an empty answer": {},
		"none of use":     srv(t, "1 1 0 a.example.", "1 1 1 a_b/c.", "1 1 1 -a.example."),
	} {
		t.Run(name, func(t *testing.T) {
			z := &zone{records: map[string][]*net.SRV{}}
			if records != nil {
				z.records[question] = records
			}
			s := center(z)
			was := s.Hops()[0]
			require.NoError(t, s.Resolve(t.Context(), noon()))
			assert.Equal(t, []string{"sip:center.example"}, uris(s))
			assert.Same(t, was, s.Hops()[0])
			require.NoError(t, s.Resolve(t.Context(), noon().Add(time.Second)))
			assert.Len(t, z.asked, 1, "that there are none is an answer, too")
		})
	}
}

func TestADomainMaySayThatItHasNoService(t *testing.T) {
	z := &zone{records: map[string][]*net.SRV{question: srv(t, "0 0 0 .")}}
	s := center(z)
	err := s.Resolve(t.Context(), noon())
	require.ErrorIs(t, err, ErrNoService)
	assert.EqualError(t, err, question+": "+ErrNoService.Error())
	assert.Empty(t, s.Order(noon()))
	assert.True(t, s.AllDown())
	z.records[question] = srv(t, "1 1 1 a.example.")
	require.NoError(t, s.Resolve(t.Context(), noon().Add(cacheFor)))
	assert.Equal(t, []string{"sip:a.example:1"}, uris(s))
}

func TestABrokenNameServerLeavesTheLastAnswerForAnHour(t *testing.T) {
	z := &zone{records: map[string][]*net.SRV{question: srv(t, "1 1 1 a.example.")}, broken: errors.New("server misbehaving")}
	s := center(z)
	err := s.Resolve(t.Context(), noon())
	assert.EqualError(t, err, question+": server misbehaving")
	assert.Equal(t, []string{"sip:center.example"}, uris(s), "without any answer, the name")
	require.NoError(t, s.Resolve(t.Context(), noon().Add(retryAfter-1)))
	assert.Len(t, z.asked, 1, "it is not asked for every call")

	z.broken = nil
	require.NoError(t, s.Resolve(t.Context(), noon().Add(retryAfter)))
	answered := noon().Add(retryAfter)
	z.broken = &net.DNSError{Err: "timeout", IsTimeout: true}
	require.Error(t, s.Resolve(t.Context(), answered.Add(staleFor)))
	assert.Equal(t, []string{"sip:a.example:1"}, uris(s))
	require.Error(t, s.Resolve(t.Context(), answered.Add(staleFor+retryAfter)))
	assert.Equal(t, []string{"sip:center.example"}, uris(s))
}

func TestOneNameThatIsNotFoundHindersNoOther(t *testing.T) {
	z := &zone{records: map[string][]*net.SRV{"_sip._udp.b.example": srv(t, "1 1 1 x.b.example.")}}
	ctx, cancel := context.WithCancel(t.Context())
	s := New(config.Destination{Targets: []config.Target{{URI: "sip:a.example", SRV: true}, {URI: "sip:b.example", SRV: true}}},
		func(ctx context.Context, service, proto, name string) ([]*net.SRV, error) {
			if name == "a.example" {
				return nil, errors.New("refused")
			}
			return z.lookup(ctx, service, proto, name)
		})
	assert.EqualError(t, s.Resolve(ctx, noon()), "_sip._udp.a.example: refused")
	assert.Equal(t, []string{"sip:a.example", "sip:x.b.example:1"}, uris(s))
	cancel()
	assert.ErrorIs(t, s.Resolve(ctx, noon().Add(time.Hour)), context.Canceled)
}

func TestAnAnswerIsBoundedAndWithoutDoubles(t *testing.T) {
	var records []*net.SRV
	for i := range 100 {
		records = append(records, srv(t, fmt.Sprintf("1 1 %d a.example.", i/2+1))...)
	}
	z := &zone{records: map[string][]*net.SRV{question: records}}
	s := center(z)
	require.NoError(t, s.Resolve(t.Context(), noon()))
	assert.Len(t, s.Hops(), maxRecords)
	seen := map[string]bool{}
	for _, u := range uris(s) {
		assert.False(t, seen[u], u)
		seen[u] = true
	}
}

func TestOnlyOneCallAsksForAName(t *testing.T) {
	z := &zone{records: map[string][]*net.SRV{question: srv(t, "1 1 1 a.example.")}}
	s := center(z)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			assert.NoError(t, s.Resolve(t.Context(), noon()))
			assert.NotEmpty(t, s.Order(noon()))
		})
	}
	all.Wait()
	assert.Len(t, z.asked, 1)
}

func FuzzURI(f *testing.F) {
	f.Add("sip:center.example", "tcp", "a.example:5060")
	f.Add("sips:u;p=q@[2001:db8::1]:5061;lr;transport=tcp", "", "")
	f.Add("", "tls", "x")
	f.Add("sip:;@;:", "udp", "")
	f.Fuzz(func(t *testing.T, text, transport, dest string) {
		u := splitURI(config.Target{URI: text, Transport: transport})
		if transport == "" && strings.Contains(text, ":") {
			assert.Equal(t, text, u.String(), "what is cut is put together again")
		}
		assert.Contains(t, u.at(dest), dest)
		service, proto := u.service()
		assert.Contains(t, []string{"sip udp", "sip tcp", "sips tcp"}, service+" "+proto)
	})
}
