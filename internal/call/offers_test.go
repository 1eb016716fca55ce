package call

import (
	"bytes"
	"strings"
	"testing"

	"consentgw/consent"
	"consentgw/internal/phone"
	"consentgw/internal/sdp"
	"consentgw/prompts"

	"github.com/stretchr/testify/require"
)

// lf joins the lines of a description with CRLF, the last included. PORT stands
// for the port of the caller's media.
func lf(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n" }

// head begins the description of a caller on this machine.
const head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"

// oddOffers are those of real equipment, each of which is to become a call with a
// voice in both directions and a key that is understood.
func oddOffers() map[string]string {
	event := "a=rtpmap:101 telephone-event/8000"
	return map[string]string{
		"static types without rtpmap":      head + lf("m=audio PORT RTP/AVP 0 8 101", event),
		"no name and no time":              lf("v=0", "o=- 1 1 IN IP4 127.0.0.1", "c=IN IP4 127.0.0.1", "m=audio PORT RTP/AVP 8 101", event),
		"no origin":                        lf("v=0", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio PORT RTP/AVP 8 101", event),
		"time before connection":           lf("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "c=IN IP4 127.0.0.1", "m=audio PORT RTP/AVP 8 101", event),
		"connection per media":             lf("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "m=audio PORT RTP/AVP 8 101", "c=IN IP4 127.0.0.1", event),
		"connection of the media wins":     lf("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 0.0.0.0", "t=0 0", "m=audio PORT RTP/AVP 8 101", "c=IN IP4 127.0.0.1", event),
		"a host name for an address":       lf("v=0", "o=- 1 1 IN IP4 caller.example", "s=-", "c=IN IP4 caller.example", "t=0 0", "m=audio PORT RTP/AVP 8 101", event),
		"an origin of the other family":    lf("v=0", "o=- 1 1 IN IP6 2001:db8::1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio PORT RTP/AVP 8 101", event),
		"packets of 30 ms":                 head + lf("m=audio PORT RTP/AVP 8 101", event, "a=ptime:30"),
		"packets of an odd length":         head + lf("m=audio PORT RTP/AVP 8 101", event, "a=ptime:37.5", "a=maxptime:10"),
		"keys at 16 kHz":                   head + lf("m=audio PORT RTP/AVP 8 96", "a=rtpmap:96 telephone-event/16000"),
		"keys at 48 kHz":                   head + lf("m=audio PORT RTP/AVP 8 127", "a=rtpmap:127 telephone-event/48000"),
		"keys at three rates":              head + lf("m=audio PORT RTP/AVP 111 8 96 97 98", "a=rtpmap:111 opus/48000/2", "a=rtpmap:96 telephone-event/48000", "a=rtpmap:97 telephone-event/16000", "a=rtpmap:98 telephone-event/8000"),
		"keys under 96 with a long list":   head + lf("m=audio PORT RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-15,66,70"),
		"keys without a rate":              head + lf("m=audio PORT RTP/AVP 0 100", "a=rtpmap:100 telephone-event"),
		"RTCP at a port of its own":        head + lf("m=audio PORT RTP/AVP 8 101", event, "a=rtcp:40001 IN IP4 127.0.0.1"),
		"RTCP beside RTP":                  head + lf("m=audio PORT RTP/AVP 8 101", event, "a=rtcp-mux", "a=rtcp-rsize"),
		"capital letters":                  head + lf("m=AUDIO PORT RTP/AVP 8 101", "a=RTPMAP:8 pcma/8000", "a=RTPMAP:101 TELEPHONE-EVENT/8000", "a=FMTP:101 0-15", "a=PTIME:20", "a=SENDRECV"),
		"small letters":                    strings.ToLower(head) + lf("m=audio PORT rtp/avp 8 101", "a=rtpmap:8 pcma/8000", event),
		"trailing blanks":                  strings.ReplaceAll(head+lf("m=audio PORT RTP/AVP 8 101", event), "\r\n", " \t \r\n"),
		"no end of the last line":          strings.TrimSuffix(head+lf("m=audio PORT RTP/AVP 8 101", event), "\r\n"),
		"line feeds only":                  strings.ReplaceAll(head+lf("m=audio PORT RTP/AVP 8 101", event), "\r\n", "\n"),
		"a NUL at the end":                 head + lf("m=audio PORT RTP/AVP 8 101", event) + "\x00",
		"a direction for the session":      lf("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "a=sendrecv", "m=audio PORT RTP/AVP 8 101", event),
		"a direction of the media wins":    lf("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "a=inactive", "m=audio PORT RTP/AVP 8 101", event, "a=sendrecv"),
		"bandwidths":                       lf("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "b=AS:80", "t=0 0", "m=audio PORT RTP/AVP 8 101", "b=TIAS:64000", "b=RS:0", event),
		"bundle, ICE and keys in clear":    lf("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "a=group:BUNDLE a", "a=ice-lite", "m=audio PORT RTP/AVP 8 101", "a=mid:a", "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx", "a=candidate:1 1 UDP 2130706431 192.0.2.11 20002 typ host", event),
		"a fax line beside":                head + lf("m=audio PORT RTP/AVP 8 101", event, "m=image 40002 udptl t38", "a=T38FaxVersion:0"),
		"video and text before":            head + lf("m=video 40002 RTP/AVP 96", "a=rtpmap:96 H264/90000", "m=text 40004 RTP/AVP 98", "m=audio PORT RTP/AVP 8 101", event),
		"a second voice":                   head + lf("m=audio PORT RTP/AVP 8 101", event, "m=audio 40002 RTP/AVP 0"),
		"a voice that is refused already":  head + lf("m=audio 0 RTP/AVP 8", "m=audio PORT RTP/AVP 8 101", event),
		"a voice that we do not speak":     head + lf("m=audio 40002 RTP/AVP 18", "m=audio PORT RTP/AVP 8 101", event),
		"a law under a number of its own":  head + lf("m=audio PORT RTP/AVP 110 101", "a=rtpmap:110 PCMA/8000", event),
		"feedback":                         head + lf("m=audio PORT RTP/AVPF 8 101", event, "a=rtcp-fb:* nack"),
		"lines that nobody knows":          head + lf("x=1", "m=audio PORT RTP/AVP 8 101", "i=voice", "k=clear:x", event, "a=x-unknown", "not a line"),
		"the same key number twice":        head + lf("m=audio PORT RTP/AVP 8 101 101", event, "a=rtpmap:101 PCMU/8000"),
		"an origin without any numbers":    lf("v=0", "o=carrier sbc - - IN IP4 127.0.0.1", "s= ", "c=IN IP4 127.0.0.1/127", "t=0 0", "m=audio PORT/2 RTP/AVP 8 101", event),
		"parameters of a type not offered": head + lf("m=audio PORT RTP/AVP 8 101", event, "a=rtpmap:9999 x/1", "a=fmtp:200 a=b", "a=fmtp:8 x=y"),
	}
}

// TestAnOddOfferBecomesAWholeCall plays each of them against a running gateway.
func TestAnOddOfferBecomesAWholeCall(t *testing.T) {
	for name, text := range oddOffers() {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.cfg.Trunks[0].NAT = true     // as it is by default
			h.cfg.Policies[0].Retries = 10 // what comes before an address is learned is lost, and what a busy machine sends too late
			h.open()
			written := ""
			line, err := h.caller.Call(h.ctx, phone.Dial{Target: h.trunkURI(), Caller: fromNumber, Called: toNumber, CallID: h.callID(),
				Text: func(offer string) string {
					_, rest, _ := strings.Cut(offer, "m=audio ")
					port, _, _ := strings.Cut(rest, " ")
					written = strings.ReplaceAll(text, "PORT", port)
					return written
				}})
			require.NoError(t, err)
			t.Cleanup(func() { line.Hangup(h.ctx) })
			line.Speak(tone(500), true)
			checkLines(t, written, string(line.Leg().SDP()))
			hearsTheQuestion(h, line)
			line.Press("1")
			agent := h.agent()
			for _, l := range []*phone.Line{agent, line} {
				before := len(l.Received())
				require.NoError(t, l.Until(h.ctx, func(packets []phone.Packet, _ []byte) bool { return len(packets) >= before+10 }))
			}
			require.NoError(t, line.Hangup(h.ctx))
			r := h.ended()
			require.Equal(t, consent.Given, r.Outcome)
			require.Equal(t, "rfc4733", r.Press.Method)
		})
	}
}

// hearsTheQuestion waits for the question to be heard from its beginning to its
// end without a gap, in whatever packets it comes.
func hearsTheQuestion(h *house, line *phone.Line) {
	ask := h.notice.Prompt(prompts.Ask)
	require.NoError(h.t, line.Until(h.ctx, func(packets []phone.Packet, _ []byte) bool {
		var heard []byte
		for i, p := range packets {
			if i > 0 && p.Timestamp != packets[i-1].Timestamp+160 {
				heard = nil
			}
			heard = append(heard, p.Payload...)
			if bytes.Contains(heard, ask.PCMA) || bytes.Contains(heard, ask.PCMU) {
				return true
			}
		}
		return false
	}))
}

// checkLines holds an answer against its offer line by line (RFC 3264 section 6).
func checkLines(t *testing.T, offer, answer string) {
	asked, err := sdp.Parse([]byte(offer))
	require.NoError(t, err)
	told, err := sdp.Parse([]byte(answer))
	require.NoError(t, err)
	require.Len(t, told.Media, len(asked.Media))
	taken := 0
	for i, m := range told.Media {
		require.Equal(t, asked.Media[i].Kind, m.Kind)
		require.Equal(t, asked.Media[i].Proto, m.Proto)
		require.NotEmpty(t, m.Formats)
		if m.Port != 0 {
			taken++
			require.Equal(t, "audio", m.Kind)
		}
	}
	require.Equal(t, 1, taken, "one voice is taken, everything else is refused with port 0")
}

// TestAnOfferWithoutAUsableVoiceIsRefusedWithItsReason: each is refused at once,
// before anything is heard, and the next call works.
func TestAnOfferWithoutAUsableVoiceIsRefusedWithItsReason(t *testing.T) {
	h := newHouse(t)
	h.open()
	for name, c := range map[string]struct{ offer, status string }{
		"a fax alone":               {head + lf("m=image 40000 udptl t38"), "488"},
		"video alone":               {head + lf("m=video 40000 RTP/AVP 96", "a=rtpmap:96 H264/90000"), "488"},
		"text alone":                {head + lf("m=text 40000 RTP/AVP 98", "a=rtpmap:98 t140/1000"), "488"},
		"encrypted without a key":   {head + lf("m=audio 40000 RTP/SAVP 8"), "488"},
		"a browser":                 {head + lf("m=audio 9 UDP/TLS/RTP/SAVPF 111 0", "a=rtpmap:111 opus/48000/2"), "488"},
		"keys without a voice":      {head + lf("m=audio 40000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"), "488"},
		"refused by its own author": {head + lf("m=audio 0 RTP/AVP 8"), "488"},
		"no media":                  {head, "488"},
		"the other family":          {strings.ReplaceAll(head, "IP4 127.0.0.1", "IP6 2001:db8::1") + lf("m=audio 40000 RTP/AVP 8"), "488"},
		"a port above the last":     {head + lf("m=audio 70000 RTP/AVP 8"), "400"},
		"a line break within":       {strings.Replace(head, "s=-", "s=a\rb", 1) + lf("m=audio 40000 RTP/AVP 8"), "400"},
		"no description":            {"hello", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			w := h.wire(strings.ReplaceAll(name, " ", "-"))
			w.send("INVITE", 1, []byte(c.offer))
			require.Contains(t, w.reads("SIP/2.0 ", "INVITE"), "SIP/2.0 "+c.status+" ")
		})
	}
	h.dial(toNumber)
}
