package structured

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/hook"
	"pare/prune/structure"
	"pare/tensor"
)

// adapterSet is the changes of a network's weights, laid out for the network as it was
// before any cut.
type adapterSet struct {
	of     []*adapted
	frozen []string // weights without one
	skips  []prune.Skip
	shared int // numbers that changes have in common
}

// adapted is a weight with a change.
type adapted struct {
	name    string
	source  *tensor.Tensor
	out, in int // axes
	rows    int
	cols    int
	change  hook.Change
}

// form is a kind of adapter and its size.
type form struct {
	kind       string
	rank       float64 // of splora; below 1: a share of the outputs
	prototypes int     // of splopa
	p, q       int     // its blocks
}

// maxSize bounds ranks and numbers of blocks.
const maxSize = 1 << 16

// parseForm reads splora:16, sppara or splopa:64:32x32.
func parseForm(text string) (f form, err error) {
	bad := catalog.Errorf("{Adapter} %q: splora:RANK, sppara or splopa:PROTOTYPES:PxQ is needed, such as splora:16 or splopa:64:32x32", text)
	parts := strings.Split(text, ":")
	f = form{kind: parts[0], rank: 16, prototypes: 64, p: 32, q: 32}
	switch {
	case f.kind == "splora" && len(parts) <= 2:
		if len(parts) == 2 {
			if f.rank, err = strconv.ParseFloat(parts[1], 64); err != nil {
				return f, bad
			}
		}
		if !(f.rank > 0) || f.rank > maxSize || f.rank >= 1 && f.rank != math.Trunc(f.rank) {
			return f, bad
		}
	case f.kind == "sppara" && len(parts) == 1:
	case f.kind == "splopa" && len(parts) <= 3:
		if len(parts) > 1 {
			if f.prototypes, err = strconv.Atoi(parts[1]); err != nil {
				return f, bad
			}
		}
		if len(parts) > 2 {
			a, b, ok := strings.Cut(parts[2], "x")
			var err2 error
			f.p, err = strconv.Atoi(a)
			f.q, err2 = strconv.Atoi(b)
			if !ok || err != nil || err2 != nil {
				return f, bad
			}
		}
		for _, n := range []int{f.prototypes, f.p, f.q} {
			if n < 1 || n > maxSize {
				return f, bad
			}
		}
	default:
		return f, bad
	}
	return f, nil
}

// adapters lays a change over every weight in scope that is a matrix or a kernel with a
// middle, and draws it.
func (s *Adapters) adapters(j *model.Job, ws []*prune.Weight) (*adapterSet, error) {
	f, err := parseForm(s.Adapter)
	if err != nil {
		return nil, err
	}
	a := &adapterSet{}
	r := rand.New(rand.NewPCG(j.Seed, 0xada))
	var blocks []*hook.Array
	whole := prune.Scope{Include: s.Trained}
	if err := whole.Check(j.Graph); err != nil {
		return nil, err
	}
	trained := func(name string) bool { return len(s.Trained) > 0 && whole.Match(name) }
	for _, w := range ws {
		if trained(w.Name) {
			continue
		}
		d, why := adaptable(w)
		if d == nil {
			a.skips = append(a.skips, prune.Skip{Name: w.Name, Len: w.Len(), Why: why})
			continue
		}
		if why != "" {
			return nil, catalog.Errorf("weight %q %s: leave it out with {Exclude}, and it stays as in the source", w.Name, why)
		}
		if f.kind == "splopa" && (d.rows%f.p != 0 || d.cols%f.q != 0) {
			return nil, catalog.Errorf("{Adapter} %s: blocks of %dx%d do not divide weight %q of %d outputs and %d inputs: give other blocks, or leave it out with {Exclude}", s.Adapter, f.p, f.q, w.Name, d.rows, d.cols)
		}
		if f.kind == "splopa" && blocks == nil {
			blocks = []*hook.Array{uniform(r, 1/math.Sqrt(float64(f.p)), "adapter.columns", f.prototypes, f.p),
				uniform(r, 1/math.Sqrt(float64(f.q)), "adapter.rows", f.prototypes, f.q)}
			a.shared = f.prototypes * (f.p + f.q)
		}
		d.change = s.draw(f, d, r, blocks)
		d.source = w.Const.Clone()
		a.of = append(a.of, d)
	}
	if len(a.of) == 0 {
		return nil, catalog.Errorf("no weight in scope is a matrix, or a kernel, that could have an adapter")
	}
	all, err := prune.Weights(j.Graph, prune.Scope{Embeddings: true})
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	for _, d := range a.of {
		has[d.name] = true
	}
	for _, w := range all {
		if !has[w.Name] && !trained(w.Name) {
			a.frozen = append(a.frozen, w.Name)
		}
	}
	return a, nil
}

