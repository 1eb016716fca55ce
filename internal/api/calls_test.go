package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

func TestTheStatusOfALiveCallIsFoundByEveryName(t *testing.T) {
	d := newDesk()
	d.calls.live = []*consent.Record{granted(1)}
	for _, name := range []string{string(granted(1).ID), "trunk-1@127.0.0.1", "platform-1%40127.0.0.1"} {
		w := d.ask(t, "GET", "/v1/calls/"+name+"/consent")
		require.Equal(t, http.StatusOK, w.Code)
		assert.JSONEq(t, `{
			"record_id": "0190e000-0000-7000-8000-000000000001", "call_id": "trunk-1@127.0.0.1",
			"status": "granted", "outcome": "given", "recording": "on",
			"purposes": [{"purpose": "quality", "granted": true}],
			"notice": {"id": "recording", "version": "1", "language": "nl"}, "method": "rfc4733",
			"decided_at": "2026-03-12T12:00:11Z", "updated_at": "2026-03-12T12:00:11Z"}`, w.Body.String())
		assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	}
	assert.Empty(t, d.store.ops, "a live call needs no store")
}

func TestACallIDWithOddCharactersIsOneSegment(t *testing.T) {
	for escaped, callID := range map[string]string{
		"a%2Fb%2F..%2Fc@h": "a/b/../c@h", "100%25": "100%", "a%3Fb%23c": "a?b#c", "a%20b": "a b",
		"%2E%2E": "..", "%2E": ".", "a+b": "a+b", "a%2Bb": "a+b", "%3Cx%3E%22": `<x>"`, "%FF": "\xff", "a;b=c,d": "a;b=c,d",
		"%2F%2F": "//", "consent": "consent", "%252F": "%2F",
	} {
		t.Run(callID, func(t *testing.T) {
			d := newDesk()
			r := granted(1)
			r.Call.TrunkCallID = callID
			d.store.records = []*consent.Record{over(granted(2)), over(r)}
			w := d.ask(t, "GET", "/v1/calls/"+escaped+"/consent")
			require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
			assert.Equal(t, string(r.ID), members(t, w)["record_id"])
		})
	}
}

func TestAPastCallIsAnsweredFromTheStore(t *testing.T) {
	d := newDesk()
	d.store.records = []*consent.Record{over(denied(3))}
	got := members(t, d.ask(t, "GET", "/v1/calls/trunk-3@127.0.0.1/consent"))
	assert.Equal(t, "denied", got["status"])
	assert.Equal(t, "refused", got["outcome"])
	assert.Equal(t, "sip-info", got["method"])
	assert.Equal(t, "off", got["recording"])
}

func TestACallNeverSeenIsUnknownAndNoError(t *testing.T) {
	w := newDesk().ask(t, "GET", "/v1/calls/nobody/consent")
	require.Equal(t, http.StatusOK, w.Code)
	assert.JSONEq(t, `{"record_id": "", "call_id": "", "status": "unknown", "outcome": "", "recording": "off",
		"purposes": [], "notice": {"id": "", "version": "", "language": ""}, "method": "",
		"decided_at": null, "updated_at": null}`, w.Body.String())
}

func TestAStoreThatIsAwayMakesTheStatusUnknownAndSaysWhy(t *testing.T) {
	d := newDesk()
	d.store.before = func(string) error { return errors.New("connection refused") }
	w := d.ask(t, "GET", "/v1/calls/trunk-1@127.0.0.1/consent")
	require.Equal(t, http.StatusOK, w.Code)
	got := members(t, w)
	assert.Equal(t, "unknown", got["status"])
	assert.Equal(t, "store", got["degraded"])
	assert.Contains(t, d.log.String(), "connection refused")
	assert.NotContains(t, w.Body.String(), "refused")
}

func TestAYesThatIsNotStoredYetIsPending(t *testing.T) {
	d := newDesk()
	r := granted(1)
	r.StoredAt, r.Recordings = time.Time{}, nil
	d.calls.live = []*consent.Record{r}
	got := members(t, d.ask(t, "GET", "/v1/calls/trunk-1@127.0.0.1/consent"))
	assert.Equal(t, "pending", got["status"])
	assert.Equal(t, "", got["outcome"])
	assert.Equal(t, []any{map[string]any{"purpose": "quality", "granted": false}}, got["purposes"])
	assert.Nil(t, got["decided_at"])
	assert.Equal(t, consent.Given, r.Outcome, "the call's own record is not touched")
}

