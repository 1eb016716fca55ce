package hours

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func zone(t require.TestingT, name string) *time.Location {
	z, err := ParseZone(name)
	require.NoError(t, err)
	return z
}

// window reads "mon..fri,sun 09:00-17:30 Europe/Amsterdam", a dash for what is
// left out.
func window(t require.TestingT, text string) Window {
	parts := strings.Fields(text)
	require.Len(t, parts, 3)
	w := Window{Zone: zone(t, parts[2])}
	if parts[0] != "-" {
		for item := range strings.SplitSeq(parts[0], ",") {
			days, err := ParseDays(item)
			require.NoError(t, err)
			w.Days |= days
		}
	}
	if parts[1] != "-" {
		var err error
		w.Span, err = ParseSpan(parts[1])
		require.NoError(t, err)
	}
	return w
}

func TestAWindowContainsItsHoursOnItsDays(t *testing.T) {
	const office = "mon..fri 09:00-17:30 Europe/Amsterdam"
	const night = "fri 22:00-06:00 Europe/Amsterdam"
	for _, c := range []struct {
		name, window, at string // 2 March 2026 is a Monday
		want             bool
	}{
		{"the first minute", office, "2026-03-02T09:00:00+01:00", true},
		{"the moment before", office, "2026-03-02T08:59:59.999999999+01:00", false},
		{"the last minute", office, "2026-03-02T17:29:59+01:00", true},
		{"the end is not in it", office, "2026-03-02T17:30:00+01:00", false},
		{"a day that is not in it", office, "2026-03-07T12:00:00+01:00", false},
		{"the time of another zone", office, "2026-03-02T08:00:00Z", true},
		{"the day of another zone", office, "2026-03-03T01:00:00+09:00", true},
		{"in summer", office, "2026-07-06T07:00:00Z", true},
		{"in summer, an hour early", office, "2026-07-06T06:59:00Z", false},
		{"over midnight, before it", night, "2026-03-06T23:00:00+01:00", true},
		{"over midnight, after it", night, "2026-03-07T05:59:00+01:00", true},
		{"over midnight, its end", night, "2026-03-07T06:00:00+01:00", false},
		{"over midnight, the morning of its day", night, "2026-03-06T05:00:00+01:00", false},
		{"over midnight, the evening after", night, "2026-03-07T22:30:00+01:00", false},
		{"over the end of the week", "sun 22:00-06:00 UTC", "2026-03-02T05:00:00Z", true},
		{"until midnight", "mon 18:00-24:00 UTC", "2026-03-02T23:59:59Z", true},
		{"until midnight, after it", "mon 18:00-24:00 UTC", "2026-03-03T00:00:00Z", false},
		{"until 00:00 is the same", "mon 18:00-00:00 UTC", "2026-03-02T23:59:59Z", true},
		{"until 00:00, after it", "mon 18:00-00:00 UTC", "2026-03-03T00:00:00Z", false},
		{"the whole day by its hours", "mon 00:00-24:00 UTC", "2026-03-02T00:00:00Z", true},
		{"the whole day", "mon - UTC", "2026-03-02T23:59:59Z", true},
		{"the whole day before", "mon - UTC", "2026-03-01T23:59:59Z", false},
		{"every day", "- 09:00-10:00 UTC", "2026-03-01T09:30:00Z", true},
		{"always", "- - UTC", "2026-03-01T09:30:00Z", true},
		{"days over the end of the week", "sat..mon - UTC", "2026-03-01T09:30:00Z", true},
		{"not the days between", "sat..mon - UTC", "2026-03-04T09:30:00Z", false},
		{"the hour that comes twice, first", "sun 02:30-02:45 Europe/Amsterdam", "2026-10-25T00:35:00Z", true},
		{"the hour that comes twice, again", "sun 02:30-02:45 Europe/Amsterdam", "2026-10-25T01:35:00Z", true},
		{"the hour that is left out", "sun 02:30-02:45 Europe/Amsterdam", "2026-03-29T01:35:00Z", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339Nano, c.at)
			require.NoError(t, err)
			assert.Equal(t, c.want, window(t, c.window).Contains(at))
		})
	}
}

func TestTheZeroWindowIsAlways(t *testing.T) {
	assert.True(t, Window{}.Contains(time.Now()))
	assert.True(t, Window{}.Contains(time.Time{}))
	assert.Equal(t, "every day all day UTC", Window{}.String())
}

