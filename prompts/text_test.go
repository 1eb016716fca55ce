package prompts

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// openBuiltIn opens the built-in notices once for all tests: they are constant.
var openBuiltIn = sync.OnceValues(func() (*Library, error) { return Open("") })

// words are what the texts of a language must and must not say.
type words struct {
	yes, no, repeat string // the clauses that offer the keys, whole
	withdraw        string // star nine
	who             string // the canned voice knows no name
	why             string
	freedom         string // refusing costs nothing, and nothing is recorded
	selling         *regexp.Regexp
}

func vocabulary() map[string]words {
	return map[string]words{
		"nl": {"toets één voor ja", "toets twee voor nee", "toets nul voor herhalen", "sterretje negen", "deze organisatie", "kwaliteit", "net zo goed, zonder opname", regexp.MustCompile(`(?i)graag|eventjes|beter|verbeter|voordeel|gratis|snel|help ons|belangrijk`)},
		"en": {"press one for yes", "press two for no", "press zero to repeat", "star nine", "this organisation", "quality", "just the same and record nothing", regexp.MustCompile(`(?i)better|improve|benefit|free|faster|help us|important|simply|just press`)},
		"de": {"taste eins für ja", "taste zwei für nein", "taste null für wiederholen", "stern neun", "diese organisation", "qualität", "genauso, ohne aufzeichnung", regexp.MustCompile(`(?i)gerne|besser|verbesser|vorteil|kostenlos|schneller|helfen sie uns|wichtig`)},
		"fr": {"tapez un pour oui", "tapez deux pour non", "tapez zéro pour réécouter", "étoile neuf", "cette organisation", "qualité", "tout autant, sans rien enregistrer", regexp.MustCompile(`(?i)mieux|amélior|avantage|gratuit|plus vite|aidez-nous|important`)},
	}
}

// eachLanguage runs a check on every language of the notice for one question.
func eachLanguage(t *testing.T, check func(t *testing.T, n *Notice, w words)) {
	languagesOf(t, "recording", check)
}

func languagesOf(t *testing.T, id string, check func(t *testing.T, n *Notice, w words)) {
	library, err := openBuiltIn()
	require.NoError(t, err)
	for language, w := range vocabulary() {
		t.Run(language, func(t *testing.T) {
			n, err := library.Notice(id, language)
			require.NoError(t, err)
			check(t, n, w)
		})
	}
}

func TestEveryLanguageHasEveryPrompt(t *testing.T) {
	library, err := openBuiltIn()
	require.NoError(t, err)
	languages := map[string][]string{}
	for _, n := range library.Notices() {
		assert.Equal(t, "1", n.Version)
		languages[n.ID] = append(languages[n.ID], n.Language)
		names := Names()
		if n.ID == "purposes" {
			names = append(slices.DeleteFunc(names, func(name string) bool { return name == More }), About, Chosen)
			for _, purpose := range []string{"quality", "training", "ai_analysis"} {
				names = append(names, AskFor(purpose), NameOf(purpose))
			}
		}
		for _, name := range names {
			p := n.Prompt(name)
			if assert.NotNilf(t, p, "%s %s", n.Language, name) {
				assert.Equal(t, name, p.Name)
				assert.Equal(t, strings.TrimSpace(p.Text), p.Text)
				assert.Equal(t, hash([]byte(p.Text)), p.TextSHA256)
				assert.Len(t, p.PCMA, len(p.PCMU))
				assert.Len(t, p.Opus, len(p.PCMU)/160+1, "and what a decoder skips at first")
			}
		}
		assert.Len(t, n.Prompts(), len(names))
	}
	four := []string{"de", "en", "fr", "nl"}
	assert.Equal(t, map[string][]string{"recording": four, "purposes": four}, languages)
	assert.Equal(t, four, slices.Sorted(maps.Keys(vocabulary())))
}

func TestTheQuestionSaysWhoWhyAndWhichKeys(t *testing.T) {
	eachLanguage(t, func(t *testing.T, n *Notice, w words) {
		ask := strings.ToLower(n.Prompt(Ask).Text)
		for _, part := range []string{w.yes, w.no, w.repeat, w.withdraw, w.who, w.why, w.freedom} {
			assert.Equalf(t, 1, strings.Count(ask, part), "%q once in %q", part, ask)
		}
		assert.Regexp(t, `\?`, ask, "it is a question")
		assert.NotRegexp(t, `[0-9*#]`, ask, "keys are words, so that a text reads as it sounds")
		assert.Less(t, strings.Index(ask, w.freedom), strings.Index(ask, w.yes), "informed before asked")
		assert.Less(t, strings.Index(ask, w.withdraw), strings.Index(ask, w.yes), "told beforehand how to withdraw (GDPR 7(3))")
	})
}

