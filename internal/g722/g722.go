// Package g722 codes speech of 16,000 samples a second in 64 kbit/s by ITU-T
// G.722 (09/2012), and back: two bands, each by adaptive differential PCM, six
// bits for the lower and two for the upper.
//
// Names in capitals in comments are the blocks of the recommendation, whose
// fixed-point arithmetic is followed to the bit (clause 6). Every function is
// total.
package g722

import "math"

// Rate is how many samples a second are coded. A byte holds two of them: RTP
// counts 8000 all the same (RFC 3551 section 4.5.2).
const Rate = 16000

// taps are the coefficients of the quadrature mirror filter: 24, of which the
// second half is the first one in reverse (table 11).
var taps = [12]int{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}

// Encoder codes one stream. The zero value is not ready: see NewEncoder. Not
// safe for concurrent use.
type Encoder struct {
	history   [24]int
	low, high band
}

// NewEncoder returns an encoder at the start of a stream.
func NewEncoder() *Encoder {
	e := &Encoder{low: band{step: lowStart}, high: band{step: highStart}}
	return e
}

// Encode codes pcm, two samples a byte, into dst and returns how many bytes it
// wrote. A last sample without its pair, and what has no room, is left out.
func (e *Encoder) Encode(dst []byte, pcm []int16) int {
	n := min(len(dst), len(pcm)/2)
	for i := range n {
		low, high := e.split(int(pcm[2*i]), int(pcm[2*i+1]))
		dst[i] = e.codeHigh(high)<<6 | e.codeLow(low)
	}
	return n
}

// split is the transmit filter: two samples become one of each band.
func (e *Encoder) split(first, second int) (low, high int) {
	copy(e.history[:], e.history[2:])
	e.history[22], e.history[23] = first, second
	var odd, even int
	for i, c := range taps {
		odd += e.history[2*i] * c
		even += e.history[2*i+1] * taps[11-i]
	}
	return (even + odd) >> 14, (even - odd) >> 14
}

func (e *Encoder) codeLow(sample int) byte {
	difference := saturate(sample - e.low.estimate) // SUBTRA
	code := quantize6(difference, e.low.step)
	e.low.adaptLow(int(code) >> 2)
	return code
}

func (e *Encoder) codeHigh(sample int) byte {
	difference := saturate(sample - e.high.estimate)
	size := magnitude(difference)
	code := 0
	if size >= 564*e.high.step>>12 { // QUANTH
		code = 1
	}
	index := [2][2]byte{{3, 2}, {1, 0}}[sign(difference)][code]
	e.high.adaptHigh(int(index))
	return index
}

// Decoder is the way back. Not safe for concurrent use.
type Decoder struct {
	history   [24]int
	low, high band
}

// NewDecoder returns a decoder at the start of a stream.
func NewDecoder() *Decoder {
	return &Decoder{low: band{step: lowStart}, high: band{step: highStart}}
}

// Decode writes the samples of codes to dst, two a byte, and returns how many.
func (d *Decoder) Decode(dst []int16, codes []byte) int {
	n := min(len(dst)/2, len(codes))
	for i, code := range codes[:n] {
		low, high := d.bands(code)
		dst[2*i], dst[2*i+1] = d.join(low, high)
	}
	return 2 * n
}

// DecodeLow writes the samples of the lower band alone, at 8 kHz and at half
// the level, one a byte: all that a listener for telephone tones needs.
func (d *Decoder) DecodeLow(dst []int16, codes []byte) int {
	n := min(len(dst), len(codes))
	for i, code := range codes[:n] {
		dst[i] = int16(d.lowBand(code))
	}
	return n
}

func (d *Decoder) lowBand(code byte) int {
	index := int(code & 0x3F)
	sample := limit(d.low.estimate + d.low.step*levels6[index]>>15)
	d.low.adaptLow(index >> 2)
	return sample
}

func (d *Decoder) bands(code byte) (low, high int) {
	low = d.lowBand(code)
	index := int(code >> 6)
	high = limit(d.high.estimate + d.high.step*levels2[index]>>15)
	d.high.adaptHigh(index)
	return low, high
}

// join is the receive filter: one sample of each band becomes two.
func (d *Decoder) join(low, high int) (first, second int16) {
	copy(d.history[:], d.history[2:])
	d.history[22], d.history[23] = low+high, low-high
	var odd, even int
	for i, c := range taps {
		even += d.history[2*i] * c
		odd += d.history[2*i+1] * taps[11-i]
	}
	return int16(saturate(odd >> 11)), int16(saturate(even >> 11))
}

// limit keeps a decoded band within 15 bits (LIMIT).
func limit(v int) int { return min(max(v, -1<<14), 1<<14-1) }

func saturate(v int) int { return min(max(v, math.MinInt16), math.MaxInt16) }

// sign is 1 for what is below zero.
func sign(v int) int {
	if v < 0 {
		return 1
	}
	return 0
}

// magnitude folds by the ones' complement, as the recommendation does.
func magnitude(v int) int {
	if v < 0 {
		return -(v + 1)
	}
	return v
}
