package main

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"consentgw/internal/config"
	"consentgw/internal/route"

	"github.com/spf13/cobra"
)

// question is a call that may come.
type question struct {
	trunk, platform     string
	source, certificate string
	outbound            bool
	from, to            string
	at                  string
}

func routeTestCommand() *cobra.Command {
	var file string
	var q question
	var asJSON bool
	c := &cobra.Command{
		Use:   "route-test [-c FILE] [--trunk NAME | --platform NAME | --source IP] --to NUMBER [flags]",
		Short: "Say which route a call would take, and why",
		Long: `Say which route a call would take, and why the routes before it would not be
taken. No call is placed, and no gateway is asked.

The trunk is named, or found by the address that the call comes from. So is the
platform of an outbound call, with --outbound before an address. With none of these
the answer is given for every trunk, one after the other. Exit 0 if a route
matches, 1 if none does or the configuration has errors.`,
		Example: `  consentgw route-test -c consentgw.yaml --from +12025550100 --to +31205550100
  consentgw route-test -c consentgw.yaml --trunk carrier-a --from +12025550100 --to +31205550100
  consentgw route-test -c consentgw.yaml --source 198.51.100.7 --to 0205550100 --at 2026-03-02T18:00:00+01:00`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			source, at, err := q.read(cmd.Flags().Changed("to"))
			if err != nil {
				return err
			}
			cfg, findings := load(file)
			if err := (report{file: file, findings: findings}).print(cmd.ErrOrStderr()); err != nil {
				return err
			}
			return q.answer(cmd.OutOrStdout(), cfg, source, at, asJSON)
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "", "configuration file")
	c.Flags().StringVar(&q.trunk, "trunk", "", "the trunk that the call comes from")
	c.Flags().StringVar(&q.platform, "platform", "", "the platform that an outbound call comes from")
	c.Flags().BoolVar(&q.outbound, "outbound", false, "with --source: the call comes from a platform")
	c.Flags().StringVar(&q.source, "source", "", "the address that the call comes from")
	c.Flags().StringVar(&q.certificate, "certificate", "", "with --source: the host name in its client certificate")
	c.Flags().StringVar(&q.from, "from", "", "the calling number (default: withheld)")
	c.Flags().StringVar(&q.to, "to", "", "the called number")
	c.Flags().StringVar(&q.at, "at", "", "the time of the call, RFC 3339 (default: now)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// read checks the command line.
func (q question) read(called bool) (source netip.Addr, at time.Time, err error) {
	at = time.Now()
	switch {
	case q.trunk+q.platform != "" && q.source != "" || q.trunk != "" && q.platform != "":
		return source, at, usagef("name the trunk by --trunk, the platform by --platform or the address by --source, one of the three")
	case q.certificate != "" && q.source == "":
		return source, at, usagef("--certificate goes with --source: by --trunk the trunk is known already")
	case q.outbound && q.platform+q.source == "":
		return source, at, usagef("--outbound goes with --platform or --source: a call that comes from a trunk is inbound")
	case !called:
		return source, at, usagef("--to is missing: name the called number")
	}
	if q.source != "" {
		if source, err = netip.ParseAddr(q.source); err != nil {
			return source, at, usagef("--source is no IP address: %q", q.source)
		}
	}
	if q.at != "" {
		if at, err = time.Parse(time.RFC3339, q.at); err != nil {
			return source, at, usagef("--at is no RFC 3339 time (2026-03-01T12:00:00Z): %q", q.at)
		}
	}
	return source, at, nil
}

// answer tells what becomes of the call: by whichever trunk, if none is named.
func (q question) answer(w io.Writer, cfg *config.Config, source netip.Addr, at time.Time, asJSON bool) error {
	questions := []question{q}
	if q.trunk+q.platform+q.source == "" {
		questions = nil
		for _, t := range cfg.Trunks {
			q.trunk = t.Name
			questions = append(questions, q)
		}
	}
	found := errReported
	for i, q := range questions {
		a, err := q.ask(cfg, source, at)
		if err != nil {
			return err
		}
		if len(questions) > 1 && !asJSON {
			fmt.Fprintf(w, "%sFrom trunk %s:\n", strings.Repeat("\n", min(i, 1)), a.Trunk)
		}
		if err := a.print(w, asJSON); err != nil {
			return err
		}
		if a.Matches {
			found = nil
		}
	}
	return found
}

// verdict is what becomes of the call.
type verdict struct {
	Matches  bool     `json:"matches"`
	Outbound bool     `json:"outbound,omitempty"`
	Trunk    string   `json:"trunk,omitempty"` // of an outbound call: where it goes
	Route    string   `json:"route,omitempty"`
	Platform string   `json:"platform,omitempty"`
	Policy   string   `json:"policy,omitempty"`
	Ask      string   `json:"ask,omitempty"` // how, if not for all purposes together
	Purposes []string `json:"purposes,omitempty"`
	From     string   `json:"from"`
	To       string   `json:"to"`
	Why      []string `json:"why"`
}

func (q question) ask(cfg *config.Config, source netip.Addr, at time.Time) (verdict, error) {
	table, err := route.New(cfg)
	if err != nil {
		return verdict{}, err
	}
	if q.outbound || q.platform != "" {
		return q.askOutbound(cfg, table, source, at)
	}
	a := verdict{Trunk: q.trunk, From: q.from, To: q.to}
	if q.trunk == "" {
		trunk, why, ok := table.ExplainTrunk(source, strings.Fields(q.certificate))
		a.Trunk, a.Why = trunk.Name, why
		if !ok {
			return a, nil
		}
	} else if !slices.ContainsFunc(cfg.Trunks, func(t config.Trunk) bool { return t.Name == q.trunk }) {
		return verdict{}, usagef("no trunk is named %q", q.trunk)
	}
	choice, ok := table.Explain(a.Trunk, q.from, q.to, at)
	a.Why = append(a.Why, choice.Why...)
	if ok {
		a.Matches, a.From, a.To = true, choice.From, choice.To
		a.Route, a.Platform, a.Policy = choice.Route.Name, choice.Route.Platform, choice.Route.Policy
		a.asks(cfg)
	}
	return a, nil
}

func (q question) askOutbound(cfg *config.Config, table *route.Table, source netip.Addr, at time.Time) (verdict, error) {
	a := verdict{Outbound: true, Platform: q.platform, From: q.from, To: q.to}
	if q.platform == "" {
		platform, why, ok := table.ExplainPlatform(source, strings.Fields(q.certificate))
		a.Platform, a.Why = platform.Name, why
		if !ok {
			return a, nil
		}
	} else if !slices.ContainsFunc(cfg.Platforms, func(p config.Platform) bool { return p.Name == q.platform }) {
		return verdict{}, usagef("no platform is named %q", q.platform)
	}
	choice, ok := table.ExplainOutbound(a.Platform, q.from, q.to, at)
	a.Why = append(a.Why, choice.Why...)
	if ok {
		a.Matches, a.From, a.To = true, choice.From, choice.To
		a.Route, a.Trunk, a.Policy = choice.Route.Name, choice.Route.Trunk, choice.Route.Policy
		a.asks(cfg)
	}
	return a, nil
}

// asks says how purposes are asked for one by one, if they are.
func (a *verdict) asks(cfg *config.Config) {
	for _, p := range cfg.Policies {
		if p.Name == a.Policy && (p.Ask == config.AskChoose || p.Ask == config.AskEach) {
			a.Ask, a.Purposes = p.Ask, p.Purposes
		}
	}
}

func (a verdict) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return printJSON(w, a)
	}
	a.write(w)
	return nil
}

