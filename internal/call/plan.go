package call

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/headers"
	"consentgw/internal/limit"
	"consentgw/internal/route"
	"consentgw/internal/target"
	"consentgw/prompts"
	"consentgw/sip"
)

// Plan is the configuration as calls use it: looked up once, then followed. It
// does not change, but for what it learns of limits and targets.
type Plan struct {
	table     *route.Table
	rates     map[string]*limit.Bucket // calls per second, by trunk
	paths     map[string]*path         // by route
	platforms []*Platform
	carriers  []*Carrier
	copies    []config.Recorder // where copies go
	maxCalls  int
	maxCPU    int            // percent; 0: no limit
	sources   *limit.Sources // what each source may send; nil: anything
	perSource limit.SourcesConfig
	silence   config.MediaTimeout
}

// path is one route with everything it refers to.
type path struct {
	name      string
	policy    *consent.Policy // nil: a plain relay, nobody is asked
	notice    *prompts.Notice
	dialEarly bool // the agent's telephone rings while the caller is asked
	platform  *Platform
	carrier   *Carrier // of an outbound route, where the calls go; else nil
	recorders []Recorder
	maxPause  time.Duration // 0: a pause has no end of its own
	holdBack  time.Duration // of keys that a sequence may begin with
	tone      config.Tone
}

// targets are the addresses that the calls of the path are dialed at.
func (r *path) targets() *target.Set {
	if r.carrier != nil {
		return r.carrier.Targets
	}
	return r.platform.Targets
}

// Platform is a contact center with the addresses of its targets.
type Platform struct {
	config.Platform
	Targets *target.Set
}

// Carrier is a trunk with the addresses of its targets, of which it may have none.
type Carrier struct {
	config.Trunk
	Targets *target.Set
}

// NewPlan resolves every reference of the configuration. Recorders are given
// by name. All problems are reported, not only the first.
func NewPlan(cfg *config.Config, library *prompts.Library, recorders []Recorder) (*Plan, error) {
	table, err := route.New(cfg)
	if err != nil {
		return nil, err
	}
	p := &Plan{table: table, rates: map[string]*limit.Bucket{}, paths: map[string]*path{},
		copies: cfg.Recorders, maxCalls: cfg.Limits.MaxCalls, maxCPU: cfg.Limits.MaxCPU, silence: cfg.Dialogs.MediaTimeout}
	p.limitSources(limit.SourcesConfig{PerSecond: cfg.Limits.PerSourceCPS, DropAfter: cfg.Limits.DropAfter})
	for _, t := range cfg.Trunks {
		p.rates[t.Name] = limit.NewBucket(t.MaxCPS)
		p.carriers = append(p.carriers, &Carrier{t, target.New(t.Destination, nil)})
	}
	for _, c := range cfg.Platforms {
		p.platforms = append(p.platforms, &Platform{c, target.New(c.Destination, nil)})
	}
	var problems []error
	for _, c := range cfg.Routes {
		r, err := p.newPath(cfg, c, library, recorders)
		problems = append(problems, err)
		p.paths[c.Name] = r
	}
	return p, errors.Join(problems...)
}

// recordsAt reports whether a recorder takes copies at addr.
func (p *Plan) recordsAt(addr netip.AddrPort) bool {
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	return slices.ContainsFunc(p.copies, func(r config.Recorder) bool { return r.Caller == addr || r.Agent == addr })
}

// Platforms are those of the configuration, in its order.
func (p *Plan) Platforms() []*Platform { return p.platforms }

// Carriers are the trunks of the configuration, in its order.
func (p *Plan) Carriers() []*Carrier { return p.carriers }

