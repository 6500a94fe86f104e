package oracle

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"pare/graph"
	"pare/model"
)

// Training trains a Net as a job's recipe says.
type Training struct {
	Net    *Net
	Stream *Stream
	Recipe model.Recipe
	Steps  int // of the whole training
	From   int // steps regarded as done: rates and samples go on there, the optimiser begins anew

	Falls func(step int) float64 // the learning rate; nil: by the recipe's schedule

	Before func(step int) // before the forward pass of a step; steps count from 0
	Graded func(step int) // gradients are there, parameters not yet moved
	After  func(step int) // parameters are moved
	End    func()         // after the last step

	Frames []*Frame // after each step
}

// Frame is what a step has left.
type Frame struct {
	Step   int // its number in a series; 0: its place
	Loss   float64
	Values map[string][]float64 // by parameter; nil: not looked at
	Masks  map[string][]bool    // nil where there is none
}

// NewTraining reads a job's network and what it is trained on.
func NewTraining(t testing.TB, j *model.Job) *Training {
	t.Helper()
	n := Read(t, j.Graph)
	n.Smoothing = j.Recipe.Smoothing
	s := Trained(t, j)
	return &Training{Net: n, Stream: s, Recipe: j.Recipe, Steps: j.Recipe.Epochs * s.Steps()}
}

// Run trains from the first step to the last.
func (r *Training) Run() *Training {
	r.Net.Apply()
	for step := r.From; step < r.Steps; step++ {
		if r.Before != nil {
			r.Before(step)
		}
		loss := r.Net.Gradient(r.Batch(step))
		if r.Graded != nil {
			r.Graded(step)
		}
		for _, p := range r.Net.Tensors() {
			r.Move(p, step)
		}
		r.Net.MoveStatistics(r.Recipe.Batch, stays)
		r.Net.Apply()
		if r.After != nil {
			r.After(step)
		}
		r.Frames = append(r.Frames, r.Net.Frame(loss))
	}
	if r.End != nil {
		r.End()
	}
	return r
}

// Batch is that of a step.
func (r *Training) Batch(step int) Batch {
	return r.Stream.Batch(step/r.Stream.Steps(), step%r.Stream.Steps())
}

// Rate is the learning rate of a step.
func (r *Training) Rate(step int) float64 {
	if r.Falls != nil {
		return r.Falls(step)
	}
	switch r.Recipe.Schedule {
	case "constant":
		return r.Recipe.LR
	case "cosine":
		return r.Recipe.LR * (1 + math.Cos(math.Pi*float64(step)/float64(r.Steps))) / 2
	}
	panic("schedule " + r.Recipe.Schedule)
}

// Move moves a parameter against its gradient: by SGD with momentum, in PyTorch's form
// without dampening, Nesterov's too; or by Adam, with decay in the gradient, or AdamW.
// What a mask cuts has no gradient.
func (r *Training) Move(p *Tensor, step int) {
	lr, c := r.Rate(step), r.Recipe
	const beta1, beta2, eps = .9, .999, 1e-8
	for i := range p.X {
		if p.Mask != nil && !p.Mask[i] {
			continue
		}
		g := p.G[i]
		if c.Optimizer == "adamw" {
			p.X[i] -= lr * c.Decay * p.X[i]
		} else {
			g += c.Decay * p.X[i]
		}
		switch c.Optimizer {
		case "sgd":
			p.M[i] = c.Momentum*p.M[i] + g
			p.X[i] -= lr * p.M[i]
		case "nesterov":
			p.M[i] = c.Momentum*p.M[i] + g
			p.X[i] -= lr * (g + c.Momentum*p.M[i])
		case "adam", "adamw":
			p.M[i] = beta1*p.M[i] + (1-beta1)*g
			p.V[i] = beta2*p.V[i] + (1-beta2)*g*g
			m, v := p.M[i]/(1-math.Pow(beta1, float64(step-r.From+1))), p.V[i]/(1-math.Pow(beta2, float64(step-r.From+1)))
			p.X[i] -= lr * m / (math.Sqrt(v) + eps)
		default:
			panic("optimiser " + c.Optimizer)
		}
	}
}

// Frame copies what there is.
func (n *Net) Frame(loss float64) *Frame {
	f := &Frame{Loss: loss, Values: map[string][]float64{}, Masks: map[string][]bool{}}
	for _, p := range n.Tensors() {
		f.Values[p.Name] = slices.Clone(p.X)
		f.Masks[p.Name] = slices.Clone(p.Mask)
	}
	return f
}

// near says whether a computed number is the one wanted but for rounding in float32.
func near(got, want float64) bool {
	return math.Abs(got-want) <= 2e-6*math.Max(1, math.Abs(want))
}

