package sdp_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/sdp"
)

// parsed reads a description of the far end at 192.0.2.1 with these m= and a=
// lines.
func parsed(t *testing.T, media ...string) *sdp.Session {
	t.Helper()
	s, err := sdp.Parse(lines(append([]string{"v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"}, media...)...))
	require.NoError(t, err)
	return s
}

func TestNewAnswerTakesTheCodecTheOffererLikesBest(t *testing.T) {
	offer := parsed(t, "m=audio 4000 RTP/AVP 18 8 0")
	for _, supported := range [][]sdp.Codec{{sdp.PCMU(), sdp.PCMA()}, {sdp.PCMA(), sdp.PCMU()}} {
		_, agreed, err := sdp.NewAnswer(offer, local(), supported)
		require.NoError(t, err)
		assert.Equal(t, "PCMA", agreed.Audio.Name)
	}
}

func TestNewAnswerComparesNamesWithoutCase(t *testing.T) {
	offer := parsed(t, "m=audio 4000 RTP/AVP 99", "a=rtpmap:99 OpUs/48000/2", "a=fmtp:99 theirs=1")
	answer, agreed, err := sdp.NewAnswer(offer, local(), []sdp.Codec{{PT: 111, Name: "opus", Rate: 48000, Channels: 2, Fmtp: "ours=1"}})
	require.NoError(t, err)
	assert.Equal(t, uint8(99), agreed.Audio.PT, "an answer uses the offerer's numbers")
	assert.Equal(t, "theirs=1", agreed.Audio.Fmtp)
	assert.Equal(t, "ours=1", answer.Media[0].Codecs[0].Fmtp, "parameters say what their author can receive")
}

func TestNewAnswerSaysWhoWeAre(t *testing.T) {
	answer, _, err := sdp.NewAnswer(parsed(t, "m=audio 4000 RTP/AVP 0"),
		sdp.Local{Addr: netip.MustParseAddr("2001:db8::5"), Port: 30000, ID: 5, Version: 9, Ptime: 30}, g711())
	require.NoError(t, err)
	assert.Equal(t, "v=0\r\no=- 5 9 IN IP6 2001:db8::5\r\ns=-\r\nc=IN IP6 2001:db8::5\r\nt=0 0\r\n"+
		"m=audio 30000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:30\r\na=sendrecv\r\n", string(answer.Marshal()))
}

func TestNewAnswerNeverAgreesToMoreThanEitherSideWants(t *testing.T) {
	for _, c := range []struct {
		far           string
		ours          sdp.Direction
		send, receive bool
		answer        sdp.Direction
	}{
		{"sendrecv", sdp.SendRecv, true, true, sdp.SendRecv},
		{"sendonly", sdp.SendRecv, false, true, sdp.RecvOnly},
		{"recvonly", sdp.SendRecv, true, false, sdp.SendOnly},
		{"inactive", sdp.SendRecv, false, false, sdp.Inactive},
		{"sendrecv", sdp.SendOnly, true, false, sdp.SendOnly},
		{"sendrecv", sdp.RecvOnly, false, true, sdp.RecvOnly},
		{"sendonly", sdp.SendOnly, false, false, sdp.Inactive},
		{"recvonly", sdp.RecvOnly, false, false, sdp.Inactive},
		{"sendrecv", sdp.Inactive, false, false, sdp.Inactive},
	} {
		t.Run(c.far+" against "+c.ours.String(), func(t *testing.T) {
			us := local()
			us.Direction = c.ours
			answer, agreed, err := sdp.NewAnswer(parsed(t, "m=audio 4000 RTP/AVP 0", "a="+c.far), us, g711())
			require.NoError(t, err)
			assert.Equal(t, c.send, agreed.Send)
			assert.Equal(t, c.receive, agreed.Receive)
			assert.Equal(t, c.answer, answer.Media[0].Direction)
		})
	}
}

func TestNewAnswerAgreesToMuxedRTCPOnlyIfBothCan(t *testing.T) {
	for name, c := range map[string]struct{ theirs, ours bool }{
		"both": {true, true}, "only they": {true, false}, "only we": {false, true}, "none": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			media := []string{"m=audio 4000 RTP/AVP 0", "a=rtcp:4009"}
			if c.theirs {
				media = append(media, "a=rtcp-mux")
			}
			us := local()
			us.RTCPMux = c.ours
			answer, agreed, err := sdp.NewAnswer(parsed(t, media...), us, g711())
			require.NoError(t, err)
			assert.Equal(t, c.theirs && c.ours, agreed.RTCPMux)
			assert.Equal(t, c.theirs && c.ours, answer.Media[0].RTCPMux)
			port := uint16(4009)
			if c.theirs && c.ours {
				port = 4000
			}
			assert.Equal(t, netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port), agreed.RTCP)
		})
	}
}

