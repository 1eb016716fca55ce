package consent_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

// fill gives every field under v a value of its own, so that whatever a copy or
// an encoding forgets is seen.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 4))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(consent.Stamp(noon).Add(time.Duration(*n) * time.Millisecond)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("a record has a field of a kind that this test does not know: " + v.Kind().String())
	}
}

func full() *consent.Record {
	r, n := new(consent.Record), 0
	fill(reflect.ValueOf(r).Elem(), &n)
	return r
}

// memory lists the address of all that a and a copy of it might share.
func memory(v reflect.Value, path string, at map[uintptr]string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			at[v.Pointer()] = path
			memory(v.Elem(), path, at)
		}
	case reflect.Slice:
		if v.Len() > 0 {
			at[v.Pointer()] = path
		}
		for i := range v.Len() {
			memory(v.Index(i), fmt.Sprintf("%s[%d]", path, i), at)
		}
	case reflect.Map:
		at[v.Pointer()] = path
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return // immutable
		}
		for i := range v.NumField() {
			memory(v.Field(i), path+"."+v.Type().Field(i).Name, at)
		}
	}
}

func TestACloneSharesNoMemoryWithItsRecord(t *testing.T) {
	for name, r := range map[string]*consent.Record{"full": full(), "fresh": pending(), "zero": {}} {
		t.Run(name, func(t *testing.T) {
			c := r.Clone()
			require.Equal(t, r, c)
			mine, its := map[uintptr]string{}, map[uintptr]string{}
			memory(reflect.ValueOf(r), "record", mine)
			memory(reflect.ValueOf(c), "record", its)
			for at, path := range its {
				assert.NotContains(t, mine, at, "%s is shared", path)
			}
		})
	}
}

func TestACloneOutlivesEveryChangeOfItsRecord(t *testing.T) {
	r := full()
	r.Outcome, r.Call.EndedAt, r.Recordings[0].Pauses[1].To = consent.Given, time.Time{}, time.Time{}
	c := r.Clone()
	want, err := json.Marshal(c)
	require.NoError(t, err)

	r.Recordings[0].EndPause(noon)
	require.True(t, r.Withdraw(noon, "key"))
	r.CutOff(noon, "gw-2")
	got, err := json.Marshal(c)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(got))
}

func TestARecordSurvivesJSONWhole(t *testing.T) {
	for name, r := range map[string]*consent.Record{"full": full(), "fresh": pending(), "zero": {}} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(r)
			require.NoError(t, err)
			got := new(consent.Record)
			require.NoError(t, json.Unmarshal(text, got))
			assert.Equal(t, r, got)
		})
	}
}

// story tells a whole call through the law's own methods: asked, agreed,
// recorded, paused for a card number, withdrawn, ended.
func story(t *testing.T) *consent.Record {
	t.Helper()
	at := func(ms int) time.Time { return noon.Truncate(time.Second).Add(time.Duration(ms) * time.Millisecond) }
	p := asked(2)
	p.Name, p.Jurisdiction, p.Basis = "nl-consent", "NL", "consent"
	p.Controller = consent.Controller{Name: "Voorbeeld B.V.", Contact: "privacy@example.com", Address: "Voorbeeldstraat 1, Utrecht", Country: "NL"}
	p.Retention = consent.Retention{Record: "P7Y", Recording: "P90D"}
	r := consent.NewRecord("0190e000-0000-7000-8000-000000000001", "gw-1", "gw-1/7", p, consent.Call{
		TrunkCallID: "a84b4c76e66710@127.0.0.1", Direction: "inbound", Trunk: "carrier-a", Route: "sales",
		Called: "+31205550100", InvitedAt: at(0)})
	r.Subject = "+31205550142"
	r.Call.AnsweredAt = consent.Stamp(at(40))
	r.Notice = consent.Notice{ID: "recording", Version: "1", Language: "nl", Codec: "PCMA",
		AudioSHA256: "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
		TextSHA256:  "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2",
		Heard: consent.Heard{StartedAt: consent.Stamp(at(60)), HeardMS: 9000, LengthMS: 9000, Complete: true, Plays: 1,
			SSRC: 305419896, FirstSeq: 100, LastSeq: 549}}
	r.Note(at(9060), "notice_played", "")

	a := consent.NewAsking(p)
	a.Key(consent.Press{Key: "1", Method: "rfc4733", SSRC: 3735928559, RTPTimestamp: 72160, PayloadType: 101,
		DurationMS: 160, At: at(10_300), EndSeen: true}, true)
	a.Settled()
	clock := func() time.Time { return at(10_602) }
	_, err := consent.Commit(t.Context(), &vault{answer: keeps}, r, consent.Decide(at(10_600), r.Notice.Heard, a.Choice()), clock)
	require.NoError(t, err)

	r.Call.PlatformCallID, r.Call.Platform, r.Call.Target = "b2-17@127.0.0.1", "contact-center", "sip:127.0.0.1:5090"
	r.Call.ConnectedAt = consent.Stamp(at(11_200))
	r.Recordings = []consent.Recording{{Recorder: "archive", State: consent.RecordingOff, OpenedAt: consent.Stamp(at(11_205)),
		ClosedAt: consent.Stamp(at(32_000)), FirstPacketAt: consent.Stamp(at(11_220)), LastPacketAt: consent.Stamp(at(31_980)),
		Caller: consent.Copies{SSRC: 11, Packets: 788, Lost: 1}, Agent: consent.Copies{SSRC: 12, Packets: 787},
		Pauses: []consent.Pause{{From: consent.Stamp(at(20_000)), Reason: "api"}}}}
	r.Recordings[0].EndPause(at(25_000))
	require.True(t, r.Withdraw(at(32_000), "key"))
	r.End(at(61_000), "caller hung up")
	return r
}

