package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"sort"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// datum is a value of a column: bytes, a whole number, or a number.
type datum struct {
	bytes []byte
	int   int64
	num   float64
}

// column reads the values of one column of a row group
// (https://parquet.apache.org/docs/file-format/data-pages/).
type column struct {
	f       io.ReaderAt
	name    string
	at, end int64 // of the pages that are left
	codec   format.CompressionCodec
	kind    format.Type
	width   int // bytes of a value, where all have as many
	levels  int // above 0 where a value may be missing
	repeats int // lists in each other

	dict    []datum
	repeat  *hybrid // how deep in lists each value of the page begins, nil where there are none
	present *hybrid // levels of the page, nil where all are there
	plain   []byte  // values of the page, one after another
	index   *hybrid // or their numbers in the dictionary
	delta   *delta  // or their differences, or the lengths of what plain holds
	bits    int     // of the first byte of what is plain that are read, where values are bits
	most    int     // values of a page: of the group
	left    int     // values of the page

	room    *pageRoom // nil: each page has its own
	raw     bool      // the dictionary is kept as bytes, and only read where a page needs it:
	dictAt  *pageHead // from here
	dictRaw []byte
	lengths bool // only levels are read

	rows   int    // begun so far, of the group
	pageAt int64  // where the page begins,
	begun  bool   // and whether any of its values has been read
	pages  *pages // where pages begin; nil: that is not noted
}

// pages are places in a column of a row group from which its rows can be read: pages
// that begin with a row of their own, so many bytes apart that they take little memory.
type pages struct {
	every int64
	dict  int64      // where the page of the dictionary begins; 0: there is none
	of    [][2]int64 // where a page begins, and its first row
	most  int64      // bytes of a page, packed and unpacked
	rows  int        // of a page, at most; 0: not known

	dictBytes int64 // packed and unpacked
}

// seek has the column go on where a page begins, of those that have been noted, so many
// rows before one of the group.
func (c *column) seek(p *pages, row int) (before int, err error) {
	if p == nil || len(p.of) == 0 {
		return row, nil
	}
	if p.dict > 0 {
		c.at = p.dict
		h, err := c.header()
		if c.dictAt = &h; err == nil && !c.raw {
			err = c.body(&h)
		}
		if err != nil {
			return 0, err
		}
	}
	k := sort.Search(len(p.of), func(k int) bool { return p.of[k][1] > int64(row) })
	at := p.of[max(0, k-1)]
	c.at, c.left, c.rows = at[0], 0, int(at[1])
	return row - c.rows, nil
}

// note notes a page that begins with a row.
func (c *column) note() {
	if p := c.pages; p != nil && !c.begun && (len(p.of) == 0 || c.pageAt-p.of[len(p.of)-1][0] >= p.every) {
		p.of = append(p.of, [2]int64{c.pageAt, int64(c.rows)})
	}
}

// kept are the types of values that are read.
var kept = map[format.Type]int{format.Boolean: 0, format.Int32: 4, format.Int64: 8, format.Float: 4, format.Double: 8, format.ByteArray: 4, format.FixedLenByteArray: 0}

func openColumn(f io.ReaderAt, size int64, g *format.RowGroup, leaf *parquet.LeafColumn) (*column, error) {
	if leaf.ColumnIndex >= len(g.Columns) {
		return nil, errors.New("damaged: a row group lacks a column")
	}
	m := &g.Columns[leaf.ColumnIndex].MetaData
	if len(m.PathInSchema) == 0 {
		return nil, errors.New("damaged: a column has no name")
	}
	width, known := kept[m.Type]
	if m.Type == format.FixedLenByteArray {
		width = leaf.Node.Type().Length()
		known = width > 0 && width <= 1<<10
	}
	c := &column{f: f, name: m.PathInSchema[len(m.PathInSchema)-1], at: m.DataPageOffset, codec: m.Codec, kind: m.Type, width: width,
		levels: leaf.MaxDefinitionLevel, repeats: leaf.MaxRepetitionLevel, most: int(g.NumRows)}
	if d := m.DictionaryPageOffset; d > 0 && d < c.at {
		c.at = d
	}
	c.end = c.at + m.TotalCompressedSize
	switch {
	case leaf.MaxRepetitionLevel > mostAxes || leaf.MaxDefinitionLevel > 4*mostAxes:
		return nil, fmt.Errorf("column %s holds lists in lists, more than %d deep", c.name, mostAxes)
	case !known:
		return nil, fmt.Errorf("column %s holds values of type %v", c.name, c.kind)
	case c.at < 4 || c.end < c.at || c.end > size:
		return nil, fmt.Errorf("damaged: column %s lies at bytes %d to %d of %d", c.name, c.at, c.end, size)
	}
	if c.repeats > 0 {
		c.most = int(min(m.NumValues, mostValues(size)))
	}
	return c, nil
}

