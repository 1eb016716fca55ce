package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

func TestASearchWalksThroughAllPagesByItsLink(t *testing.T) {
	d := newDesk()
	for i := range 7 {
		r := over(granted(i))
		if i == 3 {
			r.Subject = "+31205550199"
		}
		d.store.records = append(d.store.records, r)
	}
	var seen []string
	target, pages := "/v1/consents?limit=2&subject=%2B31205550142", 0
	for target != "" {
		w := d.ask(t, "GET", target)
		require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
		var body found
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
		for _, r := range body.Records {
			seen = append(seen, r.Call.TrunkCallID)
		}
		link := w.Header().Get("Link")
		assert.Equal(t, body.NextCursor == "", link == "")
		target = ""
		if link != "" {
			inner, ok := strings.CutSuffix(link, `>; rel="next"`)
			require.True(t, ok)
			target = strings.TrimPrefix(inner, "<")
			assert.Contains(t, target, "limit=2")
		}
		pages++
	}
	assert.Equal(t, 3, pages)
	assert.Equal(t, []string{"trunk-6@127.0.0.1", "trunk-5@127.0.0.1", "trunk-4@127.0.0.1",
		"trunk-2@127.0.0.1", "trunk-1@127.0.0.1", "trunk-0@127.0.0.1"}, seen)
}

func TestASearchIsRestrictedByWhatIsAsked(t *testing.T) {
	d := newDesk()
	d.store.records = []*consent.Record{over(granted(1)), over(denied(2)), over(denied(3))}
	d.store.records[2].Call.Route = "support"
	for query, want := range map[string]int{
		"":                                    3,
		"?outcome=refused":                    2,
		"?outcome=given":                      1,
		"?route=support":                      1,
		"?subject=%2B31205550142":             3,
		"?subject=+31205550142":               3, // an unescaped '+'
		"?subject=31205550142":                0,
		"?from=2026-03-12":                    3,
		"?to=2026-03-12":                      0,
		"?from=2026-03-12T12:00:02Z":          2,
		"?to=2026-03-12T12:00:02Z":            1,
		"?limit=1":                            1,
		"?outcome=refused&route=nope":         0,
		"?from=2026-03-12T13:00:02%2B01:00":   2,
		"?from=2026-03-12T13:00:02+01:00":     2, // an unescaped '+'
		"?from=2026-03-12T07:00:02.000-05:00": 2,
	} {
		t.Run(query, func(t *testing.T) {
			w := d.ask(t, "GET", "/v1/consents"+query)
			require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
			assert.Len(t, members(t, w)["records"], want)
		})
	}
}

func TestACursorOfAnotherSearchOrADamagedOneIsRefused(t *testing.T) {
	d := newDesk()
	d.store.records = []*consent.Record{over(granted(1)), over(granted(2))}
	cursor := members(t, d.ask(t, "GET", "/v1/consents?limit=1&route=sales"))["next_cursor"].(string)
	require.Equal(t, http.StatusOK, d.ask(t, "GET", "/v1/consents?limit=1&route=sales&cursor="+cursor).Code)
	require.Equal(t, http.StatusOK, d.ask(t, "GET", "/v1/consents?limit=9&route=sales&cursor="+cursor).Code, "the limit may change")
	for _, query := range []string{
		"route=support&cursor=" + cursor, "cursor=" + cursor, "route=sales&cursor=" + cursor[1:],
		"route=sales&cursor=" + cursor + "AA", "route=sales&cursor=!!", "route=sales&cursor=AAAAAAAAAAA",
	} {
		p := problemIn(t, d.ask(t, "GET", "/v1/consents?"+query))
		assert.Equal(t, http.StatusBadRequest, p.Status)
		assert.Equal(t, "cursor", p.Parameter)
	}
}

func TestASearchWithTheStoreAwayIsAProblemThatMayBeRepeated(t *testing.T) {
	d := newDesk()
	d.store.before = func(string) error { return errors.New("dial 127.0.0.1: refused") }
	for _, target := range []string{"/v1/consents", "/v1/consents/x", "/v1/export"} {
		w := d.ask(t, "GET", target)
		p := problemIn(t, w)
		assert.Equal(t, http.StatusServiceUnavailable, p.Status, target)
		assert.Equal(t, "/problems/store-unavailable", p.Type)
		assert.NotEmpty(t, w.Header().Get("Retry-After"))
		assert.NotContains(t, p.Detail, "127.0.0.1")
		assert.Contains(t, d.log.String(), p.RequestID, "the log can be found by the request id")
	}
}

