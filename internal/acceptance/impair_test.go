package acceptance

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An impairer stands between two parties that speak SIP over UDP and loses,
// repeats and swaps some of what it carries, both ways, and may keep a word of
// theirs from them. Each party knows it
// under the other's name: in every message the addresses of the one side are
// put for those of the other, so that Contacts lead through it as well. Which
// message of a direction suffers is the same in every run.
type impairer struct {
	near, far link
	hides     string // a word that neither is to see of the other; empty: none
	loops     sync.WaitGroup

	carried, lost, repeated, swapped atomic.Int64
}

// link is one side of an impairer.
type link struct {
	conn *net.UDPConn
	peer netip.AddrPort // the party of this side
}

func (l link) addr() string { return l.conn.LocalAddr().String() }

// impair stands between the party at near and the one at far, on the address of
// at, which both are to take for the other. Of a thousand messages of each
// direction permille suffer each fate.
func impair(t *testing.T, at, near, far string, permille int, seed uint64) *impairer {
	t.Helper()
	i := between(t, at, near, far)
	i.run(t, permille, seed)
	return i
}

// hide stands there to keep a word from both, and does nothing else.
func hide(t *testing.T, at, near, far, word string) *impairer {
	t.Helper()
	i := between(t, at, near, far)
	i.hides = word
	i.run(t, 0, 0)
	return i
}

// between is an impairer that does not run yet.
func between(t *testing.T, at, near, far string) *impairer {
	t.Helper()
	open := func(addr, peer string) link {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
		require.NoError(t, err)
		require.NoError(t, conn.SetReadBuffer(4<<20))
		require.Len(t, conn.LocalAddr().String(), len(peer), "an address of another length would make Content-Length wrong")
		return link{conn, netip.MustParseAddrPort(peer)}
	}
	host, _, err := net.SplitHostPort(at)
	require.NoError(t, err)
	return &impairer{near: open(at, near), far: open(net.JoinHostPort(host, "0"), far)}
}

func (i *impairer) run(t *testing.T, permille int, seed uint64) {
	i.loops.Go(func() { i.carry(i.near, i.far, permille, rand.New(rand.NewPCG(seed, 1))) })
	i.loops.Go(func() { i.carry(i.far, i.near, permille, rand.New(rand.NewPCG(seed, 2))) })
	t.Cleanup(func() {
		i.near.conn.Close()
		i.far.conn.Close()
		i.loops.Wait()
	})
}

// carry takes what comes in at from, and sends it on at to.
func (i *impairer) carry(from, to link, permille int, dice *rand.Rand) {
	names := func(b []byte) []byte {
		// The receiver must see the impairer in the place of the sender, and
		// itself in the place of the impairer.
		b = bytes.ReplaceAll(b, []byte(from.peer.String()), []byte(to.addr()))
		if i.hides != "" { // another word of the same length
			b = bytes.ReplaceAll(b, []byte(i.hides), bytes.Repeat([]byte("x"), len(i.hides)))
		}
		return bytes.ReplaceAll(b, []byte(from.addr()), []byte(to.peer.String()))
	}
	send := func(b []byte) { to.conn.WriteToUDPAddrPort(b, to.peer) } // one more that is lost, if it fails
	var held []byte                                                   // is sent after the next one, or when there is none for a while
	buf := make([]byte, 1<<16)
	for {
		deadline := time.Time{}
		if held != nil {
			deadline = time.Now().Add(100 * time.Millisecond)
		}
		from.conn.SetReadDeadline(deadline)
		n, _, err := from.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			send(held)
			held = nil
			continue
		}
		if err != nil {
			continue // an ICMP message about what was sent before
		}
		i.carried.Add(1)
		message := names(bytes.Clone(buf[:n]))
		switch fate := dice.IntN(1000); {
		case fate < permille:
			i.lost.Add(1)
			continue
		case fate < 2*permille:
			i.repeated.Add(1)
			send(message)
			send(message)
		case fate < 3*permille && held == nil:
			i.swapped.Add(1)
			held = message
			continue
		default:
			send(message)
		}
		if held != nil {
			send(held)
			held = nil
		}
	}
}

func (i *impairer) String() string {
	return fmt.Sprintf("%d messages, %d lost, %d twice, %d swapped", i.carried.Load(), i.lost.Load(), i.repeated.Load(), i.swapped.Load())
}
