package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"consentgw/internal/config"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stuck is a reader that takes nothing until it is released.
type stuck struct {
	release chan struct{}
	mu      sync.Mutex
	b       bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.release
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func TestNobodyWaitsForWhoReadsTheLog(t *testing.T) {
	s := &stuck{release: make(chan struct{})}
	log, end := patientLogger(config.Log{Level: "info", Format: "json"}, s)
	const lines = 3 * queuedLines
	for i := range lines {
		log.Info("a line", "i", i) // a logger that waited would never come back
	}
	close(s.release)
	end()
	kept := strings.Count(s.b.String(), "a line")
	require.GreaterOrEqual(t, kept, queuedLines)
	require.Less(t, kept, lines)
	assert.Contains(t, s.b.String(), "lines are missing")
}

func TestEveryLineOfALogThatIsReadComesInOrder(t *testing.T) {
	s := &stuck{release: make(chan struct{})}
	close(s.release)
	log, end := patientLogger(config.Log{Level: "info", Format: "text"}, s)
	log.Info("first")
	log.Debug("hidden")
	log.Info("second")
	end()
	end() // again: harmless
	got := s.b.String()
	assert.Less(t, strings.Index(got, "first"), strings.Index(got, "second"))
	assert.NotContains(t, got, "hidden")
	assert.NotContains(t, got, "missing")
}

func TestTheEndDoesNotWaitForAReaderThatIsStuck(t *testing.T) {
	s := &stuck{release: make(chan struct{})}
	log, end := patientLogger(config.Log{Level: "info"}, s)
	log.Info("never read")
	end() // a second at most
	close(s.release)
}