func TestYesAndNoAreOfferedAlike(t *testing.T) {
	eachLanguage(t, func(t *testing.T, n *Notice, w words) {
		ask := strings.ToLower(n.Prompt(Ask).Text)
		assert.Contains(t, ask, w.yes+", "+w.no, "one directly after the other, with nothing between")

		yes, no := strings.Fields(w.yes), strings.Fields(w.no)
		require.Len(t, no, len(yes))
		assert.Equal(t, yes[0], no[0], "the same verb")
		assert.Equal(t, yes[2], no[2], "the same preposition")
		assert.InDelta(t, len(w.yes), len(w.no), 5, "about the same length")

		agreed, refused := n.Prompt(Agreed), n.Prompt(Refused)
		assert.Equal(t, firstSentence(agreed.Text), firstSentence(refused.Text), "the same thanks")
		assert.InDelta(t, len(strings.Fields(agreed.Text)), len(strings.Fields(refused.Text)), 1)
		// Refusing is answered as quickly as agreeing (law L4).
		assert.InDelta(t, agreed.Duration.Seconds(), refused.Duration.Seconds(), 0.5)
	})
}

func firstSentence(text string) string {
	first, _, _ := strings.Cut(text, ".")
	return first
}

func TestNothingIsSold(t *testing.T) {
	eachLanguage(t, func(t *testing.T, n *Notice, w words) {
		for _, name := range []string{Ask, Agreed, Refused, NotUnderstood, Stopped, Resumed, Connecting, Unrecorded} {
			assert.NotRegexp(t, w.selling, n.Prompt(name).Text)
		}
	})
}

// TestTheSecondLayerHasItsElements names the elements of GDPR 13 that a canned
// voice can give: basis, purpose, where the controller, the recipients and the
// retention are told, the rights, the complaint, and how to withdraw.
func TestTheSecondLayerHasItsElements(t *testing.T) {
	elements := map[string][]string{
		"nl": {"grondslag is uw toestemming", "kwaliteit", "wie verantwoordelijk is", "ontvangt", "gewist", "inzage", "kopie", "verbetering", "beperking", "verwijdering", "klacht", "intrekken", "rechtmatig"},
		"en": {"legal basis is your consent", "quality", "who is responsible", "receives", "deleted", "access", "copy", "correction", "restriction", "deletion", "complain", "withdraw", "lawful"},
		"de": {"rechtsgrundlage ist ihre einwilligung", "qualität", "wer verantwortlich ist", "erhält", "gelöscht", "auskunft", "kopie", "berichtigung", "einschränkung", "löschung", "beschweren", "widerrufen", "rechtmäßig"},
		"fr": {"base légale est votre consentement", "qualité", "qui est responsable", "reçoit", "effacé", "accès", "copie", "rectification", "limitation", "effacement", "autorité", "retirer", "licite"},
	}
	eachLanguage(t, func(t *testing.T, n *Notice, w words) {
		more := strings.ToLower(n.Prompt(More).Text)
		for _, element := range append(elements[n.Language], w.withdraw) {
			assert.Contains(t, more, element)
		}
	})
}

// TestNoPromptClaimsARecordingTooEarly: after a yes nothing is recorded yet,
// and a recorder may still fail.
func TestNoPromptClaimsARecordingTooEarly(t *testing.T) {
	may := map[string]string{"nl": "mag worden opgenomen", "en": "may be recorded", "de": "darf aufgezeichnet werden", "fr": "peut être enregistrée"}
	eachLanguage(t, func(t *testing.T, n *Notice, _ words) {
		assert.Contains(t, n.Prompt(Agreed).Text, may[n.Language])
	})
}

func TestTextsReadWell(t *testing.T) {
	double := regexp.MustCompile(`\s\s|[\r\n\t]`)
	for _, id := range []string{"recording", "purposes"} {
		languagesOf(t, id, func(t *testing.T, n *Notice, _ words) {
			for _, p := range n.Prompts() {
				assert.NotRegexp(t, double, p.Text)
				assert.Regexp(t, `^\p{Lu}.*\.$`, p.Text, fmt.Sprintf("%s is whole sentences", p.Name))
			}
		})
	}
}
