//go:build !race

package media

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"consentgw/internal/sdp"
)

// Not under the race detector: it keeps the compiler from putting on the stack
// what the cipher puts there otherwise.
func TestSRTPDoesNotAllocateOnThePacketPath(t *testing.T) {
	for _, suite := range sdp.Suites() {
		l := recorded(t)
		caller := secure(t, l.a, l.caller.far(), suite)
		secure(t, l.b, l.callee.far(), suite)
		const n = 200
		var packets [][]byte
		l.caller.SequenceNumber = 1
		for range n + 2 {
			packets = append(packets, caller.says.seal(l.caller.voice(frameOf(1)), 0))
		}
		i := 0
		next := func() { l.hear(l.a, time.Now(), packets[i], l.caller.addr); i++ }
		next() // the first one builds what stays
		assert.Zero(t, testing.AllocsPerRun(n, next), suite)
		assert.EqualValues(t, n+2, l.b.Stats().Sent)
		assert.EqualValues(t, n+2, l.a.tap.Load().Counts().Sent+l.a.tap.Load().Counts().Lost)
	}
}
