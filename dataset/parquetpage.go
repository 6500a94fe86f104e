package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// column reads the values of one column of a row group, one for each row
// (https://parquet.apache.org/docs/file-format/data-pages/).
type column struct {
	f       io.ReaderAt
	name    string
	at, end int64 // of the pages that are left
	codec   format.CompressionCodec
	kind    format.Type
	levels  int // 1 where a value may be missing

	dict struct {
		bytes [][]byte
		ints  []int64
	}
	present *hybrid // levels of the page, nil where all are there
	plain   []byte  // values of the page, one after another
	index   *hybrid // or their numbers in the dictionary
	delta   *delta  // or their differences, or the lengths of what plain holds
	most    int     // values of a page: rows of the group
	left    int     // values of the page
}

func openColumn(f io.ReaderAt, size int64, g *format.RowGroup, leaf *parquet.LeafColumn) (*column, error) {
	if leaf.ColumnIndex >= len(g.Columns) {
		return nil, errors.New("damaged: a row group lacks a column")
	}
	m := &g.Columns[leaf.ColumnIndex].MetaData
	c := &column{f: f, name: m.PathInSchema[len(m.PathInSchema)-1], at: m.DataPageOffset, codec: m.Codec, kind: m.Type, levels: leaf.MaxDefinitionLevel, most: int(g.NumRows)}
	if d := m.DictionaryPageOffset; d > 0 && d < c.at {
		c.at = d
	}
	c.end = c.at + m.TotalCompressedSize
	switch {
	case leaf.MaxRepetitionLevel > 0 || leaf.MaxDefinitionLevel > 8:
		return nil, fmt.Errorf("column %s holds lists", c.name)
	case c.kind != format.ByteArray && c.kind != format.Int32 && c.kind != format.Int64:
		return nil, fmt.Errorf("column %s holds values of type %v", c.name, c.kind)
	case c.at < 4 || c.end < c.at || c.end > size:
		return nil, fmt.Errorf("damaged: column %s lies at bytes %d to %d of %d", c.name, c.at, c.end, size)
	}
	return c, nil
}

