// Package media carries the voice of a call: the port pairs of a side, one
// [Stream] for each party, the player of notices, the relay between two
// streams, and the copies that a [Tap] sends to a recorder behind a [Gate].
//
// A packet takes one way, top to bottom, in Stream.handle: is it RTP, is it from
// the agreed source, is it a key, then to the peer, then to the tap. On that
// way nothing locks, allocates, waits or logs: everything that changes during a
// call is swapped whole by an atomic pointer, every send is tried once, and
// what is not used is counted.
//
// Who reads the sockets and calls handle is the [Engine]'s affair. On Linux a
// few loops do, each of which waits for many sockets at once and lets packets
// gather for at most a millisecond when there are many; elsewhere a goroutine
// waits for each socket. A stream is read by one of them at a time, and the two
// streams of a call by the same loop.
//
// A far end may have keys: then a packet is opened before anything in it is
// believed, and sealed as the last thing before it is sent, so that all between
// the two is the same with SRTP and without. Each stream has RTCP of its own with
// its far end; nothing of it is relayed.
//
// Any codec is relayed as it is; between the two laws of G.711 it is converted.
// What the gateway itself plays was encoded ahead: see [Clip].
package media
