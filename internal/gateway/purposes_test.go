package gateway_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/recordserver"
	"consentgw/internal/siprecxml"
	"consentgw/prompts"

	"github.com/stretchr/testify/require"
)

// purposeVerbs are the sentences about several purposes.
func (p *actor) purposeVerbs() map[string]func([]string) {
	return map[string]func([]string){
		"policy asks WAY for PURPOSES":   func(a []string) { p.asks(a[0], strings.Split(a[1], ",")) },
		"recorder is for PURPOSE":        func(a []string) { p.cfg.Recorders[0].Purposes = a[:1] },
		"second recorder is for PURPOSE": func(a []string) { p.cfg.Recorders[1].Purposes = a[:1] },
		"api withdraws PURPOSES":         func(a []string) { p.withdraws(a[0], http.StatusOK) },
		"api cannot withdraw PURPOSES":   func(a []string) { p.withdraws(a[0], http.StatusConflict) },
		"api knows no PURPOSES":          func(a []string) { p.withdraws(a[0], http.StatusBadRequest) },
		"status grants PURPOSES":         func(a []string) { p.statusGrants(a[0]) },
		"expect platform told of REST": func(a []string) {
			require.Equal(p.t, strings.TrimPrefix(a[0], "nothing"), p.arrival.headers["X-Consent-Purposes"], p.line)
		},
		"expect first recorder told of it":     func([]string) { p.expectPurposeTold() },
		"second recorder is told of REST":      func(a []string) { p.untilGrants(1, a[0]) },
		"first recorder is cut off":            func([]string) { p.isCutOff() },
		"expect PURPOSE OUTCOME":               func(a []string) { require.Equal(p.t, a[1], string(p.grantOf(a[0]).Outcome), p.line) },
		"expect PURPOSE OUTCOME by KEY to ASK": p.expectAnswer,
		"expect only server NUMBER recorded":   func(a []string) { p.expectOneServer(number(a[0]) - 1) },
	}
}

// asks makes a notice for several purposes, each prompt another tone.
func (p *actor) asks(way string, purposes []string) {
	names := append(slices.DeleteFunc(prompts.Names(), func(n string) bool { return n == prompts.More }), prompts.About, prompts.Chosen)
	for _, purpose := range purposes {
		names = append(names, prompts.AskFor(purpose))
		if way == config.AskChoose {
			names = append(names, prompts.NameOf(purpose))
		}
	}
	dir := p.cfg.Prompts.Dir
	writeNotice(p.t, dir, "several", 380, names)
	library, err := prompts.Open(filepath.Clean(dir))
	p.must(err)
	p.notice, err = library.Notice("several", "en")
	p.must(err)
	policy := &p.cfg.Policies[0]
	policy.Ask, policy.Notice, policy.Purposes = way, "several", purposes
	if way == config.AskChoose {
		policy.Keys.Choose = "3"
	}
}

// withdraws asks the API to take back some purposes.
func (p *actor) withdraws(purposes string, want int) {
	code, body := p.request(http.MethodPost, "/v1/calls/"+url.PathEscape(p.callID)+"/withdraw?purposes="+url.QueryEscape(purposes))
	require.Equal(p.t, want, code, "%s: %s", p.line, body)
}

// statusGrants compares the purposes that a platform is told of.
func (p *actor) statusGrants(want string) {
	code, body := p.request(http.MethodGet, "/v1/calls/"+url.PathEscape(p.callID)+"/consent?shape=flat")
	require.Equal(p.t, 200, code, p.line)
	var got map[string]string
	p.must(json.Unmarshal(body, &got))
	if want == "nothing" {
		want = ""
	}
	require.Equal(p.t, want, got["purposes_granted"], p.line)
}

// isCutOff waits until the newest session of the first server has ended.
func (p *actor) isCutOff() {
	select {
	case <-p.newest(0).Over():
	case <-p.ctx.Done():
		p.must(p.ctx.Err())
	}
}

// untilGrants waits until a server was told that exactly these purposes are granted.
func (p *actor) untilGrants(n int, purposes string) {
	p.must(p.towers[n].Until(p.ctx, func([]*recordserver.Session) bool {
		docs := p.newest(n).Documents()
		return granted(docs[len(docs)-1].Sessions[0].Consent) == purposes
	}))
}

