package sdp_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/sdp"
)

func lines(l ...string) []byte { return []byte(strings.Join(l, "\r\n") + "\r\n") }

func TestParseReadsEveryFieldItPromises(t *testing.T) {
	s, err := sdp.Parse(lines(
		"v=0", "o=pbx 18446744073709551615 3 IN IP4 192.0.2.1", "s=A call", "c=IN IP4 192.0.2.1", "t=0 0",
		"a=tool:x", "a=sendonly",
		"m=audio 4000/2 RTP/AVP 0 111 101",
		"c=IN IP4 192.0.2.2",
		"a=rtpmap:111 opus/48000/2", "a=fmtp:111 useinbandfec=1; stereo=0",
		"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15",
		"a=ptime:30", "a=maxptime:60", "a=rtcp:5001 IN IP4 192.0.2.3", "a=rtcp-mux", "a=recvonly", "a=label:1",
		"m=image 4002 udptl t38", "a=T38FaxVersion:0", "a=rtpmap:96 stays/1",
	))
	require.NoError(t, err)
	assert.Equal(t, &sdp.Session{
		User: "pbx", ID: 1<<64 - 1, Version: 3, Name: "A call",
		Addr:       netip.MustParseAddr("192.0.2.1"),
		Attributes: []sdp.Attribute{{Key: "tool", Value: "x"}},
		Media: []sdp.Media{{
			Kind: "audio", Port: 4000, Proto: "RTP/AVP", Formats: []string{"0", "111", "101"},
			Addr: netip.MustParseAddr("192.0.2.2"), Direction: sdp.RecvOnly, Ptime: 30,
			Codecs: []sdp.Codec{
				{PT: 0, Name: "PCMU", Rate: 8000, Channels: 1},
				{PT: 111, Name: "OPUS", Rate: 48000, Channels: 2, Fmtp: "useinbandfec=1; stereo=0"},
				{PT: 101, Name: "TELEPHONE-EVENT", Rate: 8000, Channels: 1, Fmtp: "0-15"},
			},
			RTCPPort: 5001, RTCPAddr: netip.MustParseAddr("192.0.2.3"), RTCPMux: true,
			Attributes: []sdp.Attribute{{Key: "maxptime", Value: "60"}, {Key: "label", Value: "1"}},
		}, {
			Kind: "image", Port: 4002, Proto: "udptl", Formats: []string{"t38"},
			Addr: netip.MustParseAddr("192.0.2.1"), Direction: sdp.SendOnly,
			Attributes: []sdp.Attribute{{Key: "T38FaxVersion", Value: "0"}, {Key: "rtpmap", Value: "96 stays/1"}},
		}},
	}, s)
}

func TestParseKnowsEveryStaticAudioType(t *testing.T) {
	want := map[int]string{
		0: "PCMU/8000/1", 3: "GSM/8000/1", 4: "G723/8000/1", 5: "DVI4/8000/1", 6: "DVI4/16000/1", 7: "LPC/8000/1",
		8: "PCMA/8000/1", 9: "G722/8000/1", 10: "L16/44100/2", 11: "L16/44100/1", 12: "QCELP/8000/1", 13: "CN/8000/1",
		14: "MPA/90000/1", 15: "G728/8000/1", 16: "DVI4/11025/1", 17: "DVI4/22050/1", 18: "G729/8000/1",
	}
	for pt := range 128 {
		s, err := sdp.Parse(lines("v=0", fmt.Sprintf("m=audio 4000 RTP/AVP %d", pt)))
		require.NoError(t, err)
		if want[pt] == "" {
			assert.Empty(t, s.Media[0].Codecs, "payload type %d means nothing by itself", pt)
			continue
		}
		require.Len(t, s.Media[0].Codecs, 1, "payload type %d", pt)
		c := s.Media[0].Codecs[0]
		assert.Equal(t, want[pt], fmt.Sprintf("%s/%d/%d", c.Name, c.Rate, c.Channels))
		assert.Equal(t, uint8(pt), c.PT)
	}
}

