package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"time"
)

// Spec is what a subject relays.
type Spec struct {
	Subject  Subject  `json:"subject"`
	Calls    int      `json:"calls"`
	Recorded bool     `json:"recorded"`
	World    exterior `json:"world"`
}

// exterior is the generator's side: all callers share a socket, and all agents;
// the recorder has one for what each party says.
type exterior struct {
	Caller       netip.AddrPort `json:"caller"`
	Agent        netip.AddrPort `json:"agent"`
	CallerCopies netip.AddrPort `json:"caller_copies"`
	AgentCopies  netip.AddrPort `json:"agent_copies"`
}

// ends are the two sockets of the subject that one call sends to.
type ends struct {
	Caller netip.AddrPort `json:"caller"`
	Agent  netip.AddrPort `json:"agent"`
}

// usage is what the operating system says of a process.
type usage struct {
	CPU    time.Duration `json:"cpu"`    // user and system
	Memory int64         `json:"memory"` // resident, in bytes
}

// The requests: each is one line, and so is its answer.
const (
	askWorld = "world" // generator: exterior
	askSend  = "send"  // generator: starts to send to Ends
	askBegin = "begin" // generator: from now on it counts
	askEnd   = "end"   // generator: heard
	askStart = "start" // subject: becomes what Spec says, without a call
	askOpen  = "open"  // subject: opens the calls of Spec, answers with their ends
	askUsage = "usage" // subject: usage
)

type request struct {
	Ask  string `json:"ask"`
	Spec *Spec  `json:"spec,omitempty"`
	Ends []ends `json:"ends,omitempty"`
}

type answer struct {
	Error string    `json:"error,omitempty"`
	World *exterior `json:"world,omitempty"`
	Ends  []ends    `json:"ends,omitempty"`
	Usage *usage    `json:"usage,omitempty"`
	Heard *heard    `json:"heard,omitempty"`
}

// heard is what the generator sent and got back.
type heard struct {
	Sent        uint64
	Arrived     [sockets]uint64 // at each socket of the generator
	Median, P99 time.Duration
	Span        time.Duration // from begin to end
}

func (h *heard) voice() uint64  { return h.Arrived[atCaller] + h.Arrived[atAgent] }
func (h *heard) copies() uint64 { return h.Arrived[atCallerCopies] + h.Arrived[atAgentCopies] }

// The sockets of the generator.
const (
	atCaller = iota
	atAgent
	atCallerCopies
	atAgentCopies
	sockets
)

// Serve runs a role in a child process until in ends.
func Serve(role Role, in io.Reader, out io.Writer) error {
	var serve interface {
		answer(request) (answer, error)
		close() error
	}
	switch role {
	case roleGenerator:
		serve = &generator{}
	case roleSubject:
		serve = &relayer{}
	default:
		return fmt.Errorf("no such role: %q", role)
	}
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var r request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return serve.close()
		} else if err != nil {
			return errors.Join(err, serve.close())
		}
		a, err := serve.answer(r)
		if err != nil {
			a = answer{Error: err.Error()}
		}
		if err := answers.Encode(a); err != nil {
			return errors.Join(err, serve.close())
		}
	}
}

// child is a process that answers.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(cmd *exec.Cmd) (*child, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	// Whoever has a process of its own must have the time to end it.
	cmd.Cancel, cmd.WaitDelay = in.Close, childEnd
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &child{cmd: cmd, in: in, out: bufio.NewReader(out)}, nil
}

// childEnd is when a child that does not end by itself is killed.
const childEnd = 20 * time.Second

