package consent_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"consentgw/consent"
)

// several is a policy that asks for more than one purpose.
func several(ask consent.Ask, purposes ...string) consent.Policy {
	p := asked(0)
	p.Ask, p.Purposes, p.Keys.Choose = ask, purposes, "3"
	return p
}

// answered goes through an interview; answer says what is done at each question.
func answered(p consent.Policy, answer func(consent.Question) (consent.Heard, consent.Choice)) (asked []consent.Question, d consent.Decision) {
	i := consent.NewInterview(p)
	for q, more := i.Next(); more; q, more = i.Next() {
		asked = append(asked, q)
		heard, choice := answer(q)
		i.Answer(consent.Decide(noon, heard, choice), fmt.Sprintf("question %d", len(asked)))
	}
	return asked, i.Decision(noon)
}

func whole() consent.Heard { return consent.Heard{Complete: true} }

func pressed(k consent.ChoiceKind, key string) consent.Choice {
	return consent.Choice{Kind: k, Press: consent.Press{Key: key, Method: "rfc4733", At: noon}}
}

func TestAPolicyAsksInItsOwnWay(t *testing.T) {
	both := []string{"quality", "training"}
	each := []consent.Question{{Ask: consent.AskEach, Purposes: both[:1]}, {Ask: consent.AskEach, Purposes: both[1:]}}
	choose := consent.Question{Ask: consent.AskChoose, Purposes: both}
	for _, c := range []struct {
		name  string
		ask   consent.Ask
		first consent.Choice
		want  []consent.Question
	}{
		{"without a word of the policy there is one question", "", pressed(consent.Yes, "1"), []consent.Question{{Ask: consent.AskTogether, Purposes: both}}},
		{"together there is one question", consent.AskTogether, pressed(consent.Yes, "1"), []consent.Question{{Ask: consent.AskTogether, Purposes: both}}},
		{"each has its question", consent.AskEach, pressed(consent.No, "2"), each},
		{"who agrees to all is not asked again", consent.AskChoose, pressed(consent.Yes, "1"), []consent.Question{choose}},
		{"who refuses all is not asked again", consent.AskChoose, pressed(consent.No, "2"), []consent.Question{choose}},
		{"who says nothing is not asked again", consent.AskChoose, consent.Choice{Kind: consent.Silence}, []consent.Question{choose}},
		{"who chooses is asked for each", consent.AskChoose, pressed(consent.Choosing, "3"), append([]consent.Question{choose}, each...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			got, _ := answered(several(c.ask, both...), func(consent.Question) (consent.Heard, consent.Choice) {
				if n++; n == 1 {
					return whole(), c.first
				}
				return whole(), pressed(consent.No, "2")
			})
			assert.Equal(t, c.want, got)
		})
	}
}

func TestTheKeyToChooseIsOfferedOnlyWhereThereIsAChoice(t *testing.T) {
	three := consent.Press{Key: "3"}
	i := consent.NewInterview(several(consent.AskChoose, "quality"))
	a := i.Asking()
	assert.Equal(t, consent.Ignore, a.Key(three, false), "who chooses is to know what about")
	assert.Equal(t, consent.Decided, a.Key(three, true))
	assert.Equal(t, consent.Choice{Kind: consent.Choosing, Press: three}, a.Choice())
	i.Answer(consent.Decide(noon, whole(), a.Choice()), "ask")
	assert.Equal(t, consent.Decided, i.Asking().Key(three, true), "no retries: a wrong key")

	for _, ask := range []consent.Ask{consent.AskTogether, consent.AskEach} {
		a := consent.NewInterview(several(ask, "quality")).Asking()
		require.Equal(t, consent.Decided, a.Key(three, true))
		assert.Equal(t, consent.OtherKey, a.Choice().Kind, "%s", ask)
	}
}

func TestChoosingIsNeverConsent(t *testing.T) {
	assert.NotEqual(t, consent.Given, consent.Decide(noon, whole(), pressed(consent.Choosing, "3")).Outcome)
}

func TestTheOutcomeOfTheCallIsThatOfItsQuestions(t *testing.T) {
	yes, no, other, none := pressed(consent.Yes, "1"), pressed(consent.No, "2"), pressed(consent.OtherKey, "7"), consent.Choice{Kind: consent.Silence}
	for _, c := range []struct {
		name    string
		answers []consent.Choice
		want    consent.Outcome
		key     string
	}{
		{"one yes is enough", []consent.Choice{no, none, yes}, consent.Given, "1"},
		{"a refusal goes before what was not answered", []consent.Choice{none, no, other}, consent.Refused, "2"},
		{"without either the first question tells", []consent.Choice{other, none, none}, consent.InvalidInput, "7"},
		{"nobody said anything", []consent.Choice{none, none, none}, consent.NoInput, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := -1
			_, d := answered(several(consent.AskEach, "a", "b", "c"), func(consent.Question) (consent.Heard, consent.Choice) {
				n++
				return whole(), c.answers[n]
			})
			assert.Equal(t, c.want, d.Outcome)
			assert.Equal(t, c.key, d.Choice.Press.Key)
		})
	}
}

