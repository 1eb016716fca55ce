package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteTable writes the points as text.
func WriteTable(w io.Writer, points []Point) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "mode\tcalls\tsubject\tCPU ms/s of call\t/bare\t/rtpengine\tmedian ms\tp99 ms\tlost\tlost copies\tKB/call\tpace\t")
	for _, p := range points {
		fmt.Fprintf(t, "%s\t%d\t%s\t%.3f\t%s\t%s\t%.2f\t%.2f\t%s\t%s\t%.0f\t%.2f\t\n",
			p.Mode, p.Calls, p.Subject, milliseconds(p.CPU), p.ratio(Bare), p.ratio(RTPEngine),
			milliseconds(p.Median), milliseconds(p.P99), share(p.Lost, p.Sent), share(p.Uncopy, p.Sent), float64(p.Memory)/1024, p.Pace)
	}
	return t.Flush()
}

func (p Point) ratio(to Subject) string {
	if r, ok := p.Ratios[to]; ok {
		return fmt.Sprintf("%.2f", r)
	}
	return "-"
}

func share(part, of uint64) string {
	if part == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%.3g%%)", part, 100*float64(part)/float64(max(of, 1)))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
