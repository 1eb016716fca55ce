package call

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/sdp"
	"consentgw/prompts"
	"consentgw/sip"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheEndOfACallHasAName(t *testing.T) {
	bye := &sip.ByeError{Reason: "+31205550100 is tired"}
	for want, err := range map[string]error{
		"caller hung up":             &legEnded{"caller", bye},
		"agent hung up":              &legEnded{"agent", bye},
		"caller did not acknowledge": sip.ErrNoACK,
		"agent did not acknowledge":  &legEnded{"agent", sip.ErrNoACK},
		"agent was lost":             &legEnded{"agent", sip.ErrSilent},
		"caller cancelled":           sip.ErrCancelled,
		"no target answered":         fmt.Errorf("%w: %w", errNoTarget, errors.Join(bye, sip.ErrSilent, context.Canceled)),
		"hung up by the api":         errHungUpByAPI,
		"internal error":             errPanic,
		"gateway stopping":           context.Canceled,
		"signalling failed":          sip.ErrUnreachable,
	} {
		assert.Equal(t, want, endCause(err, "caller"))
	}
	assert.Equal(t, "caller hung up", endCause(bye, "caller"), "before the ACK")
	assert.NotContains(t, endCause(&legEnded{"caller", bye}, "caller"), "5550100", "what the far end says is not ours to repeat")
}

func TestAFailureHasACodeAndAWord(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		word string
	}{
		{&sip.StatusError{Code: 503}, 503, "503"},
		{fmt.Errorf("x: %w", &sip.StatusError{Code: 486, Reason: "+31205550100 is busy"}), 486, "486"},
		{sip.ErrSilent, 0, "silent"},
		{sip.ErrNoAnswer, 0, "no_answer"},
		{fmt.Errorf("%w: refused", sip.ErrUnreachable), 0, "unreachable"},
		{sdp.ErrNoCommonCodec, 0, "failed"},
	} {
		assert.Equal(t, c.code, failureCode(c.err), c.word)
		assert.Equal(t, c.word, failureWord(c.err))
	}
}

// Law L4: what the caller hears after a no is not longer than what is heard after
// a yes, which also waits for a contradiction and for the store.
func TestRefusingIsNoSlowerThanAgreeing(t *testing.T) {
	library, err := prompts.Open("")
	require.NoError(t, err)
	for _, language := range []string{"nl", "en", "de", "fr"} {
		notice, err := library.Notice("recording", language)
		require.NoError(t, err)
		agreed, refused := notice.Prompt(prompts.Agreed).Duration, notice.Prompt(prompts.Refused).Duration
		assert.LessOrEqual(t, refused, agreed+consent.Settle, language)
	}
}

// Law L4: the platform gets the same headers, whatever was decided.
func TestTheHeadersDifferInTheirValuesOnly(t *testing.T) {
	names := func(o consent.Outcome) (list []string) {
		c := &Call{id: "r", rec: &consent.Record{}}
		c.route.path = &path{platform: &Platform{}}
		c.rec.Outcome, c.rec.Notice.Language = o, "en"
		for _, h := range c.consentHeaders() {
			list = append(list, h.Name)
			assert.NotEmpty(t, h.Value+h.Name)
		}
		return list
	}
	for _, o := range consent.Outcomes() {
		assert.Equal(t, names(consent.Given), names(o), o)
	}
}

func TestEveryOutcomeIsAcknowledged(t *testing.T) {
	for _, o := range consent.Outcomes() {
		c := &Call{rec: &consent.Record{}}
		c.rec.Outcome = o
		got := c.acknowledgement()
		switch o {
		case consent.Given:
			assert.Equal(t, prompts.Agreed, got)
		case consent.StoreUnavailable, consent.PromptFailed, consent.NoticeIncomplete:
			assert.Equal(t, prompts.Unrecorded, got, "not by the caller's choice")
		default:
			assert.Equal(t, prompts.Refused, got)
		}
	}
}

func TestTheTimeToThinkNeedsANoticeAndAKey(t *testing.T) {
	at := time.Unix(1000, 0)
	c := &Call{rec: &consent.Record{}}
	assert.Negative(t, c.thought(consent.Decision{}))
	c.rec.Notice.StartedAt, c.rec.Notice.HeardMS = at, 2000
	assert.Negative(t, c.thought(consent.Decision{}), "a silence")
	d := consent.Decision{Choice: consent.Choice{Press: consent.Press{At: at.Add(3500 * time.Millisecond)}}}
	assert.InDelta(t, 1.5, c.thought(d), 1e-9)
}

func TestOfTwoTimesTheOneThatIsThereCounts(t *testing.T) {
	a, b := time.Unix(1, 0), time.Unix(2, 0)
	assert.Equal(t, a, earlier(a, b))
	assert.Equal(t, a, earlier(b, a))
	assert.Equal(t, a, earlier(time.Time{}, a))
	assert.Equal(t, a, earlier(a, time.Time{}))
	assert.Equal(t, b, later(a, b))
	assert.Equal(t, b, later(b, a))
	assert.Equal(t, a, later(time.Time{}, a))
}

func TestWhatAGateKeptBackHasAReason(t *testing.T) {
	assert.Equal(t, "paused", blockedReason(&consent.Record{}))
	r := &consent.Record{}
	r.Outcome = consent.Withdrawn
	assert.Equal(t, "withdrawn", blockedReason(r))
}

func TestATrunkMayNarrowTheCodecs(t *testing.T) {
	names := func(list []sdp.Codec) (n []string) {
		for _, c := range list {
			n = append(n, c.Name)
		}
		return n
	}
	event := sdp.Event8000().Name
	assert.Equal(t, []string{"PCMA", "PCMU", event}, names(lawsOf(nil)))
	assert.Equal(t, []string{"PCMU", event}, names(lawsOf([]string{"PCMU"})))
}
