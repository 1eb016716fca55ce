package gateway_test

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"consentgw/consent"
	"consentgw/internal/g711"
	"consentgw/internal/phone"

	"github.com/stretchr/testify/require"
)

// expectations are what a script says at its end, or wherever the call is over.
func (p *actor) expectations() map[string]func([]string) {
	return map[string]func([]string){
		"expect outcome OUTCOME":                   func(a []string) { require.Equal(p.t, a[0], string(p.final().Outcome)) },
		"expect platform told STATUS":              func(a []string) { require.Equal(p.t, a[0], p.arrival.headers["X-Consent-Status"]) },
		"expect platform not reached":              func([]string) { require.Nil(p.t, p.arrival); require.Empty(p.t, p.final().Call.PlatformCallID) },
		"expect caller heard nobody before PROMPT": p.expectNobodyBefore,
		"expect end REST":                          func(a []string) { require.Equal(p.t, a[0], p.final().Call.EndCause) },
		"expect key KEY by METHOD":                 p.expectKey,
		"expect no key":                            func([]string) { require.Nil(p.t, p.final().Press) },
		"expect recorded both":                     func([]string) { p.expectRecorded() },
		"expect nothing recorded":                  func([]string) { p.expectUnrecorded() },
		"expect withdrawn by METHOD":               func(a []string) { require.Equal(p.t, a[0], p.final().Withdrawal.Method) },
		"expect pauses COUNT":                      func(a []string) { require.Len(p.t, p.final().Recordings[0].Pauses, int(a[0][0]-'0')) },
		"expect plays COUNT":                       func(a []string) { require.EqualValues(p.t, a[0][0]-'0', p.final().Notice.Plays) },
		"expect notice heard to its end":           func([]string) { require.True(p.t, p.final().Notice.Complete) },
		"expect fault WORD":                        func(a []string) { require.Contains(p.t, p.final().Recordings[0].Fault, a[0]) },
	}
}

// final is the complete record of the call.
func (p *actor) final() *consent.Record {
	if c := p.ended; c == nil || c.Call.TrunkCallID != p.callID && c.Call.PlatformCallID != p.callID {
		p.ended = p.record(p.callID)
	}
	return p.ended
}

func (p *actor) expectKey(args []string) {
	press := p.final().Press
	require.NotNil(p.t, press, p.line)
	require.Equal(p.t, args, []string{press.Key, press.Method}, p.line)
}

func (p *actor) expectRecorded() {
	r := p.final()
	require.Len(p.t, r.Recordings, 1, p.line)
	require.NotZero(p.t, r.Recordings[0].Caller.Packets)
	require.NotZero(p.t, r.Recordings[0].Agent.Packets)
}

func (p *actor) expectUnrecorded() {
	require.Empty(p.t, p.final().Recordings, p.line)
	require.Empty(p.t, p.recorder.Caller(0))
	require.Empty(p.t, p.recorder.Agent(0))
}

// finish holds the record of the call against the law and against what the
// phones and the recorder saw. No script can leave it out.
func (p *actor) finish() {
	if p.phone == nil && p.ended == nil {
		return // refused: no INVITE was accepted, so there is no record
	}
	r := p.final()
	p.checkServers()
	p.checkRecord(r)
	if p.phone != nil {
		p.checkUnheard(r)
		p.checkCopies(r)
	}
	code, metrics := p.request("GET", "/metrics")
	require.Equal(p.t, 200, code)
	require.Contains(p.t, string(metrics), "consentgw_fork_violations_total 0\n")
}

