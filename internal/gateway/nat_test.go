package gateway_test

import (
	"net/netip"
	"testing"

	"consentgw/internal/config"

	"github.com/stretchr/testify/require"
)

// Behind a NAT each side is called what its far ends can reach. Here the name of
// loopback stands for that of the signalling, and its next addresses for those of
// the media.
func TestEachSideTellsTheAddressesThatAreAdvertised(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	p.cfg.Listen.Trunk.Advertise = config.Advertise{SIP: "localhost", Media: netip.MustParseAddr("127.0.0.2")}
	p.cfg.Listen.Platform.Advertise = config.Advertise{SIP: "localhost", Media: netip.MustParseAddr("127.0.0.3")}
	p.dials([]string{"+31305550123"})
	p.picksUp(0)
	require.Equal(t, "127.0.0.2", p.phone.Far().Addr().String())
	require.Equal(t, "127.0.0.3", p.arrival.line.Far().Addr().String())
	require.Contains(t, p.arrival.headers["Contact"], "sip:localhost:")
	require.Contains(t, p.arrival.headers["Via"], "SIP/2.0/UDP localhost:")
	require.Contains(t, p.arrival.headers["From"], "@localhost>")
	p.must(p.arrival.line.Hold(p.ctx)) // to the Contact, as every request in the dialog
	p.must(p.phone.Hangup(p.ctx))
	<-p.arrival.line.Ended()
}
