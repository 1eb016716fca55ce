package recordserver

import (
	"slices"
	"strings"

	"consentgw/internal/sdp"
	"consentgw/internal/siprecxml"
	"consentgw/sip"
)

// dislike keeps what was wrong, and tells.
func (s *Session) dislike(text string) {
	s.mu.Lock()
	s.disliked = append(s.disliked, text)
	s.mu.Unlock()
	s.server.tell(Event{Session: s.name, Type: "disliked", Text: text})
}

// judge holds a request of the recording client against RFC 7866 and RFC 7865,
// and keeps its metadata.
func (s *Session) judge(doc sip.Document, first bool) {
	where := doc.Method + ": "
	if first && !contains(doc.Required, "siprec") {
		s.dislike(where + "no Require: siprec (RFC 7866 section 6.1.1)")
	}
	_, params, _ := strings.Cut(doc.Contact, ">")
	if !contains(strings.Split(params, ";"), "+sip.src") {
		s.dislike(where + "no +sip.src in the Contact (RFC 7866 section 6.1.1)")
	}
	if first && !strings.HasPrefix(strings.ToLower(doc.ContentType), "multipart/mixed") {
		s.dislike(where + "not a multipart/mixed of a description and metadata (RFC 7866 section 9.1)")
	}
	message, faults := siprecxml.Decode(doc.ContentType, doc.Disposition, doc.Body)
	for _, f := range faults {
		s.dislike(where + f.Error())
	}
	labels, ok := s.judgeOffer(where, message.SDP)
	if len(message.Metadata) == 0 {
		if first {
			s.dislike(where + "no metadata (RFC 7866 section 9.1)")
		}
		return
	}
	s.mu.Lock()
	recording, faults := s.book.Read(message.Metadata)
	known := s.book.Labels()
	s.keep(message.Metadata)
	if recording != nil {
		s.documents = append(s.documents, recording)
	}
	s.mu.Unlock()
	for _, f := range faults {
		s.dislike(where + "metadata: " + f.Error())
	}
	if ok && recording != nil && !slices.Equal(labels, known) {
		s.dislike(where + "the labels of the metadata are not those of the description (RFC 7866 section 9.1)")
	}
	if !ok && recording != nil && slices.ContainsFunc(recording.Streams, func(st siprecxml.Stream) bool { return st.Label != "" }) {
		s.dislike(where + "labels without the description that defines them (RFC 7866 section 9.1)")
	}
}

func contains(list []string, want string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), want) })
}

// judgeOffer checks a description and returns its labels in order; ok is false
// without one.
func (s *Session) judgeOffer(where string, body []byte) (labels []string, ok bool) {
	if body == nil {
		return nil, false
	}
	offer, err := sdp.Parse(body)
	if err != nil {
		s.dislike(where + "the description cannot be read")
		return nil, false
	}
	for i := range offer.Media {
		m := &offer.Media[i]
		label := labelOf(m)
		switch {
		case label == "":
			s.dislike(where + "a media line without a=label (RFC 7866 section 7.1.1)")
		case slices.Contains(labels, label):
			s.dislike(where + "one label on two media lines (RFC 4574)")
		}
		if m.Port != 0 && m.Direction != sdp.SendOnly && m.Direction != sdp.Inactive {
			s.dislike(where + "a media line that is neither sendonly nor inactive (RFC 7866 section 7.1.1)")
		}
		if m.Port != 0 {
			labels = append(labels, label)
			s.judgeKeys(where, m)
		}
	}
	s.judgeChange(where, offer)
	slices.Sort(labels)
	return labels, true
}

// judgeKeys checks that a line is encrypted if it says so, and says so if it is (RFC
// 4568 section 6, RFC 7866 section 12.2).
func (s *Session) judgeKeys(where string, m *sdp.Media) {
	switch secure := strings.HasPrefix(m.Proto, "RTP/SAVP"); {
	case secure && len(m.Crypto) == 0:
		s.dislike(where + "a media line of SRTP without a key (RFC 4568)")
	case !secure && len(m.Crypto) > 0:
		s.dislike(where + "a key on a media line that is in clear (RFC 4568)")
	}
	if len(m.Codecs) == 0 {
		s.dislike(where + "a media line without a format that can be read")
	}
	if !m.Addr.IsValid() || m.Addr.IsUnspecified() {
		s.dislike(where + "a media line without an address (RFC 3264 section 5)")
	}
}

// judgeChange compares with the description before (RFC 3264 section 8).
func (s *Session) judgeChange(where string, offer *sdp.Session) {
	s.mu.Lock()
	var before *sdp.Session
	if n := len(s.offers); n > 0 {
		before = s.offers[n-1]
	}
	s.mu.Unlock()
	if before == nil {
		return
	}
	if len(offer.Media) < len(before.Media) {
		s.dislike(where + "fewer media lines than before (RFC 3264 section 8)")
		return
	}
	for i := range before.Media {
		if labelOf(&offer.Media[i]) != labelOf(&before.Media[i]) {
			s.dislike(where + "a media line has another label than before (RFC 7866 section 7.1.1)")
		}
	}
	if offer.ID != before.ID || offer.Version != before.Version+1 && offer.Version != before.Version {
		s.dislike(where + "the origin line does not go on from the one before (RFC 3264 section 8)")
	}
}

func labelOf(m *sdp.Media) string {
	for _, a := range m.Attributes {
		if strings.EqualFold(a.Key, "label") {
			return a.Value
		}
	}
	return ""
}

// fileName keeps of a label what is safe in the name of a file.
func fileName(label string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, label[:min(len(label), 32)])
}
