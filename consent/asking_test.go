package consent_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"consentgw/consent"
)

// asked is the policy of the tests: 1 yes, 2 no, 0 repeat.
func asked(retries int) consent.Policy {
	return consent.Policy{
		Name:     "test",
		Purposes: []string{"quality", "training"},
		Keys:     consent.Keys{Yes: "1", No: "2", Repeat: "0", Withdraw: "*9"},
		Retries:  retries,
	}
}

// act is one thing that happens to a question.
type act func(*consent.Asking) consent.Verdict

// early is a key that began before the notice had been heard to its end.
func early(key string) act {
	return func(a *consent.Asking) consent.Verdict { return a.Key(consent.Press{Key: key}, false) }
}

// late is a key that began after the notice had been heard to its end.
func late(key string) act {
	return func(a *consent.Asking) consent.Verdict { return a.Key(consent.Press{Key: key}, true) }
}

func silence(a *consent.Asking) consent.Verdict { return a.Silence() }
func settled(a *consent.Asking) consent.Verdict { return a.Settled() }

func TestEveryKeyAtEveryMoment(t *testing.T) {
	const yes, no, repeat, other, none = "1", "2", "0", "5", ""
	type then struct {
		verdict consent.Verdict
		choice  consent.ChoiceKind
	}
	ignored := func(c consent.ChoiceKind) then { return then{consent.Ignore, c} }
	refused := then{consent.Decided, consent.No}
	agreeing := then{consent.SettleIt, consent.Yes}
	wrong := then{consent.Explain, consent.OtherKey}
	slipped := then{consent.Explain, consent.Ambiguous}
	stands := func(c consent.ChoiceKind) then { return then{consent.Decided, c} }

	for _, moment := range []struct {
		name    string
		retries int
		before  []act
		heard   bool
		want    map[string]then
	}{
		{"before the notice was heard to its end only a no and a wrong key count", 2, nil, false, map[string]then{
			yes: ignored(consent.Silence), no: refused, repeat: {consent.Repeat, consent.Silence},
			other: wrong, none: ignored(consent.Silence)}},
		{"after the notice every key counts", 2, nil, true, map[string]then{
			yes: agreeing, no: refused, repeat: {consent.Repeat, consent.Silence},
			other: wrong, none: ignored(consent.Silence)}},
		{"while a yes settles every other key contradicts it", 2, []act{late(yes)}, true, map[string]then{
			yes: agreeing, no: slipped, repeat: slipped, other: slipped, none: ignored(consent.Yes)}},
		{"while a yes settles a key that began earlier contradicts it too", 2, []act{late(yes)}, false, map[string]then{
			yes: agreeing, no: slipped, repeat: slipped, other: slipped, none: ignored(consent.Yes)}},
		{"after a wrong key the question is open again", 2, []act{late(other)}, true, map[string]then{
			yes: agreeing, no: refused, repeat: {consent.Repeat, consent.OtherKey},
			other: wrong, none: ignored(consent.OtherKey)}},
		{"after a contradiction the question is open again", 2, []act{late(yes), late(no)}, true, map[string]then{
			yes: agreeing, no: refused, repeat: {consent.Repeat, consent.Ambiguous},
			other: wrong, none: ignored(consent.Ambiguous)}},
		{"after a contradiction a yes must be informed again", 2, []act{late(yes), late(no)}, false, map[string]then{
			yes: ignored(consent.Ambiguous), no: refused}},
		{"after a silence the question is open again", 2, []act{silence}, true, map[string]then{
			yes: agreeing, no: refused, repeat: {consent.Repeat, consent.Silence},
			other: wrong, none: ignored(consent.Silence)}},
		{"without retries a wrong key decides", 0, nil, true, map[string]then{
			other: stands(consent.OtherKey), yes: agreeing, no: refused, repeat: {consent.Repeat, consent.Silence}}},
		{"without retries a contradiction decides", 0, []act{late(yes)}, true, map[string]then{
			no: stands(consent.Ambiguous), repeat: stands(consent.Ambiguous), other: stands(consent.Ambiguous)}},
		{"a no stands, whatever is pressed afterwards", 2, []act{late(no)}, true, map[string]then{
			yes: stands(consent.No), no: stands(consent.No), repeat: stands(consent.No), other: stands(consent.No)}},
		{"a settled yes stands, whatever is pressed afterwards", 2, []act{late(yes), settled}, true, map[string]then{
			yes: stands(consent.Yes), no: stands(consent.Yes), repeat: stands(consent.Yes), other: stands(consent.Yes)}},
		{"a last silence stands, whatever is pressed afterwards", 0, []act{silence}, true, map[string]then{
			yes: stands(consent.Silence), no: stands(consent.Silence), other: stands(consent.Silence)}},
	} {
		for key, want := range moment.want {
			t.Run(fmt.Sprintf("%s: key %q", moment.name, key), func(t *testing.T) {
				a := consent.NewAsking(asked(moment.retries))
				for _, before := range moment.before {
					before(a)
				}
				got := a.Key(consent.Press{Key: key}, moment.heard)
				assert.Equal(t, want, then{got, a.Choice().Kind})
			})
		}
	}
}

