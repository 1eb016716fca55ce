// Package g711 codes 16-bit linear samples as µ-law and A-law, and converts
// between the two laws (ITU-T G.711, 11/1988).
//
// Codes are in the form in which they travel in RTP as PCMU and PCMA
// (RFC 3551 section 4.5.14): µ-law with all bits inverted, A-law with the even
// bits inverted. Every function is total, allocates nothing and has no state.
package g711

import "math/bits"

// Silence codes: the quantised value nearest to zero on the positive side.
const (
	SilenceMu byte = 0xFF
	SilenceA  byte = 0xD5
)

const (
	signBit = 0x80
	evenBit = 0x55 // the bits that A-law inverts on the line

	// In the 16-bit scale. G.711 works on 14 bits, where the bias is 33 and
	// the largest magnitude 8158.
	muBias = 33 << 2
	muClip = 8158<<2 + 3
)

// EncodeMu returns the µ-law code of a sample. Magnitudes beyond 32635, the
// last decision value, become the largest code.
//
// Negative samples are folded by their ones' complement, as in the reference
// coder of ITU-T G.191, so that -32768 has a magnitude as well.
func EncodeMu(sample int16) byte {
	sign := byte(signBit)
	v := int(sample)
	if v < 0 {
		v, sign = ^v, 0
	}
	v = min(v, muClip) + muBias
	segment := bits.Len16(uint16(v)) - 8
	code := byte(segment<<4 | v>>(segment+3)&0x0F)
	return sign | ^code&0x7F
}

// DecodeMu returns the sample of a µ-law code, between -32124 and 32124. Both
// 0xFF and 0x7F, the two zeros of the law, become 0.
func DecodeMu(code byte) int16 {
	code = ^code
	v := (int(code&0x0F)<<3+muBias)<<(code>>4&0x07) - muBias
	if code&signBit != 0 {
		v = -v
	}
	return int16(v)
}

// EncodeA returns the A-law code of a sample. Negative samples are folded as
// in EncodeMu.
func EncodeA(sample int16) byte {
	sign := byte(signBit)
	v := int(sample)
	if v < 0 {
		v, sign = ^v, 0
	}
	segment := max(bits.Len16(uint16(v))-8, 0)
	shift := max(segment, 1) + 3 // the first two segments have the same step
	return (sign | byte(segment<<4|v>>shift&0x0F)) ^ evenBit
}

// DecodeA returns the sample of an A-law code, between -32256 and 32256. The
// law has no zero: silence is 8 or -8.
func DecodeA(code byte) int16 {
	code ^= evenBit
	v := int(code&0x0F)<<4 + 8
	if segment := code >> 4 & 0x07; segment > 0 {
		v = (v + 0x100) << (segment - 1)
	}
	if code&signBit == 0 {
		v = -v
	}
	return int16(v)
}

// MuToA returns the A-law code whose sample is nearest to that of a µ-law
// code and has the same sign.
func MuToA(code byte) byte { return muToA[code] }

// AToMu returns the µ-law code whose sample is nearest to that of an A-law
// code and has the same sign.
func AToMu(code byte) byte { return aToMu[code] }
