package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"
	"consentgw/prompts"
)

// scene is one call of the demonstration and what was seen of it.
type scene struct {
	title    string
	file     string // of the recording
	key      string // what the caller presses
	withdraw bool   // and takes back later
	want     consent.Outcome

	callID string
	line   *phone.Line
	visit  *visit
	record *consent.Record
	rungs  []rung
	begun  time.Time
	err    error
}

func scenes() []scene {
	return []scene{
		{title: "the caller agrees", file: "1-agreed", key: "1", want: consent.Given},
		{title: "the caller refuses", file: "2-refused", key: "2", want: consent.Refused},
		{title: "the caller agrees, then stops the recording with *9", file: "3-withdrawn", key: "1", withdraw: true, want: consent.Withdrawn},
	}
}

// patience bounds each wait of a scene.
const patience = 40 * time.Second

// talk is how long the parties talk.
const talk = 3 * time.Second

// act makes the call.
func (sc *scene) act(ctx context.Context, s *stage) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the call did not get on"))
	defer cancel()
	sc.err = sc.call(ctx, s)
}

func (sc *scene) call(ctx context.Context, s *stage) (err error) {
	voice, err := speech(callerWAV)
	if err != nil {
		return err
	}
	caller, err := phone.New(phone.Config{Listen: "udp:127.0.0.1:0", Log: s.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, caller.Close()) }()
	sc.begun = time.Now()
	sc.mark(sc.begun, atCaller, atGateway, "INVITE")
	sc.callID = fmt.Sprintf("demo-%s-%d", sc.file, sc.begun.UnixNano())
	sc.line, err = caller.Call(ctx, phone.Dial{Target: s.trunkURI(), Caller: "+31205550100", Called: "+31205550123", CallID: sc.callID})
	if err != nil {
		return err
	}
	defer sc.line.Hangup(context.WithoutCancel(ctx))
	sc.mark(time.Now(), atGateway, atCaller, "200 OK, notice begins")
	sc.line.Speak(voice, true)
	if err := sc.decide(ctx, s); err != nil {
		return err
	}
	if sc.visit, err = s.center.visit(ctx, sc.callID); err != nil {
		return err
	}
	sc.mark(sc.visit.invitedAt, atGateway, atCenter, "INVITE, consent "+sc.visit.status)
	sc.mark(sc.visit.pickedAt, atCenter, atGateway, "200 OK")
	if err := sc.converse(ctx, s); err != nil {
		return err
	}
	sc.mark(time.Now(), atCaller, atGateway, "BYE")
	if err := sc.line.Hangup(ctx); err != nil {
		return err
	}
	return sc.fetch(ctx, s)
}

// decide hears the notice, and presses the key when it has ended; a refusal
// need not wait for the end.
func (sc *scene) decide(ctx context.Context, s *stage) error {
	if sc.key == "1" {
		ask := s.notice.Prompt(prompts.Ask)
		if err := sc.line.Hears(ctx, ask.PCMU, ask.PCMA); err != nil {
			return fmt.Errorf("the notice was not heard to its end: %w", err)
		}
		sc.mark(time.Now(), atGateway, atCaller, "notice has ended")
	} else if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	sc.line.Press(sc.key)
	sc.mark(time.Now(), atCaller, atGateway, "key "+sc.key)
	return nil
}

// converse lets the two talk, withdraws if the scene says so, and lets them go
// on talking.
func (sc *scene) converse(ctx context.Context, s *stage) error {
	if err := pause(ctx, talk); err != nil {
		return err
	}
	if !sc.withdraw {
		return nil
	}
	sc.line.Press("*9")
	sc.mark(time.Now(), atCaller, atGateway, "keys *9")
	stopped := s.notice.Prompt(prompts.Stopped)
	if err := sc.line.Hears(ctx, stopped.PCMU, stopped.PCMA); err != nil {
		return fmt.Errorf("the withdrawal was not confirmed: %w", err)
	}
	return pause(ctx, time.Second)
}

// fetch waits until the call's record is complete in the store.
func (sc *scene) fetch(ctx context.Context, s *stage) error {
	for {
		r, err := s.gateway.Records().Find(ctx, sc.callID)
		if err == nil && r.Ended() {
			sc.record = r
			return nil
		}
		if err != nil && !errors.Is(err, consent.ErrNotFound) {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("no complete record: %w", err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// save writes what the recorder got of the call, if it got anything.
func (sc *scene) save(path string, r *phone.Recorder) error {
	for side, packets := range map[string][]phone.Packet{"caller": sc.copies(r).caller, "agent": sc.copies(r).agent} {
		name := path + "-" + side + ".wav"
		if len(packets) == 0 {
			os.Remove(name) // of an earlier run: nothing was recorded in this one
			continue
		}
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		if err := errors.Join(phone.WriteWAV(f, packets), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
