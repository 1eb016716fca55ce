package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

func TestABadParameterIsNamedAndNeverRepeated(t *testing.T) {
	for target, parameter := range map[string]string{
		"/v1/consents?subjekt=x":                                "subjekt",
		"/v1/consents?Outcome=given":                            "",
		"/v1/consents?%2B31205550142=x":                         "",
		"/v1/consents?outcome=granted":                          "outcome",
		"/v1/consents?outcome=":                                 "outcome",
		"/v1/consents?subject=":                                 "subject",
		"/v1/consents?route=a&route=b":                          "route",
		"/v1/consents?route=" + strings.Repeat("r", 1025):       "route",
		"/v1/consents?limit=0":                                  "limit",
		"/v1/consents?limit=1001":                               "limit",
		"/v1/consents?limit=-1":                                 "limit",
		"/v1/consents?limit=ten":                                "limit",
		"/v1/consents?limit=99999999999999999999":               "limit",
		"/v1/consents?from=yesterday":                           "from",
		"/v1/consents?from=2026-02-30":                          "from",
		"/v1/consents?from=2026-03-12%2012:00:00Z":              "from",
		"/v1/consents?to=0001-01-01":                            "to",
		"/v1/consents?to=2026-03-12T25:00:00Z":                  "to",
		"/v1/consents?from=2026-03-12&to=2026-03-12":            "to",
		"/v1/consents?from=2026-03-12&to=2026-03-11":            "to",
		"/v1/consents?shape=flat":                               "shape",
		"/v1/calls?limit=1":                                     "limit",
		"/v1/calls/x/consent?shape=round":                       "shape",
		"/v1/consents/x?history=no":                             "history",
		"/v1/export?format=xlsx":                                "format",
		"/v1/export?subject=%2B31205550142":                     "subject",
		"/v1/export?from=2026":                                  "from",
		"/v1/export?format=csv&from=2026-03-12&to=2026-03-01":   "to",
		"/healthz?x=1":                                          "x",
		"/v1/consents?cursor=" + strings.Repeat("A", 1025):      "cursor",
		"/v1/consents?abcdefghijklmnopqrstuvwxyzabcdefghijklmn": "",
	} {
		t.Run(target[:min(60, len(target))], func(t *testing.T) {
			d := newDesk()
			w := d.ask(t, "GET", target)
			p := problemIn(t, w)
			assert.Equal(t, http.StatusBadRequest, p.Status)
			assert.Equal(t, "/problems/bad-parameter", p.Type)
			assert.Equal(t, parameter, p.Parameter)
			assert.NotContains(t, w.Body.String(), "31205550142")
			assert.NotContains(t, d.log.String(), "31205550142")
			assert.Empty(t, d.store.ops, "nothing was searched")
		})
	}
}

func TestAMalformedQueryIsRefused(t *testing.T) {
	for _, query := range []string{"limit=1;route=x", "route=%zz", "%"} {
		p := problemIn(t, newDesk().ask(t, "GET", "/v1/consents", func(r *http.Request) { r.URL.RawQuery = query }))
		assert.Equal(t, "/problems/bad-request", p.Type, query)
	}
}

// FuzzSearch: whatever the query, the answer is a page or a problem, and what
// is searched for is what was asked for.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{"", "limit=10", "subject=%2B31205550142&outcome=given", "from=2026-03-12&to=2026-03-13T00:00:00Z",
		"cursor=AAAAAAAAAAAAAA", "a=b&a=c", "%zz", "from=2026-03-12T13:00:02+01:00", "to=0001-01-01", ";", "subject=+"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		known := []string{"subject", "outcome", "route", "from", "to", "limit", "cursor"}
		values, err := checkQuery(raw, known)
		if err != nil {
			p := asProblem(err)
			require.Equal(t, http.StatusBadRequest, p.Status)
			require.Regexp(t, `^[a-z_]{0,32}$`, p.Parameter)
			return
		}
		q, err := searchQuery(values)
		if err != nil {
			require.Equal(t, http.StatusBadRequest, asProblem(err).Status)
			return
		}
		require.True(t, q.Limit >= 0 && q.Limit <= 1000)
		require.True(t, q.Outcome == "" || q.Outcome.Known())
		require.Equal(t, values.Has("from"), !q.From.IsZero())
		require.Equal(t, values.Has("to"), !q.To.IsZero())
		if q.Subject != "" && q.Subject[0] != '+' {
			require.Equal(t, values.Get("subject"), q.Subject)
		}
	})
}

// FuzzCursor: a cursor either is the one that was given for this search, or an
// error; it never opens to something else.
func FuzzCursor(f *testing.F) {
	f.Add("AAAAAAAAAAAAAA", "1")
	f.Add("", "")
	f.Add(sealCursor(consent.Query{}, "x"), "x")
	f.Fuzz(func(t *testing.T, sealed, stored string) {
		q := consent.Query{Route: "sales"}
		if got, err := openCursor(q, sealed); err == nil {
			require.Equal(t, sealed, sealCursor(q, got))
		}
		if stored != "" {
			got, err := openCursor(q, sealCursor(q, stored))
			require.NoError(t, err)
			require.Equal(t, stored, got)
			_, err = openCursor(consent.Query{}, sealCursor(q, stored))
			require.Error(t, err)
			require.Equal(t, sealCursor(q, stored), url.QueryEscape(sealCursor(q, stored)))
		}
	})
}
