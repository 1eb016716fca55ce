package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"consentgw/internal/recordserver"
	"consentgw/sip"
)

func TestRecordListensAndSaysWhatItDislikes(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	out, told := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"record", "--listen", "tcp:127.0.0.1:0", "--dir", t.TempDir(), "--json"}, told, io.Discard)
		told.Close()
	}()
	events := make(chan string, 100) // so that whoever tells does not wait for us
	go func() {
		defer close(events)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			events <- lines.Text()
		}
	}()
	next := func() (e recordserver.Event) {
		text, ok := <-events
		require.True(t, ok, "no more events")
		require.NoError(t, json.Unmarshal([]byte(text), &e))
		return e
	}
	listening := next()
	require.Equal(t, "listening", listening.Type)

	endpoint, err := sip.Listen(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}})
	require.NoError(t, err)
	serving, end := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- endpoint.Serve(serving, sip.Handler{Invite: func(_ context.Context, in *sip.Incoming) { _ = in.Reject(403, "No") }})
	}()
	target := "sip:srs@" + strings.TrimPrefix(listening.Text, "tcp:") + ";transport=tcp"
	var leg *sip.Leg
	for leg == nil { // until our own endpoint serves
		require.NoError(t, ctx.Err())
		leg, _ = endpoint.Dial(ctx, sip.Invite{Target: target,
			Offer: []byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\na=sendrecv\r\nm=audio 40002 RTP/AVP 8\r\na=label:2\r\n")})
	}
	disliked := ""
	for e := next(); e.Type != "invited"; e = next() {
		require.Equal(t, "disliked", e.Type)
		disliked += e.Text + "\n"
	}
	for _, what := range []string{"no Require: siprec", "no +sip.src", "no metadata", "without a=label", "neither sendonly nor inactive"} {
		require.Contains(t, disliked, what)
	}
	require.NoError(t, leg.Bye(ctx, ""))
	require.Equal(t, "ended", next().Type)
	end()
	require.NoError(t, <-served)
	stop()
	require.Equal(t, exitFailed, <-code)
}

func TestRecordRefusesFlagsThatMakeNoSense(t *testing.T) {
	for _, args := range [][]string{{"--media", "here"}, {"--cert", "x.pem"}, {"surplus"}} {
		require.Equal(t, exitUsage, run(t.Context(), append([]string{"record"}, args...), io.Discard, io.Discard), args)
	}
}

func TestAnEventReadsAsOneLine(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 14, 3, 5e6, time.UTC)
	require.Equal(t, "09:14:03.005  s-1  invited, label 1 sendonly, label 2 inactive",
		line(recordserver.Event{At: at, Session: "s-1", Type: "invited", Streams: map[string]string{"2": "inactive", "1": "sendonly"}}))
	require.Equal(t, "09:14:03.005  s-1  ended, label 1 20 packets, in d/s-1",
		line(recordserver.Event{At: at, Session: "s-1", Type: "ended", Packets: map[string]int{"1": 20}, Folder: "d/s-1"}))
	require.Equal(t, "09:14:03.005  listening  tcp:127.0.0.1:6060",
		line(recordserver.Event{At: at, Type: "listening", Text: "tcp:127.0.0.1:6060"}))
}
