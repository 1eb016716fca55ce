package sip

import (
	"slices"
	"strconv"
	"strings"
)

const (
	maxContacts = 16
	// maxURI is the longest URI that is kept of a header.
	maxURI = 512
)

// redirections returns the URIs in the Contact headers of a response, those of
// a higher q first.
func redirections(msg messageHeaders) []string {
	type contact struct {
		uri string
		q   float64
	}
	var contacts []contact
	for _, value := range headerValues(msg, "Contact") {
		for _, item := range splitList(value) {
			uri := addrSpec(item)
			if uri == "" || uri == "*" || len(uri) > maxURI || hasControl(uri) || len(contacts) >= maxContacts {
				continue
			}
			contacts = append(contacts, contact{uri, qOf(item)})
		}
	}
	slices.SortStableFunc(contacts, func(a, b contact) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	var uris []string
	for _, c := range contacts {
		uris = append(uris, c.uri)
	}
	return uris
}

// qOf reads the q parameter of a name-addr, 1 if there is none (RFC 3261
// section 20.10 leaves that open).
func qOf(nameAddr string) float64 {
	if v, ok := headerParam(nameAddr, "q"); ok {
		if q, err := strconv.ParseFloat(v, 64); err == nil && q >= 0 && q <= 1 {
			return q
		}
	}
	return 1
}

// headerParam returns a parameter that stands behind a name-addr, unquoted.
func headerParam(nameAddr, name string) (string, bool) {
	for _, f := range splitParams(afterAddr(nameAddr))[1:] {
		k, v, _ := strings.Cut(f, "=")
		if strings.EqualFold(strings.TrimSpace(k), name) {
			return unquoted(strings.TrimSpace(v)), true
		}
	}
	return "", false
}
