// Package hours tells whether a moment lies within the hours of a route: days
// of the week and a span of the day, on the clock of a time zone.
package hours

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on machines that have no zone files
)

// Window is a span of the day on some days of the week. The zero Window is
// always.
type Window struct {
	Days Days
	Span Span
	Zone *time.Location // nil: UTC
}

// Days is a set of days of the week. The zero set is every day.
type Days uint8

// Span is a part of the day in minutes after midnight, 0 to 1440, From included
// and To not. If To is not after From, it ends on the next day. The zero Span is
// the whole day.
type Span struct{ From, To int }

const midnight = 24 * 60

var (
	errDays = errors.New("must be a day or a range of days: mon, tue, wed, thu, fri, sat or sun, such as mon..fri")
	errSpan = errors.New("must be two times of the day with a dash between, such as 09:00-17:30")
	errNone = errors.New("must not begin and end at the same time: for the whole day, leave it out")
	errZone = errors.New("must be a time zone of the IANA database, such as Europe/Amsterdam or UTC")

	spanForm = regexp.MustCompile(`^([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})$`)
)

// In the order of time.Weekday.
const dayNames = "sunmontuewedthufrisat"

func dayOf(name string) (time.Weekday, bool) {
	i := strings.Index(dayNames, name)
	return time.Weekday(i / 3), len(name) == 3 && i >= 0 && i%3 == 0
}

func nameOf(d time.Weekday) string { return dayNames[3*d : 3*d+3] }

// ParseDays reads "mon" or "mon..fri". A range may go over the end of the week.
func ParseDays(s string) (Days, error) {
	first, last, isRange := strings.Cut(s, "..")
	if !isRange {
		last = first
	}
	from, ok1 := dayOf(first)
	to, ok2 := dayOf(last)
	if !ok1 || !ok2 {
		return 0, errDays
	}
	var days Days
	for d := from; ; d = (d + 1) % 7 {
		days |= 1 << d
		if d == to {
			return days, nil
		}
	}
}

// Has reports whether a day is in the set.
func (d Days) Has(day time.Weekday) bool { return d == 0 || d&(1<<day) != 0 }

// String lists the days from Monday on, those in a row as a range.
func (d Days) String() string {
	if d == 0 || d == 1<<7-1 {
		return "every day"
	}
	var runs []string
	for i := 1; i <= 7; i++ {
		if !d.Has(time.Weekday(i % 7)) {
			continue
		}
		begin := i
		for i < 7 && d.Has(time.Weekday((i+1)%7)) {
			i++
		}
		switch run := nameOf(time.Weekday(begin % 7)); {
		case i == begin:
			runs = append(runs, run)
		default:
			runs = append(runs, run+".."+nameOf(time.Weekday(i%7)))
		}
	}
	return strings.Join(runs, ",")
}

// ParseSpan reads "09:00-17:30". "22:00-06:00" ends on the next day; 24:00 is
// allowed as the end.
func ParseSpan(s string) (Span, error) {
	m := spanForm.FindStringSubmatch(s)
	if m == nil {
		return Span{}, errSpan
	}
	from, ok1 := minutes(m[1], m[2])
	to, ok2 := minutes(m[3], m[4])
	switch {
	case !ok1 || !ok2 || from == midnight:
		return Span{}, errSpan
	case from == to:
		return Span{}, errNone
	}
	return Span{from, to}, nil
}

// minutes takes two digits each.
func minutes(hour, minute string) (int, bool) {
	number := func(s string) int { return int(s[0]-'0')*10 + int(s[1]-'0') }
	m := number(hour)*60 + number(minute)
	return m, number(minute) < 60 && m <= midnight
}

// String is the form of the file.
func (s Span) String() string {
	if s == (Span{}) {
		return "all day"
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", s.From/60, s.From%60, s.To/60, s.To%60)
}

// ParseZone finds a zone by its name in the IANA database, such as
// Europe/Amsterdam. The zone of the machine ("Local") is none: it would change
// the hours with the machine.
func ParseZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, errZone
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, errZone
	}
	return zone, nil
}

// Contains reports whether t is within the window, on the clock of its zone. A
// span that ends on the next day belongs to the day on which it begins: Friday
// 22:00-06:00 includes Saturday morning and not Friday morning.
func (w Window) Contains(t time.Time) bool {
	t = w.local(t)
	now := t.Hour()*60 + t.Minute()
	today, yesterday := t.Weekday(), (t.Weekday()+6)%7
	if w.Span == (Span{}) {
		return w.Days.Has(today)
	}
	if w.Span.From < w.Span.To {
		return w.Days.Has(today) && w.Span.From <= now && now < w.Span.To
	}
	return w.Days.Has(today) && now >= w.Span.From || w.Days.Has(yesterday) && now < w.Span.To
}

func (w Window) local(t time.Time) time.Time {
	if w.Zone == nil {
		return t.UTC()
	}
	return t.In(w.Zone)
}

// Clock is t on the clock of the window's zone: "fri 23:59".
func (w Window) Clock(t time.Time) string {
	t = w.local(t)
	return nameOf(t.Weekday()) + t.Format(" 15:04")
}

// String is "mon..fri 09:00-17:30 Europe/Amsterdam".
func (w Window) String() string {
	zone := "UTC"
	if w.Zone != nil {
		zone = w.Zone.String()
	}
	return w.Days.String() + " " + w.Span.String() + " " + zone
}

// MarshalText is String.
func (w Window) MarshalText() ([]byte, error) { return []byte(w.String()), nil }
