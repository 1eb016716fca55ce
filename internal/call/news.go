package call

import (
	"time"

	"consentgw/consent"
	"consentgw/internal/sdp"
)

// News is how a call stands, as far as a recorder gets to know.
type News struct {
	State  consent.RecordingState
	Record *consent.Record // a snapshot; nobody changes it
	// Caller and Agent are the codecs that the copies of the two come in.
	Caller, Agent sdp.Codec
	// Transfers are when one agent took the place of another, in order.
	Transfers []time.Time
	// Session is the Session-ID of the two parties (RFC 7989 section 5), the asked
	// one's half first; empty if neither has one of its own.
	Session string
}

// news is how the call stands now.
func (c *Call) news() News {
	n := News{State: c.tapeState(), Record: c.rec.Clone(), Caller: c.asked.agreed.Audio, Agent: c.agent.agreed.Audio,
		Transfers: c.tape.transfers[:len(c.tape.transfers):len(c.tape.transfers)]}
	gateway := c.rec.Call.Signalled.Sessions.Gateway
	asked, agent := c.asked.session(), c.agent.session()
	switch {
	case asked == "" && agent == "":
	case asked == "":
		n.Session = gateway + ";remote=" + agent // it stands for who has none
	case agent == "":
		n.Session = asked + ";remote=" + gateway
	default:
		n.Session = asked + ";remote=" + agent
	}
	return n
}

// session is the far end's half of the Session-ID; empty if it sent none.
func (p *party) session() string {
	if p.leg == nil {
		return ""
	}
	return p.leg.SessionID()
}

// tapeState is what a recorder is to be told of now.
func (c *Call) tapeState() consent.RecordingState {
	switch {
	case !c.tape.permit.Valid():
		return consent.RecordingOff
	case c.shutReason() != "":
		return consent.RecordingPaused
	}
	return consent.RecordingOn
}

// tellRecorders leaves the news with every recorder that wants it, and with every
// party.
func (c *Call) tellRecorders() {
	news := c.news()
	for _, o := range c.tape.open {
		news := news // each its own
		if o.over {
			news.State = consent.RecordingOff // its purposes were taken back
		}
		if f, ok := o.Recording.(Follower); ok {
			f.Follow(news)
		}
	}
	c.indicate()
}
