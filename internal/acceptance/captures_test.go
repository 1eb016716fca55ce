package acceptance

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKeysFromTheCapturesOfSIPp: events that are nobody's here, each in a stream
// of its own, agree and withdraw.
func TestKeysFromTheCapturesOfSIPp(t *testing.T) {
	needsReal(t)
	needsRaw(t)
	_, err := os.Stat("/usr/share/sip-tester/dtmf_2833_1.pcap")
	require.NoError(t, err, "the captures of Debian's sip-tester")
	t.Parallel()
	const count = 4
	s := newSite(t, plan{})
	s.start()
	platform := s.sippPlatform(count)
	calls := sippCalls("capture", count, "withdraw")
	for i := range calls {
		calls[i].way = "rtp"
	}
	s.sippCallersBy("captures", 2, calls, "capture").wait(s)
	platform.wait(s)
	records := s.recordsOf(calls)
	s.agreesWithRecorder(records, s.idle(1e9))
	for id, r := range records {
		require.Equal(t, "1", r.Press.Key, id)
		require.EqualValues(t, 101, r.Press.PayloadType, id)
		require.True(t, r.Press.EndSeen, id)
		require.Equal(t, "key", r.Withdrawal.Method, id)
		require.EqualValues(t, speechPackets, r.Recordings[0].Caller.Packets, "%s: the first of two pieces of speech", id)
	}
}
