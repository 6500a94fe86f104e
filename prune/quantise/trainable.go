package quantise

import (
	"math"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/tensor"
)

// Trainable is a network that is trained as its integers will be: rounding to integers and
// back stands at the tensors and weights of a plan, and gradients go straight through it
// (graph/op's FakeQuantize). The step of a tensor is learned, as a factor of what
// calibration found (Esser et al. 2020, arXiv 1902.08153); that of a channel of a weight is
// its largest magnitude over 127, anew in each step.
type Trainable struct {
	Graph *graph.Graph // in float, to be trained
	plan  *Plan
	f     *fakes
	rates map[*Tensor]float64      // by which a tensor's theta is multiplied
	theta map[*Tensor]*graph.Value // log(step/first step)/rate
}

// Trainable makes the network of a plan that was calibrated. Its weights are copies.
func (p *Plan) Trainable() (*Trainable, error) {
	c, m := p.Graph.Clone(true)
	f := &fakes{Graph: c, of: m, node: map[*graph.Node]*graph.Node{}}
	for i, n := range p.Graph.Nodes {
		f.node[n] = c.Nodes[i]
	}
	t := &Trainable{Graph: c, plan: p, f: f, rates: map[*Tensor]float64{}, theta: map[*Tensor]*graph.Value{}}
	for _, x := range p.Tensors {
		if x.Like == nil {
			p.around(c, x, f.of, f.node, func(v *graph.Value) *graph.Value {
				return p.faked(c, v, t.step(x, v), p.Lo-x.Scale.Zero, p.Hi-x.Scale.Zero)
			})
		}
	}
	done := map[*graph.Value]*graph.Value{}
	for _, l := range p.Layers {
		w := f.of[l.Weight]
		if done[w] == nil {
			done[w] = p.faked(c, w, weightStep(c, w, l.Axis), Weights.Lo, Weights.Hi)
			done[w].From.Set("still", 1)
		}
		f.node[l.Node].Inputs[l.in()] = done[w]
	}
	if err := c.Sort(); err != nil {
		return nil, err
	}
	return t, op.InferAll(c)
}

// step is first*exp(rate*theta), theta from 0 on. The rate makes a step of the optimiser
// move the step as LSQ does, whose gradient is scaled by 1/sqrt(n Hi), n the numbers of a
// sample: rate = (n Hi)^(-1/4)/first.
func (t *Trainable) step(x *Tensor, v *graph.Value) *graph.Value {
	n := 1
	for _, d := range v.Shape[min(1, len(v.Shape)):] {
		if d.Known() {
			n *= max(1, d.Mul)
		}
	}
	first := float64(x.Scale.Step)
	rate := math.Min(8, math.Pow(float64(n)*float64(Signed.Hi), -.25)/first)
	theta := t.Graph.Const(v.Name+"/range", tensor.New(tensor.Float32, 1), graph.Param)
	t.rates[x], t.theta[x] = rate, theta
	b := op.NewBuilder(t.Graph, v.Name+"/step")
	return b.Op("Mul", b.Op("Exp", b.Op("Mul", theta, b.Const(tensor.Scalar(float32(rate))))), b.Const(tensor.Scalar(x.Scale.Step)))
}

// weightStep is the largest magnitude of each position of an axis over that of integers.
func weightStep(g *graph.Graph, w *graph.Value, axis int) *graph.Value {
	var over []int
	for d := range w.Const.Shape {
		if d != axis {
			over = append(over, d)
		}
	}
	b := op.NewBuilder(g, w.Name+"/step")
	most := b.Reduce("ReduceMax", b.Op("Abs", w), true, over...)
	return b.Op("Add", b.Op("Mul", most, b.Const(tensor.Scalar(1/float32(Weights.Hi)))), b.Const(tensor.Scalar(float32(leastStep))))
}

// Masks say of the weights that hold zeros, as pruning leaves them, which entries stay; nil:
// there are none.
func (t *Trainable) Masks() *prune.Masks {
	m := &prune.Masks{}
	for _, s := range op.Sites(t.Graph) {
		v := s.Value
		if v.Role != graph.Param || len(v.Const.Shape) < 2 || v.Const.F32() == nil || slices.ContainsFunc(m.Weights, func(w *prune.Weight) bool { return w.Value == v }) {
			continue
		}
		mask := prune.NewMask(v.Const.Len(), true)
		for i, x := range v.Const.F32() {
			if x == 0 {
				mask.Set(i, false)
			}
		}
		if mask.Count() < mask.Len {
			m.Weights, m.Mask = append(m.Weights, &prune.Weight{Value: v, Node: s.Node, Out: s.Out}), append(m.Mask, mask)
		}
	}
	if len(m.Weights) == 0 {
		return nil
	}
	return m
}

// Learned puts what was trained into the plan: weights, biases, all other parameters, and
// the steps of tensors.
func (t *Trainable) Learned() {
	for old, v := range t.f.of {
		if old.Const != nil && old.Role != graph.Frozen && v.Const != nil {
			old.Const = v.Const
		}
	}
	for x, theta := range t.theta {
		s := float64(x.Scale.Step) * math.Exp(t.rates[x]*float64(theta.Const.F32()[0]))
		x.Scale.Step = float32(s)
		x.Range = Range{s * float64(t.plan.Lo-x.Scale.Zero), s * float64(t.plan.Hi-x.Scale.Zero)}
	}
	t.plan.ChooseSteps(MinMax)
}
