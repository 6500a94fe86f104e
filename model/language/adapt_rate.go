package language

import "math"

// most is the share of a root's channels that may go in a stage.
const most = .99

// standing says how important each root's layer is beside the others: the importance less
// its mean, over the largest absolute value of that, so that the mean is 0 and 1 or -1 is
// reached; 0 where all are alike.
func standing(importance []float64) []float64 {
	out := make([]float64, len(importance))
	mean, largest := 0., 0.
	for _, x := range importance {
		mean += x / float64(len(importance))
	}
	for i, x := range importance {
		out[i] = x - mean
		largest = math.Max(largest, math.Abs(out[i]))
	}
	for i := range out {
		if largest > 1e-12*math.Max(1, math.Abs(mean)) { // else it is rounding
			out[i] /= largest
		} else {
			out[i] = 0
		}
	}
	return out
}

// advance is the share of a root that is to be gone after a further cut, which takes d on
// average, and less of what is important by up to the amplitude.
func advance(ratio, d, amplitude, standing float64) float64 {
	return math.Min(most, math.Max(0, ratio+d-amplitude*standing))
}

// stays is how many channels of unit positions each are left of now, where a share of the
// first is to be gone: channels go whole, and one stays.
func stays(first, now, unit int, ratio float64) int {
	gone := now*unit - int(math.Floor(float64(first*unit)*(1-ratio)+1e-9))
	return max(1, now-max(0, gone)/unit)
}
