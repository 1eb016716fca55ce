package redisstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"consentgw/consent"
	"consentgw/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slow is a time-out that a busy machine keeps.
const slow = 10 * time.Second

func openAt(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestContract(t *testing.T) {
	addr, _ := storetest.Redis(t)
	n := 0
	storetest.Run(t, func(t *testing.T) consent.Store {
		n++ // a prefix each is an empty store each
		return openAt(t, Config{Addrs: []string{addr}, Prefix: fmt.Sprintf("t%d:", n), Timeout: slow})
	})
}
