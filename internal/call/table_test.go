package call

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/storetest"
	"consentgw/sip"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// moments says what becomes of a call from the trunk (a cell) that is in a state (a
// row) when something happens (a column): to the trunk's leg (t:), to the
// platform's (p:), or to the gateway. The cell is how the call ends, or that it
// goes on.
const moments = `
state     t:cancel t:bye  t:reinvite t:update t:refer t:noack t:dies p:bye  p:reinvite p:update p:refer p:noack p:dies p:486  p:503  p:603  p:cancel api    stop
arrived   cancel   notag  notag      notag    notag   noansw  noack  nobody nobody     nobody   nobody  nobody  nobody nobody nobody nobody calls    nocall stop
answered  on       caller on         on       on      noack   noack  nobody nobody     nobody   nobody  nobody  nobody nobody nobody nobody calls    api    stop
notice    on       caller on         on       on      noack   lost   nobody nobody     nobody   nobody  nobody  nobody nobody nobody nobody calls    api    stop
storing   on       caller on         on       on      noack   lost   nobody nobody     nobody   nobody  nobody  nobody nobody nobody nobody calls    api    stop
telling   on       caller on         on       on      noack   lost   nobody nobody     nobody   nobody  nobody  nobody nobody nobody nobody calls    api    stop
dialing   on       caller on         on       on      noack   lost   notag  notag      notag    notag   noansw  none   none   none   none   calls    api    stop
ringing   on       caller on         on       on      noack   lost   on     on         on       on      on      none   none   none   none   calls    api    stop
early     on       caller on         on       on      noack   lost   on     on         on       on      on      none   none   none   none   calls    api    stop
calling   on       caller on         on       on      noack   lost   on     on         on       on      on      none   none   none   none   calls    api    stop
waiting   on       caller on         on       on      noack   lost   on     on         on       on      on      lostp  on     on     on     calls    api    stop
connected on       caller on         on       on      noack   lost   agent  on         on       on      noackp  lostp  on     on     on     calls    api    stop
recording on       caller on         on       on      noack   lost   agent  on         on       on      noackp  lostp  on     on     on     calls    api    stop
held      on       caller on         on       on      noack   hold   agent  on         on       on      noackp  lostp  on     on     on     calls    api    stop
parked    on       caller on         on       on      noack   lost   agent  on         on       on      noackp  holdp  on     on     on     calls    api    stop
moving    on       caller on         on       on      noack   lost   on     on         on       on      on      lostp  on     on     on     calls    api    stop
deserted  on       caller on         on       on      noack   lost   on     on         on       on      on      moved  moved  moved  moved  calls    api    stop
taken     on       caller on         on       on      noack   lost   agent  on         on       on      noackp  lostp  called called called on       api    stop
ending    ended    ended  ended      ended    ended   acked   ended  ended  ended      ended    ended   acked   ended  ended  ended  ended  calls    gone   ended
`

// outMoments says the same of a call from the platform: the agent has sent the
// INVITE, and the callee is asked.
const outMoments = `
state     t:cancel t:bye  t:reinvite t:update t:refer t:noack t:dies  t:486  t:503  t:603    p:bye  p:reinvite p:update p:refer p:noack p:dies p:cancel p:486  p:503  p:603  api    stop
arrived   calls    nobody nobody     nobody   nobody  nobody  nobody  nobody nobody nobody   notag  notag      notag    notag   noansw  noackp cancel   called called called nocall stop
dialing   calls    notag  notag      notag    notag   noansw  mute    busy   refuse decline  notag  notag      notag    notag   noansw  noackp cancel   called called called api    stop
ringing   calls    on     on         on       on      on      mute    busy   refuse decline  cancel on         on       on      noansw  noackp cancel   called called called api    stop
early     calls    on     on         on       on      on      mute    busy   refuse decline  cancel on         on       on      noansw  noackp cancel   called called called api    stop
answered  calls    callee on         on       on      noack   lost    on     on     on       agent  on         on       on      noackp  noackp on       called called called api    stop
notice    calls    callee on         on       on      noack   lost    on     on     on       agent  on         on       on      noackp  lostp  on       called called called api    stop
storing   calls    callee on         on       on      noack   lost    on     on     on       agent  on         on       on      noackp  lostp  on       called called called api    stop
telling   calls    callee on         on       on      noack   lost    on     on     on       agent  on         on       on      noackp  lostp  on       called called called api    stop
connected calls    callee on         on       on      noack   lost    on     on     on       agent  on         on       on      noackp  lostp  on       called called called api    stop
recording calls    callee on         on       on      noack   lost    on     on     on       agent  on         on       on      noackp  lostp  on       called called called api    stop
held      calls    callee on         on       on      noack   hold    on     on     on       agent  on         on       on      noackp  lostp  on       called called called api    stop
parked    calls    callee on         on       on      noack   lost    on     on     on       agent  on         on       on      noackp  holdp  on       called called called api    stop
moving    calls    callee on         on       on      noack   lost    on     on     on       on     on         on       on      on      lostp  on       on     on     on     api    stop
deserted  calls    callee on         on       on      noack   lost    on     on     on       on     on         on       on      on      moved  on       moved  moved  moved  api    stop
taken     calls    callee on         on       on      noack   lost    on     on     on       agent  on         on       on      noackp  lostp  on       called called called api    stop
ending    calls    ended  ended      ended    ended   acked   ended   ended  ended  ended    ended  ended      ended    ended   acked   ended  ended    called called called gone   ended
`

