package dataset

import (
	"fmt"
	"io"
	"strings"

	"pare/npy"
	"pare/tensor"
)

// array is a NumPy array of numbers.
type array struct {
	shape  []int
	floats []float32
	bytes  []uint8
	ints   []int64
}

// pairs checks that there are samples and a whole number for each.
func pairs(x, y npy.Header) error {
	if len(x.Shape) < 2 || x.Count == 0 {
		return fmt.Errorf("samples of shape %v: the first axis counts them", x.Shape)
	}
	if y.DType.IsFloat() || len(y.Shape) != 1 || y.Shape[0] != x.Shape[0] {
		return fmt.Errorf("labels of shape %v and type %v for samples of shape %v: a whole number for each is needed", y.Shape, y.DType, x.Shape)
	}
	return nil
}

// decodeNPY reads an array.
func decodeNPY(b []byte) (*array, error) {
	h, err := npy.HeaderOf(b, len(b))
	if err != nil {
		return nil, err
	}
	a := &array{shape: h.Shape}
	if h.DType == tensor.Uint8 || h.DType == tensor.Bool {
		a.bytes = b[h.Len:]
		return a, nil
	}
	t, err := tensor.FromRaw(b[h.Len:], h.DType, h.Shape...)
	if err != nil {
		return nil, err
	}
	if h.DType.IsFloat() {
		if t, err = t.ToFloat32(); err == nil {
			a.floats = t.F32()
		}
		return a, err
	}
	a.ints, err = t.Int64s()
	return a, err
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
	npy.Header
	name string
	load func() ([]byte, error)
}

// set reads samples and labels: what they are is checked before either is read,
// and the labels before the samples.
func (x *npyFile) set(y *npyFile) (*Set, error) {
	if err := pairs(x.Header, y.Header); err != nil {
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

// headOf reads an array's header from its start.
func headOf(name string, r io.Reader, size int64, load func() ([]byte, error)) (*npyFile, error) {
	b := make([]byte, min(size, npy.MaxHeader))
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	h, err := npy.HeaderOf(b, int(size))
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
			return nil, fmt.Errorf("array %q has no labels: there is no array %q", xs, ys)
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
