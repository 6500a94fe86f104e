package train

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Rate is a learning rate as a function of the optimiser step, from 0. It is
// pure: training that resumes or rewinds to a step has that step's rate.
type Rate func(step int) float64

// Constant is the same rate at every step.
func Constant(lr float64) Rate { return func(int) float64 { return lr } }

// Cosine falls from lr to min over steps (Loshchilov & Hutter 2017, without
// restarts); it stays at min after.
func Cosine(lr, min float64, steps int) Rate {
	return func(t int) float64 {
		if t >= steps {
			return min
		}
		return min + (lr-min)*(1+math.Cos(math.Pi*float64(t)/float64(steps)))/2
	}
}

// Drops multiplies lr by gamma at each of the given steps.
func Drops(lr, gamma float64, at ...int) Rate {
	return func(t int) float64 {
		r := lr
		for _, a := range at {
			if t >= a {
				r *= gamma
			}
		}
		return r
	}
}

// Linear falls from lr to min over steps.
func Linear(lr, min float64, steps int) Rate {
	return func(t int) float64 {
		if t >= steps {
			return min
		}
		return lr + (min-lr)*float64(t)/float64(steps)
	}
}

// WSD warms up, stays, and falls linearly to min over the last decay steps
// (warm-up, stable, decay: Hu et al. 2024, arXiv 2404.06395).
func WSD(lr, min float64, warm, steps, decay int) Rate {
	stable := func(t int) float64 {
		if t < steps-decay {
			return lr
		}
		return min + (lr-min)*math.Max(0, float64(steps-t)/float64(decay))
	}
	return Warm(stable, warm)
}

// Warm raises the rate linearly over the first n steps: step t has (t+1)/n of
// what r gives.
func Warm(r Rate, n int) Rate {
	return func(t int) float64 {
		if t < n {
			return r(t) * float64(t+1) / float64(n)
		}
		return r(t)
	}
}

// RateHelp explains ParseRate's syntax.
const RateHelp = "constant | cosine[:MIN] | linear[:MIN] | step:AT,AT…[:GAMMA] (AT as shares of the training, GAMMA 0.1) | wsd[:DECAY share[:MIN]]; +warmup:STEPS or +warmup:SHARE%"

// ParseRate reads a schedule such as "cosine", "step:0.5,0.75:0.1" or
// "cosine+warmup:100" for a peak rate and a number of steps.
func ParseRate(s string, lr float64, steps int) (Rate, error) {
	if !(lr > 0) || math.IsInf(lr, 0) {
		return nil, fmt.Errorf("learning rate %v is not a positive number", lr)
	}
	main, warm, hasWarm := strings.Cut(s, "+")
	f := strings.Split(main, ":")
	num := func(i int, def float64) (float64, error) {
		if i >= len(f) {
			return def, nil
		}
		return strconv.ParseFloat(f[i], 64)
	}
	var r Rate
	var err error
	var x float64
	switch f[0] {
	case "constant":
		r = Constant(lr)
	case "cosine":
		x, err = num(1, 0)
		r = Cosine(lr, x, steps)
	case "linear":
		x, err = num(1, 0)
		r = Linear(lr, x, steps)
	case "wsd":
		var min float64
		if x, err = num(1, .2); err == nil && !(x >= 0) {
			return nil, fmt.Errorf("learning-rate schedule %q: %v is not a share of the training", s, x)
		}
		if err == nil {
			min, err = num(2, 0)
		}
		r = WSD(lr, min, 0, steps, max(1, int(x*float64(steps)+1e-9)))
	case "step":
		if len(f) < 2 {
			return nil, fmt.Errorf("learning-rate schedule %q names no steps: write step:0.5,0.75", s)
		}
		var at []int
		for _, w := range strings.Split(f[1], ",") {
			v, e := strconv.ParseFloat(w, 64)
			if e != nil || v < 0 || v > 1 {
				return nil, fmt.Errorf("learning-rate schedule %q: %q is not a share of the training in [0,1]", s, w)
			}
			at = append(at, int(math.Round(v*float64(steps))))
		}
		x, err = num(2, .1)
		r = Drops(lr, x, at...)
	default:
		return nil, fmt.Errorf("unknown learning-rate schedule %q: use %s", s, RateHelp)
	}
	if err != nil {
		return nil, fmt.Errorf("learning-rate schedule %q: %w", s, err)
	}
	if hasWarm {
		n, ok := warmSteps(warm, steps)
		if !ok {
			return nil, fmt.Errorf("learning-rate schedule %q: %q is not warmup:STEPS, nor warmup:SHARE%%", s, warm)
		}
		r = Warm(r, n)
	}
	return r, nil
}

// warmSteps reads warmup:STEPS, or warmup:SHARE% of all steps.
func warmSteps(s string, steps int) (n int, ok bool) {
	v, ok := strings.CutPrefix(s, "warmup:")
	if share, is := strings.CutSuffix(v, "%"); is {
		x, err := strconv.ParseFloat(share, 64)
		return int(math.Round(x / 100 * float64(steps))), ok && err == nil && x >= 0 && x <= 100
	}
	n, err := strconv.Atoi(v)
	return n, ok && err == nil && n >= 0
}
