package api

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"consentgw/consent"
)

// maxValue bounds a query value, in bytes.
const maxValue = 1024

// plainName is what a parameter's name may look like to be repeated in an
// error: anything else could be a value on the wrong side of a '='.
var plainName = regexp.MustCompile(`^[a-z][a-z_]{0,31}$`)

// checkQuery parses a query strictly: every parameter known, given once, and
// given well-formed. A search with a misspelt restriction would otherwise
// answer with records that nobody asked for.
func checkQuery(raw string, known []string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badRequest("The query is not well-formed: a '%' begins two hex digits, and parameters are divided by '&'.")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values, shown := query[name], name
		if !plainName.MatchString(name) {
			shown = ""
		}
		switch {
		case !slices.Contains(known, name):
			return nil, badParameter(shown, "There is no parameter "+quoted(shown)+" here; "+knownList(known)+".")
		case len(values) > 1:
			return nil, badParameter(shown, quoted(shown)+" is given more than once.")
		case len(values[0]) > maxValue:
			return nil, badParameter(shown, quoted(shown)+" is longer than "+strconv.Itoa(maxValue)+" bytes.")
		case values[0] == "":
			return nil, badParameter(shown, quoted(shown)+" is empty; leave it out instead.")
		}
	}
	return query, nil
}

func quoted(name string) string {
	if name == "" {
		return "of this name"
	}
	return `"` + name + `"`
}

func knownList(known []string) string {
	if len(known) == 0 {
		return "this path takes none"
	}
	return "this path takes " + strings.Join(known, ", ")
}

// searchQuery reads the restrictions of a search, paging aside.
func searchQuery(q url.Values) (consent.Query, error) {
	out := consent.Query{Subject: plus(q.Get("subject")), Route: q.Get("route"), Outcome: consent.Outcome(q.Get("outcome"))}
	if out.Outcome != "" && !out.Outcome.Known() {
		return out, badParameter("outcome", `"outcome" is one of `+outcomes()+".")
	}
	var err error
	if out.From, out.To, err = period(q); err != nil {
		return out, err
	}
	if limit := q.Get("limit"); limit != "" {
		if out.Limit, err = strconv.Atoi(limit); err != nil || out.Limit < 1 || out.Limit > 1000 {
			return out, badParameter("limit", `"limit" is a whole number from 1 to 1000.`)
		}
	}
	return out, nil
}

func outcomes() string {
	var names []string
	for _, o := range consent.Outcomes() {
		names = append(names, string(o))
	}
	return strings.Join(names, ", ")
}

// period reads from (inclusive) and to (exclusive).
func period(q url.Values) (from, to time.Time, err error) {
	if from, err = moment(q, "from"); err != nil {
		return from, to, err
	}
	if to, err = moment(q, "to"); err != nil {
		return from, to, err
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return from, to, badParameter("to", `"to" is not after "from".`)
	}
	return from, to, nil
}

// moment reads an RFC 3339 time, or a day, which begins at midnight UTC.
func moment(q url.Values, name string) (time.Time, error) {
	v := q.Get(name)
	if v == "" {
		return time.Time{}, nil
	}
	// A '+' before the zone that was not escaped arrives as a space.
	if i := strings.LastIndexByte(v, ' '); i > len(time.DateOnly) {
		v = v[:i] + "+" + v[i+1:]
	}
	t, err := time.Parse(time.DateOnly, v)
	if err != nil {
		t, err = time.Parse(time.RFC3339, v)
	}
	// The zero time would not restrict at all; no call is that old.
	if err != nil || t.Year() < 1970 {
		return t, badParameter(name, `"`+name+`" is a day such as 2026-03-12 (UTC) or an RFC 3339 time such as 2026-03-12T14:00:00Z.`)
	}
	return t, nil
}

// plus restores the '+' of a number that was not escaped in the query. A number
// never begins with a space, and a search that finds nothing by such a slip
// would answer a data subject wrongly.
func plus(number string) string {
	if rest, ok := strings.CutPrefix(number, " "); ok {
		return "+" + rest
	}
	return number
}
