package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// array is a NumPy array of numbers.
type array struct {
	shape  []int
	floats []float32
	bytes  []uint8
	ints   []int64
}

var npyHeader = regexp.MustCompile(`^\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\),? *\}\s*$`)

// npySizes are the bytes of the elements that can be read.
var npySizes = map[string]int{"|u1": 1, "|i1": 1, "|b1": 1, "<f4": 4, "<f8": 8, "<i8": 8, "<i4": 4, "<u2": 2, "<i2": 2, "<u4": 4}

// maxHeader and maxAxes bound the header of an array.
const (
	maxHeader = 1 << 16
	maxAxes   = 32
)

// npy is what a header says.
type npy struct {
	descr string
	shape []int
	count int
	head  int // bytes of the header
}

// npyOf reads the header of an array of so many bytes from its beginning:
// versions 1 to 3 of the format, little-endian numbers in C order.
func npyOf(b []byte, size int) (h npy, err error) {
	if len(b) < 12 || string(b[:6]) != "\x93NUMPY" {
		return h, errors.New("not a NumPy array")
	}
	n, off := int(binary.LittleEndian.Uint16(b[8:])), 10
	if b[6] >= 2 {
		n, off = int(binary.LittleEndian.Uint32(b[8:])), 12
	}
	if n > len(b)-off || n > maxHeader {
		return h, errors.New("a NumPy header is cut short or too long")
	}
	m := npyHeader.FindStringSubmatch(string(b[off : off+n]))
	if m == nil {
		return h, fmt.Errorf("the NumPy header %q is not understood", b[off:off+min(n, 80)])
	}
	if m[2] == "True" {
		return h, errors.New("a NumPy array in Fortran order: save it with order='C'")
	}
	h = npy{descr: m[1], count: 1, head: off + n}
	data := size - h.head
	for _, w := range strings.Split(m[3], ",") {
		if w = strings.TrimSpace(w); w == "" {
			continue
		}
		d, err := strconv.Atoi(w)
		if err != nil || d < 0 || d > 0 && h.count > data/d {
			return h, fmt.Errorf("shape (%.80s) does not fit %d bytes", m[3], data)
		}
		if h.shape = append(h.shape, d); len(h.shape) > maxAxes {
			return h, fmt.Errorf("an array of more than %d axes", maxAxes)
		}
		h.count *= d
	}
	each := npySizes[h.descr]
	if each == 0 {
		return h, fmt.Errorf("elements of type %q are not supported", h.descr)
	}
	if data != h.count*each {
		return h, fmt.Errorf("%d bytes of data, shape (%.80s) needs %d", data, m[3], h.count*each)
	}
	return h, nil
}

// pairs checks that there are samples and a whole number for each.
func (x npy) pairs(y npy) error {
	if len(x.shape) < 2 || x.count == 0 {
		return fmt.Errorf("samples of shape %v: the first axis counts them", x.shape)
	}
	if y.descr[1] == 'f' || len(y.shape) != 1 || y.shape[0] != x.shape[0] {
		return fmt.Errorf("labels of shape %v and type %s for samples of shape %v: a whole number for each is needed", y.shape, y.descr, x.shape)
	}
	return nil
}

// decodeNPY reads an array.
func decodeNPY(b []byte) (*array, error) {
	h, err := npyOf(b[:min(len(b), maxHeader+12)], len(b))
	if err != nil {
		return nil, err
	}
	b = b[h.head:]
	a := &array{shape: h.shape}
	le := binary.LittleEndian
	switch h.descr {
	case "|u1", "|b1":
		a.bytes = b
	case "<f4":
		a.floats = make([]float32, h.count)
		for i := range a.floats {
			a.floats[i] = math.Float32frombits(le.Uint32(b[4*i:]))
		}
	case "<f8":
		a.floats = make([]float32, h.count)
		for i := range a.floats {
			a.floats[i] = float32(math.Float64frombits(le.Uint64(b[8*i:])))
		}
	default:
		a.ints = make([]int64, h.count)
		for i := range a.ints {
			switch h.descr {
			case "<i8":
				a.ints[i] = int64(le.Uint64(b[8*i:]))
			case "<i4":
				a.ints[i] = int64(int32(le.Uint32(b[4*i:])))
			case "<u4":
				a.ints[i] = int64(le.Uint32(b[4*i:]))
			case "<i2":
				a.ints[i] = int64(int16(le.Uint16(b[2*i:])))
			case "<u2":
				a.ints[i] = int64(le.Uint16(b[2*i:]))
			case "|i1":
				a.ints[i] = int64(int8(b[i]))
			}
		}
	}
	return a, nil
}

// classes are the labels that an array gives.
func (a *array) classes() ([]int32, int, error) {
	n := max(len(a.ints), len(a.bytes))
	out, most := make([]int32, n), 0
	for i := range out {
		l := int64(0)
		if a.ints != nil {
			l = a.ints[i]
		} else {
			l = int64(a.bytes[i])
		}
		if l < 0 || l > 1<<20 {
			return nil, 0, fmt.Errorf("label %d of sample %d is not a class", l, i)
		}
		out[i], most = int32(l), max(most, int(l)+1)
	}
	return out, most, nil
}