// causes says of every cell which cause of the end the record has, if asked is who
// is asked.
func causes(asked string) map[string]string {
	return map[string]string{
		"ended": asked + " hung up", "gone": asked + " hung up", asked: asked + " hung up", "agent": "agent hung up",
		"noack": asked + " did not acknowledge", "noackp": "agent did not acknowledge",
		"lost": asked + " never sent anything for 1ns", "lostp": "agent never sent anything for 1ns",
		"hold": asked + " was on hold and sent nothing for 1ns", "holdp": "agent was on hold and sent nothing for 1ns",
		"none": "no target answered", "moved": errNoTransfer.Error(),
		"busy": "callee was busy", "decline": "callee declined", "refuse": "trunk did not take the call", "mute": "callee did not answer",
		"api": errHungUpByAPI.Error(), "stop": "gateway stopping",
	}
}

// senseless says of every other cell why there is no such case.
var senseless = map[string]string{
	"notag":  "no response has named a dialog to send it in (RFC 3261 section 12.1)",
	"noansw": "there is no answer to acknowledge",
	"acked":  "every answer has been acknowledged, and there is no dialog for another one",
	"nocall": "nobody has admitted the call yet: there is none to hang up",
	"nobody": "nobody has been called on that side",
	"calls":  "only who sent the INVITE can cancel it (RFC 3261 section 9.1)",
	"called": "only who was sent the INVITE can answer it",
}

// moment is one case of the table: a call with a telephone of its own on either
// side. It fails without the others.
type moment struct {
	*house
	name, state, event, cell string
	out                      bool // the platform calls
	crosses                  bool // the platform's answer crosses our CANCEL
	called                   string
	trunk, desk              *peer
	first                    *link // of who calls
	tape                     *memory
	signals
	left   string // how a call that went on was ended
	faults []string
}

// signals are what a case and the gateway wait for.
type signals struct {
	arrived chan struct{}  // closed when the INVITE is here
	admit   chan struct{}  // closed to let it in
	storing chan struct{}  // closed when a yes is to be stored
	keep    chan struct{}  // closed to store it
	silent  chan time.Time // closed when a choice has been waited for long enough
	stopped chan struct{}  // closed when the gateway has been stopped
	obeyed  chan error     // what the API says
}

// Errorf and FailNow make a moment a [require.TestingT].
func (c *moment) Errorf(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (c *moment) FailNow() { runtime.Goexit() }

// waits waits for what a peer or the gateway does.
func (c *moment) waits(what string, ok func() bool) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			require.FailNow(c, "did not come: "+what, "%s %s", c.trunk.owed(), c.desk.owed())
		}
	}
}

// record waits until the record of the live call is as ok wants it.
func (c *moment) record(what string, ok func(*consent.Record) bool) {
	c.waits(what, func() bool {
		r, found := c.svc.Find(c.name)
		return found && ok(r)
	})
}

// call is the gateway's side of the case.
func (c *moment) call() *Call { return c.svc.find(c.name) }

