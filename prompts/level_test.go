package prompts

import "math"

// full is the overload point: 0 dBov is the power of a square wave this high,
// 0 dBFS its peak.
const full = 32768

// activeLevel measures the level of speech without its pauses in dBov, and the
// share of time that is speech, by the speech voltmeter of ITU-T P.56 method B:
// an envelope with a time constant of 30 ms, a hangover of 200 ms, and a margin
// of 15.9 dB between the active level and the threshold of activity.
func activeLevel(pcm []int16) (level, activity float64) {
	const (
		hangover   = rate / 5
		thresholds = 15
		margin     = 15.9
	)
	decay := math.Exp(-1 / (0.03 * rate))
	var active, hang [thresholds]int
	var threshold [thresholds]float64
	for j := range thresholds {
		hang[j] = hangover
		threshold[j] = math.Pow(2, float64(j-thresholds))
	}
	var energy, first, second float64
	for _, s := range pcm {
		x := float64(s) / full
		energy += x * x
		first = decay*first + (1-decay)*math.Abs(x)
		second = decay*second + (1-decay)*first
		for j := range thresholds {
			if second >= threshold[j] {
				active[j]++
				hang[j] = 0
			} else if hang[j] < hangover {
				active[j]++
				hang[j]++
			}
		}
	}
	var before, beforeLevel float64
	for j := range thresholds {
		if active[j] == 0 {
			break
		}
		at := 10 * math.Log10(energy/float64(active[j]))
		over := at - 20*math.Log10(threshold[j])
		if j > 0 && over <= margin {
			level = beforeLevel + (before-margin)/(before-over)*(at-beforeLevel)
			return level, energy / math.Pow(10, level/10) / float64(len(pcm))
		}
		before, beforeLevel = over, at
	}
	return math.Inf(-1), 0
}

// peakLevel returns the highest sample in dBFS.
func peakLevel(pcm []int16) float64 {
	peak := 0
	for _, s := range pcm {
		peak = max(peak, int(s), -int(s))
	}
	return 20 * math.Log10(float64(peak)/full)
}

// quiet returns how many samples at the beginning and at the end are silence.
func quiet(pcm []int16) (head, tail int) {
	for head < len(pcm) && pcm[head] == 0 {
		head++
	}
	for tail < len(pcm) && pcm[len(pcm)-1-tail] == 0 {
		tail++
	}
	return head, tail
}

// outside returns how much of the power lies outside low..high Hz, in dB below
// all of it. It adds up the power spectra of some hundred frames (Hann).
func outside(pcm []int16, low, high float64) float64 {
	const size = 256
	var cosine, window [size]float64
	for i := range size {
		cosine[i] = math.Cos(2 * math.Pi * float64(i) / size)
		window[i] = 0.5 - 0.5*cosine[i]
	}
	var in, out float64
	for start := 0; start+size <= len(pcm); start += max(size, len(pcm)/100) {
		for bin := range size / 2 {
			var re, im float64
			for i, s := range pcm[start : start+size] {
				v := window[i] * float64(s)
				re += v * cosine[bin*i%size]
				im += v * cosine[(bin*i+size/4)%size]
			}
			hz := float64(bin) * rate / size
			if hz < low || hz > high {
				out += re*re + im*im
			} else {
				in += re*re + im*im
			}
		}
	}
	return 10 * math.Log10(out/(in+out))
}

// tone is a sine of so many dBov.
func tone(hz, sampleRate, dBov float64, samples int) []int16 {
	amplitude := full * math.Sqrt2 * math.Pow(10, dBov/20)
	pcm := make([]int16, samples)
	for i := range pcm {
		pcm[i] = int16(math.Round(amplitude * math.Sin(2*math.Pi*hz*float64(i)/sampleRate)))
	}
	return pcm
}
