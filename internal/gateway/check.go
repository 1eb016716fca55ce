package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"consentgw/internal/call"
	"consentgw/internal/config"
	"consentgw/internal/redisstore"
	"consentgw/prompts"
)

// Check validates what a configuration needs from the world beyond its own
// text. Errors keep the gateway from starting; warnings are neighbours that
// cannot be reached just now.
func Check(ctx context.Context, cfg *config.Config) (failures, warnings []error) {
	for _, f := range cfg.CheckFiles(time.Now()) {
		if f.Severity == config.Error {
			failures = append(failures, errors.New(f.Text))
		} else {
			warnings = append(warnings, errors.New(f.Text))
		}
	}
	library, err := prompts.Open(cfg.Prompts.Dir)
	if err != nil {
		failures = append(failures, fmt.Errorf("prompts: %w", err))
	} else if _, err := call.NewPlan(cfg, library, recorders(cfg, sides{}, nil)); err != nil {
		failures = append(failures, err)
	}
	for _, bind := range addresses(cfg) {
		if err := bind.try(ctx); err != nil {
			warnings = append(warnings, fmt.Errorf("%s cannot be bound just now (a gateway that is running holds it): %w", bind.name, err))
		}
	}
	if err := checkRedis(ctx, cfg); err != nil {
		warnings = append(warnings, fmt.Errorf("store.redis cannot be reached just now: %w", err))
	}
	return failures, warnings
}

// binding is one address that the gateway will listen on.
type binding struct{ name, network, addr string }

func addresses(cfg *config.Config) []binding {
	list := []binding{{"listen.api", "tcp", cfg.Listen.API}}
	for name, side := range map[string]config.Side{"trunk": cfg.Listen.Trunk, "platform": cfg.Listen.Platform, "recorder": cfg.Listen.Recorder} {
		for _, a := range side.SIP {
			network := "tcp"
			if a.Transport == "udp" {
				network = "udp"
			}
			list = append(list, binding{"listen." + name + ".sip", network, a.Addr.String()})
		}
	}
	return list
}

func (b binding) try(ctx context.Context) error {
	var lc net.ListenConfig
	if b.network == "udp" {
		c, err := lc.ListenPacket(ctx, "udp", b.addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
	l, err := lc.Listen(ctx, "tcp", b.addr)
	if err != nil {
		return err
	}
	return l.Close()
}

func checkRedis(ctx context.Context, cfg *config.Config) error {
	r := cfg.Store.Redis
	if r == nil {
		return nil
	}
	store, err := redisstore.Open(redisstore.Config{Addrs: r.Addrs, Username: r.Username, Password: r.Password,
		Database: r.Database, TLS: r.TLS, Timeout: r.Timeout})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*r.Timeout)
	defer cancel()
	return errors.Join(store.Ping(ctx), store.Close())
}