// mostValues bounds the values of a file: a few bytes can stand for billions.
func mostValues(size int64) int64 { return 1<<24 + 64*size }

// next is the next row's value, where a column has one for each.
func (c *column) next() (datum, error) {
	for c.left == 0 {
		if err := c.page(); err != nil {
			return datum{}, fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	_, def, v, err := c.entry()
	if err == nil && def != c.levels {
		err = errors.New("a row has no value")
	}
	if err != nil {
		err = fmt.Errorf("column %s: %w", c.name, err)
	}
	return v, err
}

// entry is the next of the page: how deep in lists it begins, how much of what is
// around it is there, and, where all of it is, the value.
func (c *column) entry() (rep, def int, v datum, err error) {
	c.left--
	if c.repeat != nil {
		l, err := c.repeat.next()
		if rep = int(l); err != nil || rep > c.repeats {
			return 0, 0, v, errPage
		}
	}
	if rep == 0 {
		c.note()
		c.rows++
	}
	c.begun = true
	if def = c.levels; c.present != nil {
		l, err := c.present.next()
		if def = int(l); err != nil || def > c.levels {
			return 0, 0, v, errPage
		}
	}
	if def == c.levels {
		v, err = c.value()
	}
	return rep, def, v, err
}

func (c *column) value() (datum, error) {
	if c.delta != nil {
		return c.differ()
	}
	if c.index == nil {
		return c.take()
	}
	i, err := c.index.next()
	if err != nil {
		return datum{}, err
	}
	if int(i) >= len(c.dict) {
		return datum{}, fmt.Errorf("damaged: entry %d of a dictionary of %d", i, len(c.dict))
	}
	return c.dict[i], nil
}

// differ reads a value whose number, or length, is a difference.
func (c *column) differ() (datum, error) {
	v, err := c.delta.next()
	if err != nil || c.kind != format.ByteArray {
		return datum{int: v, num: float64(v)}, err
	}
	if v < 0 || v > int64(len(c.plain)) {
		return datum{}, errPage
	}
	b := c.plain[:v:v]
	c.plain = c.plain[v:]
	return datum{bytes: b}, nil
}

// take reads a value in the plain encoding.
func (c *column) take() (datum, error) {
	le := binary.LittleEndian
	if len(c.plain) < max(1, c.width) {
		return datum{}, errPage
	}
	if c.kind == format.Boolean {
		v := int64(c.plain[0] >> c.bits & 1)
		if c.bits++; c.bits == 8 {
			c.bits, c.plain = 0, c.plain[1:]
		}
		return datum{int: v, num: float64(v)}, nil
	}
	head := c.plain[:c.width:c.width]
	c.plain = c.plain[c.width:]
	switch c.kind {
	case format.Int32:
		v := int64(int32(le.Uint32(head)))
		return datum{int: v, num: float64(v)}, nil
	case format.Int64:
		v := int64(le.Uint64(head))
		return datum{int: v, num: float64(v)}, nil
	case format.Float:
		return datum{num: float64(math.Float32frombits(le.Uint32(head)))}, nil
	case format.Double:
		return datum{num: math.Float64frombits(le.Uint64(head))}, nil
	case format.FixedLenByteArray:
		return datum{bytes: head}, nil
	}
	k := int(le.Uint32(head))
	if k > len(c.plain) {
		return datum{}, errPage
	}
	b := c.plain[:k:k]
	c.plain = c.plain[k:]
	return datum{bytes: b}, nil
}

var errPage = errors.New("damaged: a page is cut short")

const (
	encPlain     = 0
	encPlainDict = 2
	encRLE       = 3
	encDelta     = 5
	encDeltaLen  = 6
	encRLEDict   = 8
)

func (c *column) dictionary(b []byte, unpacked int, count, enc int64) error {
	var room *[]byte
	if c.room != nil {
		room = &c.room.dict
	}
	b, err := c.unpack(b, unpacked, room)
	if err != nil {
		return err
	}
	if enc != encPlain && enc != encPlainDict || count < 0 || count > int64(len(b)) {
		return fmt.Errorf("damaged: a dictionary of %d values in %d bytes, encoding %d", count, len(b), enc)
	}
	if c.dictRaw = nil; c.raw {
		if int(count)*c.width > len(b) {
			return errPage
		}
		c.dictRaw = b[:int(count)*c.width]
		return nil
	}
	c.plain, c.bits, c.index, c.present, c.repeat = b, 0, nil, nil, nil
	c.dict = nil
	for range count {
		v, err := c.take()
		if err != nil {
			return err
		}
		c.dict = append(c.dict, v)
	}
	return nil
}

// dataPage reads a page of version 1: levels and values packed together.
func (c *column) dataPage(b []byte, unpacked int, h *pageHead) error {
	b, err := c.unpack(b, unpacked, c.roomOfPage())
	if err != nil {
		return err
	}
	c.repeat, c.present = nil, nil
	if c.repeats > 0 {
		if c.repeat, b, err = runs(b, c.repeats, h.ints[[2]int{5, 4}]); err != nil {
			return err
		}
	}
	if c.levels > 0 {
		if c.present, b, err = runs(b, c.levels, h.ints[[2]int{5, 3}]); err != nil {
			return err
		}
	}
	return c.values(b, h.values, h.ints[[2]int{5, 2}])
}

// runs are numbers of at most most, after the number of their bytes.
func runs(b []byte, most int, enc int64) (*hybrid, []byte, error) {
	if len(b) < 4 || enc != encRLE {
		return nil, nil, fmt.Errorf("levels of a page in encoding %d, or cut short", enc)
	}
	n := int(binary.LittleEndian.Uint32(b))
	if b = b[4:]; n > len(b) {
		return nil, nil, errPage
	}
	return &hybrid{b: b[:n], width: bits.Len(uint(most))}, b[n:], nil
}

// dataPage2 reads a page of version 2: levels as they are, values packed.
func (c *column) dataPage2(b []byte, unpacked int, h *pageHead) error {
	rep, def := h.ints[[2]int{8, 6}], h.ints[[2]int{8, 5}]
	if rep < 0 || def < 0 || rep > int64(len(b)) || def > int64(len(b))-rep {
		return errPage
	}
	c.repeat, c.present = nil, nil
	if c.repeats > 0 {
		c.repeat = &hybrid{b: b[:rep], width: bits.Len(uint(c.repeats))}
	}
	if c.levels > 0 {
		c.present = &hybrid{b: b[rep : rep+def], width: bits.Len(uint(c.levels))}
	}
	if c.lengths {
		return c.values(nil, h.values, encPlain)
	}
	b, unpacked = b[rep+def:], unpacked-int(rep+def)
	if is, ok := h.ints[[2]int{8, 7}]; !ok || is == 1 {
		if unpacked < 0 {
			return errPage
		}
		var err error
		if b, err = c.unpack(b, unpacked, c.roomOfPage()); err != nil {
			return err
		}
	}
	return c.values(b, h.values, h.ints[[2]int{8, 4}])
}

// values starts reading a page's values.
func (c *column) values(b []byte, count, enc int64) error {
	c.left, c.plain, c.bits, c.index, c.delta = int(count), b, 0, nil, nil
	if c.lengths {
		return nil
	}
	switch enc {
	case encPlain:
		return nil
	case encPlainDict, encRLEDict:
		if c.raw && c.dictRaw == nil && c.dictAt != nil {
			if err := c.body(c.dictAt); err != nil {
				return err
			}
		}
		if len(b) == 0 {
			c.index = &hybrid{}
			return nil
		}
		if b[0] > 32 {
			return fmt.Errorf("damaged: numbers of %d bits", b[0])
		}
		c.index = &hybrid{b: b[1:], width: int(b[0])}
		return nil
	}
	var err error
	if enc == encRLE && c.kind == format.Boolean {
		c.index, _, err = runs(b, 1, encRLE)
		c.dict = []datum{{}, {int: 1, num: 1}}
		return err
	}
	if bytes := c.kind == format.ByteArray; enc == encDelta && (c.kind == format.Int32 || c.kind == format.Int64) || enc == encDeltaLen && bytes {
		if c.delta, err = newDelta(b, c.most); err != nil || !bytes {
			return err
		}
		lengths := *c.delta
		c.plain, err = lengths.rest()
		return err
	}
	return fmt.Errorf("values in encoding %v are not supported: write the file in plain or dictionary encoding", format.Encoding(enc))
}
