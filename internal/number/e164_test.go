package number

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNumbersAreWrittenInE164(t *testing.T) {
	for _, c := range []struct{ country, number, want string }{
		{"NL", "+31205550100", "+31205550100"}, {"NL", "0205550100", "+31205550100"}, {"NL", "0031205550100", "+31205550100"},
		{"NL", "31205550100", "+31205550100"}, {"NL", "00442079460100", "+442079460100"}, {"NL", "+442079460100", "+442079460100"},
		{"NL", "+31-20-555.0100", "+31205550100"}, {"NL", "(020)5550100", "+31205550100"},
		{"BE", "025550100", "+3225550100"}, {"DE", "03055501000", "+493055501000"}, {"FR", "0155550100", "+33155550100"},
		{"GB", "02079460100", "+442079460100"}, {"GB", "442079460100", "+442079460100"}, {"IE", "015550100", "+35315550100"},
		{"AT", "015550100", "+4315550100"}, {"CH", "0445550100", "+41445550100"}, {"SE", "085550100", "+4685550100"},
		{"FI", "095550100", "+35895550100"}, {"NZ", "095550100", "+6495550100"}, {"AU", "0255501000", "+61255501000"},
		{"AU", "0011442079460100", "+442079460100"}, {"AU", "00442079460100", "00442079460100"},
		{"DK", "45550100", "+4545550100"}, {"DK", "4545550100", "+4545550100"}, {"NO", "22550100", "+4722550100"},
		{"ES", "915550100", "+34915550100"}, {"ES", "34915550100", "+34915550100"}, {"PT", "215550100", "+351215550100"},
		{"PL", "225550100", "+48225550100"}, {"CZ", "225550100", "+420225550100"}, {"CZ", "420225550100", "+420225550100"},
		{"US", "2025550100", "+12025550100"}, {"US", "12025550100", "+12025550100"}, {"US", "011442079460100", "+442079460100"},
		{"CA", "+12025550100", "+12025550100"},
	} {
		p, ok := PlanOf(c.country)
		require.True(t, ok, c.country)
		assert.Equal(t, c.want, p.E164(c.number), "%s in %s", c.number, c.country)
	}
}

func TestWhatIsNoWholeNumberStaysExactlyAsItIs(t *testing.T) {
	for country, numbers := range map[string][]string{
		"NL": {"", "112", "144", "0", "00", "+", "++31205550100", "+0205550100", "+31", "000205550100", "+3120555010012345", "003120555010012345",
			"agents", "anonymous", "020-abc", "*21#", "0205", "020555010012345", "205550100", "1-1-2", "٠٢٠٥٥٥٠١٠٠", "+31 20 555 0100", "tel:+31205550100"},
		"GB": {"999", "0999", "20794601"},
		"US": {"911", "5550100", "0025550100", "1202555010", "120255501001", "202555010"},
		"DK": {"112", "455501", "04555010"},
	} {
		p, _ := PlanOf(country)
		for _, n := range numbers {
			assert.Equal(t, n, p.E164(n), "%s in %s", n, country)
		}
	}
}

func TestACountryWithoutAPlanChangesNothing(t *testing.T) {
	p, ok := PlanOf("IT")
	assert.False(t, ok)
	assert.Equal(t, "0205550100", p.E164("0205550100"))
	assert.True(t, slices.IsSorted(Countries()))
	assert.Contains(t, Countries(), "NL")
	assert.Len(t, Countries(), len(plans))
}

func TestEveryWayToDialANumberInItsCountryIsTheSameNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := plans[rapid.SampledFrom(Countries()).Draw(t, "country")]
		size := rapid.IntRange(max(p.shortest, minDigits), min(p.longest, maxDigits-len(p.code))).Draw(t, "size")
		national := rapid.StringMatching(`[2-9][0-9]{19}`).Draw(t, "number")[:size]
		want := "+" + p.code + national
		for _, dialled := range []string{want, p.international + p.code + national, p.trunk + national} {
			assert.Equal(t, want, p.E164(dialled), dialled)
		}
	})
}

func FuzzE164(f *testing.F) {
	for _, n := range []string{"+31205550100", "0205550100", "0031205550100", "112", "(020)5550100", "", "+", "-", "agents"} {
		f.Add("NL", n)
		f.Add("US", n)
	}
	f.Fuzz(func(t *testing.T, country, n string) {
		p, _ := PlanOf(country)
		got := p.E164(n)
		if got == n {
			return
		}
		assert.Regexp(t, `^\+[1-9][0-9]{6,14}$`, got)
		assert.Equal(t, got, p.E164(got), "twice is once")
	})
}
