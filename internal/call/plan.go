package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/media"
	"consentgw/prompts"
)

// Recorder opens the copies of one call at one recorder. Open refuses without a
// valid permit.
type Recorder struct {
	Name string
	Open func(ctx context.Context, p consent.Permit, g *media.Gate) (Recording, error)
}

// Recording is one call at one recorder.
type Recording interface {
	Caller() *media.Tap // copies of what the caller sends
	Agent() *media.Tap  // copies of what the platform sends
	Fault() string      // why copies are missing; empty if nothing is known
	Close()
}

// Plan is the configuration as calls use it: looked up once, then followed.
// It does not change.
type Plan struct {
	config *config.Config
	routes map[string]*route
}

// route is one route with everything it refers to.
type route struct {
	name      string
	policy    *consent.Policy // nil: a plain relay, nobody is asked
	notice    *prompts.Notice
	platform  *platform
	recorders []Recorder
}

// NewPlan resolves every reference of the configuration. Recorders are given
// by name. All problems are reported, not only the first.
func NewPlan(cfg *config.Config, library *prompts.Library, recorders []Recorder) (*Plan, error) {
	p := &Plan{config: cfg, routes: map[string]*route{}}
	platforms := map[string]*platform{}
	for _, c := range cfg.Platforms {
		platforms[c.Name] = newPlatform(c)
	}
	var problems []error
	for _, c := range cfg.Routes {
		r := &route{name: c.Name, platform: platforms[c.Platform]}
		if r.platform == nil {
			problems = append(problems, fmt.Errorf("route %q: unknown platform %q", c.Name, c.Platform))
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
		p.routes[c.Name] = r
	}
	return p, errors.Join(problems...)
}

// ask gives r the policy and its notice in its language.
func (r *route) ask(cfg *config.Config, name string, library *prompts.Library) error {
	i := slices.IndexFunc(cfg.Policies, func(p config.Policy) bool { return p.Name == name })
	if i < 0 {
		return fmt.Errorf("route %q: unknown policy %q", r.name, name)
	}
	r.policy = policyOf(cfg.Policies[i])
	notice, err := library.Notice(r.policy.Notice, r.policy.Language)
	if err != nil {
		return fmt.Errorf("policy %q: %w", name, err)
	}
	r.notice = notice
	return nil
}

func policyOf(c config.Policy) *consent.Policy {
	return &consent.Policy{
		Name:          c.Name,
		Controller:    consent.Controller(c.Controller),
		Jurisdiction:  c.Jurisdiction,
		Basis:         c.Basis,
		Purposes:      c.Purposes,
		Notice:        c.Notice,
		Language:      c.Language,
		Keys:          consent.Keys(c.Keys),
		AnswerTimeout: c.AnswerTimeout,
		Retries:       c.Retries,
		Retention:     consent.Retention{Record: string(c.Retention.Record), Recording: string(c.Retention.Recording)},
	}
}

// trunk finds the trunk that owns a source address.
func (p *Plan) trunk(source netip.Addr) (config.Trunk, bool) {
	source = source.Unmap()
	for _, t := range p.config.Trunks {
		if slices.ContainsFunc(t.From, func(n netip.Prefix) bool { return n.Contains(source) }) {
			return t, true
		}
	}
	return config.Trunk{}, false
}

// route finds the route of a called number; the first match wins.
func (p *Plan) route(trunk, called string) (*route, bool) {
	c, ok := p.config.Route(trunk, called)
	if !ok {
		return nil, false
	}
	return p.routes[c.Name], true
}

// platform is a contact center with its targets.
type platform struct {
	name    string
	answer  time.Duration
	targets []*target
}

type target struct {
	config.Target
	// failedAt is when it last failed a call, Unix milliseconds; 0 never.
	failedAt atomic.Int64
}

// shunned is how long a target that failed a call is tried last: long enough
// that a dead one does not delay every caller, short enough to come back soon.
const shunned = 20 * time.Second

func newPlatform(c config.Platform) *platform {
	p := &platform{name: c.Name, answer: c.AnswerTimeout}
	for _, t := range c.Targets {
		p.targets = append(p.targets, &target{Target: t})
	}
	return p
}

// order is the targets as one call tries them: by priority, by weighted chance
// within one priority, those that failed lately last.
func (p *platform) order(now time.Time) []*target {
	type ranked struct {
		*target
		failed bool
		chance float64
	}
	list := make([]ranked, 0, len(p.targets))
	for _, t := range p.targets {
		lately := now.UnixMilli()-t.failedAt.Load() < shunned.Milliseconds()
		// An exponential draw per unit of weight: the smallest is first with
		// a probability proportional to its weight.
		list = append(list, ranked{t, lately, rand.ExpFloat64() / float64(max(t.Weight, 1))})
	}
	slices.SortStableFunc(list, func(a, b ranked) int {
		if a.failed != b.failed {
			if a.failed {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.chance, b.chance))
	})
	order := make([]*target, len(list))
	for i, r := range list {
		order[i] = r.target
	}
	return order
}
