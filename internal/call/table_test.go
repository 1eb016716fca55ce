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

// moments says what becomes of a call (a cell) that is in a state (a row) when
// something happens (a column): to the trunk's leg (t:), to the platform's (p:),
// or to the gateway. The cell is how the call ends, or that it goes on.
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
ending    ended    ended  ended      ended    ended   acked   ended  ended  ended      ended    ended   acked   ended  ended  ended  ended  calls    gone   ended
`

// causes says of every cell which cause of the end the record has.
func causes() map[string]string {
	return map[string]string{
		"on": "caller hung up", "ended": "caller hung up", "gone": "caller hung up",
		"caller": "caller hung up", "agent": "agent hung up", "cancel": "caller cancelled",
		"noack": "caller did not acknowledge", "noackp": "agent did not acknowledge",
		"lost": "caller never sent anything for 1ns", "lostp": "agent never sent anything for 1ns",
		"hold": "caller was on hold and sent nothing for 1ns", "holdp": "agent was on hold and sent nothing for 1ns",
		"none": "no target answered", "moved": errNoTransfer.Error(),
		"api": errHungUpByAPI.Error(), "stop": "gateway stopping",
	}
}

// senseless says of every other cell why there is no such case.
var senseless = map[string]string{
	"notag":  "no response has named a dialog to send it in (RFC 3261 section 12.1)",
	"noansw": "there is no answer to acknowledge",
	"acked":  "every answer has been acknowledged, and there is no dialog for another one",
	"nocall": "nobody has admitted the call yet: there is none to hang up",
	"nobody": "no target has been dialed",
	"calls":  "only who sent the INVITE can cancel it (RFC 3261 section 9.1)",
}

// moment is one case of the table: a call with a caller and a platform of its
// own. It fails without the others.
type moment struct {
	*house
	name, state, event, cell string
	crosses                  bool // the platform's answer crosses our CANCEL
	called                   string
	trunk, desk              *peer
	caller                   *link
	tape                     *memory
	arrived                  chan struct{} // closed when the INVITE is here
	admit                    chan struct{} // closed to let it in
	storing                  chan struct{} // closed when a yes is to be stored
	store                    chan struct{} // closed to store it
	stopped                  chan struct{} // closed when the gateway has been stopped
	obeyed                   chan error    // what the API says
	faults                   []string
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
			require.FailNow(c, "did not come: "+what, "%s", c.trunk.owed())
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

func TestWhateverHappensAtWhateverMoment(t *testing.T) {
	var rest, stops []*moment
	lines := strings.Split(strings.TrimSpace(moments), "\n")
	events := strings.Fields(lines[0])[1:]
	for _, line := range lines[1:] {
		row := strings.Fields(line)
		require.Len(t, row, 1+len(events), row[0])
		for i, cell := range row[1:] {
			c := &moment{state: row[0], event: events[i], cell: cell, name: row[0] + " " + events[i]}
			if senseless[cell] != "" {
				continue
			}
			require.Contains(t, causes(), cell, c.name)
			if c.event == "stop" {
				stops = append(stops, c)
			} else {
				rest = append(rest, c)
			}
		}
	}
	t.Run("in a call", func(t *testing.T) { play(t, rest) })
	t.Run("in the gateway", func(t *testing.T) { play(t, stops) })
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
	h.ctx, h.ring, h.t1, h.storeFor = ctx, nil, 100*time.Millisecond, 4*patience
	byID := map[string]*moment{}
	for i, c := range cases {
		c.prepare(h, i)
		byID[c.name] = c
	}
	h.arrives = func(in *sip.Incoming) {
		if c := byID[in.CallID()]; c != nil && c.state == "arrived" {
			close(c.arrived)
			<-c.admit
		}
	}
	h.open()
	var once sync.Map
	h.store.Fail(func(m storetest.Method, r *consent.Record) storetest.Fault {
		if r == nil || r.Outcome != consent.Given || byID[r.Call.TrunkCallID] == nil {
			return storetest.Fault{}
		}
		c := byID[r.Call.TrunkCallID]
		if _, again := once.LoadOrStore(c.name, true); !again {
			close(c.storing)
		}
		return storetest.Fault{Until: c.store}
	})
	var reached, done sync.WaitGroup
	reached.Add(len(cases))
	slots := make(chan struct{}, 40)
	for _, c := range cases {
		if c.event != "stop" {
			slots <- struct{}{}
		}
		done.Go(func() {
			defer func() {
				if c.event != "stop" {
					<-slots
				}
			}()
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
