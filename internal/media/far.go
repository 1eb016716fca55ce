package media

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrUnusableFar: packets must not or cannot be sent to that address.
var ErrUnusableFar = errors.New("address cannot be used for media")

// Far is what was agreed with the far end about one stream. It is swapped
// whole.
type Far struct {
	Codec       Codec
	PayloadType uint8 // of Codec, as the far end wants to receive it
	// LocalPT is what the far end uses toward us; 0: the same.
	LocalPT uint8
	// Send and Receive are what we may send and shall expect.
	Send, Receive bool
	Mux           bool // see RTCP
	EventPT       int  // of telephone-event (RFC 4733) toward the far end; -1 or 0: none
	LocalEventPT  int  // and toward us; 0: the same
	EventRate     int  // its clock rate in Hz; 0 means 8000
	// Seal and Open encrypt what is sent and decrypt what comes; both or neither.
	// The same ones stay in force as long as their keys do.
	Seal *Sealer
	Open *Opener
	// Addr is the address of its SDP. Port 0 or an unspecified address (hold by
	// RFC 2543): nothing is sent anywhere. No address but a port (a host name):
	// it is learned from Signalled.
	Addr netip.AddrPort
	// RTCP is where it hears reports (a=rtcp, RFC 3605, else the port above). With
	// Mux both ends use the RTP port instead (RFC 5761).
	RTCP netip.AddrPort
	// Signalled is where its signalling comes from: a telephone behind a NAT
	// sends from there. The zero address: not known.
	Signalled netip.Addr
	// Round counts what was agreed so far: each round lets the source be learned
	// anew, because a NAT may have moved it.
	Round uint
}

// UsableFar says why packets must not be sent to addr from the local address
// bound, or nil. It refuses what is not one host (multicast, broadcast,
// unspecified), what depends on the interface (link-local), port 0, another
// address family, and a loopback address unless we are bound to one ourselves.
// Whether it is a socket of ours, [Ports.Holds] tells.
func UsableFar(addr netip.AddrPort, bound netip.Addr) error {
	ip, bound := addr.Addr().Unmap(), bound.Unmap()
	reason := ""
	switch {
	case !ip.IsValid():
		reason = "no address"
	case addr.Port() == 0:
		reason = "port 0"
	case ip.IsUnspecified():
		reason = "unspecified address"
	case ip.IsMulticast():
		reason = "multicast"
	case ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		reason = "broadcast"
	case ip.IsLinkLocalUnicast():
		reason = "link-local"
	case bound.IsValid() && ip.Is4() != bound.Is4():
		reason = fmt.Sprintf("address family differs from our %s", bound)
	case ip.IsLoopback() && bound.IsValid() && !bound.IsLoopback() && !bound.IsUnspecified():
		reason = "loopback"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s: %s", ErrUnusableFar, addr, reason)
}

// agreement is a Far in force, with the route that its packets take. What every
// packet needs stands first.
type agreement struct {
	route   *route
	rate    int  // of the RTP clock of Codec
	nowhere bool // nothing is sent to Addr, whatever is learned
	Far
	keys Codec     // of telephone events
	due  time.Time // when packets became due on this route; without Receive it means nothing
}

// route is where the packets of one agreed address come from and go to. The
// next agreement keeps it if the address stays the same.
type route struct {
	agreed target
	// before is the source that was learned in the rounds before: it is still
	// believed at once, and packets go there until another one is learned.
	before netip.AddrPort
	// locked is the source that was learned: stored once by Run, read by
	// whoever sends. Nil: none yet.
	locked atomic.Pointer[target]
	// reports is where the first good report came from. Nil: none yet, or they
	// come with the media.
	reports atomic.Pointer[netip.AddrPort]
}

type target struct {
	addr netip.AddrPort
	sa   syscall.Sockaddr // nil: cannot be sent to; used by one sender at a time
}

func newTarget(a netip.AddrPort) target { return target{addr: a, sa: sockaddr(a)} }

// sockaddr is the address in the form of the system call; nil if it cannot be
// sent to: no address, or port 0.
func sockaddr(a netip.AddrPort) syscall.Sockaddr {
	switch {
	case !a.IsValid() || a.Port() == 0 || a.Addr().IsUnspecified():
		return nil
	case a.Addr().Is4():
		return &syscall.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &syscall.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// agree makes the agreement that follows the one before, which may be nil.
func agree(now time.Time, far Far, before *agreement) *agreement {
	far.Addr, far.Signalled, far.RTCP = unmap(far.Addr), far.Signalled.Unmap(), unmap(far.RTCP)
	if far.Codec == "" {
		far.Codec = PCMU
	}
	if far.LocalPT == 0 {
		far.LocalPT = far.PayloadType
	}
	if far.LocalEventPT == 0 {
		far.LocalEventPT = far.EventPT
	}
	if before != nil && before.Far == far {
		return before // a repeated offer changes nothing
	}
	a := &agreement{Far: far, rate: far.Codec.Clock(), due: now,
		nowhere: far.Addr.Port() == 0 || far.Addr.Addr().IsUnspecified()}
	a.keys = Codec("TELEPHONE-EVENT/" + strconv.Itoa(a.eventRate()))
	if before != nil && before.Addr == far.Addr {
		a.route = before.route.next(far.Round != before.Round)
		if before.Receive {
			a.due = before.due
		}
	} else {
		a.route = &route{agreed: newTarget(far.Addr)}
	}
	return a
}

// next is the route of the agreement that follows; with again, the source is
// learned once more.
func (r *route) next(again bool) *route {
	locked := r.locked.Load()
	if !again || locked == nil {
		return r
	}
	n := &route{agreed: r.agreed, before: locked.addr}
	n.locked.Store(locked)
	return n
}

// destination is where a packet goes now: to the locked source (symmetric RTP,
// RFC 4961), before that to the agreed address; nil is nowhere.
func (a *agreement) destination() *target {
	if a == nil || !a.Send || a.nowhere {
		return nil
	}
	to := a.route.locked.Load()
	if to == nil {
		to = &a.route.agreed
	}
	if to.sa == nil {
		return nil
	}
	return to
}

// kind is what a payload type stands for under an agreement.
type kind uint8

const (
	unknown kind = iota
	audio
	event
)

// clock is the rate of the RTP clock of the audio; 8000 before anything is
// agreed.
func (a *agreement) clock() int {
	if a == nil {
		return clockRate
	}
	return a.rate
}

// kindOf reads a payload type. What the far end asked to receive counts as well
// where it is not taken: some send that. So does the static type of the other
// law: some agree on one law and send the other, and a call that is silent for
// that reason helps nobody.
func (a *agreement) kindOf(pt uint8) (kind, Codec) {
	switch {
	case pt == a.LocalPT:
		return audio, a.Codec
	case a.LocalEventPT > 0 && int(pt) == a.LocalEventPT:
		return event, a.Codec
	case pt == a.PayloadType:
		return audio, a.Codec
	case a.EventPT > 0 && int(pt) == a.EventPT:
		return event, a.Codec
	case !a.Codec.isLaw():
	case pt == staticPCMU:
		return audio, PCMU
	case pt == staticPCMA:
		return audio, PCMA
	}
	return unknown, a.Codec
}
