package media

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/dtmf"
)

func pressed(t *testing.T, s *Stream) []dtmf.Press {
	t.Helper()
	var all []dtmf.Press
	for len(s.Presses()) > 0 {
		all = append(all, <-s.Presses())
	}
	return all
}

func TestAKeyIsHeardOnceWithItsEvidence(t *testing.T) {
	l := newLine(t)
	l.a.RelayTo(nil)
	l.says(l.caller.voice(frameOf(1)))
	start := l.caller.Timestamp
	begun := l.now.Add(frameTime)
	for i := range 5 {
		l.says(l.caller.event(101, start, 1, false, uint16(160*(i+1))))
	}
	for range 3 {
		l.says(l.caller.event(101, start, 1, true, 960))
	}
	got := pressed(t, l.a)
	require.Len(t, got, 2, "the press, then its end")
	for i, released := range []bool{false, true} {
		assert.Equal(t, '1', got[i].Key.Rune())
		assert.Equal(t, dtmf.RFC4733, got[i].Method)
		assert.Equal(t, l.caller.SSRC, got[i].SSRC)
		assert.Equal(t, start, got[i].Timestamp)
		assert.EqualValues(t, 101, got[i].PayloadType)
		assert.Equal(t, released, got[i].Released)
		assert.True(t, begun.Equal(got[i].At), "waiting for a reader does not change when it was pressed")
	}
	assert.Equal(t, 120*time.Millisecond, got[1].Duration)
	assert.EqualValues(t, 8, l.a.Stats().Events)
}

func TestALostEndIsNoticedByTheVoiceThatFollows(t *testing.T) {
	l := newLine(t)
	l.says(l.caller.event(101, 9, 5, false, 400))
	require.Len(t, pressed(t, l.a), 1)
	for range 10 {
		l.says(l.caller.voice(frameOf(1)))
	}
	got := pressed(t, l.a)
	require.Len(t, got, 1)
	assert.True(t, got[0].Released)
	assert.True(t, l.a.keys.due.IsZero(), "nothing is waited for any more")
}

func TestKeysThatNobodyReadsAreCountedNotWaitedFor(t *testing.T) {
	l := newLine(t)
	for i := range uint32(pressBuffer + 5) {
		l.says(l.caller.event(101, i*8000, byte(i%10), true, 800))
	}
	assert.EqualValues(t, 5, l.a.Stats().PressesLost)
	got := pressed(t, l.a)
	require.Len(t, got, pressBuffer)
	assert.Equal(t, '0', got[0].Key.Rune(), "the earliest are kept")
}

// TestKeysCountOnlyFromWhereMediaIsAgreedNow moves the far end by a re-INVITE.
func TestKeysCountOnlyFromWhereMediaIsAgreedNow(t *testing.T) {
	l := newLine(t)
	moved := newPhone(t)
	l.says(l.caller.voice(frameOf(1)))
	l.hear(l.a, l.now, moved.event(101, 1, 1, true, 800), moved.addr)
	assert.Empty(t, pressed(t, l.a), "before the re-INVITE the new address is a stranger")

	l.a.Connect(moved.far())
	l.says(l.caller.event(101, 8000, 1, true, 800))
	assert.Empty(t, pressed(t, l.a), "after it the old one is")
	l.hear(l.a, l.now, moved.event(101, 1, 2, true, 800), moved.addr)
	got := pressed(t, l.a)
	require.Len(t, got, 1)
	assert.Equal(t, '2', got[0].Key.Rune())
}

func TestKeysFollowTheClockThatWasAgreed(t *testing.T) {
	l := newLine(t)
	l.says(l.caller.event(101, 1, 1, true, 800))
	far := l.caller.far()
	far.EventPT, far.EventRate = 102, 16000
	l.a.Connect(far)
	l.says(l.caller.event(102, 99000, 2, true, 1600))
	far.EventPT, far.EventRate = -1, 0
	l.a.Connect(far)
	l.says(l.caller.event(101, 199000, 3, true, 800))
	got := pressed(t, l.a)
	require.Len(t, got, 2)
	assert.Equal(t, 100*time.Millisecond, got[0].Duration)
	assert.Equal(t, 100*time.Millisecond, got[1].Duration)
}
