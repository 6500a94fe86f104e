package language

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/prune/hook"
	"pare/train"
)

// training is what is trained of a network.
type training struct {
	hooks []train.Hook
	count int // numbers
	notes []string
	left  []string // masked weights without an adapter
}

// trained says what of a network is trained: adapters of its masked weights, and parts.
// Everything else is frozen, and what is done already. A network may be a part of the one
// that the masks are of: nothing of it may be to train.
func (s *PERP) trained(g *graph.Graph, masks *prune.Masks, seed uint64, done map[string]bool, head bool) (*training, error) {
	t := &training{}
	ad := &hook.Adapters{}
	free := map[string]bool{}
	r := rand.New(rand.NewPCG(seed, 0x9e49))
	here := map[string]*graph.Value{}
	for _, v := range g.Params() {
		here[v.Name] = v
	}
	held := &prune.Masks{}
	for i, w := range masks.Weights {
		if here[w.Name] == nil {
			continue
		}
		held.Weights, held.Mask = append(held.Weights, w), append(held.Mask, masks.Mask[i])
		m, ok := matrixOf(w)
		switch {
		case s.Adapter == "none" || done[w.Name]:
		case s.Adapter == "weights":
			free[w.Name] = true
			t.count += masks.Mask[i].Count()
		case !ok:
			t.left = append(t.left, w.Name)
		default:
			a := s.adapter(m, masks.Mask[i], r)
			ad.Of = append(ad.Of, a)
			t.count += a.Change.Count(a.Rows, a.Cols)
		}
	}
	if head && s.with("head") {
		if err := s.head(g, held, ad, t, r); err != nil {
			return nil, err
		}
	}
	biases, norms := vectors(g)
	for _, p := range []struct {
		name string
		of   []*graph.Value
	}{{"biases", biases}, {"norms", norms}} {
		if !s.with(p.name) {
			continue
		}
		for _, v := range p.of {
			if done[v.Name] {
				continue
			}
			free[v.Name] = true
			t.count += v.Const.Len()
		}
		if len(p.of) == 0 && head {
			t.notes = append(t.notes, fmt.Sprintf("the network has no %s to train", p.name))
		}
	}
	adapted := map[string]bool{}
	for _, a := range ad.Of {
		adapted[a.Name] = true
	}
	for name := range here {
		if !free[name] && !adapted[name] {
			ad.Frozen = append(ad.Frozen, name)
		}
	}
	t.hooks = []train.Hook{ad}
	if s.Adapter == "weights" && len(held.Weights) > 0 {
		t.hooks = append(t.hooks, hold(held))
	}
	return t, nil
}

// nothing is the error of a network in which there is nothing to train.
func (s *PERP) nothing() error {
	return catalog.Errorf("nothing of the network would be trained: it has none of {Parts} %s, and {Adapter} %s finds no weight", strings.Join(s.Parts, ","), s.Adapter)
}

// matrix is a weight as outputs by inputs.
type matrix struct {
	*prune.Weight
	rows, cols int
	at         func(r, c int) int
}

// matrixOf lays out a weight, of a convolution with the places of its kernel as inputs.
func matrixOf(w *prune.Weight) (matrix, bool) {
	s := w.Const.Shape
	switch {
	case w.Kind == prune.Conv || w.Kind == prune.Depthwise:
		if w.Out != 0 || w.Outs != nil {
			return matrix{}, false
		}
		n := w.Len() / s[0]
		return matrix{w, s[0], n, func(r, c int) int { return r*n + c }}, true
	case w.Kind == prune.Linear && len(s) == 2 && w.Outs == nil && w.Out == 0:
		return matrix{w, s[0], s[1], func(r, c int) int { return r*s[1] + c }}, true
	case w.Kind == prune.Linear && len(s) == 2 && w.Outs == nil:
		return matrix{w, s[1], s[0], func(r, c int) int { return c*s[1] + r }}, true
	}
	return matrix{}, false
}

