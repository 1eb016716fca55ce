package media

import (
	"context"
	"errors"
	"time"
)

// ErrBusy: something plays on this stream already.
var ErrBusy = errors.New("stream is playing already")

const (
	frameTime = 20 * time.Millisecond
	// maxBehind is how far a late player catches up by sending faster; what is
	// beyond becomes a pause, for a burst is cut off by jitter buffers.
	maxBehind = 3 * frameTime
)

// Played is what became of a clip.
type Played struct {
	Complete bool // every frame of it was handed to the network
	// Heard is how much of Length was handed to the network.
	Heard, Length time.Duration
	Packets       int
	SSRC          uint32
	FirstSeq      uint16 // of the packets; without a packet they mean nothing
	LastSeq       uint16
	StartedAt     time.Time
	// EndedAt is when the last frame was handed over, or ctx ended. Whoever
	// answers what was heard to its end does so after this moment.
	EndedAt time.Time
}

// Play sends a clip in 20 ms frames, paced by an absolute clock, and returns
// when the last frame is over, or when ctx ends: the error is then
// context.Cause(ctx), and Played says how far it came.
//
// The sending side is its own until then: packets relayed toward this stream
// are displaced, never mixed in. While nothing may be sent, or no address is
// known, or the network refuses, the clip goes on in silence and these frames
// do not count as heard.
//
// The error is [ErrBusy] if something plays already, [ErrClip] for a clip
// without audio or with laws of different length.
func (s *Stream) Play(ctx context.Context, c Clip) (Played, error) {
	if err := c.check(); err != nil {
		return Played{}, err
	}
	if !s.out.claimPlay() {
		return Played{}, ErrBusy
	}
	defer s.out.release()
	return s.startPlayback(c).run(ctx, false)
}

// Ring sends the ringback tone until ctx ends, and returns context.Cause(ctx).
// The sending side is its own, as with Play; the error is [ErrBusy] if
// something plays already.
func (s *Stream) Ring(ctx context.Context) error { return s.repeat(ctx, ringback()) }

// Wait is Ring with the tone of somebody who is on the line and is to wait.
func (s *Stream) Wait(ctx context.Context) error { return s.repeat(ctx, waiting()) }

func (s *Stream) repeat(ctx context.Context, t cadence) error {
	if !s.out.claimPlay() {
		return ErrBusy
	}
	defer s.out.release()
	_, err := s.startPlayback(t.clip()).run(ctx, true)
	return err
}

// playback is one clip on its way. Its owner holds the token of the stream.
type playback struct {
	s      *Stream
	clip   Clip
	due    time.Time  // of the next frame
	ts     uint32     // of the next frame
	last   *agreement // of the frame before; nil if that was not sent
	played Played
	buf    [headerSize + frameBytes + sealRoom]byte
}

func (s *Stream) startPlayback(c Clip) *playback {
	now := time.Now()
	return &playback{
		s: s, clip: c, due: now, ts: s.out.turn(now),
		played: Played{Length: c.Length(), SSRC: s.ssrc, StartedAt: now},
	}
}

func (p *playback) run(ctx context.Context, loop bool) (Played, error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for offset := 0; ; {
		if err := wait(ctx, timer, time.Until(p.due)); err != nil {
			return p.end(), err
		}
		if offset >= p.clip.size() {
			if !loop {
				return p.end(), nil
			}
			offset = 0
		}
		p.send(time.Now(), offset)
		offset += frameBytes
	}
}

func wait(ctx context.Context, timer *time.Timer, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	timer.Reset(d)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *playback) end() Played {
	p.played.Complete = p.played.Heard == p.played.Length
	if !p.played.Complete {
		p.played.EndedAt = time.Now()
	}
	return p.played
}

// send sends one frame, if it may be sent, and steps the clock in either case.
func (p *playback) send(now time.Time, offset int) {
	if behind := now.Sub(p.due); behind > maxBehind {
		pause := behind.Truncate(frameTime)
		p.due = p.due.Add(pause)
		p.ts += samples(pause)
		p.last = nil
	}
	p.played.EndedAt = now
	far := p.s.far.Load()
	if p.try(now, far, offset) {
		p.last = far
		p.played.Heard += duration(min(frameBytes, p.clip.size()-offset))
	} else {
		p.last = nil
	}
	p.due = p.due.Add(frameTime)
	p.ts += frameBytes
}

func (p *playback) try(now time.Time, far *agreement, offset int) bool {
	destination := far.destination()
	if destination == nil {
		p.s.counts.unsent.Add(1)
		return false
	}
	out := &p.s.out
	seq := out.seq + 1
	room := build(p.buf[:], p.last != far, far.PayloadType, seq, p.ts, p.s.ssrc)
	p.clip.frame(room, offset, far.Law)
	if p.s.transmit(far, p.buf[:headerSize+frameBytes], destination) != nil {
		p.s.counts.errors.Add(1)
		if far.Seal != nil {
			out.seq = seq // what was sealed under it may not be sealed again
		}
		return false
	}
	p.s.counts.sent.Add(1)
	out.sent(now, seq, p.ts, frameBytes)
	if p.played.Packets == 0 {
		p.played.FirstSeq = seq
	}
	p.played.Packets++
	p.played.LastSeq = seq
	return true
}