// What becomes of each purpose depends on the answer to its own question alone,
// and its evidence is that answer.
func TestAPurposeIsGrantedExactlyByItsOwnYes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := []string{"quality", "training", "ai_analysis", "fraud"}[:rapid.IntRange(1, 4).Draw(t, "purposes")]
		policy := several(rapid.SampledFrom([]consent.Ask{consent.AskTogether, consent.AskChoose, consent.AskEach}).Draw(t, "ask"), all...)
		want := map[string]bool{}
		_, d := answered(policy, func(q consent.Question) (consent.Heard, consent.Choice) {
			kind := rapid.SampledFrom([]consent.ChoiceKind{consent.Yes, consent.Yes, consent.Yes, consent.Yes, consent.No, consent.Silence, consent.OtherKey,
				consent.Ambiguous, consent.Choosing}).Draw(t, "choice")
			heard := consent.Heard{Complete: rapid.IntRange(0, 3).Draw(t, "heard") > 0}
			for _, p := range q.Purposes {
				want[p] = kind == consent.Yes && heard.Complete
			}
			return heard, pressed(kind, string(kind))
		})
		v := &vault{answer: keeps}
		kept := rapid.IntRange(0, 3).Draw(t, "kept") > 0
		if !kept {
			v.answer = keepsButFails
		}
		r := consent.NewRecord("id", "gw-1", "gw-1/7", policy, consent.Call{InvitedAt: noon})
		permit, err := consent.Commit(context.Background(), v, r, d, func() time.Time { return noon })
		require.Equal(t, kept, err == nil)
		for _, g := range r.Purposes {
			require.Equal(t, kept && want[g.Purpose], g.Granted, g.Purpose)
			require.Equal(t, g.Granted, permit.For([]string{g.Purpose}).Valid(), g.Purpose)
			if g.Granted && policy.Ask != consent.AskTogether {
				require.Equal(t, "yes", g.Press.Key, "the key that was pressed for it")
				require.NotEmpty(t, g.Question)
			}
		}
		require.Equal(t, slices.ContainsFunc(r.Purposes, func(g consent.Grant) bool { return g.Granted }), permit.Valid())
		require.Equal(t, permit.Valid(), r.Outcome == consent.Given)
	})
}

func TestRefusingOnePurposeRefusesNothingElse(t *testing.T) {
	answers := map[string]consent.Choice{"quality": pressed(consent.Yes, "1"), "training": pressed(consent.No, "2"),
		"ai_analysis": {Kind: consent.Silence}, "fraud": pressed(consent.Yes, "1")}
	p := several(consent.AskEach, "quality", "training", "ai_analysis", "fraud")
	_, d := answered(p, func(q consent.Question) (consent.Heard, consent.Choice) { return whole(), answers[q.Purposes[0]] })
	r := consent.NewRecord("id", "gw-1", "gw-1/7", p, consent.Call{InvitedAt: noon})
	_, err := consent.Commit(t.Context(), &vault{answer: keeps}, r, d, func() time.Time { return noon })
	require.NoError(t, err)
	var got []string
	for _, g := range r.Purposes {
		key := ""
		if g.Press != nil {
			key = g.Press.Key
		}
		got = append(got, fmt.Sprintf("%s %s %t by %q to %s", g.Purpose, g.Outcome, g.Granted, key, g.Question))
	}
	assert.Equal(t, []string{`quality given true by "1" to question 1`, `training refused false by "2" to question 2`,
		`ai_analysis no_input false by "" to question 3`, `fraud given true by "1" to question 4`}, got)
}

func TestWhoLeavesInTheMiddleHasAgreedToNothing(t *testing.T) {
	p := several(consent.AskEach, "quality", "training", "ai_analysis")
	i := consent.NewInterview(p)
	i.Answer(consent.Decide(noon, whole(), pressed(consent.Yes, "1")), "ask-quality")
	i.Answer(consent.Decide(noon, whole(), pressed(consent.No, "2")), "ask-training")
	r := consent.NewRecord("id", "gw-1", "gw-1/7", p, consent.Call{InvitedAt: noon})
	r.Decide(i.Instead(consent.Undecided(noon, consent.Abandoned)))
	assert.Equal(t, consent.Abandoned, r.Outcome)
	yes, no := pressed(consent.Yes, "1").Press, pressed(consent.No, "2").Press
	yes.At, no.At = after(0), after(0)
	assert.Equal(t, []consent.Grant{
		{Purpose: "quality", Outcome: consent.Abandoned, Question: "ask-quality", Press: &yes, DecidedAt: after(0)},
		{Purpose: "training", Outcome: consent.Refused, Question: "ask-training", Press: &no, DecidedAt: after(0)},
		{Purpose: "ai_analysis", Outcome: consent.Abandoned},
	}, r.Purposes, "what was pressed stays in evidence")
}

