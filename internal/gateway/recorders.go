package gateway

import (
	"context"

	"consentgw/consent"
	"consentgw/internal/call"
	"consentgw/internal/config"
	"consentgw/internal/media"
	"consentgw/internal/rtprecorder"
)

// recorders builds the recorders that can be used. A route that names another
// is refused by the plan.
func recorders(cfg *config.Config, ports *media.Ports) []call.Recorder {
	var list []call.Recorder
	for _, c := range cfg.Recorders {
		if c.Type != "rtp" {
			continue
		}
		r := rtprecorder.New(rtprecorder.Config{Name: c.Name, Caller: c.Caller, Agent: c.Agent, Ports: ports})
		list = append(list, call.Recorder{Name: c.Name,
			Open: func(ctx context.Context, p consent.Permit, g *media.Gate) (call.Recording, error) {
				return r.Open(ctx, p, g)
			}})
	}
	return list
}
