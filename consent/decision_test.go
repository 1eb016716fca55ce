package consent_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"consentgw/consent"
)

func TestDecideAppliesTheLaw(t *testing.T) {
	whole := consent.Heard{HeardMS: 9000, LengthMS: 9000, Complete: true, Plays: 1}
	half := consent.Heard{HeardMS: 4500, LengthMS: 9000, Plays: 1}
	none := consent.Heard{LengthMS: 9000}
	for _, c := range []struct {
		name  string
		heard consent.Heard
		kind  consent.ChoiceKind
		want  consent.Outcome
	}{
		{"a yes after the whole notice is consent", whole, consent.Yes, consent.Given},
		{"a yes after half of the notice is not", half, consent.Yes, consent.NoticeIncomplete},
		{"a yes without a notice is not", none, consent.Yes, consent.NoticeIncomplete},
		{"a yes whose evidence counts every millisecond but no end is not",
			consent.Heard{HeardMS: 9000, LengthMS: 9000, Plays: 1}, consent.Yes, consent.NoticeIncomplete},
		{"a no after the whole notice is a refusal", whole, consent.No, consent.Refused},
		{"a no needs no information", half, consent.No, consent.Refused},
		{"a no counts even before the first word", none, consent.No, consent.Refused},
		{"silence after the whole notice is no input", whole, consent.Silence, consent.NoInput},
		{"silence during the notice is an incomplete notice", half, consent.Silence, consent.NoticeIncomplete},
		{"silence without a notice is an incomplete notice", none, consent.Silence, consent.NoticeIncomplete},
		{"a wrong key is invalid input", whole, consent.OtherKey, consent.InvalidInput},
		{"a wrong key during the notice is invalid input", half, consent.OtherKey, consent.InvalidInput},
		{"two keys at once are ambiguous", whole, consent.Ambiguous, consent.DTMFAmbiguous},
		{"two keys at once during the notice are ambiguous", half, consent.Ambiguous, consent.DTMFAmbiguous},
		{"a choice nobody knows is no input", whole, "shrug", consent.NoInput},
		{"no choice at all is no input", whole, "", consent.NoInput},
	} {
		t.Run(c.name, func(t *testing.T) {
			choice := consent.Choice{Kind: c.kind, Press: consent.Press{Key: "1", SSRC: 7}}
			want := consent.Decision{Outcome: c.want, Choice: choice, At: noon}
			assert.Equal(t, want, consent.Decide(noon, c.heard, choice))
		})
	}
}

func TestConsentIsGivenExactlyByAYesAfterACompleteNotice(t *testing.T) {
	kinds := rapid.OneOf(
		rapid.SampledFrom([]consent.ChoiceKind{consent.Silence, consent.Yes, consent.No, consent.OtherKey, consent.Ambiguous}),
		rapid.Map(rapid.String(), func(s string) consent.ChoiceKind { return consent.ChoiceKind(s) }))
	rapid.Check(t, func(t *rapid.T) {
		heard := consent.Heard{
			HeardMS:  rapid.Int64().Draw(t, "heard"),
			LengthMS: rapid.Int64().Draw(t, "length"),
			Complete: rapid.Bool().Draw(t, "complete"),
			Plays:    rapid.Int().Draw(t, "plays"),
		}
		choice := consent.Choice{Kind: kinds.Draw(t, "kind"), Press: consent.Press{Key: rapid.String().Draw(t, "key")}}
		now := time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "now"), 0)
		d := consent.Decide(now, heard, choice)
		assert.Equal(t, choice.Kind == consent.Yes && heard.Complete, d.Outcome == consent.Given)
		assert.True(t, d.Outcome.Known(), "a decision has an outcome")
		assert.Equal(t, choice, d.Choice)
		assert.Equal(t, now, d.At)
	})
}

func TestAnUndecidedQuestionIsNeverConsent(t *testing.T) {
	for _, o := range append(consent.Outcomes(), consent.Pending) {
		t.Run("asked for "+string(o), func(t *testing.T) {
			want := o
			if o == consent.Given || o == consent.Pending {
				want = consent.Invalidated
			}
			d := consent.Undecided(noon, o)
			assert.Equal(t, consent.Decision{Outcome: want, Choice: consent.Choice{Kind: consent.Silence}, At: noon}, d)
			assert.NotEqual(t, consent.StatusGranted, d.Outcome.Status())
		})
	}
}
