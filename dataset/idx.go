package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxRank bounds the dimensions of an idx file.
const maxRank = 4

// readIDX reads an array of bytes in the format of MNIST.
func readIDX(path string) (dims []int, data []byte, err error) {
	s, err := openSource(path)
	if err != nil {
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
	if len(e) != 1 || e[0] != d[0] {
		return nil, fmt.Errorf("%s has %d labels, %s has %d samples", labels, len(y), images, d[0])
	}
	s := classified(Field{Shape: d[1:], Bytes: x})
	if len(d) == 3 {
		s.X().Shape = []int{1, d[1], d[2]}
	} else if len(d) == 1 {
		s.X().Shape = []int{1}
	}
	return s, s.setLabels(y)
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
