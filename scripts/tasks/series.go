package main

import (
	"math"
	"math/rand/v2"

	"pare/npy"
	"pare/tensor"
	"pare/zoo"
)

const (
	seriesPast, seriesNext, seriesColumns = 48, 6, 3
)

var seriesTask = task{"series", "forecasting: the next six values of a series", func(s settings) (*made, error) {
	net, err := zoo.New("lstm-1-48", zoo.Options{In: []int{seriesPast, seriesColumns}, Classes: seriesNext, Seed: s.seed})
	if err != nil {
		return nil, err
	}
	m := &made{
		nets: []network{{"net.onnx", named(net, []string{"past"}, []string{"forecast"})}},
		about: "A season of unknown period and phase, an autoregressive part, and a regime that switches the sign with which\n" +
			"a second series acts on the first six steps later.",
		fields: []field{{"past", "48 steps of: the series, the one that acts on it, the regime"}, {"next", "the next six values of the series"}},
	}
	m.split(s, 8000, 1500, 1500, func(part string, n int) []npy.Array {
		x, y := tensor.New(tensor.Float32, n, seriesPast, seriesColumns), tensor.New(tensor.Float32, n, seriesNext)
		for i := range n {
			const k = seriesPast * seriesColumns
			history(s.rand("series", part, i), x.F32()[k*i:k*(i+1)], y.F32()[seriesNext*i:seriesNext*(i+1)])
		}
		return []npy.Array{{Name: "past", Tensor: x}, {Name: "next", Tensor: y}}
	})
	return m, nil
}}

// history draws a series and what comes after it.
func history(r *rand.Rand, past, next []float32) {
	const delay, all = seriesNext, seriesPast + seriesNext
	period, phase, height := 8+8*r.Float64(), 2*math.Pi*r.Float64(), .5+.5*r.Float64()
	regime, driver, own := 1.0, 0.0, 0.0
	if r.IntN(2) == 0 {
		regime = -1
	}
	var drivers, regimes [all + delay]float64 // from delay steps before the first
	for t := range drivers {
		if r.Float64() < .04 {
			regime = -regime
		}
		driver = .7*driver + .7*r.NormFloat64()
		drivers[t], regimes[t] = driver, regime
	}
	for t := range all {
		own = .8*own + .1*r.NormFloat64()
		v := height*math.Sin(2*math.Pi*float64(t)/period+phase) + .6*drivers[t]*regimes[t] + own + .05*r.NormFloat64()
		if t >= seriesPast {
			next[t-seriesPast] = float32(v)
			continue
		}
		past[seriesColumns*t], past[seriesColumns*t+1], past[seriesColumns*t+2] = float32(v), float32(drivers[t+delay]), float32(regimes[t+delay])
	}
}
