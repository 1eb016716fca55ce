package siprec_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/internal/recordserver"
	"consentgw/internal/sdp"
	"consentgw/internal/siprec"
	"consentgw/internal/siprecxml"
	"consentgw/internal/wav"
)

func TestNobodyIsInvitedWithoutAPermitThatIsInForce(t *testing.T) {
	r := newRig(t)
	revoked := r.permit
	revoked.Revoke()
	other, err := consent.Commit(t.Context(), keepsAll{}, record(), consent.Decision{Outcome: consent.Given, At: time.Now()}, time.Now)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		permit consent.Permit
		gate   *media.Gate
		err    error
	}{
		"zero":         {consent.Permit{}, media.NewGate(consent.Permit{}), siprec.ErrNoPermit},
		"revoked":      {revoked, r.gate, siprec.ErrNoPermit},
		"no gate":      {other, nil, siprec.ErrOtherGate},
		"another gate": {other, r.gate, siprec.ErrOtherGate},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := siprec.New(r.config()).Open(r.ctx, siprec.Call{Moment: siprec.Moment{Record: record()}, Permit: c.permit, Gate: c.gate})
			require.ErrorIs(t, err, c.err)
		})
	}
	require.Empty(t, r.server.Sessions())
}

func TestARecordingFromInvitationToGoodbye(t *testing.T) {
	r := newRig(t)
	cfg := r.config()
	cfg.Metadata.RetentionHeader = "X-Recording-Retention"
	recording := r.record(cfg)
	s := r.session(0)
	r.speak(20)
	r.until(func() bool { return len(s.Packets("1")) == 20 && len(s.Packets("2")) == 20 })
	recording.Close()
	recording.Close()
	r.over(s)

	assert.EqualValues(t, 20, recording.Caller().Counts().Sent)
	assert.EqualValues(t, 20, recording.Agent().Counts().Sent)
	assert.Zero(t, recording.Caller().Counts().Lost+recording.Agent().Counts().Lost)
	assert.Empty(t, recording.Fault())
	doc := s.Documents()[0]
	assert.Equal(t, siprecxml.Complete, doc.DataMode)
	assert.Equal(t, recordID, doc.Sessions[0].Consent.RecordID)
	assert.NotContains(t, string(s.Raw()[0]), "3120555", "nobody is named unless the configuration says so")
	for _, label := range []string{"1", "2"} {
		f, err := os.Open(filepath.Join(findFolder(t, r, s), "label-"+label+".wav"))
		require.NoError(t, err)
		audio, err := wav.Read(f)
		require.NoError(t, errors.Join(err, f.Close()))
		require.Len(t, audio.PCM, 20*160)
	}
}

// Behind a NAT the recorder is told what it can reach, not what we bind.
func TestARecorderIsToldTheAddressThatIsAdvertised(t *testing.T) {
	r := newRig(t)
	public := netip.MustParseAddr("127.0.0.7")
	ports := media.NewPorts(media.PortsConfig{Addr: loopback(), Public: public})
	t.Cleanup(func() { require.NoError(t, ports.Close()) })
	cfg := r.config()
	cfg.Ports = ports
	recording := r.record(cfg)
	s := r.session(0)
	offer := s.Offers()[0]
	require.Equal(t, public, offer.Addr)
	require.Len(t, offer.Media, 2)
	for _, m := range offer.Media {
		require.Equal(t, public, m.Addr)
	}
	recording.Close()
	r.over(s)
}

// findFolder is where a session wrote.
func findFolder(t *testing.T, r *rig, s *recordserver.Session) string {
	t.Helper()
	require.NotEmpty(t, s.Folder())
	_, err := os.Stat(filepath.Join(s.Folder(), "metadata-1.xml"))
	require.NoError(t, err)
	return s.Folder()
}

func TestNothingIsSentDuringAPauseWhateverTheRecorderAnswers(t *testing.T) {
	for name, answer := range map[string]recordserver.Answer{"agrees": {}, "answers as if it went on": {Contrary: true}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.answer.Store(&answer)
			recording := r.record(r.config())
			s := r.session(0)
			r.speak(5)
			r.gate.Shut()
			recording.Follow(siprec.Moment{State: consent.RecordingPaused, Record: record()})
			r.until(func() bool { return len(s.Offers()) == 2 })
			require.Equal(t, sdp.Inactive, s.Offers()[1].Media[0].Direction)
			require.True(t, r.gate.Open(), "even with the gate open")
			r.speak(5)
			r.gate.Shut()
			recording.Follow(siprec.Moment{State: consent.RecordingOn, Record: record()})
			r.until(func() bool { return len(s.Offers()) == 3 })
			require.Equal(t, sdp.SendOnly, s.Offers()[2].Media[1].Direction)
			require.True(t, r.gate.Open())
			r.gate.Shut()
			recording.Close()
			r.over(s)
			require.Len(t, s.Packets("1"), 5)
			require.Equal(t, "paused", s.Documents()[1].Sessions[0].Consent.Recording)
			require.Equal(t, "on", s.Documents()[2].Sessions[0].Consent.Recording)
			require.Equal(t, siprecxml.Partial, s.Documents()[2].DataMode)
		})
	}
}

func TestARecorderThatTakesNothingGetsNothing(t *testing.T) {
	r := newRig(t)
	r.answer.Store(&recordserver.Answer{Paused: true})
	recording := r.record(r.config())
	s := r.session(0)
	r.speak(5)
	recording.Close()
	r.over(s)
	require.Empty(t, s.Packets("1"))
	require.EqualValues(t, 5, recording.Caller().Counts().Lost)
}