func TestAskingFollowsTheRulesOfTheQuestion(t *testing.T) {
	type step struct {
		do   act
		want consent.Verdict
	}
	repeats := func(n int) (steps []step) {
		for range n {
			steps = append(steps, step{late("0"), consent.Repeat})
		}
		return steps
	}
	for _, c := range []struct {
		name    string
		retries int
		steps   []step
		want    consent.ChoiceKind
		press   string
	}{
		{"nothing has happened: silence", 1, nil, consent.Silence, ""},
		{"a yes that nobody contradicts is a yes", 0,
			[]step{{late("1"), consent.SettleIt}, {settled, consent.Decided}}, consent.Yes, "1"},
		{"a yes pressed twice is one yes", 0,
			[]step{{late("1"), consent.SettleIt}, {late("1"), consent.SettleIt}, {settled, consent.Decided}}, consent.Yes, "1"},
		{"a no never waits", 2, []step{{early("2"), consent.Decided}}, consent.No, "2"},
		{"a yes before the end of the notice and then silence is silence", 0,
			[]step{{early("1"), consent.Ignore}, {silence, consent.Decided}}, consent.Silence, ""},
		{"a yes before the end of the notice does not contradict a no", 0,
			[]step{{early("1"), consent.Ignore}, {early("2"), consent.Decided}}, consent.No, "2"},
		{"each silence costs a retry", 2, []step{{silence, consent.AskAgain}, {silence, consent.AskAgain},
			{silence, consent.Decided}}, consent.Silence, ""},
		{"each wrong key costs a retry", 2, []step{{late("7"), consent.Explain}, {early("8"), consent.Explain},
			{late("9"), consent.Decided}}, consent.OtherKey, "9"},
		{"silences and wrong keys share the retries", 2, []step{{silence, consent.AskAgain}, {late("7"), consent.Explain},
			{silence, consent.Decided}}, consent.OtherKey, "7"},
		{"silence after a wrong key is still a wrong key", 1,
			[]step{{late("7"), consent.Explain}, {silence, consent.Decided}}, consent.OtherKey, "7"},
		{"silence after a contradiction is still a contradiction", 1, []step{{late("1"), consent.SettleIt},
			{late("7"), consent.Explain}, {silence, consent.Decided}}, consent.Ambiguous, "7"},
		{"a wrong key after a contradiction is a wrong key", 1, []step{{late("1"), consent.SettleIt},
			{late("2"), consent.Explain}, {late("7"), consent.Decided}}, consent.OtherKey, "7"},
		{"asked again, the caller may agree", 1, []step{{silence, consent.AskAgain}, {late("1"), consent.SettleIt},
			{settled, consent.Decided}}, consent.Yes, "1"},
		{"asked again, the caller may refuse", 1,
			[]step{{late("7"), consent.Explain}, {early("2"), consent.Decided}}, consent.No, "2"},
		{"repeating costs no retry", 0, append(repeats(5), step{late("1"), consent.SettleIt}, step{settled, consent.Decided}),
			consent.Yes, "1"},
		{"a sixth repeat is a wrong key", 1, append(repeats(5), step{late("0"), consent.Explain},
			step{late("0"), consent.Decided}), consent.OtherKey, "0"},
		{"repeats are counted over the whole question", 1, append(append(repeats(3), step{silence, consent.AskAgain}),
			append(repeats(2), step{late("0"), consent.Decided})...), consent.OtherKey, "0"},
		{"silence while a yes settles changes nothing", 0, []step{{late("1"), consent.SettleIt},
			{silence, consent.SettleIt}, {settled, consent.Decided}}, consent.Yes, "1"},
		{"silence while a yes settles does not outrun a contradiction", 0, []step{{late("1"), consent.SettleIt},
			{silence, consent.SettleIt}, {late("2"), consent.Decided}}, consent.Ambiguous, "2"},
		{"a timer that outlived its yes says nothing", 1, []step{{late("1"), consent.SettleIt},
			{late("2"), consent.Explain}, {settled, consent.Ignore}, {late("2"), consent.Decided}}, consent.No, "2"},
		{"settling before any yes says nothing", 0,
			[]step{{settled, consent.Ignore}, {silence, consent.Decided}}, consent.Silence, ""},
		{"silence after a no changes nothing", 1,
			[]step{{late("2"), consent.Decided}, {silence, consent.Decided}, {settled, consent.Decided}}, consent.No, "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := consent.NewAsking(asked(c.retries))
			for i, s := range c.steps {
				require.Equal(t, s.want, s.do(a), "step %d", i+1)
			}
			assert.Equal(t, consent.Choice{Kind: c.want, Press: consent.Press{Key: c.press}}, a.Choice())
		})
	}
}

