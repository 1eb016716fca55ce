package media

import (
	"strconv"
	"strings"

	"consentgw/internal/g711"
	"consentgw/internal/sdp"
)

// Codec is an audio format as RTP carries it: the value of a=rtpmap (RFC 8866
// section 6.6) with the name in upper case, such as "AMR-WB/16000". Two streams
// of one codec relay to each other as they are. Empty means PCMU.
type Codec string

// The codecs that the gateway plays itself. G.722 has 16,000 samples a second,
// and a clock that counts 8,000 (RFC 3551 section 4.5.2).
const (
	PCMU Codec = "PCMU/8000" // G.711 µ-law
	PCMA Codec = "PCMA/8000" // G.711 A-law
	G722 Codec = "G722/8000"
	Opus Codec = "OPUS/48000/2" // RFC 7587 section 7: always 2, and never by its packets
)

// CodecOf is a codec of a description as the media knows it.
func CodecOf(c sdp.Codec) Codec {
	s := strings.ToUpper(c.Name) + "/" + strconv.Itoa(c.Rate)
	if c.Channels > 1 {
		s += "/" + strconv.Itoa(c.Channels)
	}
	return Codec(s)
}

// String is the encoding name in SDP (RFC 3551 section 6).
func (c Codec) String() string {
	name, _, _ := strings.Cut(string(c), "/")
	return name
}

// Clock is the rate of RTP timestamps in Hz; 8000 if the codec does not say.
func (c Codec) Clock() int {
	_, rest, _ := strings.Cut(string(c), "/")
	rate, _, _ := strings.Cut(rest, "/")
	if hz, err := strconv.Atoi(rate); err == nil && hz > 0 {
		return hz
	}
	return clockRate
}

// ConvertsTo reports whether what comes in c can leave in to: the same codec as
// it is, and one law of G.711 as the other.
func (c Codec) ConvertsTo(to Codec) bool { return c == to || c.isLaw() && to.isLaw() }

func (c Codec) isLaw() bool { return c == PCMU || c == PCMA }

// Static payload types (RFC 3551 table 4).
const (
	staticPCMU = 0
	staticPCMA = 8
	staticG722 = 9
)

// static is the payload type that means the codec everywhere, or agreed if
// there is none.
func (c Codec) static(agreed uint8) uint8 {
	switch c {
	case PCMU:
		return staticPCMU
	case PCMA:
		return staticPCMA
	case G722:
		return staticG722
	}
	return agreed
}

// silence is the code of the law that is nearest to nothing.
func (c Codec) silence() byte {
	if c == PCMA {
		return g711.SilenceA
	}
	return g711.SilenceMu
}

// convert writes codes of one law as codes of another, and any other payload as
// it is; dst is long enough.
func convert(dst, codes []byte, from, to Codec) {
	switch {
	case from == to:
		copy(dst, codes)
	case from == PCMU:
		g711.MuToAAll(dst, codes)
	default:
		g711.AToMuAll(dst, codes)
	}
}

const (
	clockRate = 8000 // of both laws and of G.722, in bytes a second as well

	// frameBytes is what one played packet of these holds: 20 ms.
	frameBytes = 160
)
