package calibrate

import (
	"context"
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/prune"
	"pare/prune/structure"
	"pare/tensor"
)

// Solver repairs a network that was cut from a dense one, without training and without
// labels: layer by layer, in order, each weight becomes the one whose output comes
// closest to what the dense network gives at the same place, by least squares over
// samples,
//
//	W = (Y Xᵀ + λ W0) (X Xᵀ + λ I)⁻¹
//
// where X are the layer's inputs in the cut network, whose layers before have been
// repaired, Y what is to come out, W0 the weight as it was cut, and λ a share of the mean
// of the diagonal of X Xᵀ (He, Zhang, Sun 2017, arXiv 1707.06168, there with λ = 0 and
// for channels). A bias is solved with it. Entries that are zero stay zero.
//
// Y is taken from the dense network behind normalisation and behind the sum of a residual
// block, less what the cut network already has on the other side of the sum: so each
// layer also makes good what those before it could not, and errors do not pile up.
type Solver struct {
	Damp float64 // λ as a share
	Options
	Log func(format string, a ...any) // nil: nothing is said
}

// Solved is what came of a layer.
type Solved struct {
	Name   string  `json:"name"`
	Before float64 `json:"before"` // share of the targets' variance that the cut layer missed
	After  float64 `json:"after"`  // what is missed now
	Few    bool    `json:"few"`    // the samples have fewer rows than the layer has inputs
}

// Solve changes the weights and biases of cut, whose values have the names that they
// have in dense; kept says which positions of them stayed. Layers that cannot be solved
// are left as they are, and listed with the reason.
func (s *Solver) Solve(ctx context.Context, dense, cut *graph.Graph, kept structure.Kept, batches Batches) ([]Solved, []prune.Skip, error) {
	ws, err := prune.Weights(cut, prune.Scope{})
	if err != nil {
		return nil, nil, err
	}
	layers, skips := Layers(cut, ws)
	from, err := NewWalk(dense, batches, s.Options)
	if err != nil {
		return nil, nil, err
	}
	to, err := NewWalk(cut, batches, s.Options)
	if err != nil {
		return nil, nil, err
	}
	r := &repair{Solver: s, dense: from, cut: to, kept: kept, named: map[string]*graph.Value{}}
	for _, v := range dense.Values() {
		r.named[v.Name] = v
	}
	var out []Solved
	for i, l := range layers {
		if len(l.Sites) > 1 {
			skips = append(skips, prune.Skip{Name: l.Weight.Name, Len: l.Weight.Len(), Why: fmt.Sprintf("is read by %d nodes, which want different things of it", len(l.Sites))})
			continue
		}
		if why := s.TooLarge(l); why != "" {
			skips = append(skips, prune.Skip{Name: l.Weight.Name, Len: l.Weight.Len(), Why: why})
			continue
		}
		done, why, err := r.layer(ctx, l, layers[i:])
		if err != nil {
			return nil, nil, err
		}
		if why != "" {
			skips = append(skips, prune.Skip{Name: l.Weight.Name, Len: l.Weight.Len(), Why: why})
			continue
		}
		if s.Log != nil {
			s.Log("%s: %.2f %% of what it should give was missing, %.2f %% is", done.Name, 100*done.Before, 100*done.After)
		}
		out = append(out, *done)
	}
	return out, skips, nil
}

// repair is a network while it is solved.
type repair struct {
	*Solver
	dense, cut *Walk
	kept       structure.Kept
	named      map[string]*graph.Value // values of the dense network
}

// after says of a value that it depends on none of some layers.
func after(g *graph.Graph, layers []*Layer) func(*graph.Value) bool {
	late := map[*graph.Value]bool{}
	open := map[*graph.Node]bool{}
	for _, l := range layers {
		for _, s := range l.Sites {
			open[s.Node] = true
		}
	}
	for _, n := range g.Nodes {
		for _, v := range append(slices.Clone(n.Inputs), n.Captures()...) {
			open[n] = open[n] || v != nil && late[v]
		}
		if open[n] {
			for _, o := range n.Outputs {
				late[o] = true
			}
		}
	}
	return func(v *graph.Value) bool { return !late[v] }
}

