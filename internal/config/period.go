package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Period is a duration of ISO 8601 in whole calendar units: P7Y, P90D, P1Y6M,
// P2W, PT12H. A year and a month are as long as the calendar says.
type Period string

// A period that outlives everyone it is about is "for ever" under another name.
const maxPeriodYears = 100

var (
	errPeriodForm = errors.New("must be an ISO 8601 duration in whole units, such as P90D, P6M or P7Y")
	errPeriodZero = errors.New("must be longer than zero: for no retention at all, do not record")
	errPeriodLong = fmt.Errorf("must be at most %d years: keeping for ever is not allowed", maxPeriodYears)
)

// Weeks stand alone (ISO 8601-1 section 5.5.2.3); at most five digits keep the
// arithmetic far from overflow.
var periodForm = regexp.MustCompile(
	`^P(?:(\d{1,5})W|(?:(\d{1,5})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})D)?(T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})S)?)?)$`)

// span is a period in the units the calendar knows.
type span struct {
	years, months, days int
	clock               time.Duration
}

// check reports why p is not a period the gateway accepts.
func (p Period) check() error {
	_, err := p.span()
	return err
}

func (p Period) span() (span, error) {
	m := periodForm.FindStringSubmatch(string(p))
	if m == nil || m[5] == "T" || p == "P" {
		return span{}, errPeriodForm
	}
	n := func(i int) int {
		v, _ := strconv.Atoi(m[i]) // digits or nothing, by the expression
		return v
	}
	s := span{
		years: n(2), months: n(3), days: 7*n(1) + n(4),
		clock: time.Duration(n(6))*time.Hour + time.Duration(n(7))*time.Minute + time.Duration(n(8))*time.Second,
	}
	days := 365*s.years + 30*s.months + s.days + int(s.clock/(24*time.Hour))
	switch {
	case s == span{}:
		return span{}, errPeriodZero
	case 4*days > 1461*maxPeriodYears:
		return span{}, errPeriodLong
	}
	return s, nil
}

// Until is the end of the period that starts at t, in t's location. A month
// without that day ends on its last one: 31 January and P1M is 28 or 29
// February (XML Schema part 2, appendix E). A Period that no configuration
// would accept ends at once, so that nothing is kept by mistake.
func (p Period) Until(t time.Time) time.Time {
	s, err := p.span()
	if err != nil {
		return t
	}
	year, month, day := t.Date()
	first := time.Date(year+s.years, month+time.Month(s.months), 1, 0, 0, 0, 0, time.UTC)
	year, month, _ = first.Date()
	day = min(day, first.AddDate(0, 1, -1).Day())
	hour, minute, second := t.Clock()
	end := time.Date(year, month, day+s.days, hour, minute, second, t.Nanosecond(), t.Location())
	return end.Add(s.clock)
}