func (p *actor) checkRecord(r *consent.Record) {
	t := p.t
	require.Equal(t, consent.Schema, r.Schema)
	require.Equal(t, r.Outcome.Status(), r.Status)
	direction, subject := "inbound", p.subject()
	if p.outbound {
		direction, subject = "outbound", p.called
	}
	require.Equal(t, direction, r.Call.Direction)
	require.Equal(t, subject, r.Subject)
	require.Equal(t, p.called, r.Call.Called)
	require.NotEqual(t, consent.Pending, r.Outcome)
	p.checkPurposes(r)
	if r.Outcome == consent.Given || r.Outcome == consent.Withdrawn {
		require.Equal(t, "1", r.Press.Key)
		require.False(t, r.StoredAt.Before(r.DecidedAt))
		end := r.Notice.StartedAt.Add(0)
		require.False(t, r.Press.At.Before(end))
	} else {
		require.Empty(t, r.Recordings, "a recording without a consent")
	}
	if r.Withdrawal != nil {
		require.Equal(t, r.RecordedPackets(), r.Withdrawal.RecordedPackets, "the gate is shut before the withdrawal is written down")
	}
	last := r.History[0].At
	for _, e := range r.History {
		require.NotContains(t, e.Text, cmp.Or(subject, callerNumber))
		last = e.At
	}
	require.False(t, last.Before(r.Call.InvitedAt))
	require.Equal(t, "ended", r.History[len(r.History)-1].Type)
	if p.arrival != nil && p.outbound {
		require.Equal(t, p.callID, r.Call.PlatformCallID)
		require.Equal(t, p.phone.Leg().CallID(), r.Call.TrunkCallID)
	} else if p.arrival != nil {
		require.Equal(t, string(r.ID), p.arrival.headers["X-Consent-Id"])
		require.Equal(t, p.callID, p.arrival.headers["X-CID"])
		recording := "off"
		if p.arrival.headers["X-Consent-Status"] == "granted" && p.records(r) {
			recording = "on"
		}
		require.Equal(t, recording, p.arrival.headers["X-Recording"], "the platform is told of recordings that are permitted, and of no others")
		require.Equal(t, p.arrival.line.Leg().CallID(), r.Call.PlatformCallID)
	}
}

// checkCopies compares every packet at the recorder with those that were sent,
// and with the counts of the record.
func (p *actor) checkCopies(r *consent.Record) {
	total := len(p.recorder.Caller(0)) + len(p.recorder.Agent(0))
	for _, rec := range r.Recordings {
		caller, agent := p.recorder.Caller(rec.Caller.SSRC), p.recorder.Agent(rec.Agent.SSRC)
		require.Zero(p.t, rec.BeforeGrant)
		require.Zero(p.t, rec.AfterStop)
		require.Equal(p.t, consent.RecordingOff, rec.State)
		if rec.Fault == "" {
			require.EqualValues(p.t, rec.Caller.Packets, len(caller))
			require.EqualValues(p.t, rec.Agent.Packets, len(agent))
		}
		p.checkSent(r, []*phone.Line{p.phone}, caller)
		p.checkSent(r, p.agents(), agent)
		p.checkPauses(rec, way{p.phone, p.arrival.line}, caller)
		p.checkPauses(rec, way{p.arrival.line, p.phone}, agent)
		total -= len(caller) + len(agent)
	}
	require.Zero(p.t, total, "packets at the recorder that belong to no recording")
}

// checkUnheard: before the decision neither party heard the other. What a phone
// got within a clock tick of it is left out.
func (p *actor) checkUnheard(r *consent.Record) {
	before := func(packets []phone.Packet) []phone.Packet {
		n := slices.IndexFunc(packets, func(a phone.Packet) bool { return !a.At.Before(r.DecidedAt) })
		if n < 0 {
			return packets
		}
		return packets[:n]
	}
	for _, agent := range p.answered {
		require.False(p.t, anywhere(before(agent.Received()), callerVoice), "the agent heard the caller before the decision")
	}
	require.False(p.t, anywhere(before(p.phone.Received()), agentVoice), "the caller heard the agent before the decision")
}

// anywhere reports whether a tone stands out in any stretch of 200 ms.
func anywhere(packets []phone.Packet, hertz float64) bool {
	for len(packets) >= 10 {
		if pitch(packets[:10], hertz) {
			return true
		}
		packets = packets[1:]
	}
	return false
}

// agents are the lines of everybody who was the agent, in order.
func (p *actor) agents() []*phone.Line {
	if slices.Contains(p.answered, p.arrival.line) {
		return p.answered
	}
	return append(p.answered, p.arrival.line)
}

