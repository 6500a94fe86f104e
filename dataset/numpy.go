package dataset

import (
	"fmt"
	"io"
	"math"

	"pare/npy"
	"pare/tensor"
)

// array is a NumPy array of numbers.
type array struct {
	shape  []int
	floats []float32
	bytes  []uint8
	ints   []int64
	first  int // sample of those of a file; the others follow
}

// pairs checks that there are samples and a label for each.
func pairs(x, y *npyFile) error {
	if len(x.Shape) < 2 || x.Count == 0 {
		return fmt.Errorf("%s: samples of shape %v: the first axis counts them", x.name, x.Shape)
	}
	if len(y.Shape) < 1 || len(y.Shape) > 2 || y.Shape[0] != x.Shape[0] || y.Count == 0 {
		return errLabel{fmt.Errorf("%s: labels of shape %v and type %v for samples of shape %v: neither a whole number for each nor a row with a 1 in the place of the class", y.name, y.Shape, y.DType, x.Shape)}
	}
	return nil
}

// decodeNPY reads an array.
func decodeNPY(b []byte) (*array, error) {
	h, err := npy.HeaderOf(b, len(b))
	if err != nil {
		return nil, err
	}
	return arrayOf(&h, b)
}

// arrayOf reads the elements of an array whose file is b.
func arrayOf(h *npy.Header, b []byte) (*array, error) {
	a := &array{shape: h.Shape}
	if h.DType == tensor.Uint8 || h.DType == tensor.Bool {
		a.bytes = h.Elements(b)
		return a, nil
	}
	t, err := tensor.FromRaw(h.Elements(b), h.DType, h.Shape...)
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

// at is a value of labels.
func (a *array) at(i int) float64 {
	switch {
	case a.ints != nil:
		return float64(a.ints[i])
	case a.floats != nil:
		return float64(a.floats[i])
	}
	return float64(a.bytes[i])
}

// classes are the labels that an array gives: a whole number for each sample,
// or a row with a 1 in the place of the class and 0 elsewhere.
func (a *array) classes(say func(string, ...any)) ([]int32, int, error) {
	if len(a.shape) == 2 && a.shape[1] > 1 {
		return a.oneHot(say)
	}
	if len(a.shape) == 2 {
		say("labels of shape %v are taken as one for each sample", a.shape)
	}
	out, most := make([]int32, a.shape[0]), 0
	for i := range out {
		l := a.at(i)
		if !(l >= 0 && l <= maxClass) || l != math.Trunc(l) {
			hint := ""
			if l < 0 {
				hint = ": classes are whole numbers from 0"
			}
			return nil, 0, fmt.Errorf("label %v of sample %d is not a class%s", l, a.first+i, hint)
		}
		out[i], most = int32(l), max(most, int(l)+1)
	}
	return out, most, nil
}

func (a *array) oneHot(say func(string, ...any)) ([]int32, int, error) {
	n, classes := a.shape[0], a.shape[1]
	if classes > maxClass {
		return nil, 0, fmt.Errorf("labels of %d classes", classes)
	}
	out := make([]int32, n)
	for i := range out {
		out[i] = -1
		for k := range classes {
			v := a.at(i*classes + k)
			if v == 1 && out[i] < 0 {
				out[i] = int32(k)
			} else if v != 0 {
				return nil, 0, fmt.Errorf("labels of shape %v: the row of sample %d is not a single 1 among 0: several classes of one sample, or shares of them, are not supported", a.shape, a.first+i)
			}
		}
		if out[i] < 0 {
			return nil, 0, fmt.Errorf("labels of shape %v: the row of sample %d has no 1", a.shape, a.first+i)
		}
	}
	say("labels of shape %v have a 1 in the place of the class, out of %d", a.shape, classes)
	return out, classes, nil
}

// set makes samples of an array. Images may have their channels last; one or
// three there are taken as channels, unless the layout is given.
func (a *array) set(layout string, say func(string, ...any)) (*Set, error) {
	floats, err := a.numbers()
	if err != nil {
		return nil, err
	}
	s := classified(Field{Shape: append([]int{}, a.shape[1:]...), Floats: floats, Bytes: a.bytes})
	k := s.X().Shape
	if layout == "nhwc" && len(k) != 3 {
		return nil, fmt.Errorf("layout=nhwc: samples of shape %v have no three axes", k)
	}
	switch {
	case len(k) == 2:
		s.X().Shape = []int{1, k[0], k[1]}
		say("samples of shape %v are taken as images of one channel", k)
	case len(k) != 3 || layout == "nchw":
	case layout == "nhwc" || (k[2] == 1 || k[2] == 3) && k[0] != 1 && k[0] != 3:
		s.channelsFirst()
		if layout == "" {
			say("samples of shape %v have their channels last: they became %v (layout=nchw leaves them)", k, s.X().Shape)
		}
	case k[2] == 4 || k[2] == 1 || k[2] == 3:
		say("samples of shape %v are left so: their channels are taken to be first (layout=nhwc: they are last)", k)
	}
	return s, nil
}

// numbers are the values of an array that is not of bytes.
func (a *array) numbers() ([]float32, error) {
	if a.ints == nil {
		return a.floats, nil
	}
	out := make([]float32, len(a.ints))
	for i, v := range a.ints {
		if out[i] = float32(v); int64(out[i]) != v {
			return nil, fmt.Errorf("value %d of sample %d is too large to be held exactly: numbers are kept in 32 bits", v, a.first+i/(len(a.ints)/a.shape[0]))
		}
	}
	return out, nil
}

// npyFile is an array that is read when it is known to be wanted.
type npyFile struct {
	npy.Header
	name string
	load func() ([]byte, error)
}

// set reads samples and labels: what they are is checked before either is read,
// and the labels before the samples.
func (x *npyFile) set(d *Data, y *npyFile, layout string) (*Set, error) {
	if err := pairs(x, y); err != nil {
		return nil, err
	}
	var a [2]*array
	var labels []int32
	classes := 0
	say := func(name string) func(string, ...any) {
		return func(format string, v ...any) { d.note("%s: %s", name, fmt.Sprintf(format, v...)) }
	}
	for i, f := range []*npyFile{y, x} {
		b, err := f.load()
		if err != nil {
			return nil, err
		}
		if a[i], err = decodeNPY(b); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if i == 0 {
			if labels, classes, err = a[0].classes(say(y.name)); err != nil {
				return nil, errLabel{fmt.Errorf("%s: %w", f.name, err)}
			}
		}
	}
	s, err := a[1].set(layout, say(x.name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", x.name, err)
	}
	s.y().Ints, s.y().Classes = labels, classes
	return s, nil
}

// layoutOf reads the option layout.
func (o *options) layout() string {
	if l := o.oneOf("layout", "auto", "nhwc", "nchw"); l != "auto" {
		return l
	}
	return ""
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
	h, w, c := s.X().Shape[0], s.X().Shape[1], s.X().Shape[2]
	n := s.X().Size()
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
	if s.X().Bytes != nil {
		s.X().Bytes = append([]uint8{}, s.X().Bytes...)
		turn(func(i int) float32 { return float32(s.X().Bytes[i]) }, func(i int, v float32) { s.X().Bytes[i] = uint8(v) }, len(s.X().Bytes)/n)
	} else {
		turn(func(i int) float32 { return s.X().Floats[i] }, func(i int, v float32) { s.X().Floats[i] = v }, len(s.X().Floats)/n)
	}
	s.X().Shape = []int{c, h, w}
}

// unitBytes scales arrays of bytes to 0..1 where nothing else is asked for.
func (d *Data) unitBytes() {
	if s := d.Eval(); s != nil && s.X().Bytes != nil {
		d.Norm, d.NormName = Unit, "unit"
	}
}

// advice says how texts become class numbers.
func advice(t *npy.TypeError) string {
	if t.Text {
		return ": number the classes with numpy.unique(y, return_inverse=True)[1]"
	}
	return ""
}
