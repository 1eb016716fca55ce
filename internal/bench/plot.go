package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// The picture, in SVG units.
const (
	panelWidth  = 420
	panelHeight = 260
	plotLeft    = 56
	plotTop     = 40
	plotWidth   = panelWidth - plotLeft - 16
	plotHeight  = panelHeight - plotTop - 40
	legendRoom  = 30
)

// color of each subject.
func color(s Subject) string {
	switch s {
	case Loops:
		return "#0b6e4f"
	case Plain:
		return "#c8553d"
	case RTPEngine:
		return "#2f6db3"
	case Bare:
		return "#333333"
	}
	return "#999999"
}

// WritePlot draws the points as an SVG picture: the CPU of a second of call
// over the number of calls, one panel a mode, one line a subject.
func WritePlot(w io.Writer, points []Point) error {
	var modes []Mode
	for _, p := range points {
		if !slices.Contains(modes, p.Mode) {
			modes = append(modes, p.Mode)
		}
	}
	var b strings.Builder
	width, height := panelWidth*max(len(modes), 1), panelHeight+legendRoom
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	for i, mode := range modes {
		drawPanel(&b, i*panelWidth, mode, points)
	}
	x := plotLeft
	for _, s := range Subjects() {
		if !slices.ContainsFunc(points, func(p Point) bool { return p.Subject == s }) {
			continue
		}
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			x, panelHeight+8, color(s), x+17, panelHeight+18, s)
		x += 100
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// scale is what the axes of one panel end with.
type scale struct {
	left  int
	calls int
	cpu   float64
}

func (s scale) x(calls int) float64 {
	return float64(s.left+plotLeft) + float64(plotWidth)*float64(calls)/float64(s.calls)
}

func (s scale) y(cpu float64) float64 { return plotTop + plotHeight*(1-cpu/s.cpu) }

func drawPanel(b *strings.Builder, left int, mode Mode, points []Point) {
	s := scale{left: left, calls: 1, cpu: 0.1}
	lines := map[Subject][]Point{}
	for _, p := range points {
		if p.Mode == mode {
			s.calls, s.cpu = max(s.calls, p.Calls), max(s.cpu, 1.1*milliseconds(p.CPU))
			lines[p.Subject] = append(lines[p.Subject], p)
		}
	}
	fmt.Fprintf(b, `<text x="%d" y="20" font-size="13">%s calls: ms of CPU a second of call</text>`+"\n", left+plotLeft, mode)
	for i := range 5 {
		cpu := s.cpu * float64(i) / 4
		fmt.Fprintf(b, `<line x1="%.0f" y1="%.1f" x2="%.0f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.2f</text>`+"\n",
			s.x(0), s.y(cpu), s.x(s.calls), s.y(cpu), left+plotLeft-6, s.y(cpu)+4, cpu)
	}
	marked := map[int]bool{}
	for _, subject := range Subjects() {
		line := lines[subject]
		slices.SortFunc(line, func(p, q Point) int { return p.Calls - q.Calls })
		var path []string
		for _, p := range line {
			x, y := s.x(p.Calls), s.y(milliseconds(p.CPU))
			path = append(path, fmt.Sprintf("%.1f,%.1f", x, y))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x, y, color(subject))
			if !marked[p.Calls] {
				marked[p.Calls] = true
				fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`, x, plotTop+plotHeight+16, p.Calls)
			}
		}
		if len(path) > 1 {
			fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(path, " "), color(subject))
		}
	}
	fmt.Fprintf(b, `<text x="%.0f" y="%d" text-anchor="middle">calls</text>`+"\n", (s.x(0)+s.x(s.calls))/2, plotTop+plotHeight+32)
}
