package g722

// quantize6 returns the six-bit code of a difference (QUANTL).
func quantize6(difference, step int) byte {
	size, i := magnitude(difference), 1
	for i < len(decisions) && size >= decisions[i]*step>>12 {
		i++
	}
	if difference >= 0 {
		return byte(62 - i)
	}
	if i <= 2 {
		return byte(64 - i)
	}
	return byte(34 - i)
}

// decisions are the decision levels of the six-bit quantizer (table 14).
var decisions = [30]int{
	0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714,
	786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
}

// levels6 are what the six bits of the lower band stand for (table 17). The
// first four codes are never sent.
var levels6 = [64]int{
	-136, -136, -136, -136, -24808, -21904, -19008, -16704,
	-14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
	-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576,
	-3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
	24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192,
	10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
	4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032,
	1688, 1360, 1040, 728, 432, 136, -432, -136,
}

// levels4 are what their upper four bits stand for.
var levels4 = [16]int{
	0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
	20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
}

// levels2 are what the two bits of the upper band stand for (table 18).
var levels2 = [4]int{-7408, -1616, 7408, 1616}

// How the logarithm of a step moves with a code (tables 19 and 20).
var (
	lowWeights  = [16]int{-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60}
	highWeights = [4]int{798, -214, 798, -214}
)

// steps is 2048 times two to the power of i/32 (table 21).
var steps = [32]int{
	2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
	2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
}
