package bench

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func somePoints() []Point {
	ms := func(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
	return []Point{
		{Relayed, 50, Loops, Result{CPU: ms(0.6), Median: ms(0.5), P99: ms(1.1), Sent: 1000, Memory: 20480, Pace: 0.987},
			map[Subject]float64{Bare: 1.2, RTPEngine: 0.5}},
		{Relayed, 50, Bare, Result{CPU: ms(0.5), Median: ms(0.5), P99: ms(1), Sent: 1000, Memory: 4096}, map[Subject]float64{Bare: 1}},
		{Recorded, 50, Plain, Result{CPU: ms(2), Sent: 1000, Lost: 5, Uncopy: 1000}, nil},
		{Recorded, 100, Plain, Result{CPU: ms(1), Sent: 1000}, nil},
	}
}

func TestTheTableShowsTheRatiosToWhatWasMeasuredBesideIt(t *testing.T) {
	var b strings.Builder
	require.NoError(t, WriteTable(&b, somePoints()))
	var rows [][]string
	for line := range strings.Lines(b.String()) {
		rows = append(rows, strings.Fields(line))
	}
	require.Len(t, rows, 5)
	assert.Equal(t, []string{"relayed", "50", "loops", "0.600", "1.20", "0.50", "0.50", "1.10", "0", "0", "20", "0.99"}, rows[1])
	assert.Equal(t, []string{"relayed", "50", "bare", "0.500", "1.00", "-", "0.50", "1.00", "0", "0", "4", "0.00"}, rows[2])
	assert.Equal(t, []string{"recorded", "50", "plain", "2.000", "-", "-", "0.00", "0.00", "5", "(0.5%)", "1000", "(100%)", "0", "0.00"}, rows[3])
}

func TestThePictureIsOnePanelAModeAndOneLineASubject(t *testing.T) {
	for name, points := range map[string][]Point{"nothing measured": nil, "some": somePoints()} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			require.NoError(t, WritePlot(&b, points))
			elements := map[string]int{}
			for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
				token, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err)
				if e, ok := token.(xml.StartElement); ok {
					elements[e.Name.Local]++
				}
			}
			assert.Equal(t, 1, elements["svg"])
			assert.Equal(t, len(points), elements["circle"])
			assert.NotContains(t, b.String(), "NaN")
			if len(points) > 0 {
				assert.Equal(t, 1, elements["polyline"], "one point makes no line")
			}
		})
	}
}

func TestDelaysAreSortedIntoSteps(t *testing.T) {
	var a arrivals
	assert.Zero(t, a.quantile(0.5))
	for i := range 100 {
		a.add(i%2, time.Duration(i)*100*time.Microsecond)
	}
	a.add(2, time.Hour)
	a.add(3, time.Hour)
	assert.Equal(t, [sockets]uint64{50, 50, 1, 1}, a.at)
	assert.InDelta(t, 5*time.Millisecond, a.quantile(0.5), float64(2*delayStep))
	assert.InDelta(t, 9900*time.Microsecond, a.quantile(0.99), float64(2*delayStep))
	a = arrivals{}
	a.add(0, -time.Second) // a clock that was set
	a.add(0, time.Hour)
	assert.Equal(t, delayStep, a.quantile(0))
	assert.Equal(t, delaySteps*delayStep, a.quantile(0.9))
}

func TestTheMedianIsOfEachFigureAndTheWorstLossCounts(t *testing.T) {
	got := median([]Result{
		{CPU: 1, Median: 30, P99: 9, Memory: 5, Sent: 10, Lost: 0, Pace: 1},
		{CPU: 3, Median: 10, P99: 8, Memory: 4, Sent: 12, Lost: 7, Uncopy: 1, Pace: 0.9},
		{CPU: 2, Median: 20, P99: 7, Memory: 6, Sent: 11, Lost: 1, Pace: 0.95},
	})
	assert.Equal(t, Result{CPU: 2, Median: 20, P99: 8, Memory: 5, Sent: 12, Lost: 7, Uncopy: 1, Pace: 0.9}, got)
}

func TestTheRatioIsTheMedianOfTheRatiosOfTheRuns(t *testing.T) {
	o := Options{Subjects: []Subject{Loops, Bare, Plain}}
	loops, bare := []Result{{CPU: 4}, {CPU: 30}, {CPU: 2}}, []Result{{CPU: 4}, {CPU: 10}, {CPU: 1}}
	all := [][]Result{loops, bare, {{}, {}, {}}}
	assert.Equal(t, map[Subject]float64{Bare: 2}, o.ratios(all, loops))
	assert.Equal(t, map[Subject]float64{Bare: 1}, o.ratios(all, bare))
	assert.Empty(t, (&Options{Subjects: []Subject{Loops}}).ratios(all, loops))
}

func TestCPUIsThatOfAHundredPackets(t *testing.T) {
	r, err := sum(Spec{Calls: 10, Recorded: true}, &usage{Memory: 1000}, &usage{CPU: time.Second}, &usage{CPU: 3 * time.Second, Memory: 21000},
		&heard{Sent: 1000, Arrived: [sockets]uint64{500, 490, 500, 501}, Median: 1, P99: 2, Span: 2 * time.Second})
	require.NoError(t, err)
	assert.Equal(t, Result{CPU: 200 * time.Millisecond, Median: 1, P99: 2, Sent: 1000, Lost: 10, Memory: 2000, Pace: 0.5}, r)
}

func TestWhatDidOtherWorkIsNotCompared(t *testing.T) {
	for name, c := range map[string]struct {
		sent     uint64
		arrived  [sockets]uint64
		recorded bool
		want     string
	}{
		"nothing was sent":             {want: "sent nothing"},
		"nothing reaches the callers":  {sent: 9, arrived: [sockets]uint64{0, 9, 9, 9}, recorded: true, want: "nothing is relayed"},
		"nothing reaches the agents":   {sent: 9, arrived: [sockets]uint64{9, 0, 9, 9}, recorded: true, want: "nothing is relayed"},
		"callers are not copied":       {sent: 9, arrived: [sockets]uint64{9, 9, 0, 9}, recorded: true, want: "nothing is copied"},
		"agents are not copied":        {sent: 9, arrived: [sockets]uint64{9, 9, 9, 0}, recorded: true, want: "nothing is copied"},
		"what is relayed is copied":    {sent: 9, arrived: [sockets]uint64{9, 9, 1, 0}, want: "nobody asked for"},
		"some of everything, recorded": {sent: 9, arrived: [sockets]uint64{1, 1, 1, 1}, recorded: true},
		"some of everything, relayed":  {sent: 9, arrived: [sockets]uint64{1, 1, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			h := &heard{Sent: c.sent, Arrived: c.arrived, Span: time.Second}
			_, err := sum(Spec{Calls: 1, Recorded: c.recorded}, &usage{}, &usage{}, &usage{}, h)
			if c.want == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, c.want)
			}
		})
	}
}
