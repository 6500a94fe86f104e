package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// Inputs of GroupQueryAttention.
const (
	gqaQuery = iota
	gqaKey
	gqaValue
	gqaPastKey
	gqaPastValue
	gqaLast // [batch], the number of the last key that counts
	gqaTotal
	gqaCos
	gqaSin
	gqaPositions
	gqaAdded
	gqaSink
	gqaKeyScale
	gqaValueScale
	gqaQueryNorm
	gqaKeyNorm
	gqaQueryLengths
)

// groupQuery is GroupQueryAttention (Ainslie et al. 2023): query heads share keys and
// values, which stand behind those of before in a cache [batch heads keys size]. The
// cache is as long as its contents, or a buffer that is longer.
func groupQuery(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	if err := since(b, 13); err != nil {
		return nil, err
	}
	if err := absent(n, "its cache is quantised, or its queries are padded", gqaKeyScale, gqaValueScale, gqaQueryLengths); err != nil {
		return nil, err
	}
	if n.Out(3) != nil || n.Int("sliding_window_cache", 0) != 0 {
		return nil, fmt.Errorf("it shows its scores, or its cache slides")
	}
	kv := n.Int("kv_num_heads", 0)
	h := &headed{n: n, heads: n.Int("num_heads", 0), added: n.In(gqaAdded), softcap: float64(n.Float("softcap", 0))}
	if h.heads < 1 || kv < 1 || h.heads%kv != 0 || (n.In(gqaPastKey) == nil) != (n.In(gqaPastValue) == nil) {
		return nil, fmt.Errorf("%d heads of queries for %d of keys, or half a past", h.heads, kv)
	}
	h.shared = h.heads / kv
	if err := h.group(b, kv); err != nil {
		return nil, err
	}
	before := h.before(b)
	if err := h.turn(b, before); err != nil {
		return nil, err
	}
	if past := n.In(gqaPastKey); past != nil {
		h.k, h.v = h.cached(b, past, h.k, before), h.cached(b, n.In(gqaPastValue), h.v, before)
	}
	if err := h.limit(b, before); err != nil {
		return nil, err
	}
	if n.In(gqaSink) != nil {
		h.sink = n.In(gqaSink)
	} else if n.Int("smooth_softmax", -1) == 1 {
		h.sink = b.Const(tensor.New(tensor.Float32, h.heads))
		h.sink = cast(b, h.sink, h.q.DType)
	}
	y, err := h.write(b)
	return []*graph.Value{y, h.own(b, h.k, 1), h.own(b, h.v, 2)}, err
}

// group finds queries, keys and values, which may lie in one input side by side.
func (h *headed) group(b *Builder, kv int) error {
	q, k, v := h.n.In(gqaQuery), h.n.In(gqaKey), h.n.In(gqaValue)
	if rank(q) != 3 {
		return fmt.Errorf("queries are not [batch length heads*size]")
	}
	if k == nil && v == nil {
		size, ok := q.Shape[2].Over(graph.N(h.heads + 2*kv))
		if !ok || !size.Known() {
			return fmt.Errorf("%v does not divide into %d heads", q.Shape, h.heads+2*kv)
		}
		parts := splitLast(b, q, h.heads*size.Mul, kv*size.Mul, kv*size.Mul)
		q, k, v = parts[0], parts[1], parts[2]
	}
	if rank(k) != 3 || rank(v) != 3 {
		return fmt.Errorf("keys and values are of ranks %d and %d", rank(k), rank(v))
	}
	h.q, h.k, h.v = byHeads(b, q, h.heads), byHeads(b, k, kv), byHeads(b, v, kv)
	if rank(h.q) != 4 || !h.q.Shape[3].Known() || rank(h.v) != 4 || !h.v.Shape[3].Known() {
		return fmt.Errorf("the size of a head is not known")
	}
	if w := h.n.In(gqaQueryNorm); w != nil { // of each head (Henry et al. 2020)
		eps := h.n.Float("qk_norm_epsilon", 1e-6)
		h.q = rmsNorm(b, h.q, w, float64(h.n.Float("q_norm_epsilon", eps)))
		h.k = rmsNorm(b, h.k, h.n.In(gqaKeyNorm), float64(h.n.Float("k_norm_epsilon", eps)))
	}
	return b.Err()
}

