package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
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
	points, err := Run(t.Context(), Options{
		Calls: []int{3}, Modes: []Mode{Relayed, Recorded}, Subjects: Subjects(), Runs: 1,
		Warm: 50 * time.Millisecond, Measure: 300 * time.Millisecond, Child: itself,
	})
	require.NoError(t, err)
	require.Len(t, points, 8)
	for _, p := range points {
		t.Run(fmt.Sprint(p.Mode, " ", p.Subject), func(t *testing.T) {
			assert.InDelta(t, 90, p.Sent, 30, "3 calls, 2 directions, 50 a second, 0.3 seconds")
			assert.Zero(t, p.Lost)
			assert.Zero(t, p.Uncopy)
			assert.Positive(t, p.CPU)
			assert.Positive(t, p.Median)
			assert.LessOrEqual(t, p.Median, p.P99)
		})
	}
}
