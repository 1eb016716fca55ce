package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"
)

// ErrOptions: options that make no measurement.
var ErrOptions = errors.New("bench options")

// Options say what is measured.
type Options struct {
	Calls    []int         // numbers of calls, 1 to 5000 each
	Modes    []Mode        // of each number
	Subjects []Subject     // in this order, in turn
	Runs     int           // of everything; medians are shown
	Warm     time.Duration // before a measurement
	Measure  time.Duration // a measurement
	// Child makes the command that runs a role: it must call [Serve] with it.
	Child func(ctx context.Context, role Role) *exec.Cmd
	// Progress, if not nil, is told of each measurement.
	Progress io.Writer
}

// Mode is what becomes of the packets of a call.
type Mode string

// The modes.
const (
	Relayed  Mode = "relayed"
	Recorded Mode = "recorded" // relayed, and both directions copied
)

// Subject is who relays.
type Subject string

// The subjects.
const (
	Loops     Subject = "loops"     // the media plane on the engine of loops
	Plain     Subject = "plain"     // the media plane on package net
	RTPEngine Subject = "rtpengine" // the media proxy of that name in user space, if it is installed
	Bare      Subject = "bare"      // the bare loop, packets gathered for a tick
	BareEach  Subject = "bare-each" // the bare loop, woken by every packet
)

// Subjects are all of them.
func Subjects() []Subject { return []Subject{Loops, Plain, RTPEngine, Bare, BareEach} }

// Comparison are those that serve is to be held against, as far as they are
// here: without rtpengine on the PATH, without it.
func Comparison() []Subject {
	if _, err := exec.LookPath(rtpengineProgram); err != nil {
		return []Subject{Loops, Bare, BareEach}
	}
	return []Subject{Loops, RTPEngine, Bare, BareEach}
}

// Role is what a child process is.
type Role string

// The roles.
const (
	roleGenerator Role = "generator"
	roleSubject   Role = "subject"
)

// Point is one measurement.
type Point struct {
	Mode    Mode    `json:"mode"`
	Calls   int     `json:"calls"`
	Subject Subject `json:"subject"`
	Result
	// Ratios are what it costs in relation to the bare loop and to rtpengine, if
	// these were measured: the medians of the ratios of the runs.
	Ratios map[Subject]float64 `json:"ratios"`
}

// Result is what was measured.
type Result struct {
	// CPU is what one second of one call cost the subject, user and system, by
	// the accounting of the operating system.
	CPU time.Duration `json:"cpu_per_call_second"`
	// Median and P99 are the time from a telephone's send call to the arrival at
	// the other telephone's socket.
	Median time.Duration `json:"delay_median"`
	P99    time.Duration `json:"delay_p99"`
	Sent   uint64        `json:"sent"`
	Lost   uint64        `json:"lost"`        // of Sent, not at the other telephone
	Uncopy uint64        `json:"lost_copies"` // of Sent, not at the recorder
	// Memory is resident memory a call above the idle process, in bytes. What the
	// kernel holds for sockets is not in it.
	Memory int64 `json:"memory_per_call"`
	// Pace is how much of what the telephones should have sent the generator got
	// away; well below 1, the machine is too small for this many calls.
	Pace float64 `json:"pace"`
}

func (o *Options) check() error {
	switch {
	case len(o.Calls) == 0 || slices.Min(o.Calls) < 1 || slices.Max(o.Calls) > maxCalls:
		return fmt.Errorf("%w: calls must be 1 to %d", ErrOptions, maxCalls)
	case len(o.Modes) == 0 || len(o.Subjects) == 0 || o.Runs < 1:
		return fmt.Errorf("%w: no mode, no subject or no run", ErrOptions)
	case o.Measure < 100*time.Millisecond || o.Measure > 10*time.Minute || o.Warm < 0:
		return fmt.Errorf("%w: a measurement takes 100ms to 10m", ErrOptions)
	}
	for _, m := range o.Modes {
		if m != Relayed && m != Recorded {
			return fmt.Errorf("%w: mode %q is not one of %s, %s", ErrOptions, m, Relayed, Recorded)
		}
	}
	for _, s := range o.Subjects {
		if !slices.Contains(Subjects(), s) {
			return fmt.Errorf("%w: subject %q is not one of %v", ErrOptions, s, Subjects())
		}
	}
	return nil
}

const maxCalls = 5000

// Run measures every subject at every number of calls in every mode, in turn,
// and returns the medians of the runs. It ends early with ctx, and then returns
// context.Cause(ctx).
func Run(ctx context.Context, o Options) ([]Point, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	var points []Point
	for _, mode := range o.Modes {
		for _, calls := range o.Calls {
			results := make([][]Result, len(o.Subjects))
			for range o.Runs {
				for i, subject := range o.Subjects {
					r, err := measure(ctx, &o, Spec{Subject: subject, Calls: calls, Recorded: mode == Recorded})
					if err != nil {
						return points, fmt.Errorf("%d %s calls through %s: %w", calls, mode, subject, err)
					}
					o.tell(mode, calls, subject, r)
					results[i] = append(results[i], r)
				}
			}
			for i, subject := range o.Subjects {
				points = append(points, Point{Mode: mode, Calls: calls, Subject: subject,
					Result: median(results[i]), Ratios: o.ratios(results, results[i])})
			}
		}
	}
	return points, nil
}

// references are what the others are compared with.
func references() []Subject { return []Subject{Bare, RTPEngine} }

// ratios compares run by run: what else happened on the machine in a run, it
// happened to all.
func (o *Options) ratios(all [][]Result, mine []Result) map[Subject]float64 {
	ratios := map[Subject]float64{}
	for _, reference := range references() {
		i := slices.Index(o.Subjects, reference)
		if i < 0 {
			continue
		}
		var each []float64
		for run, r := range mine {
			if cpu := all[i][run].CPU; cpu > 0 {
				each = append(each, float64(r.CPU)/float64(cpu))
			}
		}
		if slices.Sort(each); len(each) > 0 {
			ratios[reference] = each[len(each)/2]
		}
	}
	return ratios
}

func (o *Options) tell(mode Mode, calls int, subject Subject, r Result) {
	if o.Progress != nil {
		fmt.Fprintf(o.Progress, "%d %s calls through %s: %.2f ms of CPU a second of call\n", calls, mode, subject, milliseconds(r.CPU))
	}
}

// median takes the median of every figure by itself, and the worst loss and pace.
func median(runs []Result) Result {
	of := func(figure func(Result) int64) int64 {
		var all []int64
		for _, r := range runs {
			all = append(all, figure(r))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	m := Result{
		CPU:    time.Duration(of(func(r Result) int64 { return int64(r.CPU) })),
		Median: time.Duration(of(func(r Result) int64 { return int64(r.Median) })),
		P99:    time.Duration(of(func(r Result) int64 { return int64(r.P99) })),
		Memory: of(func(r Result) int64 { return r.Memory }),
		Pace:   runs[0].Pace,
	}
	for _, r := range runs {
		m.Sent = max(m.Sent, r.Sent)
		m.Lost = max(m.Lost, r.Lost)
		m.Uncopy = max(m.Uncopy, r.Uncopy)
		m.Pace = min(m.Pace, r.Pace)
	}
	return m
}
