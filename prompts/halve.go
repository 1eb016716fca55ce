package prompts

import "math"

// The low-pass before decimation: 127 taps, flat to 3.3 kHz, and 70 dB down
// from the 4 kHz where the new rate would fold (windowed sinc, Blackman).
const (
	halfTaps = 63
	cutoff   = 3650.0
)

// halve brings audio from 16 to 8 kHz. The result is half as long, rounded up,
// and not delayed.
func halve(pcm []int16) []int16 {
	taps := lowPass()
	out := make([]int16, (len(pcm)+1)/2)
	for i := range out {
		center := 2 * i
		var sum float64
		for k := max(-halfTaps, -center); k <= min(halfTaps, len(pcm)-1-center); k++ {
			sum += taps[k+halfTaps] * float64(pcm[center+k])
		}
		out[i] = int16(math.Round(max(math.MinInt16, min(math.MaxInt16, sum))))
	}
	return out
}

// double brings audio from 8 to 16 kHz. The result is twice as long and not
// delayed, and has nothing above the 4 kHz that were there.
func double(pcm []int16) []int16 {
	taps := lowPass()
	out := make([]int16, 2*len(pcm))
	for i := range out {
		// Every second sample is zero before the filter, which makes up for it.
		var sum float64
		for k := -halfTaps + (i+halfTaps)%2; k <= halfTaps; k += 2 {
			if from := (i - k) / 2; i-k >= 0 && from < len(pcm) {
				sum += 2 * taps[k+halfTaps] * float64(pcm[from])
			}
		}
		out[i] = int16(math.Round(max(math.MinInt16, min(math.MaxInt16, sum))))
	}
	return out
}

// lowPass returns the filter, whose taps add up to one.
func lowPass() [2*halfTaps + 1]float64 {
	var taps [2*halfTaps + 1]float64
	var total float64
	for i := range taps {
		x := float64(i - halfTaps)
		phase := 2 * math.Pi * float64(i+1) / float64(len(taps)+1)
		window := 0.42 - 0.5*math.Cos(phase) + 0.08*math.Cos(2*phase)
		taps[i] = window * sinc(2*cutoff/wideRate*x)
		total += taps[i]
	}
	for i := range taps {
		taps[i] /= total
	}
	return taps
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}
