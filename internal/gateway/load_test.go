package gateway_test

import (
	"math"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNoCallIsTakenWhileTheProcessorsAreBusy(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	var load atomic.Uint64
	p.opt.CPU = func() float64 { return math.Float64frombits(load.Load()) }
	p.cfg.Limits.MaxCPU = 80
	p.aDesk(0)
	p.start(nil)
	load.Store(math.Float64bits(80))
	trunk := p.from("127.0.0.1")
	trunk.sends("INVITE")
	answer := trunk.reads(patience())
	require.Contains(t, answer, "SIP/2.0 503 Processor load too high\r\n")
	require.Contains(t, answer, "\r\nRetry-After: 5\r\n")
	require.Contains(t, answer, `Reason: SIP;cause=503;text="Processor load too high"`)
	require.Equal(t, []string{"overload"}, p.degraded())
	load.Store(math.Float64bits(79.9))
	require.Empty(t, p.degraded())
	p.dials([]string{"+31305550123"})
	p.picksUp(0)
	load.Store(math.Float64bits(100))
	p.talk() // calls that are up go on
}
