package call

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"consentgw/internal/sdp"
)

// peer is a telephone written by hand: it does by itself what RFC 3261 asks of
// it, and keeps a list of what it is owed. What it does not do, and when it does
// the rest, a test decides.
type peer struct {
	conn, media *net.UDPConn

	mu    sync.Mutex
	links []*link
	// How it behaves; guarded by mu.
	gateway netip.AddrPort // where it sends requests of its own
	rings   int            // what it answers an INVITE with: 100, 180, 183 with media, or 200
	dead    bool           // reads nothing, sends nothing
	deaf    bool           // does not answer a BYE yet
	loseACK bool           // takes no notice of the first ACK of what it answers
	noACK   bool           // acknowledges no answer
	crosses bool           // has answered when a CANCEL comes
}

// link is one INVITE of a peer and what becomes of it. Guarded by peer.mu.
type link struct {
	callID, local, remote, target string // the dialog, as the peer sees it
	calls                         bool   // the peer has sent the INVITE
	invite                        message
	branch                        string
	seq                           int
	final                         int // answer to the INVITE, 0 for none
	answer                        message
	acked, lost, cancelled        bool
	over                          bool           // a BYE was answered
	open                          map[int]string // requests of the peer without a final answer, by CSeq
	bye                           *message       // that waits for its answer
	answers                       map[string]int // the last status that each method got
}

func newPeer(h *house, addr netip.Addr) *peer {
	p := &peer{conn: udpAt(h, addr), media: udp(h), rings: 200}
	go func() {
		b := make([]byte, 65536)
		for {
			n, from, err := p.conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return // closed at the end of the test
			}
			p.take(message{string(b[:n]), from})
		}
	}()
	return p
}

func (p *peer) uri(user string) string { return fmt.Sprintf("sip:%s@%s", user, p.conn.LocalAddr()) }

// set changes how the peer behaves.
func (p *peer) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// call sends the INVITE of a new link, with more headers.
func (p *peer) call(called, callID, headers string) *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &link{callID: callID, calls: true, local: fmt.Sprintf("<sip:%s@%s>;tag=own", fromNumber, p.conn.LocalAddr()),
		remote: fmt.Sprintf("<sip:%s@%s>", called, p.gateway), target: fmt.Sprintf("sip:%s@%s", called, p.gateway),
		open: map[int]string{}, answers: map[string]int{}}
	p.links = append(p.links, l)
	p.ask(l, "INVITE", headers, p.describe())
	return l
}

// ask sends a request of a link. mu is held.
func (p *peer) ask(l *link, method, headers, body string) {
	if method != "ACK" && method != "CANCEL" {
		l.seq++
		l.open[l.seq] = method
		l.branch = fmt.Sprintf("z9hG4bK-%s-%d", l.callID, l.seq)
	}
	p.send(l, method, l.branch, l.seq, l.target, l.remote, headers, body)
}

func (p *peer) send(l *link, method, branch string, seq int, target, to, headers, body string) {
	if body != "" {
		headers += "Content-Type: application/sdp\r\n"
	}
	p.sends(l, method, branch, seq, target, to, headers, body)
}

func (p *peer) sends(l *link, method, branch string, seq int, target, to, headers, body string) {
	if p.dead {
		return
	}
	fmt.Fprintf(writerTo{p.conn, p.gateway}, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\n"+
		"Call-ID: %s\r\nCSeq: %d %s\r\nContact: <%s>\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE, REFER, NOTIFY, INFO\r\n%sContent-Length: %d\r\n\r\n%s",
		method, target, p.conn.LocalAddr(), branch, l.local, to, l.callID, seq, method, p.uri("peer"), headers, len(body), body)
}

// info sends a key of a link. mu is held.
func (p *peer) info(l *link, key string) {
	l.seq++
	l.open[l.seq] = "INFO"
	body := "Signal=" + key + "\r\nDuration=100\r\n"
	p.sends(l, "INFO", fmt.Sprintf("z9hG4bK-%s-%d", l.callID, l.seq), l.seq, l.target, l.remote, "Content-Type: application/dtmf-relay\r\n", body)
}