func TestAWithdrawalIsToldBeforeTheGoodbye(t *testing.T) {
	for name, silent := range map[string]bool{"told": false, "by policy without a word": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			cfg := r.config()
			cfg.Metadata.Silent = silent
			recording := r.record(cfg)
			s := r.session(0)
			r.speak(3)
			r.gate.Shut()
			r.permit.Revoke()
			withdrawn := record()
			withdrawn.Withdrawal = &consent.Withdrawal{At: time.Now(), Method: "key"}
			recording.Follow(siprec.Moment{State: consent.RecordingOff, Record: withdrawn})
			r.over(s)
			docs := s.Documents()
			if silent {
				require.Len(t, docs, 1)
				return
			}
			last := docs[len(docs)-1]
			require.Equal(t, "withdrawn", last.Sessions[0].Consent.State)
			require.NotEmpty(t, last.Sessions[0].Consent.WithdrawnAt)
			require.NotEmpty(t, last.SessionRecordings[0].Disassociate)
			require.Equal(t, sdp.Inactive, s.Offers()[len(docs)-1].Media[0].Direction)
		})
	}
}

func TestASnapshotIsGivenAtOnce(t *testing.T) {
	r := newRig(t)
	recording := r.record(r.config())
	s := r.session(0)
	for s.AskSnapshot(r.ctx) != nil { // until the session is established on this side too
		require.NoError(t, r.ctx.Err())
	}
	r.until(func() bool { return len(s.Documents()) == 2 })
	recording.Close()
	r.over(s)
	require.Equal(t, siprecxml.Complete, s.Documents()[1].DataMode)
	require.Equal(t, s.Documents()[0].Streams, s.Documents()[1].Streams)
}

func TestTheNextAddressIsTriedAndTheSameIdentifiersGoThere(t *testing.T) {
	r := newRig(t)
	cfg := r.config()
	cfg.Targets = append([]siprec.Target{{URI: "sip:srs@127.0.0.1:1;transport=tcp"}}, cfg.Targets...)
	recording := r.record(cfg)
	first := r.session(0)
	r.speak(2)
	for first.Hangup(r.ctx) != nil {
		require.NoError(t, r.ctx.Err())
	}
	require.Equal(t, change{false, "ended the recording"}, r.change())
	require.Equal(t, change{true, ""}, r.change(), "it is invited again as long as the call lasts")
	second := r.session(1)
	before := len(second.Packets("1"))
	r.speak(3)
	r.until(func() bool { return len(second.Packets("1")) == before+3 })
	recording.Close()
	r.over(first)
	r.over(second)
	require.Equal(t, first.Documents()[0].Participants, second.Documents()[0].Participants)
	require.Equal(t, first.Packets("1")[0].SSRC, second.Packets("1")[0].SSRC)
	require.Equal(t, "recorder ended the recording", recording.Fault())
}

func TestARecorderThatRefusesIsAskedAgainUntilItAccepts(t *testing.T) {
	for name, answer := range map[string]recordserver.Answer{
		"302": {Refuse: 302}, "404": {Refuse: 404}, "503": {Refuse: 503}, "603": {Refuse: 603},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.answer.Store(&answer)
			opened := make(chan error, 1)
			var recording *siprec.Recording
			go func() {
				var err error
				recording, err = siprec.New(r.config()).Open(r.ctx, r.story())
				opened <- err
			}()
			require.Equal(t, change{false, "refused with " + name}, r.change())
			require.Empty(t, opened)
			r.answer.Store(&recordserver.Answer{})
			require.NoError(t, <-opened)
			recording.Close()
			r.over(r.session(0))
		})
	}
}

func TestACallThatEndsDoesNotWaitForASilentRecorder(t *testing.T) {
	r := newRig(t)
	r.answer.Store(&recordserver.Answer{Silent: true})
	errOver := errors.New("the call is over")
	ctx, end := context.WithCancelCause(r.ctx)
	opened := make(chan error, 1)
	go func() {
		_, err := siprec.New(r.config()).Open(ctx, r.story())
		opened <- err
	}()
	r.speak(2)
	end(errOver)
	require.ErrorIs(t, <-opened, errOver)
}

func TestOneDirectionHasOneLine(t *testing.T) {
	r := newRig(t)
	cfg := r.config()
	cfg.Caller = false
	cfg.Metadata.Numbers = true
	cfg.Metadata.MediaType = siprecxml.OldMediaType
	cfg.Metadata.Agent = []siprecxml.Param{{Name: "AmznConnectParticipantOrder", Value: "desc"}}
	recording := r.record(cfg)
	s := r.session(0)
	r.speak(4)
	r.until(func() bool { return len(s.Packets("2")) == 4 })
	recording.Close()
	r.over(s)
	require.Len(t, s.Offers()[0].Media, 1)
	require.Empty(t, s.Packets("1"))
	require.Zero(t, recording.Caller().Counts())
	raw := string(s.Raw()[0])
	require.Contains(t, raw, `aor="tel:+31205550100"`)
	require.Contains(t, raw, `aor="tel:+31205550123"`)
	require.Contains(t, raw, `pname="AmznConnectParticipantOrder" pval="desc"`)
	require.Equal(t, 1, strings.Count(raw, "<label>"))
}
