package engine

import (
	"fmt"
	"slices"
	"sort"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// layout is how the elements of a value lie in memory.
type layout uint8

const (
	plain layout = iota // as ONNX has it
	nhwc                // channels last, of values with spatial axes: [N C ...] of rank 3 and more
)

// buffer is a piece of memory with a lifetime in steps.
type buffer struct {
	n           int       // floats
	data        []float32 // set once memory is laid out
	of          *buffer   // a view of another buffer
	fixed       bool      // has memory of its own (weights, inputs)
	first, last int       // steps between which the contents count; first < 0: not yet written
	off         int
}

func (b *buffer) root() *buffer {
	for b.of != nil {
		b = b.of
	}
	return b
}

// floats is the buffer's memory; none of no buffer.
func (b *buffer) floats() []float32 {
	if b == nil {
		return nil
	}
	return b.data
}

// place is where a value lives: float32 values in buffers, by layout, or as bytes;
// values of 8 bits as bytes; all other types in a tensor of their own.
type place struct {
	buf   [2]*buffer          // by layout
	t     *tensor.Tensor      // header over buf[plain] for float32
	bytes *byteHome           // nil: it does not lie in memory as bytes
	quant kernel.Quantisation // what the bytes of a float32 value stand for
}

// align is the alignment of buffers, in floats: a cache line.
const align = 16

// layOut gives every buffer an offset so that no two that are alive at the
// same time overlap, the largest first, each as low as it fits. It returns the
// floats needed.
func layOut(bufs []*buffer) int {
	order := append([]*buffer{}, bufs...)
	sort.SliceStable(order, func(i, j int) bool { return order[i].n > order[j].n })
	const span = 64 // steps to a list of placed buffers
	var placed [][]*buffer
	var near []*buffer
	top := 0
	for _, b := range order {
		for len(placed) <= b.last/span {
			placed = append(placed, nil)
		}
		near = near[:0]
		for k := b.first / span; k <= b.last/span; k++ {
			for _, q := range placed[k] {
				first := k == max(b.first, q.first)/span // it is in the lists of all its steps
				if first && q.last >= b.first && b.last >= q.first {
					near = append(near, q)
				}
			}
		}
		slices.SortFunc(near, func(p, q *buffer) int { return p.off - q.off })
		off := 0
		for _, q := range near {
			if off+b.n <= q.off {
				break
			}
			off = max(off, (q.off+q.n+align-1)/align*align)
		}
		b.off = off
		for k := b.first / span; k <= b.last/span; k++ {
			placed[k] = append(placed[k], b)
		}
		top = max(top, off+b.n)
	}
	return top
}

// memory gives every buffer its place in one arena, of at most the bytes that values
// may take.
func (p *Program) memory(bufs []*buffer) error {
	for i, s := range p.steps {
		for _, b := range s.writes {
			r := b.root()
			if r.first < 0 {
				r.first = i
			}
			r.last = max(r.last, i)
		}
		for _, b := range s.reads {
			r := b.root()
			r.last = max(r.last, i)
		}
	}
	var live []*buffer
	for _, b := range bufs {
		if b.of == nil && !b.fixed && b.first >= 0 {
			live = append(live, b)
		}
	}
	size := layOut(live)
	if size < 0 || size > p.most/4 {
		return memoryError{fmt.Errorf("the network's values take %.3g bytes at a time, more than the %d that are allowed", 4*float64(size), p.most)}
	}
	p.arena = make([]float32, size+kernel.Slack)
	for _, b := range live {
		b.data = p.arena[b.off : b.off+b.n : b.off+b.n]
	}
	for _, b := range bufs {
		if b.of != nil {
			b.data = b.root().data[:b.n:b.n]
		}
	}
	return nil
}

// pixels is the product of the spatial axes of a shape [N C ...].
func pixels(s []int) int {
	n := 1
	for _, d := range s[2:] {
		n *= d
	}
	return n
}

// sizeOf is the number of elements of a value whose shape is known.
func sizeOf(v *graph.Value) int {
	s, _ := v.Shape.Ints()
	n, _ := tensor.Size(s)
	return n
}

// dims is the known shape of a value.
func dims(v *graph.Value) []int {
	s, _ := v.Shape.Ints()
	return s
}