// adapter draws the change of a masked weight; mask nil: of a dense one.
func (s *PERP) adapter(w matrix, mask *prune.Mask, r *rand.Rand) *hook.Adapter {
	p := w.product(s.Rank, s.Alpha)
	if mask != nil && s.Adapter != "lora-prune" {
		p.Mask = prune.NewMask(w.Len(), false)
		for i := range w.rows {
			for k := range w.cols {
				p.Mask.Set(i*w.cols+k, mask.Kept(w.at(i, k)))
			}
		}
	}
	if mask != nil && s.Adapter == "scalelora" {
		p.Scale, p.Times = 1, make([]float32, w.Len())
		for i := range w.rows {
			for k := range w.cols {
				p.Times[i*w.cols+k] = w.Data()[w.at(i, k)]
			}
		}
		for _, a := range []*hook.Array{p.A, p.B} { // their product is 1 everywhere
			for i := range a.W {
				a.W[i] = float32(1 / math.Sqrt(float64(s.Rank)))
			}
		}
		return hook.Over(w.Name, w.Data(), w.rows, w.cols, w.at, p)
	}
	w.draw(p, r)
	return hook.Over(w.Name, w.Data(), w.rows, w.cols, w.at, p)
}

// product is two thin matrices of zeros beside a matrix, alpha/rank times (LoRA; Hu et al.
// 2021, arXiv 2106.09685).
func (w matrix) product(rank int, alpha float64) *hook.ProductChange {
	return &hook.ProductChange{B: hook.NewArray(w.Name+".b", w.rows, rank), A: hook.NewArray(w.Name+".a", rank, w.cols), Scale: float32(alpha / float64(rank))}
}

// draw draws the second of them.
func (w matrix) draw(p *hook.ProductChange, r *rand.Rand) {
	bound := 1 / math.Sqrt(float64(w.cols)) // Kaiming-uniform with slope sqrt(5), as PyTorch's layers
	for i := range p.A.W {
		p.A.W[i] = float32(bound * (2*r.Float64() - 1))
	}
}

// head lays a thin product beside the output layers that are not cut.
func (s *PERP) head(g *graph.Graph, held *prune.Masks, ad *hook.Adapters, t *training, r *rand.Rand) error {
	all, err := prune.Weights(g, prune.Scope{Embeddings: true})
	if err != nil {
		return err
	}
	cut := map[string]bool{}
	for _, w := range held.Weights {
		cut[w.Name] = true
	}
	tables := map[string]bool{}
	for _, k := range op.Sites(g) {
		if k.Part == op.Table {
			tables[k.Value.Name] = true
		}
	}
	last := prune.Last(g, all)
	for _, w := range all {
		m, ok := matrixOf(w)
		switch {
		case !last[w.Value] || cut[w.Name]:
		case tables[w.Name]:
			t.notes = append(t.notes, fmt.Sprintf("the last layer reads the table of embeddings, %s, and stays as it is", w.Name))
		case ok:
			a := s.adapter(m, nil, r)
			ad.Of = append(ad.Of, a)
			t.count += a.Change.Count(a.Rows, a.Cols)
		}
	}
	return nil
}

// vectors are the biases of a network, and the scales and shifts of its normalisations,
// which are those of their operators, and what is written out: a vector that multiplies, or
// one that is added to what no layer makes.
func vectors(g *graph.Graph) (biases, norms []*graph.Value) {
	seen := map[*graph.Value]bool{}
	op.Each(g, func(n *graph.Node) {
		scales := false
		for _, p := range op.Params(n) {
			scales = scales || p.Part == op.Scale
		}
		for i, v := range n.Inputs {
			if v == nil || !v.IsConst() || v.Role != graph.Param || seen[v] || !thin(v) {
				continue
			}
			part, ok := op.PartOf(n, i)
			switch {
			case ok && part == op.Scale, ok && part == op.Bias && scales, !ok && (n.Op == "Mul" || n.Op == "Div"):
				norms = append(norms, v)
			case ok && part == op.Bias:
				biases = append(biases, v)
			case !ok && (n.Op == "Add" || n.Op == "Sub"):
				if layer(n.Inputs[1-i]) {
					biases = append(biases, v)
				} else {
					norms = append(norms, v)
				}
			default:
				continue
			}
			seen[v] = true
		}
	})
	return biases, norms
}

// thin says whether a parameter is a vector: at most one axis is longer than 1.
func thin(v *graph.Value) bool {
	long := 0
	for _, d := range v.Const.Shape {
		if d > 1 {
			long++
		}
	}
	return long <= 1
}

// layer says whether a product with a weight makes a value.
func layer(v *graph.Value) bool {
	return v != nil && v.From != nil && (v.From.Op == "MatMul" || v.From.Op == "Gemm" || v.From.Op == "Conv")
}
