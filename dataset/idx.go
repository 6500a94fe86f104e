package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// maxRank bounds the dimensions of an idx file.
const maxRank = 4

// idxHead reads the dimensions of an array of bytes in the format of MNIST.
func idxHead(path string) (dims []int, s *source, err error) {
	if s, err = openSource(path); err != nil {
		return nil, nil, err
	}
	r, err := s.open()
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	head := make([]byte, min(s.size, 4+4*maxRank))
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if dims, err = idxDims(head, int(s.size)); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return dims, s, nil
}

// readIDX reads an array.
func readIDX(path string) (dims []int, data []byte, err error) {
	dims, s, err := idxHead(path)
	if err != nil {
		return nil, nil, err
	}
	b, err := s.bytes()
	if err != nil {
		return nil, nil, err
	}
	return dims, b[4+4*len(dims):], nil
}

// idxDims reads the dimensions of a file of size bytes from its start.
func idxDims(b []byte, size int) ([]int, error) {
	if len(b) < 4 || b[0] != 0 || b[1] != 0 {
		return nil, errors.New("not an idx file")
	}
	if b[2] != 8 {
		return nil, fmt.Errorf("idx type %#x: only bytes (0x08) are supported", b[2])
	}
	rank := int(b[3])
	if rank < 1 || rank > maxRank || len(b) < 4+4*rank {
		return nil, fmt.Errorf("an idx header of rank %d is cut short or not possible", rank)
	}
	var dims []int
	n, have := 1, size-4-4*rank
	for i := range rank {
		d := int(binary.BigEndian.Uint32(b[4+4*i:]))
		if d == 0 || d > have/n {
			return nil, fmt.Errorf("dimension %d of %d does not fit a file of %d bytes", i, d, size)
		}
		n *= d
		dims = append(dims, d)
	}
	if n != have {
		return nil, fmt.Errorf("%d bytes of data, dimensions %v need %d", have, dims, n)
	}
	return dims, nil
}

// readIDXPair reads images and labels.
func readIDXPair(images, labels string) (*Set, error) {
	e, y, err := readIDX(labels)
	if err != nil {
		return nil, err
	}
	d, x, err := readIDX(images)
	if err != nil {
		return nil, err
	}
	if err := together(images, d, labels, e); err != nil {
		return nil, err
	}
	s := classified(Field{Shape: imageShape(d), Bytes: x})
	return s, s.setLabels(y)
}

// together refuses images and labels that are not as many.
func together(images string, d []int, labels string, e []int) error {
	n := 1
	for _, k := range e {
		n *= k
	}
	if len(e) != 1 || e[0] != d[0] {
		return fmt.Errorf("%s has %d labels, %s has %d samples", labels, n, images, d[0])
	}
	return nil
}

// imageShape is the shape of a sample.
func imageShape(dims []int) []int {
	switch len(dims) {
	case 1:
		return []int{1}
	case 3:
		return []int{1, dims[1], dims[2]}
	}
	return dims[1:]
}

// idxPairs reads IMAGES and LABELS of each set, or makes ready to stream them. Files
// that are gzipped are read.
func (d *Data) idxPairs(train, test []string) error {
	samples, bytes, packed := 0, int64(0), false
	pairs := [][]string{train, test}
	for _, p := range pairs {
		if p == nil {
			continue
		}
		dims, s, err := idxHead(p[0])
		if err != nil {
			return err
		}
		samples += dims[0]
		bytes += s.size + 4*int64(dims[0])
		packed = packed || s.gzip
	}
	large := false
	var err error
	if !packed {
		if large, err = d.over(samples, bytes); err != nil {
			return err
		}
	}
	for i, to := range []**Set{&d.Train, &d.Test} {
		p := pairs[i]
		switch {
		case p == nil:
			continue
		case !large:
			*to, err = readIDXPair(p[0], p[1])
		default:
			*to, err = d.streamIDX(p[0], p[1])
		}
		if err != nil {
			return err
		}
		d.from([]string{"train", "test"}[i]).Files = p
	}
	return nil
}

func (d *Data) streamIDX(images, labels string) (*Set, error) {
	e, y, err := readIDX(labels)
	if err != nil {
		return nil, err
	}
	dims, _, err := idxHead(images)
	if err == nil {
		err = together(images, dims, labels, e)
	}
	if err != nil {
		return nil, err
	}
	file, err := stampOf(images)
	if err != nil {
		return nil, err
	}
	s := classified(Field{Shape: imageShape(dims), Bytes: []uint8{}})
	if err := s.setLabels(y); err != nil {
		return nil, err
	}
	n := s.X().Size()
	c := &extent{name: filepath.Base(images), file: file, at: int64(4 + 4*len(dims)), size: n, stride: n, samples: dims[0], plain: true, put: putBytes}
	return d.streamed(s.Fields, []shard{{c.name, c.samples, []*extent{c, nil}}})
}

// setLabels takes byte labels; the number of classes is the largest plus one.
func (s *Set) setLabels(y []byte) error {
	s.y().Ints = make([]int32, len(y))
	for i, v := range y {
		s.y().Ints[i] = int32(v)
		s.y().Classes = max(s.y().Classes, int(v)+1)
	}
	if len(y) == 0 {
		return errors.New("there are no labels")
	}
	return nil
}
