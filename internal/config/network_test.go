package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMarksAreNumbersOrTheirNames(t *testing.T) {
	for in, want := range map[string]int{"0": 0, "63": 63, "46": 46, "EF": 46, "ef": 46, "CS0": 0, "cs5": 40, "CS7": 56, "AF11": 10, "AF31": 26, "AF43": 38} {
		got, err := parseDSCP(in)
		assert.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{"", "64", "-1", "046", "CS8", "CS", "AF51", "AF14", "AF1", "BE", "EF ", "CS-1"} {
		_, err := parseDSCP(in)
		assert.Error(t, err, in)
	}
}
