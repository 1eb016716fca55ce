package call

import (
	"errors"
	"slices"
	"strings"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/internal/sdp"
	"consentgw/prompts"
	"consentgw/sip"
)

// errNoCommonCodec: both parties are there and cannot hear each other.
var errNoCommonCodec = errors.New("the parties agreed on different codecs, and neither takes the other's")

// codecOf is a codec as the media knows it.
func codecOf(c sdp.Codec) media.Codec { return media.CodecOf(c) }

// lawsOf are the codecs of a trunk's list, or both laws; key presses always. It
// is what is offered to somebody of whom nothing is known yet.
func lawsOf(names []string) []sdp.Codec {
	var list []sdp.Codec
	for _, c := range []sdp.Codec{sdp.PCMA(), sdp.PCMU(), sdp.G722(), sdp.Opus()} {
		if len(names) == 0 && codecOf(c).ConvertsTo(media.PCMA) || listed(names, c) >= 0 {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b sdp.Codec) int {
		return listed(names, a) - listed(names, b)
	})
	return append(list, sdp.Event8000())
}

// listed is where a codec stands in a list of names, which are compared without
// case (RFC 8866 section 6.6); -1: nowhere.
func listed(names []string, c sdp.Codec) int {
	return slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, c.Name) })
}

// choices are what p may agree to when it offers, best first; within a list its
// own order counts. Once the other party has a codec, nothing is agreed that
// would have to be converted and cannot be.
func (c *Call) choices(p *party, offered []sdp.Codec) [][]sdp.Codec {
	var tiers [][]sdp.Codec
	inUse, other := p.agreed.Audio, sdp.Codec{}
	if o := c.other(p); o != nil {
		other = o.agreed.Audio
	}
	switch {
	case other.Name == "" && inUse.Name == "":
		return c.firstChoices(offered)
	case other.Name == "":
		return append([][]sdp.Codec{{inUse}}, c.firstChoices(offered)...)
	case inUse.Name != "" && codecOf(inUse).ConvertsTo(codecOf(other)):
		tiers = append(tiers, []sdp.Codec{inUse})
	}
	tiers = append(tiers, []sdp.Codec{other})
	if codecOf(other).ConvertsTo(media.PCMA) || codecOf(other).ConvertsTo(media.PCMU) {
		tiers = append(tiers, []sdp.Codec{sdp.PCMA(), sdp.PCMU()})
	}
	return tiers
}

// firstChoices are what the first party may agree to. Without a list at the
// trunk: the laws of G.711, which every platform and recorder knows, then what
// else the notice can be played in, then whatever is offered: who hears no
// notice is connected all the same, unrecorded. A list says what and in which
// order.
func (c *Call) firstChoices(offered []sdp.Codec) (tiers [][]sdp.Codec) {
	inOpus := c.route.notice == nil || c.route.notice.InOpus()
	if names := c.route.trunk.Codecs; len(names) > 0 {
		var unheard [][]sdp.Codec
		for _, codec := range lawsOf(names) {
			switch {
			case codec.IsEvent():
			case codec.Same(sdp.Opus()) && !inOpus:
				unheard = append(unheard, []sdp.Codec{codec})
			default:
				tiers = append(tiers, []sdp.Codec{codec})
			}
		}
		return append(tiers, unheard...)
	}
	tiers = [][]sdp.Codec{{sdp.PCMA(), sdp.PCMU()}, {sdp.G722()}}
	if inOpus {
		tiers = append(tiers, []sdp.Codec{sdp.Opus()})
	}
	return append(tiers, slices.DeleteFunc(slices.Clone(offered), func(o sdp.Codec) bool { return o.IsEvent() || o.Name == "CN" }))
}

// answerTo answers an offer with the best codec there is, and returns what it
// offered as well.
func (p *party) answerTo(offer *sdp.Session) (answer *sdp.Session, agreed sdp.Agreed, offered []sdp.Codec, err error) {
	for i := range offer.Media {
		if offer.Media[i].Kind == "audio" {
			offered = append(offered, offer.Media[i].Codecs...)
		}
	}
	local := p.local
	local.RTCPMux = true // answered, not offered
	tiers := [][]sdp.Codec{p.laws}
	if p.choices != nil {
		tiers = p.choices(offered)
	}
	err = sdp.ErrNoCommonCodec // without a tier
	for _, supported := range tiers {
		if p.described == nil {
			answer, agreed, err = sdp.NewAnswer(offer, local, supported)
		} else {
			answer, agreed, err = sdp.ReAnswer(offer, local, supported, p.agreed.Audio)
		}
		if !errors.Is(err, sdp.ErrNoCommonCodec) {
			break
		}
	}
	return answer, agreed, offered, err
}

