package dataset

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go/format"
)

// numbers reads the next n values.
func (c *columnReader) numbers(at, n int) error {
	switch {
	case n == 0:
		return nil
	case !c.raw:
		for i := range n {
			var err error
			if c.datum, err = c.column.value(); err != nil {
				return err
			}
			c.cell.reset()
			c.rowColumn.value(&c.cell)
			if len(c.cell.nums) != 1 {
				return errChanged
			}
			switch {
			case c.ints == nil && c.cell.float:
				c.floats[at+i] = float32(c.cell.nums[0])
			case c.cell.float:
				return errChanged
			default:
				if err := c.put(at+i, c.cell.whole[0]); err != nil {
					return err
				}
			}
		}
		return nil
	case c.delta != nil:
		for i := range n {
			v, err := c.delta.next()
			if err == nil {
				err = c.put(at+i, v)
			}
			if err != nil {
				return err
			}
		}
		return nil
	case c.index == nil:
		if len(c.plain) < n*c.column.width {
			return errPage
		}
		b := c.plain[:n*c.column.width]
		c.plain = c.plain[len(b):]
		return c.decode(at, b)
	}
	entries := len(c.dictRaw) / c.column.width
	for n > 0 {
		of := c.of[:min(n, len(c.of))]
		if err := fill(c.index, of); err != nil {
			return err
		}
		if k := slices.Max(of); int(k) >= entries {
			return fmt.Errorf("damaged: entry %d of a dictionary of %d", k, entries)
		}
		if le, b := binary.LittleEndian, c.dictRaw; c.kind == format.Float && c.floats != nil {
			for i, k := range of {
				c.floats[at+i] = math.Float32frombits(le.Uint32(b[4*k:]))
			}
		} else {
			for i, k := range of {
				if err := c.decode(at+i, b[int(k)*c.column.width:(int(k)+1)*c.column.width]); err != nil {
					return err
				}
			}
		}
		at, n = at+len(of), n-len(of)
	}
	return nil
}

// decode takes values in the plain encoding.
func (c *columnReader) decode(at int, b []byte) error {
	le := binary.LittleEndian
	if c.floats == nil && (c.kind == format.Float || c.kind == format.Double) {
		return errChanged
	}
	switch c.kind {
	case format.Float:
		to := c.floats[at : at+len(b)/4]
		for i := range to {
			to[i] = math.Float32frombits(le.Uint32(b[4*i:]))
		}
	case format.Double:
		to := c.floats[at : at+len(b)/8]
		for i := range to {
			to[i] = float32(math.Float64frombits(le.Uint64(b[8*i:])))
		}
	case format.Int32:
		for i := range len(b) / 4 {
			if err := c.put(at+i, int64(int32(le.Uint32(b[4*i:])))); err != nil {
				return err
			}
		}
	default:
		for i := range len(b) / 8 {
			if err := c.put(at+i, int64(le.Uint64(b[8*i:]))); err != nil {
				return err
			}
		}
	}
	return nil
}

// put takes a whole number.
func (c *columnReader) put(at int, v int64) error {
	switch {
	case c.ints == nil:
		c.floats[at] = float32(v)
		if int64(c.floats[at]) != v {
			return errChanged
		}
	case v != int64(int32(v)) || v < 0 && c.leaf.unsigned():
		return errChanged
	default:
		c.ints[at] = int32(v)
	}
	return nil
}

// skip leaves out the next n values.
func (c *columnReader) skip(n int) error {
	switch {
	case n == 0 || c.column.lengths:
	case c.raw && c.index != nil:
		return c.index.skip(n)
	case c.raw && c.delta == nil:
		if len(c.plain) < n*c.column.width {
			return errPage
		}
		c.plain = c.plain[n*c.column.width:]
	default:
		for range n {
			if _, err := c.column.value(); err != nil {
				return err
			}
		}
	}
	return nil
}