func TestAWindowSaysItselfInWords(t *testing.T) {
	for in, want := range map[string]string{
		"mon..fri 09:00-17:30 Europe/Amsterdam": "mon..fri 09:00-17:30 Europe/Amsterdam",
		"mon,tue,wed - UTC":                     "mon..wed all day UTC",
		"mon,wed,fri 22:00-06:00 UTC":           "mon,wed,fri 22:00-06:00 UTC",
		"sat..mon - UTC":                        "mon,sat..sun all day UTC",
		"mon..sun 00:00-24:00 UTC":              "every day 00:00-24:00 UTC",
		"sun - America/New_York":                "sun all day America/New_York",
		"- 00:30-23:59 UTC":                     "every day 00:30-23:59 UTC",
	} {
		assert.Equal(t, want, window(t, in).String(), in)
	}
	at := time.Date(2026, 3, 6, 23, 30, 0, 0, time.UTC)
	assert.Equal(t, "fri 23:30", Window{}.Clock(at))
	assert.Equal(t, "sat 00:30", Window{Zone: zone(t, "Europe/Amsterdam")}.Clock(at))
}

func TestDaysThatAreNoneAreRefused(t *testing.T) {
	for _, bad := range []string{"", "..", "mon..", "..fri", "monday", "Mon", "mon-fri", "mon..fri..sun", "unm", "mo", "mon ", "1", "mon,tue", "montue"} {
		_, err := ParseDays(bad)
		assert.Equal(t, errDays, err, "%q", bad)
	}
	one, err := ParseDays("wed..wed")
	require.NoError(t, err)
	assert.Equal(t, "wed", one.String())
}

func TestHoursThatAreNoneAreRefused(t *testing.T) {
	for _, bad := range []string{"", "-", "09:00", "9:00-17:30", "09:00-17:60", "09:00-24:01", "24:00-06:00", "25:00-26:00", "09.00-17.30",
		"09:00 - 17:30", "09:00-17:30 ", "09:00–17:30", "0900-1730", "09:00-17:30-18:00", "٠٩:٠٠-١٧:٣٠"} {
		_, err := ParseSpan(bad)
		assert.Equal(t, errSpan, err, "%q", bad)
	}
	for _, none := range []string{"09:00-09:00", "00:00-00:00"} {
		_, err := ParseSpan(none)
		assert.Equal(t, errNone, err, none)
	}
}

func TestZonesAreThoseOfTheDatabase(t *testing.T) {
	for _, good := range []string{"UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kathmandu"} {
		z, err := ParseZone(good)
		require.NoError(t, err, good)
		assert.Equal(t, good, z.String())
	}
	for _, bad := range []string{"", "Local", "Europe/Amsterdan", "+01:00", "../../etc/passwd", "/etc/localtime", "Europe", "Europe/", "\x00"} {
		_, err := ParseZone(bad)
		assert.Equal(t, errZone, err, "%q", bad)
	}
}

func TestAWindowAndTheRestOfTheDayAreTheWholeDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, midnight-1).Draw(t, "from")
		to := rapid.IntRange(0, midnight-1).Draw(t, "to")
		if from == to {
			t.Skip("no span")
		}
		w := Window{Span: Span{from, to}, Zone: zone(t, rapid.SampledFrom([]string{"UTC", "Europe/Amsterdam", "Asia/Kathmandu"}).Draw(t, "zone"))}
		rest := Window{Span: Span{to, from}, Zone: w.Zone}
		at := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "at"), 0)
		assert.NotEqual(t, w.Contains(at), rest.Contains(at))
		read, err := ParseSpan(w.Span.String())
		require.NoError(t, err)
		assert.Equal(t, w.Span, read, "what is written can be read")
	})
}

func FuzzWindow(f *testing.F) {
	f.Add("mon..fri", "09:00-17:30", "Europe/Amsterdam", int64(1772438400))
	f.Add("sat..mon", "22:00-06:00", "UTC", int64(0))
	f.Add("", "24:00-24:00", "Local", int64(-1))
	f.Add("sun", "00:00-00:01", "../UTC", int64(1)<<40)
	f.Fuzz(func(t *testing.T, days, span, name string, unix int64) {
		var w Window
		var err error
		at := time.Unix(unix, 0)
		if w.Days, err = ParseDays(days); err == nil {
			assert.NotZero(t, w.Days)
			again := Days(0)
			if s := w.Days.String(); s != "every day" {
				for item := range strings.SplitSeq(s, ",") {
					part, err := ParseDays(item)
					assert.NoError(t, err)
					again |= part
				}
				assert.Equal(t, w.Days, again)
			}
		}
		if w.Span, err = ParseSpan(span); err == nil {
			assert.Equal(t, span, w.Span.String())
		}
		if w.Zone, err = ParseZone(name); err != nil {
			w.Zone = nil
		}
		w.Contains(at)
		assert.NotEmpty(t, w.String())
		assert.Len(t, w.Clock(at), len("mon 15:04"))
	})
}
