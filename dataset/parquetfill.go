package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go/format"
)

// errChanged says that a file is not what it was when it was looked at.
var errChanged = errors.New("its values are not those that it had, or said that it has, when it was opened")

// columnRoom is room in a field for rows of a column, one after another: floats or ints, and
// perhaps a mask of the entries of the outermost list.
type columnRoom struct {
	filling
	shape  []int
	floats []float32
	ints   []int32
	mask   []int32

	rows  []float32 // or numbers that lie so far apart
	width int
}

// part is the room for the rows from lo to hi.
func (f *columnRoom) part(lo, hi int) columnRoom {
	g, n := *f, size(f.shape)
	if f.rows != nil {
		g.rows = f.rows[lo*f.width:]
		return g
	}
	if f.floats != nil {
		g.floats = f.floats[lo*n : hi*n]
	} else {
		g.ints = f.ints[lo*n : hi*n]
	}
	if f.mask != nil {
		g.mask = f.mask[lo*f.shape[0] : hi*f.shape[0]]
	}
	return g
}

// columnReader reads rows of a column of a row group into a field, many values at a time.
type columnReader struct {
	rowColumn
	columnRoom
	cell   cell
	of     [1024]uint32 // entries of the dictionary
	some   [1024]float32
	reps   [1024]uint8
	levels [1024]uint8
}

// simple says that values are what they are stored as.
func (l *leafColumn) simple() bool {
	switch kind := l.Node.Type().Kind(); t := l.kind.(type) {
	case nil:
		k := format.Type(kind)
		return k == format.Int32 || k == format.Int64 || k == format.Float || k == format.Double
	case *format.IntType:
		return t.IsSigned || t.BitWidth < 32
	}
	return false
}

// unsigned says that values are not negative.
func (l *leafColumn) unsigned() bool {
	t, ok := l.kind.(*format.IntType)
	return ok && !t.IsSigned
}

// fill reads n rows from one on, of the columns that are wanted by name.
func (r *parquetRows) fill(from, n int, want map[string]*columnRoom) error {
	f, err := r.source.stamp.open()
	if err != nil {
		return err
	}
	defer f.Close()
	room, _ := r.rooms.Get().(*columnReader)
	if room == nil {
		room = &columnReader{rowColumn: rowColumn{column: &column{room: &pageRoom{}}}}
	}
	defer r.rooms.Put(room)
	begin := 0
	for k := range r.groups {
		end := begin + int(r.groups[k].NumRows)
		lo, hi := max(from, begin), min(from+n, end)
		for _, l := range r.leaves {
			if to := want[l.name]; to != nil && lo < hi {
				if err := r.fillColumn(f, room, k, l, lo-begin, hi-begin, to.part(lo-from, hi-from)); err != nil {
					return fmt.Errorf("column %q: %w", l.name, err)
				}
			}
		}
		begin = end
	}
	return r.source.stamp.same(f)
}

// fillColumn reads the rows from lo to hi of a column of a row group.
func (r *parquetRows) fillColumn(f io.ReaderAt, room *columnReader, group int, l *leafColumn, lo, hi int, to columnRoom) error {
	p, err := r.open(f, group, l)
	if err != nil {
		return err
	}
	p.room, p.raw = room.room, l.simple()
	room.rowColumn, room.columnRoom = rowColumn{column: p, leaf: l}, to
	if lo > 0 {
		if _, err := p.seek(r.pages[[2]int{group, l.ColumnIndex}], lo); err != nil {
			return err
		}
	}
	if p.repeats > 0 {
		return room.lists(lo, hi)
	}
	return room.flat(lo, hi)
}

// next reads a page, unless it is one of rows before one, each of which has a value.
func (c *columnReader) next(row int) error {
	h, err := c.header()
	switch {
	case err != nil:
		return err
	case h.kind == 2 && c.raw:
		c.dictAt = &h
		return nil
	case h.data() && c.repeats == 0 && c.column.rows+int(h.values) <= row:
		c.column.rows += int(h.values)
		return nil
	}
	return c.body(&h)
}

