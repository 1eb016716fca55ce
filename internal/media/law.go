package media

import "consentgw/internal/g711"

// Law is one of the two laws of ITU-T G.711, as RTP carries them.
type Law uint8

// The laws.
const (
	PCMU Law = iota // µ-law
	PCMA            // A-law
)

// String is the encoding name of the law in SDP (RFC 3551 section 6).
func (l Law) String() string {
	if l == PCMA {
		return "PCMA"
	}
	return "PCMU"
}

// Static payload types of the laws (RFC 3551 table 4).
const (
	staticPCMU = 0
	staticPCMA = 8
)

// static is the payload type that means the law everywhere.
func (l Law) static() uint8 {
	if l == PCMA {
		return staticPCMA
	}
	return staticPCMU
}

// silence is the code of the law that is nearest to nothing.
func (l Law) silence() byte {
	if l == PCMA {
		return g711.SilenceA
	}
	return g711.SilenceMu
}

// convert writes codes of one law as codes of another; dst is long enough.
func convert(dst, codes []byte, from, to Law) {
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
	clockRate = 8000 // of both laws, in samples (and bytes) a second

	// frameBytes is what one played packet holds: 20 ms.
	frameBytes = 160
)