// Follow lets a method work and holds it to the training: the loss and all parameters
// after every step, and parameters and masks at the end. The training's network is to be
// read before: the method changes it.
func (r *Training) Follow(t testing.TB, m model.Method, j *model.Job) *model.Result {
	t.Helper()
	k := *j
	seen := 0
	k.OnStep = func(step, _ int, loss float64) {
		if seen++; t.Failed() {
			return
		}
		if seen > len(r.Frames) {
			t.Errorf("%s: step %d is the %dth of %d", m.Card().Name, step, seen, len(r.Frames))
			return
		}
		f := r.Frames[seen-1]
		if want := cmp.Or(f.Step, seen); step != want {
			t.Errorf("%s: step %d, want %d", m.Card().Name, step, want)
		}
		if !near(loss, f.Loss) {
			t.Errorf("%s: loss %v at step %d, want %v", m.Card().Name, loss, step, f.Loss)
		}
		if f.Values != nil { // a training of another network than the job's
			f.Compare(t, m.Card().Name, step, j)
		}
	}
	res, err := model.Run(context.Background(), m, &k)
	if err != nil {
		t.Fatalf("%s: %v", m.Card().Name, err)
	}
	if seen != len(r.Frames) {
		t.Errorf("%s: %d steps, want %d", m.Card().Name, seen, len(r.Frames))
	}
	if !t.Failed() {
		r.Net.Compare(t, m.Card().Name, res)
	}
	return res
}

// Compare fails where the parameters of a job's network are not those of the frame:
// exactly zero where masks cut.
func (f *Frame) Compare(t testing.TB, what string, step int, j *model.Job) {
	t.Helper()
	for _, p := range j.Graph.Params() {
		want := f.Values[p.Name]
		for i, x := range p.Const.F32() {
			cut := f.Masks[p.Name] != nil && !f.Masks[p.Name][i]
			if !near(float64(x), want[i]) || cut && x != 0 {
				t.Errorf("%s: after step %d %s[%d] is %v, want %v (cut: %v)", what, step, p.Name, i, x, want[i], cut)
				return
			}
		}
	}
}

// Compare fails where a result's parameters and masks are not those of the network.
func (n *Net) Compare(t testing.TB, what string, res *model.Result) {
	t.Helper()
	n.Numbers(t, what, res.Graph)
	n.Masked(t, what, res)
}

// Numbers fails where parameters and running statistics of a graph are not those of the
// network.
func (n *Net) Numbers(t testing.TB, what string, g *graph.Graph) {
	t.Helper()
	n.Frame(0).Compare(t, what+", at the end", -1, &model.Job{Graph: g})
	for i, l := range n.Layers {
		if l.Norm == nil {
			continue
		}
		for name, want := range map[string][]float64{"running_mean": l.Norm.Mean, "running_var": l.Norm.Variance} {
			name = fmt.Sprintf("bn%d.%s", i+1, name)
			for k, x := range g.Value(name).Const.F32() {
				if !near(float64(x), want[k]) {
					t.Fatalf("%s: %s[%d] is %v, want %v", what, name, k, x, want[k])
				}
			}
		}
	}
}

// Masked fails where a result's masks are not those of the network.
func (n *Net) Masked(t testing.TB, what string, res *model.Result) {
	t.Helper()
	var want []*Tensor
	for _, p := range n.Tensors() {
		if p.Mask != nil {
			want = append(want, p)
		}
	}
	if want == nil && res.Masks == nil {
		return
	}
	if res.Masks == nil || len(want) != len(res.Masks.Weights) {
		t.Fatalf("%s: masks %v, want %d", what, res.Masks, len(want))
	}
	for l, w := range res.Masks.Weights {
		p := want[l]
		if w.Name != p.Name || w.Len() != len(p.Mask) {
			t.Fatalf("%s: the mask of %s stands for that of %s", what, w.Name, p.Name)
		}
		for i, keep := range p.Mask {
			if res.Masks.Mask[l].Kept(i) != keep {
				t.Errorf("%s: %s[%d] stays: %v, want %v (%d of %d are left, want %d)", what, w.Name, i, !keep, keep, res.Masks.Mask[l].Count(), w.Len(), Count(p.Mask))
				return
			}
		}
	}
}

// Held holds a method to masks that are chosen before the training, by the network as it
// is: what it cuts without any training, and every step of the job's own.
func Held(t testing.TB, m model.Method, j *model.Job, pick func(n *Net) [][]bool) {
	t.Helper()
	for _, epochs := range []int{0, j.Recipe.Epochs} {
		k := *j
		k.Graph, _ = j.Graph.Clone(true)
		k.Recipe.Epochs = epochs
		r := NewTraining(t, &k)
		for l, mask := range pick(r.Net) {
			r.Net.Layers[l].W.Mask = mask
		}
		r.Net.Apply()
		r.Run().Follow(t, m, &k)
	}
}
