package dataset

import (
	"fmt"
	"math"
	"slices"

	"pare/npy"
)

// lyingField is an array by where it lies, with the name of the field that it becomes.
type lyingField struct {
	field string
	*lying
}

// fieldFiles are the arrays of each file of each part.
type fieldFiles map[string][][]lyingField

// streamNPZFields makes streams of files of arrays each of which is a field, where they
// are too large.
func (d *Data) streamNPZFields(files fileParts, o npzOptions) (bool, error) {
	if d.bound <= 0 {
		return false, nil
	}
	all := fieldFiles{}
	one := len(files) == 1 && len(files["train"]) == 1
	for _, part := range partOrder {
		for _, file := range files[part] {
			z, err := d.openNPZ(file)
			if err != nil {
				return true, err
			}
			defer z.Close()
			names := map[string][][2]string{part: z.strip(part)}
			if one {
				names, _ = byParts(z.names)
			}
			for p, of := range names {
				var fields []lyingField
				for _, n := range of {
					if !d.fields.wants(n[0]) {
						continue
					}
					h, err := z.lie(n[1])
					if err != nil || len(h.Shape) == 0 {
						return false, nil // what cannot be is said where it is read
					}
					fields = append(fields, lyingField{n[0], h})
				}
				all[p] = append(all[p], fields)
				d.arraysOf(p, file, inFile(of)...)
			}
		}
	}
	return d.streamFields(all, o.layout)
}

// streamNPYFields makes streams of a folder of arrays.
func (d *Data) streamNPYFields(parts map[string][][2]string, path map[string]string, layout string) (bool, error) {
	if d.bound <= 0 {
		return false, nil
	}
	all := fieldFiles{}
	for part, names := range parts {
		var fields []lyingField
		for _, n := range names {
			if !d.fields.wants(n[0]) {
				continue
			}
			h, err := lyingAlone(path[n[1]])
			if err != nil || len(h.Shape) == 0 {
				return false, nil
			}
			fields = append(fields, lyingField{n[0], h})
		}
		all[part] = append(all[part], fields)
	}
	return d.streamFields(all, layout)
}

// streamFields makes streams of arrays each of which is a field. Arrays that do not go
// together are left to those who read them, to be refused.
func (d *Data) streamFields(all fieldFiles, layout string) (bool, error) {
	samples, bytes := 0, int64(0)
	for _, files := range all {
		for _, of := range files {
			if len(of) == 0 {
				return false, nil
			}
			n := of[0].Shape[0]
			for i, a := range of {
				if a.Shape[0] != n || a.Count == 0 || slices.ContainsFunc(of[:i], func(b lyingField) bool { return b.field == a.field }) {
					return false, nil
				}
				each := int64(4)
				if a.ofBytes() {
					each = 1
				}
				bytes += each * int64(a.Count)
			}
			samples += n
		}
	}
	if large, err := d.over(samples, bytes); !large || err != nil {
		return large, err
	}
	for _, part := range partOrder {
		if len(all[part]) == 0 {
			continue
		}
		s, err := d.fieldsOf(all[part], layout)
		if err != nil {
			return true, err
		}
		*d.part(part) = s
	}
	return true, nil
}

// fieldsOf is a set of the arrays of its files.
func (d *Data) fieldsOf(files [][]lyingField, layout string) (*Set, error) {
	s := New("")
	for _, a := range files[0] {
		f := &Field{Name: a.field, Shape: slices.Clone(a.Shape[1:])}
		switch {
		case a.ofBytes():
			f.Bytes = []uint8{}
		case a.DType.IsFloat():
			f.Floats = []float32{}
		default:
			f.Ints = []int32{}
		}
		s.Fields = append(s.Fields, f)
	}
	turned := map[string]bool{}
	for _, f := range s.Fields {
		was := slices.Clone(f.Shape)
		d.layOut(f, layout)
		turned[f.Name] = !slices.Equal(was, f.Shape) || layout == "nhwc" && f.image()
	}
	if err := s.holdClasses(files); err != nil {
		return nil, err
	}
	build := func() error { return d.buildFields(s, files, turned) }
	if err := build(); err != nil {
		return nil, err
	}
	d.guessClasses(s, "arrays")
	before := slices.Clone(s.Fields)
	slices.SortStableFunc(s.Fields, func(a, b *Field) int { return min(1, a.Classes) - min(1, b.Classes) }) // samples first
	if slices.Equal(before, s.Fields) {
		return s, nil
	}
	given := make([]*Field, len(s.Fields))
	for j, f := range s.Fields { // a stream reads what the arrays hold
		if f.given != nil {
			given[j], s.Fields[j] = f, f.given
		}
	}
	err := build()
	for j, f := range given {
		if f != nil {
			s.Fields[j] = f
		}
	}
	return s, err
}

