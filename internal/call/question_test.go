package call

import (
	"sync"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/dtmf"
	"consentgw/internal/media"
	"consentgw/internal/metrics"
	"consentgw/prompts"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// builtIn are the notices of the program; they take a moment to load.
var builtIn = sync.OnceValues(func() (*prompts.Library, error) { return prompts.Open("") })

// asking is a call with the built-in notice for several purposes, of which nothing
// is played: the test says what was heard.
func asking(t *testing.T, ask consent.Ask, purposes ...string) (*Call, *hearing, *consent.Interview) {
	library, err := builtIn()
	require.NoError(t, err)
	notice, err := library.Notice("purposes", "en")
	require.NoError(t, err)
	policy := &consent.Policy{Name: "p", Ask: ask, Purposes: purposes, Keys: consent.Keys{Yes: "1", No: "2", Repeat: "0", Choose: "3"}}
	require.NoError(t, checkNotice(policy, notice))
	c := &Call{svc: &Service{Config: Config{Metrics: metrics.New("test"), Now: time.Now}}, asked: &party{},
		rec: &consent.Record{}, route: journey{path: &path{policy: policy, notice: notice}}}
	return c, c.newHearing(), consent.NewInterview(*policy)
}

// follows opens the next question at a time.
func follows(c *Call, h *hearing, i *consent.Interview, at time.Time) *question {
	of, _ := i.Next()
	q := c.newQuestion(h, of, i.Asking())
	q.openedAt = at
	return q
}

// hears is that prompts were played to their end, one after the other.
func hears(q *question, from time.Time, names ...string) time.Time {
	for _, name := range names {
		length := q.route.notice.Prompt(name).Duration
		from = from.Add(length)
		q.heard(result{name, media.Played{Packets: 1, Heard: length, StartedAt: from.Add(-length), EndedAt: from, Complete: true, Codec: media.PCMA}})
	}
	return from
}

func one(at time.Time) dtmf.Press {
	return dtmf.Press{Key: '1', Method: dtmf.RFC4733, Timestamp: uint32(at.UnixMilli()), SSRC: 7, At: at}
}

func TestAKeyCountsForTheQuestionThatWasOpen(t *testing.T) {
	c, heard, interview := asking(t, consent.AskEach, "quality", "training")
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	first := follows(c, heard, interview, noon)
	require.Equal(t, []string{"about", "ask-quality"}, first.parts)
	end := hears(first, noon, "about")
	assert.Equal(t, consent.Ignore, first.key(one(end)), "the purpose has not been said")
	end = hears(first, end, "ask-quality")
	require.Equal(t, consent.SettleIt, first.key(one(end.Add(time.Second))))
	require.Equal(t, consent.Decided, first.asking.Settled())
	interview.Answer(consent.Decide(end, first.evidence(), first.asking.Choice()), first.asks())

	opened := end.Add(2 * time.Second)
	second := follows(c, heard, interview, opened)
	require.Equal(t, []string{"ask-training"}, second.parts, "who has been told once is not told again")
	assert.Equal(t, consent.Ignore, second.key(one(opened.Add(-time.Millisecond))), "pressed before the question was open")
	no := one(opened.Add(-2 * time.Millisecond))
	no.Key = '2'
	assert.Equal(t, consent.Ignore, second.key(no), "not even a no")
	assert.Equal(t, consent.Ignore, second.key(one(opened.Add(time.Second))), "pressed before the question was heard")
	end = hears(second, opened.Add(2*time.Second), "ask-training")
	assert.Equal(t, consent.Ignore, second.late(), "and it does not count later")
	assert.Equal(t, consent.Ignore, second.key(one(opened.Add(-time.Second))), "a report that comes late is of a key that came early")
	assert.Equal(t, consent.SettleIt, second.key(one(end.Add(time.Second))))
}

func TestAPressThatOvertakesTheEndOfTheQuestionCountsWhenThatIsKnown(t *testing.T) {
	c, heard, interview := asking(t, consent.AskEach, "quality")
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	q := follows(c, heard, interview, noon)
	end := hears(q, noon, "about")
	at := end.Add(q.route.notice.Prompt("ask-quality").Duration)
	require.Equal(t, consent.Ignore, q.key(one(at)))
	hears(q, end, "ask-quality")
	assert.Equal(t, consent.SettleIt, q.late())
	assert.Equal(t, consent.Ignore, q.late(), "once")
}

// Whoever refuses before having been told what is true of every purpose is told
// before the next question can be agreed to.
func TestWhoRefusesEarlyIsStillInformedBeforeTheNextQuestion(t *testing.T) {
	c, heard, interview := asking(t, consent.AskEach, "quality", "training")
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	first := follows(c, heard, interview, noon)
	no := one(noon.Add(time.Second))
	no.Key = '2'
	require.Equal(t, consent.Decided, first.key(no))
	interview.Answer(consent.Decide(noon, first.evidence(), first.asking.Choice()), first.asks())
	second := follows(c, heard, interview, noon.Add(2*time.Second))
	require.Equal(t, []string{"about", "ask-training"}, second.parts)
	hears(second, noon.Add(2*time.Second), "ask-training")
	assert.False(t, second.evidence().Complete)
}

func TestTheRecordSaysWhichPromptsWereHeard(t *testing.T) {
	c, heard, interview := asking(t, consent.AskChoose, "quality", "ai_analysis")
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	q := follows(c, heard, interview, noon)
	require.Equal(t, []string{"about", "purpose-quality", "purpose-ai_analysis", "ask"}, q.parts)
	hears(q, noon, "about", "purpose-quality")
	n := c.rec.Notice
	assert.False(t, n.Complete)
	assert.Equal(t, []string{"purpose-ai_analysis", "ask"}, q.unheard(), "what was heard is not played again, unless it is asked for")
	hears(q, noon.Add(time.Minute), "purpose-ai_analysis", "ask")
	n = c.rec.Notice
	assert.True(t, n.Complete && q.evidence().Complete)
	require.Len(t, n.Prompts, 4)
	var length int64
	for i, name := range q.parts {
		p := c.route.notice.Prompt(name)
		assert.Equal(t, name, n.Prompts[i].Prompt)
		assert.Equal(t, p.AudioSHA256, n.Prompts[i].AudioSHA256)
		assert.Equal(t, p.TextSHA256, n.Prompts[i].TextSHA256)
		length += n.Prompts[i].LengthMS
	}
	assert.Equal(t, []int64{length, length}, []int64{n.LengthMS, n.HeardMS})
}

func TestANoticeMustHaveAQuestionForEachPurpose(t *testing.T) {
	library, err := builtIn()
	require.NoError(t, err)
	notice := func(id string) *prompts.Notice {
		n, err := library.Notice(id, "en")
		require.NoError(t, err)
		return n
	}
	for _, c := range []struct {
		name, notice, ask string
		purposes          []string
		want              string
	}{
		{"one question by the notice for one", "recording", config.AskTogether, []string{"anything"}, ""},
		{"each by the notice for several", "purposes", config.AskEach, []string{"training"}, ""},
		{"a purpose without a question", "purposes", config.AskEach, []string{"training", "fraud"},
			`policy "p": notice "purposes", version 1, language en has no prompt ask-fraud for the purpose fraud`},
		{"a purpose that is not named before the one yes", "purposes", config.AskChoose, []string{"training", "fraud"}, "has no prompt purpose-fraud for the purpose fraud"},
		{"several by the notice for one question", "recording", config.AskChoose, []string{"quality"}, "has no prompt ask-quality"},
		{"one question by the notice for several", "purposes", config.AskTogether, []string{"quality"}, `is made for several questions: set ask: choose or ask: each`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkNotice(&consent.Policy{Name: "p", Ask: consent.Ask(c.ask), Purposes: c.purposes}, notice(c.notice))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}
