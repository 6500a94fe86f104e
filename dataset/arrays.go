package dataset

import (
	"archive/zip"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"

	"pare/npy"
	"pare/tensor"
)

// lying is an array by where it lies: samples or labels that are streamed.
type lying struct {
	npy.Header
	name   string
	file   *stamp
	at     int64                         // where it begins in the file
	unpack func() (io.ReadCloser, error) // where it is packed: reads it from the start
}

// lies finds samples and labels in a file of arrays.
func (z *npz) lies(names [2]string) (h [2]*lying, err error) {
	for i, name := range names {
		if h[i], err = z.lie(name); err != nil {
			return h, err
		}
	}
	z.used = append(z.used, names[:]...)
	return h, nil
}

// lie finds an array in a file of arrays.
func (z *npz) lie(name string) (*lying, error) {
	f := z.arrays[name]
	show := fmt.Sprintf("%s, array %q", filepath.Base(z.path), name)
	if f.UncompressedSize64 > math.MaxInt64/16 || f.Method != zip.Store && int64(f.UncompressedSize64) > mostKept(int64(f.CompressedSize64)) {
		return nil, fmt.Errorf("%s: %d bytes packed into %d are refused", show, f.UncompressedSize64, f.CompressedSize64)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", show, err)
	}
	head, err := headOf(show, r, int64(f.UncompressedSize64), nil)
	r.Close()
	if err != nil {
		return nil, err
	}
	h := &lying{Header: head.Header, name: show, file: z.stamp}
	if f.Method != zip.Store {
		h.unpack = func() (io.ReadCloser, error) { return z.stamp.member(f.Name) }
	} else if h.at, err = f.DataOffset(); err != nil {
		return nil, fmt.Errorf("%s: %w", show, err)
	}
	return h, nil
}

// streamNPZ makes streams of files of arrays that are too large. What it does not
// understand is left to those who read it: arrays that are not samples and labels are
// held in memory.
func (d *Data) streamNPZ(files fileParts, o npzOptions) (bool, error) {
	if d.bound <= 0 || o.all {
		return false, nil
	}
	notes := d.Notes
	heads := map[string][][2]*lying{}
	var all [][2]*lying
	look := func(part, file string) error {
		z, err := d.openNPZ(file)
		if err != nil {
			return err
		}
		defer z.Close()
		found, err := z.pairs(o.x, o.y)
		if err != nil {
			return err
		}
		if len(files) > 1 || len(files["train"]) > 1 { // a file of one part
			if len(found) > 1 {
				return fmt.Errorf("%s holds arrays of several parts", file)
			}
			for _, names := range found {
				found = map[string][2]string{part: names}
			}
		}
		for _, p := range partOrder {
			names, ok := found[p]
			if !ok {
				continue
			}
			h, err := z.lies(names)
			if err != nil {
				return err
			}
			heads[p], all = append(heads[p], h), append(all, h)
			d.arraysOf(p, file, names[:]...)
		}
		z.sayUnused()
		return nil
	}
	for _, p := range partOrder {
		for i, f := range files[p] {
			said := d.Notes
			if look(p, f) != nil {
				d.Notes = notes
				return false, nil
			}
			if i > 0 { // of several files, the first speaks
				d.Notes = said
			}
		}
	}
	large, err := d.large(all)
	if !large {
		d.Notes = notes
		return false, nil
	}
	if err == nil {
		err = d.streamArrays(heads, o.layout)
	}
	d.unitBytes()
	return true, err
}

// streamNPY makes streams of files of one array each that are too large. What is
// gzipped, or not understood, is left to those who read it.
func (d *Data) streamNPY(paths, layout string) (bool, error) {
	if d.bound <= 0 {
		return false, nil
	}
	files, err := fours(paths, "X.npy,Y.npy")
	heads := map[string][][2]*lying{}
	var all [][2]*lying
	for i, part := range []string{"train", "test"} {
		if files[i] == nil || err != nil {
			continue
		}
		var h [2]*lying
		for k, path := range files[i] {
			if h[k], err = lyingAlone(path); err != nil {
				return false, nil
			}
		}
		heads[part], all = [][2]*lying{h}, append(all, h)
	}
	large := false
	if err == nil {
		large, err = d.large(all)
	}
	if !large {
		return false, nil
	}
	if err == nil {
		err = d.streamArrays(heads, layout)
	}
	d.unitBytes()
	return true, err
}

// lyingAlone is the array of a file of one.
func lyingAlone(path string) (*lying, error) {
	file, err := stampOf(path)
	if err != nil {
		return nil, err
	}
	f, err := file.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, err := headOf(filepath.Base(path), f, file.size, nil)
	if err != nil {
		return nil, err
	}
	return &lying{Header: head.Header, name: head.name, file: file}, nil
}

// ofBytes says that samples are kept as bytes.
func (x *lying) ofBytes() bool { return x.DType == tensor.Uint8 || x.DType == tensor.Bool }

