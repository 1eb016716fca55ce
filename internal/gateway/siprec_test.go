package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/phone"
	"consentgw/internal/recordserver"
	"consentgw/internal/sdp"
	"consentgw/internal/siprecxml"

	"github.com/stretchr/testify/require"
)

// copies is what a recorder got, of one synchronisation source or, for 0, of all.
type copies interface {
	Caller(ssrc uint32) []phone.Packet
	Agent(ssrc uint32) []phone.Packet
}

// tower is a recording server that a script gives orders to.
type tower struct {
	*recordserver.Server
	answer atomic.Pointer[recordserver.Answer]
}

func (w *tower) Caller(ssrc uint32) []phone.Packet { return w.of("1", ssrc) }
func (w *tower) Agent(ssrc uint32) []phone.Packet  { return w.of("2", ssrc) }

func (w *tower) of(label string, ssrc uint32) (list []phone.Packet) {
	for _, s := range w.Sessions() {
		for _, p := range s.Packets(label) {
			if ssrc == 0 || p.SSRC == ssrc {
				list = append(list, phone.Packet{At: p.At, Seq: p.Seq, Timestamp: p.Timestamp, SSRC: p.SSRC, Type: p.Type, Payload: p.Payload})
			}
		}
	}
	return list
}

// together is what several recorders got.
type together []copies

func (t together) Caller(ssrc uint32) (list []phone.Packet) {
	for _, c := range t {
		list = append(list, c.Caller(ssrc)...)
	}
	return list
}

func (t together) Agent(ssrc uint32) (list []phone.Packet) {
	for _, c := range t {
		list = append(list, c.Agent(ssrc)...)
	}
	return list
}

