package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"consentgw/consent"
	"consentgw/internal/boltstore"
	"consentgw/internal/config"
	"consentgw/internal/phone"
	"consentgw/internal/sdp"
	"consentgw/internal/storetest"

	"github.com/stretchr/testify/require"
)

// actor performs the sentences of a script.
type actor struct {
	*stage
	line     string // the sentence being performed
	codecs   []sdp.Codec
	faulty   *storetest.Faulty
	callID   string
	called   string
	tamper   func(*sdp.Session) // of the caller's offer
	outbound bool
	named    bool // the recorder is told the numbers
	quiet    bool // the caller sends nothing by itself
	deaf     bool // the caller is on hold and hears nothing
	dialed   chan dialResult
	cancel   context.CancelFunc
	phone    *phone.Line   // the caller's, once answered
	arrival  *arrival      // at the desk that picked up
	answered []*phone.Line // every line that a desk picked up
	desk     *desk
	ended    *consent.Record
	resumed  []time.Time // when a pause or a hold was about to be ended
	said     signalling
}

type dialResult struct {
	line *phone.Line
	err  error
}

// verbs are the sentences of a script.
func (p *actor) verbs() map[string]func([]string) {
	verbs := map[string]func([]string){
		"caller dials NUMBER":              p.dials,
		"caller is refused with CODE":      p.isRefused,
		"caller cancels":                   func([]string) { p.cancel() },
		"caller hears PROMPT":              p.hears,
		"caller hears the agent":           func([]string) { p.callerHears(agentVoice) },
		"caller hears early media":         func([]string) { p.callerHears(900) },
		"caller hears ringback":            func([]string) { p.callerHears(425) },
		"caller presses KEYS":              p.presses,
		"caller presses KEYS by info":      p.pressesInfo,
		"caller presses KEYS both ways":    p.pressesTwice,
		"stranger presses KEYS":            p.strangerPresses,
		"agent presses KEYS":               func(a []string) { p.arrival.line.Press(a[0]) },
		"agent presses KEYS by info":       p.agentPressesInfo,
		"caller hangs up":                  func([]string) { p.must(p.phone.Hangup(p.ctx)) },
		"caller holds":                     func([]string) { p.must(p.phone.Hold(p.ctx)); p.deaf = true },
		"caller resumes":                   func([]string) { p.resuming(); p.must(p.phone.Resume(p.ctx)); p.deaf = false },
		"agent picks up":                   func([]string) { p.picksUp(0) },
		"second agent picks up":            func([]string) { p.picksUp(1) },
		"agent hangs up":                   func([]string) { p.agentHangsUp() },
		"agent is rung":                    func([]string) { p.isRung() },
		"agent is hung up on":              func([]string) { p.hungUpOn(p.arrival.line) },
		"caller is hung up on":             func([]string) { p.hungUpOn(p.phone) },
		"agent hears the waiting tone":     func([]string) { p.agentHears(600) },
		"agent hears the caller":           func([]string) { p.agentHears(callerVoice) },
		"agent holds":                      func([]string) { p.must(p.arrival.line.Hold(p.ctx)) },
		"agent resumes":                    func([]string) { p.resuming(); p.must(p.arrival.line.Resume(p.ctx)) },
		"agent loses the call":             func([]string) { p.losesCall() },
		"they talk":                        func([]string) { p.talk() },
		"api COMMAND":                      p.api,
		"api resume":                       func([]string) { p.resuming(); p.api([]string{"resume"}) },
		"api cannot COMMAND":               p.apiCannot,
		"gateway stops":                    func([]string) { p.halt() },
		"status is STATUS recording STATE": p.statusIs,
	}
	for name, act := range p.identities() {
		verbs[name] = act
	}
	for name, act := range p.outward() {
		verbs[name] = act
	}
	for name, act := range p.settings() {
		verbs[name] = act
	}
	for name, act := range p.dialogs() {
		verbs[name] = act
	}
	for name, act := range p.secureVerbs() {
		verbs[name] = act
	}
	for name, act := range p.recorderVerbs() {
		verbs[name] = act
	}
	for name, act := range p.partyVerbs() {
		verbs[name] = act
	}
	for name, act := range p.keyVerbs() {
		verbs[name] = act
	}
	for name, act := range p.purposeVerbs() {
		verbs[name] = act
	}
	for name, act := range p.expectations() {
		verbs[name] = act
	}
	return verbs
}

