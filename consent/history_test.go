package consent_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"consentgw/consent"
)

// after is that many seconds after noon, as a record holds it.
func after(s int) time.Time { return consent.Stamp(noon.Add(time.Duration(s) * time.Second)) }

// agreed is the record of a call whose granted decision is stored.
func agreed(t *testing.T) *consent.Record {
	t.Helper()
	r := pending()
	_, err := consent.Commit(t.Context(), &vault{answer: keeps}, r, decided(consent.Given), func() time.Time { return noon })
	require.NoError(t, err)
	return r
}

func last(r *consent.Record) consent.Event { return r.History[len(r.History)-1] }

func TestANewRecordIsOpenAndGrantsNothing(t *testing.T) {
	p := asked(1)
	p.Controller = consent.Controller{Name: "Voorbeeld B.V."}
	p.Jurisdiction, p.Basis, p.Retention = "NL", "consent", consent.Retention{Record: "P7Y", Recording: "P90D"}
	r := consent.NewRecord("id", "gw-1", "gw-1/7", p, consent.Call{TrunkCallID: "a@127.0.0.1", InvitedAt: noon})
	assert.Equal(t, &consent.Record{
		Schema: consent.Schema, ID: "id", Epoch: 1, Writer: "gw-1/7", Node: "gw-1",
		Call: consent.Call{TrunkCallID: "a@127.0.0.1", InvitedAt: after(0)},
		Terms: consent.Terms{Name: "test", Controller: p.Controller, Jurisdiction: "NL", Basis: "consent",
			Retention: p.Retention, Withdraw: "*9"},
		Standing: consent.Standing{Status: consent.StatusPending,
			Purposes: []consent.Grant{{Purpose: "quality"}, {Purpose: "training"}}},
		History:   []consent.Event{{At: after(0), Type: "invited"}},
		UpdatedAt: after(0),
	}, r)
	assert.False(t, r.Ended())
}

func TestARecordOfARouteWithoutAPolicyGrantsNothing(t *testing.T) {
	r := consent.NewRecord("id", "gw-1", "gw-1/7", consent.Policy{}, consent.Call{InvitedAt: noon})
	r.Decide(consent.Undecided(noon, consent.NotAsked))
	assert.Equal(t, consent.NotAsked, r.Outcome)
	assert.Equal(t, consent.StatusUnknown, r.Status)
	assert.Empty(t, r.Purposes)
	assert.Nil(t, r.Press)
}

func TestANoteOfThePastDoesNotTurnTheRecordBack(t *testing.T) {
	r := pending()
	r.Note(noon.Add(5*time.Second), "recording_on", "")
	r.Note(noon.Add(time.Second), "notice_played", "late news")
	assert.Equal(t, consent.Event{At: after(1), Type: "notice_played", Text: "late news"}, last(r))
	assert.Equal(t, after(5), r.UpdatedAt)
	assert.EqualValues(t, 3, r.Epoch)
}

func TestDecideWithoutTheStoreGrantsNothing(t *testing.T) {
	for _, o := range consent.Outcomes() {
		t.Run(string(o), func(t *testing.T) {
			want := o
			if o == consent.Given {
				want = consent.StoreUnavailable
			}
			r := pending()
			r.Decide(decided(o))
			assert.Equal(t, want, r.Outcome)
			assert.Equal(t, after(0), r.DecidedAt)
			assert.Zero(t, r.StoredAt)
			assert.Equal(t, consent.Event{At: after(0), Type: "decided", Text: string(want)}, last(r))
			require.NotNil(t, r.Press)
			assert.Equal(t, after(0), r.Press.At)
			assert.NotEqual(t, consent.StatusGranted, r.Status)
			checkStanding(t, r)
		})
	}
}

func TestAbandonOnlyClosesAnOpenQuestion(t *testing.T) {
	for _, o := range consent.Outcomes() {
		r := pending()
		r.Decide(decided(o))
		before := r.Clone()
		r.Abandon(noon)
		assert.Equal(t, before, r, "a decision stands: %q", o)
	}
	r := pending()
	r.Abandon(noon)
	assert.Equal(t, consent.Abandoned, r.Outcome)
	assert.Equal(t, consent.StatusDenied, r.Status)
	assert.Nil(t, r.Press)
}

