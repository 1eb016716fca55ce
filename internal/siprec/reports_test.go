package siprec_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/recordserver"
)

// RFC 7866 section 8.1.1: a recorder learns by RTCP what was sent, and that no more
// comes; with SRTP in its encrypted form.
func TestARecorderLearnsByReportsWhatWasSent(t *testing.T) {
	for name, srtp := range map[string]bool{"in clear": false, "encrypted": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			cfg := r.config()
			cfg.SRTP = srtp
			recording := r.record(cfg)
			s := r.session(0)
			require.True(t, s.Offers()[0].Media[0].RTCPMux)
			r.speak(12)
			r.until(func() bool { return len(s.Packets("1")) == 12 && len(s.Packets("2")) == 12 })
			recording.Close()
			r.over(s)
			for _, label := range []string{"1", "2"} {
				got := s.Reports(label)
				assert.Equal(t, recordserver.Reports{Sender: 1, SSRC: s.Packets(label)[0].SSRC, Packets: 12, Names: 1, Goodbye: true}, got)
			}
		})
	}
}