// next is the next row's value: bytes or a whole number.
func (c *column) next() ([]byte, int64, error) {
	for c.left == 0 {
		if err := c.page(); err != nil {
			return nil, 0, fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	c.left--
	b, v, err := c.value()
	if err != nil {
		err = fmt.Errorf("column %s: %w", c.name, err)
	}
	return b, v, err
}

func (c *column) value() ([]byte, int64, error) {
	if c.present != nil {
		l, err := c.present.next()
		if err != nil {
			return nil, 0, err
		}
		if int(l) != c.levels {
			return nil, 0, errors.New("a row has no value")
		}
	}
	if c.delta != nil {
		return c.differ()
	}
	if c.index == nil {
		return c.take()
	}
	i, err := c.index.next()
	if err != nil {
		return nil, 0, err
	}
	if c.kind == format.ByteArray {
		if int(i) >= len(c.dict.bytes) {
			return nil, 0, fmt.Errorf("damaged: entry %d of a dictionary of %d", i, len(c.dict.bytes))
		}
		return c.dict.bytes[i], 0, nil
	}
	if int(i) >= len(c.dict.ints) {
		return nil, 0, fmt.Errorf("damaged: entry %d of a dictionary of %d", i, len(c.dict.ints))
	}
	return nil, c.dict.ints[i], nil
}

// differ reads a value whose number, or length, is a difference.
func (c *column) differ() ([]byte, int64, error) {
	v, err := c.delta.next()
	if err != nil || c.kind != format.ByteArray {
		return nil, v, err
	}
	if v < 0 || v > int64(len(c.plain)) {
		return nil, 0, errPage
	}
	b := c.plain[:v:v]
	c.plain = c.plain[v:]
	return b, 0, nil
}

// take reads a value in the plain encoding.
func (c *column) take() ([]byte, int64, error) {
	le := binary.LittleEndian
	n := map[format.Type]int{format.ByteArray: 4, format.Int32: 4, format.Int64: 8}[c.kind]
	if len(c.plain) < n {
		return nil, 0, errPage
	}
	head := c.plain[:n]
	c.plain = c.plain[n:]
	switch c.kind {
	case format.Int32:
		return nil, int64(int32(le.Uint32(head))), nil
	case format.Int64:
		return nil, int64(le.Uint64(head)), nil
	}
	k := int(le.Uint32(head))
	if k > len(c.plain) {
		return nil, 0, errPage
	}
	b := c.plain[:k:k]
	c.plain = c.plain[k:]
	return b, 0, nil
}

var errPage = errors.New("damaged: a page is cut short")

// page reads the next page.
func (c *column) page() error {
	head := make([]byte, min(c.end-c.at, 1<<16)) // statistics may hold whole values
	if len(head) == 0 {
		return errors.New("damaged: fewer values than rows")
	}
	if _, err := c.f.ReadAt(head, c.at); err != nil {
		return err
	}
	t := &thrift{b: head, ints: map[[2]int]int64{}}
	if err := t.walk(0, 0); err != nil {
		return err
	}
	kind, unpacked, packed := t.ints[[2]int{0, 1}], t.ints[[2]int{0, 2}], t.ints[[2]int{0, 3}]
	c.at += int64(len(head) - len(t.b))
	if packed < 0 || packed > c.end-c.at || unpacked < 0 || unpacked > mostKept(packed) {
		return fmt.Errorf("damaged: a page of %d bytes, %d once unpacked", packed, unpacked)
	}
	b := make([]byte, packed)
	if _, err := c.f.ReadAt(b, c.at); err != nil {
		return err
	}
	c.at += packed
	switch kind {
	case 0:
		return c.dataPage(b, int(unpacked), t.ints)
	case 2:
		return c.dictionary(b, int(unpacked), t.ints[[2]int{7, 1}], t.ints[[2]int{7, 2}])
	case 3:
		return c.dataPage2(b, int(unpacked), t.ints)
	}
	return nil // an index
}

const (
	encPlain     = 0
	encPlainDict = 2
	encRLE       = 3
	encDelta     = 5
	encDeltaLen  = 6
	encRLEDict   = 8
)

func (c *column) dictionary(b []byte, unpacked int, count, enc int64) error {
	b, err := c.unpack(b, unpacked)
	if err != nil {
		return err
	}
	if enc != encPlain && enc != encPlainDict || count < 0 || count > int64(len(b)) {
		return fmt.Errorf("damaged: a dictionary of %d values in %d bytes, encoding %d", count, len(b), enc)
	}
	c.plain, c.index, c.present = b, nil, nil
	c.dict.bytes, c.dict.ints = nil, nil
	for range count {
		b, v, err := c.take()
		if err != nil {
			return err
		}
		if c.kind == format.ByteArray {
			c.dict.bytes = append(c.dict.bytes, b)
		} else {
			c.dict.ints = append(c.dict.ints, v)
		}
	}
	return nil
}

// dataPage reads a page of version 1: levels and values packed together.
func (c *column) dataPage(b []byte, unpacked int, h map[[2]int]int64) error {
	b, err := c.unpack(b, unpacked)
	if err != nil {
		return err
	}
	c.present = nil
	if c.levels > 0 {
		if len(b) < 4 || h[[2]int{5, 3}] != encRLE {
			return fmt.Errorf("levels of a page in encoding %d, or cut short", h[[2]int{5, 3}])
		}
		n := int(binary.LittleEndian.Uint32(b))
		if b = b[4:]; n > len(b) {
			return errPage
		}
		c.present = &hybrid{b: b[:n], width: bits.Len(uint(c.levels))}
		b = b[n:]
	}
	return c.values(b, h[[2]int{5, 1}], h[[2]int{5, 2}])
}

// dataPage2 reads a page of version 2: levels as they are, values packed.
func (c *column) dataPage2(b []byte, unpacked int, h map[[2]int]int64) error {
	rep, def := h[[2]int{8, 6}], h[[2]int{8, 5}]
	if rep < 0 || def < 0 || rep > int64(len(b)) || def > int64(len(b))-rep {
		return errPage
	}
	c.present = nil
	if c.levels > 0 {
		c.present = &hybrid{b: b[rep : rep+def], width: bits.Len(uint(c.levels))}
	}
	b, unpacked = b[rep+def:], unpacked-int(rep+def)
	if is, ok := h[[2]int{8, 7}]; !ok || is == 1 {
		if unpacked < 0 {
			return errPage
		}
		var err error
		if b, err = c.unpack(b, unpacked); err != nil {
			return err
		}
	}
	return c.values(b, h[[2]int{8, 1}], h[[2]int{8, 4}])
}

// values starts reading a page's values.
func (c *column) values(b []byte, count, enc int64) error {
	if count < 0 || count > int64(c.most) {
		return fmt.Errorf("damaged: a page of %d values for %d rows", count, c.most)
	}
	c.left, c.plain, c.index, c.delta = int(count), b, nil, nil
	switch enc {
	case encPlain:
		return nil
	case encPlainDict, encRLEDict:
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
	if bytes := c.kind == format.ByteArray; enc == encDelta && !bytes || enc == encDeltaLen && bytes {
		if c.delta, err = newDelta(b, c.most); err != nil || !bytes {
			return err
		}
		lengths := *c.delta
		c.plain, err = lengths.rest()
		return err
	}
	return fmt.Errorf("values in encoding %v are not supported: write the file in plain or dictionary encoding", format.Encoding(enc))
}

// unpack gives a page's bytes, of which there must be the number given.
func (c *column) unpack(b []byte, size int) ([]byte, error) {
	var err error
	switch c.codec {
	case format.Uncompressed:
	case format.Snappy:
		if n, e := s2.DecodedLen(b); e != nil || n != size {
			return nil, fmt.Errorf("damaged: a page of %d bytes instead of %d", n, size)
		}
		b, err = s2.Decode(nil, b)
	case format.Gzip:
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
			b, err = exactly(z, size)
		}
	case format.Zstd:
		var z *zstd.Decoder
		if z, err = zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(16<<20)); err == nil {
			defer z.Close()
			b, err = exactly(z, size)
		}
	default:
		return nil, fmt.Errorf("pages packed by %v are not supported: write the file with snappy, gzip or zstd", c.codec)
	}
	if err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	if len(b) != size {
		return nil, fmt.Errorf("damaged: a page of %d bytes instead of %d", len(b), size)
	}
	return b, nil
}

// exactly reads size bytes, after which r must end.
func exactly(r io.Reader, size int) ([]byte, error) {
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	if n, err := r.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		return nil, errors.New("a page is longer than it says")
	}
	return b, nil
}

