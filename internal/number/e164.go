package number

import (
	"maps"
	"slices"
	"strings"
)

// Plan is how the numbers of one country are dialled there (ITU-T E.164, E.123
// and the national numbering plans). The zero Plan changes nothing.
type Plan struct {
	code          string // country code
	international string // dialled before a foreign number
	trunk         string // dialled before a national number, not part of it; may be empty
	// How many digits a national number has, trunk prefix not counted.
	shortest, longest int
	// bare: national numbers come without the trunk prefix as well.
	bare bool
}

// Only countries for which a number says by itself whether it is national: not
// Italy, where a landline keeps its 0 and 39 begins both a mobile number and
// the country's own.
var plans = map[string]Plan{
	"AT": {"43", "00", "0", 4, 13, false},
	"AU": {"61", "0011", "0", 9, 9, false},
	"BE": {"32", "00", "0", 8, 9, false},
	"CA": {"1", "011", "1", 10, 10, true},
	"CH": {"41", "00", "0", 9, 9, false},
	"CZ": {"420", "00", "", 9, 9, true},
	"DE": {"49", "00", "0", 4, 13, false},
	"DK": {"45", "00", "", 8, 8, true},
	"ES": {"34", "00", "", 9, 9, true},
	"FI": {"358", "00", "0", 5, 12, false},
	"FR": {"33", "00", "0", 9, 9, false},
	"GB": {"44", "00", "0", 7, 10, false},
	"IE": {"353", "00", "0", 7, 10, false},
	"NL": {"31", "00", "0", 7, 11, false},
	"NO": {"47", "00", "", 8, 8, true},
	"NZ": {"64", "00", "0", 7, 10, false},
	"PL": {"48", "00", "", 9, 9, true},
	"PT": {"351", "00", "", 9, 9, true},
	"SE": {"46", "00", "0", 6, 13, false},
	"US": {"1", "011", "1", 10, 10, true},
}

// PlanOf is the plan of a country by its code of ISO 3166, such as NL.
func PlanOf(country string) (Plan, bool) {
	p, ok := plans[country]
	return p, ok
}

// Countries are the codes that PlanOf knows, sorted.
func Countries() []string { return slices.Sorted(maps.Keys(plans)) }

// The most digits of a number (E.164 section 6.1), and the fewest that are one
// with a country code.
const maxDigits, minDigits = 15, 7

// visual are the separators that RFC 3966 section 5.1.1 allows and ignores.
var visual = strings.NewReplacer("-", "", ".", "", "(", "", ")", "")

// E164 writes a number with + and country code, without separators. What it
// cannot tell for certain stays exactly as it is: short codes, names,
// "anonymous", numbers of a wrong length.
func (p Plan) E164(number string) string {
	if p.code == "" {
		return number
	}
	plain := visual.Replace(number)
	if digits, ok := strings.CutPrefix(plain, "+"); ok {
		return global(digits, number)
	}
	if !isDigits(plain) {
		return number
	}
	if digits, ok := strings.CutPrefix(plain, p.international); ok {
		return global(digits, number)
	}
	if p.trunk != "" {
		if national, ok := strings.CutPrefix(plain, p.trunk); ok {
			if p.complete(national) {
				return "+" + p.code + national
			}
			return number
		}
	}
	if p.bare && p.complete(plain) && plain[0] != '0' {
		return "+" + p.code + plain
	}
	// What many carriers send: the whole number without its +.
	if national, ok := strings.CutPrefix(plain, p.code); ok && p.complete(national) {
		return "+" + plain
	}
	return number
}

func (p Plan) complete(national string) bool {
	return len(national) >= p.shortest && len(national) <= p.longest && len(p.code)+len(national) <= maxDigits
}

// global is + and digits if that can be a number, else what came.
func global(digits, came string) string {
	if !isDigits(digits) || digits[0] == '0' || len(digits) < minDigits || len(digits) > maxDigits {
		return came
	}
	return "+" + digits
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