func TestAPolicyWithoutARepeatKeyTakesNoPressForOne(t *testing.T) {
	p := asked(0)
	p.Keys.Repeat = ""
	a := consent.NewAsking(p)
	assert.Equal(t, consent.Ignore, a.Key(consent.Press{}, true))
	assert.Equal(t, consent.Decided, a.Key(consent.Press{Key: "0"}, true))
	assert.Equal(t, consent.OtherKey, a.Choice().Kind)
}

func TestAPolicyWithoutKeysNeverYieldsAYes(t *testing.T) {
	a := consent.NewAsking(consent.Policy{})
	assert.Equal(t, consent.Ignore, a.Key(consent.Press{}, true))
	assert.Equal(t, consent.Decided, a.Key(consent.Press{Key: "1"}, true))
	assert.Equal(t, consent.OtherKey, a.Choice().Kind)
}

func TestReleasedCompletesTheEvidenceOfItsOwnPressOnly(t *testing.T) {
	begun := consent.Press{Key: "1", Method: "rfc4733", SSRC: 7, RTPTimestamp: 800, PayloadType: 101, DurationMS: 40, At: noon}
	ended := begun
	ended.DurationMS, ended.EndSeen = 180, true
	foreign := func(change func(*consent.Press)) consent.Press {
		p := ended
		change(&p)
		return p
	}
	for _, c := range []struct {
		name     string
		released consent.Press
		want     consent.Press
	}{
		{"its own release", ended, ended},
		{"a release of another key", foreign(func(p *consent.Press) { p.Key = "2" }), begun},
		{"a release by another method", foreign(func(p *consent.Press) { p.Method = "sip-info" }), begun},
		{"a release of another source", foreign(func(p *consent.Press) { p.SSRC = 8 }), begun},
		{"a release of a later press of the same key", foreign(func(p *consent.Press) { p.RTPTimestamp = 2400 }), begun},
		{"a release that says another time and payload type keeps those of the press",
			foreign(func(p *consent.Press) { p.At, p.PayloadType = noon.AddDate(1, 0, 0), 96 }), ended},
	} {
		t.Run(c.name+" while it settles", func(t *testing.T) {
			a := consent.NewAsking(asked(0))
			require.Equal(t, consent.SettleIt, a.Key(begun, true))
			a.Released(c.released)
			assert.Equal(t, consent.Choice{Kind: consent.Yes, Press: c.want}, a.Choice())
		})
		t.Run(c.name+" after the decision", func(t *testing.T) {
			a := consent.NewAsking(asked(0))
			a.Key(begun, true)
			require.Equal(t, consent.Decided, a.Settled())
			a.Released(c.released)
			assert.Equal(t, consent.Choice{Kind: consent.Yes, Press: c.want}, a.Choice())
		})
	}
	t.Run("a release without a press evidences nothing", func(t *testing.T) {
		a := consent.NewAsking(asked(0))
		a.Released(ended)
		assert.Equal(t, consent.Choice{Kind: consent.Silence}, a.Choice())
	})
}

