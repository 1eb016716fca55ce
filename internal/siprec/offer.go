package siprec

import (
	"encoding/binary"
	"errors"
	"regexp"
	"strconv"
	"time"

	"consentgw/consent"
	"consentgw/internal/sdp"
	"consentgw/internal/siprecxml"
	"consentgw/sip"
)

// errAnswer: a description of the recorder that cannot be used.
var errAnswer = errors.New("unusable description")

// describe is our session description, a version later than the last: one line
// a direction, labelled, and nothing comes back (RFC 7866 section 7.1.1).
func (r *Recording) describe(now Moment) *sdp.Session {
	sending := now.State == consent.RecordingOn
	r.mu.Lock()
	r.version++
	r.speaking = sending
	version := r.version
	var keys [][]sdp.Crypto
	var codecs [][]sdp.Codec
	for _, st := range r.streams {
		st.offered = r.codecs(now.spoken(st.label))
		keys, codecs = append(keys, st.keys), append(codecs, st.offered)
	}
	r.mu.Unlock()
	// Even whoever sees two recorders of one call cannot tell by o= that they are.
	s := &sdp.Session{ID: binary.BigEndian.Uint64(r.id[8:]) >> 2, Version: version}
	for i, st := range r.streams {
		local := r.cfg.Ports.Public(st.outlet.Local())
		s.Addr = local.Addr()
		direction := sdp.Inactive
		if sending {
			direction = sdp.SendOnly
		}
		s.Media = append(s.Media, sdp.Media{
			Kind: "audio", Port: int(local.Port()), Proto: r.proto(), Addr: local.Addr(), Direction: direction, Ptime: 20, Crypto: keys[i],
			Codecs: codecs[i], RTCPMux: true,
			Attributes: []sdp.Attribute{{Key: "label", Value: st.label}},
		})
	}
	return s
}

// body is the description and the metadata of one request.
func (d *dialogue) body(now Moment, complete bool) (sip.Body, error) {
	view := siprecxml.View{Record: now.Record, State: now.State, Since: d.since, Namespace: d.cfg.Metadata.Namespace,
		Transfers: now.Transfers, Session: now.Session}
	view.Caller, view.Agent = d.parties(now.Record)
	if now.State == consent.RecordingOff {
		view.Until = time.Now()
	}
	write := view.Partial
	if complete {
		write = view.Complete
	}
	doc, err := write()
	if err != nil {
		return sip.Body{}, err
	}
	metadata, err := doc.Marshal()
	if err != nil {
		return sip.Body{}, err
	}
	kind, bytes, err := siprecxml.Message{SDP: d.describe(now).Marshal(),
		Metadata: metadata, MediaType: d.cfg.Metadata.MediaType}.Encode()
	return sip.Body{ContentType: kind, Bytes: bytes}, err
}

// dialable is what may stand in a tel URI (RFC 3966 section 3).
var dialable = regexp.MustCompile(`^\+?[0-9]{1,32}$`)

// parties names the two as far as the configuration lets us.
func (r *Recording) parties(record *consent.Record) (caller, agent siprecxml.Party) {
	caller.AOR, agent.AOR = "sip:caller@anonymous.invalid", "sip:agent@anonymous.invalid"
	if r.cfg.Metadata.Numbers {
		if dialable.MatchString(record.Subject) {
			caller.AOR = "tel:" + record.Subject
		}
		if record.Call.Direction != "outbound" && dialable.MatchString(record.Call.Called) { // the callee's is Subject then
			agent.AOR = "tel:" + record.Call.Called
		}
	}
	agent.Params = r.cfg.Metadata.Agent
	for _, s := range r.streams {
		if s.label == callerLabel {
			caller.Label = s.label
		} else {
			agent.Label = s.label
		}
	}
	return caller, agent
}

func accepts() []sip.Header {
	return []sip.Header{{Name: "Accept", Value: "application/sdp, " + siprecxml.MediaType + ", " + siprecxml.OldMediaType}}
}

func (r *Recording) headers(record *consent.Record) []sip.Header {
	headers := accepts()
	if name := r.cfg.Metadata.RetentionHeader; name != "" {
		if n := days(record.Terms.Retention.Recording); n > 0 {
			headers = append(headers, sip.Header{Name: name, Value: strconv.Itoa(n) + "d"})
		}
	}
	return headers
}

var period = regexp.MustCompile(`^P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?$`)

// days is an ISO 8601 period in whole days, a month being 30 and a year 365; 0
// if it is none.
func days(s string) int {
	m := period.FindStringSubmatch(s)
	if m == nil {
		return 0
	}
	total := 0
	for i, unit := range []int{365, 30, 7, 1} {
		n, _ := strconv.Atoi(m[i+1])
		total += n * unit
	}
	return total
}

// offered answers a description that the recorder offers of itself, such as a
// hold of its own or another address; nil asks for ours. With SRTP it is refused:
// an offer has keys of its own, and ours must not begin anew.
func (d *dialogue) offered(body []byte) ([]byte, error) {
	if body == nil {
		return d.describe(d.now()).Marshal(), nil
	}
	if d.cfg.SRTP {
		return nil, errAnswer
	}
	offer, err := sdp.Parse(body)
	if err != nil {
		return nil, err
	}
	answer := d.describe(d.now())
	if len(offer.Media) != len(answer.Media) {
		return nil, errAnswer // a recorder adds no lines (RFC 7866 section 7.2)
	}
	if err := d.direct(body); err != nil {
		return nil, err
	}
	for i := range answer.Media {
		ours, theirs := &answer.Media[i], &offer.Media[i]
		ours.RTCPMux = theirs.RTCPMux
		switch {
		case theirs.Port == 0:
			ours.Port = 0
		case theirs.Direction == sdp.Inactive || theirs.Direction == sdp.SendOnly:
			ours.Direction = sdp.Inactive
		}
		if both := common(ours.Codecs, theirs.Codecs); both != nil {
			ours.Codecs = both
		} else {
			ours.Port = 0
		}
	}
	return answer.Marshal(), nil
}