// recorderVerbs are the sentences about recording servers.
func (p *actor) recorderVerbs() map[string]func([]string) {
	return map[string]func([]string){
		"recorder speaks siprec":              func([]string) { p.speaksSIPREC(false) },
		"second recorder speaks siprec":       func([]string) { p.speaksSIPREC(true) },
		"recorder speaks siprec by TLS":       func([]string) { p.speaksTLS() },
		"recorder has another's certificate":  func([]string) { p.cfg.Recorders[0].TLS.CA = newAuthority(p.t).file },
		"recorder wants SRTP":                 func([]string) { p.cfg.Recorders[0].SRTP = config.SRTPRequired },
		"expect copies in SRTP":               func([]string) { p.expectSRTP() },
		"recorder has a dead first address":   func([]string) { p.deadAddress() },
		"recorder hears only PARTY":           func(a []string) { p.cfg.Recorders[0].Record = a[0] },
		"recorder refuses with CODE":          func(a []string) { p.answers(0, recordserver.Answer{Refuse: number(a[0])}) },
		"recorder is silent":                  func([]string) { p.answers(0, recordserver.Answer{Silent: true}) },
		"recorder answers a pause contrarily": func([]string) { p.answers(0, recordserver.Answer{Contrary: true}) },
		"recorder accepts again":              func([]string) { p.answers(0, recordserver.Answer{}) },
		"recorder hears them":                 func([]string) { p.heardAt(0) },
		"second recorder hears them":          func([]string) { p.heardAt(1) },
		"recorder hangs up":                   p.recorderHangsUp,
		"recorder asks for COUNT snapshots":   p.asksSnapshots,
		"recorder is told STATE":              func(a []string) { p.untilTold(a[0]) },
		"history has KIND":                    func(a []string) { p.untilNoted(a[0]) },
		"history had KIND": func(a []string) {
			require.True(p.t, slices.ContainsFunc(p.final().History, func(e consent.Event) bool { return e.Type == a[0] }), p.line)
		},
		"caller prefers no recording":   func([]string) { p.tamper = preference("off") },
		"caller changes to prefer none": func([]string) { p.must(p.phone.Change(p.ctx, false, preference("off"))) },
		"caller wishes a recording":     func([]string) { p.tamper = preference("on") },
		"expect refused by METHOD": func(a []string) {
			require.Equal(p.t, a[0], p.final().Press.Method)
			require.Empty(p.t, p.final().Press.Key)
		},
		"expect sessions COUNT":     func(a []string) { require.Len(p.t, p.towers[0].Sessions(), number(a[0])) },
		"expect recorder told REST": func(a []string) { p.expectTold(strings.Fields(a[0])) },
		"recorder is told of COUNT agents": func(a []string) {
			p.must(p.towers[0].Until(p.ctx, func([]*recordserver.Session) bool {
				s := p.newest(0)
				return s != nil && len(s.Documents()) > 0 && agentsIn(s) == number(a[0])
			}))
		},
		"recorder is a PRESET":           p.hasPreset,
		"recorder names the parties":     func([]string) { p.cfg.Recorders[0].Identities, p.named = "numbers", true },
		"recorder wants the header NAME": func(a []string) { p.cfg.Recorders[0].RetentionHeader = a[0] },
		"recorder speaks the older type": func([]string) { p.cfg.Recorders[0].MediaType = siprecxml.OldMediaType },
		"expect header NAME REST":        func(a []string) { require.Equal(p.t, []string{a[1]}, p.newest(0).Header(a[0]), p.line) },
		"expect no header NAME":          func(a []string) { require.Empty(p.t, p.newest(0).Header(a[0]), p.line) },
		"expect the agent to have NAME of REST": func(a []string) {
			agent := p.newest(0).Documents()[0].ParticipantSessions[1]
			require.Contains(p.t, agent.Params, siprecxml.Param{Name: a[0], Value: a[1]}, p.line)
		},
		"expect the parties to have no parameters": func([]string) {
			for _, part := range p.newest(0).Documents()[0].ParticipantSessions {
				require.Empty(p.t, part.Params)
			}
		},
		"expect the caller named REST": func(a []string) {
			require.Equal(p.t, a[0], p.newest(0).Documents()[0].Participants[0].Names[0].AOR)
		},
		"recorder is offered CODEC":          p.untilOffered,
		"expect metadata of session REST":    p.expectSession,
		"expect withdrawal told":             func([]string) { p.expectWithdrawalTold() },
		"expect recorded at COUNT recorders": p.expectRecordedAt,
		"expect a gap":                       func([]string) { p.expectGap() },
		"expect only PARTY recorded":         p.expectOnly,
	}
}

// preference is a=recordpref in the caller's offer (RFC 7866 section 7.1.3).
func preference(value string) func(*sdp.Session) {
	return func(offer *sdp.Session) {
		m := &offer.Media[0]
		m.Attributes = append(m.Attributes, sdp.Attribute{Key: "recordpref", Value: value})
	}
}

func number(s string) (n int) {
	fmt.Sscan(s, &n)
	return n
}

// hasPreset configures the first recorder for a vendor, as an operator does.
func (p *actor) hasPreset(args []string) {
	r := &p.cfg.Recorders[0]
	if r.Preset = args[0]; r.Preset == "amazon" {
		r.AgentUser, r.Queue = "agent-7", "queue-3"
	}
}

// speaksSIPREC puts a recording server in the place of the plain recorder, or
// beside what is there.
func (p *actor) speaksSIPREC(second bool) {
	p.serveTower(recordserver.Config{Listen: []string{"tcp:127.0.0.1:0"}}, second)
}

