package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"consentgw/internal/bench"

	"github.com/spf13/cobra"
)

// benchFlags are the flags of the bench.
type benchFlags struct {
	calls           []int
	modes, subjects []string
	runs            int
	warm, measure   time.Duration
	plot            string
	asJSON          bool
}

func benchCommand() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure what relaying and recording cost on this machine",
		Long: `Measure the media plane (RTP relay, gate and copies to a recorder; no signalling)
with G.711 packets every 20 ms in both directions, sent by a generator in its own
process. Beside it, in the same run, a bare loop over the same kind of sockets
does the work of a packet without any check, and so does rtpengine in user space
if it is installed (Debian: rtpengine-daemon), relaying and copying as its NG
protocol tells it: the ratios to them are what can be compared between machines.
The subjects are loops (the media plane as serve runs it), plain (the media plane
on plain Go sockets), rtpengine, bare, and bare-each (the bare loop without
letting packets gather). CPU is the operating system's accounting of the process
that relays; delays are by timestamps in the packets.

Five runs in turn and two seconds a measurement take about ten minutes; --runs 1
gives an idea after two. For figures to quote the machine must do nothing else.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	c.Flags().IntSliceVar(&f.calls, "calls", []int{50, 200, 400, 1000}, "numbers of calls")
	c.Flags().StringSliceVar(&f.modes, "mode", []string{string(bench.Relayed), string(bench.Recorded)}, "what becomes of the packets")
	c.Flags().StringSliceVar(&f.subjects, "subject", nil, "who relays, of "+subjectNames()+" (default all but plain, and rtpengine if it is installed)")
	c.Flags().IntVar(&f.runs, "runs", 5, "how often everything is measured, in turn; medians are shown")
	c.Flags().DurationVar(&f.warm, "warm", time.Second, "how long packets flow before a measurement")
	c.Flags().DurationVar(&f.measure, "measure", 2*time.Second, "how long a measurement is")
	c.Flags().StringVar(&f.plot, "svg", "consentgw-bench.svg", "the picture to write; empty: none")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON, durations in nanoseconds, instead of a table")
	c.AddCommand(benchRoleCommand())
	return c
}

// benchRoleCommand is what the bench runs its child processes with.
func benchRoleCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "role ROLE",
		Short:  "Be a child process of the bench",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return bench.Serve(bench.Role(args[0]), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

func (f *benchFlags) run(cmd *cobra.Command) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o := bench.Options{Calls: f.calls, Runs: f.runs, Warm: f.warm, Measure: f.measure, Progress: cmd.ErrOrStderr(),
		Child: func(ctx context.Context, role bench.Role) *exec.Cmd {
			child := exec.CommandContext(ctx, self, "bench", "role", string(role))
			child.Stderr = os.Stderr
			return child
		}}
	for _, m := range f.modes {
		o.Modes = append(o.Modes, bench.Mode(m))
	}
	for _, s := range f.subjects {
		o.Subjects = append(o.Subjects, bench.Subject(s))
	}
	if len(o.Subjects) == 0 {
		o.Subjects = bench.Comparison()
	}
	// Nobody wants to hear of it after minutes.
	if _, err := os.Stat(filepath.Dir(f.plot)); err != nil {
		return fmt.Errorf("--svg: %w", err)
	}
	points, err := bench.Run(cmd.Context(), o)
	if errors.Is(err, bench.ErrOptions) {
		return &usageError{err}
	}
	if err != nil {
		return err
	}
	if err := f.draw(points); err != nil {
		return err
	}
	if f.asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(points)
	}
	return bench.WriteTable(cmd.OutOrStdout(), points)
}

// draw writes the picture whole.
func (f *benchFlags) draw(points []bench.Point) error {
	if f.plot == "" {
		return nil
	}
	var picture bytes.Buffer
	if err := bench.WritePlot(&picture, points); err != nil {
		return err
	}
	if err := os.WriteFile(f.plot, picture.Bytes(), 0o644); err != nil {
		return fmt.Errorf("--svg: %w", err)
	}
	return nil
}

func subjectNames() string {
	var all []string
	for _, s := range bench.Subjects() {
		all = append(all, string(s))
	}
	return strings.Join(all, ", ")
}