// adaptable lays a weight out for a change; nil where it can have none, and why. With both
// it could have one, but for its kernel.
func adaptable(w *prune.Weight) (*adapted, string) {
	s := w.Const.Shape
	switch {
	case w.Role != graph.Param || w.Const.F32() == nil:
		return nil, "is not trained"
	case w.Node.Is("Conv"):
		d := &adapted{name: w.Name, out: 0, in: 1, rows: s[0], cols: s[1]}
		for _, k := range s[2:] {
			if k%2 == 0 {
				return d, fmt.Sprintf("has a kernel of %v, which has no middle for an adapter", s[2:])
			}
		}
		return d, ""
	case w.Kind == prune.Linear && len(s) == 2 && w.Outs == nil:
		return &adapted{name: w.Name, out: w.Out, in: 1 - w.Out, rows: s[w.Out], cols: s[1-w.Out]}, ""
	}
	return nil, fmt.Sprintf("(of %s) is neither a matrix nor a kernel", w.Node.Op)
}

// draw makes a change: the factor that makes it small is uniform within the settings'
// range, the others as PyTorch draws the weights of a linear layer.
func (s *Adapters) draw(f form, d *adapted, r *rand.Rand, blocks []*hook.Array) hook.Change {
	name := d.name + ".adapter"
	switch f.kind {
	case "sppara":
		return &hook.FullChange{D: uniform(r, s.Init, name, d.rows, d.cols)}
	case "splopa":
		return &hook.BlockChange{A: uniform(r, s.Init, name, f.prototypes, d.rows/f.p, d.cols/f.q), U: blocks[0], V: blocks[1]}
	}
	rank := int(f.rank)
	if f.rank < 1 {
		rank = max(1, int(math.RoundToEven(f.rank*float64(d.rows))))
	}
	return &hook.LowRankChange{R: uniform(r, 1/math.Sqrt(float64(rank*d.cols)), name+".rows", rank, d.cols), C: uniform(r, s.Init, name+".columns", d.rows, rank)}
}

// uniform is an array of uniform numbers within plus and minus a bound.
func uniform(r *rand.Rand, within float64, name string, shape ...int) *hook.Array {
	a := hook.NewArray(name, shape...)
	for i := range a.W {
		a.W[i] = float32(within * (2*r.Float64() - 1))
	}
	return a
}

// hook lays the changes over a network of which these positions are left.
func (a *adapterSet) hook(kept structure.Kept) *hook.Adapters {
	h := &hook.Adapters{Frozen: a.frozen}
	for _, d := range a.of {
		left := kept.Take(d.name, d.source)
		x := &hook.Adapter{Name: d.name, Source: left.F32(), Change: d.change, Rows: positions(kept[d.name], d.out, d.rows), Cols: positions(kept[d.name], d.in, d.cols)}
		taps := 1
		for _, k := range left.Shape[2:] {
			taps *= k
		}
		outer, inner := left.Shape[1], 1
		if d.out == 1 {
			outer, inner = 1, left.Shape[1]
		}
		for r := range x.Rows {
			for c := range x.Cols {
				x.At = append(x.At, (r*outer+c*inner)*taps+taps/2)
			}
		}
		h.Of = append(h.Of, x)
	}
	return h
}

// positions are those of an axis that stay.
func positions(masks []*prune.Mask, axis, n int) (out []int) {
	for i := range n {
		if axis >= len(masks) || masks[axis] == nil || masks[axis].Kept(i) {
			out = append(out, i)
		}
	}
	return out
}
