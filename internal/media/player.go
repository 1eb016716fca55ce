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
	Codec         Codec // of the last packet
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
// without audio or with codecs of different length.
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
func (s *Stream) Ring(ctx context.Context) error { return s.repeat(ctx, s.ports.tones.ringback) }

// Wait is Ring with the tone of somebody who is on the line and is to wait.
func (s *Stream) Wait(ctx context.Context) error { return s.repeat(ctx, s.ports.tones.waiting) }

func (s *Stream) repeat(ctx context.Context, t tone) error {
	var codec Codec
	if far := s.far.Load(); far != nil {
		codec = far.Codec
	}
	c := t.in(codec)
	if !s.out.claimPlay() {
		return ErrBusy
	}
	defer s.out.release()
	_, err := s.startPlayback(c).run(ctx, true)
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
	missed bool // a frame did not leave
	buf    scratch
}

func (s *Stream) startPlayback(c Clip) *playback {
	now := time.Now()
	return &playback{
		s: s, clip: c, due: now, ts: s.out.turn(now, s.far.Load().clock()),
		played: Played{Length: c.Length(), SSRC: s.ssrc, StartedAt: now},
	}
}

func (p *playback) run(ctx context.Context, loop bool) (Played, error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := 0; ; {
		if err := wait(ctx, timer, time.Until(p.due)); err != nil {
			return p.end(), err
		}
		if i >= p.count() {
			if !loop {
				p.played.Complete = !p.missed
				return p.end(), nil
			}
			i = 0
		}
		p.send(time.Now(), i)
		i++
	}
}

// count is how many frames the clip has in the codec of now, or in any if it is
// not there in that one: then they pass in silence.
func (p *playback) count() int {
	n := 0
	if far := p.s.far.Load(); far != nil {
		n = p.clip.count(far.Codec)
	}
	if n == 0 {
		n = frames(p.clip.size())
	}
	return n
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
	if !p.played.Complete {
		p.played.EndedAt = time.Now()
	}
	return p.played
}

// send sends one frame, if it may be sent, and steps the clock in either case.
func (p *playback) send(now time.Time, i int) {
	far := p.s.far.Load()
	clock := far.clock()
	if behind := now.Sub(p.due); behind > maxBehind {
		pause := behind.Truncate(frameTime)
		p.due = p.due.Add(pause)
		p.ts += samples(pause, clock)
		p.last = nil
	}
	p.played.EndedAt = now
	if p.try(now, far, i) {
		p.last = far
		p.played.Heard += duration(min(frameBytes, max(p.clip.size()-i*frameBytes, 0)))
	} else {
		p.last, p.missed = nil, true
	}
	p.due = p.due.Add(frameTime)
	p.ts += samples(frameTime, clock)
}

func (p *playback) try(now time.Time, far *agreement, i int) bool {
	destination := far.destination()
	if destination == nil {
		p.s.counts.unsent.Add(1)
		return false
	}
	out := &p.s.out
	seq := out.seq + 1
	room := build(p.buf[:], p.last != far, far.PayloadType, seq, p.ts, p.s.ssrc)
	size := p.clip.frame(room, i, far.Codec)
	if size == 0 {
		p.s.counts.unsent.Add(1)
		return false
	}
	if p.s.transmit(far, p.buf[:headerSize+size], destination) != nil {
		p.s.counts.errors.Add(1)
		if far.Seal != nil {
			out.seq = seq // what was sealed under it may not be sealed again
		}
		return false
	}
	p.s.counts.sent.Add(1)
	out.sent(now, seq, p.ts, samples(frameTime, far.clock()))
	if p.played.Packets == 0 {
		p.played.FirstSeq = seq
	}
	if p.played.Packets > 0 && (p.played.Codec == Opus) != (far.Codec == Opus) {
		p.missed = true // what is evidence of one file is none of the other
	}
	p.played.Codec = far.Codec
	p.played.Packets++
	p.played.LastSeq = seq
	return true
}
