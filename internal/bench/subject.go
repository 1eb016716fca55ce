package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"consentgw/consent"
	"consentgw/internal/boltstore"
	"consentgw/internal/media"
	"consentgw/internal/rtprecorder"
)

// relayer is the process that is measured, or that has it.
type relayer struct{ relay relay }

// relay is one set of calls.
type relay interface {
	open(Spec) ([]ends, error)
	process() int // that does the work
	close() error
}

func (r *relayer) answer(q request) (answer, error) {
	switch {
	case q.Ask == askStart && q.Spec != nil && r.relay == nil:
		return answer{}, r.start(*q.Spec)
	case q.Ask == askStart, r.relay == nil, q.Ask == askOpen && q.Spec == nil:
		return answer{}, fmt.Errorf("a subject relays one set of calls, and starts before: cannot answer %q", q.Ask)
	case q.Ask == askUsage:
		u, err := usageOf(r.relay.process())
		return answer{Usage: &u}, err
	case q.Ask == askOpen:
		all, err := r.relay.open(*q.Spec)
		return answer{Ends: all}, err
	}
	return answer{}, fmt.Errorf("a subject cannot answer %q", q.Ask)
}

func (r *relayer) start(spec Spec) (err error) {
	switch spec.Subject {
	case Loops:
		r.relay = &plane{engine: media.NewEngine(media.EngineConfig{})}
	case Plain:
		r.relay = &plane{engine: media.NewEngine(media.EngineConfig{Plain: true})}
	case RTPEngine:
		var e relay
		if e, err = newRTPEngine(spec); err == nil {
			r.relay = e
		}
	default:
		r.relay = newBare(spec.Subject)
	}
	return err
}

func (r *relayer) close() error {
	if r.relay == nil {
		return nil
	}
	return r.relay.close()
}

// plane is the media plane as a gateway wires it.
type plane struct {
	engine  *media.Engine
	running sync.WaitGroup
	stop    context.CancelFunc
	closers []func() error // in the order of opening
}

func (p *plane) open(spec Spec) ([]ends, error) {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	permit, err := permission(ctx)
	if err != nil {
		return nil, err
	}
	trunk, platform, archive := p.ports(), p.ports(), p.ports()
	recorder := rtprecorder.New(rtprecorder.Config{Name: "bench",
		Caller: spec.World.CallerCopies, Agent: spec.World.AgentCopies, Ports: archive})
	var all []ends
	for range spec.Calls {
		caller, err := p.stream(ctx, trunk, spec.World.Caller)
		if err != nil {
			return nil, err
		}
		agent, err := p.stream(ctx, platform, spec.World.Agent)
		if err != nil {
			return nil, err
		}
		caller.RelayTo(agent)
		agent.RelayTo(caller)
		if spec.Recorded {
			if err := p.record(ctx, recorder, permit, caller, agent); err != nil {
				return nil, err
			}
		}
		all = append(all, ends{Caller: caller.Local(), Agent: agent.Local()})
	}
	return all, nil
}

func (p *plane) ports() *media.Ports {
	ports := media.NewPorts(media.PortsConfig{Addr: localhost(), Engine: p.engine})
	p.closers = append(p.closers, ports.Close)
	return ports
}

func (p *plane) stream(ctx context.Context, ports *media.Ports, far netip.AddrPort) (*media.Stream, error) {
	s, err := ports.Open()
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, s.Close)
	// As nearly all trunks agree: otherwise keys are looked for in the speech.
	s.Connect(media.Far{Addr: far, EventPT: 101, Send: true, Receive: true})
	p.running.Go(func() { _ = s.Run(ctx) }) // a stream that ends early is a loss that is counted
	return s, nil
}

func (p *plane) record(ctx context.Context, r *rtprecorder.Recorder, permit consent.Permit, caller, agent *media.Stream) error {
	gate := media.NewGate(permit)
	recording, err := r.Open(ctx, permit, gate)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, func() error { gate.Shut(); recording.Close(); return nil })
	caller.TapTo(recording.Caller())
	agent.TapTo(recording.Agent())
	if !gate.Open() {
		return errors.New("gate does not open")
	}
	return nil
}

func (*plane) process() int { return os.Getpid() }

func (p *plane) close() error {
	if p.stop != nil {
		p.stop()
	}
	p.running.Wait()
	var problems []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		problems = append(problems, p.closers[i]())
	}
	return errors.Join(problems...)
}

// permission stores a decision, the only way to a permit, in a store that lasts
// as long as this takes.
func permission(ctx context.Context) (permit consent.Permit, err error) {
	dir, err := os.MkdirTemp("", "consentgw-bench-")
	if err != nil {
		return permit, err
	}
	defer os.RemoveAll(dir)
	store, err := boltstore.Open(filepath.Join(dir, "records.db"))
	if err != nil {
		return permit, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return consent.Commit(ctx, store, &consent.Record{ID: "bench", Writer: "bench"},
		consent.Decision{Outcome: consent.Given, At: time.Now()}, time.Now)
}

func localhost() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }
