package sdp

import (
	"fmt"
	"slices"
)

// NewOffer offers one audio stream with codecs in order of preference;
// telephone-event is one of them, if wanted (RFC 3264 5). How it is encrypted,
// local says.
func NewOffer(local Local, codecs []Codec) *Session {
	s := newSession(local)
	m := Media{
		Kind: "audio", Port: local.Port, Proto: local.proto(), Addr: local.Addr,
		Direction: local.Direction, Ptime: local.Ptime, RTCPMux: local.RTCPMux,
		Codecs: slices.Clone(codecs), Formats: payloadTypes(codecs), Crypto: local.offered(),
	}
	if m.Ptime == 0 {
		m.Ptime = 20
	}
	s.Media = []Media{m}
	return s
}

// Accept returns what answer settles for offer, which is ours (RFC 3264 7). The
// far end may use payload types of its own; each direction keeps the numbers of
// the side that receives.
//
// ErrNoAudio: we offered none. ErrNoCommonCodec: the stream was refused, or the
// answer names nothing we offered. ErrMismatch: it is not an answer to offer.
// ErrNotSecured: we offered SRTP and the answer has no key for it, or a wrong one.
func Accept(offer, answer *Session) (Agreed, error) {
	if offer == nil || answer == nil {
		return Agreed{}, fmt.Errorf("%w: one of them is missing", ErrMismatch)
	}
	if len(offer.Media) != len(answer.Media) {
		return Agreed{}, fmt.Errorf("%w: %d media lines for %d", ErrMismatch, len(answer.Media), len(offer.Media))
	}
	err := ErrNoAudio
	for i := range offer.Media {
		ours, far := &offer.Media[i], &answer.Media[i]
		if ours.Kind != far.Kind {
			return Agreed{}, fmt.Errorf("%w: another kind of media in line %d", ErrMismatch, i+1)
		}
		if !ours.isAudio() || ours.Port == 0 {
			continue
		}
		var a Agreed
		if a, err = acceptMedia(ours, far); err == nil {
			a.Index = i
			return a, nil
		}
	}
	return Agreed{}, err
}

func acceptMedia(ours, far *Media) (Agreed, error) {
	if far.Port == 0 || !far.isAudio() {
		return Agreed{}, ErrNoCommonCodec
	}
	secured, err := AcceptCrypto(ours, far)
	if err != nil {
		return Agreed{}, err
	}
	a := agree(far, ours.Direction, ours.RTCPMux)
	answered := answeredCodecs(ours, far)
	i := slices.IndexFunc(answered, func(c Codec) bool {
		return !c.IsEvent() && c.Name != "CN" && slices.ContainsFunc(ours.Codecs, c.Same)
	})
	if i < 0 {
		return Agreed{}, ErrNoCommonCodec
	}
	a.SRTP = secured
	a.Audio = answered[i]
	a.LocalPT = ours.Codecs[slices.IndexFunc(ours.Codecs, a.Audio.Same)].PT
	acceptEvent(&a, ours.Codecs, answered)
	return a, nil
}

// acceptEvent takes the answered telephone-event with the clock rate of the
// audio, else the first one that we offered.
func acceptEvent(a *Agreed, offered, answered []Codec) {
	var best *Codec
	for _, c := range answered {
		if !c.IsEvent() || !slices.ContainsFunc(offered, c.Same) {
			continue
		}
		if best == nil || c.Rate == a.Audio.Rate && best.Rate != a.Audio.Rate {
			best = &c
		}
	}
	if best == nil {
		return
	}
	a.Event = best
	a.LocalEventPT = offered[slices.IndexFunc(offered, best.Same)].PT
}

// answeredCodecs lists the formats of the answer in its order. One without an
// rtpmap is the one we offered under that number.
func answeredCodecs(ours, far *Media) []Codec {
	list := make([]Codec, 0, len(far.Formats))
	for _, format := range far.Formats {
		pt, ok := payloadType(format)
		if !ok {
			continue
		}
		same := func(c Codec) bool { return c.PT == pt }
		if i := slices.IndexFunc(far.Codecs, same); i >= 0 {
			list = append(list, far.Codecs[i])
		} else if i := slices.IndexFunc(ours.Codecs, same); i >= 0 {
			list = append(list, ours.Codecs[i])
		}
	}
	return list
}
