package recordserver_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"consentgw/consent"
	"consentgw/internal/recordserver"
	"consentgw/internal/siprecxml"
	"consentgw/sip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// invitation is the INVITE of a client, in parts that a test can break.
type invitation struct {
	sdp, metadata string
	kind          string // of the metadata
	disposition   bool
	whole         bool // both parts in one body
	require       []string
	contact       []string
}

const description = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
	"m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=sendonly\r\na=label:1\r\n" +
	"m=audio 40002 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=sendonly\r\na=label:2\r\n"

func good(t *testing.T) invitation {
	at := time.Date(2026, 11, 23, 10, 14, 2, 0, time.UTC)
	doc, err := siprecxml.View{
		Record: &consent.Record{ID: "6f1d7a0e-5a55-4d86-9a0f-0f3f6a2f7c11", Call: consent.Call{AnsweredAt: at, ConnectedAt: at}},
		State:  consent.RecordingOn, Since: at,
		Caller:  siprecxml.Party{AOR: "sip:caller@anonymous.invalid", Label: "1"},
		Agent:   siprecxml.Party{AOR: "sip:agent@anonymous.invalid", Label: "2"},
		Session: "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2",
	}.Complete()
	require.NoError(t, err)
	bytes, err := doc.Marshal()
	require.NoError(t, err)
	return invitation{sdp: description, metadata: string(bytes), kind: siprecxml.MediaType, disposition: true, whole: true,
		require: []string{"siprec"}, contact: []string{"+sip.src"}}
}

func (i invitation) body() sip.Body {
	if !i.whole {
		return sip.Body{ContentType: "application/sdp", Bytes: []byte(i.sdp)}
	}
	b := "--b\r\nContent-Type: application/sdp\r\n\r\n" + i.sdp + "\r\n--b\r\nContent-Type: " + i.kind + "\r\n"
	if i.disposition {
		b += "Content-Disposition: recording-session\r\n"
	}
	return sip.Body{ContentType: "multipart/mixed;boundary=b", Bytes: []byte(b + "\r\n" + i.metadata + "\r\n--b--\r\n")}
}

