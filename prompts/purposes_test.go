package prompts

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// purposeWords are what the texts about each purpose must say, in each language, and
// the clause that offers to choose.
func purposeWords() map[string]map[string]string {
	return map[string]map[string]string{
		"nl": {"quality": "kwaliteit", "training": "medewerkers op", "ai_analysis": "kunstmatige intelligentie",
			"choose": "toets drie voor een keuze per doel", "record": "opgenomen", "rights": "rechten", "kept": "bewaartermijn", "where": "privacyverklaring"},
		"en": {"quality": "quality", "training": "train employees", "ai_analysis": "artificial intelligence",
			"choose": "press three to choose for each purpose", "record": "recorded", "rights": "rights", "kept": "kept", "where": "privacy statement"},
		"de": {"quality": "qualität", "training": "mitarbeitende zu schulen", "ai_analysis": "künstlicher intelligenz",
			"choose": "taste drei für eine wahl je zweck", "record": "aufgezeichnet", "rights": "rechte", "kept": "speicherdauer", "where": "datenschutzerklärung"},
		"fr": {"quality": "qualité", "training": "former le personnel", "ai_analysis": "intelligence artificielle",
			"choose": "tapez trois pour choisir par finalité", "record": "enregistré", "rights": "droits", "kept": "conservation", "where": "déclaration de confidentialité"},
	}
}

func eachPurpose(t *testing.T, check func(t *testing.T, n *Notice, w words, say map[string]string)) {
	languagesOf(t, "purposes", func(t *testing.T, n *Notice, w words) { check(t, n, w, purposeWords()[n.Language]) })
}

// What is true of every purpose is said before any question (GDPR 13, 7(3)).
func TestWhatInformsSaysWhoAndHowToRefuseAndToWithdraw(t *testing.T) {
	eachPurpose(t, func(t *testing.T, n *Notice, w words, say map[string]string) {
		about := strings.ToLower(n.Prompt(About).Text)
		for _, part := range []string{w.who, w.freedom, w.withdraw, say["rights"], say["kept"], say["where"]} {
			assert.Equalf(t, 1, strings.Count(about, part), "%q once in %q", part, about)
		}
		assert.NotContains(t, about, "?", "it asks nothing")
	})
}

// Each purpose has a question of its own, which names it and no other (GDPR recital
// 43), and offers yes and no alike.
func TestEachPurposeIsAskedForByItself(t *testing.T) {
	purposes := []string{"quality", "training", "ai_analysis"}
	eachPurpose(t, func(t *testing.T, n *Notice, w words, say map[string]string) {
		for _, purpose := range purposes {
			ask, name := strings.ToLower(n.Prompt(AskFor(purpose)).Text), strings.ToLower(n.Prompt(NameOf(purpose)).Text)
			assert.Contains(t, ask, w.yes+", "+w.no+", "+w.repeat)
			assert.Contains(t, ask, say["record"])
			assert.Equal(t, 1, strings.Count(ask, "?"))
			assert.NotContains(t, name, "?")
			for _, other := range purposes {
				word := say[other]
				if n.Language == "nl" && other == "training" {
					word = "medewerkers" // "op te leiden" asks, "opleiden" names
				}
				assert.Equalf(t, other == purpose, strings.Contains(ask, word), "%q in %q", word, ask)
				assert.Equalf(t, other == purpose, strings.Contains(name, word), "%q in %q", word, name)
			}
		}
	})
}

func TestTheQuestionForAllPurposesOffersToChoose(t *testing.T) {
	eachPurpose(t, func(t *testing.T, n *Notice, w words, say map[string]string) {
		ask := strings.ToLower(n.Prompt(Ask).Text)
		assert.Contains(t, ask, w.yes+", "+w.no+", "+say["choose"]+", "+w.repeat)
		assert.Equal(t, 1, strings.Count(ask, "?"))
	})
}

func TestNothingIsSoldByPurpose(t *testing.T) {
	digits := regexp.MustCompile(`[0-9*#]`)
	eachPurpose(t, func(t *testing.T, n *Notice, w words, _ map[string]string) {
		for _, p := range n.Prompts() {
			assert.NotRegexp(t, w.selling, p.Text)
			assert.NotRegexp(t, digits, p.Text, "keys are words, so that a text reads as it sounds")
		}
		assert.Equal(t, firstSentence(n.Prompt(Agreed).Text), firstSentence(n.Prompt(Chosen).Text), "the same thanks")
	})
}

func TestTheNamesOfPromptsAboutPurposes(t *testing.T) {
	for name, want := range map[string]bool{"ask": true, "about": true, "chosen": true, "ask-quality": true, "purpose-ai_analysis": true,
		"ask-": false, "purpose": false, "ask-Quality": false, "asks-quality": false, "ask-1": false, "purpose-a b": false} {
		assert.Equal(t, want, known(name), name)
	}
	require.Equal(t, []string{"ask", "more", "about", "ask-a", "ask-b"}, ordered([]string{"ask-b", "about", "more", "ask-a", "ask"}))
}