func (p *actor) serveTower(cfg recordserver.Config, second bool) {
	w := &tower{}
	w.answer.Store(&recordserver.Answer{})
	cfg.Media, cfg.Answer = loopback, func() recordserver.Answer { return *w.answer.Load() }
	server, err := recordserver.Listen(cfg)
	p.must(err)
	w.Server = server
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	p.t.Cleanup(func() { stop(); require.NoError(p.t, <-served) })
	p.cfg.Listen.Recorder.SIP = []config.SIPAddr{{Transport: "tcp", Addr: netip.AddrPortFrom(loopback, 0)}}
	recorder := config.Recorder{Name: fmt.Sprintf("server-%d", len(p.towers)+1), Type: "siprec", URI: server.URI()}
	p.towers = append(p.towers, w)
	if second {
		p.cfg.Recorders = append(p.cfg.Recorders, recorder)
		p.cfg.Routes[0].Recorders = append(p.cfg.Routes[0].Recorders, recorder.Name)
		p.recorder = together{p.recorder, w}
		return
	}
	p.cfg.Recorders[0], p.cfg.Routes[0].Recorders[0] = recorder, recorder.Name
	p.recorder = w
}

// deadAddress makes the server the backup of an address where nobody listens.
func (p *actor) deadAddress() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	p.must(err)
	r := &p.cfg.Recorders[0]
	r.Backups, r.URI = []string{r.URI}, fmt.Sprintf("sip:%s;transport=tcp", l.Addr())
	p.must(l.Close())
}

func (p *actor) answers(n int, a recordserver.Answer) { p.towers[n].answer.Store(&a) }

// newest is the last session of a server.
func (p *actor) newest(n int) *recordserver.Session {
	sessions := p.towers[n].Sessions()
	if len(sessions) == 0 {
		return nil
	}
	return sessions[len(sessions)-1]
}

// heardAt waits until more of both parties has come to the newest session.
func (p *actor) heardAt(n int) {
	var caller, agent int
	if s := p.newest(n); s != nil {
		caller, agent = len(s.Packets("1")), len(s.Packets("2"))
	}
	first := p.newest(n)
	p.must(p.towers[n].Until(p.ctx, func([]*recordserver.Session) bool {
		s := p.newest(n)
		if s == nil {
			return false
		}
		if s != first { // began meanwhile
			return len(s.Packets("1")) > 10 && len(s.Packets("2")) > 10
		}
		return len(s.Packets("1")) > caller+10 && len(s.Packets("2")) > agent+10
	}))
}

func (p *actor) recorderHangsUp([]string) {
	p.must(p.newest(0).Hangup(p.ctx))
	<-p.newest(0).Over()
}

// asksSnapshots asks over and over, as a server does that has lost its mind.
func (p *actor) asksSnapshots(args []string) {
	s := p.newest(0)
	for range number(args[0]) {
		p.must(s.AskSnapshot(p.ctx))
	}
	before := len(s.Documents())
	p.must(s.AskSnapshot(p.ctx))
	p.must(p.towers[0].Until(p.ctx, func([]*recordserver.Session) bool { return len(s.Documents()) > before }))
}

// untilTold waits until the newest document says this of the recording.
func (p *actor) untilTold(state string) {
	p.must(p.towers[0].Until(p.ctx, func([]*recordserver.Session) bool {
		s := p.newest(0)
		if s == nil || len(s.Documents()) == 0 {
			return false
		}
		return stateOf(s.Documents()[len(s.Documents())-1]) == state
	}))
}

// agentsIn is how many agents the newest complete document tells of.
func agentsIn(s *recordserver.Session) int {
	docs := slices.DeleteFunc(s.Documents(), func(d *siprecxml.Recording) bool { return d.DataMode != siprecxml.Complete })
	return len(docs[len(docs)-1].Participants) - 1
}

// untilOffered waits until every line of the newest description begins with a codec.
func (p *actor) untilOffered(args []string) {
	p.must(p.towers[0].Until(p.ctx, func([]*recordserver.Session) bool {
		s := p.newest(0)
		if s == nil || len(s.Offers()) == 0 {
			return false
		}
		offers := s.Offers()
		return !slices.ContainsFunc(offers[len(offers)-1].Media, func(m sdp.Media) bool { return m.Codecs[0].Name != args[0] })
	}))
}

