package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// sizeOf is the length of an axis as an int64 of rank 0.
func sizeOf(b *Builder, v *graph.Value, axis int) *graph.Value {
	return b.Attr("Gather", []graph.Attr{graph.MakeAttr("axis", 0)}, b.Op("Shape", v), b.Const(scalarInt(axis)))
}

// counted is 0, 1, … below n, an int64 of rank 0.
func counted(b *Builder, n *graph.Value) *graph.Value {
	return b.Op("Range", b.Const(scalarInt(0)), n, b.Const(scalarInt(1)))
}

// since is an error where the file's opset lacks what an operator is written with.
func since(b *Builder, opset int) error {
	if v := b.G.Version(""); v < opset {
		return fmt.Errorf("it is written out from opset %d on, and the file is of %d", opset, v)
	}
	return nil
}

// laterKeys says which keys [… keys size] come after a query of [… length size]: those
// beyond first plus the query's number, [length keys], or [batch 1 length keys] where
// first is [batch 1 1 1]. Where first is nil, the last query sees all keys. With a
// window, those more than it before are said too.
func laterKeys(b *Builder, q, k, first *graph.Value, window int) (*graph.Value, error) {
	if err := since(b, 11); err != nil {
		return nil, err
	}
	length, keys := sizeOf(b, q, 2), sizeOf(b, k, 2)
	if first == nil {
		first = b.Op("Sub", keys, length)
	}
	at := b.Op("Add", b.Unsqueeze(counted(b, length), 1), first)
	key := counted(b, keys)
	later := b.Op("Greater", key, at)
	if window > 0 {
		later = b.Op("Or", later, b.Op("Less", key, b.Op("Sub", at, b.Const(scalarInt(window-1)))))
	}
	return later, nil
}

// masked is what a mask adds to the scores [batch heads length keys]. The mask is 1
// where a key counts, [batch keys], [batch length keys] or [batch 1 most most]; or the
// number of keys that count, [batch]; or where they end and then where they begin, [2*batch].
func (h *headed) masked(b *Builder, s *graph.Value) (*graph.Value, error) {
	m := h.mask
	filter := b.Scalar(float64(h.n.Float("mask_filter_value", -10000)), s)
	if rank(m) == 1 {
		out, err := h.outside(b, m)
		if err != nil {
			return nil, err
		}
		return b.Op("Where", out, filter, b.Scalar(0, s)), nil
	}
	if rank(m) == 4 { // the rows of the queries, of a square for the longest sequence
		if err := since(b, 10); err != nil {
			return nil, err
		}
		keys, length := sizeOf(b, h.k, 2), sizeOf(b, h.q, 2)
		one := func(v *graph.Value) *graph.Value { return b.Unsqueeze(v, 0) }
		m = b.Op("Slice", m, concat(b, 0, one(b.Op("Sub", keys, length)), b.Ints(0)), concat(b, 0, one(keys), one(keys)), b.Ints(2, 3))
	}
	y := b.Op("Mul", b.Op("Sub", b.Scalar(1, s), cast(b, m, s.DType)), filter)
	switch rank(m) {
	case 2:
		return b.Unsqueeze(y, 1, 2), nil
	case 3:
		return b.Unsqueeze(y, 1), nil
	case 4:
		return y, nil
	}
	return nil, fmt.Errorf("its mask %v is not [batch], [2*batch], [batch keys], [batch length keys] or [batch 1 most most]", m.Shape)
}

// outside says which keys lie outside of the ends that a mask of one axis gives.
func (h *headed) outside(b *Builder, m *graph.Value) (*graph.Value, error) {
	if err := since(b, 11); err != nil {
		return nil, err
	}
	key := counted(b, sizeOf(b, h.k, 2))
	batch := h.q.Shape[0]
	column := func(v *graph.Value) *graph.Value {
		return b.Op("Reshape", cast(b, v, tensor.Int64), b.Ints(-1, 1, 1, 1))
	}
	switch m.Shape[0] {
	case batch:
		return b.Op("Not", b.Op("Less", key, column(m))), nil
	case batch.Times(graph.N(2)):
		ends := b.Op("Reshape", m, b.Ints(2, -1))
		past := b.Op("Not", b.Op("Less", key, column(pick(b, ends, 0, 0))))
		return b.Op("Or", past, b.Op("Less", key, column(pick(b, ends, 0, 1)))), nil
	}
	return nil, fmt.Errorf("its mask %v is neither [batch] nor [2*batch] for queries %v", m.Shape, h.q.Shape)
}
