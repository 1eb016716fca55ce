package acceptance

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"consentgw/internal/storetest"

	"github.com/stretchr/testify/require"
)

// needsIPv6 skips a test where loopback has no IPv6.
func needsIPv6(t *testing.T) {
	conn, err := net.ListenPacket("udp", "[::1]:0")
	switch {
	case err == nil:
		conn.Close()
	case os.Getenv(storetest.RequireReal) == "1" && hasIPv6():
		t.Fatalf("loopback has an IPv6 address and does not take a socket: %v", err)
	default:
		t.Skip("loopback has no IPv6")
	}
}

func hasIPv6() bool {
	table, err := os.ReadFile("/proc/net/if_inet6")
	return err == nil && strings.Contains(string(table), strings.Repeat("0", 31)+"1 ")
}

// strangers are the cases of RFC 5118 section 4 in words of our own: what of a
// good request is replaced by what, and the answer. Where a case is an INVITE,
// its media are at our own address, so that nothing is sent elsewhere.
func strangers() map[string]struct {
	method string
	edits  []string // old, new, old, new
	want   string
} {
	type stranger = struct {
		method string
		edits  []string
		want   string
	}
	const uri, via, contact, media = "sip:" + plainNumber + "@[::1] SIP/2.0", "Via: ", "Contact: <sip:x@[::1]>", "c=IN IP6 ::1"
	const more = "Via: SIP/2.0/UDP [2001:db8::9:2];"
	return map[string]stranger{
		"4.1 a reference in the request URI":                {"OPTIONS", []string{uri, "sip:[2001:db8::10] SIP/2.0"}, "200"},
		"4.2 no brackets around the request URI's host":     {"OPTIONS", []string{uri, "sip:2001:db8::10 SIP/2.0"}, "400"},
		"4.3 what could be a port is a part of the address": {"OPTIONS", []string{uri, "sip:[2001:db8::10:5070] SIP/2.0"}, "200"},
		"4.4 a port after the brackets":                     {"OPTIONS", []string{uri, "sip:[2001:db8::10]:5070 SIP/2.0"}, "200"},
		"4.5 received with brackets":                        {"BYE", []string{"\r\nMax-", "\r\n" + more + "received=[2001:db8::9:255];branch=z9hG4bKas3\r\nMax-"}, "481"},
		"4.5 received without brackets":                     {"BYE", []string{"\r\nMax-", "\r\n" + more + "received=2001:db8::9:255;branch=z9hG4bKas3\r\nMax-"}, "481"},
		"4.6 an address in the session description":         {"INVITE", nil, "200"},
		"4.7 Vias and Contacts of both families":            {"INVITE", []string{"\r\nMax-", "\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdj\r\nMax-", contact, "Contact: \"x\" <sip:x@[::1]>"}, "200"},
		"4.8 the address of each media line":                {"INVITE", []string{media + "\r\nt=0 0\r\n", "t=0 0\r\n", "RTP/AVP 8\r\n", "RTP/AVP 8\r\nc=IN IP6 ::1\r\n"}, "200"},
		"4.9 an IPv4-mapped address is none of IPv6":        {"INVITE", []string{media, "c=IN IP6 ::ffff:192.0.2.10"}, "488"},
		"4.9 an IPv4-mapped address in Contact":             {"OPTIONS", []string{contact, "Contact: <sip:x@[::ffff:192.0.2.10]:5070>"}, "200"},
		"4.10 the colon that the grammar once had too many": {"OPTIONS", []string{uri, "sip:[2001:db8:::192.0.2.1] SIP/2.0"}, "200"},
		"4.10 the same without the colon":                   {"OPTIONS", []string{uri, "sip:[2001:db8::192.0.2.1] SIP/2.0"}, "200"},
	}
}