// checkSent finds every copy among what one side said, in the law that it is in.
func (p *actor) checkSent(r *consent.Record, lines []*phone.Line, copies []phone.Packet) {
	said := map[string]phone.Packet{} // no two frames of a voice are alike
	for _, l := range lines {
		for _, s := range l.Sent() {
			said[string(s.Payload)] = s
			said[otherLaw(s)] = s
		}
	}
	// While nothing was copied a copy may fall behind its time: the machine may stand
	// still for longer than the gateway believes of a telephone.
	paused := slices.ContainsFunc(r.Recordings, func(rec consent.Recording) bool { return len(rec.Pauses) > 0 })
	wide := slices.ContainsFunc(lines, func(l *phone.Line) bool {
		return slices.ContainsFunc(l.Sent(), func(s phone.Packet) bool { return s.Type == 9 })
	})
	for i, c := range copies {
		s, found := said[string(c.Payload)]
		if !found && (p.cfg.Policies[0].Tone.Recorded || wide && c.Type != 9) {
			continue // said, with the tone in it, or converted until the recorder took G.722
		}
		require.True(p.t, found, "a copy of nothing that was said")
		require.True(p.t, i == 0 || int16(c.Seq-copies[i-1].Seq) > 0, "one stream, in order")
		require.True(p.t, len(lines) > 1 || paused || s.Timestamp == c.Timestamp, "a copy out of its time")
		require.True(p.t, p.cfg.Recorders[0].Keys && c.Type == 101 && s.Type == 101 || isVoice(c.Type) && isVoice(s.Type),
			"a copy is of G.711 or G.722, and no key but where keys are recorded")
		require.False(p.t, c.At.Before(r.StoredAt), "a copy before the decision was stored")
		if r.Withdrawal != nil {
			require.False(p.t, s.At.After(r.Withdrawal.At.Add(1e6)), "a copy of what was said after the withdrawal")
		}
	}
}

// otherLaw is the payload of a packet of G.711 as a recorder gets it that took the
// other law.
func otherLaw(s phone.Packet) string {
	b := make([]byte, len(s.Payload))
	if s.Type == 8 {
		g711.AToMuAll(b, s.Payload)
	} else {
		g711.MuToAAll(b, s.Payload)
	}
	return string(b)
}

// pitch reports whether a tone of this frequency stands out (Goertzel).
func pitch(packets []phone.Packet, hertz float64) bool {
	var s1, s2, power float64
	n := 0
	w := 2 * math.Cos(2*math.Pi*hertz/8000)
	for _, p := range packets {
		decode := g711.DecodeMu
		if p.Type == 8 {
			decode = g711.DecodeA
		}
		for _, b := range p.Payload {
			v := float64(decode(b))
			s1, s2 = v+w*s1-s2, s1
			power += v * v
			n++
		}
	}
	tone := s1*s1 + s2*s2 - w*s1*s2
	return power > 0 && 2*tone/(float64(n)*power) > 0.2
}

// expectNobodyBefore looks for voices of the platform in what the caller heard
// until a prompt began.
func (p *actor) expectNobodyBefore(args []string) {
	prompt := p.notice.Prompt(args[0])
	require.NotNil(p.t, prompt, p.line)
	const window, frameBytes = 10, 160 // of 20 ms
	var audio []byte
	packets := p.phone.Received()
	for _, packet := range packets {
		audio = append(audio, packet.Payload...)
	}
	whole := func(clip []byte) []byte { return clip[:len(clip)/frameBytes*frameBytes] }
	begin := max(bytes.Index(audio, whole(prompt.PCMU)), bytes.Index(audio, whole(prompt.PCMA)))
	require.Positive(p.t, begin, p.line)
	for heard := 0; heard+window*frameBytes <= begin; heard += frameBytes {
		some := packets[heard/frameBytes:][:window]
		require.False(p.t, pitch(some, agentVoice) || pitch(some, 900), "the platform is heard %d ms after the beginning", heard/8)
	}
}

func isVoice(payloadType uint8) bool { return payloadType == 0 || payloadType == 8 || payloadType == 9 }
