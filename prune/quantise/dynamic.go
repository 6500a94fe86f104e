package quantise

import (
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Dynamic writes the network with the plan's matrices as int8, whose inputs become integers
// by their own range each time (DynamicQuantizeLinear, MatMulInteger): no samples are
// needed, and ranges that samples do not show do no harm. Convolutions stay in float.
func (p *Plan) Dynamic() (*graph.Graph, error) {
	f := p.copied()
	if err := op.Raise(f.Graph, leastOpset); err != nil {
		return nil, err
	}
	w := p.writing(f)
	inputs := map[*graph.Value]*graph.Node{}
	for _, l := range p.Layers {
		n := f.node[l.Node]
		if l.convolves() {
			continue
		}
		if l.Node.Is("Gather") {
			w.table(l, n)
			continue
		}
		x := n.In(0)
		d := inputs[x]
		if d == nil {
			d = f.Add("DynamicQuantizeLinear", "", []*graph.Value{x}, []string{"q", "s", "z"})
			inputs[x] = d
		}
		q := w.weights[l.Weight]
		if q == nil {
			t := l.integers()
			if l.Axis == 0 {
				t = turned(t)
			}
			q = w.put(l.Weight, t, graph.Packed)
			w.weights[l.Weight] = q
		}
		sums := w.node("MatMulInteger", "i", d.Outputs[0], q, d.Outputs[2])
		sums = w.node("Cast", "f", sums)
		sums.From.Set("to", tensor.Float32)
		y := w.node("Mul", "m", sums, w.node("Mul", "s", d.Outputs[1], w.steps(l)))
		if b := n.In(2); n.Is("Gemm") && b != nil {
			y = w.node("Add", "a", y, b)
		}
		replace(f.Graph, n.Out(0), y)
	}
	return f.Graph, finished(f.Graph)
}

// convolves says whether the layer is a convolution.
func (l *Layer) convolves() bool { return l.Node.Is("Conv", "ConvTranspose") }

// Convolutions are the weights of those, by name.
func (p *Plan) Convolutions() map[string]bool {
	out := map[string]bool{}
	for _, l := range p.Layers {
		if l.convolves() {
			out[l.Weight.Name] = true
		}
	}
	return out
}

// turned is a matrix of integers with its axes changed over.
func turned(t *tensor.Tensor) *tensor.Tensor {
	rows, cols := t.Shape[0], t.Shape[1]
	out := tensor.New(tensor.Int8, cols, rows)
	from, to := tensor.Of[int8](t), tensor.Of[int8](out)
	for i := range rows {
		for k := range cols {
			to[k*rows+i] = from[i*cols+k]
		}
	}
	return out
}

// replace puts a value in the place of another, whose name it takes over where that is an
// output.
func replace(g *graph.Graph, old, new *graph.Value) {
	old.From = nil
	g.ReplaceUses(old, new)
}

// finished sorts a network that was rewritten, takes away what nobody reads, and infers.
func finished(g *graph.Graph) error {
	if err := g.Sort(); err != nil {
		return err
	}
	g.Prune()
	return op.InferAll(g)
}
