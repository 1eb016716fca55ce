package route

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"consentgw/internal/config"
	"consentgw/internal/number"
)

// ExplainTrunk is Trunk with the reasons, a sentence a line.
func (t *Table) ExplainTrunk(source netip.Addr, identities []string) (config.Trunk, []string, bool) {
	var why []string
	trunk, ok := t.sources.owner(source, identities, func(line string) { why = append(why, line) })
	return trunk, why, ok
}

// ExplainPlatform is Platform with the reasons, a sentence a line.
func (t *Table) ExplainPlatform(source netip.Addr, identities []string) (config.Platform, []string, bool) {
	var why []string
	platform, ok := t.platforms.owner(source, identities, func(line string) { why = append(why, line) })
	return platform, why, ok
}

// Explain is Match with Why filled: what became of the numbers, why each route
// before the chosen one was not taken, and why that one was. Without a match the
// last line says so.
func (t *Table) Explain(trunk, from, to string, at time.Time) (Choice, bool) {
	var why []string
	say := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	numbers := []struct{ what, came, is string }{
		{"calling", from, t.normalise(trunk, from)},
		{"called", to, t.normalise(trunk, to)},
	}
	for _, n := range numbers {
		if n.is != n.came {
			say("trunk %s: the %s number %s is %s in E.164", trunk, n.what, n.came, n.is)
		}
	}
	return t.explain(source{name: trunk}, numbers[0].is, numbers[1].is, at, why)
}

// ExplainOutbound is MatchOutbound with Why filled.
func (t *Table) ExplainOutbound(platform, from, to string, at time.Time) (Choice, bool) {
	return t.explain(source{platform, true}, from, to, at, nil)
}

// explain adds to why.
func (t *Table) explain(s source, from, to string, at time.Time, why []string) (Choice, bool) {
	say := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	for i := range t.routes {
		e := &t.routes[i]
		if reason := e.refusal(s, from, to, at); reason != "" {
			say("route %s: %s", e.Name, reason)
			continue
		}
		say("route %s matches: %s", e.Name, e.reasons(s, from, to, at))
		c := Choice{Route: e.Route}
		c.From = rewrite(e.rewriteFrom, "calling", from, say)
		c.To = rewrite(e.rewriteTo, "called", to, say)
		c.Why = why
		return c, true
	}
	say("no route matches")
	return Choice{Why: why}, false
}

// refusal is the first reason for which a route does not match; empty if it
// does. It asks what takes asks, in the same order.
func (e *entry) refusal(s source, from, to string, at time.Time) string {
	switch {
	case e.Outbound && !s.outbound:
		return "it is for outbound calls"
	case s.outbound && !e.Outbound:
		return "it is for inbound calls"
	case s.outbound && !e.isFor(s):
		return fmt.Sprintf("the platform is %s, not %s", orNone(s.name), e.Platform)
	case !e.isFor(s):
		return fmt.Sprintf("the trunk is %s, not %s", orNone(s.name), e.Trunk)
	case !e.to.Match(to):
		return "the called number " + e.to.Explain(to)
	case !e.from.Match(from):
		return "the calling number " + e.from.Explain(from)
	case !e.open(at):
		return e.hours("it is %s, outside %s", at)
	}
	return ""
}

// reasons is everything that a route demands and has got.
func (e *entry) reasons(s source, from, to string, at time.Time) string {
	var all []string
	switch {
	case s.outbound:
		all = append(all, "the platform is "+s.name)
	case e.Trunk != "":
		all = append(all, "the trunk is "+s.name)
	}
	for _, n := range []struct {
		what, number string
		match        *number.Matcher
	}{{"called", to, e.to}, {"calling", from, e.from}} {
		if !n.match.All() {
			all = append(all, "the "+n.what+" number "+n.match.Explain(n.number))
		}
	}
	if len(e.When) > 0 {
		all = append(all, e.hours("it is %s, within %s", at))
	}
	if len(all) == 0 {
		return "it takes every call"
	}
	return strings.Join(all, ", ")
}

// hours names the windows, only the one that contains the time if there is one.
// The clock is that of the first window named.
func (e *entry) hours(format string, at time.Time) string {
	windows := e.When
	for i, w := range windows {
		if w.Contains(at) {
			windows = windows[i : i+1]
			break
		}
	}
	var names []string
	for _, w := range windows {
		names = append(names, w.String())
	}
	return fmt.Sprintf(format, windows[0].Clock(at), strings.Join(names, " and "))
}

func rewrite(r number.Rewriter, what, n string, say func(string, ...any)) string {
	result, rule := r.Rewrite(n)
	if rule >= 0 {
		key := map[string]string{"calling": "from", "called": "to"}[what]
		say("rewrite.%s[%d] makes the %s number %s", key, rule, what, result)
	}
	return result
}

func orNone(name string) string {
	if name == "" {
		return "unknown"
	}
	return name
}