func TestWithdrawTakesBackAGivenConsent(t *testing.T) {
	r := agreed(t)
	r.Recordings = []consent.Recording{{Caller: consent.Copies{Packets: 40}, Agent: consent.Copies{Packets: 2}}}
	epoch := r.Epoch
	require.True(t, r.Withdraw(noon.Add(time.Minute), "key"))
	assert.Equal(t, consent.Withdrawn, r.Outcome)
	assert.Equal(t, consent.StatusWithdrawn, r.Status)
	assert.Equal(t, &consent.Withdrawal{At: after(60), Method: "key", RecordedPackets: 42}, r.Withdrawal)
	assert.Equal(t, consent.Event{At: after(60), Type: "withdrawn", Text: "by key"}, last(r))
	assert.Greater(t, r.Epoch, epoch)
	assert.Equal(t, after(0), r.DecidedAt, "the time of the grant stays in evidence")
	assert.Equal(t, "1", r.Press.Key, "the key of the grant stays in evidence")
	checkStanding(t, r)

	before := r.Clone()
	assert.False(t, r.Withdraw(noon.Add(time.Hour), "api"), "twice is once")
	assert.Equal(t, before, r)
}

func TestWithoutAGivenConsentThereIsNothingToWithdraw(t *testing.T) {
	for _, o := range append(consent.Outcomes(), consent.Pending) {
		r := pending()
		r.Decide(decided(o))
		before := r.Clone()
		assert.False(t, r.Withdraw(noon, "api"), "%q", o)
		assert.Equal(t, before, r, "%q", o)
	}
}

func TestWithdrawingAfterTheCallIsPossible(t *testing.T) {
	r := agreed(t)
	r.End(noon.Add(time.Minute), "caller hung up")
	assert.True(t, r.Withdraw(noon.Add(time.Hour), "api"))
	assert.Equal(t, after(60), r.Call.EndedAt)
}

func TestEndClosesTheRecordOnce(t *testing.T) {
	t.Run("an open question is abandoned", func(t *testing.T) {
		r := pending()
		r.End(noon, "caller hung up")
		assert.True(t, r.Ended())
		assert.Equal(t, consent.Abandoned, r.Outcome)
		assert.Equal(t, consent.Event{At: after(0), Type: "ended", Text: "caller hung up"}, last(r))
	})
	t.Run("a decision stands", func(t *testing.T) {
		r := agreed(t)
		r.End(noon, "agent hung up")
		assert.Equal(t, consent.Given, r.Outcome)
		assert.Equal(t, after(0), r.Call.EndedAt)
		assert.Equal(t, "agent hung up", r.Call.EndCause)
	})
	t.Run("ending twice keeps the first end", func(t *testing.T) {
		r := agreed(t)
		r.End(noon, "agent hung up")
		before := r.Clone()
		r.End(noon.Add(time.Second), "caller hung up")
		assert.Equal(t, before, r)
	})
}

func TestCutOffClaimsOnlyWhatWasEvidenced(t *testing.T) {
	const stopped = "gateway stopped: counts are those of the last evidence, the end is its restart"
	counts := consent.Copies{SSRC: 7, Packets: 50}
	running := consent.Recording{Recorder: "archive", State: consent.RecordingOn, OpenedAt: after(1), FirstPacketAt: after(2),
		LastPacketAt: after(9), Caller: counts, Agent: counts}
	change := func(r consent.Recording, with func(*consent.Recording)) consent.Recording {
		with(&r)
		return r
	}
	for _, c := range []struct {
		name   string
		before consent.Recording
		want   []consent.Recording
		note   string
	}{
		{"a running recording ends at the restart, with the counts of the last evidence", running,
			[]consent.Recording{change(running, func(r *consent.Recording) {
				r.State, r.ClosedAt, r.Fault = consent.RecordingOff, after(60), stopped
			})}, ""},
		{"a recording without a packet is not claimed", change(running, func(r *consent.Recording) {
			r.FirstPacketAt, r.LastPacketAt = time.Time{}, time.Time{}
		}), nil, "no packet to archive was evidenced"},
		{"a fault of before is kept", change(running, func(r *consent.Recording) { r.Fault = "queue full" }),
			[]consent.Recording{change(running, func(r *consent.Recording) {
				r.State, r.ClosedAt, r.Fault = consent.RecordingOff, after(60), "queue full; "+stopped
			})}, ""},
		{"an open pause ends with the recording", change(running, func(r *consent.Recording) {
			r.State, r.Pauses = consent.RecordingPaused, []consent.Pause{{From: after(5), Reason: "hold"}}
		}), []consent.Recording{change(running, func(r *consent.Recording) {
			r.State, r.ClosedAt, r.Fault = consent.RecordingOff, after(60), stopped
			r.Pauses = []consent.Pause{{From: after(5), To: after(60), Reason: "hold"}}
		})}, ""},
		{"a recording that was closed before is final", change(running, func(r *consent.Recording) {
			r.State, r.ClosedAt = consent.RecordingOff, after(10)
		}), []consent.Recording{change(running, func(r *consent.Recording) {
			r.State, r.ClosedAt = consent.RecordingOff, after(10)
		})}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := agreed(t)
			r.Recordings = []consent.Recording{c.before}
			epoch := r.Epoch
			r.CutOff(noon.Add(time.Minute), "gw-1/8")
			assert.Equal(t, append([]consent.Recording{}, c.want...), r.Recordings)
			assert.Equal(t, "gw-1/8", r.Writer)
			assert.Equal(t, after(60), r.Call.EndedAt)
			assert.Equal(t, "gateway stopped during the call", r.Call.EndCause)
			assert.Equal(t, consent.Given, r.Outcome, "the consent itself was given")
			assert.Equal(t, consent.RecordingOff, r.Recording())
			assert.Greater(t, r.Epoch, epoch)
			if c.note != "" {
				assert.Contains(t, r.History, consent.Event{At: after(60), Type: "recording_unproven", Text: c.note})
			}
		})
	}
}

