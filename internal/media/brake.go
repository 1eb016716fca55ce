package media

import "sync/atomic"

// Stop is a reason to shut the gates of a call on the spot, at the packet that
// completes a key sequence: one bit. What each means is the caller's to say.
type Stop uint32

// Brake stops what passes the gates of one call, and stays on until it is heeded,
// whoever opens them meanwhile. It is how the packet path shuts a gate: without
// a lock, and without waiting for a copy that another thread has on its way, which
// is from before the key. All methods may be called concurrently.
type Brake struct {
	on   atomic.Uint32
	news chan struct{} // holds a token when it was put on
}

// NewBrake makes a brake that is off.
func NewBrake() *Brake { return &Brake{news: make(chan struct{}, 1)} }

// put puts it on, for one more reason.
func (b *Brake) put(why Stop) {
	if why == 0 {
		return
	}
	b.on.Or(uint32(why))
	select {
	case b.news <- struct{}{}:
	default: // told already
	}
}

// News holds a token when the brake was put on.
func (b *Brake) News() <-chan struct{} { return b.news }

// On returns the reasons that were not heeded yet.
func (b *Brake) On() Stop { return Stop(b.on.Load()) }

// Heed takes a reason away, once the gates are shut for what it meant.
func (b *Brake) Heed(why Stop) { b.on.And(^uint32(why)) }

// off reports whether it lets copies pass. A nil brake does.
func (b *Brake) off() bool { return b == nil || b.on.Load() == 0 }