func TestOneRecordComesWholeWithItsHistory(t *testing.T) {
	d := newDesk()
	r := over(granted(1))
	d.store.records = []*consent.Record{r}
	w := d.ask(t, "GET", "/v1/consents/"+string(r.ID))
	require.Equal(t, http.StatusOK, w.Code)
	var got consent.Record
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	assert.Equal(t, r, &got)
	assert.NotEmpty(t, got.History)
}

func TestARecordIsNotFoundByItsCallID(t *testing.T) {
	d := newDesk()
	d.store.records = []*consent.Record{over(granted(1))}
	d.calls.live = []*consent.Record{granted(2)}
	for _, id := range []string{"trunk-1@127.0.0.1", "trunk-2@127.0.0.1", "nobody"} {
		p := problemIn(t, d.ask(t, "GET", "/v1/consents/"+id))
		assert.Equal(t, "/problems/no-such-record", p.Type, id)
	}
}

func TestTheRecordOfALiveCallIsTheCallsOwn(t *testing.T) {
	d := newDesk()
	d.store.records = []*consent.Record{recordOf(1)}
	d.calls.live = []*consent.Record{granted(1)}
	assert.Equal(t, "given", members(t, d.ask(t, "GET", "/v1/consents/"+string(granted(1).ID)))["outcome"])
}

func withdrawURL(r *consent.Record) string {
	return "/v1/consents/" + url.PathEscape(string(r.ID)) + "/withdraw"
}

func TestWithdrawingAfterTheCallIsStoredByAWriterOfItsOwn(t *testing.T) {
	for name, target := range map[string]string{
		"by record": withdrawURL(granted(1)), "by call": "/v1/calls/trunk-1@127.0.0.1/withdraw",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			before := over(granted(1))
			d.store.records = []*consent.Record{before}
			w := d.ask(t, "POST", target)
			require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
			assert.Equal(t, "withdrawn", members(t, w)["status"])
			got := d.store.stored(t, before.ID)
			assert.Equal(t, consent.Withdrawn, got.Outcome)
			assert.Equal(t, "api:gw-1", got.Writer)
			assert.Greater(t, got.Epoch, before.Epoch)
			assert.Equal(t, noon.Add(3600e9), got.Withdrawal.At)
			assert.Equal(t, "api", got.Withdrawal.Method)
			assert.Equal(t, uint64(199), got.Withdrawal.RecordedPackets)
			assert.False(t, got.Purposes[0].Granted)
		})
	}
}

func TestWithdrawingTwiceIsWithdrawingOnce(t *testing.T) {
	d := newDesk()
	d.store.records = []*consent.Record{over(granted(1))}
	first := d.ask(t, "POST", withdrawURL(granted(1)))
	second := d.ask(t, "POST", withdrawURL(granted(1)))
	require.Equal(t, http.StatusOK, second.Code)
	assert.Equal(t, first.Body.String(), second.Body.String())
}

func TestThereIsNothingToWithdrawFromARefusal(t *testing.T) {
	d := newDesk()
	d.store.records = []*consent.Record{over(denied(1))}
	p := problemIn(t, d.ask(t, "POST", withdrawURL(denied(1))))
	assert.Equal(t, http.StatusConflict, p.Status)
	assert.Equal(t, "/problems/not-possible", p.Type)
	assert.Equal(t, consent.Refused, d.store.stored(t, denied(1).ID).Outcome)
}

func TestALiveCallIsWithdrawnThroughItsGateAndNotInTheStore(t *testing.T) {
	d := newDesk()
	d.store.records = []*consent.Record{granted(1)}
	d.calls.live = []*consent.Record{granted(1)}
	d.calls.do = func(r *consent.Record, _ string) error { r.Withdraw(noon, "api"); return nil }
	w := d.ask(t, "POST", withdrawURL(granted(1)))
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "withdrawn", members(t, w)["outcome"])
	assert.Len(t, d.calls.commands, 1)
	assert.Empty(t, d.store.ops, "the call stores it itself")
}

