package engine

import (
	"unsafe"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// byteHome is a value that lies in memory as unsigned bytes, by layout. Signed ones have 128
// added.
type byteHome struct {
	buf [2]*buffer
}

// bytesIn is a buffer's memory as bytes.
func bytesIn(b *buffer) []byte {
	if len(b.data) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&b.data[0])), 4*len(b.data))
}

// newBytes is a fresh buffer for n bytes, with room behind them that may be read.
func (l *lowering) newBytes(n int) *buffer {
	return l.new((n+kernel.ByteSlack)/4 + 1)
}

// isByte says whether a type is one that is held as bytes.
func isByte(d tensor.DType) bool { return d == tensor.Uint8 || d == tensor.Int8 }

// flipOf is what a type's bytes differ by from unsigned ones.
func flipOf(d tensor.DType) byte {
	if d == tensor.Int8 {
		return 0x80
	}
	return 0
}

// hold makes memory for a value as bytes in a layout.
func (l *lowering) hold(v *graph.Value, f layout) *buffer {
	b := l.newBytes(sizeOf(v))
	l.holdIn(v, f, b)
	return b
}

// holdIn says that a value lies in a buffer as bytes.
func (l *lowering) holdIn(v *graph.Value, f layout, b *buffer) {
	if l.at[v] == nil {
		l.at[v] = &place{}
	}
	if l.at[v].bytes == nil {
		l.at[v].bytes = &byteHome{}
	}
	l.at[v].bytes.buf[f] = b
}

// share makes a value another name for what is held as bytes, of the same shape.
func (l *lowering) share(v, of *graph.Value) {
	if l.at[v] == nil {
		l.at[v] = &place{}
	}
	l.at[v].bytes = l.at[of].bytes
}

// standsFor says that a floating-point value lies in memory as bytes.
func (l *lowering) standsFor(v *graph.Value, q kernel.Quantisation) { l.at[v].quant = q }

// isHeld says whether a floating-point value lies in memory as bytes, and what they stand for.
func (l *lowering) isHeld(v *graph.Value) (q kernel.Quantisation, ok bool) {
	if v == nil || v.DType != tensor.Float32 || l.at[v] == nil || l.at[v].bytes == nil {
		return q, false
	}
	return l.at[v].quant, true
}

// likes is the layout in which a value lies as bytes already.
func (l *lowering) likes(v *graph.Value) layout {
	if p := l.at[v]; p != nil && p.bytes != nil && p.bytes.buf[nhwc] != nil {
		return nhwc
	}
	return plain
}

// oneLayout says whether both layouts of a shape are the same.
func oneLayout(s []int) bool { return len(s) != 4 || s[1] == 1 || s[2]*s[3] == 1 }

// bytes gives a value as bytes in a layout; it converts where it must. The value is held as
// bytes, or is of a type of 8 bits.
func (l *lowering) bytes(v *graph.Value, f layout, n *graph.Node) *buffer {
	if l.at[v] == nil {
		l.at[v] = &place{}
	}
	p := l.at[v]
	if p.bytes == nil {
		l.load(v, p, n)
	}
	h := p.bytes
	if h.buf[f] != nil {
		return h.buf[f]
	}
	s := dims(v)
	from := h.buf[1-f]
	if oneLayout(s) {
		b := &buffer{n: from.n, of: from, data: from.data}
		l.bufs = append(l.bufs, b)
		h.buf[f] = b
		return b
	}
	to := l.newBytes(sizeOf(v))
	h.buf[f] = to
	t := &kernel.ByteTranspose{Batch: s[0], M: s[1], N: s[2] * s[3]}
	what := "bytes to NHWC"
	if f == plain {
		t.M, t.N = t.N, t.M
		what = "bytes to NCHW"
	}
	l.emit(n, what, []*buffer{from}, []*buffer{to}, func() { t.X, t.Y = bytesIn(from), bytesIn(to) }, t.Run)
	return to
}

// load reads a tensor of 8 bits: an input, a constant, or what a definition made.
func (l *lowering) load(v *graph.Value, p *place, n *graph.Node) {
	flip := flipOf(v.DType)
	copyTo := func(t *tensor.Tensor, y []byte) {
		switch x := t.Data.(type) {
		case []uint8:
			copy(y, x)
		case []int8:
			for i, k := range x {
				y[i] = byte(k) ^ flip
			}
		}
	}
	if v.Const != nil {
		b := &buffer{n: (sizeOf(v)+kernel.ByteSlack)/4 + 1, fixed: true}
		b.data = make([]float32, b.n)
		copyTo(v.Const, bytesIn(b))
		p.bytes = &byteHome{}
		p.bytes.buf[plain] = b
		return
	}
	b := l.hold(v, plain)
	prog := l.Program
	l.emit(n, "load bytes", nil, []*buffer{b}, nil, func(*kernel.Pool) { copyTo(prog.at[v].t, bytesIn(b)) })
}

// asTensor makes a tensor of a value of 8 bits that lies in memory as bytes, for who
// reads it by definition.
func (l *lowering) asTensor(v *graph.Value, n *graph.Node) {
	p := l.at[v]
	if p == nil || p.bytes == nil || p.t != nil || v.Const != nil || !isByte(v.DType) {
		return
	}
	t := tensor.New(v.DType, dims(v)...)
	p.t = t
	b := l.bytes(v, plain, n)
	l.emit(n, "store bytes", []*buffer{b}, nil, nil, func(*kernel.Pool) {
		x := bytesIn(b)
		switch y := t.Data.(type) {
		case []uint8:
			copy(y, x)
		case []int8:
			for i := range y {
				y[i] = int8(x[i] ^ 0x80)
			}
		}
	})
}

// numbers makes the floating-point numbers of a value that lies in memory as bytes.
func (l *lowering) numbers(v *graph.Value, f layout, n *graph.Node) *buffer {
	if l.likes(v) != f && oneLayout(dims(v)) {
		f = l.likes(v)
	} else if l.at[v].bytes.buf[f] == nil {
		f = 1 - f
	}
	q, x, y := l.at[v].quant, l.bytes(v, f, n), l.make(v, f)
	size := sizeOf(v)
	t := &byteChunks{n: size}
	l.emit(n, "dequantise", []*buffer{x}, []*buffer{y}, func() {
		from, to := bytesIn(x), y.data
		t.do = func(lo, hi int) { kernel.DequantiseBytes(from[lo:hi], q, to[lo:hi]) }
	}, t.run)
	return y
}

// byteChunks is a pass over n elements.
type byteChunks struct {
	n  int
	do func(lo, hi int)
}

// Do works on one chunk.
func (t *byteChunks) Do(w *kernel.Worker, i int) { t.do(i*chunk, min(t.n, (i+1)*chunk)) }

func (t *byteChunks) run(p *kernel.Pool) { p.Run((t.n+chunk-1)/chunk, t) }
