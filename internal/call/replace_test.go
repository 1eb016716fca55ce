package call

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"consentgw/consent"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// replaces names the dialog of the agent as the gateway knows it.
func (o *office) replaces() string {
	_, tag, _ := strings.Cut(o.invite.header("From"), ";tag=")
	return fmt.Sprintf("Replaces: %s;to-tag=%s;from-tag=%s\r\n", o.invite.header("Call-ID"), tag, o.tag)
}

func TestAnotherAgentTakesTheCallOver(t *testing.T) {
	o := newOffice(t)
	ear := udp(o.house)
	answered := o.invites(o.replaces()+"Require: replaces\r\n", describes(ear))
	require.Contains(t, answered.text, "SIP/2.0 200 ")
	require.Equal(t, "granted", answered.header("X-Consent-Status"))
	bye := o.reads("BYE")
	require.Equal(t, o.invite.header("Call-ID"), bye.header("Call-ID"), "the agent that was replaced is dismissed")
	o.replies(bye, "200 OK", "", "", "")
	o.heard(ear, "by the other agent")
	id := answered.header("Call-ID")
	r := o.live("the transfer", func(r *consent.Record) bool { return r.Call.PlatformCallID == id })
	assert.True(t, happened(r, "transferred"))
	n := o.tape.packets()
	o.live("copies", func(*consent.Record) bool { return o.tape.packets() > n+20 })
	require.NoError(t, o.line.Hangup(o.ctx))
	for bye := o.reads("BYE"); ; bye = o.reads("BYE") {
		o.replies(bye, "200 OK", "", "", "")
		if bye.header("Call-ID") == id {
			break
		}
	}
	end := o.ended()
	require.Len(t, end.Recordings, 1)
	assert.Equal(t, consent.Given, end.Outcome)
}

func TestACallIsTakenOverByNobodyButThePlatform(t *testing.T) {
	o := newOffice(t)
	stranger, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.2:0")))
	require.NoError(t, err)
	defer stranger.Close()
	deadline, _ := o.ctx.Deadline()
	require.NoError(t, stranger.SetReadDeadline(deadline))
	other := &pbx{UDPConn: stranger, h: o.house, seen: map[string]bool{}, seq: 100}
	for want, m := range map[string]message{
		"403 Not a target of this platform":        other.invites(o.replaces(), describes(o.media)),
		"481 Call/Transaction Does Not Exist":      o.invites("Replaces: x;to-tag=1;from-tag=2\r\n", describes(o.media)),
		"486 Answered already":                     o.invites(strings.Replace(o.replaces(), "\r\n", ";early-only\r\n", 1), describes(o.media)),
		"400 Malformed Replaces":                   o.invites("Replaces: nothing\r\n", describes(o.media)),
		"488 No common codec":                      o.invites(o.replaces(), "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n"),
		"400 Malformed SDP":                        o.invites(o.replaces(), "v=0\r\nm=audio\r\n"),
		"403 No calls are taken from this address": o.invites("", describes(o.media)),
	} {
		assert.Contains(t, m.text, "SIP/2.0 "+want)
	}
	n := o.tape.packets()
	o.live("copies", func(*consent.Record) bool { return o.tape.packets() > n+20 })
}