// stranger is a request to the gateway by IPv6.
func stranger(method string, conn net.Conn, id string) string {
	toTag := ""
	if method == "BYE" {
		toTag = ";tag=nobody"
	}
	body := ""
	if method == "INVITE" {
		body = "v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nc=IN IP6 ::1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\na=inactive\r\n"
	}
	return fmt.Sprintf("%s sip:%s@[::1] SIP/2.0\r\nVia: SIP/2.0/%s %s;rport;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\n"+
		"From: <sip:x@[2001:db8::9:1]>;tag=1\r\nTo: <sip:%s@[::1]>%s\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n"+
		"Contact: <sip:x@[::1]>\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
		method, plainNumber, strings.ToUpper(conn.LocalAddr().Network()), conn.LocalAddr(), id, plainNumber, toTag, id, method, len(body), body)
}

var contentLength = regexp.MustCompile(`Content-Length: \d+`)

// TestRFC5118: IPv6 at every place of a message where RFC 5118 found it to be
// misread, by UDP and TCP; and calls by IPv6 after each.
func TestRFC5118(t *testing.T) {
	t.Parallel()
	needsReal(t)
	needsIPv6(t)
	port := portOf(freePort(t))
	edits := plainRoute()
	edits["media: 127.0.0.1 # address our SDP names"] = `media: "::1" # address our SDP names`
	edits[`["127.0.0.1/32"]`] = `["::1/128"]`
	s := newSite(t, plan{info: true, edits: edits, trunk: "[::1]:" + port})
	s.start()
	s.openCenter()
	phones := map[string]string{"udp": s.trunk, "tcp": s.trunk + ";transport=tcp"}
	before := s.metrics()
	for network, to := range phones {
		p := s.openPhoneAt(network + ":[::1]:0")
		i := 0
		for name, tt := range strangers() {
			i++
			id := fmt.Sprintf("%s-%d", network, i)
			conn, err := net.Dial(network, s.trunk)
			require.NoError(t, err)
			text := edited(t, stranger(tt.method, conn, id), tt.edits)
			_, err = conn.Write([]byte(text))
			require.NoError(t, err)
			replies := bufio.NewReaderSize(conn, 1<<16)
			got := s.final(replies, conn)
			if network == "tcp" && got == closed { // not to be parsed, see tortures
				got = "400"
			}
			require.Equal(t, tt.want, got, "%s by %s", name, network)
			if tt.method == "INVITE" && got == "200" {
				s.endStranger(conn, replies, id)
			}
			require.NoError(t, conn.Close())
			s.plainCalls(p, "next-"+id, to)
		}
	}
	s.untouched(before)
}

// edited replaces pairs of texts, each of which must be there, and makes the
// length of the body right again.
func edited(t *testing.T, text string, pairs []string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		text = replaced(t, text, pairs[i], pairs[i+1])
	}
	_, body, _ := strings.Cut(text, "\r\n\r\n")
	return contentLength.ReplaceAllString(text, fmt.Sprintf("Content-Length: %d", len(body)))
}

// endStranger acknowledges an answer of which the status line has been read, and
// hangs up.
func (s *site) endStranger(conn net.Conn, replies *bufio.Reader, id string) {
	s.t.Helper()
	to := ""
	for to == "" {
		line, err := replies.ReadString('\n')
		require.NoError(s.t, err)
		if strings.HasPrefix(line, "To: ") {
			to = strings.TrimSpace(line)
		}
	}
	for seq, method := range []string{"ACK", "BYE"} {
		_, err := fmt.Fprintf(conn, "%s sip:%s SIP/2.0\r\nVia: SIP/2.0/%s %s;rport;branch=z9hG4bK%s%s\r\nMax-Forwards: 70\r\n"+
			"From: <sip:x@[2001:db8::9:1]>;tag=1\r\n%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContent-Length: 0\r\n\r\n",
			method, s.trunk, strings.ToUpper(conn.LocalAddr().Network()), conn.LocalAddr(), id, method, to, id, seq+1, method)
		require.NoError(s.t, err)
	}
	for s.final(replies, conn) != "200" {
	}
}
