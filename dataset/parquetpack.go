package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

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
