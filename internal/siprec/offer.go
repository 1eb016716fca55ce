package siprec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"time"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/internal/sdp"
	"consentgw/internal/siprecxml"
	"consentgw/sip"
)

// errAnswer: a description of the recorder that cannot be used.
var errAnswer = errors.New("unusable description")

// describe is our session description, a version later than the last: one line
// a direction, labelled, and nothing comes back (RFC 7866 section 7.1.1).
func (r *Recording) describe(sending bool) *sdp.Session {
	r.mu.Lock()
	r.version++
	r.speaking = sending
	version := r.version
	var keys [][]sdp.Crypto
	for _, st := range r.streams {
		keys = append(keys, st.keys)
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
			Codecs:     []sdp.Codec{sdp.PCMA(), sdp.PCMU()},
			Attributes: []sdp.Attribute{{Key: "label", Value: st.label}},
		})
	}
	return s
}

// body is the description and the metadata of one request.
func (d *dialogue) body(now moment, complete bool) (sip.Body, error) {
	view := siprecxml.View{Record: now.record, State: now.state, Since: d.since, Namespace: d.cfg.Metadata.Namespace}
	view.Caller, view.Agent = d.parties(now.record)
	if now.state == consent.RecordingOff {
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
	kind, bytes, err := siprecxml.Message{SDP: d.describe(now.state == consent.RecordingOn).Marshal(),
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

// direct sends the copies to where the recorder's description says.
func (r *Recording) direct(body []byte) error {
	ways, err := r.ways(body)
	if err != nil {
		r.stop()
		return err
	}
	return r.follow(ways)
}

// follow sends the copies along; a zero destination stops a stream.
func (r *Recording) follow(ways []media.Destination) error {
	for i, to := range ways {
		if !to.Addr.IsValid() {
			r.streams[i].outlet.Stop()
			continue
		}
		if err := r.streams[i].outlet.Direct(to); err != nil {
			r.stop()
			return fmt.Errorf("%w: %w", errAnswer, err)
		}
	}
	return nil
}

// ways reads where the recorder wants the copies of each stream. It is nowhere
// while we said that we send nothing, and for what it does not want: a line it
// refused, or one that it does not say it receives on, whatever we had offered.
func (r *Recording) ways(body []byte) ([]media.Destination, error) {
	answer, err := sdp.Parse(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	if len(answer.Media) != len(r.streams) {
		return nil, fmt.Errorf("%w: %d media lines for %d", errAnswer, len(answer.Media), len(r.streams))
	}
	r.mu.Lock()
	speaking := r.speaking
	r.mu.Unlock()
	ways, taken := make([]media.Destination, len(r.streams)), 0
	for i := range r.streams {
		m := &answer.Media[i]
		types := laws(m)
		if m.Port == 0 || len(types) == 0 {
			continue
		}
		taken++
		seal, err := r.protect(r.streams[i], m)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
		if !speaking || m.Direction == sdp.SendOnly || m.Direction == sdp.Inactive {
			continue
		}
		to := netip.AddrPortFrom(m.Addr, uint16(m.Port))
		if r.cfg.Taken(to) {
			return nil, fmt.Errorf("%w: a media socket of the gateway itself", errAnswer)
		}
		if err := media.UsableFar(to, netip.Addr{}); err != nil {
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
		ways[i] = media.Destination{Addr: to, Types: types, Seal: seal}
	}
	if taken == 0 {
		return nil, fmt.Errorf("%w: no stream was accepted", errAnswer)
	}
	return ways, nil
}

// laws are the payload types of G.711 that a line takes, in its order.
func laws(m *sdp.Media) (types []uint8) {
	for _, c := range m.Codecs {
		if c.PT == 8 && c.Same(sdp.PCMA()) || c.PT == 0 && c.Same(sdp.PCMU()) {
			types = append(types, c.PT)
		}
	}
	return types
}

// offered answers a description that the recorder offers of itself, such as a
// hold of its own or another address; nil asks for ours. With SRTP it is refused:
// an offer has keys of its own, and ours must not begin anew.
func (d *dialogue) offered(body []byte) ([]byte, error) {
	sending := d.now().state == consent.RecordingOn
	if body == nil {
		return d.describe(sending).Marshal(), nil
	}
	if d.cfg.SRTP {
		return nil, errAnswer
	}
	offer, err := sdp.Parse(body)
	if err != nil {
		return nil, err
	}
	answer := d.describe(sending)
	if len(offer.Media) != len(answer.Media) {
		return nil, errAnswer // a recorder adds no lines (RFC 7866 section 7.2)
	}
	if err := d.direct(body); err != nil {
		return nil, err
	}
	for i := range answer.Media {
		ours, theirs := &answer.Media[i], &offer.Media[i]
		switch {
		case theirs.Port == 0:
			ours.Port = 0
		case theirs.Direction == sdp.Inactive || theirs.Direction == sdp.SendOnly:
			ours.Direction = sdp.Inactive
		}
		ours.Codecs = common(ours.Codecs, laws(theirs))
	}
	return answer.Marshal(), nil
}

func common(codecs []sdp.Codec, types []uint8) (list []sdp.Codec) {
	for _, pt := range types {
		for _, c := range codecs {
			if c.PT == pt {
				list = append(list, c)
			}
		}
	}
	if list == nil {
		return codecs
	}
	return list
}
