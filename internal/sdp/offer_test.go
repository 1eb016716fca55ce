package sdp_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/sdp"
)

func offered() *sdp.Session {
	return sdp.NewOffer(local(), []sdp.Codec{sdp.PCMA(), sdp.PCMU(), sdp.Event8000()})
}

func TestNewOfferWritesOneAudioLine(t *testing.T) {
	assert.Equal(t, "v=0\r\no=- 7 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"+
		"m=audio 16384 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"+
		"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n", string(offered().Marshal()))
}

func TestNewOfferCopiesTheCodecs(t *testing.T) {
	codecs := g711()
	offer := sdp.NewOffer(local(), codecs)
	codecs[0].Name = "changed"
	assert.Equal(t, "PCMU", offer.Media[0].Codecs[0].Name)
}

func TestAcceptSettlesWhatTheAnswerSays(t *testing.T) {
	event := sdp.Codec{PT: 101, Name: "TELEPHONE-EVENT", Rate: 8000, Channels: 1, Fmtp: "0-15"}
	remapped := sdp.Codec{PT: 96, Name: "TELEPHONE-EVENT", Rate: 8000, Channels: 1}
	far := netip.MustParseAddr("192.0.2.1")
	for name, c := range map[string]struct {
		answer []string
		want   sdp.Agreed
	}{
		"one codec and the event": {
			[]string{"m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15"},
			sdp.Agreed{Remote: netip.AddrPortFrom(far, 4000), RTCP: netip.AddrPortFrom(far, 4001), Audio: sdp.PCMU(),
				Event: &event, LocalEventPT: 101, Send: true, Receive: true, Ptime: 20}},
		"several codecs, the first counts": {
			[]string{"m=audio 4000 RTP/AVP 13 8 0", "a=ptime:40"},
			sdp.Agreed{Remote: netip.AddrPortFrom(far, 4000), RTCP: netip.AddrPortFrom(far, 4001), Audio: sdp.PCMA(),
				LocalPT: 8, Send: true, Receive: true, Ptime: 40}},
		"numbers of its own": {
			[]string{"m=audio 4000 RTP/AVP 110 96", "a=rtpmap:110 PCMA/8000", "a=rtpmap:96 telephone-event/8000"},
			sdp.Agreed{Remote: netip.AddrPortFrom(far, 4000), RTCP: netip.AddrPortFrom(far, 4001),
				Audio: sdp.Codec{PT: 110, Name: "PCMA", Rate: 8000, Channels: 1}, LocalPT: 8,
				Event: &remapped, LocalEventPT: 101, Send: true, Receive: true, Ptime: 20}},
		"on hold": {
			[]string{"m=audio 4000 RTP/AVP 8", "c=IN IP4 0.0.0.0", "a=inactive"},
			sdp.Agreed{Remote: netip.AddrPortFrom(netip.IPv4Unspecified(), 4000), RTCP: netip.AddrPortFrom(netip.IPv4Unspecified(), 4001),
				Audio: sdp.PCMA(), LocalPT: 8, Ptime: 20}},
		"early media one way": {
			[]string{"m=audio 4000 RTP/AVP 8", "a=sendonly"},
			sdp.Agreed{Remote: netip.AddrPortFrom(far, 4000), RTCP: netip.AddrPortFrom(far, 4001),
				Audio: sdp.PCMA(), LocalPT: 8, Receive: true, Ptime: 20}},
	} {
		t.Run(name, func(t *testing.T) {
			agreed, err := sdp.Accept(offered(), parsed(t, c.answer...))
			require.NoError(t, err)
			assert.Equal(t, c.want, agreed)
		})
	}
}

func TestAcceptReadsAFormatWithoutRtpmapAsTheOneOffered(t *testing.T) {
	agreed, err := sdp.Accept(offered(), parsed(t, "m=audio 4000 RTP/AVP 8 101"))
	require.NoError(t, err)
	require.NotNil(t, agreed.Event)
	assert.Equal(t, uint8(101), agreed.Event.PT)
}

func TestAcceptPrefersTheEventWithTheClockOfTheAudio(t *testing.T) {
	wide := sdp.Codec{PT: 102, Name: "telephone-event", Rate: 16000}
	offer := sdp.NewOffer(local(), []sdp.Codec{sdp.PCMU(), wide, sdp.Event8000()})
	for name, c := range map[string]struct {
		answer []string
		pt     uint8
		ours   uint8
	}{
		"both answered":  {[]string{"m=audio 4000 RTP/AVP 0 97 98", "a=rtpmap:97 telephone-event/16000", "a=rtpmap:98 telephone-event/8000"}, 98, 101},
		"only the other": {[]string{"m=audio 4000 RTP/AVP 0 97", "a=rtpmap:97 telephone-event/16000"}, 97, 102},
	} {
		t.Run(name, func(t *testing.T) {
			agreed, err := sdp.Accept(offer, parsed(t, c.answer...))
			require.NoError(t, err)
			require.NotNil(t, agreed.Event)
			assert.Equal(t, c.pt, agreed.Event.PT)
			assert.Equal(t, c.ours, agreed.LocalEventPT)
		})
	}
}

func TestAcceptIgnoresAnEventWeDidNotOffer(t *testing.T) {
	agreed, err := sdp.Accept(sdp.NewOffer(local(), g711()), parsed(t, "m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000"))
	require.NoError(t, err)
	assert.Nil(t, agreed.Event)
}

func TestAcceptRefusesWhatIsNoAnswer(t *testing.T) {
	held := offered()
	held.Media[0].Port = 0
	for name, c := range map[string]struct {
		offer, answer *sdp.Session
		want          error
	}{
		"missing":              {offered(), nil, sdp.ErrMismatch},
		"no media line":        {offered(), parsed(t), sdp.ErrMismatch},
		"one line too many":    {offered(), parsed(t, "m=audio 4000 RTP/AVP 8", "m=video 0 RTP/AVP 96"), sdp.ErrMismatch},
		"another kind":         {offered(), parsed(t, "m=video 4000 RTP/AVP 8"), sdp.ErrMismatch},
		"refused":              {offered(), parsed(t, "m=audio 0 RTP/AVP 8"), sdp.ErrNoCommonCodec},
		"nothing we offered":   {offered(), parsed(t, "m=audio 4000 RTP/AVP 18"), sdp.ErrNoCommonCodec},
		"keys only":            {offered(), parsed(t, "m=audio 4000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"), sdp.ErrNoCommonCodec},
		"encrypted":            {offered(), parsed(t, "m=audio 4000 RTP/SAVP 8"), sdp.ErrNoCommonCodec},
		"unreadable formats":   {offered(), parsed(t, "m=audio 4000 RTP/AVP x 999"), sdp.ErrNoCommonCodec},
		"we offered no stream": {held, parsed(t, "m=audio 4000 RTP/AVP 8"), sdp.ErrNoAudio},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sdp.Accept(c.offer, c.answer)
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestAnOfferAndItsAnswerAgreeOnBothSides(t *testing.T) {
	offer := offered()
	answer, theirs, err := sdp.NewAnswer(offer, sdp.Local{Addr: netip.MustParseAddr("127.0.0.2"), Port: 22000}, g711())
	require.NoError(t, err)
	ours, err := sdp.Accept(offer, answer)
	require.NoError(t, err)
	assert.Equal(t, netip.MustParseAddrPort("127.0.0.2:22000"), ours.Remote)
	assert.Equal(t, netip.MustParseAddrPort("127.0.0.1:16384"), theirs.Remote)
	assert.Equal(t, theirs.Audio, ours.Audio)
	assert.Equal(t, theirs.Event, ours.Event)
}
