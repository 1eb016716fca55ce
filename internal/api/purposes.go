package api

import (
	"net/http"
	"slices"
	"strings"

	"consentgw/consent"
)

// statusPurpose is one purpose in a status: a grant without its evidence. Outcome
// is left out where it is that of the whole.
type statusPurpose struct {
	Purpose string          `json:"purpose"`
	Granted bool            `json:"granted"`
	Outcome consent.Outcome `json:"outcome,omitempty"`
}

func purposesOf(r *consent.Record) []statusPurpose {
	list := []statusPurpose{}
	for _, g := range r.Purposes {
		list = append(list, statusPurpose{g.Purpose, g.Granted, g.Outcome})
	}
	return list
}

// some are the purposes that a withdrawal is restricted to; none: it is of all.
func some(r *http.Request) []string {
	if given := queryOf(r).Get("purposes"); given != "" {
		return strings.Split(given, ",")
	}
	return nil
}

// checkPurposes refuses purposes that nobody was asked for in r: who misspells one
// is not to think that it has been withdrawn.
func checkPurposes(r *consent.Record, purposes []string) error {
	var known []string
	for _, g := range r.Purposes {
		known = append(known, g.Purpose)
	}
	for _, p := range purposes {
		if !slices.Contains(known, p) {
			return badParameter("purposes", `"purposes" is a list of purposes of this call, divided by commas: `+strings.Join(known, ",")+".")
		}
	}
	return nil
}

// takenBack reports whether nothing is left to withdraw: everything is withdrawn,
// or all of these purposes are.
func takenBack(r *consent.Record, purposes []string) bool {
	back := r.TakenBack()
	return r.Outcome == consent.Withdrawn ||
		len(purposes) > 0 && !slices.ContainsFunc(purposes, func(p string) bool { return !slices.Contains(back, p) })
}