// flat reads rows that have a value each.
func (c *columnReader) flat(lo, hi int) error {
	for row := lo; row < hi; {
		if c.left == 0 {
			if err := c.next(row); err != nil {
				return err
			}
			continue
		}
		before := c.column.rows < row
		n := min(c.left, hi-row, len(c.levels))
		if before {
			n = min(n, row-c.column.rows)
		}
		if c.present != nil {
			some := c.levels[:n]
			if err := fill(c.present, some); err != nil {
				return err
			}
			if bytes.Count(some, []byte{uint8(c.column.levels)}) < n {
				return errChanged
			}
		}
		var err error
		if before {
			err = c.skip(n)
		} else if c.columnRoom.rows != nil {
			c.floats = c.some[:]
			err = c.numbers(0, n)
			for i, v := range c.some[:n] {
				c.columnRoom.rows[(row-lo+i)*c.columnRoom.width] = v
			}
			row += n
		} else {
			err = c.numbers(row-lo, n)
			row += n
		}
		if err != nil {
			return err
		}
		c.left -= n
		c.column.rows += n
	}
	return nil
}

// lists reads rows that are lists, by the levels of their entries.
func (c *columnReader) lists(lo, hi int) error {
	n, each := 0, size(c.shape)
	err := c.eachList(func(row int, begins, list bool, values int) error {
		if begins {
			if err := c.finish(row-1-lo, n); err != nil {
				return err
			}
			if n = 0; row == hi {
				return errEnough
			}
		}
		if !list {
			return errChanged
		}
		keep := 0
		if row >= lo {
			keep = max(0, min(values, each-n))
			if err := c.numbers((row-lo)*each+n, keep); err != nil {
				return err
			}
		}
		n += values
		return c.skip(values - keep)
	})
	switch {
	case errors.Is(err, errEnough):
		return nil
	case err != nil:
		return err
	case c.column.rows != hi:
		return errors.New("damaged: fewer values than rows")
	}
	return c.finish(hi-1-lo, n)
}

// eachList calls do for runs of entries of a row, the values of which are next; no list:
// the row lacks one.
func (c *columnReader) eachList(do func(row int, begins, list bool, values int) error) error {
	full, inside := uint8(c.column.levels), uint8(c.leaf.inside[len(c.leaf.inside)-1])
	for at := false; ; {
		if c.left == 0 {
			if c.at >= c.end {
				return nil
			}
			if err := c.next(0); err != nil {
				return err
			}
			continue
		}
		k := min(c.left, len(c.reps))
		reps, levels := c.reps[:k], c.levels[:k]
		if err := fill(c.repeat, reps); err != nil {
			return err
		}
		if err := fill(c.present, levels); err != nil {
			return err
		}
		if reps[0] == 0 {
			c.note()
		}
		c.begun = true
		for i := 0; i < k; {
			j := k
			if next := bytes.IndexByte(reps[i+1:], 0); next >= 0 {
				j = i + 1 + next
			}
			begins := reps[i] == 0
			if begins {
				c.column.rows++
				at = true
			}
			some := levels[i:j]
			values := bytes.Count(some, []byte{full})
			if values < len(some) {
				for _, l := range some {
					if l > full || l != full && l >= inside {
						return errLevels
					}
				}
			}
			if !at {
				return errPage
			}
			if err := do(c.column.rows-1, begins, some[0]+1 >= uint8(c.leaf.inside[0]), values); err != nil {
				return err
			}
			i = j
		}
		c.left -= k
	}
}

// errLevels says that a list lacks values.
var errLevels = errors.New("a list lacks values")

// finish fills up the list of a row, of which n values have been read.
func (c *columnReader) finish(row, n int) error {
	each := size(c.shape)
	if row < 0 {
		return nil
	}
	if n = min(n, each); n < each && math.IsNaN(c.pad) {
		return errChanged
	}
	for i := n; i < each; i++ {
		if c.ints != nil {
			c.ints[row*each+i] = int32(c.pad)
		} else {
			c.floats[row*each+i] = float32(c.pad)
		}
	}
	if c.mask != nil {
		entries := c.shape[0]
		there := n / (each / entries)
		for i := range entries {
			c.mask[row*entries+i] = int32(min(1, max(0, there-i)))
		}
	}
	return nil
}
