package gateway_test

import (
	"testing"

	"consentgw/internal/config"
	"consentgw/internal/gateway"

	"github.com/stretchr/testify/require"
)

func TestWhatIsNotSupportedYetIsRefusedAtStart(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(*config.Config){
		`trunk "carrier": srtp: required`: func(c *config.Config) { c.Trunks[0].SRTP = config.SRTPRequired },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			ask(s.cfg)
			_, err := gateway.Listen(s.cfg, s.opt)
			require.ErrorContains(t, err, name)
			require.ErrorContains(t, err, "not supported yet")
			failures, _ := gateway.Check(t.Context(), s.cfg)
			require.NotEmpty(t, failures)
		})
	}
}
