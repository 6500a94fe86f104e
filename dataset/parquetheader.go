package dataset

import (
	"errors"
	"fmt"
)

// pageHead is what a page says of itself.
type pageHead struct {
	kind             int64 // 0 and 3: of data, version 1 and 2; 2: of the dictionary
	packed, unpacked int64 // bytes
	at, body         int64 // where the page begins, and what follows the header
	values           int64 // of a page of data
	ints             map[[2]int]int64
}

func (h *pageHead) data() bool { return h.kind == 0 || h.kind == 3 }

// header reads the header of the next page, and goes on behind that page.
func (c *column) header() (h pageHead, err error) {
	t := &thrift{ints: map[[2]int]int64{}}
	for n := int64(512); ; n <<= 2 { // statistics may hold whole values
		head := make([]byte, min(c.end-c.at, n, 1<<16))
		if len(head) == 0 {
			return h, errors.New("damaged: fewer values than rows")
		}
		if _, err := c.f.ReadAt(head, c.at); err != nil {
			return h, err
		}
		clear(t.ints)
		t.b = head
		if err = t.walk(0, 0); err == nil {
			h.body = c.at + int64(len(head)-len(t.b))
			break
		}
		if !errors.Is(err, errThrift) || int64(len(head)) < n {
			return h, err
		}
	}
	h.kind, h.unpacked, h.packed = t.ints[[2]int{0, 1}], t.ints[[2]int{0, 2}], t.ints[[2]int{0, 3}]
	h.at, h.ints = c.at, t.ints
	if h.packed < 0 || h.packed > c.end-h.body || h.unpacked < 0 || h.unpacked > mostKept(h.packed) {
		return h, fmt.Errorf("damaged: a page of %d bytes, %d once unpacked", h.packed, h.unpacked)
	}
	if h.data() {
		if h.values = t.ints[[2]int{5, 1}]; h.kind == 3 {
			h.values = t.ints[[2]int{8, 1}]
		}
		if h.values < 0 || h.values > int64(c.most) {
			return h, fmt.Errorf("damaged: a page of %d values for %d rows", h.values, c.most)
		}
	}
	if p := c.pages; p != nil {
		if n := h.packed + h.unpacked; h.kind == 2 {
			p.dict, p.dictBytes = h.at, max(p.dictBytes, n)
		} else {
			p.most = max(p.most, n)
		}
	}
	c.at = h.body + h.packed
	return h, nil
}

// page reads the next page.
func (c *column) page() error {
	h, err := c.header()
	if err != nil {
		return err
	}
	return c.body(&h)
}

// body reads what follows the header of a page.
func (c *column) body(h *pageHead) error {
	var room *[]byte
	if c.room != nil {
		if room = &c.room.packed; h.kind == 2 {
			room = &c.room.packedDict
		}
	}
	b := sized(room, int(h.packed))
	if _, err := c.f.ReadAt(b, h.body); err != nil {
		return err
	}
	switch c.pageAt, c.begun = h.at, false; h.kind {
	case 0:
		return c.dataPage(b, int(h.unpacked), h)
	case 2:
		return c.dictionary(b, int(h.unpacked), h.ints[[2]int{7, 1}], h.ints[[2]int{7, 2}])
	case 3:
		return c.dataPage2(b, int(h.unpacked), h)
	}
	return nil // an index
}

// pageRoom is room for pages, used again for the next.
type pageRoom struct{ packed, unpacked, packedDict, dict []byte }

// sized is room for n bytes: that which there is, where it is enough.
func sized(room *[]byte, n int) []byte {
	if room == nil {
		return make([]byte, n)
	}
	if cap(*room) < n {
		*room = make([]byte, n)
	}
	return (*room)[:n]
}

func (c *column) roomOfPage() *[]byte {
	if c.room == nil {
		return nil
	}
	return &c.room.unpacked
}
