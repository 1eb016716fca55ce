package media

import (
	"time"

	"consentgw/internal/dtmf"
	"consentgw/internal/g711"
	"consentgw/internal/g722"
)

// inband finds keys in the speech of a far end that has not agreed to
// telephone-events. Made with the first packet that needs it.
type inband struct {
	tones *dtmf.Tones
	wide  *g722.Decoder
	next  uint16 // the sequence number that follows
	ssrc  uint32
	pcm   [frameBytes]int16
}

// hear takes a packet of speech in a codec that can be looked into: the two laws,
// and the lower band of G.722.
func (b *inband) hear(now time.Time, h *heard, s *Stream) {
	if !h.codec.isLaw() && h.codec != G722 {
		return
	}
	if b.tones == nil {
		b.tones, b.wide = dtmf.NewTones(), g722.NewDecoder()
		b.next, b.ssrc = h.seq, h.ssrc
	}
	switch ahead := int16(h.seq - b.next); {
	case h.ssrc != b.ssrc, ahead > 0, ahead < -maxMisorder:
		b.tones.Reset()
	case ahead < 0: // late: what came behind it has been heard
		h.key = b.tones.Sounding()
		return
	}
	b.next, b.ssrc = h.seq+1, h.ssrc
	h.key = b.tones.Sounding()
	for at := 0; at < len(h.payload); at += frameBytes {
		codes := h.payload[at:min(at+frameBytes, len(h.payload))]
		press, ok := b.tones.Push(now, h.pt, h.ssrc, h.ts+uint32(at), b.linear(h.codec, codes))
		if ok {
			s.tell(press)
		}
		h.key = h.key || b.tones.Sounding()
	}
}

func (b *inband) linear(codec Codec, codes []byte) []int16 {
	pcm := b.pcm[:len(codes)]
	switch codec {
	case PCMU:
		g711.DecodeMuAll(pcm, codes)
	case PCMA:
		g711.DecodeAAll(pcm, codes)
	default:
		b.wide.DecodeLow(pcm, codes)
		for i := range pcm {
			pcm[i] = min(max(pcm[i], -1<<14), 1<<14-1) << 1
		}
	}
	return pcm
}
