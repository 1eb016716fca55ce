package consent_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"consentgw/consent"
)

func TestAQuerySelectsByEveryFieldThatIsSet(t *testing.T) {
	r := pending()
	r.Call.Route = "sales"
	r.Decide(decided(consent.Refused))
	invited := r.Call.InvitedAt
	for _, c := range []struct {
		name  string
		query consent.Query
		want  bool
	}{
		{"nothing restricts", consent.Query{}, true},
		{"the subject", consent.Query{Subject: "+31205550142"}, true},
		{"another subject", consent.Query{Subject: "+31205550143"}, false},
		{"a prefix of the subject", consent.Query{Subject: "+3120555"}, false},
		{"the outcome", consent.Query{Outcome: consent.Refused}, true},
		{"another outcome", consent.Query{Outcome: consent.Given}, false},
		{"the route", consent.Query{Route: "sales"}, true},
		{"another route", consent.Query{Route: "Sales"}, false},
		{"from the moment itself", consent.Query{From: invited}, true},
		{"from a millisecond later", consent.Query{From: invited.Add(time.Millisecond)}, false},
		{"until the moment itself", consent.Query{To: invited}, false},
		{"until a millisecond later", consent.Query{To: invited.Add(time.Millisecond)}, true},
		{"an empty interval", consent.Query{From: invited, To: invited}, false},
		{"the same moment in another zone", consent.Query{From: invited.In(noon.Location())}, true},
		{"everything at once", consent.Query{Subject: "+31205550142", Outcome: consent.Refused, Route: "sales",
			From: invited, To: invited.Add(time.Hour)}, true},
		{"everything but one", consent.Query{Subject: "+31205550142", Outcome: consent.Refused, Route: "support",
			From: invited, To: invited.Add(time.Hour)}, false},
		{"paging restricts nothing", consent.Query{Limit: 1, Cursor: "x", Ascending: true}, true},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, c.query.Matches(r)) })
	}
}

func TestAWithheldNumberIsFoundByNoNumber(t *testing.T) {
	r := pending()
	r.Subject = ""
	assert.False(t, consent.Query{Subject: "+31205550142"}.Matches(r))
	assert.True(t, consent.Query{}.Matches(r))
}

func TestACallWithoutADecisionIsFoundByNoOutcome(t *testing.T) {
	for _, o := range consent.Outcomes() {
		assert.False(t, consent.Query{Outcome: o}.Matches(pending()), "%q", o)
	}
}
