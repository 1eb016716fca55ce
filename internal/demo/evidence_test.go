package demo

import (
	"math"
	"slices"
	"time"

	"consentgw/consent"
	"consentgw/internal/g711"
	"consentgw/internal/phone"
)

// noon is when the calls of these tests begin.
var noon = time.Date(2026, 3, 12, 12, 0, 0, 0, time.UTC)

// The call of these tests: one packet each 20 ms, a permit before the
// talk, both voices from the first moment to the last.
const (
	storedAfter = 10 * time.Second
	talkFrom    = 550 // the first packet that is copied
	stopAt      = 700 // where a withdrawal comes
	endAt       = 900
)

func at(packet int) time.Time { return noon.Add(time.Duration(packet) * 20 * time.Millisecond) }

// voice is what one party sends during the whole call.
func voice(hertz float64) (list []phone.Packet) {
	payload := make([]byte, 160)
	for i := range payload {
		payload[i] = g711.EncodeA(int16(6000 * math.Sin(2*math.Pi*hertz*float64(i)/8000)))
	}
	for n := range endAt {
		list = append(list, phone.Packet{At: at(n), Seq: uint16(65000 + n), Timestamp: uint32(n * 160), SSRC: 7, Type: 8, Payload: payload})
	}
	return list
}

// recorded is what the recorder has of a party, from one packet to before
// another.
func recorded(sent []phone.Packet, from, to int, ssrc uint32) []phone.Packet {
	copies := slices.Clone(sent[from:to])
	for i := range copies {
		copies[i].SSRC = ssrc
		copies[i].At = copies[i].At.Add(300 * time.Microsecond)
	}
	return copies
}

// lawful returns one of the three calls as it should be, played without a
// gateway.
func lawful(number int) *scene {
	sc := scenes()[number-1]
	sc.begun, sc.told, sc.answers = noon, sc.want.told, slices.Clone(sc.want.api)
	sc.caller.sent, sc.agent.sent = voice(440), voice(660)
	sc.caller.heard, sc.agent.heard = sc.agent.sent[talkFrom:], sc.caller.sent[talkFrom:]
	r := consent.NewRecord(consent.RecordID("01890000-0000-7000-8000-00000000000"+string(rune('0'+number))), "demo", "demo/1", consent.Policy{},
		consent.Call{TrunkCallID: "call-1", InvitedAt: noon})
	r.Notice.Complete = sc.want.outcome != consent.Refused
	r.Outcome, r.Status = sc.want.outcome, sc.want.outcome.Status()
	r.Press = &consent.Press{Key: sc.key, Method: "rfc4733", At: noon.Add(storedAfter - time.Second)}
	r.DecidedAt = noon.Add(storedAfter - time.Millisecond)
	sc.record = r
	r.Call.EndedAt = at(endAt)
	if sc.want.outcome == consent.Refused {
		return sc
	}
	r.StoredAt = noon.Add(storedAfter)
	stop := endAt
	if sc.want.outcome == consent.Withdrawn {
		stop = stopAt
		r.Withdrawal = &consent.Withdrawal{At: at(stop).Add(-time.Millisecond), Method: "key"}
	}
	sc.caller.copies, sc.agent.copies = recorded(sc.caller.sent, talkFrom, stop, 21), recorded(sc.agent.sent, talkFrom, stop, 22)
	r.Recordings = []consent.Recording{{Recorder: "archive", State: consent.RecordingOff, OpenedAt: at(talkFrom - 1), ClosedAt: at(stop),
		FirstPacketAt: at(talkFrom), LastPacketAt: at(stop - 1),
		Caller: consent.Copies{SSRC: 21, Packets: uint64(len(sc.caller.copies))},
		Agent:  consent.Copies{SSRC: 22, Packets: uint64(len(sc.agent.copies))}}}
	return sc
}

// copyMore lets the recorder have a packet more, and the gateway count it.
func (sc *scene) copyMore(p phone.Packet) {
	sc.caller.copies = append(sc.caller.copies, p)
	sc.record.Recordings[0].Caller.Packets++
}