// settings are what a script says before the first call.
func (p *actor) settings() map[string]func([]string) {
	first := func() *desk { return p.aDesk(0) }
	return map[string]func([]string){
		"agent is rung during the notice":   func([]string) { p.cfg.Policies[0].Dial = config.DialDuringNotice },
		"retries COUNT":                     func(a []string) { p.cfg.Policies[0].Retries = int(a[0][0] - '0') },
		"caller speaks CODEC":               func(a []string) { p.codecs = codecs(a[0]) },
		"agent speaks CODEC":                func(a []string) { first().codecs = codecs(a[0]) },
		"agent rings":                       func([]string) { first().rings = 700 * time.Millisecond },
		"agent lets it ring":                func([]string) { first().lift = make(chan struct{}) },
		"agent plays early media on and on": func([]string) { d := first(); d.early, d.lift = true, make(chan struct{}) },
		"agent rings for ever":              func([]string) { first().rings = time.Hour },
		"agent plays early media":           func([]string) { d := first(); d.early, d.rings = true, time.Second },
		"agent refuses with CODE":           func(a []string) { fmt.Sscan(a[0], &first().refuse) },
		"agent is silent":                   func([]string) { first().silent = true },
		"agent is dead":                     func([]string) { first().dead = true },
		"second agent waits":                func([]string) { p.aDesk(1) },
		"store is down":                     func([]string) { p.store().FailWrites(storetest.Fault{Err: errStore}) },
		"store keeps but says no":           func([]string) { p.store().FailWrites(storetest.Fault{Kept: true, Err: errStore}) },
		"store never answers":               func([]string) { p.store().FailWrites(storetest.Fault{Block: true}) },
		"store comes back":                  func([]string) { p.store().Fail(nil) },
		"recorder is closed":                func([]string) { p.cfg.Recorders[0].Caller, p.cfg.Recorders[0].Agent = freeAddr(p.t), freeAddr(p.t) },
		"caller offers an unusable address": func([]string) { p.tamper = unusable },
		"caller keeps quiet":                func([]string) { p.quiet = true },
	}
}

var errStore = errors.New("the store is away")

// unusable names an address that nothing may be sent to.
func unusable(offer *sdp.Session) {
	offer.Addr = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	for i := range offer.Media {
		offer.Media[i].Addr = offer.Addr
	}
}

// store puts a store that fails on demand before the embedded one.
func (p *actor) store() *storetest.Faulty {
	if p.faulty == nil {
		inner, err := boltstore.Open(filepath.Join(p.t.TempDir(), "records.db"))
		p.must(err)
		p.faulty = storetest.NewFaulty(inner)
		p.opt.Store = p.faulty
		p.t.Cleanup(func() { p.must(p.faulty.Close()) })
	}
	return p.faulty
}

// codecs are those of a list such as PCMA+G722, with keys.
func codecs(names string) (list []sdp.Codec) {
	for _, c := range []sdp.Codec{sdp.PCMA(), sdp.PCMU(), sdp.G722(), sdp.Opus()} {
		if slices.Contains(strings.Split(names, "+"), c.Name) {
			list = append(list, c)
		}
	}
	return append(list, sdp.Event8000())
}

func (p *actor) must(err error) { require.NoError(p.t, err, p.line) }

func (p *actor) aDesk(n int) *desk {
	for len(p.desks) <= n {
		p.desks = append(p.desks, &desk{})
	}
	return p.desks[n]
}

// dials starts the stage if this is the first call, and waits until the gateway
// answers or refuses.
func (p *actor) dials(args []string) {
	if p.gateway == nil {
		p.aDesk(0)
		p.start(p.codecs)
	}
	p.called, p.arrival, p.answered = args[0], nil, nil
	for _, d := range p.desks {
		d.expectAnother()
	}
	p.callID = fmt.Sprintf("%s-%d", p.t.Name(), time.Now().UnixNano())
	ctx, cancel := context.WithCancel(p.ctx)
	p.cancel = cancel
	p.dialed = make(chan dialResult, 1)
	go func() {
		line, err := p.caller.Call(ctx, phone.Dial{Target: p.trunkURI(), Caller: callerNumber, Called: p.called, CallID: p.callID, SDP: p.tamper,
			Headers: p.said.headers, Present: p.said.present})
		p.dialed <- dialResult{line, err}
	}()
	result := <-p.dialed
	p.dialed <- result
	if result.err == nil {
		p.phone = result.line
		if !p.quiet {
			p.phone.Speak(speech(callerVoice), true)
		}
	}
}

// hears waits for a prompt, byte for byte.
func (p *actor) hears(args []string) {
	if prompt := p.notice.Prompt(args[0]); prompt != nil {
		p.must(p.phone.Hears(p.ctx, prompt.PCMU, prompt.PCMA))
		return
	}
	require.FailNow(p.t, "no such prompt", p.line)
}

// callerHears waits until a tone of this pitch is what the caller hears.
func (p *actor) callerHears(hertz float64) { p.lineHears(p.phone, hertz) }

func (p *actor) agentHears(hertz float64) { p.lineHears(p.arrival.line, hertz) }

func (p *actor) lineHears(line *phone.Line, hertz float64) {
	n := len(line.Received())
	p.must(line.Until(p.ctx, func(packets []phone.Packet, _ []byte) bool {
		return len(packets) > n+12 && pitch(packets[len(packets)-10:], hertz)
	}))
}

func (p *actor) agentHangsUp() {
	if p.desk != nil {
		p.desk.expectAnother()
	}
	p.must(p.arrival.line.Hangup(p.ctx))
}

func (p *actor) isRung() {
	_, err := p.aDesk(0).until(p.ctx, func(*arrival) bool { return true })
	p.must(err)
}

