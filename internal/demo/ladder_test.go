package demo

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden ladders")

// drawn is a call with the rungs that the phones saw, as the demonstration
// draws it.
func drawn(number int) *scene {
	sc := lawful(number)
	sc.visit = &visit{status: strings.Fields(sc.told)[0]}
	ms := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Millisecond) }
	sc.mark(ms(0), atCaller, atGateway, "INVITE")
	sc.mark(ms(1), atGateway, atCaller, "200 OK, notice begins")
	if number != 2 {
		sc.mark(ms(9000), atGateway, atCaller, "notice has ended")
	}
	sc.mark(ms(9001), atCaller, atGateway, "presses "+sc.key)
	sc.mark(ms(10200), atGateway, atCaller, fmt.Sprintf("prompt %q", sc.thanks))
	sc.mark(ms(10210), atGateway, atCenter, "INVITE, consent "+sc.visit.status)
	sc.mark(ms(10900), atCenter, atGateway, "200 OK")
	sc.mark(ms(13900), atGateway, atCenter, "status: "+sc.answers[0])
	if number == 3 {
		sc.mark(ms(13920), atCaller, atGateway, "presses *9")
		sc.mark(ms(15500), atGateway, atCaller, `prompt "stopped"`)
		sc.mark(ms(17000), atGateway, atCenter, "status: "+sc.answers[1])
	}
	sc.mark(ms(17900), atCaller, atGateway, "BYE")
	return sc
}

func TestEachCallIsDrawnAsALadderWithItsPacketsUnderIt(t *testing.T) {
	for _, number := range []int{1, 2, 3} {
		sc := drawn(number)
		t.Run(sc.file, func(t *testing.T) {
			var out bytes.Buffer
			s := &stage{Options: Options{Out: &out}}
			sc.draw(&out, 3)
			sc.sum(s, []string{"somewhere/" + sc.file + "-caller.wav, 7.0 s"}, sc.review())
			golden := filepath.Join("..", "..", "testdata", "demo", sc.file+".txt")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755))
				require.NoError(t, os.WriteFile(golden, out.Bytes(), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), out.String())
			for _, r := range append(sc.rungs, fromRecord(sc.record)...) {
				assert.Contains(t, out.String(), " "+r.label, "a label is cut")
			}
			for line := range strings.Lines(out.String()) {
				assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 120, line)
			}
		})
	}
}

func TestALabelThatIsTooLongLeavesTheLadderStanding(t *testing.T) {
	for _, r := range []rung{
		{from: atCaller, to: atGateway, label: strings.Repeat("x", 200)},
		{from: atRecorder, to: atCaller, label: strings.Repeat("x", 200)},
		{from: atRecorder, to: atRecorder, label: strings.Repeat("x", 200)},
	} {
		line := []rune(r.line())
		require.LessOrEqual(t, len(line), full-clock)
		require.Equal(t, '│', line[0])
	}
}

func TestACallThatFailedIsDrawnAsFarAsItCame(t *testing.T) {
	sc := scenes()[0]
	sc.begun, sc.err = noon, errors.New("no answer")
	sc.mark(noon, atCaller, atGateway, "INVITE")
	var out bytes.Buffer
	sc.draw(&out, 3)
	sc.sum(&stage{Options: Options{Out: &out}}, nil, sc.review())
	require.Contains(t, out.String(), "INVITE")
	require.Contains(t, out.String(), "BROKEN    call 1: no answer")
	require.NotContains(t, out.String(), "held")
}

func TestARecordingWithoutAPacketHasNoFirstOne(t *testing.T) {
	sc := lawful(1)
	sc.record.Recordings[0].FirstPacketAt, sc.record.Recordings[0].LastPacketAt = time.Time{}, time.Time{}
	for _, r := range fromRecord(sc.record) {
		require.False(t, r.at.IsZero(), r.label)
	}
}
