package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Parquet's footer and page headers are structs in Thrift's compact protocol
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).

// thrift walks over a struct. It keeps the whole numbers of the struct and of
// the structs right inside it, and weighs what a reader would make of it.
type thrift struct {
	b    []byte
	ints map[[2]int]int64 // by the fields' numbers; the first is 0 for the struct's own
	cost int              // bytes of memory
}

var errThrift = errors.New("damaged: a header is cut short")

// maxThrift bounds how deep structs and lists are nested.
const maxThrift = 16

func (t *thrift) byte() (byte, error) {
	if len(t.b) == 0 {
		return 0, errThrift
	}
	c := t.b[0]
	t.b = t.b[1:]
	return c, nil
}

func (t *thrift) uvarint() (uint64, error) {
	v, n := binary.Uvarint(t.b)
	if n <= 0 {
		return 0, errThrift
	}
	t.b = t.b[n:]
	return v, nil
}

func (t *thrift) varint() (int64, error) {
	v, err := t.uvarint()
	return int64(v>>1) ^ -int64(v&1), err
}

func (t *thrift) skip(n uint64) error {
	if n > uint64(len(t.b)) {
		return errThrift
	}
	t.b = t.b[n:]
	return nil
}

// walk visits a struct; parent is the number of its field, 0 for the
// outermost, -1 where nothing is kept.
func (t *thrift) walk(parent, depth int) error {
	if depth > maxThrift {
		return errors.New("damaged: a header is nested too deep")
	}
	t.cost += 400
	field := 0
	for {
		c, err := t.byte()
		if err != nil {
			return err
		}
		if c == 0 {
			return nil
		}
		if d := int(c >> 4); d > 0 {
			field += d
		} else {
			v, err := t.varint()
			if err != nil {
				return err
			}
			if field = int(v); v < 0 || v > 1<<15 {
				return errThrift
			}
		}
		if err := t.value(c&15, parent, field, depth); err != nil {
			return err
		}
	}
}

// value visits a value of a type.
func (t *thrift) value(kind byte, parent, field, depth int) error {
	switch kind {
	case 1, 2: // true and false, in the type
		if parent >= 0 {
			t.ints[[2]int{parent, field}] = int64(2 - kind)
		}
		return nil
	case 3:
		return t.skip(1)
	case 4, 5, 6:
		v, err := t.varint()
		if parent >= 0 {
			t.ints[[2]int{parent, field}] = v
		}
		return err
	case 7:
		return t.skip(8)
	case 8:
		n, err := t.uvarint()
		if err != nil {
			return err
		}
		t.cost += 16
		return t.skip(n)
	case 9, 10:
		return t.list(depth)
	case 12:
		if parent == 0 {
			return t.walk(field, depth+1)
		}
		return t.walk(-1, depth+1)
	}
	return fmt.Errorf("damaged: a header has a field of type %d", kind)
}

func (t *thrift) list(depth int) error {
	c, err := t.byte()
	if err != nil {
		return err
	}
	n, kind := uint64(c>>4), c&15
	if n == 15 {
		if n, err = t.uvarint(); err != nil {
			return err
		}
	}
	if n > uint64(len(t.b)) {
		return errThrift
	}
	if depth >= maxThrift {
		return errors.New("damaged: a header is nested too deep")
	}
	t.cost += 24 * int(n)
	for range n {
		if kind == 1 || kind == 2 { // a byte each
			if err := t.skip(1); err != nil {
				return err
			}
		} else if err := t.value(kind, -1, 0, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// checkFooter refuses a Parquet file whose footer cannot be, or would take too
// much memory.
func checkFooter(f io.ReaderAt, size int64) error {
	var end [8]byte
	if size < 12 {
		return errors.New("not a Parquet file: too short")
	}
	if _, err := f.ReadAt(end[:], size-8); err != nil {
		return err
	}
	n := int64(binary.LittleEndian.Uint32(end[:]))
	if string(end[4:]) != "PAR1" || n > size-12 {
		return errors.New("not a Parquet file, an encrypted one, or cut short")
	}
	b := make([]byte, n)
	if _, err := f.ReadAt(b, size-8-n); err != nil {
		return err
	}
	t := &thrift{b: b, ints: map[[2]int]int64{}}
	if err := t.walk(-1, 0); err != nil {
		return err
	}
	if int64(t.cost) > mostKept(size) {
		return fmt.Errorf("damaged: its footer would take %d bytes of memory", t.cost)
	}
	return nil
}
