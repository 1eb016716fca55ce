package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// roleVariable makes this test binary a child of itself.
const roleVariable = "CONSENTGW_BENCH_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := Serve(Role(role), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func itself(ctx context.Context, role Role) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	// The race detector else sleeps a second at the end of a process.
	cmd.Env = append(os.Environ(), roleVariable+"="+string(role), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	return cmd
}

func TestEverySubjectRelaysAndCopiesEveryPacket(t *testing.T) {
	subjects := slices.DeleteFunc(Subjects(), func(s Subject) bool { return s == RTPEngine })
	measureAll(t, subjects)
}

func TestRTPEngineRelaysAndCopiesEveryPacket(t *testing.T) {
	if slices.Contains(Comparison(), RTPEngine) {
		measureAll(t, []Subject{RTPEngine})
	} else {
		require.Empty(t, os.Getenv("CONSENTGW_REQUIRE_REAL"), "rtpengine is not installed")
	}
}

func measureAll(t *testing.T, subjects []Subject) {
	points, err := Run(t.Context(), Options{
		Calls: []int{3}, Modes: []Mode{Relayed, Recorded}, Subjects: subjects, Runs: 1,
		Warm: 50 * time.Millisecond, Measure: 300 * time.Millisecond, Child: itself,
	})
	require.NoError(t, err)
	require.Len(t, points, 2*len(subjects))
	for _, p := range points {
		t.Run(fmt.Sprint(p.Mode, " ", p.Subject), func(t *testing.T) {
			assert.Positive(t, p.Sent)
			assert.Positive(t, p.Pace)
			assert.LessOrEqual(t, p.Pace, 1.3, "3 calls, 2 directions, 50 a second")
			assert.Zero(t, p.Lost)
			assert.Zero(t, p.Uncopy)
			assert.Positive(t, p.CPU)
			assert.Positive(t, p.Median)
			assert.LessOrEqual(t, p.Median, p.P99)
		})
	}
}

func options() Options {
	return Options{Calls: []int{1}, Modes: []Mode{Recorded}, Subjects: []Subject{Loops}, Runs: 1, Measure: 10 * time.Minute, Child: itself}
}

func TestOptionsThatMeasureNothingAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no calls":         func(o *Options) { o.Calls = nil },
		"zero calls":       func(o *Options) { o.Calls = []int{50, 0} },
		"too many calls":   func(o *Options) { o.Calls = []int{5001} },
		"no mode":          func(o *Options) { o.Modes = nil },
		"unknown mode":     func(o *Options) { o.Modes = []Mode{"taped"} },
		"no subject":       func(o *Options) { o.Subjects = nil },
		"unknown subject":  func(o *Options) { o.Subjects = []Subject{"asterisk"} },
		"no run":           func(o *Options) { o.Runs = 0 },
		"too short":        func(o *Options) { o.Measure = time.Millisecond },
		"too long":         func(o *Options) { o.Measure = time.Hour },
		"negative warm-up": func(o *Options) { o.Warm = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			change(&o)
			_, err := Run(t.Context(), o)
			assert.ErrorIs(t, err, ErrOptions)
		})
	}
}

var errEnough = errors.New("enough")

func TestABenchEndsWithItsContextAndLeavesNoProcess(t *testing.T) {
	ctx, end := context.WithCancelCause(t.Context())
	var children []*exec.Cmd
	o := options()
	o.Child = func(ctx context.Context, role Role) *exec.Cmd {
		children = append(children, itself(ctx, role))
		if len(children) == 2 {
			time.AfterFunc(300*time.Millisecond, func() { end(errEnough) })
		}
		return children[len(children)-1]
	}
	_, err := Run(ctx, o)
	require.ErrorIs(t, err, errEnough)
	require.Len(t, children, 2)
	for _, c := range children {
		assert.NotNil(t, c.ProcessState, "it was waited for")
	}
}

func TestAChildThatFailsIsAnError(t *testing.T) {
	for name, command := range map[string][]string{
		"cannot be started": {"/does/not/exist"},
		"says nothing":      {"true"},
		"says nonsense":     {"echo", "nonsense"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, bad := range []Role{roleGenerator, roleSubject} {
				o := options()
				o.Child = func(ctx context.Context, role Role) *exec.Cmd {
					if role == bad {
						return exec.CommandContext(ctx, command[0], command[1:]...)
					}
					return itself(ctx, role)
				}
				_, err := Run(t.Context(), o)
				assert.ErrorContains(t, err, "1 recorded calls through loops")
			}
		})
	}
}

func TestAChildAnswersWhatItCannotDo(t *testing.T) {
	serve := func(role Role, requests string) (string, error) {
		var out strings.Builder
		err := Serve(role, strings.NewReader(requests), &out)
		return out.String(), err
	}
	for _, role := range []Role{roleGenerator, roleSubject} {
		out, err := serve(role, `{"ask":"dance"}`)
		require.NoError(t, err)
		assert.Contains(t, out, `cannot answer \"dance\"`)
		_, err = serve(role, "{")
		assert.Error(t, err)
	}
	out, err := serve(roleGenerator, `{"ask":"send"}`)
	require.NoError(t, err)
	assert.Contains(t, out, "nowhere to send to")
	for _, early := range []string{`{"ask":"open"}`, `{"ask":"usage"}`, `{"ask":"start"}`, `{"ask":"start","spec":{"subject":"bare"}}{"ask":"open"}`} {
		out, err = serve(roleSubject, early)
		require.NoError(t, err)
		assert.Contains(t, out, "one set of calls")
	}
	out, err = serve(roleSubject, `{"ask":"start","spec":{"subject":"bare"}}{"ask":"dance"}`)
	require.NoError(t, err)
	assert.Contains(t, out, `cannot answer \"dance\"`)
	_, err = serve("conductor", "")
	assert.ErrorContains(t, err, "no such role")
}
