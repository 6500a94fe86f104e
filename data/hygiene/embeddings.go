package hygiene

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"pare/neighbours"
	"pare/npy"
	"pare/tensor"
)

// Joined is rows of several sources, one after another.
type Joined []neighbours.Source

// Len is the number of rows.
func (j Joined) Len() int {
	n := 0
	for _, s := range j {
		n += s.Len()
	}
	return n
}

// Dim is the length of a row.
func (j Joined) Dim() int { return j[0].Dim() }

// Read reads rows.
func (j Joined) Read(lo int, to []float32) error {
	d := j.Dim()
	for _, s := range j {
		if n := s.Len(); lo >= n {
			lo -= n
			continue
		}
		part := to[:min(len(to), (s.Len()-lo)*d)]
		if err := s.Read(lo, part); err != nil {
			return err
		}
		if to, lo = to[len(part):], 0; len(to) == 0 {
			return nil
		}
	}
	return errors.New("there are no more rows")
}

// OpenRows makes ready to read rows from a .npy file: an array of two axes or more, of which
// the first is the samples. Of float32 in C order it is read as it is wanted, and closed by
// the function given beside it; of other numbers it is read at once.
func OpenRows(path string) (neighbours.Source, func(), error) {
	nothing := func() {}
	f, err := os.Open(path)
	if err != nil {
		return nil, nothing, err
	}
	s, held, err := openRows(f)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	if err != nil || !held {
		f.Close()
		return s, nothing, err
	}
	return s, func() { f.Close() }, nil
}

func openRows(f *os.File) (s neighbours.Source, held bool, err error) {
	st, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if !st.Mode().IsRegular() {
		return nil, false, errors.New("it is no file")
	}
	b := make([]byte, min(st.Size(), npy.MaxHeader))
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil, false, err
	}
	h, err := npy.HeaderOf(b, int(st.Size()))
	if err != nil {
		return nil, false, err
	}
	if len(h.Shape) < 2 || h.Count == 0 {
		return nil, false, fmt.Errorf("an array of shape %v: a row of numbers for each sample is needed", h.Shape)
	}
	width := h.Count / h.Shape[0]
	if h.DType == tensor.Float32 && !h.Big && !h.Fortran {
		return neighbours.File{From: f, Offset: int64(h.Len), N: h.Shape[0], Width: width}, true, nil
	}
	x, err := numbers(f)
	if err != nil {
		return nil, false, err
	}
	m := neighbours.Matrix{X: make([]float32, len(x)), Width: width}
	for i, v := range x {
		m.X[i] = float32(v)
	}
	return m, false, nil
}

// numbers are those of a whole .npy file.
func numbers(f *os.File) ([]float64, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, math.MaxInt64))
	if err != nil {
		return nil, err
	}
	t, err := npy.Decode(b)
	if err != nil {
		return nil, err
	}
	return t.Float64s()
}

// ReadProbabilities reads those of a .npy file, n x classes.
func ReadProbabilities(path string) (p []float64, classes int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	s, _, err := openRows(f)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	if p, err = numbers(f); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	return p, s.Dim(), nil
}