// expectSession compares the beginning of the Session-ID in every document.
func (p *actor) expectSession(args []string) {
	for _, d := range p.newest(0).Documents() {
		require.Len(p.t, d.Sessions[0].SIP, 1, p.line)
		require.True(p.t, strings.HasPrefix(d.Sessions[0].SIP[0], args[0]), d.Sessions[0].SIP[0])
	}
}

func stateOf(r *siprecxml.Recording) string { return r.Sessions[0].Consent.Recording }

// untilNoted waits until the history of the live call has an event.
func (p *actor) untilNoted(kind string) {
	for {
		r, err := p.gateway.Records().Find(p.ctx, p.callID)
		if err == nil && slices.ContainsFunc(r.History, func(e consent.Event) bool { return e.Type == kind }) {
			return
		}
		p.pause(1e7)
	}
}

// expectTold compares what the server was told of the recording, without what
// it was told again.
func (p *actor) expectTold(want []string) {
	var told []string
	for _, s := range p.towers[0].Sessions() {
		for _, d := range s.Documents() {
			if state := stateOf(d); len(told) == 0 || told[len(told)-1] != state {
				told = append(told, state)
			}
		}
	}
	require.Equal(p.t, want, told, p.line)
}

func (p *actor) expectWithdrawalTold() {
	docs := p.newest(0).Documents()
	last := docs[len(docs)-1].Sessions[0].Consent
	require.Equal(p.t, "withdrawn", last.State)
	require.Equal(p.t, p.final().Withdrawal.At.Format("2006-01-02T15:04:05.000Z"), last.WithdrawnAt)
}

func (p *actor) expectRecordedAt(args []string) {
	r := p.final()
	require.Len(p.t, r.Recordings, number(args[0]), p.line)
	for _, rec := range r.Recordings {
		require.NotZero(p.t, rec.Caller.Packets, rec.Recorder)
		require.NotZero(p.t, rec.Agent.Packets, rec.Recorder)
	}
}

func (p *actor) expectGap() {
	require.True(p.t, slices.ContainsFunc(p.final().Recordings[0].Pauses, func(g consent.Pause) bool {
		return g.Reason == "recorder" && !g.To.Before(g.From)
	}), "the record tells no gap")
	require.NotEmpty(p.t, p.final().Recordings[0].Fault)
}

func (p *actor) expectOnly(args []string) {
	r := p.final().Recordings[0]
	require.Equal(p.t, args[0] == "caller", r.Caller.Packets > 0)
	require.Equal(p.t, args[0] == "agent", r.Agent.Packets > 0)
}

// checkServers holds every session against the standards: what the server
// itself checked, and the schema of RFC 7865. It waits for the last packets.
func (p *actor) checkServers() {
	for _, w := range p.towers {
		for _, s := range w.Sessions() {
			select {
			case <-s.Over():
			case <-p.ctx.Done():
				require.NoError(p.t, context.Cause(p.ctx))
			}
			require.Empty(p.t, s.Disliked())
			for _, doc := range s.Raw() {
				for _, number := range []string{callerNumber, p.called} {
					require.True(p.t, p.named || !strings.Contains(string(doc), number[1:]), "a number in the metadata")
				}
				p.checkSchema(doc)
			}
		}
	}
}

func (p *actor) checkSchema(doc []byte) {
	tool, err := exec.LookPath("xmllint")
	if errors.Is(err, exec.ErrNotFound) {
		require.Empty(p.t, os.Getenv("CONSENTGW_REQUIRE_REAL"), "xmllint is not installed")
		return
	}
	file := filepath.Join(p.t.TempDir(), "metadata.xml")
	p.must(os.WriteFile(file, doc, 0o600))
	out, err := exec.Command(tool, "--nonet", "--noout", "--schema", "../siprecxml/testdata/rfc7865.xsd", file).CombinedOutput()
	require.NoError(p.t, err, "%s\n%s", out, doc)
}
