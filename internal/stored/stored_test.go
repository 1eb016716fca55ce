package stored

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

func TestARecordIDIsHarmlessInKeysAndFileNames(t *testing.T) {
	for _, id := range []consent.RecordID{"0198f3c1-7a58-7c3e-9a55-3f0d4f5b6a71", "a", "A.b_c-1"} {
		assert.True(t, ValidID(id), id)
	}
	long := consent.RecordID(strings.Repeat("a", maxID+1))
	for _, id := range []consent.RecordID{"", "a b", "{a}", "a/../b", "a\x00", "é", "a\n", "a:b", long} {
		assert.False(t, ValidID(id), "%q", id)
	}
}

func TestEncodeRefusesWhatNoStoreCouldKeep(t *testing.T) {
	cases := map[string]*consent.Record{
		"no record":        nil,
		"no id":            {},
		"id with a brace":  {ID: "}"},
		"year above 9999":  {ID: "a", UpdatedAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"more than 1 MiB":  {ID: "a", Subject: strings.Repeat("5", MaxRecord)},
		"history too long": {ID: "a", History: make([]consent.Event, MaxRecord/40)},
	}
	for name, r := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Encode(r)
			require.ErrorIs(t, err, ErrInvalid)
		})
	}
}

func TestWhatIsEncodedDecodesToTheSame(t *testing.T) {
	want := &consent.Record{Schema: consent.Schema, ID: "a", Epoch: math.MaxUint64, Subject: "+12025550143"}
	text, err := Encode(want)
	require.NoError(t, err)
	got, err := Decode(text)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestADamagedRecordIsAnErrorWithoutItsText(t *testing.T) {
	_, err := Decode([]byte(`{"subject": "+12025550143", "epoch": "+12025550143"}`))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "2025550143")
}

func TestASuccessorIsTheSameRecordUnderAHigherEpoch(t *testing.T) {
	seen := &consent.Record{ID: "a", Epoch: 4}
	require.NoError(t, CheckSuccessor(&consent.Record{ID: "a", Epoch: 5}, seen))
	for name, r := range map[string]*consent.Record{
		"none": nil, "same epoch": {ID: "a", Epoch: 4}, "lower": {ID: "a", Epoch: 3}, "other": {ID: "b", Epoch: 5},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, CheckSuccessor(r, seen), ErrInvalid) })
	}
	require.ErrorIs(t, CheckSuccessor(seen, nil), ErrInvalid)
}

func TestCallIDsAreThoseOfBothLegsOnce(t *testing.T) {
	r := &consent.Record{}
	assert.Empty(t, CallIDs(r))
	assert.False(t, HasCallID(r, ""), "an empty Call-ID belongs to no call")
	r.Call.TrunkCallID, r.Call.PlatformCallID = "x", "x"
	assert.Equal(t, []string{"x"}, CallIDs(r))
	r.Call.PlatformCallID = "y"
	assert.Equal(t, []string{"x", "y"}, CallIDs(r))
	assert.True(t, HasCallID(r, "x") && HasCallID(r, "y") && !HasCallID(r, "z"))
}

func TestTextIsWhatJSONLeavesOfIt(t *testing.T) {
	for _, call := range []string{"", "a@b", "é", "\xff\xfe\x80", "a\xffb\xc3", "\x00", "\ufffd", "\u2028<&>"} {
		text, err := Encode(&consent.Record{ID: "a", Subject: call})
		require.NoError(t, err)
		r, err := Decode(text)
		require.NoError(t, err)
		assert.Equal(t, Text(call), r.Subject)
	}
}

func TestPositionsAreOrderedByTimeThenID(t *testing.T) {
	order := []Position{{MS: -5, ID: "z"}, {MS: 0}, {MS: 0, ID: "a"}, {MS: 0, ID: "b"}, {MS: 7, ID: "a"}}
	for i, p := range order {
		for j, q := range order {
			assert.Equal(t, i < j, p.Compare(q) < 0, "%v %v", p, q)
			assert.Equal(t, i == j, p.Compare(q) == 0)
		}
	}
}

func TestAScanStartsAtTheCursorAndStaysWithinTheTimes(t *testing.T) {
	from, to := time.UnixMilli(1000), time.UnixMilli(2000)
	at := Position{MS: 1500, ID: "m"}
	up, err := NewScan(consent.Query{From: from, To: to, Cursor: at.Cursor(), Ascending: true})
	require.NoError(t, err)
	assert.Equal(t, Scan{After: at, Before: Position{MS: 2000}, Limit: 100, Ascending: true}, up)
	assert.Equal(t, at.Cursor(), up.Cursor())

	down, err := NewScan(consent.Query{From: from, To: to, Cursor: at.Cursor(), Limit: 7})
	require.NoError(t, err)
	assert.Equal(t, Scan{After: Position{MS: 1000}, Before: at, Limit: 7}, down)
	assert.True(t, down.Holds(Position{1000, "a"}), "From is inclusive")
	assert.False(t, down.Holds(at), "the cursor was on the page before")
	next := Position{MS: 1200, ID: "c"}
	assert.Equal(t, next.Cursor(), down.Moved(next).Cursor())

	far := Position{MS: 9000, ID: "m"}
	wide, err := NewScan(consent.Query{From: from, To: to, Cursor: far.Cursor()})
	require.NoError(t, err)
	assert.Equal(t, Position{MS: 2000}, wide.Before, "a cursor cannot widen the query")
}

func TestAnEndWithinAMillisecondKeepsThatMillisecondInTheScan(t *testing.T) {
	s, err := NewScan(consent.Query{To: time.UnixMilli(2000).Add(time.Microsecond)})
	require.NoError(t, err)
	assert.True(t, s.Holds(Position{2000, "a"}))
}

func TestPagingIsRefusedIfItMakesNoSense(t *testing.T) {
	for name, q := range map[string]consent.Query{
		"limit below 0":      {Limit: -1},
		"limit above 1000":   {Limit: 1001},
		"cursor not base64":  {Cursor: "***"},
		"cursor too short":   {Cursor: "AAAA"},
		"cursor with bad id": {Cursor: Position{ID: "{}"}.Cursor()},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewScan(q)
			require.ErrorIs(t, err, ErrInvalid)
		})
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(Position{MS: 1500, ID: "m"}.Cursor())
	f.Add(Position{MS: math.MinInt64}.Cursor())
	f.Add("")
	f.Add("AAAAAAAAAAB7fQ")
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := parseCursor(cursor)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		again, err := parseCursor(p.Cursor())
		require.NoError(t, err)
		assert.Equal(t, p, again)
	})
}