func TestALiveCallThatIsWithdrawnAlreadyIsNoConflict(t *testing.T) {
	d := newDesk()
	r := granted(1)
	r.Withdraw(noon, "key")
	d.calls.live = []*consent.Record{r}
	d.calls.do = func(*consent.Record, string) error { return consent.ErrNotPossible }
	for _, target := range []string{withdrawURL(r), "/v1/calls/trunk-1@127.0.0.1/withdraw"} {
		w := d.ask(t, "POST", target)
		require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
		assert.Equal(t, "withdrawn", members(t, w)["status"])
	}
}

func TestALiveCallWithoutAConsentHasNothingToWithdraw(t *testing.T) {
	d := newDesk()
	d.calls.live = []*consent.Record{denied(1)}
	d.calls.do = func(*consent.Record, string) error { return fmt.Errorf("not granted: %w", consent.ErrNotPossible) }
	p := problemIn(t, d.ask(t, "POST", "/v1/calls/trunk-1@127.0.0.1/withdraw"))
	assert.Equal(t, http.StatusConflict, p.Status)
	assert.Contains(t, p.Detail, "not granted")
}

func TestACallThatEndsDuringTheRequestIsWithdrawnInTheStore(t *testing.T) {
	d := newDesk()
	d.store.records = []*consent.Record{over(granted(1))}
	d.calls.live = []*consent.Record{granted(1)}
	d.calls.do = func(*consent.Record, string) error { return consent.ErrNoCall }
	w := d.ask(t, "POST", "/v1/calls/trunk-1@127.0.0.1/withdraw")
	require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
	assert.Equal(t, consent.Withdrawn, d.store.stored(t, granted(1).ID).Outcome)
}

func TestACallThatEndedAndIsNotStoredYetIsAskedForAgain(t *testing.T) {
	d := newDesk()
	d.calls.live = []*consent.Record{over(granted(1))}
	p := problemIn(t, d.ask(t, "POST", withdrawURL(granted(1))))
	assert.Equal(t, http.StatusServiceUnavailable, p.Status)
}

func TestWithdrawingWhatWasNeverSeenIsNotFound(t *testing.T) {
	d := newDesk()
	assert.Equal(t, "/problems/no-such-record", problemIn(t, d.ask(t, "POST", "/v1/consents/nobody/withdraw")).Type)
	assert.Equal(t, "/problems/no-such-call", problemIn(t, d.ask(t, "POST", "/v1/calls/nobody/withdraw")).Type)
}

// anotherWriter changes the stored record just before the n-th Replace.
func anotherWriter(d *desk, times int) {
	d.store.before = func(op string) error {
		if op == "replace" && times > 0 {
			times--
			d.store.mu.Lock()
			d.store.records[0].Note(noon, "noted", "by another writer")
			d.store.mu.Unlock()
		}
		return nil
	}
}

func TestAWithdrawalIsMergedWithWhatAnotherWriterDoes(t *testing.T) {
	d := newDesk()
	d.store.records = []*consent.Record{over(granted(1))}
	anotherWriter(d, 3)
	require.Equal(t, http.StatusOK, d.ask(t, "POST", withdrawURL(granted(1))).Code)
	got := d.store.stored(t, granted(1).ID)
	assert.Equal(t, consent.Withdrawn, got.Outcome)
	noted := 0
	for _, e := range got.History {
		if e.Type == "noted" {
			noted++
		}
	}
	assert.Equal(t, 3, noted, "nothing of the other writer is lost")
}

func TestARecordThatNeverHoldsStillIsAConflictAfterBoundedTries(t *testing.T) {
	d := newDesk()
	d.store.records = []*consent.Record{over(granted(1))}
	anotherWriter(d, 1000)
	p := problemIn(t, d.ask(t, "POST", withdrawURL(granted(1))))
	assert.Equal(t, "/problems/conflict", p.Type)
	assert.Len(t, d.store.ops, 2*maxTries)
}

func TestAWithdrawalWhoseReplyWasLostIsNotSentTwiceAndMayBeRepeated(t *testing.T) {
	d := newDesk()
	d.store.records = []*consent.Record{over(granted(1))}
	d.store.after = func(string) error { return errors.New("reply lost") }
	p := problemIn(t, d.ask(t, "POST", withdrawURL(granted(1))))
	assert.Equal(t, http.StatusServiceUnavailable, p.Status)
	assert.Equal(t, []string{"get", "replace"}, d.store.ops)

	d.store.after = nil
	w := d.ask(t, "POST", withdrawURL(granted(1)))
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "withdrawn", members(t, w)["outcome"])
}

