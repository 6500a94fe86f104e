package dataset

import (
	"errors"
	"math"
	"math/big"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go/format"
	"github.com/x448/float16"
)

// rowColumn reads what each row has in a column, by the levels of its entries
// (Melnik et al. 2010, "Dremel: Interactive Analysis of Web-Scale Datasets", 4).
type rowColumn struct {
	*column
	leaf  *leafColumn
	cells *cells

	ahead    bool // an entry is read that belongs to the next row
	rep, def int
	datum    datum
	counts   [mostAxes]int
}

// peek reads the next entry; false: there is none.
func (c *rowColumn) peek() (bool, error) {
	for !c.ahead {
		for c.left == 0 {
			if c.at >= c.end {
				return false, nil
			}
			if err := c.page(); err != nil {
				return false, err
			}
		}
		var err error
		if c.rep, c.def, c.datum, err = c.entry(); err != nil {
			return false, err
		}
		c.ahead = true
	}
	return true, nil
}

// row reads a row's entries into the cell.
func (c *rowColumn) row() error {
	v := &c.cells.cell
	ok, err := c.peek()
	if err != nil {
		return err
	}
	if !ok || c.rep != 0 {
		return errors.New("damaged: fewer values than rows")
	}
	lists := c.leaf.inside
	if len(lists) == 0 {
		c.ahead = false
		if c.def == c.levels {
			c.value(v)
		}
		return nil
	}
	if c.def < lists[0]-1 { // no list
		c.ahead = false
		return nil
	}
	c.start(0)
	for first := true; ; first = false {
		if ok, err = c.peek(); err != nil {
			return err
		}
		if !ok || !first && c.rep == 0 {
			break
		}
		c.ahead = false
		if !first {
			if c.rep > len(lists) {
				return errPage
			}
			c.finish(v, c.rep)
			c.counts[c.rep-1]++
			c.start(c.rep)
		}
		switch {
		case c.def == c.levels:
			c.value(v)
		case c.def >= lists[len(lists)-1]:
			v.hole = true
		}
	}
	c.finish(v, 0)
	return nil
}

// start counts what is in the lists from a depth that an entry begins.
func (c *rowColumn) start(depth int) {
	for k := depth; k < len(c.leaf.inside); k++ {
		c.counts[k] = 0
		if c.def >= c.leaf.inside[k] {
			c.counts[k] = 1
		}
	}
}

// finish says how long the lists from a depth have become.
func (c *rowColumn) finish(v *cell, depth int) {
	for k := len(c.leaf.inside) - 1; k >= depth; k-- {
		if k > 0 && c.counts[k-1] == 0 {
			continue
		}
		if err := v.count(k, c.counts[k]); err != nil {
			v.odd = err.Error()
		}
	}
}

// value takes the value of an entry by its type.
func (c *rowColumn) value(v *cell) {
	d := c.datum
	switch t := c.leaf.kind.(type) {
	case *format.DecimalType:
		scaled := float64(d.int)
		if d.bytes != nil {
			scaled = twos(d.bytes)
		}
		v.num(scaled / math.Pow10(int(t.Scale)))
		return
	case *format.IntType:
		if !t.IsSigned && c.kind == format.Int32 {
			d.int = int64(uint32(d.int))
		} else if !t.IsSigned && d.int < 0 {
			v.num(float64(uint64(d.int)))
			return
		}
	case *format.Float16Type:
		if len(d.bytes) == 2 {
			v.num(float64(float16.Frombits(uint16(d.bytes[0]) | uint16(d.bytes[1])<<8).Float32()))
			return
		}
	case *format.DateType, *format.TimeType, *format.TimestampType:
		v.odd = "dates or times"
		return
	}
	switch c.kind {
	case format.Float, format.Double:
		v.num(d.num)
	case format.Int32, format.Int64, format.Boolean:
		v.int(d.int)
	case format.ByteArray:
		if !utf8.Valid(d.bytes) {
			v.odd = "bytes that are no text"
			return
		}
		v.kind, v.text = texts, append(v.text[:0], d.bytes...)
	default:
		v.odd = "bytes of a fixed number"
	}
}

// twos is a big-endian number in two's complement.
func twos(b []byte) float64 {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}