func granted(c *siprecxml.Consent) string {
	var names []string
	for _, g := range c.Grants {
		if g.Granted {
			names = append(names, g.Purpose)
		}
	}
	return strings.Join(names, ",")
}

// expectPurposeTold: the last that the first server was told is the withdrawal of
// the one purpose that it was for.
func (p *actor) expectPurposeTold() {
	g := p.grantOf(p.cfg.Recorders[0].Purposes[0])
	docs := p.newest(0).Documents()
	last := docs[len(docs)-1].Sessions[0].Consent
	require.Equal(p.t, "withdrawn", last.State)
	require.Equal(p.t, g.WithdrawnAt.Format("2006-01-02T15:04:05.000Z"), last.WithdrawnAt)
	require.NotContains(p.t, granted(last), g.Purpose)
}

func (p *actor) grantOf(purpose string) consent.Grant {
	r := p.final()
	i := slices.IndexFunc(r.Purposes, func(g consent.Grant) bool { return g.Purpose == purpose })
	require.GreaterOrEqual(p.t, i, 0, p.line)
	return r.Purposes[i]
}

func (p *actor) expectAnswer(args []string) {
	g := p.grantOf(args[0])
	require.NotNil(p.t, g.Press, p.line)
	require.Equal(p.t, args[1:], []string{string(g.Outcome), g.Press.Key, g.Question}, p.line)
}

// expectOneServer: copies of both parties at one recording server, and nothing,
// not even an INVITE, at any other.
func (p *actor) expectOneServer(n int) {
	p.final()
	for i, w := range p.towers {
		if i != n {
			require.Empty(p.t, w.Sessions(), p.line)
			continue
		}
		require.NotEmpty(p.t, w.Caller(0), p.line)
		require.NotEmpty(p.t, w.Agent(0), p.line)
	}
}

// records reports whether a recorder of the route is for something that was
// granted in r, be it taken back by now.
func (p *actor) records(r *consent.Record) bool {
	return slices.ContainsFunc(p.cfg.Recorders, func(c config.Recorder) bool {
		return len(c.Purposes) == 0 || slices.ContainsFunc(r.Purposes, func(g consent.Grant) bool {
			agreed := g.Outcome == "" || g.Outcome == consent.Given || g.Outcome == consent.Withdrawn
			return agreed && slices.Contains(c.Purposes, g.Purpose)
		})
	})
}

// checkPurposes holds each purpose against the law: granted is what was agreed to
// by a key of its own after all that asks for it had been heard to its end.
func (p *actor) checkPurposes(r *consent.Record) {
	t, any := p.t, len(r.Purposes) == 0
	for _, g := range r.Purposes {
		any = any || g.Granted
		if g.Outcome != "" {
			require.Equal(t, g.Granted, g.Outcome == consent.Given, g.Purpose)
		}
		if g.Question == "" || g.Outcome != consent.Given && g.WithdrawnAt.IsZero() {
			continue
		}
		require.Equal(t, "1", g.Press.Key)
		require.False(t, r.StoredAt.Before(g.DecidedAt))
		for _, name := range []string{prompts.About, g.Question} {
			i := slices.IndexFunc(r.Notice.Prompts, func(s consent.Spoken) bool { return s.Prompt == name })
			require.GreaterOrEqual(t, i, 0, name)
			s := r.Notice.Prompts[i]
			require.True(t, s.Complete, "a yes without %s heard to its end", name)
			require.Equal(t, p.notice.Prompt(name).AudioSHA256, s.AudioSHA256)
			require.Equal(t, p.notice.Prompt(name).TextSHA256, s.TextSHA256)
			require.False(t, g.Press.At.Before(s.StartedAt))
		}
	}
	if r.Call.Route != "plain" {
		require.Equal(t, r.Outcome == consent.Given, any, "the whole is given if a purpose is")
	}
	if len(r.Notice.Prompts) == 0 && (r.Outcome == consent.Given || r.Outcome == consent.Withdrawn) {
		require.True(t, r.Notice.Complete, "a yes without a notice heard to its end")
		require.Equal(t, p.notice.Prompt("ask").AudioSHA256, r.Notice.AudioSHA256)
	}
}
