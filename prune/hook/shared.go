package hook

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/sharing"
	"pare/tensor"
	"pare/train"
)

// Shared trains an array in the place of the weights that read from it: weights
// are expanded from it before each step, their gradients are added up in it, and
// the optimiser and its state know the array alone (Desai, Shrivastava 2024, steps
// 6 to 9). The gradient of slot k is divided by Gamma_k, so that with sgd each
// weight moves by the mean gradient of those that share the slot, whatever the
// scale of the array.
type Shared struct {
	train.Base
	Layout *sharing.Layout
	Array  []float32 // what is trained
	Scaler string    // of Gammas

	weights []*train.Param // parallel to the layout's tensors
	slots   [][]sharing.Slot
	own     *train.Param // the array
	gamma   []float64
	sum     []float64
	mean    []float32 // mean scale of the weights on a slot, where the optimiser is scale-free
	before  []float32 // the array before the step, where mean is used
}

// Reparametrise takes the weights out of what is trained, and puts the array in.
func (s *Shared) Reparametrise(ps []*train.Param) ([]*train.Param, error) {
	s.weights = s.weights[:0]
	for _, t := range s.Layout.Tensors {
		i := slices.IndexFunc(ps, func(p *train.Param) bool { return p.Name == t.Name })
		if i < 0 {
			return nil, fmt.Errorf("weight %q is shared but not trained", t.Name)
		}
		s.weights = append(s.weights, ps[i])
	}
	s.slots = s.Layout.Slots()
	var err error
	if s.gamma, err = Gammas(s.Layout, s.slots, s.Scaler); err != nil {
		return nil, err
	}
	m := s.Layout.Len
	s.sum = make([]float64, m)
	v := &graph.Value{Name: "shared array", DType: tensor.Float32, Shape: graph.Dims(1, m), Const: tensor.From(s.Array, 1, m)}
	s.own = &train.Param{Value: v, W: s.Array, G: make([]float32, m)}
	return append(slices.DeleteFunc(slices.Clone(ps), func(p *train.Param) bool { return slices.Contains(s.weights, p) }), s.own), nil
}

// Start expands the weights. Adam moves every number by about the learning rate,
// whatever its gradient's scale: the step on the array is divided by the mean scale
// of a slot, so that the weights move by it. Decoupled decay shrinks the array by
// itself.
func (s *Shared) Start(r *train.Run) error {
	if a, ok := r.Optimizer.(train.Adam); ok {
		count, sum := loads(s.Layout, s.slots, func(scale float64) float64 { return scale })
		s.mean, s.before = make([]float32, len(sum)), make([]float32, len(sum))
		for k := range sum {
			s.mean[k] = float32(sum[k] / math.Max(1, count[k]))
		}
		s.own.Decay = s.own.Decay && !a.Decoupled
	}
	s.expand()
	return nil
}

// loads counts the weights on each slot, and adds up f of their scales.
func loads(l *sharing.Layout, slots [][]sharing.Slot, f func(scale float64) float64) (count, sum []float64) {
	count, sum = make([]float64, l.Len), make([]float64, l.Len)
	for t, ss := range slots {
		x := f(float64(l.Tensors[t].Scale))
		for _, k := range ss {
			count[k.At()]++
			sum[k.At()] += x
		}
	}
	return count, sum
}

// Gammas are what the gradient of each slot is divided by, nil for none. With n
// weights of scales a on a slot: v1 is (sum a)^2/(n + 0.001), v2 sum a, v3 sum
// a/(n + 0.001), v4 the root of sum a^2, v5 sum a^2; each and 1e-6 (the authors'
// code, FakeRoastUtil_v2).
func Gammas(l *sharing.Layout, slots [][]sharing.Slot, scaler string) ([]float64, error) {
	count, sum := loads(l, slots, func(a float64) float64 { return a })
	_, square := loads(l, slots, func(a float64) float64 { return a * a })
	out := make([]float64, l.Len)
	for k := range out {
		switch scaler {
		case "v1":
			out[k] = sum[k] * sum[k] / (count[k] + 1e-3)
		case "v2":
			out[k] = sum[k]
		case "v3":
			out[k] = sum[k] / (count[k] + 1e-3)
		case "v4":
			out[k] = math.Sqrt(square[k])
		case "v5":
			out[k] = square[k]
		case "none":
			return nil, nil
		default:
			return nil, fmt.Errorf("there is no gradient scaler %q: use v1, v2, v3, v4, v5 or none", scaler)
		}
		out[k] += 1e-6
	}
	return out, nil
}

// AfterGrad adds the weights' gradients up in the array's.
func (s *Shared) AfterGrad(*train.Run) error {
	clear(s.sum)
	for t, p := range s.weights {
		sharing.Scatter(s.Layout.Tensors[t].Scale, s.slots[t], p.G, s.sum)
	}
	for k, x := range s.sum {
		if s.gamma != nil {
			x /= s.gamma[k]
		}
		s.own.G[k] = float32(x)
	}
	copy(s.before, s.Array)
	return nil
}

// AfterStep expands the array as it is after the step.
func (s *Shared) AfterStep(r *train.Run) error {
	if a, ok := r.Optimizer.(train.Adam); ok {
		decay := float32(0)
		if a.Decoupled {
			decay = float32(r.Rate(r.Step-1) * a.Decay)
		}
		for k, was := range s.before {
			if s.mean[k] > 0 {
				s.Array[k] = was - decay*was + (s.Array[k]-was)/s.mean[k]
			}
		}
	}
	s.expand()
	return nil
}

func (s *Shared) expand() {
	for t, p := range s.weights {
		sharing.Read(s.Layout.Tensors[t].Scale, s.slots[t], s.Array, p.W)
	}
}