func TestCutOffKeepsTheProvenOfSeveralRecordings(t *testing.T) {
	r := agreed(t)
	r.Recordings = []consent.Recording{{Recorder: "first"}, {Recorder: "second", FirstPacketAt: after(1)},
		{Recorder: "third"}, {Recorder: "fourth", FirstPacketAt: after(1)}}
	r.CutOff(noon, "gw-1/8")
	var names []string
	for _, rec := range r.Recordings {
		names = append(names, rec.Recorder)
	}
	assert.Equal(t, []string{"second", "fourth"}, names)
}

func TestCutOffDuringTheQuestionAbandonsIt(t *testing.T) {
	r := pending()
	r.CutOff(noon, "gw-1/8")
	assert.Equal(t, consent.Abandoned, r.Outcome)
	assert.True(t, r.Ended())
}

func TestCutOffLeavesARecordThatHasItsEnd(t *testing.T) {
	r := agreed(t)
	r.Recordings = []consent.Recording{{Recorder: "archive"}}
	r.End(noon, "caller hung up")
	before := r.Clone()
	r.CutOff(noon.Add(time.Hour), "gw-1/8")
	assert.Equal(t, before, r)
}

func TestMergeTakesOverWhatAnotherWriterDid(t *testing.T) {
	changed := func(base *consent.Record, with func(*consent.Record)) *consent.Record {
		other := base.Clone()
		other.Writer = "gw-2/1"
		with(other)
		return other
	}
	withdrawn := func(other *consent.Record) { other.Withdraw(noon.Add(time.Minute), "api") }
	lost := func(t *testing.T) *consent.Record {
		r := pending()
		_, err := consent.Commit(t.Context(), &vault{answer: loses}, r, decided(consent.Given), func() time.Time { return noon })
		require.Error(t, err)
		return r
	}
	for _, c := range []struct {
		name    string
		mine    *consent.Record
		other   *consent.Record
		told    bool
		outcome consent.Outcome
		by      string
	}{
		{"a withdrawal wins", agreed(t), changed(agreed(t), withdrawn), true, consent.Withdrawn, "api"},
		{"a withdrawal wins over a yes whose reply was lost", lost(t), changed(agreed(t), withdrawn), false, consent.Withdrawn, "api"},
		{"a note changes no decision", agreed(t), changed(agreed(t), func(o *consent.Record) { o.Note(noon, "read", "") }),
			false, consent.Given, ""},
		{"a withdrawal wins over a grant after an earlier withdrawal", changed(agreed(t), func(r *consent.Record) {
			r.Withdraw(noon, "key")
			_, err := consent.Commit(t.Context(), &vault{answer: keeps}, r, decided(consent.Given), func() time.Time { return noon })
			require.NoError(t, err)
		}), changed(agreed(t), withdrawn), true, consent.Withdrawn, "api"},
		{"the first of two withdrawals stays", changed(agreed(t), func(r *consent.Record) { r.Withdraw(noon, "key") }),
			changed(agreed(t), withdrawn), false, consent.Withdrawn, "key"},
		{"what another writer granted is not taken over", pending(), changed(agreed(t), func(*consent.Record) {}),
			false, consent.Pending, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 20 {
				c.other.Note(noon, "busy", "")
			}
			writer, old := c.mine.Writer, c.mine.Clone()
			assert.Equal(t, c.told, c.mine.Merge(c.other))
			assert.Equal(t, c.outcome, c.mine.Outcome)
			assert.Greater(t, c.mine.Epoch, c.other.Epoch)
			assert.Equal(t, writer, c.mine.Writer)
			assert.Equal(t, "merged", last(c.mine).Type)
			checkStanding(t, c.mine)
			checkGrown(t, old, c.mine)
			if c.by == "" {
				assert.Nil(t, c.mine.Withdrawal)
			} else {
				assert.Equal(t, c.by, c.mine.Withdrawal.Method)
			}
		})
	}
}

