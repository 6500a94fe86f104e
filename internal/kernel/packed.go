package kernel

import (
	"fmt"
	"math"
	"math/bits"
	"unsafe"

	"github.com/x448/float16"
)

// PackedForm is a way to write the weights of a matrix in fewer bytes than float32 takes.
type PackedForm uint8

// The forms.
const (
	Half        PackedForm = iota // float16
	Int8                          // whole numbers from -127 to 127, times a float16 for each 32 columns
	SparseHalf                    // the float16 that are not 0, and a bit for each place
	SparseInt8                    // the same of Int8
	SparseFloat                   // the same of float32
)

func (f PackedForm) String() string {
	return [...]string{"half", "int8", "sparse half", "sparse int8", "sparse float"}[f]
}

// Sparse says whether a bit for each place says what is kept.
func (f PackedForm) Sparse() bool { return f >= SparseHalf }

// scaled says whether groups have a scale.
func (f PackedForm) scaled() bool { return f == Int8 || f == SparseInt8 }

// size is how many bytes a value takes.
func (f PackedForm) size() int { return [...]int{2, 1, 2, 1, 4}[f] }

// packedGroup is how many columns share a scale and a word of bits. Rows are filled up with
// zeros to whole groups.
const packedGroup = 32

// packedSlack is how many bytes behind the last value may be read.
const packedSlack = 64

// Packed is a matrix [Rows Cols] for products with few vectors, which take as long as it
// takes to read it.
type Packed struct {
	Form       PackedForm
	Rows, Cols int
	values     []byte
	masks      []uint32 // of each group
	scales     []uint16 // of each group: float16
	starts     []int    // of sparse forms: where in values each row begins
}

// PackedWidth is cols, filled up to whole groups: so many floats a vector must have.
func PackedWidth(cols int) int { return (cols + packedGroup - 1) / packedGroup * packedGroup }

// PackedBytes is how many bytes a product reads of a matrix with n weights that are not 0.
func PackedBytes(f PackedForm, rows, cols, n int) int {
	groups := rows * PackedWidth(cols) / packedGroup
	if !f.Sparse() {
		n = groups * packedGroup
	}
	size := f.size() * n
	if f.Sparse() {
		size += 4 * groups
	}
	if f.scaled() {
		size += 2 * groups
	}
	return size
}

// Bytes is how many bytes a product reads.
func (p *Packed) Bytes() int {
	return len(p.values) - packedSlack + 4*len(p.masks) + 2*len(p.scales)
}

// Settle moves what a product reads into memory.
func (p *Packed) Settle(m *Memory) {
	p.values, p.masks, p.scales = moved(m, p.values), moved(m, p.masks), moved(m, p.scales)
}

// Pack writes a matrix in a form. Float16 rounds to nearest even; int8 divides the weights of
// a group so that the largest is 127, and rounds. Groups that are whole numbers times a
// float16, as those of Q8_0 and Q4_0, stay as they are. It returns an error where the form
// cannot hold the weights: they are not finite, or too large.
func Pack(w []float32, rows, cols int, f PackedForm) (*Packed, error) {
	groups := PackedWidth(cols) / packedGroup
	p := &Packed{Form: f, Rows: rows, Cols: cols}
	if f.Sparse() {
		p.masks, p.starts = make([]uint32, 0, rows*groups), make([]int, 0, rows+1)
	}
	if f.scaled() {
		p.scales = make([]uint16, 0, rows*groups)
	}
	if !f.Sparse() {
		p.values = make([]byte, 0, rows*groups*packedGroup*f.size()+packedSlack)
	}
	var g [packedGroup]float32
	for o := range rows {
		if f.Sparse() {
			p.starts = append(p.starts, len(p.values))
		}
		for c := 0; c < cols; c += packedGroup {
			clear(g[copy(g[:], w[o*cols+c:o*cols+min(cols, c+packedGroup)]):])
			if err := p.add(&g); err != nil {
				return nil, fmt.Errorf("row %d: %w", o, err)
			}
		}
	}
	if f.Sparse() {
		p.starts = append(p.starts, len(p.values))
		p.values = append(make([]byte, 0, len(p.values)+packedSlack), p.values...)
	}
	p.values = append(p.values, make([]byte, packedSlack)...)
	return p, nil
}