// hungUpOn waits for the gateway to end a call.
func (p *actor) hungUpOn(line *phone.Line) {
	select {
	case <-line.Ended():
	case <-p.ctx.Done():
		p.must(context.Cause(p.ctx))
	}
}

// presses waits until something is heard, as a person does: a key before the
// first packet of the notice came before the question and counts for nothing.
func (p *actor) presses(args []string) {
	p.hearsSomething()
	p.phone.Press(args[0])
}

func (p *actor) hearsSomething() {
	if p.deaf {
		return
	}
	p.must(p.phone.Until(p.ctx, func(packets []phone.Packet, _ []byte) bool { return len(packets) > 0 }))
}

func (p *actor) pressesInfo(args []string) {
	p.hearsSomething()
	for _, key := range []byte(args[0]) {
		p.must(p.phone.PressInfo(p.ctx, key))
	}
}

func (p *actor) agentPressesInfo(args []string) {
	for _, key := range []byte(args[0]) {
		p.must(p.arrival.line.PressInfo(p.ctx, key))
	}
}

// pressesTwice presses each key as telephone-events and, when it is up again, by
// SIP INFO.
func (p *actor) pressesTwice(args []string) {
	p.hearsSomething()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for _, key := range args[0] {
		sent := len(phone.Keys(p.phone.Sent(), 101))
		p.phone.Press(string(key))
		for len(phone.Keys(p.phone.Sent(), 101)) == sent {
			select {
			case <-look.C:
			case <-p.ctx.Done():
				p.must(context.Cause(p.ctx))
			}
		}
		p.pressesInfo([]string{string(key)})
	}
}

// strangerPresses sends a forged key to the port that the caller sends to, from
// a socket that is not the caller's.
func (p *actor) strangerPresses(args []string) {
	p.hearsSomething()
	conn, err := net.Dial("udp", p.phone.Far().String())
	p.must(err)
	defer conn.Close()
	for i := range 6 {
		_, err := conn.Write(phone.Event(args[0][0], uint16(100+i), 4711, uint16(160*(i+1)), i > 2))
		p.must(err)
	}
}

func (p *actor) picksUp(n int) {
	p.desk = p.aDesk(n)
	if p.desk.lift != nil {
		close(p.desk.lift)
	}
	a, err := p.desk.until(p.ctx, func(a *arrival) bool { return a.line != nil })
	p.must(err)
	p.arrival = a
	p.answered = append(p.answered, a.line)
}

func (p *actor) losesCall() {
	_, err := p.aDesk(0).until(p.ctx, func(a *arrival) bool { return a.gone })
	p.must(err)
}

// talk lets 25 packets pass in each direction, so that what is expected of the
// recorder is more than nothing.
func (p *actor) talk() {
	for _, l := range []*phone.Line{p.phone, p.arrival.line} {
		n := len(l.Received())
		p.must(l.Until(p.ctx, func(packets []phone.Packet, _ []byte) bool { return len(packets) >= n+25 }))
	}
}

func (p *actor) isRefused(args []string) {
	result := <-p.dialed
	require.Error(p.t, result.err, p.line)
	require.Contains(p.t, result.err.Error(), args[0], p.line)
}

// leave ends what a script left standing.
func (p *actor) leave() {
	if p.outbound && p.arrival != nil {
		p.arrival.line.Hangup(context.Background())
	}
	if p.phone != nil {
		p.phone.Hangup(context.Background())
	}
}

// request talks to the API.
func (p *actor) request(method, path string) (int, []byte) {
	req, err := http.NewRequestWithContext(p.ctx, method, "http://"+p.gateway.APIAddr().String()+path, nil)
	p.must(err)
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	p.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	p.must(err)
	return res.StatusCode, body
}

func (p *actor) command(verb string) (int, []byte) {
	return p.request(http.MethodPost, "/v1/calls/"+url.PathEscape(p.callID)+"/"+verb)
}

func (p *actor) api(args []string) {
	code, body := p.command(args[0])
	require.Equal(p.t, 200, code, "%s: %s", p.line, body)
}

func (p *actor) apiCannot(args []string) {
	code, body := p.command(args[0])
	require.Equal(p.t, 409, code, "%s: %s", p.line, body)
}

// statusIs asks as a platform does, by the Call-ID of either leg.
func (p *actor) statusIs(args []string) {
	ids := []string{p.callID}
	if p.arrival != nil {
		ids = append(ids, p.arrival.line.Leg().CallID())
		if id := p.arrival.headers["X-Consent-Id"]; id != "" {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		code, body := p.request(http.MethodGet, "/v1/calls/"+url.PathEscape(id)+"/consent")
		require.Equal(p.t, 200, code, p.line)
		require.LessOrEqual(p.t, len(body), 1024)
		var got struct{ Status, Recording string }
		p.must(json.NewDecoder(bytes.NewReader(body)).Decode(&got))
		require.Equal(p.t, args, []string{got.Status, got.Recording}, "%s: by %s", p.line, id)
	}
}
