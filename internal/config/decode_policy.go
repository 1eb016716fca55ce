package config

import (
	"regexp"
	"strings"
	"time"
)

var (
	checkCountry = matching(regexp.MustCompile(`^[A-Z]{2}$`),
		"must be a country code of ISO 3166 in two capital letters, such as NL")
	checkJurisdiction = matching(regexp.MustCompile(`^[A-Z]{2}(-[A-Z0-9]{1,3})?$`),
		"must be a code of ISO 3166 in capital letters, such as NL or US-CA")
	checkLanguage = matching(regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`),
		"must be a language tag of BCP 47, such as nl or pt-BR")
	checkPurpose = matching(regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`),
		"must be one word of small letters, digits, dashes and underscores, such as quality")
	checkKey = matching(regexp.MustCompile(`^[0-9*#]$`),
		"must be one key: a digit, * or #")
	checkWithdraw = matching(regexp.MustCompile(`^[0-9*#]{2,8}$`),
		"must be 2 to 8 keys, such as *9: a single key would be pressed by accident")
	// GDPR article 6(1)(a) to (f).
	checkBasis = oneOf(consentBasis, "contract", "legal_obligation", "vital_interest", "public_task", "legitimate_interest")
)

// consentBasis is the only basis on which the gateway records.
const consentBasis = "consent"

func (r *reader) policy(n *node) Policy {
	controller, retention := n.get("controller"), n.get("retention")
	ask := r.text(n.get("ask"), AskTogether, oneOf(AskTogether, AskChoose, AskEach))
	notice := "recording"
	if ask == AskChoose || ask == AskEach {
		notice = "purposes"
	}
	p := Policy{
		Name: r.text(n.get("name"), "", checkName),
		Controller: Controller{
			Name:    r.text(controller.get("name"), "", someText),
			Contact: r.text(controller.get("contact"), "", someText),
			Address: r.text(controller.get("address"), "", someText),
			Country: r.text(controller.get("country"), "", checkCountry),
		},
		Jurisdiction:  r.text(n.get("jurisdiction"), "", checkJurisdiction),
		Basis:         r.text(n.get("basis"), "", checkBasis),
		Purposes:      r.distinct(n.list("purposes"), checkPurpose),
		Ask:           ask,
		Notice:        r.text(n.get("notice"), notice, checkName),
		Language:      r.text(n.get("language"), "", checkLanguage),
		Keys:          r.policyKeys(n.get("keys"), ask),
		AnswerTimeout: parsed(r, n.get("answer_timeout"), 6*time.Second, duration(100*time.Millisecond, time.Minute)),
		Retries:       parsed(r, n.get("retries"), 1, whole(0, 10)),
		Retention: Retention{
			Record:    parsed(r, retention.get("record"), "", parsePeriod),
			Recording: parsed(r, retention.get("recording"), "", parsePeriod),
		},
		Dial: r.text(n.get("dial"), DialAfterDecision, oneOf(DialAfterDecision, DialDuringNotice)),
		Waits: Waits{
			MaxPause: parsed(r, n.get("max_pause"), 0, duration(0, 24*time.Hour)),
			HoldBack: parsed(r, n.get("hold_back"), 1500*time.Millisecond, duration(500*time.Millisecond, 5*time.Second)),
		},
	}
	if tone := n.get("tone"); tone != nil {
		p.Tone = Tone{
			Every:    parsed(r, tone.get("every"), 0, duration(2*time.Second, 5*time.Minute)),
			HeardBy:  r.text(tone.get("heard_by"), HeardByBoth, oneOf(HeardByBoth, HeardByCaller, HeardByAgent)),
			Recorded: parsed(r, tone.get("recorded"), false, parseBool),
		}
	}
	r.proofOutlivesAudio(p.Retention, retention)
	r.fewPurposes(n.list("purposes"), ask)
	return p
}

// The most purposes of a policy. Nobody listens to more than a few questions.
const (
	maxPurposes = 32
	maxAsked    = 8
)

func (r *reader) fewPurposes(items []*node, ask string) {
	switch {
	case len(items) > maxPurposes:
		r.fail(items[maxPurposes], "is one too many: a policy has at most %d purposes", maxPurposes)
	case len(items) > maxAsked && ask != AskTogether:
		r.fail(items[maxAsked], "is one too many: at most %d purposes can be asked for one by one", maxAsked)
	}
}

// distinct is texts without repetition.
func (r *reader) distinct(items []*node, check func(string) error) []string {
	all := texts(r, items, check)
	seen := map[string]bool{}
	for i, s := range all {
		if s != "" && seen[s] {
			r.fail(items[i], "is listed twice")
		}
		seen[s] = true
	}
	return all
}

func (r *reader) policyKeys(n *node, ask string) Keys {
	k := Keys{
		Yes:      r.text(n.get("yes"), "1", checkKey),
		No:       r.text(n.get("no"), "2", checkKey),
		Repeat:   r.text(n.get("repeat"), "0", checkKey),
		Withdraw: r.text(n.get("withdraw"), "*9", checkWithdraw),
		Pause:    r.text(n.get("pause"), "", checkWithdraw),
		Resume:   r.text(n.get("resume"), "", checkWithdraw),
	}
	if ask == AskChoose {
		k.Choose = r.text(n.get("choose"), "3", checkKey)
	} else if key := n.get("choose"); key != nil {
		r.text(key, "", checkKey)
		r.warn(key, "has no meaning: only a policy with ask: choose offers it")
	}
	one := []named{{"yes", k.Yes}, {"no", k.No}, {"repeat", k.Repeat}, {"choose", k.Choose}}
	for i, a := range one {
		for _, b := range one[:i] {
			if a.key != "" && a.key == b.key {
				r.clash(n, a.name, b.name, "is the same key as %s", b.name)
			}
		}
		for _, s := range k.sequences() {
			if a.key != "" && strings.HasPrefix(s.key, a.key) {
				r.clash(n, s.name, a.name, "begins with the key for %s, so pressing that key would be ambiguous", a.name)
			}
		}
	}
	r.sequences(n, k)
	return k
}

type named struct{ name, key string }

func (k Keys) sequences() []named {
	return []named{{"withdraw", k.Withdraw}, {"pause", k.Pause}, {"resume", k.Resume}}
}

// sequences must be told apart wherever they stand in a row of keys.
func (r *reader) sequences(n *node, k Keys) {
	all := k.sequences()
	for i, a := range all {
		for _, b := range all[:i] {
			if a.key != "" && b.key != "" && (strings.Contains(a.key, b.key) || strings.Contains(b.key, a.key)) {
				r.clash(n, a.name, b.name, "cannot be told from the keys for %s", b.name)
			}
		}
	}
	if k.Resume != "" && k.Pause == "" {
		r.warn(n.get("resume"), "has nothing to end: there are no keys for pause")
	}
}

// clash reports where the file has the key; the other one may be a default.
func (r *reader) clash(n *node, key, other, format string, args ...any) {
	at := n.at
	for _, k := range []string{other, key} {
		if v := n.get(k); v != nil {
			at = v.at
		}
	}
	r.failAt(at, join(n.path, key), format, args...)
}

// proofOutlivesAudio: a recording without the record of its consent cannot be
// shown to be lawful (GDPR article 7(1)).
func (r *reader) proofOutlivesAudio(k Retention, n *node) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	if k.Record != "" && k.Recording != "" && k.Recording.Until(start).After(k.Record.Until(start)) {
		r.warn(n.get("recording"), "is longer than record: recordings would outlive the proof that they were allowed")
	}
}
