package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentgw/internal/bench"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shortBench is a bench whose children are this test binary.
func shortBench(t *testing.T, args ...string) result {
	t.Setenv(asCommand, "1")
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	return consentgw(t, append([]string{"bench", "--runs", "1", "--calls", "2", "--mode", "recorded", "--warm", "50ms", "--measure", "500ms"}, args...)...)
}

func TestABenchPrintsATableAndDrawsAPicture(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "bench.svg")
	r := shortBench(t, "--subject", "loops,bare", "--svg", picture)
	require.Equal(t, exitOK, r.code, r.stderr)
	assert.Equal(t, 3, strings.Count(r.stdout, "\n"), r.stdout)
	assert.Contains(t, r.stdout, "loops")
	assert.Contains(t, r.stdout, "1.00", "the bare loop is the measure")
	assert.Equal(t, 2, strings.Count(r.stderr, "2 recorded calls through"), "each measurement is told of")
	svg, err := os.ReadFile(picture)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(svg), "<svg "))
}

func TestABenchPrintsJSON(t *testing.T) {
	r := shortBench(t, "--subject", "plain", "--svg", "", "--json")
	require.Equal(t, exitOK, r.code, r.stderr)
	var points []bench.Point
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &points))
	require.Len(t, points, 1)
	assert.Equal(t, bench.Plain, points[0].Subject)
	assert.Positive(t, points[0].CPU)
}

func TestABenchRefusesWhatItCannotMeasure(t *testing.T) {
	for _, args := range [][]string{{"--calls", "0"}, {"--calls", "many"}, {"--mode", "taped"}, {"--subject", "asterisk"}, {"--runs", "0"}, {"--measure", "1h"}} {
		r := consentgw(t, append([]string{"bench"}, args...)...)
		assert.Equal(t, exitUsage, r.code, args)
		assert.Empty(t, r.stdout)
	}
	r := consentgw(t, "bench", "--svg", filepath.Join(t.TempDir(), "none", "bench.svg"))
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, "--svg")
}