// question is the model of an Asking: it knows nothing of choices, only what
// has happened, and says what may be true after it.
type question struct {
	asking  *consent.Asking
	yes     bool // a yes that came after the end of the notice waits
	decided bool
	final   consent.Choice
	asks    int // verdicts that cost a retry
	repeats int
	retries int
}

func (q *question) key(t *rapid.T) {
	key := rapid.SampledFrom([]string{"1", "1", "2", "0", "5", "*", ""}).Draw(t, "key")
	heard := rapid.Bool().Draw(t, "heard")
	at := rapid.Uint32Range(1, 1000).Draw(t, "rtp timestamp")
	verdict := q.asking.Key(consent.Press{Key: key, RTPTimestamp: at}, heard)
	if q.decided || key == "" {
		q.took(t, verdict)
		return
	}
	switch {
	case q.yes && key != "1":
		require.Equal(t, consent.Ambiguous, q.asking.Choice().Kind, "a different key contradicts a yes that settles")
		q.yes = false
	case key == "2":
		require.Equal(t, consent.Decided, verdict, "a no decides at any time")
		require.Equal(t, consent.No, q.asking.Choice().Kind)
	case key == "1" && heard:
		require.Equal(t, consent.SettleIt, verdict)
		q.yes = true
	case key == "1" && !q.yes:
		require.Equal(t, consent.Ignore, verdict, "a yes before the end of the notice counts for nothing")
	}
	q.took(t, verdict)
}

func (q *question) settled(t *rapid.T) {
	verdict := q.asking.Settled()
	if !q.decided {
		require.Equal(t, q.yes, verdict == consent.Decided, "only a yes settles")
	}
	q.took(t, verdict)
}

func (q *question) silence(t *rapid.T) {
	verdict := q.asking.Silence()
	if q.yes && !q.decided {
		require.Equal(t, consent.SettleIt, verdict, "a yes that settles is no silence")
	}
	q.took(t, verdict)
}

// took keeps the model's books and holds the laws of every moment.
func (q *question) took(t *rapid.T, verdict consent.Verdict) {
	choice := q.asking.Choice()
	if q.decided {
		require.Equal(t, consent.Decided, verdict, "a decision stands")
		require.Equal(t, q.final, choice, "a decision stands")
		return
	}
	switch verdict {
	case consent.AskAgain, consent.Explain:
		q.asks++
	case consent.Repeat:
		q.repeats++
	case consent.Decided:
		q.decided, q.final = true, choice
		require.True(t, choice.Kind != consent.Yes || q.yes, "a yes must be informed and uncontradicted")
	}
	require.Equal(t, q.yes, choice.Kind == consent.Yes, "the choice is yes exactly while an informed yes stands")
	require.LessOrEqual(t, q.asks, q.retries)
	require.LessOrEqual(t, q.repeats, 5)
	if choice.Kind == consent.Silence {
		require.Zero(t, choice.Press, "a silence shows no press")
	} else {
		require.NotEmpty(t, choice.Press.Key, "a choice shows its press")
	}
}

func TestNoSequenceOfEventsMakesAYesThatIsNotOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		retries := rapid.IntRange(0, 3).Draw(t, "retries")
		q := &question{asking: consent.NewAsking(asked(retries)), retries: retries}
		t.Repeat(map[string]func(*rapid.T){"key": q.key, "settled": q.settled, "silence": q.silence})
	})
}
