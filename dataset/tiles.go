package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
)

// readTiles reads a PNG of square RGB tiles, row by row, and a file of labels,
// one byte each. It gives the number of tiles without labels, too.
func readTiles(path, labels string, size int) (*Set, int, error) {
	y, err := readAll(labels)
	if err != nil {
		return nil, 0, err
	}
	b, err := readAll(path)
	if err != nil {
		return nil, 0, err
	}
	s, left, err := decodeTiles(b, y, size)
	if err != nil {
		return nil, 0, fmt.Errorf("%s with labels %s: %w", path, labels, err)
	}
	return s, left, nil
}

func decodeTiles(b, y []byte, size int) (*Set, int, error) {
	cfg, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, 0, err
	}
	if size < 1 || cfg.Width%size != 0 || cfg.Height%size != 0 {
		return nil, 0, fmt.Errorf("%dx%d pixels do not divide into tiles of %d", cfg.Width, cfg.Height, size)
	}
	cols := cfg.Width / size
	n := cols * (cfg.Height / size)
	if len(y) > n {
		return nil, 0, fmt.Errorf("%d labels for %d tiles", len(y), n)
	}
	if len(y) > 1 && len(bytes.Trim(y, "0123456789\r\n ,")) == 0 && bytes.ContainsAny(y, "\n ,") {
		return nil, 0, errors.New("the labels are written as text: a byte for each is needed, of that value")
	}
	h, err := readHeader(b)
	if err != nil {
		return nil, 0, err
	}
	all, err := h.decode(false)
	if err != nil {
		return nil, 0, err
	}
	all = all.channels(3)
	s := classified(Field{Shape: []int{3, size, size}, Bytes: make([]uint8, len(y)*3*size*size)})
	for i := range y {
		all.cut(i/cols*size, i%cols*size, size, size, s.X().Bytes[i*3*size*size:][:3*size*size])
	}
	return s, n - len(y), s.setLabels(y)
}