func TestNewAnswerHasNoRTCPPortAboveTheLast(t *testing.T) {
	_, agreed, err := sdp.NewAnswer(parsed(t, "m=audio 65535 RTP/AVP 0"), local(), g711())
	require.NoError(t, err)
	assert.Equal(t, uint16(65535), agreed.Remote.Port())
	assert.Zero(t, agreed.RTCP.Port())
}

func TestNewAnswerNamesTheReasonItCannotAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		offer *sdp.Session
		want  error
	}{
		"no offer":               {nil, sdp.ErrNoAudio},
		"no media":               {parsed(t), sdp.ErrNoAudio},
		"encrypted only":         {parsed(t, "m=audio 4000 RTP/SAVP 0"), sdp.ErrNoAudio},
		"refused already":        {parsed(t, "m=audio 0 RTP/AVP 0"), sdp.ErrNoAudio},
		"unknown codec":          {parsed(t, "m=audio 4000 RTP/AVP 3"), sdp.ErrNoCommonCodec},
		"unknown and refused":    {parsed(t, "m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 3"), sdp.ErrNoCommonCodec},
		"keys without a voice":   {parsed(t, "m=audio 4000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"), sdp.ErrNoCommonCodec},
		"event among our codecs": {parsed(t, "m=audio 4000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"), sdp.ErrNoCommonCodec},
	} {
		t.Run(name, func(t *testing.T) {
			answer, _, err := sdp.NewAnswer(c.offer, local(), append(g711(), sdp.Event8000()))
			require.ErrorIs(t, err, c.want)
			assert.Nil(t, answer)
		})
	}
}

func TestNewAnswerLeavesTheOfferAlone(t *testing.T) {
	offer := parsed(t, "m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-11")
	before := string(offer.Marshal())
	_, agreed, err := sdp.NewAnswer(offer, local(), g711())
	require.NoError(t, err)
	agreed.Event.Fmtp = "changed"
	assert.Equal(t, before, string(offer.Marshal()))
}

func TestReAnswerKeepsTheCodecInUseWhileItIsOffered(t *testing.T) {
	for name, c := range map[string]struct {
		media []string
		want  sdp.Codec
	}{
		"no longer first": {[]string{"m=audio 4000 RTP/AVP 0 8"}, sdp.PCMA()},
		"renumbered": {[]string{"m=audio 4000 RTP/AVP 0 97", "a=rtpmap:97 PCMA/8000"},
			sdp.Codec{PT: 97, Name: "PCMA", Rate: 8000, Channels: 1}},
		"gone": {[]string{"m=audio 4000 RTP/AVP 18 0"}, sdp.PCMU()},
	} {
		t.Run(name, func(t *testing.T) {
			answer, agreed, err := sdp.ReAnswer(parsed(t, c.media...), local(), g711(), sdp.PCMA())
			require.NoError(t, err)
			assert.Equal(t, c.want, agreed.Audio)
			assert.Equal(t, c.want.PT, agreed.LocalPT)
			assert.Equal(t, []sdp.Codec{c.want}, answer.Media[0].Codecs)
		})
	}
}

func TestReAnswerDoesNotKeepACodecWeNoLongerSupport(t *testing.T) {
	_, agreed, err := sdp.ReAnswer(parsed(t, "m=audio 4000 RTP/AVP 8 0"), local(), []sdp.Codec{sdp.PCMU()}, sdp.PCMA())
	require.NoError(t, err)
	assert.Equal(t, "PCMU", agreed.Audio.Name)
}

func TestReAnswerTakesPortZeroAsAHold(t *testing.T) {
	answer, agreed, err := sdp.ReAnswer(parsed(t, "m=audio 0 RTP/AVP 0"), local(), g711(), sdp.PCMU())
	require.NoError(t, err)
	assert.False(t, agreed.Send)
	assert.False(t, agreed.Receive)
	assert.Zero(t, agreed.Remote.Port())
	assert.Zero(t, answer.Media[0].Port, "port 0 is answered with port 0 (RFC 3264 8.2)")

	_, agreed, err = sdp.ReAnswer(parsed(t, "m=audio 0 RTP/AVP 0", "m=audio 4002 RTP/AVP 0"), local(), g711(), sdp.PCMU())
	require.NoError(t, err)
	assert.Equal(t, 1, agreed.Index, "a stream that lives goes before one that is over")
	assert.True(t, agreed.Send)

	_, _, err = sdp.ReAnswer(parsed(t, "m=audio 0 RTP/AVP 0", "m=audio 4002 RTP/AVP 3"), local(), g711(), sdp.PCMU())
	assert.ErrorIs(t, err, sdp.ErrNoCommonCodec, "a stream we cannot serve is no hold")
}