// both is a record whose call agreed to two purposes, each by itself.
func both(n int) *consent.Record {
	r := granted(n)
	r.Terms.Ask = consent.AskEach
	at := r.DecidedAt
	r.Notice.Prompts = []consent.Spoken{{Prompt: "ask-quality", Codec: "PCMA", Heard: r.Notice.Heard}}
	r.Purposes = []consent.Grant{
		{Purpose: "quality", Granted: true, Outcome: consent.Given, Question: "ask-quality", Press: r.Press, DecidedAt: at},
		{Purpose: "training", Granted: true, Outcome: consent.Given, Question: "ask-training", Press: r.Press, DecidedAt: at},
	}
	return r
}

func TestOnePurposeCanBeWithdrawn(t *testing.T) {
	for name, target := range map[string]string{
		"by record": withdrawURL(both(1)), "by call": "/v1/calls/trunk-1@127.0.0.1/withdraw",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			d.store.records = []*consent.Record{over(both(1))}
			for range 2 { // twice is once
				w := d.ask(t, "POST", target+"?purposes=training")
				require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
				assert.Equal(t, "granted", members(t, w)["status"])
			}
			got := d.store.stored(t, both(1).ID)
			assert.Equal(t, consent.Given, got.Outcome)
			assert.True(t, got.Has("quality"))
			assert.Equal(t, consent.Withdrawn, got.Purposes[1].Outcome)
			assert.Equal(t, "api", got.Purposes[1].WithdrawnBy)

			w := d.ask(t, "POST", target+"?purposes=quality,training")
			require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
			assert.Equal(t, "withdrawn", members(t, w)["status"])
			assert.Equal(t, consent.Withdrawn, d.store.stored(t, both(1).ID).Outcome)
		})
	}
}

func TestAPurposeThatNobodyAskedForIsNamedAsAMistake(t *testing.T) {
	for name, live := range map[string]bool{"during the call": true, "after it": false} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			if live {
				d.calls.live = []*consent.Record{both(1)}
			} else {
				d.store.records = []*consent.Record{over(both(1))}
			}
			for _, given := range []string{"trainings", "quality,", "quality;training"} {
				p := problemIn(t, d.ask(t, "POST", withdrawURL(both(1))+"?purposes="+url.QueryEscape(given)))
				assert.Equal(t, http.StatusBadRequest, p.Status)
				assert.Equal(t, "purposes", p.Parameter)
				assert.Contains(t, p.Detail, "quality,training.")
			}
			assert.Empty(t, d.calls.commands)
		})
	}
}

func TestALiveCallWithdrawsOnePurposeItself(t *testing.T) {
	d := newDesk()
	d.calls.live = []*consent.Record{both(1)}
	w := d.ask(t, "POST", "/v1/calls/trunk-1@127.0.0.1/withdraw?purposes=quality")
	require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
	assert.Equal(t, []string{"withdraw trunk-1@127.0.0.1 quality"}, d.calls.commands)
	assert.Empty(t, d.store.ops)
}

func TestAStatusTellsTheOutcomeOfEachPurposeWithoutItsEvidence(t *testing.T) {
	d := newDesk()
	r := both(1)
	r.Withdraw(noon, "api", "training")
	d.calls.live = []*consent.Record{r}
	assert.Equal(t, []any{
		map[string]any{"purpose": "quality", "granted": true, "outcome": "given"},
		map[string]any{"purpose": "training", "granted": false, "outcome": "withdrawn"},
	}, members(t, d.ask(t, "GET", "/v1/calls/trunk-1@127.0.0.1/consent"))["purposes"])
	flat := members(t, d.ask(t, "GET", "/v1/calls/trunk-1@127.0.0.1/consent?shape=flat"))
	assert.Equal(t, "quality", flat["purposes_granted"])
	assert.Equal(t, "training", flat["purposes_denied"])
}

func TestPurposesThatAreNotStoredYetAreNotGranted(t *testing.T) {
	d := newDesk()
	r := both(1)
	r.StoredAt = time.Time{}
	d.calls.live = []*consent.Record{r}
	got := members(t, d.ask(t, "GET", "/v1/calls/trunk-1@127.0.0.1/consent"))
	assert.Equal(t, "pending", got["status"])
	assert.Equal(t, []any{map[string]any{"purpose": "quality", "granted": false}, map[string]any{"purpose": "training", "granted": false}}, got["purposes"])
}