// add appends a group.
func (p *Packed) add(g *[packedGroup]float32) error {
	scale, err := float32(1), error(nil)
	if p.Form.scaled() {
		var h uint16
		if h, scale, err = groupScale(g); err != nil {
			return err
		}
		p.scales = append(p.scales, h)
	}
	mask := uint32(0)
	for i, v := range g {
		n, kept := len(p.values), false
		switch p.Form.size() {
		case 1:
			q := wholeOf(v, scale)
			kept = q != 0
			p.values = append(p.values, byte(q))
		case 2:
			h := float16.Fromfloat32(v)
			if !h.IsFinite() {
				return fmt.Errorf("float16 cannot hold %v", v)
			}
			kept = h.Bits()&^(1<<15) != 0 // -0 is 0
			p.values = append(p.values, byte(h), byte(h>>8))
		case 4:
			b := math.Float32bits(v)
			kept = b&^(1<<31) != 0
			p.values = append(p.values, byte(b), byte(b>>8), byte(b>>16), byte(b>>24))
		}
		if kept {
			mask |= 1 << i
		} else if p.Form.Sparse() {
			p.values = p.values[:n]
		}
	}
	if p.Form.Sparse() {
		p.masks = append(p.masks, mask)
	}
	return nil
}

// wholeOf is a weight as a whole number.
func wholeOf(v, scale float32) int8 {
	return int8(math.RoundToEven(float64(max(-127, min(127, v/scale)))))
}

// groupScale is what the whole numbers of a group are times, as float16 and float32. Where
// all weights are below half of float16's least number, 2^-24, they become 0.
func groupScale(g *[packedGroup]float32) (uint16, float32, error) {
	most := float32(0)
	for _, v := range g {
		if v != v {
			return 0, 0, fmt.Errorf("int8 cannot hold %v", v)
		}
		most = max(most, v, -v)
	}
	if h, ok := commonScale(g, most); ok {
		return h.Bits(), h.Float32(), nil
	}
	h := float16.Fromfloat32(most / 127)
	if !h.IsFinite() {
		return 0, 0, fmt.Errorf("int8 cannot hold %v", most)
	}
	if h.Bits() == 0 {
		h = float16.Frombits(1)
	}
	return h.Bits(), h.Float32(), nil
}

// commonScale finds a float16 of which all weights of a group are multiples, up to 127
// times; most is the largest. The product of eleven and seven bits leaves bits of a float32
// free.
func commonScale(g *[packedGroup]float32, most float32) (float16.Float16, bool) {
	if most == 0 || math.Float32bits(most)&(1<<6-1) != 0 {
		return 0, false
	}
search:
	for k := float32(127); k >= 1; k-- {
		s := most / k
		h := float16.Fromfloat32(s)
		if math.Float32bits(s)&(1<<13-1) != 0 || h.Float32() != s || s*k != most {
			continue
		}
		for _, v := range g {
			if q := v / s; q != float32(int8(q)) || q*s != v {
				continue search
			}
		}
		return h, true
	}
	return 0, false
}

// packedTile is the argument of the kernels of packed matrices: for each of Rows rows o of
// the matrix, of Groups groups each, y[o+r*YRow] = sum of w[o]*x[r*XRow] for R rows r of x;
// or, for R = 0, y[o*YRow] = w[o]. Strides are in bytes. The order of the fields is known to
// the generator.
type packedTile struct {
	Values, Masks, Scales unsafe.Pointer
	Groups, Rows          int
	X                     unsafe.Pointer
	XRow                  int
	Y                     unsafe.Pointer
	YRow                  int
	Table                 unsafe.Pointer // places or placesOfWords
}