// extent is where the array lies. Turned samples have their channels last.
func (x *lying) extent(turned bool) *extent {
	size := x.Count / x.Shape[0] * x.DType.Size()
	c := &extent{name: x.name, file: x.file, at: x.at + int64(x.Len), size: size, stride: size, samples: x.Shape[0], unpack: x.unpack, plain: x.ofBytes() && !turned}
	of := npy.Header{DType: x.DType, Big: x.Big, Shape: slices.Clone(x.Shape)}
	c.put = func(raw []byte, first int, to *Field, k int) error {
		n := to.Size()
		if x.ofBytes() {
			putTurned(to.Bytes[k*n:], raw, to.Shape, turned)
			return nil
		}
		if to.Ints != nil {
			return x.putInts(raw, first, to, k)
		}
		h := of
		h.Shape = append([]int{len(raw) / size}, of.Shape[1:]...)
		h.Count = len(raw) / h.DType.Size()
		a, err := arrayOf(&h, raw)
		if err != nil {
			return err
		}
		a.first = first
		v, err := a.numbers()
		if err != nil {
			return err
		}
		putTurned(to.Floats[k*n:], v, to.Shape, turned)
		return nil
	}
	return c
}

// putTurned puts values of samples where they belong: channels that are last become the
// first axis of the shape.
func putTurned[T any](to, from []T, shape []int, turned bool) {
	if !turned {
		copy(to, from)
		return
	}
	c, plane := shape[0], shape[1]*shape[2]
	for ; len(from) > 0; from, to = from[c*plane:], to[c*plane:] {
		for i := range plane {
			for ch := range c {
				to[ch*plane+i] = from[i*c+ch]
			}
		}
	}
}

// large says whether arrays are to be streamed.
func (d *Data) large(heads [][2]*lying) (bool, error) {
	samples, bytes := 0, int64(0)
	for _, h := range heads {
		if err := pairs(&npyFile{Header: h[0].Header, name: h[0].name}, &npyFile{Header: h[1].Header, name: h[1].name}); err != nil {
			return false, err
		}
		each := int64(4)
		if h[0].ofBytes() {
			each = 1
		}
		samples += h[0].Shape[0]
		bytes += each*int64(h[0].Count) + 4*int64(h[0].Shape[0])
	}
	return d.over(samples, bytes)
}

// arrays are samples and labels of a set, in one file or more that are alike.
func (d *Data) arrays(heads [][2]*lying, layout string) (*Set, []shard, error) {
	var set *Set
	var shards []shard
	say := func(name string) func(string, ...any) {
		return func(format string, v ...any) {
			if len(shards) == 0 {
				d.note("%s: %s", name, fmt.Sprintf(format, v...))
			}
		}
	}
	for _, h := range heads {
		x, y := h[0], h[1]
		if x.Fortran && len(x.Shape) > 1 {
			return nil, nil, fmt.Errorf("%s: the array is in Fortran order, in which no sample can be read by itself: save it with numpy.ascontiguousarray, or let samples take more memory", x.name)
		}
		// An array without elements says what samples become.
		of := &array{shape: x.Shape}
		switch {
		case x.DType.IsFloat():
			of.floats = []float32{}
		case x.ofBytes():
			of.bytes = []uint8{}
		default:
			of.ints = []int64{}
		}
		s, err := of.set(layout, say(x.name))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", x.name, err)
		}
		turned := len(x.Shape) == 4 && (layout == "nhwc" || layout == "" && !slices.Equal(s.X().Shape, x.Shape[1:]))
		if set == nil {
			set = s
		} else if err := asIn(s.X(), set.X(), x.name, shards[0].name); err != nil {
			return nil, nil, err
		}
		if err := d.labels(set.y(), y, say(y.name)); err != nil {
			return nil, nil, err
		}
		shards = append(shards, shard{x.name, x.Shape[0], []*extent{x.extent(turned), nil}})
	}
	return set, shards, nil
}

// labels appends the classes that an array gives.
func (d *Data) labels(to *Field, y *lying, say func(string, ...any)) error {
	read := func(b []byte, h lying, first int) error {
		a, err := arrayOf(&h.Header, b)
		if err == nil {
			a.first = first
			var l []int32
			var classes int
			if l, classes, err = a.classes(say); err == nil {
				to.Ints, to.Classes = append(to.Ints, l...), max(to.Classes, classes)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", y.name, err)
		}
		return nil
	}
	if y.Fortran && len(y.Shape) > 1 {
		return fmt.Errorf("%s: the array is in Fortran order, in which it cannot be read in parts: save it with numpy.ascontiguousarray, or let samples take more memory", y.name)
	}
	c := y.extent(false)
	return c.each(0, c.samples, func(raw []byte, first, n int) error {
		h := *y
		h.Shape, h.Len = append([]int{n}, y.Shape[1:]...), 0
		h.Count = y.Count / y.Shape[0] * n
		return read(raw, h, first)
	})
}

// streamArrays makes streams of arrays, by the parts of the data.
func (d *Data) streamArrays(heads map[string][][2]*lying, layout string) error {
	for _, part := range partOrder {
		if len(heads[part]) == 0 {
			continue
		}
		s, shards, err := d.arrays(heads[part], layout)
		if err == nil {
			*d.part(part), err = d.streamed(s.Fields, shards)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
