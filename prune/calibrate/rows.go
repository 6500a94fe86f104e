package calibrate

import (
	"errors"
	"fmt"
	"io"
	"os"

	"pare/tensor"
)

// Rows hold a value of a network for every batch of samples: in memory up to a bound, and
// beyond it in a temporary file, which is gone when they are closed or the process ends.
type Rows struct {
	memory int
	dir    string
	bytes  int      // in memory
	file   *os.File // nil: all are in memory
	end    int64    // of the file
	rows   []row
}

// row is the value for a batch: t where it is in memory, else its shape and where it lies.
type row struct {
	t     *tensor.Tensor
	shape []int
	at    int64
}

// NewRows begins rows of which memory bytes are held at most; a file for the others is
// made in dir.
func NewRows(memory int, dir string) *Rows { return &Rows{memory: memory, dir: dir} }

// Len is the number of batches.
func (r *Rows) Len() int { return len(r.rows) }

// Spilled is the number of bytes that lie in the file.
func (r *Rows) Spilled() int { return int(r.end) }

// Add appends the value for a further batch, float32, which is copied.
func (r *Rows) Add(t *tensor.Tensor) error {
	if t.DType != tensor.Float32 {
		return fmt.Errorf("activations are %v, where float32 is expected", t.DType)
	}
	if r.file == nil && r.bytes+t.Bytes() <= r.memory {
		r.bytes += t.Bytes()
		r.rows = append(r.rows, row{t: t.Clone()})
		return nil
	}
	if r.file == nil {
		var err error
		if r.file, err = os.CreateTemp(r.dir, ".activations"); err != nil {
			return err
		}
		os.Remove(r.file.Name()) //nolint:errcheck // where it is in use and stays, Close removes it
	}
	r.rows = append(r.rows, row{shape: append([]int{}, t.Shape...), at: r.end})
	r.end += int64(t.Bytes())
	return r.Put(len(r.rows)-1, t)
}

// Get gives the value for a batch, which must not be changed. It holds until Put.
func (r *Rows) Get(i int) (*tensor.Tensor, error) {
	x := r.rows[i]
	if x.t != nil {
		return x.t, nil
	}
	n, _ := tensor.Size(x.shape)
	return tensor.ReadRaw(io.NewSectionReader(r.file, x.at, 4*int64(n)), tensor.Float32, x.shape...)
}

// Put replaces the value for a batch by one of the same shape, which is copied.
func (r *Rows) Put(i int, t *tensor.Tensor) error {
	x := r.rows[i]
	if x.t != nil {
		return x.t.Copy(t)
	}
	if n, _ := tensor.Size(x.shape); n != t.Len() {
		return fmt.Errorf("activations of shape %v do not take the place of %v", t.Shape, x.shape)
	}
	return t.WriteRaw(io.NewOffsetWriter(r.file, x.at))
}

// Close removes the file.
func (r *Rows) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	if e := os.Remove(r.file.Name()); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	r.file = nil
	return err
}