// TestTheServerSaysWhatIsWrongWithAnInvitation breaks a good invitation in one place
// at a time. What is said names the rule, and nothing else is disliked.
func TestTheServerSaysWhatIsWrongWithAnInvitation(t *testing.T) {
	client, server := pair(t)
	in := func(part func(*invitation) *string, old, new string) func(*invitation) {
		return func(i *invitation) {
			require.Contains(t, *part(i), old)
			*part(i) = strings.Replace(*part(i), old, new, 1)
		}
	}
	sdp := func(old, new string) func(*invitation) {
		return in(func(i *invitation) *string { return &i.sdp }, old, new)
	}
	xml := func(old, new string) func(*invitation) {
		return in(func(i *invitation) *string { return &i.metadata }, old, new)
	}
	for name, c := range map[string]struct {
		spoil func(*invitation)
		fault string // "": none
	}{
		"nothing":               {func(*invitation) {}, ""},
		"the older media type":  {func(i *invitation) { i.kind = siprecxml.OldMediaType }, ""},
		"no Require":            {func(i *invitation) { i.require = nil }, "no Require: siprec"},
		"no feature tag":        {func(i *invitation) { i.contact = nil }, "no +sip.src in the Contact"},
		"no metadata":           {func(i *invitation) { i.whole = false }, "not a multipart/mixed"},
		"no disposition":        {func(i *invitation) { i.disposition = false }, "without Content-Disposition: recording-session"},
		"another media type":    {func(i *invitation) { i.kind = "application/xml" }, "neither a session description nor metadata"},
		"no label":              {sdp("a=label:2\r\n", ""), "a media line without a=label"},
		"one label twice":       {sdp("a=label:2", "a=label:1"), "one label on two media lines"},
		"another label":         {sdp("a=label:2", "a=label:3"), "the labels of the metadata are not those"},
		"both directions":       {sdp("a=sendonly", "a=sendrecv"), "neither sendonly nor inactive"},
		"the wrong direction":   {sdp("a=sendonly", "a=recvonly"), "neither sendonly nor inactive"},
		"no key":                {sdp("40002 RTP/AVP", "40002 RTP/SAVP"), "a media line of SRTP without a key"},
		"nowhere":               {sdp("c=IN IP4 127.0.0.1\r\n", "c=IN IP4 0.0.0.0\r\n"), "a media line without an address"},
		"partial at first":      {xml("complete", "partial"), "a partial document before the first complete one"},
		"order":                 {xml("<group ", "<participantstreamassoc participant_id=\"bx16DlpVTYaaDw8/ai98EQ==\"/><group "), "stands too late"},
		"an id that is none":    {xml(`session_id="bx16DlpVTYaaDw8/ai98EQ=="`, `session_id="1"`), "the base64 of the 16 bytes"},
		"local time":            {xml("Z</start-time>", "+01:00</start-time>"), "must be a time in UTC"},
		"an end before it":      {xml("</associate-time>", "</associate-time><disassociate-time>2020-01-01T00:00:00Z</disassociate-time>"), "ends before it begins"},
		"half a session":        {xml(";remote=47755a9de7794ba387653f2099600ef2", ""), "both halves of a Session-ID"},
		"a stream of nobody":    {xml("<label>1</label>", "<label>1</label></stream><stream stream_id=\"AAAAAAAAAAAAAAAAAAAAAA==\">"), "a stream that no participant sends"},
		"a session of no one":   {xml("<session ", "<session session_id=\"AAAAAAAAAAAAAAAAAAAAAA==\"/><session "), "a session without a sessionrecordingassoc"},
		"a stranger":            {xml("<stream ", "<participant participant_id=\"AAAAAAAAAAAAAAAAAAAAAA==\"><nameID aor=\"sip:a@b\"/></participant><stream "), "takes part in no session"},
		"a reference to nobody": {xml("<send>", "<send>AAAAAAAAAAAAAAAAAAAAAA==</send><send>"), "a stream that is not known"},
		"no XML":                {xml("</recording>", ""), "not well-formed XML"},
	} {
		t.Run(name, func(t *testing.T) {
			i := good(t)
			c.spoil(&i)
			said := invite(t, client, server, i)
			if c.fault == "" {
				require.Empty(t, said)
				return
			}
			require.Contains(t, strings.Join(said, "\n"), c.fault)
		})
	}
}

func pair(t *testing.T) (*sip.Endpoint, *recordserver.Server) {
	server, err := recordserver.Listen(recordserver.Config{Listen: []string{"tcp:127.0.0.1:0"}, Media: netip.MustParseAddr("127.0.0.1")})
	require.NoError(t, err)
	client, err := sip.Listen(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}})
	require.NoError(t, err)
	ctx, end := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(ctx) })
	serving.Go(func() {
		_ = client.Serve(ctx, sip.Handler{Invite: func(_ context.Context, in *sip.Incoming) { _ = in.Reject(403, "No") }})
	})
	t.Cleanup(func() { end(); serving.Wait() })
	<-client.Serving()
	return client, server
}

// invite sends an invitation and returns what the server said of it.
func invite(t *testing.T, client *sip.Endpoint, server *recordserver.Server, i invitation) []string {
	before := len(server.Sessions())
	leg, err := client.Dial(t.Context(), sip.Invite{Target: server.URI(), Caller: "client", Body: i.body(),
		Extensions: sip.Extensions{Require: i.require}, Present: sip.Presentation{ContactParams: i.contact}})
	if err == nil {
		require.NoError(t, leg.Bye(t.Context(), ""))
	}
	var refused *sip.StatusError
	require.True(t, err == nil || errors.As(err, &refused), err)
	session := server.Sessions()[before]
	<-session.Over()
	return session.Disliked()
}

func TestAServerTakesNoCodecThatItDoesNotKnow(t *testing.T) {
	client, server := pair(t)
	i := good(t)
	i.sdp = strings.ReplaceAll(i.sdp, "a=rtpmap:8 PCMA/8000", "a=rtpmap:97 AMR/8000")
	i.sdp = strings.ReplaceAll(i.sdp, "RTP/AVP 8", "RTP/AVP 97")
	require.Empty(t, invite(t, client, server, i), "that is no fault of the client")
}