// set makes samples of an array. Images may have their channels last; one or
// three there are taken as channels.
func (a *array) set() *Set {
	s := &Set{Shape: append([]int{}, a.shape[1:]...), Floats: a.floats, Bytes: a.bytes}
	if a.ints != nil {
		s.Floats = make([]float32, len(a.ints))
		for i, v := range a.ints {
			s.Floats[i] = float32(v)
		}
	}
	if len(s.Shape) == 2 {
		s.Shape = []int{1, s.Shape[0], s.Shape[1]}
	}
	if k := s.Shape; len(k) == 3 && (k[2] == 1 || k[2] == 3) && k[0] != 1 && k[0] != 3 {
		s.channelsFirst()
	}
	return s
}

// npyFile is an array that is read when it is known to be wanted.
type npyFile struct {
	npy
	name string
	load func() ([]byte, error)
}

// set reads samples and labels: what they are is checked before either is read,
// and the labels before the samples.
func (x *npyFile) set(y *npyFile) (*Set, error) {
	if err := x.pairs(y.npy); err != nil {
		return nil, err
	}
	var a [2]*array
	var labels []int32
	classes := 0
	for i, f := range []*npyFile{y, x} {
		b, err := f.load()
		if err != nil {
			return nil, err
		}
		if a[i], err = decodeNPY(b); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if i == 0 {
			if labels, classes, err = a[0].classes(); err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
		}
	}
	s := a[1].set()
	s.Labels, s.Classes = labels, classes
	return s, nil
}

// headOf reads an array's header from its beginning.
func headOf(name string, r io.Reader, size int64, load func() ([]byte, error)) (*npyFile, error) {
	b := make([]byte, min(size, maxHeader+12))
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	h, err := npyOf(b, int(size))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &npyFile{h, name, load}, nil
}

// channelsFirst turns [h w c] samples into [c h w].
func (s *Set) channelsFirst() {
	h, w, c := s.Shape[0], s.Shape[1], s.Shape[2]
	n := s.Size()
	turn := func(get func(i int) float32, put func(i int, v float32), count int) {
		buf := make([]float32, n)
		for k := range count {
			for i := range n {
				buf[i%c*h*w+i/c] = get(k*n + i)
			}
			for i, v := range buf {
				put(k*n+i, v)
			}
		}
	}
	if s.Bytes != nil {
		s.Bytes = append([]uint8{}, s.Bytes...)
		turn(func(i int) float32 { return float32(s.Bytes[i]) }, func(i int, v float32) { s.Bytes[i] = uint8(v) }, len(s.Bytes)/n)
	} else {
		turn(func(i int) float32 { return s.Floats[i] }, func(i int, v float32) { s.Floats[i] = v }, len(s.Floats)/n)
	}
	s.Shape = []int{c, h, w}
}

func openNPZ(d *Data, file string, o *options) error {
	d.Norm, d.NormName = Raw, "none"
	z, err := openArchive(file)
	if err != nil {
		return err
	}
	defer z.Close()
	head := func(name string) (*npyFile, error) {
		for _, f := range z.File {
			if strings.TrimSuffix(f.Name, ".npy") != name {
				continue
			}
			r, err := f.Open()
			if err != nil {
				return nil, err
			}
			defer r.Close()
			if f.UncompressedSize64 > maxFile {
				return nil, fmt.Errorf("array %q: more than %d bytes", name, int64(maxFile))
			}
			return headOf(fmt.Sprintf("array %q", name), r, int64(f.UncompressedSize64), func() ([]byte, error) { return z.read(f, true) })
		}
		return nil, nil
	}
	pair := func(xs, ys string) (*Set, error) {
		x, err := head(xs)
		if err != nil || x == nil {
			return nil, err
		}
		y, err := head(ys)
		if err != nil {
			return nil, err
		}
		if y == nil {
			return nil, fmt.Errorf("array %q has no labels %q beside it", xs, ys)
		}
		return x.set(y)
	}
	x, y := o.str("x", ""), o.str("y", "")
	for _, c := range [][2]string{{x, y}, {"x", "y"}, {"x_train", "y_train"}, {"images", "labels"}} {
		if d.Train == nil && c[0] != "" && c[1] != "" {
			if d.Train, err = pair(c[0], c[1]); err != nil {
				return err
			}
		}
	}
	if d.Test, err = pair("x_test", "y_test"); err != nil {
		return err
	}
	if d.Train == nil && d.Test == nil {
		var names []string
		for _, f := range z.File {
			names = append(names, strings.TrimSuffix(f.Name, ".npy"))
		}
		return fmt.Errorf("the arrays are %s: name two with x= and y=", strings.Join(names[:min(len(names), 20)], ", "))
	}
	d.unitBytes()
	return nil
}

// unitBytes scales arrays of bytes to 0..1 where nothing else is asked for.
func (d *Data) unitBytes() {
	if s := d.Eval(); s != nil && s.Bytes != nil {
		d.Norm, d.NormName = Unit, "unit"
	}
}

func openNPY(d *Data, paths string, o *options) error {
	d.Norm, d.NormName = Raw, "none"
	head := func(path string) (*npyFile, error) {
		s, err := openSource(path)
		if err != nil {
			return nil, err
		}
		r, err := s.open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return headOf(path, r, s.size, s.bytes)
	}
	defer d.unitBytes()
	return d.pairs(paths, "X.npy,Y.npy", func(a, b string) (*Set, error) {
		x, err := head(a)
		if err != nil {
			return nil, err
		}
		y, err := head(b)
		if err != nil {
			return nil, err
		}
		return x.set(y)
	})
}