// ask waits for the answer; the context that the command was made with ends it.
func (c *child) ask(r request) (a answer, err error) {
	if err := json.NewEncoder(c.in).Encode(r); err != nil {
		return a, fmt.Errorf("ask for %s: %w", r.Ask, err)
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return a, fmt.Errorf("ask for %s: %w", r.Ask, err)
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return a, fmt.Errorf("ask for %s: %w", r.Ask, err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("ask for %s: %s", r.Ask, a.Error)
	}
	return a, nil
}

// end lets the process end by itself and waits for it.
func (c *child) end() error {
	c.in.Close()
	return c.cmd.Wait()
}

// measure takes one measurement with processes of its own.
func measure(ctx context.Context, o *Options, spec Spec) (r Result, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	generator, err := start(o.Child(ctx, roleGenerator))
	if err != nil {
		return r, err
	}
	subject, err := start(o.Child(ctx, roleSubject))
	if err != nil {
		return r, errors.Join(err, generator.end())
	}
	r, err = converse(ctx, o, spec, generator, subject)
	if err != nil {
		stop()
	}
	ended := errors.Join(generator.end(), subject.end())
	switch {
	case ctx.Err() != nil && err == nil:
		return r, context.Cause(ctx)
	case err != nil:
		return r, err
	}
	return r, ended
}

func converse(ctx context.Context, o *Options, spec Spec, generator, subject *child) (r Result, err error) {
	ask := func(c *child, q request) (a answer) {
		if err == nil {
			a, err = c.ask(q)
		}
		return a
	}
	world := ask(generator, request{Ask: askWorld})
	ask(subject, request{Ask: askStart, Spec: &spec})
	idle := ask(subject, request{Ask: askUsage})
	if err != nil {
		return r, err
	}
	spec.World = *world.World
	opened := ask(subject, request{Ask: askOpen, Spec: &spec})
	ask(generator, request{Ask: askSend, Spec: &spec, Ends: opened.Ends})
	if err == nil {
		err = rest(ctx, o.Warm)
	}
	ask(generator, request{Ask: askBegin})
	before := ask(subject, request{Ask: askUsage})
	if err == nil {
		err = rest(ctx, o.Measure)
	}
	after := ask(subject, request{Ask: askUsage})
	got := ask(generator, request{Ask: askEnd})
	if err != nil {
		return r, err
	}
	return sum(spec, idle.Usage, before.Usage, after.Usage, got.Heard)
}

func sum(spec Spec, idle, before, after *usage, got *heard) (Result, error) {
	if err := got.check(spec.Recorded); err != nil {
		return Result{}, err
	}
	r := Result{
		CPU:    time.Duration(float64(after.CPU-before.CPU) / float64(got.Sent) * float64(packetsPerCallSecond)),
		Median: got.Median, P99: got.P99,
		Sent: got.Sent, Lost: got.Sent - min(got.voice(), got.Sent),
		Memory: (after.Memory - idle.Memory) / int64(spec.Calls),
		Pace:   float64(got.Sent) / (got.Span.Seconds() * float64(spec.Calls*packetsPerCallSecond)),
	}
	if spec.Recorded {
		r.Uncopy = got.Sent - min(got.copies(), got.Sent)
	}
	return r, nil
}

// check refuses to compare what did other work than was asked for.
func (h *heard) check(recorded bool) error {
	switch {
	case h.Sent == 0 || h.Span <= 0:
		return errors.New("the generator sent nothing")
	case h.Arrived[atCaller] == 0 || h.Arrived[atAgent] == 0:
		return fmt.Errorf("nothing is relayed: %d packets reached the callers, %d the agents", h.Arrived[atCaller], h.Arrived[atAgent])
	case recorded && (h.Arrived[atCallerCopies] == 0 || h.Arrived[atAgentCopies] == 0):
		return fmt.Errorf("nothing is copied: %d copies of callers, %d of agents", h.Arrived[atCallerCopies], h.Arrived[atAgentCopies])
	case !recorded && h.copies() > 0:
		return fmt.Errorf("%d packets were copied that nobody asked for", h.copies())
	}
	return nil
}

// rest waits, unless ctx ends.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

const (
	frame                = 20 * time.Millisecond
	packetsPerCallSecond = 2 * int(time.Second/frame)
)