// cases are those of a table, by the house they are played in: lost ACKs need a
// signalling that does not wait for long, and only one case can stop a gateway.
func cases(t *testing.T, table string, out bool) map[string][]*moment {
	list := map[string][]*moment{}
	lines := strings.Split(strings.TrimSpace(table), "\n")
	events := strings.Fields(lines[0])[1:]
	for _, line := range lines[1:] {
		row := strings.Fields(line)
		require.Len(t, row, 1+len(events), row[0])
		for i, cell := range row[1:] {
			c := &moment{state: row[0], event: events[i], cell: cell, out: out, name: row[0] + " " + events[i]}
			if out {
				c.name = "out " + c.name
			}
			if senseless[cell] != "" {
				continue
			}
			where := "a call"
			switch {
			case c.event == "stop":
				where = "the gateway"
			case c.losesACK():
				where = "an ACK"
			case cell != "on" && cell != "cancel":
				require.Contains(t, causes(c.asked()), cell, c.name)
			}
			list[where] = append(list[where], c)
		}
	}
	return list
}

// losesACK reports whether it takes the time of a lost ACK until something happens.
func (c *moment) losesACK() bool {
	return strings.HasPrefix(c.cell, "noack") || strings.HasSuffix(c.event, ":noack")
}

func TestWhateverHappensAtWhateverMoment(t *testing.T) {
	for where, in := range cases(t, moments, false) {
		t.Run("to "+where, func(t *testing.T) { play(t, append(in, cases(t, outMoments, true)[where]...)) })
	}
}

// Our CANCEL and a 200 of the platform that cross on the wire: whoever is answered
// all the same is acknowledged and hung up on (RFC 3261 sections 9.1 and 15). The
// caller's CANCEL that comes after our 200 is in the table.
func TestACancelThatCrossesTheAnswerLeavesNoCallBehind(t *testing.T) {
	var cases []*moment
	for _, state := range []string{"dialing", "ringing", "early", "calling", "moving", "deserted"} {
		cases = append(cases, &moment{state: state, event: "t:bye", cell: "caller", name: "of the gateway " + state, crosses: true})
	}
	play(t, cases)
	for _, c := range cases {
		if c.crosses {
			assert.True(t, c.crossed(), c.name)
		}
	}
}

// crossed reports whether an answer of the platform did cross a CANCEL.
func (c *moment) crossed() bool {
	return slices.ContainsFunc(c.desk.links, func(l *link) bool { return l.cancelled && l.final == 200 && l.acked && l.over })
}

// play carries all the cases in one house.
func play(t *testing.T, cases []*moment) {
	h := newHouse(t)
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	t.Cleanup(cancel)
	h.ctx, h.ring, h.storeFor = ctx, nil, 4*patience
	if cases[0].losesACK() {
		h.t1 = 100 * time.Millisecond // an ACK is waited for for 64 of them
	}
	byID := map[string]*moment{}
	for i, c := range cases {
		c.prepare(h, i)
		byID[c.name] = c
	}
	h.after = func(d time.Duration) <-chan time.Time { return cases[d-4*patience].silent }
	h.arrives = func(in *sip.Incoming) {
		if c := byID[in.CallID()]; c != nil && c.state == "arrived" {
			close(c.arrived)
			<-c.admit
		}
	}
	h.open()
	var once sync.Map
	h.store.Fail(func(m storetest.Method, r *consent.Record) storetest.Fault {
		if r == nil || r.Outcome != consent.Given || byID[r.Call.Route] == nil {
			return storetest.Fault{}
		}
		c := byID[r.Call.Route]
		if _, again := once.LoadOrStore(c.name, true); !again {
			close(c.storing)
		}
		return storetest.Fault{Until: c.keep}
	})
	var reached, done sync.WaitGroup
	reached.Add(len(cases))
	slots := make(chan struct{}, 40) // sockets lose what comes faster than it is read
	if cases[0].event == "stop" {
		slots = make(chan struct{}, len(cases)) // they all stop at once
	}
	for _, c := range cases {
		slots <- struct{}{}
		done.Go(func() {
			defer func() { <-slots }()
			c.play(&reached)
		})
	}
	if cases[0].event == "stop" {
		reached.Wait()
		h.halt()
		for _, c := range cases {
			close(c.stopped)
		}
	}
	done.Wait()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { assert.Empty(t, c.faults) })
	}
}