// The file is the documented form of a stored record: platforms and auditors
// read it, so a change of it is a change of the schema.
func TestTheStoredFormIsTheDocumentedOne(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("..", "testdata", "consent", "record.json"))
	require.NoError(t, err)
	got, err := json.MarshalIndent(story(t), "", "  ")
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got)+"\n")

	strict := json.NewDecoder(bytes.NewReader(want))
	strict.DisallowUnknownFields()
	read := new(consent.Record)
	require.NoError(t, strict.Decode(read))
	assert.Equal(t, story(t), read)
}

func TestEveryTimeThatTheLawWritesIsUTCInMilliseconds(t *testing.T) {
	r := story(t)
	again := pending()
	again.CutOff(time.Now(), "gw-2") // with a monotonic reading
	other := pending()
	other.UpdatedAt, other.Withdrawal = noon, &consent.Withdrawal{At: noon, Method: "api"}
	merged := pending()
	merged.Merge(other)
	for _, record := range []*consent.Record{r, again, merged} {
		times(t, reflect.ValueOf(record).Elem(), "record")
	}
}

func times(t *testing.T, v reflect.Value, path string) {
	if at, ok := v.Interface().(time.Time); ok {
		assert.Equal(t, at.UTC().Truncate(time.Millisecond), at, path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			times(t, v.Elem(), path)
		}
	case reflect.Slice:
		for i := range v.Len() {
			times(t, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			times(t, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	}
}

func TestStamp(t *testing.T) {
	assert.Equal(t, time.Date(2026, 7, 1, 10, 0, 0, 123_000_000, time.UTC), consent.Stamp(noon), "UTC, cut to milliseconds")
	assert.True(t, consent.Stamp(time.Time{}).IsZero(), "no time stays no time")
	assert.Equal(t, consent.Stamp(noon), consent.Stamp(consent.Stamp(noon)), "stamping twice changes nothing")
}

func TestTheStateOverAllRecorders(t *testing.T) {
	const off, on, paused = consent.RecordingOff, consent.RecordingOn, consent.RecordingPaused
	for _, c := range []struct {
		name   string
		states []consent.RecordingState
		want   consent.RecordingState
	}{
		{"no recorder is off", nil, off},
		{"off is off", []consent.RecordingState{off, off}, off},
		{"one that is on is on", []consent.RecordingState{off, paused, on}, on},
		{"one that is on first is on", []consent.RecordingState{on, off, paused}, on},
		{"one that is paused is paused", []consent.RecordingState{off, paused, off}, paused},
		{"a state that nobody knows is off", []consent.RecordingState{"", "spinning"}, off},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r consent.Record
			for _, s := range c.states {
				r.Recordings = append(r.Recordings, consent.Recording{State: s})
			}
			assert.Equal(t, c.want, r.Recording())
		})
	}
}

func TestRecordedPacketsAreThoseOfBothDirectionsAtAllRecorders(t *testing.T) {
	var r consent.Record
	assert.Zero(t, r.RecordedPackets())
	r.Recordings = []consent.Recording{
		{Caller: consent.Copies{Packets: 1, Lost: 100}, Agent: consent.Copies{Packets: 20}},
		{Caller: consent.Copies{Packets: 300}, Agent: consent.Copies{Packets: 4000, Lost: 7}},
	}
	assert.EqualValues(t, 4321, r.RecordedPackets())
}

func TestEndPauseEndsTheOpenPauseOnly(t *testing.T) {
	at := func(s int) time.Time { return consent.Stamp(noon.Add(time.Duration(s) * time.Second)) }
	closed, open := consent.Pause{From: at(0), To: at(1), Reason: "hold"}, consent.Pause{From: at(2), Reason: "api"}
	for _, c := range []struct {
		name         string
		before, want []consent.Pause
	}{
		{"none", nil, nil},
		{"one that has ended", []consent.Pause{closed}, []consent.Pause{closed}},
		{"one that is open", []consent.Pause{closed, open}, []consent.Pause{closed, {From: at(2), To: at(3), Reason: "api"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := consent.Recording{Pauses: c.before}
			r.EndPause(noon.Add(3 * time.Second))
			assert.Equal(t, c.want, r.Pauses)
		})
	}
}
