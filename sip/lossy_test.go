package sip

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lossy is a socket that loses, repeats and swaps some of what it receives.
type lossy struct {
	net.PacketConn
	mu   sync.Mutex
	dice *rand.Rand
	next []packet // delivered before anything is read
	held *packet  // delivered after the next one
	lost int
}

type packet struct {
	data []byte
	from net.Addr
}

func (l *lossy) ReadFrom(p []byte) (int, net.Addr, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if len(l.next) > 0 {
			n := copy(p, l.next[0].data)
			from := l.next[0].from
			l.next = l.next[1:]
			return n, from, nil
		}
		n, from, err := l.PacketConn.ReadFrom(p)
		if err != nil {
			return 0, nil, err
		}
		this := packet{append([]byte(nil), p[:n]...), from}
		switch roll := l.dice.IntN(100); {
		case roll < 20:
			l.lost++
		case roll < 30:
			l.next = append(l.next, this, this)
		case roll < 40 && l.held == nil:
			l.held = &this
			continue
		default:
			l.next = append(l.next, this)
		}
		if l.held != nil {
			l.next = append(l.next, *l.held)
			l.held = nil
		}
	}
}

func TestCallsCompleteOverALossyNetwork(t *testing.T) {
	const calls = 10
	slow := func(c *Config) { c.Listen, c.T1 = []string{"udp:127.0.0.1:0"}, defaultT1 }
	networks := map[uint64]*lossy{}
	impair := func(ep *Endpoint, seed uint64) {
		networks[seed] = &lossy{PacketConn: ep.sockets[0].packets, dice: rand.New(rand.NewPCG(seed, seed))}
		ep.sockets[0].packets = networks[seed]
	}
	keys := make(chan string, 2*calls)
	h, legs, errs := answering(InDialog{Info: func(_ string, body []byte) int { keys <- string(body); return 200 }})
	b := startWith(t, h, func(ep *Endpoint) { impair(ep, 1) }, slow)
	a := startWith(t, Handler{}, func(ep *Endpoint) { impair(ep, 2) }, slow)
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() {
			leg, err := a.Dial(t.Context(), Invite{Target: "sip:" + b.udp().String(), Called: "x", Offer: []byte(testOffer), FirstResponse: time.Minute})
			if !assert.NoError(t, err) {
				return
			}
			code, err := leg.Info(t.Context(), "application/dtmf", []byte("1"))
			assert.NoError(t, err)
			assert.Equal(t, 200, code)
			assert.NoError(t, leg.Bye(t.Context(), ""))
		})
	}
	for range calls {
		select {
		case leg := <-legs:
			<-leg.Context().Done()
		case err := <-errs: // the BYE came before any ACK did
			var bye *ByeError
			require.ErrorAs(t, err, &bye)
		}
	}
	wg.Wait()
	assert.Len(t, keys, calls, "each key once")
	assert.Empty(t, a.registry.allLegs())
	assert.Empty(t, b.registry.allLegs())
	b.shutdown()
	a.shutdown()
	for _, n := range networks {
		assert.Positive(t, n.lost, "the network was too good")
	}
}
