package siprec

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/internal/sdp"
	"consentgw/internal/siprecxml"
	"consentgw/sip"
)

// Recording is one call at one recorder. The taps stay the same whichever
// address of the recorder answers, and however often it has to be invited.
type Recording struct {
	// Set by newRecording, then constant.
	cfg     *Config
	id      siprecxml.ID
	call    Call
	streams []*stream // in the order of the media lines
	caller  *media.Tap
	agent   *media.Tap

	end      context.CancelFunc
	done     chan struct{} // closed when nothing runs any more
	accepted chan struct{} // closed when the recorder has accepted for the first time
	news     chan struct{} // holds a token when latest has changed
	snapshot chan struct{} // holds a token when the recorder asked for one

	mu sync.Mutex // guards what follows, never held while anybody is waited for
	standing
}

// standing is how things stand at the moment.
type standing struct {
	latest   Moment
	version  uint64 // of our session description
	speaking bool   // what we last said: we send
	fault    string
	numbers  []sdp.Codec // those with a payload type that we drew
}

// stream is one direction at the recorder.
type stream struct {
	label   string // stable for the whole call (RFC 7866 section 7.1.1)
	outlet  *media.Outlet
	offered []sdp.Codec // last; guarded by mu of the recording
	protection
}

// The labels of the two parties.
const (
	callerLabel = "1"
	agentLabel  = "2"
)

func (r *Recorder) newRecording(call Call) (rec *Recording, err error) {
	id, err := siprecxml.ParseUUID(string(call.Record.ID))
	if err != nil {
		return nil, err
	}
	rec = &Recording{cfg: &r.cfg, id: id, call: call, standing: standing{latest: call.Moment},
		done: make(chan struct{}), accepted: make(chan struct{}), news: make(chan struct{}, 1), snapshot: make(chan struct{}, 1)}
	tap := func(wanted bool, label string) *media.Tap {
		if !wanted || err != nil {
			return media.NewTap(nil, media.NewSSRC()) // without a gate nothing passes
		}
		var outlet *media.Outlet
		if outlet, err = r.cfg.Ports.Outlet(); err != nil {
			return nil
		}
		rec.streams = append(rec.streams, &stream{label: label, outlet: outlet})
		t := media.NewTap(call.Gate, media.NewSSRC(), outlet)
		if r.cfg.Keys {
			t.KeepKeys()
		}
		return t
	}
	rec.caller, rec.agent = tap(r.cfg.Caller, callerLabel), tap(r.cfg.Agent, agentLabel)
	if err != nil {
		rec.release()
		return nil, err
	}
	return rec, nil
}

// start lets the recording see to itself. Close waits for it.
func (r *Recording) start() {
	ctx, end := context.WithCancel(context.Background())
	r.end = end
	go func() {
		defer close(r.done)
		r.run(ctx)
	}()
}

// Caller is the tap for what the caller sends.
func (r *Recording) Caller() *media.Tap { return r.caller }

// Agent is the tap for what the platform sends.
func (r *Recording) Agent() *media.Tap { return r.agent }

// Fault says why copies are missing; empty if none are, as far as is known.
func (r *Recording) Fault() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}

// Follow tells the recorder how the call goes on: paused, on again, or off when
// the consent was taken back; with another agent, or in another codec. It only
// leaves the news and returns. The gate has done its work before; what the recorder
// makes of the news changes nothing.
func (r *Recording) Follow(now Moment) {
	r.mu.Lock()
	r.latest = now
	r.mu.Unlock()
	knock(r.news)
}

// Close ends the recording session and gives the ports back. It waits for the
// recorder's goodbye for a moment and is idempotent. Detach the taps first: what
// they are offered afterwards counts as lost.
func (r *Recording) Close() {
	r.end()
	<-r.done
	r.release()
}

func (r *Recording) release() {
	for _, s := range r.streams {
		_ = s.outlet.Close() // it only sends; nothing can be lost in closing it
	}
}

// stop lets no copy reach the recorder.
func (r *Recording) stop() {
	for _, s := range r.streams {
		s.outlet.Stop()
	}
}

func (r *Recording) now() Moment {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.latest
}

func (r *Recording) failed(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = "recorder " + why
}

// knock leaves a token for who waits, if there is none yet.
func knock(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run invites the recorder again and again, until the call is over or the
// consent was taken back.
func (r *Recording) run(ctx context.Context) {
	up, told := false, ""
	failures := 0
	for ctx.Err() == nil && r.now().State != consent.RecordingOff {
		began, tried := time.Now(), r.now()
		leg, why := r.invite(ctx)
		if leg != nil {
			up, told = r.arrived(up, told), ""
			why = r.attend(ctx, leg)
			tried = leg.asked
			r.stop()
		}
		if ctx.Err() != nil || why == "" {
			return
		}
		r.failed(why)
		if up || why != told {
			up, told = false, why
			r.call.Changed(false, why)
		}
		if time.Since(began) > maxRetry {
			failures = 0
		}
		failures++
		if !r.rest(ctx, failures, tried) {
			return
		}
	}
}

// arrived reports an acceptance as news, but for the first, of which opening tells.
// It comes before the first packet, and the end of a session after the last one: the
// gap in the evidence lies within the one there was.
func (r *Recording) arrived(up bool, told string) bool {
	select {
	case <-r.accepted:
		if !up {
			r.call.Changed(true, "")
		}
	default:
	}
	return true
}

// opened ends the wait of who opens the recording, once the copies have a place to
// go to: the first of them comes right after.
func (r *Recording) opened() {
	select {
	case <-r.accepted:
	default:
		close(r.accepted)
	}
}

// rest waits before the next invitation; false: there will be none. A recorder that
// may have refused a codec need not wait for another one.
func (r *Recording) rest(ctx context.Context, failures int, tried Moment) bool {
	wait := min(r.cfg.Pace.Retry<<min(failures-1, 10), maxRetry)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-r.news:
			switch now := r.now(); {
			case now.State == consent.RecordingOff:
				return false
			case !now.sounds(tried):
				return true
			}
		case <-ctx.Done():
			return false
		}
	}
}

// reason is a few words for an error, without anything the far end said.
func reason(err error) string {
	var status *sip.StatusError
	var bye *sip.ByeError
	switch {
	case errors.As(err, &bye):
		return "ended the recording"
	case errors.As(err, &status):
		return "refused with " + strconv.Itoa(status.Code)
	case errors.Is(err, sip.ErrSilent), errors.Is(err, context.DeadlineExceeded):
		return "is silent"
	case errors.Is(err, sip.ErrNoAnswer):
		return "did not answer"
	case errors.Is(err, sip.ErrUnreachable):
		return "cannot be reached"
	case errors.Is(err, errAnswer):
		return "answered with a description that cannot be used"
	}
	return "failed"
}
