package search

import (
	"fmt"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/prune/structure"
	"pare/tensor"
	"pare/train"
)

// features are what values of a network are on samples, one after the other, in the order
// of a set.
type features struct {
	names  []string
	shapes [][]int     // of a sample
	x      [][]float32 // by value
	n      int         // samples
	energy []float64   // by value: the sum of squares
}

// evalBatch is the number of samples that run at once.
const evalBatch = 64

// mostNumbers bounds the features that are kept of a set, which take four bytes each.
var mostNumbers = 1 << 28

// within gives as many samples of a set as their features may be kept of.
func (e *emo) within(of []*graph.Value, set *dataset.Set) (*dataset.Set, error) {
	_, at := op.OneSample(e.dense)
	width := 0
	for _, v := range of {
		width += at[v].Shape.Size(1, len(v.Shape)).Mul
	}
	n := mostNumbers / max(1, width)
	if n >= set.Len() {
		return set, nil
	}
	if n < heldLeast {
		return nil, catalog.Errorf("%d numbers pass between the sub-networks for each sample, too many to be kept: give fewer {Subnetworks}, or 1", width)
	}
	return set.Draw(n, e.job.Seed), nil
}

// featuresOf runs a network on a set and keeps values of it, which may be its inputs.
func (e *emo) featuresOf(g *graph.Graph, of []*graph.Value, set *dataset.Set) (*features, error) {
	_, at := op.OneSample(g)
	f := &features{}
	width := 0
	for _, v := range of {
		shape, ok := at[v].Shape.Ints()
		if !ok {
			return nil, fmt.Errorf("the size of %q is not known", v.Name)
		}
		f.names, f.shapes = append(f.names, v.Name), append(f.shapes, shape[1:])
		width += size(shape[1:])
	}
	c, m := g.Clone(false)
	c.Usage.OutputOf, c.Outputs = "", nil
	for _, v := range of {
		w := m[v]
		if w.From == nil {
			w = c.Add("Identity", "", []*graph.Value{w}, []string{w.Name + "/feature"}).Outputs[0]
			w.DType, w.Shape = v.DType, slices.Clone(v.Shape)
		}
		c.Outputs = append(c.Outputs, w)
	}
	c.Prune()
	f.x, f.energy = make([][]float32, len(of)), make([]float64, len(of))
	err := train.NewEval(set, e.job.Data.Norm, evalBatch, e.job.Engine).Outputs(e.ctx, c, func(out []float32, w int) error {
		if w != width {
			return fmt.Errorf("features of %d numbers a sample, not %d", w, width)
		}
		f.take(out)
		return nil
	})
	return f, e.job.Interrupted(e.ctx, err)
}

// take adds samples, of each of which all values stand together.
func (f *features) take(out []float32) {
	for len(out) > 0 {
		for k, s := range f.shapes {
			n := size(s)
			f.x[k] = append(f.x[k], out[:n]...)
			for _, v := range out[:n] {
				f.energy[k] += float64(v) * float64(v)
			}
			out = out[n:]
		}
		f.n++
	}
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// only are the features of some of the values.
func (f *features) only(of []*graph.Value) *features {
	g := &features{n: f.n}
	for _, v := range of {
		k := slices.Index(f.names, v.Name)
		g.names, g.shapes = append(g.names, v.Name), append(g.shapes, f.shapes[k])
		g.x, g.energy = append(g.x, f.x[k]), append(g.energy, f.energy[k])
	}
	return g
}

// set is the features as samples of a network whose inputs are called as they are, with
// other fields of these samples.
func (f *features) set(also []*dataset.Field) *dataset.Set {
	var fields []*dataset.Field
	for k, name := range f.names {
		fields = append(fields, &dataset.Field{Name: name, Shape: f.shapes[k], Floats: f.x[k]})
	}
	return dataset.New("features", append(fields, also...)...)
}

// distance adds up how far other features are from these: of each value the square of the
// difference, as a share of its own squares. Where positions of a value are gone they count
// as zeros. The mean of the values.
type distance struct {
	of   *features
	at   [][]int // by value: the positions in a sample that are there; nil: all
	sum  []float64
	kept []float64 // squares of what is there
	i    int       // the next sample
}

// against begins a comparison with features of which positions are kept.
func (f *features) against(kept structure.Kept) *distance {
	d := &distance{of: f, sum: make([]float64, len(f.x)), kept: make([]float64, len(f.x))}
	for k, name := range f.names {
		d.at = append(d.at, positions(f.shapes[k], kept[name]))
	}
	return d
}

// positions lists the numbers of a sample that masks of a value's axes, the first of which
// is the batch's, keep; nil: all.
func positions(shape []int, masks []*prune.Mask) []int {
	if !slices.ContainsFunc(masks, func(m *prune.Mask) bool { return m != nil }) {
		return nil
	}
	at := []int{0}
	for d, n := range shape {
		var next []int
		for _, p := range at {
			for i := range n {
				if d+1 >= len(masks) || masks[d+1] == nil || masks[d+1].Kept(i) {
					next = append(next, p*n+i)
				}
			}
		}
		at = next
	}
	return at
}

// add compares samples, of each of which all values stand together.
func (d *distance) add(out []float32) error {
	for len(out) > 0 {
		for k, s := range d.of.shapes {
			n := size(s)
			want := d.of.x[k][d.i*n : (d.i+1)*n]
			if at := d.at[k]; at == nil {
				d.pair(k, want, out[:n])
				out = out[n:]
			} else {
				if len(out) < len(at) {
					return fmt.Errorf("%q has other positions than those that are kept", d.of.names[k])
				}
				for i, p := range at {
					d.pair(k, want[p:p+1], out[i:i+1])
				}
				out = out[len(at):]
			}
		}
		d.i++
	}
	return nil
}

func (d *distance) pair(k int, want, is []float32) {
	for i, t := range want {
		x := float64(is[i]) - float64(t)
		d.sum[k] += x * x
		d.kept[k] += float64(t) * float64(t)
	}
}

// value is what was added up.
func (d *distance) value() float64 {
	mean := 0.0
	for k, x := range d.sum {
		if whole := d.of.energy[k]; whole > 0 {
			mean += (x + max(0, whole-d.kept[k])) / whole / float64(len(d.sum))
		}
	}
	return mean
}

// between is the part of a network from features to others, by their names, as a network
// of its own: from nil, it begins with the network's inputs.
func between(g *graph.Graph, from, to []*graph.Value) (*graph.Graph, error) {
	c := upTo(g, to)
	if from == nil {
		return c, op.InferAll(c)
	}
	in := map[*graph.Value]bool{}
	c.Inputs = nil
	for _, v := range from {
		w := c.Value(v.Name)
		in[w] = true
		c.Inputs = append(c.Inputs, w)
	}
	reached, need := map[*graph.Node]bool{}, slices.Clone(c.Outputs)
	for len(need) > 0 {
		v := need[len(need)-1]
		if need = need[:len(need)-1]; v == nil || in[v] || v.From == nil || reached[v.From] {
			continue
		}
		reached[v.From] = true
		need = append(append(need, v.From.Inputs...), v.From.Captures()...)
	}
	c.Nodes = slices.DeleteFunc(c.Nodes, func(n *graph.Node) bool { return !reached[n] })
	for v := range in {
		v.From, v.DType = nil, tensor.Float32
	}
	uses := c.Uses()
	c.Inputs = slices.DeleteFunc(c.Inputs, func(v *graph.Value) bool { return len(uses[v]) == 0 })
	return c, op.InferAll(c)
}
