package limit

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// number is the n-th of many addresses of 10.0.0.0/8 and on.
func number(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 10<<24+n)
	return netip.AddrFrom4(b)
}

func TestASourceIsAdmittedThenRefusedThenIgnored(t *testing.T) {
	s := NewSources(SourcesConfig{PerSecond: 2, DropAfter: 3, Window: 10 * time.Second})
	from := addr("192.0.2.1")
	want := []Verdict{Admit, Admit, Refuse, Refuse, Refuse, Ignore, Ignore}
	for i, w := range want {
		assert.Equal(t, w, s.Admit(from, noon()), "request %d", i)
	}
	assert.Equal(t, Admit, s.Admit(addr("192.0.2.2"), noon()), "another source is not concerned")
	assert.Equal(t, Ignore, s.Refused(from, noon()), "a refusal for another reason is none more")
	assert.Equal(t, Admit, s.Admit(from, noon().Add(time.Second)), "its calls are admitted again at their rate")
	late := noon().Add(10 * time.Second)
	for range 2 {
		s.Admit(from, late)
	}
	assert.Equal(t, Refuse, s.Admit(from, late), "and refusals are answered again in the next window")
}

func TestAnUnknownSenderIsAnsweredSomeTimesInAWindow(t *testing.T) {
	s := NewSources(SourcesConfig{DropAfter: 5})
	from := addr("192.0.2.1")
	answered := 0
	for i := range 1000 { // ten a second: ten windows of ten seconds
		if s.Refused(from, noon().Add(time.Duration(i)*100*time.Millisecond)) == Refuse {
			answered++
		}
	}
	assert.Equal(t, 50, answered)
	assert.Equal(t, Refuse, s.Refused(from, noon().Add(-time.Hour)), "a clock that goes back begins a window")
}

func TestWithoutLimitsEverythingIsAdmittedAndEveryRefusalAnswered(t *testing.T) {
	s := NewSources(SourcesConfig{PerSecond: -1})
	for range 100 {
		assert.Equal(t, Admit, s.Admit(addr("192.0.2.1"), noon()))
		assert.Equal(t, Refuse, s.Refused(addr("192.0.2.1"), noon()))
	}
	s = NewSources(SourcesConfig{PerSecond: 1})
	assert.Equal(t, Admit, s.Admit(addr("192.0.2.1"), noon()))
	for range 100 {
		assert.Equal(t, Refuse, s.Admit(addr("192.0.2.1"), noon()), "never silent without drop_after")
	}
}

func TestASourceIsItsIPv4AddressOrItsNetworkOfIPv6(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"an address", "192.0.2.1", "192.0.2.1", true},
		{"its mapped form", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"the next address", "192.0.2.1", "192.0.2.2", false},
		{"a host of the same /64", "2001:db8::1", "2001:db8::2:3:4:5", true},
		{"the next /64", "2001:db8::1", "2001:db8:0:1::1", false},
		{"a zone", "fe80::1", "fe80::1%eth0", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewSources(SourcesConfig{DropAfter: 1})
			assert.Equal(t, Refuse, s.Refused(addr(c.a), noon()))
			want := Refuse
			if c.same {
				want = Ignore
			}
			assert.Equal(t, want, s.Refused(addr(c.b), noon()))
		})
	}
	assert.Equal(t, Refuse, NewSources(SourcesConfig{DropAfter: 1}).Refused(netip.Addr{}, noon()), "no address is one as well")
}

func TestThreeMillionSourcesTakeNoMemoryAndNobodysCalls(t *testing.T) {
	s := NewSources(SourcesConfig{PerSecond: 5, DropAfter: 10})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	at := noon()
	customer, admitted := addr("198.51.100.7"), 0
	for i := range uint32(3_000_000) {
		at = at.Add(10 * time.Microsecond) // 100,000 a second, for half a minute
		s.Refused(number(i), at)
		if i%100_000 == 0 && s.Admit(customer, at) == Admit {
			admitted++
		}
	}
	runtime.ReadMemStats(&after)
	assert.Equal(t, 30, admitted, "one call a second while the flood goes on")
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "nothing is allocated by the way")
	assert.Less(t, unsafe.Sizeof(*s), uintptr(2<<20))
}

func TestBeingForgottenIsNeverToASourcesDisadvantage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewSources(SourcesConfig{PerSecond: 2, DropAfter: 1000})
		alone := NewSources(SourcesConfig{PerSecond: 2, DropAfter: 1000})
		at := noon()
		for i, step := range rapid.SliceOfN(rapid.IntRange(0, 400), 1, 20).Draw(t, "steps") {
			at = at.Add(time.Duration(step) * time.Millisecond)
			for n := range uint32(500) {
				s.Refused(number(uint32(i)*500+n), at)
			}
			mine, without := s.Admit(addr("192.0.2.1"), at), alone.Admit(addr("192.0.2.1"), at)
			if without == Admit {
				assert.Equal(t, Admit, mine)
			}
		}
	})
}

func TestSourcesAreSharedByManySockets(t *testing.T) {
	s := NewSources(SourcesConfig{PerSecond: 3, DropAfter: 4})
	counts := make([][3]int, 8)
	var all sync.WaitGroup
	for i := range counts {
		all.Go(func() {
			for range 100 {
				counts[i][s.Admit(addr("192.0.2.1"), noon())]++
			}
		})
	}
	all.Wait()
	var sum [3]int
	for _, c := range counts {
		for v := range sum {
			sum[v] += c[v]
		}
	}
	assert.Equal(t, [3]int{3, 4, 793}, sum)
}

func TestVerdictsHaveWords(t *testing.T) {
	assert.Equal(t, "admit refuse ignore", Admit.String()+" "+Refuse.String()+" "+Ignore.String())
}