func TestFlatIsOneLevelOfStrings(t *testing.T) {
	d := newDesk()
	r := granted(1)
	r.Purposes = append(r.Purposes, consent.Grant{Purpose: "training"}, consent.Grant{Purpose: "proof", Granted: true})
	d.calls.live = []*consent.Record{r}
	w := d.ask(t, "GET", "/v1/calls/trunk-1@127.0.0.1/consent?shape=flat")
	assert.JSONEq(t, `{
		"record_id": "0190e000-0000-7000-8000-000000000001", "call_id": "trunk-1@127.0.0.1", "status": "granted",
		"outcome": "given", "recording": "on", "purposes_granted": "quality,proof", "purposes_denied": "training",
		"notice_id": "recording", "notice_version": "1", "notice_language": "nl", "method": "rfc4733",
		"decided_at": "2026-03-12T12:00:11Z", "updated_at": "2026-03-12T12:00:11Z"}`, w.Body.String())
	for name, v := range members(t, d.ask(t, "GET", "/v1/calls/nobody/consent?shape=flat")) {
		assert.IsType(t, "", v, name)
	}
}

func TestAStatusNeverExceedsOneKilobyte(t *testing.T) {
	for _, shape := range []string{"", "?shape=flat"} {
		d := newDesk()
		r := granted(1)
		r.Purposes = nil
		for i := range 60 {
			r.Purposes = append(r.Purposes, consent.Grant{Purpose: fmt.Sprintf("purpose-number-%d", i), Granted: true})
		}
		d.calls.live = []*consent.Record{r}
		w := d.ask(t, "GET", "/v1/calls/"+string(r.ID)+"/consent"+shape)
		assert.LessOrEqual(t, w.Body.Len(), 1024)
		assert.Contains(t, w.Body.String(), "purpose-number-0", "the first purposes stay")
		assert.Equal(t, "trunk-1@127.0.0.1", members(t, w)["call_id"], "purposes give way before the Call-ID")

		r.Call.TrunkCallID = strings.Repeat("<x>", 400)
		w = d.ask(t, "GET", "/v1/calls/"+string(r.ID)+"/consent"+shape)
		assert.LessOrEqual(t, w.Body.Len(), 1024)
		assert.Equal(t, string(r.ID), members(t, w)["record_id"])

		r.Notice.Version = strings.Repeat("v", 2000)
		w = d.ask(t, "GET", "/v1/calls/"+string(r.ID)+"/consent"+shape)
		assert.LessOrEqual(t, w.Body.Len(), 1024)
		assert.Equal(t, "granted", members(t, w)["status"])
	}
}

func TestLiveCallsAreListedOldestFirstWithTheirStatus(t *testing.T) {
	d := newDesk()
	assert.JSONEq(t, `{"calls": []}`, d.ask(t, "GET", "/v1/calls").Body.String())
	d.calls.live = []*consent.Record{granted(1), recordOf(2), over(denied(3))}
	got := members(t, d.ask(t, "GET", "/v1/calls"))["calls"].([]any)
	require.Len(t, got, 2, "a call that is over is not live")
	first, second := got[0].(map[string]any), got[1].(map[string]any)
	assert.Equal(t, "granted", first["status"])
	assert.Equal(t, "platform-1@127.0.0.1", first["platform_call_id"])
	assert.Equal(t, "2026-03-12T12:00:01Z", first["invited_at"])
	assert.Equal(t, "pending", second["status"])
	assert.Nil(t, second["connected_at"])
}

func TestACommandReachesTheCallAndAnswersWithItsStatus(t *testing.T) {
	for verb, want := range map[string]string{"pause": "paused", "resume": "on", "hangup": "off", "withdraw": "off"} {
		t.Run(verb, func(t *testing.T) {
			d := newDesk()
			d.calls.live = []*consent.Record{granted(1)}
			d.calls.do = func(r *consent.Record, v string) error {
				assert.Equal(t, verb, v)
				r.Recordings[0].State = consent.RecordingState(want)
				return nil
			}
			w := d.ask(t, "POST", "/v1/calls/trunk-1@127.0.0.1/"+verb)
			require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
			assert.Equal(t, want, members(t, w)["recording"])
			assert.Equal(t, []string{verb + " trunk-1@127.0.0.1"}, d.calls.commands)
		})
	}
}

func TestACommandThatCannotBeDoneSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		kind   string
		detail string
	}{
		"no such call":   {consent.ErrNoCall, 404, "/problems/no-such-call", "live"},
		"not possible":   {fmt.Errorf("nothing to pause: %w", consent.ErrNotPossible), 409, "/problems/not-possible", "nothing to pause"},
		"no answer":      {context.DeadlineExceeded, 503, "/problems/no-answer", "in time"},
		"something else": {errors.New("secret of +31205550142"), 500, "/problems/internal", "its log"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			d.calls.live = []*consent.Record{granted(1)}
			d.calls.do = func(*consent.Record, string) error { return c.err }
			w := d.ask(t, "POST", "/v1/calls/trunk-1@127.0.0.1/pause")
			assert.Equal(t, c.status, w.Code)
			p := problemIn(t, w)
			assert.Equal(t, c.kind, p.Type)
			assert.Contains(t, p.Detail, c.detail)
			assert.NotContains(t, w.Body.String(), "+31205550142")
		})
	}
	assert.Equal(t, http.StatusNotFound, newDesk().ask(t, "POST", "/v1/calls/nobody/hangup").Code)
}
