package gateway

import (
	"fmt"

	"consentgw/internal/config"
	"consentgw/internal/media"
	"consentgw/sip"
)

// side is one face toward the network.
type side struct {
	sip   *sip.Endpoint
	ports *media.Ports
}

type sides struct{ trunk, platform, recorder side }

// openSides binds the SIP listeners. Media ports are bound call by call.
func (g *Gateway) openSides() error {
	network := g.cfg.Network
	engine := media.NewEngine(media.EngineConfig{}) // one, so that the two streams of a call share a loop
	for _, s := range []struct {
		name string
		cfg  config.Side
		side *side
	}{
		{"trunk", g.cfg.Listen.Trunk, &g.sides.trunk},
		{"platform", g.cfg.Listen.Platform, &g.sides.platform},
		{"recorder", g.cfg.Listen.Recorder, &g.sides.recorder},
	} {
		var listen []string
		for _, a := range s.cfg.SIP {
			listen = append(listen, a.String())
		}
		if len(listen) > 0 {
			endpoint, err := sip.Listen(sip.Config{
				Listen: listen, Advertise: s.cfg.Advertise.SIP, TLS: serverTLS(s.cfg.TLS), Admission: g.doorOf(s.name),
				SessionTimer: sip.SessionTimer(g.sessionTimer()), KeepAlive: network.KeepAlive, DSCP: network.DSCP.Signalling,
				Log: g.opt.Log,
			})
			if err != nil {
				return fmt.Errorf("listen.%s.sip: %w", s.name, err)
			}
			s.side.sip = endpoint
		}
		s.side.ports = media.NewPorts(media.PortsConfig{
			Addr: s.cfg.Media, Public: s.cfg.Advertise.Media, Low: s.cfg.Ports.Low, High: s.cfg.Ports.High,
			DSCP: mediaMark(network.DSCP), Rest: g.opt.Rest, Engine: engine,
		})
	}
	return nil
}

// sessionTimer is that of every leg. Without an interval its minimum means
// nothing.
func (g *Gateway) sessionTimer() config.SessionTimer {
	t := g.cfg.Dialogs.SessionTimer
	if t.Interval == 0 {
		t.Min = 0
	}
	return t
}

// serverTLS is how a side shows who it is; nil: it has no TLS listener.
func serverTLS(c *config.TLS) *sip.TLS {
	if c == nil {
		return nil
	}
	return &sip.TLS{CertFile: c.Cert, KeyFile: c.Key, CAFile: c.CA, ClientAuth: sip.ClientAuth(c.ClientAuth)}
}

// mediaMark is the DSCP in the form of package media, in which 0 is the default.
func mediaMark(d config.DSCP) int {
	if d.Media == 0 {
		return -1
	}
	return d.Media
}
