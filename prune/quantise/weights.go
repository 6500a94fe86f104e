package quantise

import (
	"math"

	"pare/tensor"
)

// WeightRules are the rules for the ranges of weights.
var WeightRules = []Rule{MinMax, MSE}

// ChooseSteps chooses the step of every channel of every weight by a rule, of WeightRules.
// A channel of zeros has the step of those beside it.
func (p *Plan) ChooseSteps(r Rule) {
	for _, l := range p.Layers {
		l.Steps = stepsOf(l.Weight.Const, l.Axis, r)
	}
}

// stepsOf are the steps of a weight along an axis.
func stepsOf(w *tensor.Tensor, axis int, r Rule) []float32 {
	n, at := w.Shape[axis], along(w.Shape, axis)
	most := make([]float32, n)
	for i, v := range w.F32() {
		most[at(i)] = max(most[at(i)], float32(math.Abs(float64(v))))
	}
	out, widest := make([]float32, n), float32(0)
	for c, m := range most {
		out[c] = m / float32(Weights.Hi)
		widest = max(widest, out[c])
	}
	if r.Name == MSE.Name {
		tighten(w, at, out)
	}
	for c, s := range out {
		if !(s > leastStep) {
			out[c] = sound(widest)
		}
	}
	return out
}

// tighten makes steps smaller where that lessens the sum of squared errors of their
// channel.
func tighten(w *tensor.Tensor, at func(int) int, steps []float32) {
	whole, least := append([]float32{}, steps...), make([]float64, len(steps))
	for f := 100; f >= 50; f-- {
		errs := make([]float64, len(steps))
		for i, v := range w.F32() {
			c := at(i)
			d := float64(v - Weights.Round(v, Scale{Step: sound(whole[c] * float32(f) / 100)}))
			errs[c] += d * d
		}
		for c, e := range errs {
			if s := whole[c] * float32(f) / 100; (f == 100 || e < least[c]) && s > leastStep {
				least[c], steps[c] = e, s
			}
		}
	}
}

// along gives the position of an axis that an entry of a tensor has.
func along(shape []int, axis int) func(i int) int {
	inner := 1
	for _, k := range shape[axis+1:] {
		inner *= k
	}
	n := shape[axis]
	return func(i int) int { return i / inner % n }
}

// mostBias is the greatest integer of a bias; half of what there is room for, so that sums
// have the rest.
const mostBias = 1 << 30

// biasSteps are the steps of a layer's bias: of the input times those of the weight. Where
// a bias would not fit them, the step of its channel of the weight is raised.
func (l *Layer) biasSteps() []float64 {
	x := float64(l.In.scale().Step)
	b := l.bias.Const.F32()
	n := len(l.Steps)
	for c, v := range b {
		least := math.Abs(float64(v)) / mostBias / x
		if float64(l.Steps[c%n]) < least {
			l.Steps[c%n] = float32(least * 1.0001)
		}
	}
	out := make([]float64, len(b))
	for c := range b {
		out[c] = float64(float32(x * float64(l.Steps[c%n])))
	}
	return out
}

// integers are those of a weight.
func (l *Layer) integers() *tensor.Tensor {
	w, at := l.Weight.Const, along(l.Weight.Const.Shape, l.Axis)
	t := tensor.New(tensor.Int8, w.Shape...)
	q := tensor.Of[int8](t)
	for i, v := range w.F32() {
		q[i] = int8(Weights.Integer(v, Scale{Step: l.Steps[at(i)]}))
	}
	return t
}

// rounded is the weight once it was integers.
func (l *Layer) rounded() *tensor.Tensor {
	t, at := l.integers(), along(l.Weight.Const.Shape, l.Axis)
	out := tensor.New(tensor.Float32, t.Shape...)
	for i, v := range tensor.Of[int8](t) {
		out.F32()[i] = float32(v) * l.Steps[at(i)]
	}
	return out
}

// biasIntegers are those of the bias, and its steps.
func (l *Layer) biasIntegers() (q, steps *tensor.Tensor) {
	s := l.biasSteps()
	q, steps = tensor.New(tensor.Int32, len(s)), tensor.New(tensor.Float32, len(s))
	for c, v := range l.bias.Const.F32() {
		steps.F32()[c] = float32(s[c])
		tensor.Of[int32](q)[c] = int32(math.RoundToEven(float64(v) / s[c]))
	}
	return q, steps
}

// biasRounded is the bias once it was integers.
func (l *Layer) biasRounded() *tensor.Tensor {
	q, s := l.biasIntegers()
	t := tensor.New(tensor.Float32, q.Len())
	for c, v := range tensor.Of[int32](q) {
		t.F32()[c] = float32(float64(v) * float64(s.F32()[c]))
	}
	return t
}
