package g722

// band is the adaptive predictor of one band, with its quantizer's step.
type band struct {
	estimate int    // of the next sample
	zeros    int    // the part of it that the zero section gives
	step     int    // of the quantizer (DETL, DETH)
	logStep  int    // (NBL, NBH)
	rebuilt  [2]int // the last two samples as a decoder has them (RLT)
	partial  [2]int // and without the pole section (PLT)
	poles    [2]int // (AL)
	errors   [6]int // quantized differences (DLT)
	zeroTaps [6]int // (BL)
}

const (
	lowStart  = 32
	highStart = 8
	lowLimit  = 18432
	highLimit = 22528
)

// adaptLow takes the difference that the upper four bits of a code stand for.
// The decoder knows these even if the lower two carried other data.
func (b *band) adaptLow(index int) {
	difference := b.step * levels4[index] >> 15 // INVQAL
	b.logStep = min(max(b.logStep*127>>7+lowWeights[index], 0), lowLimit)
	b.step = scale(b.logStep, 8)
	b.predict(difference)
}

func (b *band) adaptHigh(index int) {
	difference := b.step * levels2[index] >> 15
	b.logStep = min(max(b.logStep*127>>7+highWeights[index], 0), highLimit)
	b.step = scale(b.logStep, 10)
	b.predict(difference)
}

// scale turns the logarithm of a step into the step (SCALEL, SCALEH).
func scale(log, shift int) int {
	mantissa := steps[log>>6&31]
	if s := shift - log>>11; s >= 0 {
		return mantissa >> s << 2
	} else {
		return mantissa << -s << 2
	}
}

// predict takes a difference and estimates the next sample.
func (b *band) predict(difference int) {
	rebuilt := saturate(b.estimate + difference) // RECONS
	partial := saturate(b.zeros + difference)    // PARREC
	b.adaptPoles(partial)
	b.adaptZeros(difference)

	copy(b.errors[1:], b.errors[:5]) // DELAYA
	b.errors[0] = difference
	b.rebuilt[0], b.rebuilt[1] = rebuilt, b.rebuilt[0]
	b.partial[0], b.partial[1] = partial, b.partial[0]

	pole := saturate(product(b.poles[0], b.rebuilt[0]) + product(b.poles[1], b.rebuilt[1])) // FILTEP
	b.zeros = 0
	for i := 5; i >= 0; i-- {
		b.zeros += product(b.zeroTaps[i], b.errors[i]) // FILTEZ
	}
	b.zeros = saturate(b.zeros)
	b.estimate = saturate(pole + b.zeros) // PREDIC
}

// product is a tap times twice a sample.
func product(tap, sample int) int { return tap * saturate(sample+sample) >> 15 }

// adaptPoles is UPPOL2 and UPPOL1. The bounds keep the filter stable.
func (b *band) adaptPoles(partial int) {
	same1 := sign(partial) == sign(b.partial[0])
	same2 := sign(partial) == sign(b.partial[1])

	first := saturate(b.poles[0] << 2)
	if same1 {
		first = min(-first, 32767)
	}
	second := first>>7 - 128
	if same2 {
		second = first>>7 + 128
	}
	second = min(max(second+b.poles[1]*32512>>15, -12288), 12288)

	step := -192
	if same1 {
		step = 192
	}
	bound := saturate(15360 - second)
	b.poles[0] = min(max(saturate(step+b.poles[0]*32640>>15), -bound), bound)
	b.poles[1] = second
}

// adaptZeros is UPZERO.
func (b *band) adaptZeros(difference int) {
	step := 128
	if difference == 0 {
		step = 0
	}
	for i := range b.zeroTaps {
		s := -step
		if sign(b.errors[i]) == sign(difference) {
			s = step
		}
		b.zeroTaps[i] = saturate(s + b.zeroTaps[i]*32640>>15)
	}
}
