package g711

// EncodeMuAll writes the µ-law codes of pcm to dst and returns how many it
// wrote: the length of the shorter of the two. The same holds for the other
// functions of this file.
func EncodeMuAll(dst []byte, pcm []int16) int {
	n := min(len(dst), len(pcm))
	dst = dst[:n]
	for i, s := range pcm[:n] {
		dst[i] = EncodeMu(s)
	}
	return n
}

// DecodeMuAll writes the samples of µ-law codes to dst.
func DecodeMuAll(dst []int16, codes []byte) int {
	n := min(len(dst), len(codes))
	dst = dst[:n]
	for i, c := range codes[:n] {
		dst[i] = DecodeMu(c)
	}
	return n
}

// EncodeAAll writes the A-law codes of pcm to dst.
func EncodeAAll(dst []byte, pcm []int16) int {
	n := min(len(dst), len(pcm))
	dst = dst[:n]
	for i, s := range pcm[:n] {
		dst[i] = EncodeA(s)
	}
	return n
}

// DecodeAAll writes the samples of A-law codes to dst.
func DecodeAAll(dst []int16, codes []byte) int {
	n := min(len(dst), len(codes))
	dst = dst[:n]
	for i, c := range codes[:n] {
		dst[i] = DecodeA(c)
	}
	return n
}

// MuToAAll converts µ-law codes to A-law. dst and codes may be the same slice.
func MuToAAll(dst, codes []byte) int {
	n := min(len(dst), len(codes))
	dst = dst[:n]
	for i, c := range codes[:n] {
		dst[i] = MuToA(c)
	}
	return n
}

// AToMuAll converts A-law codes to µ-law. dst and codes may be the same slice.
func AToMuAll(dst, codes []byte) int {
	n := min(len(dst), len(codes))
	dst = dst[:n]
	for i, c := range codes[:n] {
		dst[i] = AToMu(c)
	}
	return n
}