// layer solves one layer; the others come behind it.
func (r *repair) layer(ctx context.Context, l *Layer, rest []*Layer) (*Solved, string, error) {
	site := l.Sites[0]
	n := l.Weight.Outputs()
	e := site.follow(r.cut.g, r.cut.g.Uses(), n, after(r.cut.g, rest))
	if e == nil {
		return nil, "has a bias that differs within a channel", nil
	}
	target := r.named[e.value.Name]
	if target == nil || target.IsConst() {
		return nil, fmt.Sprintf("makes %q, which the dense network does not have", e.value.Name), nil
	}
	sum, err := r.sums(ctx, site, e, target)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", l.Weight.Name, err)
	}
	defer sum.close()
	if err := sum.check(l.Weight.Name); err != nil {
		return nil, "", err
	}
	done := &Solved{Name: l.Weight.Name}
	var before, left, whole float64
	for g, m := range sum.of {
		b, a, y, err := r.group(l.Weight.Data(), m, e, g*m.Outs)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", l.Weight.Name, err)
		}
		before, left, whole = before+b, left+a, whole+y
		done.Few = done.Few || m.Rows < m.Cols
	}
	if whole > 0 {
		done.Before, done.After = before/whole, left/whole
	}
	return done, "", nil
}

// sums adds up the moments of a layer's inputs in the cut network and of its targets.
func (r *repair) sums(ctx context.Context, site *Site, e *end, target *graph.Value) (*sums, error) {
	want := []*graph.Value{site.X(), site.Y()}
	if e.other != nil {
		want = append(want, e.other)
	}
	cut := r.cut.View(want, site.Node)
	defer cut.Close()
	var from *graph.Node // targets of later layers are no farther forward
	if y := r.named[site.Y().Name]; y != nil {
		from = y.From
	}
	dense := r.dense.View([]*graph.Value{target}, from)
	defer dense.Close()
	sum := &sums{opt: r.Options, whole: true}
	for b := range r.cut.Batches() {
		x, err := cut.Run(ctx, b)
		if err != nil {
			return sum, err
		}
		t, err := dense.Run(ctx, b)
		if err != nil {
			return sum, err
		}
		p, err := site.product(x[0].Shape, x[1].Shape)
		if err != nil {
			return sum, err
		}
		y := r.kept.Take(target.Name, t[0])
		if !slices.Equal(y.Shape, x[1].Shape) {
			return sum, fmt.Errorf("its output is %v, and what the dense network gives there %v", x[1].Shape, y.Shape)
		}
		var other *tensor.Tensor
		if e.other != nil {
			other = x[2]
		}
		if err := sum.add(p, x[0].F32(), e.targets(p, y, other)); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// targets writes what the layer's product without its bias should be.
func (e *end) targets(p *product, y, other *tensor.Tensor) func(g, lo, hi int, dst []float32) {
	return func(g, lo, hi int, dst []float32) {
		p.outputs(y.F32(), g, lo, hi, dst)
		var o []float32
		if other != nil {
			o = other.F32()
		}
		for n := lo; n < hi; n++ {
			row := dst[(n-lo)*p.outs : (n-lo+1)*p.outs]
			for c := range row {
				if o != nil {
					row[c] -= o[p.yg[g]+p.yn[n]+p.yo[c]]
				}
				k := min(g*p.outs+c, len(e.scale)-1)
				if s := e.scale[k]; math.Abs(s) > tiny {
					row[c] = float32((float64(row[c]) - e.shift[k]) / s)
				} else {
					row[c] = 0
				}
			}
		}
	}
}

// tiny is the factor below which a channel says nothing.
const tiny = 1e-6

// group solves the weights of a group, whose first output is channel at, and moves the
// bias. It gives the squared error before and after, and the targets' squares.
func (r *repair) group(w []float32, m *Moments, e *end, at int) (before, left, whole float64, err error) {
	w0 := make([]float64, m.Outs*m.Cols)
	kept := prune.NewMask(len(w0), true)
	for o := range m.Outs {
		for k := range m.Cols {
			x := w[m.At(o, k)]
			w0[o*m.Cols+k] = float64(x)
			kept.Set(o*m.Cols+k, x != 0)
		}
	}
	if kept.Count() == len(w0) {
		kept = nil
	}
	mx, my := make([]float64, m.Cols), make([]float64, m.Outs)
	if e.bias != nil {
		mx, my = m.centre()
	}
	before, whole = m.share(w0, my)
	fit, err := m.Ridge(r.Damp, w0, kept)
	if err != nil {
		return 0, 0, 0, err
	}
	left, _ = m.share(fit, my)
	for o := range m.Outs {
		c := min(at+o, len(e.scale)-1)
		if math.Abs(e.scale[c]) <= tiny {
			continue
		}
		d := my[o]
		for k := range m.Cols {
			w[m.At(o, k)] = float32(fit[o*m.Cols+k])
			d -= fit[o*m.Cols+k] * mx[k]
		}
		if e.bias != nil {
			e.bias[c] += float32(d / e.gain[c])
		}
	}
	return before, left, whole, nil
}