// point points a tile at rows [lo, hi).
func (p *Packed) point(t *packedTile, lo, hi int) {
	groups := PackedWidth(p.Cols) / packedGroup
	t.Groups, t.Rows = groups, hi-lo
	at := lo * groups * packedGroup * p.Form.size()
	if p.Form.Sparse() {
		at = p.starts[lo]
		t.Masks = unsafe.Pointer(&p.masks[lo*groups])
		if t.Table = unsafe.Pointer(&places); p.Form == SparseHalf {
			t.Table = unsafe.Pointer(&placesOfWords)
		}
	}
	t.Values = unsafe.Pointer(&p.values[at])
	if p.Form.scaled() {
		t.Scales = unsafe.Pointer(&p.scales[lo*groups])
	}
}

// Dots writes the inner products of rows [lo, hi) with n vectors: y[r*ldy+o-lo]. Vectors lie
// ldx apart and have PackedWidth(Cols) floats, those behind Cols 0. What a row gives depends
// on nothing but the row and the vectors.
func (p *Packed) Dots(w *Worker, x []float32, n, ldx, lo, hi int, y []float32, ldy int) {
	if lo >= hi || n == 0 || p.Cols == 0 {
		for r := range n {
			clear(y[r*ldy:][:hi-lo])
		}
		return
	}
	width := PackedWidth(p.Cols)
	_, _ = x[(n-1)*ldx+width-1], y[(n-1)*ldy+hi-lo-1]
	if p.runVec(w, x, n, ldx, lo, hi, y, ldy) {
		return
	}
	row := w.Scratch(0, width)
	for o := lo; o < hi; o++ {
		p.unpack(o, row)
		for r := range n {
			s := float32(0)
			for k, v := range x[r*ldx : r*ldx+width] {
				s += v * row[k]
			}
			y[r*ldy+o-lo] = s
		}
	}
}

// Expand writes rows [lo, hi) as float32, PackedWidth(Cols) of them ldy apart.
func (p *Packed) Expand(w *Worker, lo, hi int, y []float32, ldy int) {
	if lo >= hi || p.Cols == 0 {
		return
	}
	width := PackedWidth(p.Cols)
	_ = y[(hi-lo-1)*ldy+width-1]
	if p.expandVec(w, lo, hi, y, ldy) {
		return
	}
	for o := lo; o < hi; o++ {
		p.unpack(o, y[(o-lo)*ldy:][:width])
	}
}

// unpack is the definition of the kernels in plain Go: row o as floats.
func (p *Packed) unpack(o int, y []float32) {
	groups := len(y) / packedGroup
	at := o * len(y) * p.Form.size()
	if p.Form.Sparse() {
		at = p.starts[o]
	}
	for i := range y {
		g := o*groups + i/packedGroup
		if y[i] = 0; p.Form.Sparse() && p.masks[g]>>(i%packedGroup)&1 == 0 {
			continue
		}
		switch v := p.values[at:]; p.Form.size() {
		case 1:
			y[i] = float32(int8(v[0])) * float16.Frombits(p.scales[g]).Float32()
		case 2:
			y[i] = float16.Frombits(uint16(v[0]) | uint16(v[1])<<8).Float32()
		case 4:
			y[i] = math.Float32frombits(uint32(v[0]) | uint32(v[1])<<8 | uint32(v[2])<<16 | uint32(v[3])<<24)
		}
		at += p.Form.size()
	}
}

// places says for each byte of a mask which of the values that follow each other belongs
// at each of eight places; with its highest bit set, none.
var places = func() (t [256][8]byte) {
	for mask := range t {
		for i := range 8 {
			if t[mask][i] = 0x80; mask>>i&1 == 1 {
				t[mask][i] = byte(bits.OnesCount8(uint8(mask) & (1<<i - 1)))
			}
		}
	}
	return t
}()

// placesOfWords is the same for values of two bytes, byte by byte.
var placesOfWords = func() (t [256][16]byte) {
	for mask := range t {
		for i, v := range places[mask] {
			if t[mask][2*i], t[mask][2*i+1] = v, v; v < 8 {
				t[mask][2*i], t[mask][2*i+1] = 2*v, 2*v+1
			}
		}
	}
	return t
}()