// buildFields makes the stream of a set of arrays, of which it turns some.
func (d *Data) buildFields(s *Set, files [][]lyingField, turned map[string]bool) error {
	var shards []shard
	for _, of := range files {
		sh := shard{name: of[0].name, n: of[0].Shape[0], extents: make([]*extent, len(s.Fields))}
		for j, f := range s.Fields {
			k := slices.IndexFunc(of, func(a lyingField) bool { return a.field == f.Name })
			if k < 0 || len(of) != len(s.Fields) {
				return fmt.Errorf("%s: its arrays are not those of %s", of[0].name, files[0][0].name)
			}
			first := files[0][slices.IndexFunc(files[0], func(a lyingField) bool { return a.field == f.Name })]
			if a := of[k]; !slices.Equal(a.Shape[1:], first.Shape[1:]) || a.DType.IsFloat() != first.DType.IsFloat() || a.ofBytes() != first.ofBytes() {
				return fmt.Errorf("%s has samples of shape %v and type %v, %s of shape %v and type %v", a.name, a.Shape[1:], a.DType, first.name, first.Shape[1:], first.DType)
			} else if a.Fortran && len(a.Shape) > 1 {
				return fmt.Errorf("%s: the array is in Fortran order, in which no sample can be read by itself: save it with numpy.ascontiguousarray, or let samples take more memory", a.name)
			}
			if !f.Held() {
				sh.extents[j] = of[k].extent(turned[f.Name])
			}
		}
		shards = append(shards, sh)
	}
	out, err := d.streamed(s.Fields, shards)
	if err == nil {
		s.Stream, s.Bound = out.Stream, out.Bound
	}
	return err
}

// holdClasses reads the classes of samples, one each.
func (s *Set) holdClasses(files [][]lyingField) error {
	for _, f := range s.Fields { // classes, one a sample, are held
		if f.Size() != 1 || f.Floats != nil || !isTarget(f.Name) {
			continue
		}
		for _, of := range files {
			for _, a := range of {
				if a.field != f.Name {
					continue
				}
				g := f.like(a.Shape[0])
				if err := a.extent(false).read(0, a.Shape[0], g); err != nil {
					return err
				}
				f.Bytes, f.Ints = append(f.Bytes, g.Bytes...), append(f.Ints, g.Ints...)
			}
		}
	}
	return nil
}

// putInts makes whole numbers of 32 bits of the elements of samples.
func (x *lying) putInts(raw []byte, first int, to *Field, k int) error {
	size := x.Count / x.Shape[0] * x.DType.Size()
	h := npy.Header{DType: x.DType, Big: x.Big, Shape: append([]int{len(raw) / size}, x.Shape[1:]...), Count: len(raw) / x.DType.Size()}
	a, err := arrayOf(&h, raw)
	if err != nil {
		return err
	}
	n := to.Size()
	for i, v := range a.ints {
		if v < math.MinInt32 || v > math.MaxInt32 {
			return fmt.Errorf("value %d of sample %d has more than 32 bits: number what it stands for from 0, leave it out by drop=%s, or let samples take more memory", v, first+i/max(1, n), to.Name)
		}
		to.Ints[k*n+i] = int32(v)
	}
	return nil
}
