package decode

import (
	"runtime"
	"slices"
	"sync"

	"pare/catalog"
	"pare/internal/kernel"
)

// Form is how the matrices of a model are held. A step of decoding takes about as long as
// it takes to read them.
type Form string

// The forms. All but F32 hold a matrix with many zeros as the weights that are left and a
// bit for each place, where that takes less than three quarters of the bytes.
const (
	F32  Form = "f32"  // as they are
	F16  Form = "f16"  // rounded to float16
	Int8 Form = "int8" // rounded to whole numbers from -127 to 127, times a float16 for each 32 in a row, and so is what they multiply
	Auto Form = "auto" // for each matrix, the one of the fewest bytes of those that change no weight by more than 2^-25
)

// Forms are all of them.
var Forms = []Form{F32, F16, Int8, Auto}

// Caches are the forms in which keys and values may be held.
var Caches = []Form{F32, F16}

// Check returns an error where there is no such form; "" is F32.
func (f Form) Check() error {
	if f != "" && !slices.Contains(Forms, f) {
		return catalog.Errorf("{Weights} %q is none of %q", f, Forms)
	}
	return nil
}

// near is by how much Auto may change a weight: half of float16's least number. What
// float16 holds but for weights that are next to nothing, as bfloat16 gives it, is taken
// for what float16 holds.
const near = 0x1p-25

// In gives the model with its matrices in a form; all else is shared. Tables of embeddings,
// norms and biases stay float32. Matrices that the form cannot hold, since their weights are
// not finite or too large, stay as they are: Left names them. It returns an error where
// there is no such form.
func (m *Model) In(f Form) (*Model, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	y := m.copied()
	y.left, y.form = nil, f
	all := y.products()
	for _, p := range all {
		p.packed, p.whole = nil, nil
	}
	if f == "" || f == F32 {
		return y, nil
	}
	weights := 0
	for _, p := range all {
		weights += len(p.w)
	}
	memory := kernel.NewMemory(2 * weights)
	var wait sync.WaitGroup
	work := make(chan *product)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for p := range work {
				switch f {
				case Auto:
					p.smallest()
				case F16:
					p.half()
				case Int8:
					p.round()
				}
				p.settle(memory)
			}
		})
	}
	for _, p := range all {
		work <- p
	}
	close(work)
	wait.Wait()
	for _, p := range all {
		if f != Auto && p.packed == nil && p.whole == nil {
			y.left = append(y.left, p.name)
		}
	}
	return y, nil
}

// copied is the model with matrices of its own, which hold the same weights.
func (m *Model) copied() *Model {
	y := *m
	y.layers = nil
	again := func(ps ...*product) (out []*product) {
		for _, p := range ps {
			if p != nil {
				q := *p
				p = &q
			}
			out = append(out, p)
		}
		return out
	}
	for _, l := range m.layers {
		z := *l
		z.qkv, z.up = again(l.qkv...), again(l.up...)
		z.o, z.down = again(l.o)[0], again(l.down)[0]
		y.layers = append(y.layers, &z)
	}
	y.head = again(m.head)[0]
	return &y
}

// settle moves the matrix into memory that all share.
func (p *product) settle(m *kernel.Memory) {
	switch {
	case p.packed != nil:
		p.packed.Settle(m)
	case p.whole != nil:
		p.whole.Settle(m)
	}
}

// Cache is how sessions hold keys and values where nobody says.
func (m *Model) Cache() Form {
	if m.form == "" || m.form == F32 {
		return F32
	}
	return F16
}

// Left names the matrices that the form of the model could not hold.
func (m *Model) Left() []string { return m.left }

// half holds a matrix as float16, and leaves it where they cannot hold it.
func (p *product) half() {
	n, f := kernel.NonZeros(p.w), kernel.Half
	if p.cost(kernel.SparseHalf, n) < p.cost(f, n) {
		f = kernel.SparseHalf
	}
	if q, err := kernel.Pack(p.w, p.out, p.in, f); err == nil {
		p.packed = q
	}
}

// round holds a matrix as whole numbers that multiply whole numbers, and leaves it where
// they cannot hold it.
func (p *product) round() {
	size := kernel.WholeBytes(true, p.out, p.in, kernel.NonZeros(p.w))
	if q, err := kernel.PackWhole(p.w, p.out, p.in, placed(size) < kernel.WholeBytes(false, p.out, p.in, 0)); err == nil {
		p.whole = q
	}
}

// placed is what bytes of a matrix without its zeros count as: putting weights in their
// places counts for a third more.
func placed(size int) int { return size + size/3 }

// cost is what the bytes count as that a step reads of n weights.
func (p *product) cost(f kernel.PackedForm, n int) int {
	size := kernel.PackedBytes(f, p.out, p.in, n)
	if f.Sparse() {
		size = placed(size)
	}
	return size
}

// smallest holds a matrix in the form of the least cost that keeps its weights.
func (p *product) smallest() {
	n, best := kernel.NonZeros(p.w), 4*len(p.w)
	for f := kernel.Half; f <= kernel.SparseFloat; f++ {
		if cost := p.cost(f, n); cost < best {
			if q := p.keeping(f); q != nil {
				best, p.packed = cost, q
			}
		}
	}
}

// keeping holds a matrix in a form; nil where that changes weights. One row is tried first.
func (p *product) keeping(f kernel.PackedForm) (q *kernel.Packed) {
	row := make([]float32, kernel.PackedWidth(p.in))
	for _, rows := range []int{1, p.out} {
		w := p.w[:rows*p.in]
		var err error
		if q, err = kernel.Pack(w, rows, p.in, f); err != nil {
			return nil
		}
		for o := range rows {
			q.Expand(&kernel.Worker{}, o, o+1, row, len(row))
			for i, v := range w[o*p.in : (o+1)*p.in] {
				if d := v - row[i]; !(max(d, -d) <= near) {
					return nil
				}
			}
		}
	}
	return q
}
