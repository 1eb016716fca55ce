package siprec

import (
	"slices"

	"consentgw/internal/media"
	"consentgw/internal/sdp"
)

// firstDynamic is the first payload type that has no meaning of its own (RFC 3551
// section 6).
const firstDynamic = 96

// spoken is the codec that the copies of a stream come in.
func (m Moment) spoken(label string) sdp.Codec {
	c := m.Caller
	if label == agentLabel {
		c = m.Agent
	}
	if c.Name == "" {
		return sdp.PCMA()
	}
	return c
}

// sounds reports whether what a recorder took at one moment serves at another.
func (m Moment) sounds(before Moment) bool {
	return !slices.ContainsFunc([]string{callerLabel, agentLabel}, func(label string) bool {
		return !media.CodecOf(m.spoken(label)).ConvertsTo(media.CodecOf(before.spoken(label)))
	})
}

// tells reports whether who knows of one moment knows enough of another.
func (m Moment) tells(before Moment) bool {
	return m.State == before.State && len(m.Transfers) == len(before.Transfers) && m.Session == before.Session && m.sounds(before) &&
		slices.Equal(m.Record.TakenBack(), before.Record.TakenBack())
}

// codecs are what a stream is offered in: as it is spoken, and what the outlet
// makes of that. r.mu is held.
func (r *Recording) codecs(spoken sdp.Codec) []sdp.Codec {
	list := []sdp.Codec{r.numbered(spoken)}
	switch media.CodecOf(spoken) {
	case media.PCMA, media.PCMU, media.G722:
		for _, law := range []sdp.Codec{sdp.PCMA(), sdp.PCMU()} {
			if !law.Same(spoken) {
				list = append(list, law)
			}
		}
	}
	if r.cfg.Keys {
		list = append(list, r.numbered(sdp.Event(spoken.Rate, firstDynamic)))
	}
	return list
}

// numbered gives a codec a payload type that means nothing else for as long as the
// recording lasts (RFC 3264 section 8.3.2). The party's own may come to mean another
// codec with the next agent.
func (r *Recording) numbered(c sdp.Codec) sdp.Codec {
	if c.PT < firstDynamic {
		return c
	}
	i := slices.IndexFunc(r.numbers, func(n sdp.Codec) bool { return n.Same(c) && n.Fmtp == c.Fmtp })
	if i < 0 && len(r.numbers) < 128-firstDynamic {
		i, r.numbers = len(r.numbers), append(r.numbers, c)
	}
	c.PT = uint8(firstDynamic + max(i, 0))
	return c
}

// formats are those of a description of the recorder that we offered for a stream,
// under its payload types, and whether we said last that we send.
func (r *Recording) formats(st *stream, theirs []sdp.Codec) (list []media.Format, speaking bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range common(st.offered, theirs) {
		list = append(list, media.Format{Codec: media.CodecOf(c), PayloadType: c.PT})
	}
	return list, r.speaking
}

// common are the codecs of theirs that are in ours too.
func common(ours, theirs []sdp.Codec) (list []sdp.Codec) {
	for _, c := range theirs {
		if slices.ContainsFunc(ours, c.Same) {
			list = append(list, c)
		}
	}
	return list
}