// offer begins a dialog, with keys of its own. It describes what the other party
// can do: its codec first, so that nothing needs converting if the far end
// agrees, then what we convert, then what else the other party offered and its
// trunk allows, and more that it shall have in any case.
func (p *party) offer(other *party, allowed []string, more ...sdp.Codec) []byte {
	codecs := []sdp.Codec{other.agreed.Audio}
	add := func(c sdp.Codec) {
		taken := func(o sdp.Codec) bool { return o.Same(c) || o.PT == c.PT }
		if !slices.ContainsFunc(codecs, taken) {
			codecs = append(codecs, c)
		}
	}
	if codecOf(other.agreed.Audio).ConvertsTo(media.PCMA) || codecOf(other.agreed.Audio).ConvertsTo(media.PCMU) {
		add(sdp.PCMA())
		add(sdp.PCMU())
	}
	for _, c := range other.offered {
		if !c.IsEvent() && c.Name != "CN" && (len(allowed) == 0 || listed(allowed, c) >= 0) {
			add(c)
		}
	}
	if e := other.agreed.Event; e != nil {
		add(*e)
		for _, c := range other.offered {
			if c.IsEvent() {
				add(c)
			}
		}
	}
	for _, c := range more {
		add(c)
	}
	for i := range codecs {
		if codecs[i].IsEvent() {
			codecs[i].Fmtp = sdp.Event8000().Fmtp
		}
	}
	p.secure(p.policy)
	p.prefers = "" // what somebody else said who did not become this party
	p.described = sdp.NewOffer(p.local, codecs).Marshal()
	return p.described
}

// align sees to it that the parties speak one codec. If they settled on
// different ones, the asked party is asked to change if it offered the agent's,
// then, unless we can convert, the agent. If neither does, the call ends: to
// keep two people on a line on which neither hears the other helps nobody.
func (c *Call) align() {
	asked, agent := codecOf(c.asked.agreed.Audio), codecOf(c.agent.agreed.Audio)
	if asked == agent {
		return
	}
	party := c.agent // there may be another one when the codecs are changed
	c.beside(func() {
		err := c.shift(c.asked, func() (sdp.Codec, bool) { return find(c.asked.offered, c.agent.agreed.Audio) })
		if err == nil || asked.ConvertsTo(agent) {
			return
		}
		err = c.shift(party, func() (sdp.Codec, bool) { return c.asked.agreed.Audio, true })
		if err != nil && party.running.Err() == nil {
			c.end(errNoCommonCodec)
		}
	})
}

func find(offered []sdp.Codec, codec sdp.Codec) (sdp.Codec, bool) {
	if i := slices.IndexFunc(offered, codec.Same); i >= 0 {
		return offered[i], true
	}
	return sdp.Codec{}, false
}

// errAligned: the parties have come to one codec meanwhile.
var errAligned = errors.New("the parties speak one codec by now")

// shift asks a party by re-INVITE to speak the codec that is wanted when its turn
// has come. It runs beside the call's goroutine.
func (c *Call) shift(p *party, wanted func() (sdp.Codec, bool)) error {
	var codec sdp.Codec
	err := c.propose(p.running, p, sip.Change{}, byReinvite, func() (offer []byte, err error) {
		known := false
		switch codec, known = wanted(); {
		case codecOf(c.asked.agreed.Audio) == codecOf(c.agent.agreed.Audio):
			return nil, errAligned
		case !known:
			return nil, errNoCommonCodec
		}
		return p.describe(codec)
	})
	switch {
	case errors.Is(err, errAligned):
		return nil
	case errors.Is(err, errNoCommonCodec):
		return err
	case err != nil:
		c.log.Warn("a party keeps its codec", "party", p.name, "codec", codec.Name)
		return err
	}
	return c.do(p.running, func() {
		c.remark("codec_changed", p.name+" to "+codec.Name)
		c.align() // with an agent who came meanwhile
	})
}

// describe offers one codec and its key presses to a far end that we talk to
// already. The media lines stay as many as they are (RFC 3264 section 8).
func (p *party) describe(codec sdp.Codec) ([]byte, error) {
	ours, err := sdp.Parse(p.described)
	if err != nil {
		return nil, err
	}
	codecs := []sdp.Codec{codec}
	if e := p.agreed.Event; e != nil {
		event := *e
		if event.Rate != codec.Rate { // one of the new clock, under a number that is free
			event = sdp.Event(codec.Rate, event.PT)
		}
		codecs = append(codecs, event)
	}
	offer := sdp.NewOffer(p.local, codecs)
	audio := offer.Media[0]
	offer.Media = ours.Media
	audio.Proto = offer.Media[p.agreed.Index].Proto
	offer.Media[p.agreed.Index] = audio
	p.mark(offer)
	p.described = offer.After(p.described)
	return p.described, nil
}

// clipOf is a prompt as far as a party that speaks this codec needs it.
func clipOf(p *prompts.Prompt, codec media.Codec) media.Clip {
	clip := media.Clip{PCMU: p.PCMU, PCMA: p.PCMA, Opus: p.Opus}
	if codec == media.G722 {
		clip.G722 = p.G722()
	}
	return clip
}

// unheard reports whether the notice cannot be played in the codec that was
// agreed on, and notes it: a caller who cannot be asked is not recorded.
func (c *Call) unheard() bool {
	codec := codecOf(c.asked.agreed.Audio)
	n := c.route.notice
	if clipOf(n.Prompt(prompts.Ask), codec).In(codec) {
		return false
	}
	c.rec.Notice = consent.Notice{ID: n.ID, Version: n.Version, Language: n.Language}
	c.rec.Note(c.now(), "notice_not_in_codec", codec.String())
	return true
}