func (p *peer) describe(d ...sdp.Direction) string {
	return describes(p.media, func(s *sdp.Session) {
		for _, d := range d {
			s.Media[0].Direction = d
		}
	})
}

// request sends a request within the dialog of a link, as far as there is one.
func (p *peer) request(l *link, method, headers, body string) {
	p.set(func() { p.ask(l, method, headers, body) })
}

// cancel sends the CANCEL of the link's INVITE, whatever has become of that.
func (p *peer) cancel(l *link) {
	p.set(func() {
		to, _, _ := strings.Cut(l.remote, ";tag=")
		l.open[-1] = "CANCEL"
		p.send(l, "CANCEL", fmt.Sprintf("z9hG4bK-%s-1", l.callID), 1, fmt.Sprintf("sip:%s", strings.Trim(strings.TrimPrefix(to, "<sip:"), ">")), to, "", "")
	})
}

// respond answers a request. mu is held.
func (p *peer) respond(l *link, m message, status string, body string) {
	if p.dead {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	for line := range strings.SplitSeq(m.text, "\r\n") {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "Via", "From", "Call-ID", "CSeq", "Record-Route":
			b.WriteString(line + "\r\n")
		case "To":
			if !strings.Contains(line, ";tag=") && !strings.HasPrefix(status, "100") {
				line += ";tag=own"
			}
			b.WriteString(line + "\r\n")
		}
	}
	if body != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Contact: <%s>\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE, REFER, NOTIFY, INFO\r\nContent-Length: %d\r\n\r\n%s", p.uri("peer"), len(body), body)
	fmt.Fprint(writerTo{p.conn, m.from}, b.String())
}

// take does with a message what has to be done.
func (p *peer) take(m message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return
	}
	i := slices.IndexFunc(p.links, func(l *link) bool { return l.callID == m.header("Call-ID") })
	method, _, _ := strings.Cut(m.text, " ")
	var l *link
	if i >= 0 {
		l = p.links[i]
	}
	switch {
	case method == "SIP/2.0" && l != nil:
		p.answered(l, m)
	case method == "INVITE" && l == nil:
		_, contact, _ := strings.Cut(m.header("Contact"), "<")
		contact, _, _ = strings.Cut(contact, ">")
		l = &link{callID: m.header("Call-ID"), local: m.header("To") + ";tag=own", remote: m.header("From"), target: contact,
			invite: m, open: map[int]string{}, answers: map[string]int{}, seq: 100}
		p.links = append(p.links, l)
		p.progress(l, p.rings)
	case l == nil || method == "SIP/2.0":
	default:
		p.asked(l, m, method)
	}
}

// progress answers the INVITE of a link. mu is held.
func (p *peer) progress(l *link, code int) {
	body := ""
	if code == 183 || code == 200 {
		body = p.describe()
	}
	if code >= 200 {
		l.final = code
	}
	p.respond(l, l.invite, fmt.Sprintf("%d Whatever", code), body)
}

// asked serves a request within a link. mu is held.
func (p *peer) asked(l *link, m message, method string) {
	switch method {
	case "INVITE":
		if m.header("CSeq") == l.invite.header("CSeq") {
			return // again: the gateway did not see the answer yet
		}
		p.respond(l, m, "200 OK", p.describe())
	case "ACK":
		if p.loseACK && !l.lost {
			l.lost = true
			p.progress(l, l.final) // the answer again
			return
		}
		l.acked = true
	case "CANCEL":
		if l.cancelled = true; l.final == 0 && p.crosses {
			p.progress(l, 200)
		}
		p.respond(l, m, "200 OK", "")
		if l.final == 0 {
			p.progress(l, 487)
		}
	case "BYE":
		if p.deaf {
			l.bye = &m
			return
		}
		p.respond(l, m, "200 OK", "")
		l.over = true
	default:
		p.respond(l, m, "200 OK", "")
	}
}

