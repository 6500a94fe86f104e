package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

// unzstd unpacks what says how long it is.
var unzstd = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(16<<20), zstd.WithDecodeAllCapLimit(true))
})

// unpack gives a page's bytes, of which there must be the number given; room that is not
// nil is used for them.
func (c *column) unpack(b []byte, size int, room *[]byte) ([]byte, error) {
	var err error
	switch c.codec {
	case format.Uncompressed:
	case format.Snappy:
		if n, e := s2.DecodedLen(b); e != nil || n != size {
			return nil, fmt.Errorf("damaged: a page of %d bytes instead of %d", n, size)
		}
		b, err = s2.Decode(sized(room, size), b)
	case format.Gzip:
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
			b, err = exactly(z, size)
		}
	case format.Zstd:
		var z *zstd.Decoder
		if z, err = unzstd(); err == nil {
			b, err = z.DecodeAll(b, sized(room, size)[:0:size])
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

// run begins the next run, or packed numbers; there may be none in it.
func (h *hybrid) run() error {
	v, n := binary.Uvarint(h.b)
	if n <= 0 || v>>1 > 1<<31 {
		return errPage
	}
	h.b = h.b[n:]
	if h.packed = v&1 != 0; h.packed {
		groups := int(v >> 1)
		if groups*h.width > len(h.b) {
			return errPage
		}
		h.left, h.bit = 8*groups, 0
		return nil
	}
	k := (h.width + 7) / 8
	if k > len(h.b) {
		return errPage
	}
	h.left, h.value = int(v>>1), 0
	for i, c := range h.b[:k] {
		h.value |= uint32(c) << (8 * i)
	}
	h.b = h.b[k:]
	return nil
}

// next is the next number.
func (h *hybrid) next() (uint32, error) {
	for h.left == 0 {
		if err := h.run(); err != nil {
			return 0, err
		}
	}
	if h.packed {
		h.value = h.bits(h.bit)
	}
	h.pass(1)
	return h.value, nil
}

// bits are the packed number that begins at a bit.
func (h *hybrid) bits(at int) uint32 {
	b, mask := h.b[at>>3:], uint64(1)<<h.width-1
	if len(b) >= 8 {
		return uint32(binary.LittleEndian.Uint64(b) >> (at & 7) & mask)
	}
	v := uint64(0)
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	return uint32(v >> (at & 7) & mask)
}

// pass goes on by n numbers of the run.
func (h *hybrid) pass(n int) {
	h.left -= n
	if h.packed {
		if h.bit += n * h.width; h.left == 0 {
			h.b = h.b[(h.bit+7)/8:]
		}
	}
}

// skip leaves out n numbers.
func (h *hybrid) skip(n int) error {
	for n > 0 {
		if h.left == 0 {
			if err := h.run(); err != nil {
				return err
			}
			continue
		}
		k := min(n, h.left)
		h.pass(k)
		n -= k
	}
	return nil
}

// fill reads as many numbers as there is room for.
func fill[T uint8 | uint32](h *hybrid, to []T) error {
	for len(to) > 0 {
		if h.left == 0 {
			if err := h.run(); err != nil {
				return err
			}
			continue
		}
		k := min(len(to), h.left)
		if some := to[:k]; h.packed {
			for i := range some {
				some[i] = T(h.bits(h.bit + i*h.width))
			}
		} else {
			v := T(h.value)
			for i := range some {
				some[i] = v
			}
		}
		h.pass(k)
		to = to[k:]
	}
	return nil
}