func TestMergeOfAnOlderVersionStillMovesOn(t *testing.T) {
	r := agreed(t)
	old := r.Clone()
	for range 5 {
		r.Note(noon.Add(time.Minute), "busy", "")
	}
	before := r.Clone()
	assert.False(t, r.Merge(old))
	checkGrown(t, before, r)
	assert.Equal(t, after(60), r.UpdatedAt, "never back")
}

// checkGrown holds that a record only grew: no line of its history is lost or
// changed, and whatever changed has a higher epoch.
func checkGrown(t require.TestingT, before, now *consent.Record) {
	require.GreaterOrEqual(t, len(now.History), len(before.History))
	require.Equal(t, before.History, now.History[:len(before.History)], "the history only grows")
	require.False(t, now.UpdatedAt.Before(before.UpdatedAt), "never back")
	if !assert.ObjectsAreEqual(before, now) {
		require.Greater(t, now.Epoch, before.Epoch, "a change without a new epoch would be lost")
	}
}

// life is the model of a record: whether a stored consent may be in force.
type life struct {
	record  *consent.Record
	granted bool
	end     time.Time
	checked *consent.Record
}

func (l *life) check(t *rapid.T) {
	checkStanding(t, l.record)
	if l.checked != nil {
		checkGrown(t, l.checked, l.record)
	}
	require.Equal(t, l.granted, l.record.Outcome == consent.Given, "given exactly while stored and not taken back")
	if !l.end.IsZero() {
		require.Equal(t, l.end, l.record.Call.EndedAt, "the first end stays")
	}
	l.end, l.checked = l.record.Call.EndedAt, l.record.Clone()
}

func (l *life) actions() map[string]func(*rapid.T) {
	outcomes := rapid.SampledFrom(append(consent.Outcomes(), consent.Pending))
	at := rapid.Map(rapid.IntRange(0, 1<<20), func(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) })
	commit := func(answer func(*rapid.T) *vault) func(*rapid.T) {
		return func(t *rapid.T) {
			o, now := outcomes.Draw(t, "outcome"), at.Draw(t, "now")
			v := answer(t)
			permit, err := consent.Commit(t.Context(), v, l.record, decided(o), func() time.Time { return now })
			l.granted = o == consent.Given && err == nil
			require.Equal(t, l.granted, permit.Valid())
			require.Len(t, v.puts, 1)
		}
	}
	return map[string]func(*rapid.T){
		"commit":        commit(func(*rapid.T) *vault { return &vault{answer: keeps} }),
		"commit fails":  commit(func(*rapid.T) *vault { return &vault{answer: loses} }),
		"commit unsure": commit(func(*rapid.T) *vault { return &vault{answer: keepsButFails} }),
		"decide": func(t *rapid.T) {
			l.record.Decide(decided(outcomes.Draw(t, "outcome")))
			l.granted = false
		},
		"note":    func(t *rapid.T) { l.record.Note(at.Draw(t, "at"), "note", "") },
		"abandon": func(t *rapid.T) { l.record.Abandon(at.Draw(t, "at")) },
		"withdraw": func(t *rapid.T) {
			require.Equal(t, l.granted, l.record.Withdraw(at.Draw(t, "at"), "key"))
			l.granted = false
		},
		"record": func(t *rapid.T) {
			l.record.Recordings = append(l.record.Recordings, consent.Recording{Recorder: "archive", FirstPacketAt: noon})
			l.record.Note(at.Draw(t, "at"), "recording", "")
		},
		"merge": func(t *rapid.T) {
			other := l.record.Clone()
			other.Writer = "gw-2/1"
			taken := rapid.Bool().Draw(t, "withdrawn") && other.Withdraw(at.Draw(t, "at"), "api")
			require.Equal(t, taken || l.granted && other.Withdrawal != nil, l.record.Merge(other))
			l.granted = l.granted && other.Withdrawal == nil
		},
		"end":     func(t *rapid.T) { l.record.End(at.Draw(t, "at"), "caller hung up") },
		"cut off": func(t *rapid.T) { l.record.CutOff(at.Draw(t, "at"), "gw-1/8") },
		"":        l.check,
	}
}

func TestWhateverHappensTheRecordOnlyGrowsAndOnlyAStoredYesGrants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &life{record: pending()}
		t.Repeat(l.actions())
	})
}

func TestATouchIsAnotherVersionAndNoEvent(t *testing.T) {
	r := pending()
	epoch, events := r.Epoch, len(r.History)
	r.Touch(after(5))
	assert.Equal(t, epoch+1, r.Epoch)
	assert.Len(t, r.History, events)
	assert.Equal(t, after(5), r.UpdatedAt)
	r.Touch(after(4))
	assert.Equal(t, after(5), r.UpdatedAt, "it never goes back")
}
