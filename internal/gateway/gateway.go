// Package gateway builds the gateway by hand, in order, from a configuration:
// sockets first, so that a taken port is an error to whoever starts it, then
// what serves them.
package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"consentgw/consent"
	"consentgw/internal/api"
	"consentgw/internal/boltstore"
	"consentgw/internal/call"
	"consentgw/internal/config"
	"consentgw/internal/limit"
	"consentgw/internal/media"
	"consentgw/internal/metrics"
	"consentgw/internal/redisstore"
	"consentgw/internal/spool"
	"consentgw/prompts"
	"consentgw/sip"
)

// Options are what a configuration file does not say.
type Options struct {
	Version string
	Log     *slog.Logger
	Drain   time.Duration // how long calls may finish after the end was asked for
	Now     consent.Clock // nil: time.Now
	Rest    time.Duration // quarantine of media ports; 0: 30 s
	Store   consent.Store // nil: what the configuration says
	// CPU is how much of all processors' time the process uses, in percent; nil:
	// it is measured.
	CPU func() float64
	// Reread is the configuration as it is to be from now on, for a gateway that
	// runs on old; nil: it cannot be reloaded. Reload asks for it.
	Reread func(old *config.Config) (*config.Config, config.Findings)
	Reload <-chan struct{} // each receipt is a call of Gateway.Reload; may be nil
	Hurry  <-chan struct{} // closed when the drain is to end at once; may be nil
}

// Gateway is a gateway whose sockets are bound.
type Gateway struct {
	opt Options
	cfg *config.Config // at the start; of what Reload cannot change
	reloads
	sides    sides
	api      net.Listener
	store    consent.Store
	spool    *spool.Spool
	journal  *call.Journal
	calls    *call.Service
	metrics  *metrics.Set
	health   *health
	load     *limit.Load
	storeFor time.Duration
}

// Listen binds everything that cfg names, or nothing.
func Listen(cfg *config.Config, opt Options) (g *Gateway, err error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	load := limit.NewLoad(runtime.GOMAXPROCS(0))
	if opt.CPU == nil {
		opt.CPU = load.Percent
	}
	g = &Gateway{opt: opt, load: load, cfg: cfg, reloads: newReloads(cfg), metrics: metrics.New(opt.Version), storeFor: storeTimeout(cfg)}
	defer func(bound *Gateway) { // g is nil by then
		if err != nil {
			err = errors.Join(err, bound.release())
		}
	}(g)
	if err := os.MkdirAll(cfg.Node.Data, 0o700); err != nil {
		return nil, fmt.Errorf("node.data: %w", err)
	}
	library, err := openPrompts(cfg)
	if err != nil {
		return nil, err
	}
	if err := sealPrompts(cfg, library); err != nil {
		return nil, err
	}
	if err := g.openSides(); err != nil {
		return nil, err
	}
	if g.api, err = api.Listen(cfg.Listen.API); err != nil {
		return nil, fmt.Errorf("listen.api: %w", err)
	}
	if err := g.openStore(); err != nil {
		return nil, err
	}
	plan, err := call.NewPlan(cfg, library, recorders(cfg, g.sides, opt.Log))
	if err != nil {
		return nil, err
	}
	g.build(plan)
	return g, nil
}

func openPrompts(cfg *config.Config) (*prompts.Library, error) {
	library, err := prompts.Open(cfg.Prompts.Dir)
	if err != nil {
		return nil, fmt.Errorf("prompts: %w", err)
	}
	return library, nil
}

// sealPrompts holds the notices against those that were in force before.
func sealPrompts(cfg *config.Config, library *prompts.Library) error {
	if err := library.Seal(filepath.Join(cfg.Node.Data, "prompts.json")); err != nil {
		return fmt.Errorf("prompts: %w", err)
	}
	return nil
}

func storeTimeout(cfg *config.Config) time.Duration {
	if cfg.Store.Redis != nil {
		return cfg.Store.Redis.Timeout
	}
	return 2 * time.Second // a local disk that takes longer is broken
}

func (g *Gateway) openStore() error {
	if g.opt.Store != nil {
		g.store = g.opt.Store
		return nil
	}
	r := g.cfg.Store.Redis
	if r == nil {
		store, err := boltstore.Open(filepath.Join(g.cfg.Node.Data, "records.db"))
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		g.store = store
		return nil
	}
	store, err := redisstore.Open(redisstore.Config{Addrs: r.Addrs, Username: r.Username, Password: r.Password,
		Database: r.Database, TLS: r.TLS, Timeout: r.Timeout})
	if err != nil {
		return fmt.Errorf("store.redis: %w", err)
	}
	g.store = store
	if g.spool, err = spool.Open(filepath.Join(g.cfg.Node.Data, "spool.db")); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

func (g *Gateway) build(plan *call.Plan) {
	g.journal = call.NewJournal(call.JournalConfig{
		Store: g.store, Spool: g.spool, Name: call.ProcessName(g.cfg.Node.ID),
		Timeout: g.storeFor, Metrics: g.metrics, Log: g.opt.Log,
	})
	g.calls = call.New(call.Config{
		Node: g.cfg.Node.ID, Plan: plan, Platform: g.sides.platform.sip, Trunk: g.sides.trunk.sip,
		TrunkPorts: g.sides.trunk.ports, PlatformPorts: g.sides.platform.ports,
		CPU:   g.opt.CPU,
		Store: g.store, Journal: g.journal, StoreTimeout: g.storeFor, StoreFault: redisstore.Reason,
		Metrics: g.metrics, Log: g.opt.Log, Now: g.opt.Now,
	})
	g.health = newHealth(g)
	g.metrics.Configured(hashOf(g.cfg), g.opt.Now())
}

// release gives back what Listen took, in reverse.
func (g *Gateway) release() error {
	var problems []error
	if g.spool != nil {
		problems = append(problems, g.spool.Close())
	}
	if g.store != nil && g.opt.Store == nil {
		problems = append(problems, g.store.Close())
	}
	if g.api != nil {
		if err := g.api.Close(); !errors.Is(err, net.ErrClosed) {
			problems = append(problems, err)
		}
	}
	for _, s := range []side{g.sides.recorder, g.sides.platform, g.sides.trunk} {
		if s.ports != nil {
			problems = append(problems, s.ports.Close())
		}
		if s.sip != nil {
			problems = append(problems, s.sip.Close())
		}
	}
	return errors.Join(problems...)
}

// TrunkAddrs are the addresses that carriers send INVITEs to.
func (g *Gateway) TrunkAddrs() []sip.Addr { return g.sides.trunk.sip.Addrs() }

// PlatformAddrs are the addresses that platforms send INVITEs to.
func (g *Gateway) PlatformAddrs() []sip.Addr { return g.sides.platform.sip.Addrs() }

// APIAddr is where the HTTP API listens.
func (g *Gateway) APIAddr() netip.AddrPort { return g.api.Addr().(*net.TCPAddr).AddrPort() }

// Ports are the counts of the media ports in use, by side.
func (g *Gateway) Ports() map[string]media.PortCounts {
	return map[string]media.PortCounts{
		"trunk":    g.sides.trunk.ports.Counts(),
		"platform": g.sides.platform.ports.Counts(),
		"recorder": g.sides.recorder.ports.Counts(),
	}
}

// Records is the store of this gateway.
func (g *Gateway) Records() consent.Store { return g.store }
