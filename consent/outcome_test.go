package consent_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"consentgw/consent"
)

func TestAPlatformIsToldWhatTheOutcomeMeans(t *testing.T) {
	table := map[consent.Outcome]struct{ status, header consent.Status }{
		consent.Pending:          {consent.StatusPending, consent.StatusUnknown},
		consent.Given:            {consent.StatusGranted, consent.StatusGranted},
		consent.Refused:          {consent.StatusDenied, consent.StatusDenied},
		consent.NoInput:          {consent.StatusDenied, consent.StatusDenied},
		consent.InvalidInput:     {consent.StatusDenied, consent.StatusDenied},
		consent.NoticeIncomplete: {consent.StatusDenied, consent.StatusDenied},
		consent.Abandoned:        {consent.StatusDenied, consent.StatusDenied},
		consent.PromptFailed:     {consent.StatusUnknown, consent.StatusUnknown},
		consent.DTMFAmbiguous:    {consent.StatusDenied, consent.StatusDenied},
		consent.StoreUnavailable: {consent.StatusUnknown, consent.StatusUnknown},
		consent.NotAsked:         {consent.StatusUnknown, consent.StatusUnknown},
		consent.Withdrawn:        {consent.StatusWithdrawn, consent.StatusDenied},
		consent.Expired:          {consent.StatusUnknown, consent.StatusUnknown},
		consent.Invalidated:      {consent.StatusUnknown, consent.StatusUnknown},
		"GIVEN":                  {consent.StatusUnknown, consent.StatusUnknown},
		"given ":                 {consent.StatusUnknown, consent.StatusUnknown},
		"granted":                {consent.StatusUnknown, consent.StatusUnknown},
	}
	for o, want := range table {
		t.Run("outcome "+string(o), func(t *testing.T) {
			assert.Equal(t, want.status, o.Status(), "status")
			assert.Equal(t, want.header, o.Header(), "header")
			assert.Equal(t, o == consent.Given, o.Status() == consent.StatusGranted, "nothing but given is granted")
			assert.Equal(t, o == consent.Given, o.Header() == consent.StatusGranted, "nothing but given is granted")
		})
	}
	for _, o := range consent.Outcomes() {
		assert.Contains(t, table, o, "every outcome has a line in this table")
	}
}

func TestTheHeaderKnowsThreeWordsOnly(t *testing.T) {
	words := []consent.Status{consent.StatusGranted, consent.StatusDenied, consent.StatusUnknown}
	for _, o := range append(consent.Outcomes(), consent.Pending, "nonsense") {
		assert.Contains(t, words, o.Header(), "outcome %q", o)
	}
}

func TestTheOutcomesAreThoseOfTheDocumentation(t *testing.T) {
	assert.Equal(t, []consent.Outcome{"given", "refused", "no_input", "invalid_input", "notice_incomplete", "abandoned",
		"prompt_failed", "dtmf_ambiguous", "store_unavailable", "not_asked", "withdrawn", "expired", "invalidated"},
		consent.Outcomes())
	for _, o := range consent.Outcomes() {
		assert.True(t, o.Known(), "%q", o)
	}
	for _, o := range []consent.Outcome{consent.Pending, "Given", "given ", "granted", "unknown"} {
		assert.False(t, o.Known(), "%q", o)
	}
}

func TestChangingTheListOfOutcomesChangesNobodyElses(t *testing.T) {
	consent.Outcomes()[0] = "forged"
	assert.Equal(t, consent.Given, consent.Outcomes()[0])
	assert.False(t, consent.Outcome("forged").Known())
}
