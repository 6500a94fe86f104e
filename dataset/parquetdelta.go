package dataset

import (
	"encoding/binary"
	"errors"
)

// delta reads numbers as differences packed in blocks
// (DELTA_BINARY_PACKED).
type delta struct {
	b          []byte
	count      int // numbers that are left
	value, min int64
	per, minis int // numbers of a small block, small blocks of a block
	widths     []byte
	mini, at   int // the small block, and the number in it
	first      bool
}

var errDelta = errors.New("damaged: packed differences are cut short or not possible")

func (d *delta) varint() (int64, error) {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		return 0, errDelta
	}
	d.b = d.b[n:]
	return int64(v>>1) ^ -int64(v&1), nil
}

// newDelta reads the header of a run of at most most numbers.
func newDelta(b []byte, most int) (*delta, error) {
	d := &delta{b: b, first: true}
	var h [3]int
	for i := range h {
		v, n := binary.Uvarint(d.b)
		if n <= 0 || v > 1<<31 {
			return nil, errDelta
		}
		h[i], d.b = int(v), d.b[n:]
	}
	var err error
	if d.value, err = d.varint(); err != nil {
		return nil, err
	}
	d.minis, d.count = h[1], h[2]
	if d.minis == 0 || h[0] == 0 || h[0] > 1<<20 || h[0]%d.minis != 0 || h[0]/d.minis%8 != 0 || d.count > most {
		return nil, errDelta
	}
	d.per = h[0] / d.minis
	d.mini, d.at = d.minis, 0
	return d, nil
}

// next is the next number.
func (d *delta) next() (int64, error) {
	if d.count == 0 {
		return 0, errDelta
	}
	d.count--
	if d.first {
		d.first = false
		return d.value, nil
	}
	if d.mini == d.minis { // a block
		var err error
		if d.min, err = d.varint(); err != nil {
			return 0, err
		}
		if len(d.b) < d.minis {
			return 0, errDelta
		}
		d.widths, d.b, d.mini, d.at = d.b[:d.minis], d.b[d.minis:], 0, 0
	}
	w := int(d.widths[d.mini])
	if w > 64 || len(d.b) < w*d.per/8 {
		return 0, errDelta
	}
	u := uint64(0)
	for i := range w {
		k := d.at*w + i
		u |= uint64(d.b[k/8]>>(k%8)&1) << i
	}
	d.value += d.min + int64(u)
	if d.at++; d.at == d.per {
		d.b, d.at = d.b[w*d.per/8:], 0
		d.mini++
	}
	return d.value, nil
}

// rest is what follows the numbers, all of which are read.
func (d *delta) rest() ([]byte, error) {
	for d.count > 0 {
		if _, err := d.next(); err != nil {
			return nil, err
		}
	}
	if d.at > 0 { // the last small block is there whole
		d.b = d.b[int(d.widths[d.mini])*d.per/8:]
	}
	return d.b, nil
}