// before is how many keys of each sample stand before those that are new, [batch 1 1 1]; nil
// where there is no past.
func (h *headed) before(b *Builder) *graph.Value {
	past := h.n.In(gqaPastKey)
	if past == nil || rank(past) == 4 && past.Shape[2] == graph.N(0) {
		return nil
	}
	all := b.Op("Add", cast(b, h.n.In(gqaLast), tensor.Int64), b.Const(scalarInt(1)))
	first := b.Op("Max", b.Op("Sub", all, sizeOf(b, h.q, 2)), b.Const(scalarInt(0)))
	return b.Op("Reshape", first, b.Ints(-1, 1, 1, 1))
}

// turn gives queries and keys their positions, where the operator is asked to.
func (h *headed) turn(b *Builder, before *graph.Value) error {
	n := h.n
	if n.Int("do_rotary", 0) == 0 {
		return nil
	}
	cos, sin := n.In(gqaCos), n.In(gqaSin)
	if rank(cos) != 2 || sin == nil || !cos.Shape[1].Known() {
		return fmt.Errorf("its caches of angles are not known")
	}
	freeze(cos, sin)
	at := n.In(gqaPositions)
	if at == nil {
		at = b.Unsqueeze(counted(b, sizeOf(b, h.q, 2)), 0)
		if before != nil {
			at = b.Op("Add", at, b.Op("Reshape", before, b.Ints(-1, 1)))
		}
	}
	r := rotaryCase{turned: 2 * cos.Shape[1].Mul, d: h.q.Shape[3].Mul, near: n.Int("rotary_interleaved", 0) != 0}
	if r.turned > r.d {
		return fmt.Errorf("%d pairs are to turn in heads of %d", r.turned/2, r.d)
	}
	c, s := b.Unsqueeze(b.Op("Gather", cos, at), 1), b.Unsqueeze(b.Op("Gather", sin, at), 1)
	h.q, h.k = r.write(b, h.q, c, s), r.write(b, h.k, c, s)
	return nil
}

// cached puts what is new behind what was before: at position p of the result stands
// what is new from before on, else what the past has there. The result is as long as
// the longest sample, or as the past where that is longer.
func (h *headed) cached(b *Builder, past, fresh, before *graph.Value) *graph.Value {
	if before == nil {
		return fresh
	}
	room := sizeOf(b, past, 2)
	total := b.Op("Reshape", cast(b, h.n.In(gqaTotal), tensor.Int64), b.Const(tensor.New(tensor.Int64, 0)))
	at := b.Unsqueeze(counted(b, b.Op("Max", total, room)), 0) // [1 keys]
	first := b.Op("Reshape", before, b.Ints(-1, 1))
	old := b.Op("Less", at, first)
	from := b.Op("Add", b.Op("Sub", at, first), room)
	end := b.Op("Add", room, sizeOf(b, fresh, 2))
	from = b.Op("Min", from, b.Op("Sub", end, b.Const(scalarInt(1))))
	from = b.Op("Where", old, b.Op("Min", at, b.Op("Max", b.Op("Sub", room, b.Const(scalarInt(1))), b.Const(scalarInt(0)))), from)
	// beyond what is new, a buffer keeps what it held
	beyond := b.Op("And", b.Op("Not", b.Op("Less", at, b.Op("Add", first, sizeOf(b, fresh, 2)))), b.Op("Less", at, room))
	from = b.Unsqueeze(b.Op("Where", beyond, at, from), 2) // [batch keys 1]
	both := b.Attr("Transpose", headsFirst, concat(b, 2, past, fresh))
	return b.Attr("Transpose", headsFirst, b.Attr("GatherND", []graph.Attr{graph.MakeAttr("batch_dims", 1)}, both, from))
}

// limit hides keys that come after a query, or lie beyond its window or the sample.
func (h *headed) limit(b *Builder, before *graph.Value) (err error) {
	window := h.n.Int("local_window_size", -1)
	if h.n.Int("causal", 1) != 0 {
		first := before
		if first == nil {
			first = b.Const(scalarInt(0))
		}
		h.hidden, err = laterKeys(b, h.q, h.k, first, window)
		return err
	}
	if window > 0 {
		return fmt.Errorf("it has a window and is not causal")
	}
	all := b.Op("Reshape", cast(b, h.n.In(gqaLast), tensor.Int64), b.Ints(-1, 1, 1, 1))
	h.hidden = b.Op("Greater", counted(b, sizeOf(b, h.k, 2)), all)
	return nil
}