func TestAnAnswerWithoutAQuestionIsNone(t *testing.T) {
	i := consent.NewInterview(several(consent.AskTogether))
	i.Answer(consent.Decide(noon, whole(), pressed(consent.No, "2")), "ask")
	before := i.Decision(noon)
	i.Answer(consent.Decide(noon, whole(), pressed(consent.Yes, "1")), "ask")
	assert.Equal(t, before, i.Decision(noon))
	assert.Equal(t, consent.NotAsked, consent.NewInterview(several(consent.AskEach)).Decision(noon).Outcome, "no purposes, no question")
}

func TestOnePurposeCanBeTakenBack(t *testing.T) {
	v := &vault{answer: keeps}
	p := several(consent.AskEach, "quality", "training", "ai_analysis")
	_, d := answered(p, func(q consent.Question) (consent.Heard, consent.Choice) {
		if q.Purposes[0] == "ai_analysis" {
			return whole(), pressed(consent.No, "2")
		}
		return whole(), pressed(consent.Yes, "1")
	})
	r := consent.NewRecord("id", "gw-1", "gw-1/7", p, consent.Call{InvitedAt: noon})
	permit, err := consent.Commit(t.Context(), v, r, d, func() time.Time { return noon })
	require.NoError(t, err)
	any, quality, training := permit.For(nil), permit.For([]string{"quality"}), permit.For([]string{"training", "ai_analysis"})
	require.False(t, permit.For([]string{"ai_analysis"}).Valid())
	require.False(t, permit.For([]string{"marketing"}).Valid(), "for fewer purposes, never for more")
	require.False(t, permit.For([]string{"quality"}).For([]string{"training"}).Valid())

	assert.False(t, r.Clone().Withdraw(noon, "api", "ai_analysis"), "it was refused")
	assert.False(t, r.Clone().Withdraw(noon, "api", "marketing"), "nobody asked for it")
	assert.False(t, quality.ValidWithout([]string{"quality"}))
	assert.True(t, training.ValidWithout([]string{"quality"}))
	permit.RevokeFor([]string{"quality"})
	require.True(t, r.Withdraw(after(9), "api", "quality"))
	assert.False(t, quality.Valid())
	assert.True(t, training.Valid())
	assert.True(t, any.Valid(), "what is for any purpose goes on for those that are left")
	assert.Equal(t, consent.Given, r.Outcome)
	assert.Nil(t, r.Withdrawal)
	assert.Equal(t, []string{"quality"}, r.TakenBack())
	assert.Equal(t, consent.Event{At: after(9), Type: "purpose_withdrawn", Text: "quality by api"}, last(r))
	assert.True(t, r.Has("training"))
	assert.False(t, r.Withdraw(after(10), "api", "quality"), "twice is once")

	permit.RevokeFor([]string{"training"})
	assert.False(t, permit.Valid() || any.Valid())
	require.True(t, r.Withdraw(after(12), "key", "training", "marketing"), "the last one")
	assert.Equal(t, consent.Withdrawn, r.Outcome)
	assert.Equal(t, "key", r.Withdrawal.Method)
	assert.Equal(t, []consent.Outcome{consent.Withdrawn, consent.Withdrawn, consent.Refused},
		[]consent.Outcome{r.Purposes[0].Outcome, r.Purposes[1].Outcome, r.Purposes[2].Outcome})
	assert.Equal(t, "api", r.Purposes[0].WithdrawnBy)
}

func TestAPurposeThatAnotherWriterTookBackStaysTakenBack(t *testing.T) {
	r := agreed(t)
	other := r.Clone()
	other.Writer = "api:gw-2"
	require.True(t, other.Withdraw(after(5), "api", "training"))
	assert.True(t, r.Merge(other))
	assert.Equal(t, consent.Given, r.Outcome)
	assert.True(t, r.Has("quality"))
	assert.False(t, r.Has("training"))
	assert.Equal(t, after(5), r.Purposes[1].WithdrawnAt)
	assert.Greater(t, r.Epoch, other.Epoch)

	before := r.Outcome
	assert.False(t, r.Merge(other), "twice is once")
	assert.Equal(t, before, r.Outcome)
}