// answered takes the response to a request of a link. mu is held.
func (p *peer) answered(l *link, m message) {
	var seq, code int
	var method string
	fmt.Sscanf(m.text, "SIP/2.0 %d", &code)
	fmt.Sscanf(m.header("CSeq"), "%d %s", &seq, &method)
	if code < 200 {
		if _, tag, ok := strings.Cut(m.header("To"), ";tag="); ok && l.calls && !strings.Contains(l.remote, ";tag=") {
			l.remote += ";tag=" + tag
		}
		return
	}
	l.answers[method] = code
	if method == "CANCEL" {
		delete(l.open, -1)
		return
	}
	delete(l.open, seq)
	switch {
	case method == "INVITE" && seq == 1 && l.calls:
		l.final, l.answer = code, m
		if !strings.Contains(l.remote, ";tag=") {
			l.remote = m.header("To")
		}
		if code < 300 && !l.acked {
			_, target, _ := strings.Cut(m.header("Contact"), "<")
			l.target, _, _ = strings.Cut(target, ">")
		}
		if code >= 300 || !p.noACK {
			p.acknowledge(l)
		}
	case method == "INVITE" && !p.noACK:
		p.send(l, "ACK", fmt.Sprintf("z9hG4bK-%s-ack-%d", l.callID, seq), seq, l.target, l.remote, "", "")
	case method == "BYE":
		l.over = true
	}
}

// acknowledge sends the ACK of the first INVITE, as often as it is answered. mu
// is held.
func (p *peer) acknowledge(l *link) {
	branch := fmt.Sprintf("z9hG4bK-%s-1", l.callID)
	if l.final < 300 {
		branch += "-ack" // a transaction of its own (RFC 3261 section 13.2.2.4)
	}
	p.send(l, "ACK", branch, 1, l.target, l.answer.header("To"), "", "")
	l.acked = true
}

// hangUp ends a link by a BYE, after the ACK that may be missing.
func (p *peer) hangUp(l *link) {
	p.set(func() {
		if l.calls && !l.acked {
			p.acknowledge(l)
		}
		p.ask(l, "BYE", "", "")
	})
}

// owed lists what the peer waits for: the end of each of its links as RFC 3261
// has it, and the answers to its requests. A dead one waits for nothing.
func (p *peer) owed() (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return nil
	}
	for i, l := range p.links {
		owed := func(what string) { list = append(list, fmt.Sprintf("%d: %s", i, what)) }
		switch {
		case l.final == 0:
			owed("the INVITE was neither answered nor cancelled")
		case !l.acked && !l.calls:
			owed("no ACK")
		case l.final < 300 && !l.over:
			owed("no BYE")
		}
		for _, method := range l.open {
			owed("no answer to " + method)
		}
	}
	return list
}

// unanswered reports whether a request of the peer within a dialog waits for its
// answer.
func (p *peer) unanswered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.links, func(l *link) bool {
		if l.calls && l.final == 0 {
			return len(l.open) > 1
		}
		return len(l.open) > 0
	})
}

// far is the description of the gateway that began the media of a link.
func (l *link) far() string {
	if l.calls {
		return l.answer.body()
	}
	return l.invite.body()
}

// replaces is the header of an INVITE that is to take the place of a link which
// the gateway began.
func (l *link) replaces() string {
	_, tag, _ := strings.Cut(l.remote, ";tag=")
	return fmt.Sprintf("Replaces: %s;to-tag=%s;from-tag=own\r\n", l.callID, tag)
}

// link waits for the link of a number, from 0, that is as ok wants it.
func (p *peer) link(c *moment, n int, what string, ok func(*link) bool) (found *link) {
	c.waits(what, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.links) > n && ok(p.links[n]) {
			found = p.links[n]
		}
		return found != nil
	})
	return found
}

// speaks sends a packet of audio to where a description says.
func (p *peer) speaks(description string) {
	s, err := sdp.Parse([]byte(description))
	if err != nil || len(s.Media) == 0 {
		return
	}
	addr := s.Addr
	if s.Media[0].Addr.IsValid() {
		addr = s.Media[0].Addr
	}
	n := byte(time.Now().UnixNano() / int64(time.Millisecond))
	packet := append([]byte{0x80, 8, 0, n, 0, 0, 0, n, 0, 0, 0, 7}, make([]byte, 160)...)
	p.conn.SetWriteDeadline(time.Time{})
	p.media.WriteToUDPAddrPort(packet, netip.AddrPortFrom(addr, uint16(s.Media[0].Port)))
}