func (p *Plan) newPath(cfg *config.Config, c config.Route, library *prompts.Library, recorders []Recorder) (*path, error) {
	var problems []error
	r := &path{name: c.Name}
	if i := slices.IndexFunc(p.platforms, func(p *Platform) bool { return p.Name == c.Platform }); i >= 0 {
		r.platform = p.platforms[i]
	} else {
		problems = append(problems, fmt.Errorf("route %q: unknown platform %q", c.Name, c.Platform))
	}
	if c.Outbound {
		i := slices.IndexFunc(p.carriers, func(t *Carrier) bool { return t.Name == c.Trunk })
		if i < 0 {
			return nil, errors.Join(append(problems, fmt.Errorf("route %q: unknown trunk %q", c.Name, c.Trunk))...)
		}
		r.carrier = p.carriers[i]
	}
	if c.Policy != "" {
		problems = append(problems, r.ask(cfg, c.Policy, library))
	}
	for _, name := range c.Recorders {
		i := slices.IndexFunc(recorders, func(r Recorder) bool { return r.Name == name })
		if i < 0 {
			problems = append(problems, fmt.Errorf("route %q: recorder %q cannot be used", c.Name, name))
			continue
		}
		r.recorders = append(r.recorders, recorders[i])
	}
	return r, errors.Join(problems...)
}

// ask gives r the policy and its notice in its language.
func (r *path) ask(cfg *config.Config, name string, library *prompts.Library) error {
	i := slices.IndexFunc(cfg.Policies, func(p config.Policy) bool { return p.Name == name })
	if i < 0 {
		return fmt.Errorf("route %q: unknown policy %q", r.name, name)
	}
	r.policy = policyOf(cfg.Policies[i])
	r.dialEarly = cfg.Policies[i].Dial == config.DialDuringNotice
	r.maxPause, r.holdBack, r.tone = cfg.Policies[i].MaxPause, cfg.Policies[i].HoldBack, cfg.Policies[i].Tone
	notice, err := library.Notice(r.policy.Notice, r.policy.Language)
	if err != nil {
		return fmt.Errorf("policy %q: %w", name, err)
	}
	r.notice = notice
	return checkNotice(r.policy, notice)
}

func policyOf(c config.Policy) *consent.Policy {
	return &consent.Policy{
		Name:          c.Name,
		Controller:    consent.Controller(c.Controller),
		Jurisdiction:  c.Jurisdiction,
		Basis:         c.Basis,
		Purposes:      c.Purposes,
		Ask:           consent.Ask(c.Ask),
		Notice:        c.Notice,
		Language:      c.Language,
		Keys:          consent.Keys(c.Keys),
		AnswerTimeout: c.AnswerTimeout,
		Retries:       c.Retries,
		Retention:     consent.Retention{Record: string(c.Retention.Record), Recording: string(c.Retention.Recording)},
	}
}

// journey is what the plan says of one INVITE.
type journey struct {
	*path
	plan     *Plan
	trunk    config.Trunk
	caller   identity
	from, to string          // the numbers as the far side shall see them
	auth     *config.Auth    // what the sender of the INVITE has to know; nil: nothing
	passed   []headers.Field // of the caller's INVITE
}

// find takes an INVITE to its trunk and its route, or says why it may not go on.
// identities are the names that the sender's certificate proves.
func (p *Plan) find(source netip.Addr, identities []string, who sip.Identity, to string, now time.Time) (journey, *refusal) {
	j := journey{plan: p}
	var ok bool
	if j.trunk, ok = p.table.Trunk(source.Unmap(), identities); !ok {
		return j, refuseUnknownTrunk
	}
	j.caller = identify(who, j.trunk)
	choice, ok := p.table.Match(j.trunk.Name, j.caller.number, to, now)
	if !ok {
		return j, refuseNoRoute
	}
	j.path, j.from, j.to = p.paths[choice.Route.Name], choice.From, choice.To
	j.auth = j.trunk.Auth
	return j, nil
}

// findOutbound is find for an INVITE on the platforms' side. The trunk is where
// the call goes.
func (p *Plan) findOutbound(source netip.Addr, identities []string, who sip.Identity, to string, now time.Time) (journey, *refusal) {
	j := journey{plan: p}
	platform, ok := p.table.Platform(source.Unmap(), identities)
	if !ok {
		return j, refuseUnknownPlatform
	}
	j.caller = identify(who, config.Trunk{Identity: config.IdentityTrusted})
	choice, ok := p.table.MatchOutbound(platform.Name, j.caller.number, to, now)
	if !ok {
		return j, refuseNoRoute
	}
	j.path, j.from, j.to = p.paths[choice.Route.Name], choice.From, choice.To
	j.trunk, j.auth = j.carrier.Trunk, platform.Auth
	return j, nil
}
