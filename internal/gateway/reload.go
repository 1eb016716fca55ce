package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"consentgw/internal/call"
	"consentgw/internal/config"
)

// reloads is what a gateway knows of its configuration in force.
type reloads struct {
	mu      sync.Mutex     // one reload at a time; guards current
	current *config.Config // what Reload has put in force last
	// changed has an element when a configuration was put in force that the
	// probing of the targets has not noticed yet.
	changed chan struct{}
}

func newReloads(cfg *config.Config) reloads {
	return reloads{current: cfg, changed: make(chan struct{}, 1)}
}

var errNoReload = errors.New("this gateway cannot be reloaded: there is nothing to read again")

// Reload reads the configuration again and puts it in force, whole or not at all:
// routes, trunks, platforms with their targets, policies, recorders, prompts,
// limits, and what is in the files of certificates. Calls that are up are not
// touched: they follow the configuration that they began with.
//
// The error says all that is wrong, with line and column where there is one, and
// then everything is as it was. Log and metrics tell either way.
func (g *Gateway) Reload() error {
	g.reloads.mu.Lock()
	defer g.reloads.mu.Unlock()
	cfg, err := g.reread()
	if err == nil {
		err = g.putInForce(cfg)
	}
	g.metrics.Reloaded(err == nil)
	if err != nil {
		for problem := range strings.Lines(err.Error()) {
			g.opt.Log.Error("configuration refused: the old one stays in force", "problem", strings.TrimSpace(problem))
		}
		return err
	}
	g.current = cfg
	g.metrics.Configured(hashOf(cfg), g.opt.Now())
	g.opt.Log.Info("configuration reloaded", "hash", fmt.Sprintf("%012x", hashOf(cfg)), "trunks", len(cfg.Trunks),
		"platforms", len(cfg.Platforms), "policies", len(cfg.Policies), "routes", len(cfg.Routes))
	return nil
}

func (g *Gateway) reread() (*config.Config, error) {
	if g.opt.Reread == nil {
		return nil, errNoReload
	}
	cfg, findings := g.opt.Reread(g.current)
	for _, f := range findings {
		if f.Severity == config.Warning {
			g.opt.Log.Warn("configuration", "warning", f.String())
		}
	}
	return cfg, findings.Err()
}

// putInForce checks everything before it changes anything.
func (g *Gateway) putInForce(cfg *config.Config) error {
	if err := cfg.CheckFiles(g.opt.Now()).Err(); err != nil {
		return err
	}
	library, err := openPrompts(cfg)
	if err != nil {
		return err
	}
	plan, err := call.NewPlan(cfg, library, recorders(cfg, g.sides, g.opt.Log))
	if err != nil {
		return err
	}
	if err := sealPrompts(cfg, library); err != nil {
		return err
	}
	// The files were read just now: the first of these fails, or none.
	for _, s := range []side{g.sides.trunk, g.sides.platform, g.sides.recorder} {
		if s.sip != nil {
			if err := s.sip.ReloadTLS(); err != nil {
				return err
			}
		}
	}
	g.calls.Follow(plan)
	select {
	case g.changed <- struct{}{}:
	default: // not noticed yet
	}
	return nil
}

// obeyReloads reloads whenever Options.Reload says so, until ctx ends.
func (g *Gateway) obeyReloads(ctx context.Context) error {
	for {
		select {
		case <-g.opt.Reload:
			_ = g.Reload() // it has told the log
		case <-ctx.Done():
			return nil
		}
	}
}

// hashOf is the first 48 bits of a hash of all that a configuration says, but for
// its passwords.
func hashOf(cfg *config.Config) uint64 {
	text, err := json.Marshal(cfg.Redacted())
	if err != nil {
		return 0 // no value of it has an encoding that can fail
	}
	sum := sha256.Sum256(text)
	return binary.BigEndian.Uint64(sum[:8]) >> 16
}
