package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteTable writes the points as text. The ratio is to the bare loop with the
// same tick, of the same calls in the same mode; without it there is none.
func WriteTable(w io.Writer, points []Point) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "mode\tcalls\tsubject\tCPU ms/s of call\tratio\tmedian ms\tp99 ms\tlost\tlost copies\tKB/call\tpace\t")
	for _, p := range points {
		ratio := "-"
		if r, ok := p.ratio(points); ok {
			ratio = fmt.Sprintf("%.2f", r)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%.3f\t%s\t%.2f\t%.2f\t%s\t%s\t%.0f\t%.2f\t\n", p.Mode, p.Calls, p.Subject, milliseconds(p.CPU), ratio,
			milliseconds(p.Median), milliseconds(p.P99), share(p.Lost, p.Sent), share(p.Uncopy, p.Sent), float64(p.Memory)/1024, p.Pace)
	}
	return t.Flush()
}

// ratio is what p costs in relation to the bare loop.
func (p Point) ratio(points []Point) (float64, bool) {
	for _, q := range points {
		if q.Subject == Bare && q.Mode == p.Mode && q.Calls == p.Calls && q.CPU > 0 {
			return float64(p.CPU) / float64(q.CPU), true
		}
	}
	return 0, false
}

func share(part, of uint64) string {
	if part == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%.3g%%)", part, 100*float64(part)/float64(max(of, 1)))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