func TestParseRefusesWhatHasNoSafeReading(t *testing.T) {
	for name, c := range map[string]struct {
		body []byte
		line int
		why  string
	}{
		"65 KB":                  {bytes.Repeat([]byte("a=x\r\n"), 13200), 1, "longer than 65536 bytes"},
		"2001 lines":             {append(bytes.Repeat([]byte("\n"), 2000), "v=0"...), 2001, "more than 2000 lines"},
		"33 media lines":         {lines("v=0", strings.Repeat("m=audio 1 RTP/AVP 0\r\n", 33)), 34, "more than 32 m= lines"},
		"129 formats":            {lines("v=0", "m=audio 1 RTP/AVP"+strings.Repeat(" 0", 129)), 2, "more than 128 formats"},
		"escape in a name":       {lines("v=0", "s=\x1b[2J"), 2, "a control character"},
		"delete in a name":       {lines("v=0", "s=\x7f"), 2, "a control character"},
		"NUL in an unknown line": {lines("v=0", "x=\x00", "m=audio 1 RTP/AVP 0"), 2, "a control character"},
		"only blanks":            {[]byte(" \r\n\t\r\n"), 1, "no session description"},
		"port 65536":             {lines("m=audio 65536 RTP/AVP 0"), 1, "not a number in 0..65535"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sdp.Parse(c.body)
			var syntax *sdp.SyntaxError
			require.True(t, errors.As(err, &syntax), "got %v", err)
			assert.Equal(t, c.line, syntax.Line)
			assert.Contains(t, err.Error(), c.why)
		})
	}
}

func TestParseReadsUpToItsBounds(t *testing.T) {
	s, err := sdp.Parse(append(bytes.Repeat([]byte("\n"), 1999-32), lines("v=0", strings.Repeat("m=audio 1 RTP/AVP"+strings.Repeat(" 0", 128)+"\r\n", 32))...))
	require.NoError(t, err)
	assert.Len(t, s.Media, 32)
	assert.Len(t, s.Media[31].Formats, 128)
}

func TestParseErrorsNeverQuoteWhatWasSaid(t *testing.T) {
	const secret = "12025550147"
	for _, body := range [][]byte{
		lines("v=0", "o="+secret+" 1 1 IN IP4 192.0.2.1", "m="+secret),
		lines("v=0", "m=audio "+secret+" RTP/AVP 0"),
		lines("v=0", "s="+secret+"\x01"),
		lines(secret),
	} {
		_, err := sdp.Parse(body)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), secret)
	}
}

func TestMarshalWritesWhatParseReads(t *testing.T) {
	for _, file := range corpus(t) {
		body, err := os.ReadFile(file)
		require.NoError(t, err)
		s, err := sdp.Parse(body)
		if err != nil {
			continue
		}
		again, err := sdp.Parse(s.Marshal())
		require.NoError(t, err, file)
		assert.Equal(t, s, again, file)
	}
}

func TestParseTakesNoAddressItCannotSendTo(t *testing.T) {
	for _, connection := range []string{"IN IP4 media.example.com", "IN IP6 fe80::1%eth0", "IN IP4 192.0.2.256", "IN", ""} {
		s, err := sdp.Parse(lines("v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0", "c="+connection))
		require.NoError(t, err)
		assert.False(t, s.Media[0].Addr.IsValid(), "a media with a connection of its own does not use the session's")
		again, err := sdp.Parse(s.Marshal())
		require.NoError(t, err)
		assert.Equal(t, s, again)
	}
}

func TestMarshalLetsNoValueBecomeALine(t *testing.T) {
	evil := "x\r\nm=audio 9 RTP/AVP 0\r\na=y\x00"
	s := &sdp.Session{
		User: evil, Name: evil, Attributes: []sdp.Attribute{{Key: evil, Value: evil}},
		Media: []sdp.Media{{Kind: evil, Proto: evil, Formats: []string{evil, "0"}, Port: 1,
			Codecs:     []sdp.Codec{{PT: 0, Name: evil, Rate: 8000, Fmtp: evil}},
			Attributes: []sdp.Attribute{{Key: "k", Value: evil}}}},
	}
	text := string(s.Marshal())
	assert.Equal(t, 1, strings.Count(text, "\r\nm="))
	assert.NotContains(t, text, "\x00")
	assert.NotContains(t, text, "\r\na=y")
}

func TestMarshalWritesAnEmptySessionThatCanBeRead(t *testing.T) {
	s, err := sdp.Parse((&sdp.Session{}).Marshal())
	require.NoError(t, err)
	assert.Equal(t, &sdp.Session{}, s)
}

func TestDirectionsHaveNamesAndAnotherEnd(t *testing.T) {
	for d, want := range map[sdp.Direction]struct{ name, reverse string }{
		sdp.SendRecv:      {"sendrecv", "sendrecv"},
		sdp.SendOnly:      {"sendonly", "recvonly"},
		sdp.RecvOnly:      {"recvonly", "sendonly"},
		sdp.Inactive:      {"inactive", "inactive"},
		sdp.Direction(77): {"inactive", "inactive"},
	} {
		assert.Equal(t, want.name, d.String())
		assert.Equal(t, want.reverse, d.Reverse().String())
	}
	assert.Equal(t, sdp.SendRecv, sdp.Direction(0), "the zero value is the default of RFC 8866 6.7")
}
