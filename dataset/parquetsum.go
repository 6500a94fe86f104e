package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go/format"
)

// sum learns what the records of a file have in common from what the file says of its
// columns, so that only the values of classes, and of what it does not say enough of, are
// read; of lists it reads how long they are. False: all records must be read, as their
// texts become tokens, or they are few.
func (r *parquetRows) sum(t *table, done int) (rows int, ok bool, err error) {
	if !r.many || t.o.token != nil || t.o.beside > 0 {
		return 0, false, nil
	}
	rows = r.marks.ends[len(r.marks.ends)-1]
	f, err := r.source.stamp.open()
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	room := &columnReader{rowColumn: rowColumn{column: &column{room: &pageRoom{}}}}
	for _, l := range r.leaves {
		c, err := t.column(l.name)
		if err != nil {
			return 0, false, err
		}
		if c == nil {
			continue
		}
		t.absent(c, done)
		begin := 0
		for k := range r.groups {
			n := int(r.groups[k].NumRows)
			if n == 0 {
				continue
			}
			if err := r.sumColumn(f, room, t, k, l, c, begin); err != nil {
				return 0, false, fmt.Errorf("column %q: %w", l.name, err)
			}
			c.count = done + begin + n
			begin += n
		}
	}
	r.marks.records, r.summed = rows, true
	for _, c := range t.cols {
		t.absent(c, done+rows)
	}
	return rows, true, r.source.stamp.same(f)
}

// values are how many values the columns have that are wanted.
func (r *parquetRows) values(o *recordOptions) (n int64) {
	for k := range r.groups {
		for _, l := range r.leaves {
			if l.ColumnIndex < len(r.groups[k].Columns) && o.wants(l.name) {
				n += max(0, min(r.groups[k].Columns[l.ColumnIndex].MetaData.NumValues, math.MaxInt32))
			}
		}
	}
	return n
}

// sumColumn learns about a column of a row group, whose first row is one of the file's.
func (r *parquetRows) sumColumn(f io.ReaderAt, room *columnReader, t *table, group int, l *leafColumn, c *cells, first int) error {
	if c.odd != "" {
		return nil
	}
	p, err := r.open(f, group, l)
	if err != nil {
		c.odd = err.Error()
		return nil
	}
	n := int(r.groups[group].NumRows)
	whole := t.isClass(c.name) && l.MaxRepetitionLevel == 0
	if l.simple() && !whole && p.repeats <= 1 {
		some, ok := l.extremes(&r.groups[group].Columns[l.ColumnIndex].MetaData)
		if ok && p.repeats == 0 {
			if err := p.hop(n); err != nil {
				return err
			}
			return c.lookAt(fmt.Sprintf("row %d", first), &some)
		}
		if ok {
			p.room, p.lengths = room.room, true
			room.rowColumn = rowColumn{column: p, leaf: l}
			least, longest, err := room.lengthsOf(n)
			if err == nil {
				for _, k := range []int{least, longest} {
					one := some
					if one.shape = []int{k}; k == 0 {
						one = cell{shape: one.shape}
					}
					if err := c.lookAt(fmt.Sprintf("row %d", first), &one); err != nil {
						return err
					}
				}
				return nil
			}
			if !errors.Is(err, errLevels) {
				return err
			}
		}
		delete(r.pages, [2]int{group, l.ColumnIndex})
		if p, err = r.open(f, group, l); err != nil {
			return err
		}
	}
	if _, number := l.kind.(*format.DecimalType); p.kind == format.ByteArray && !number && !whole {
		n = min(n, 100) // texts, which are left out
	}
	col := &rowColumn{column: p, leaf: l, cells: c}
	for row := first; row < first+n && c.odd == ""; row++ {
		if err := col.row(); err != nil {
			return fmt.Errorf("row %d: %w", row, err)
		}
		if err := c.look(fmt.Sprintf("row %d", row)); err != nil {
			return err
		}
		c.cell.reset()
	}
	return nil
}

// lookAt learns from a cell that stands for others.
func (c *cells) lookAt(at string, v *cell) error {
	kept := c.cell
	c.cell = *v
	err := c.look(at)
	c.cell = kept
	return err
}

// extremes are the least and the largest value of a column of a row group, as the file
// has them, where these are enough: none is missing, and all are numbers of 32 bits.
func (l *leafColumn) extremes(m *format.ColumnMetaData) (cell, bool) {
	c, s := cell{}, &m.Statistics
	lo, hi := s.MinValue, s.MaxValue
	switch k := m.Type; {
	case l.MaxRepetitionLevel == 0 && l.MaxDefinitionLevel > 0 && (s.NullCount != 0 || lo == nil):
		return c, false
	case k == format.Float || k == format.Double:
		c.num(0)
		return c, true
	case k == format.Int32 && len(lo) == 4 && len(hi) == 4:
		c.int(int64(int32(binary.LittleEndian.Uint32(lo))))
		c.int(int64(int32(binary.LittleEndian.Uint32(hi))))
	case k == format.Int64 && len(lo) == 8 && len(hi) == 8:
		c.int(int64(binary.LittleEndian.Uint64(lo)))
		c.int(int64(binary.LittleEndian.Uint64(hi)))
	default:
		return c, false
	}
	return c, c.whole[0] <= c.whole[1] && c.whole[0] >= -1<<24 && c.whole[1] <= 1<<24
}

// hop notes the pages of a column whose n rows have a value each.
func (c *column) hop(n int) error {
	for c.rows < n {
		h, err := c.header()
		if err != nil {
			return err
		}
		if h.data() {
			c.pageAt, c.begun = h.at, false
			c.note()
			c.rows += int(h.values)
			c.pages.rows = max(c.pages.rows, int(h.values))
		}
	}
	if c.rows > n {
		return errPage
	}
	return nil
}

// lengthsOf finds how long the lists of n rows are.
func (c *columnReader) lengthsOf(n int) (least, longest int, err error) {
	least = math.MaxInt
	rows, length := 0, 0
	end := func() {
		if rows > 0 {
			least, longest = min(least, length), max(longest, length)
		}
	}
	page, began := int64(-1), 0
	err = c.eachList(func(row int, begins, list bool, values int) error {
		if begins {
			end()
			rows, length = rows+1, 0
		}
		if !list {
			return errLevels
		}
		if p := c.pages; p != nil && c.pageAt != page {
			p.rows = max(p.rows, row-began)
			page, began = c.pageAt, row
		}
		length += values
		return nil
	})
	end()
	if p := c.pages; p != nil {
		p.rows = max(p.rows, rows-began)
	}
	if err == nil && rows != n {
		err = errors.New("damaged: fewer values than rows, or more")
	}
	return least, longest, err
}
