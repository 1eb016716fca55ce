package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPeriodUntilFollowsTheCalendar(t *testing.T) {
	for _, c := range []struct {
		name   string
		period Period
		from   string
		want   string
	}{
		{"years keep the day", "P7Y", "2025-03-04T05:06:07Z", "2032-03-04T05:06:07Z"},
		{"a leap day ends on the last of february", "P1Y", "2024-02-29T00:00:00Z", "2025-02-28T00:00:00Z"},
		{"a leap day reaches the next leap day", "P4Y", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"days cross the month", "P90D", "2025-01-01T12:00:00Z", "2025-04-01T12:00:00Z"},
		{"a short month ends on its last day", "P1M", "2025-01-31T10:00:00Z", "2025-02-28T10:00:00Z"},
		{"a short month in a leap year", "P1M", "2024-01-31T10:00:00Z", "2024-02-29T10:00:00Z"},
		{"months cross the year", "P14M", "2025-11-30T10:00:00Z", "2027-01-30T10:00:00Z"},
		{"weeks", "P2W", "2025-12-25T00:00:00Z", "2026-01-08T00:00:00Z"},
		{"hours", "PT36H", "2025-01-01T00:00:00Z", "2025-01-02T12:00:00Z"},
		{"everything at once", "P1Y2M3DT4H5M6S", "2025-01-01T00:00:00Z", "2026-03-04T04:05:06Z"},
		{"the clamp comes before the days", "P1M1D", "2025-01-31T00:00:00Z", "2025-03-01T00:00:00Z"},
		{"no period keeps nothing", "", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z"},
		{"a bad period keeps nothing", "90 days", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, err := time.Parse(time.RFC3339, c.from)
			require.NoError(t, err)
			assert.Equal(t, c.want, c.period.Until(from).Format(time.RFC3339))
		})
	}
}

func TestPeriodUntilKeepsTheLocation(t *testing.T) {
	zone := time.FixedZone("", 3600)
	end := Period("P1D").Until(time.Date(2025, 5, 6, 7, 8, 9, 10, zone))
	assert.Equal(t, time.Date(2025, 5, 7, 7, 8, 9, 10, zone), end)
	assert.Equal(t, zone, end.Location())
}

func TestPeriodCheckSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		period Period
		want   error
	}{
		{"P7Y", nil}, {"P90D", nil}, {"P2W", nil}, {"PT1S", nil}, {"P100Y", nil}, {"P1200M", nil}, {"P0Y1D", nil},
		{"", errPeriodForm}, {"P", errPeriodForm}, {"PT", errPeriodForm}, {"P1", errPeriodForm}, {"7Y", errPeriodForm},
		{"P1DT", errPeriodForm}, {"P1.5Y", errPeriodForm}, {"P-1D", errPeriodForm}, {"-P1D", errPeriodForm},
		{"P1W1D", errPeriodForm}, {"P1M1Y", errPeriodForm}, {"p7y", errPeriodForm}, {"P1H", errPeriodForm},
		{"P100000D", errPeriodForm}, {"P1D\n", errPeriodForm}, {"90d", errPeriodForm}, {"P٣D", errPeriodForm},
		{"P0D", errPeriodZero}, {"PT0S", errPeriodZero}, {"P0W", errPeriodZero},
		{"P101Y", errPeriodLong}, {"P99999D", errPeriodLong}, {"P99999W", errPeriodLong}, {"P99Y24M", errPeriodLong},
	} {
		assert.Equal(t, c.want, c.period.check(), "%q", c.period)
	}
}

func TestPeriodUntilIsAlwaysLater(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Period(rapid.StringMatching(`P([1-9]\d?Y)?([1-9]\d?M)?([1-9]\d{0,3}D)?(T[1-9]\d{0,4}[HMS])?`).Draw(t, "period"))
		if p.check() != nil {
			t.Skip("not a period")
		}
		from := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "from"), 0).UTC()
		assert.True(t, p.Until(from).After(from), "%s from %s", p, from)
	})
}