// hybrid reads numbers in the mixture of runs and packed bits.
type hybrid struct {
	b      []byte
	width  int // bits of a number
	left   int // numbers of the run
	value  uint32
	packed bool
	bit    int
}

func (h *hybrid) next() (uint32, error) {
	for h.left == 0 {
		v, n := binary.Uvarint(h.b)
		if n <= 0 || v>>1 > 1<<31 {
			return 0, errPage
		}
		h.b = h.b[n:]
		if h.packed = v&1 != 0; h.packed {
			groups := int(v >> 1)
			if groups*h.width > len(h.b) {
				return 0, errPage
			}
			h.left, h.bit = 8*groups, 0
			continue
		}
		k := (h.width + 7) / 8
		if k > len(h.b) {
			return 0, errPage
		}
		h.left, h.value = int(v>>1), 0
		for i, c := range h.b[:k] {
			h.value |= uint32(c) << (8 * i)
		}
		h.b = h.b[k:]
	}
	h.left--
	if h.packed {
		h.value = 0
		for i := range h.width {
			at := h.bit + i
			h.value |= uint32(h.b[at/8]>>(at%8)&1) << i
		}
		if h.bit += h.width; h.left == 0 {
			h.b = h.b[(h.bit+7)/8:]
		}
	}
	return h.value, nil
}
