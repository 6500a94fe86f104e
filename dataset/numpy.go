package dataset

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
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

// decodeNPY reads the .npy format, versions 1 to 3, little-endian numbers in
// C order.
func decodeNPY(b []byte) (*array, error) {
	if len(b) < 12 || string(b[:6]) != "\x93NUMPY" {
		return nil, errors.New("not a NumPy array")
	}
	n, off := int(binary.LittleEndian.Uint16(b[8:])), 10
	if b[6] >= 2 {
		n, off = int(binary.LittleEndian.Uint32(b[8:])), 12
	}
	if n < 0 || n > len(b)-off || n > 1<<16 {
		return nil, errors.New("a NumPy header is cut short or too long")
	}
	m := npyHeader.FindStringSubmatch(string(b[off : off+n]))
	if m == nil {
		return nil, fmt.Errorf("the NumPy header %q is not understood", b[off:off+min(n, 80)])
	}
	if m[2] == "True" {
		return nil, errors.New("a NumPy array in Fortran order: save it with order='C'")
	}
	b = b[off+n:]
	a := &array{}
	count := 1
	for _, w := range strings.Split(m[3], ",") {
		if w = strings.TrimSpace(w); w == "" {
			continue
		}
		d, err := strconv.Atoi(w)
		if err != nil || d < 0 || d > 0 && count > len(b)/d {
			return nil, fmt.Errorf("shape (%s) does not fit %d bytes", m[3], len(b))
		}
		a.shape = append(a.shape, d)
		count *= d
	}
	size := map[string]int{"|u1": 1, "|i1": 1, "|b1": 1, "<f4": 4, "<f8": 8, "<i8": 8, "<i4": 4, "<u2": 2, "<i2": 2, "<u4": 4}[m[1]]
	if size == 0 {
		return nil, fmt.Errorf("elements of type %q are not supported", m[1])
	}
	if len(b) != count*size {
		return nil, fmt.Errorf("%d bytes of data, shape (%s) needs %d", len(b), m[3], count*size)
	}
	le := binary.LittleEndian
	switch m[1] {
	case "|u1", "|b1":
		a.bytes = b
	case "<f4":
		a.floats = make([]float32, count)
		for i := range a.floats {
			a.floats[i] = math.Float32frombits(le.Uint32(b[4*i:]))
		}
	case "<f8":
		a.floats = make([]float32, count)
		for i := range a.floats {
			a.floats[i] = float32(math.Float64frombits(le.Uint64(b[8*i:])))
		}
	default:
		a.ints = make([]int64, count)
		for i := range a.ints {
			switch m[1] {
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

// set makes samples and labels of two arrays. Images may have their channels
// last; one or three there are taken as channels.
func (a *array) set(y *array) (*Set, error) {
	if len(a.shape) < 2 {
		return nil, fmt.Errorf("samples of shape %v: the first axis counts them", a.shape)
	}
	if y.ints == nil && y.bytes == nil || len(y.shape) != 1 || y.shape[0] != a.shape[0] {
		return nil, fmt.Errorf("labels of shape %v for samples of shape %v: a whole number for each is needed", y.shape, a.shape)
	}
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
	for i := range a.shape[0] {
		l := int64(0)
		if y.ints != nil {
			l = y.ints[i]
		} else {
			l = int64(y.bytes[i])
		}
		if l < 0 || l > 1<<20 {
			return nil, fmt.Errorf("label %d of sample %d is not a class", l, i)
		}
		s.Labels = append(s.Labels, int32(l))
		s.Classes = max(s.Classes, int(l)+1)
	}
	return s, nil
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
	z, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer z.Close()
	read := func(name string) (*array, error) {
		for _, f := range z.File {
			if strings.TrimSuffix(f.Name, ".npy") != name {
				continue
			}
			b, err := readEntry(f, maxFile)
			if err != nil {
				return nil, err
			}
			a, err := decodeNPY(b)
			if err != nil {
				return nil, fmt.Errorf("array %q: %w", name, err)
			}
			return a, nil
		}
		return nil, nil
	}
	pair := func(xs, ys string) (*Set, error) {
		x, err := read(xs)
		if err != nil || x == nil {
			return nil, err
		}
		y, err := read(ys)
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
		return fmt.Errorf("the arrays are %s: name two with x= and y=", strings.Join(names, ", "))
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
	read := func(path string) (*array, error) {
		b, err := readAll(path)
		if err != nil {
			return nil, err
		}
		a, err := decodeNPY(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return a, nil
	}
	defer d.unitBytes()
	return d.pairs(paths, "X.npy,Y.npy", func(a, b string) (*Set, error) {
		x, err := read(a)
		if err != nil {
			return nil, err
		}
		y, err := read(b)
		if err != nil {
			return nil, err
		}
		return x.set(y)
	})
}
