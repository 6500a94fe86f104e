package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"pare/npy"
	"pare/tensor"
	"pare/zoo"
)

var (
	regressFeatures = []string{"temperature", "pressure", "flow", "speed", "load", "humidity", "vibration", "voltage", "current", "age", "viscosity", "batch"}
	regressTargets  = []string{"yield", "energy", "wear"}
)

var regressTask = task{"regress", "regression: three numbers from twelve, as CSV", func(s settings) (*made, error) {
	f, t := len(regressFeatures), len(regressTargets)
	net, err := zoo.New("regressor-3-256", zoo.Options{In: []int{f}, Classes: t, Seed: s.seed})
	if err != nil {
		return nil, err
	}
	m := &made{
		nets: []network{{"net.onnx", named(net, []string{"features"}, nil)}},
		about: fmt.Sprintf("Readings of a machine, standardised, and what it does: columns %v of the files are the features,\n%v the targets. "+
			"Noise takes a twentieth of the targets' variance: no fit has an R² above 0.95.", regressFeatures, regressTargets),
		fields: []field{{"features", "the first twelve columns"}, {"targets", "the last three columns"}},
		write:  writeCSV(map[string][]string{"features": regressFeatures, "targets": regressTargets}),
	}
	m.split(s, 30000, 3000, 3000, func(part string, n int) []npy.Array {
		x, y := tensor.New(tensor.Float32, n, f), tensor.New(tensor.Float32, n, t)
		for i := range n {
			machine(s.rand("regress", part, i), x.F32()[f*i:f*(i+1)], y.F32()[t*i:t*(i+1)])
		}
		return []npy.Array{{Name: "features", Tensor: x}, {Name: "targets", Tensor: y}}
	})
	return m, nil
}}

// machine draws the features and computes the targets. Each target is about of
// mean 0 and variance 1 before noise of variance 1/19 is added: 95 % of what is
// seen can be explained.
func machine(r *rand.Rand, x, y []float32) {
	v := make([]float64, len(x))
	for i := range v {
		v[i] = r.NormFloat64()
	}
	v[9] = 2 * (r.Float64() - .5) * math.Sqrt(3) // age is even
	v[11] = float64(r.IntN(4)) - 1.5             // the batch is one of four
	v[8] = .6*v[4] + .8*v[8]                     // current follows load
	t := [3]float64{
		.75*math.Sin(1.5*v[0]) + .55*v[1]*v[2] + .35*(v[3]*v[3]-1)/math.Sqrt2 + .4*v[5],
		.8*(math.Exp(-v[4]*v[4])-.577) + .6*(math.Abs(v[7])-.8) + .55*v[8]*v[11] - .45*v[0],
		.7*math.Tanh(2*v[6])*v[9] + .5*v[10] + .5*(math.Max(v[3], v[1])-.56),
	}
	scale := [3]float64{1.0 / 1.01, 1 / .92, 1 / .87}
	for i, u := range t {
		y[i] = float32(u*scale[i] + math.Sqrt(1./19)*r.NormFloat64())
	}
	for i, u := range v {
		x[i] = float32(u)
	}
}