func (a verdict) write(w io.Writer) {
	for _, line := range a.Why {
		fmt.Fprintln(w, line)
	}
	switch {
	case a.Outbound && a.Platform == "":
		fmt.Fprintln(w, "\nThe call is refused with 403: unknown platform.")
		return
	case !a.Outbound && a.Trunk == "":
		fmt.Fprintln(w, "\nThe call is refused with 403: unknown trunk.")
		return
	case !a.Matches:
		fmt.Fprintln(w, "\nThe call is refused with 404: no route.")
		return
	}
	policy := "nobody is asked and nothing is recorded"
	if a.Policy != "" {
		policy = "by policy " + a.Policy
	}
	from := a.From
	if from == "" {
		from = "withheld"
	}
	to := "platform " + a.Platform
	if a.Outbound {
		to = "trunk " + a.Trunk
	}
	fmt.Fprintf(w, "\nThe call takes route %s to %s, %s.\nCalling number: %s\nCalled number:  %s\n", a.Route, to, policy, from, a.To)
	switch purposes := strings.Join(a.Purposes, ", "); a.Ask {
	case config.AskChoose:
		fmt.Fprintf(w, "Asked for:      %s; all at once, or each by itself if the asked party chooses so\n", purposes)
	case config.AskEach:
		fmt.Fprintf(w, "Asked for:      %s; each by itself\n", purposes)
	}
}
