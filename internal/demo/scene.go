package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"
	"consentgw/prompts"
)

// scene is one call of the demonstration and what was seen of it.
type scene struct {
	number int
	title  string
	file   string // of the recording
	key    string // what the caller presses
	thanks string // the prompt that answers it
	want   expectation

	callID string
	line   *phone.Line
	visit  *visit
	rungs  []rung
	begun  time.Time
	err    error // why the call did not get to its end
	evidence
}

func scenes() []*scene {
	return []*scene{
		{number: 1, title: "the caller agrees", file: "1-agreed", key: "1", thanks: prompts.Agreed,
			want: expectation{outcome: consent.Given, told: "granted on", api: []string{"granted on"}}},
		{number: 2, title: "the caller refuses", file: "2-refused", key: "2", thanks: prompts.Refused,
			want: expectation{outcome: consent.Refused, told: "denied off", api: []string{"denied off"}}},
		{number: 3, title: "the caller agrees, then stops the recording with *9", file: "3-withdrawn", key: "1", thanks: prompts.Agreed,
			want: expectation{outcome: consent.Withdrawn, told: "granted on", api: []string{"granted on", "withdrawn off"}}},
	}
}

const (
	// patience bounds one call, from INVITE to the stored record. A call takes
	// some 25 s.
	patience = 40 * time.Second
	// heardFirst is how many packets of the notice the caller who refuses
	// hears before saying no: two seconds.
	heardFirst = 100
	// talk is how many packets each party hears of the other: three seconds.
	talk = 150
	// after is how many packets each hears when the recording has stopped.
	after = 50
)

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
	s.tell("call %d: answered, the notice begins", sc.number)
	sc.line.Speak(voice, true)
	if err := sc.decide(ctx, s); err != nil {
		return err
	}
	if err := sc.meet(ctx, s); err != nil {
		return err
	}
	if err := sc.converse(ctx, s); err != nil {
		return err
	}
	s.tell("call %d: the caller hangs up", sc.number)
	sc.mark(time.Now(), atCaller, atGateway, "BYE")
	if err := sc.line.Hangup(ctx); err != nil {
		return err
	}
	return sc.gather(ctx, s)
}

// decide presses the key when the notice has ended; a refusal need not wait for
// the end. It returns when the caller has heard what became of it.
func (sc *scene) decide(ctx context.Context, s *stage) error {
	if sc.want.outcome == consent.Refused {
		if err := more(sc.line, heardFirst)(ctx); err != nil {
			return fmt.Errorf("the notice was not heard: %w", err)
		}
	} else {
		if err := sc.hears(ctx, s, prompts.Ask); err != nil {
			return err
		}
		sc.mark(time.Now(), atGateway, atCaller, "notice has ended")
	}
	sc.press(s, sc.key)
	if err := sc.hears(ctx, s, sc.thanks); err != nil {
		return err
	}
	sc.mark(time.Now(), atGateway, atCaller, fmt.Sprintf("prompt %q", sc.thanks))
	return nil
}

func (sc *scene) press(s *stage, keys string) {
	s.tell("call %d: the caller presses %s", sc.number, keys)
	sc.mark(time.Now(), atCaller, atGateway, "presses "+keys)
	sc.line.Press(keys)
}

// hears waits until the caller has heard a prompt, byte for byte.
func (sc *scene) hears(ctx context.Context, s *stage, name string) error {
	p := s.notice.Prompt(name)
	if err := sc.line.Hears(ctx, p.PCMU, p.PCMA); err != nil {
		return fmt.Errorf("the caller did not hear the prompt %q to its end: %w", name, err)
	}
	return nil
}

// meet waits for the contact center to pick up.
func (sc *scene) meet(ctx context.Context, s *stage) (err error) {
	if sc.visit, err = s.center.visit(ctx, sc.callID); err != nil {
		return fmt.Errorf("the contact center was not reached: %w", err)
	}
	sc.mark(sc.visit.invitedAt, atGateway, atCenter, "INVITE, consent "+sc.visit.status)
	sc.mark(sc.visit.pickedAt, atCenter, atGateway, "200 OK")
	s.tell("call %d: the contact center picks up", sc.number)
	return nil
}

// converse lets the two talk, withdraws if the scene says so, and lets them go
// on talking.
func (sc *scene) converse(ctx context.Context, s *stage) error {
	if err := sc.talk(ctx, talk); err != nil {
		return err
	}
	if err := sc.ask(ctx, s); err != nil || sc.want.outcome != consent.Withdrawn {
		return err
	}
	sc.press(s, "*9")
	if err := sc.hears(ctx, s, prompts.Stopped); err != nil {
		return err
	}
	sc.mark(time.Now(), atGateway, atCaller, fmt.Sprintf("prompt %q", prompts.Stopped))
	if err := sc.talk(ctx, after); err != nil {
		return err
	}
	return sc.ask(ctx, s)
}

// talk returns when both have heard so many packets more.
func (sc *scene) talk(ctx context.Context, packets int) error {
	caller, agent := more(sc.line, packets), more(sc.visit.line, packets)
	if err := caller(ctx); err != nil {
		return fmt.Errorf("the caller hears nothing: %w", err)
	}
	if err := agent(ctx); err != nil {
		return fmt.Errorf("the agent hears nothing: %w", err)
	}
	return nil
}

// ask puts the contact center's question: may this call be recorded, and is it?
func (sc *scene) ask(ctx context.Context, s *stage) error {
	status, err := s.api().Status(ctx, sc.visit.line.Leg().CallID())
	if err != nil {
		return err
	}
	answer := fmt.Sprintf("%s %s", status.Status, status.Recording)
	sc.answers = append(sc.answers, answer)
	sc.mark(time.Now(), atGateway, atCenter, "status: "+answer)
	return nil
}

// more returns a wait for a line to receive so many packets more than now.
func more(l *phone.Line, packets int) func(context.Context) error {
	want := len(l.Received()) + packets
	return func(ctx context.Context) error {
		return l.Until(ctx, func(received []phone.Packet, _ []byte) bool { return len(received) >= want })
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
