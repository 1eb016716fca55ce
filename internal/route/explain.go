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
	from, to = numbers[0].is, numbers[1].is
	for i := range t.routes {
		e := &t.routes[i]
		if reason := e.refusal(trunk, from, to, at); reason != "" {
			say("route %s: %s", e.Name, reason)
			continue
		}
		say("route %s matches: %s", e.Name, e.reasons(trunk, from, to, at))
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
func (e *entry) refusal(trunk, from, to string, at time.Time) string {
	switch {
	case e.Trunk != "" && e.Trunk != trunk:
		return fmt.Sprintf("the trunk is %s, not %s", orNone(trunk), e.Trunk)
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
func (e *entry) reasons(trunk, from, to string, at time.Time) string {
	var all []string
	if e.Trunk != "" {
		all = append(all, "the trunk is "+trunk)
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

func orNone(trunk string) string {
	if trunk == "" {
		return "unknown"
	}
	return trunk
}
