package dataset

import (
	"fmt"
	"path/filepath"
)

// records are how samples lie in files of the official binary version of CIFAR: a
// head, a byte of which is the label, and an image.
type records struct{ head, label, classes int }

var (
	cifar10  = records{1, 0, 10}
	fine100  = records{2, 1, 100}
	coarse20 = records{2, 0, 20}
)

const cifarImage = 3 * 32 * 32

// read reads files into a set.
func (r records) read(paths []string) (*Set, error) {
	s := classified(Field{Shape: []int{3, 32, 32}})
	s.y().Classes = r.classes
	for _, p := range paths {
		b, err := readAll(p)
		if err == nil {
			err = s.addCIFAR(b, r.head, r.label)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	return s, nil
}

// open reads the files of each set, or makes ready to stream them.
func (r records) open(d *Data, train, test []string) error {
	record, bytes := r.head+cifarImage, int64(0)
	stamps := map[string]*stamp{}
	for _, p := range append(train[:len(train):len(train)], test...) {
		st, err := stampOf(p)
		if err != nil {
			return err
		}
		bytes += st.size
		stamps[p] = st
	}
	large, err := d.over(int(bytes)/record, bytes)
	if err != nil {
		return err
	}
	for i, to := range []**Set{&d.Train, &d.Test} {
		paths := [][]string{train, test}[i]
		from := d.from([]string{"train", "test"}[i])
		from.Files, from.record = paths, r
		switch {
		case len(paths) == 0:
			continue
		case !large:
			*to, err = r.read(paths)
		default:
			*to, err = r.stream(d, paths, stamps)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r records) stream(d *Data, paths []string, stamps map[string]*stamp) (*Set, error) {
	s := classified(Field{Shape: []int{3, 32, 32}, Bytes: []uint8{}})
	y, record := s.y(), r.head+cifarImage
	y.Classes = r.classes
	var shards []shard
	for _, p := range paths {
		st := stamps[p]
		if err := r.whole(int(st.size)); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		c := extent{name: filepath.Base(p), file: st, at: int64(r.head), size: cifarImage, stride: record, samples: int(st.size) / record, put: putBytes}
		label := c
		label.at, label.size = int64(r.label), 1
		if err := label.classes(y); err != nil {
			return nil, err
		}
		shards = append(shards, shard{c.name, c.samples, []*extent{&c, nil}})
	}
	return d.streamed(s.Fields, shards)
}

// classes appends labels of one byte.
func (c *extent) classes(y *Field) error {
	return c.each(0, c.samples, func(raw []byte, first, _ int) error {
		for i, l := range raw {
			if int(l) >= y.Classes {
				return fmt.Errorf("label %d of sample %d is outside the %d classes", l, first+i, y.Classes)
			}
			y.Ints = append(y.Ints, int32(l))
		}
		return nil
	})
}

// whole refuses a size that records do not come to.
func (r records) whole(size int) error {
	if record := r.head + cifarImage; size < record || size%record != 0 {
		return fmt.Errorf("%d bytes are not records of %d: not a CIFAR file of that kind, or cut short", size, record)
	}
	return nil
}

// addCIFAR appends records of a head, a byte of which is the label, and an
// image.
func (s *Set) addCIFAR(b []byte, head, label int) error {
	record := head + s.X().Size()
	n := len(b) / record
	if err := (records{head: head}).whole(len(b)); err != nil {
		return err
	}
	for i := range n {
		if l := b[i*record+label]; int(l) >= s.y().Classes {
			return fmt.Errorf("label %d is outside the %d classes", l, s.y().Classes)
		}
	}
	at := len(s.X().Bytes)
	s.X().Bytes = append(s.X().Bytes, make([]byte, n*s.X().Size())...)
	for ; len(b) > 0; b = b[record:] {
		s.y().Ints = append(s.y().Ints, int32(b[label]))
		at += copy(s.X().Bytes[at:], b[head:record])
	}
	return nil
}
