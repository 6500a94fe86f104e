package engine

import (
	"context"
	"math"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// byteWeight is a constant of 8 bits and what it stands for: one scale and zero point, or one
// for each position of an axis. Unsigned weights have 128 taken off.
type byteWeight struct {
	v     *graph.Value // the constant of 8 bits
	data  []int8
	scale []float32
	zero  []int32
}

// byteWeightOf reads weights with their scales and zero points along an axis.
func (l *lowering) byteWeightOf(v, scale, zero *graph.Value, axis int) (w byteWeight, ok bool) {
	if !l.frozen || !v.IsConst() || !isByte(v.DType) || !scale.IsConst() || scale.Const.F32() == nil || zero != nil && (!zero.IsConst() || zero.DType != v.DType) {
		return w, false
	}
	n := scale.Const.Len()
	if s := v.Const.Shape; n != 1 && (len(scale.Const.Shape) != 1 || axis >= len(s) || n != s[axis]) || zero != nil && zero.Const.Len() != n {
		return w, false
	}
	w = byteWeight{v: v, scale: scale.Const.F32(), zero: make([]int32, n)}
	for _, s := range w.scale {
		if !(s > 0) || math.IsInf(float64(s), 0) {
			return w, false
		}
	}
	w.data = signed(v.Const)
	if zero == nil {
		if v.DType == tensor.Uint8 {
			for i := range w.zero {
				w.zero[i] = -128
			}
		}
		return w, true
	}
	for i, z := range signed(zero.Const) {
		w.zero[i] = int32(z)
	}
	return w, true
}

// signed gives a tensor of 8 bits as signed numbers; unsigned ones have 128 taken off.
func signed(t *tensor.Tensor) []int8 {
	switch x := t.Data.(type) {
	case []int8:
		return x
	case []uint8:
		y := make([]int8, len(x))
		for i, k := range x {
			y[i] = int8(k ^ 0x80)
		}
		return y
	}
	return nil
}

// behind gives the weights of 8 bits behind a DequantizeLinear.
func (l *lowering) behind8(v *graph.Value, axis int) (w byteWeight, ok bool) {
	if v == nil || v.Const != nil || !v.From.Is("DequantizeLinear") || v.From.Int("block_size", 0) != 0 || v.DType != tensor.Float32 {
		return w, false
	}
	n := v.From
	if n.In(1).IsConst() && n.In(1).Const.Len() > 1 {
		a := n.Int("axis", 1)
		if a < 0 {
			a += len(v.Shape)
		}
		if a != axis {
			return w, false
		}
	}
	return l.byteWeightOf(n.In(0), n.In(1), n.In(2), axis)
}

// at is the entry of a list for column j, or its only one.
func at[T any](xs []T, j int) T { return xs[min(j, len(xs)-1)] }

// centred says whether all zero points are 0.
func (w *byteWeight) centred() bool {
	for _, z := range w.zero {
		if z != 0 {
			return false
		}
	}
	return true
}

// columnBias is a bias for each column: whole numbers in units of the scales of input and
// weights, or numbers.
type columnBias struct {
	whole []int32
	real  []float32
}

// biasOf reads a bias for n columns, which may be nil: a constant, quantised or not.
func (l *lowering) biasOf(v *graph.Value, x kernel.Quantisation, w *byteWeight, n int) (b columnBias, ok bool) {
	if v == nil {
		return b, true
	}
	if v.Const == nil && v.From.Is("DequantizeLinear") {
		q := v.From
		if c, s, z := q.In(0), q.In(1), q.In(2); c.IsConst() && c.DType == tensor.Int32 && c.Const.Len() == n && s.IsConst() && s.Const.F32() != nil && zeroOnly(z) {
			b.whole = tensor.Of[int32](c.Const)
			scale := s.Const.F32()
			for j := range b.whole {
				unit := x.Scale * at(w.scale, j)
				if math.Abs(float64(at(scale, j)-unit)) > 1e-5*float64(unit) {
					b.whole = nil
					break
				}
			}
			if b.whole != nil {
				return b, true
			}
		}
		if l.dequantised(v) != nil {
			return b, false
		}
	}
	if !v.IsConst() || v.Const.F32() == nil || v.Const.Len() != n {
		return b, false
	}
	b.real = v.Const.F32()
	whole := make([]int32, n)
	for j, r := range b.real {
		u := float64(r) / float64(x.Scale*at(w.scale, j))
		if k := math.RoundToEven(u); math.Abs(u-k) < 1e-3 && math.Abs(k) < 1<<22 {
			whole[j] = int32(k)
			continue
		}
		return b, true
	}
	return columnBias{whole: whole}, true
}

func zeroOnly(z *graph.Value) bool {
	if z == nil {
		return true
	}
	if !z.IsConst() {
		return false
	}
	ks, err := z.Const.Int64s()
	if err != nil {
		return false
	}
	for _, k := range ks {
		if k != 0 {
			return false
		}
	}
	return true
}

// requant says what becomes of the sums of n columns from column j on; sums are those of the
// weights' columns, k long. to is nil where numbers are made.
func requant(x kernel.Quantisation, w *byteWeight, b columnBias, j0, n, k int, sums []int32, to *sink) kernel.Requant {
	p := kernel.PadColumns(n)
	q := kernel.Requant{Bias: make([]int32, p), Scale: make([]float32, p), Add: make([]float32, p)}
	y := float32(1)
	if to != nil {
		y, q.Lo, q.Hi, q.Zero = to.q.Scale, to.lo, to.hi, int32(to.q.Zero)
	}
	for j := range n {
		zero := at(w.zero, j0+j)
		q.Bias[j] = int32(x.Zero) * (int32(k)*zero - sums[j])
		q.Scale[j] = x.Scale * at(w.scale, j0+j) / y
		switch {
		case b.whole != nil:
			q.Bias[j] += b.whole[j0+j]
		case b.real != nil:
			q.Add[j] = b.real[j0+j] / y
		}
	}
	q.Settle()
	return q
}

// storeQuantised quantises constants that only a DequantizeLinear reads, which are weights
// that a file has as numbers.
func storeQuantised(g *graph.Graph) error {
	uses := g.Uses()
	for _, n := range g.Nodes {
		x, y := n.In(0), n.Out(0)
		if !n.Is("QuantizeLinear") || !x.IsConst() || g.IsOutput(y) || len(uses[y]) == 0 {
			continue
		}
		in := make([]*tensor.Tensor, len(n.Inputs))
		fixed := true
		for i, v := range n.Inputs {
			if v != nil && v.Const == nil {
				fixed = false
			} else if v != nil {
				in[i] = v.Const
			}
		}
		for _, u := range uses[y] {
			fixed = fixed && u.Index == 0 && u.Node.Is("DequantizeLinear")
		}
		if !fixed {
			continue
		}
		out, err := op.EvalNode(context.Background(), math.MaxInt, n, g.Version(""), in, nil, nil)
		if err != nil {
			continue // the same error appears, with its node, when the graph runs
		}
		g.ReplaceUses(y, g.Const(y.Name+"/stored", out[0], graph.Frozen))
	}
	g.Prune()
	return nil
}

// storedWeights are the constants of 8 bits, and the biases beside them, by which layers
// multiply values of 8 bits: kernels read them as they are.
func storedWeights(g *graph.Graph) map[*graph.Value]bool {
	keep := map[*graph.Value]bool{}
	for _, n := range g.Nodes {
		if !n.Is("Conv", "MatMul", "Gemm") || !behindBytes(n.In(0)) || n.In(0).From.In(0).IsConst() || !behindBytes(n.In(1)) || !n.In(1).From.In(0).IsConst() {
			continue
		}
		w := n.In(1).From
		if rank := len(w.In(0).Const.Shape); n.Is("Conv") && rank != 4 || !n.Is("Conv") && rank != 2 || w.Int("block_size", 0) != 0 {
			continue
		}
		keep[w.In(0)] = true
		if b := n.In(2); b != nil && b.From.Is("DequantizeLinear") && b.From.In(0).IsConst() {
			keep[b.From.In(0)] = true
		}
	}
	return keep
}

// behindBytes says whether a value is made of 8 bits by a DequantizeLinear.
func behindBytes(v *graph.Value) bool {
	return v != nil && v.From.Is("DequantizeLinear") && v.From.In(0) != nil && isByte(v.From.In(0).DType)
}
