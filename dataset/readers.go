package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // image folders hold them
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxFile bounds what is read of one file once it is unpacked.
const maxFile = 4 << 30

// readAll reads a file, unpacked where it is gzipped.
func readAll(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := bufio.NewReader(f)
	var r io.Reader = b
	if m, _ := b.Peek(2); len(m) == 2 && m[0] == 0x1f && m[1] == 0x8b {
		if r, err = gzip.NewReader(b); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	out, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(out) > maxFile {
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxFile)
	}
	return out, nil
}

// readIDX reads an array of bytes in the format of MNIST.
func readIDX(path string) (dims []int, data []byte, err error) {
	b, err := readAll(path)
	if err != nil {
		return nil, nil, err
	}
	dims, data, err = decodeIDX(b)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return
}

func decodeIDX(b []byte) (dims []int, data []byte, err error) {
	if len(b) < 4 || b[0] != 0 || b[1] != 0 {
		return nil, nil, errors.New("not an idx file")
	}
	if b[2] != 8 {
		return nil, nil, fmt.Errorf("idx type %#x: only bytes (0x08) are supported", b[2])
	}
	rank := int(b[3])
	if rank < 1 || rank > 4 || len(b) < 4+4*rank {
		return nil, nil, fmt.Errorf("an idx header of rank %d is cut short or not possible", rank)
	}
	n := 1
	data = b[4+4*rank:]
	for i := range rank {
		d := int(binary.BigEndian.Uint32(b[4+4*i:]))
		if d == 0 || d > len(data)/n {
			return nil, nil, fmt.Errorf("dimension %d of %d does not fit a file of %d bytes", i, d, len(b))
		}
		n *= d
		dims = append(dims, d)
	}
	if n != len(data) {
		return nil, nil, fmt.Errorf("%d bytes of data, dimensions %v need %d", len(data), dims, n)
	}
	return dims, data, nil
}

// readIDXPair reads images and labels.
func readIDXPair(images, labels string) (*Set, error) {
	d, x, err := readIDX(images)
	if err != nil {
		return nil, err
	}
	e, y, err := readIDX(labels)
	if err != nil {
		return nil, err
	}
	if len(e) != 1 || e[0] != d[0] {
		return nil, fmt.Errorf("%s has %d labels, %s has %d samples", labels, len(y), images, d[0])
	}
	s := &Set{Shape: d[1:], Bytes: x}
	if len(d) == 3 {
		s.Shape = []int{1, d[1], d[2]}
	} else if len(d) == 1 {
		s.Shape = []int{1}
	}
	return s, s.setLabels(y)
}

// setLabels takes byte labels; the number of classes is the largest plus one,
// but at least 10 for files of the MNIST family.
func (s *Set) setLabels(y []byte) error {
	s.Labels = make([]int32, len(y))
	for i, v := range y {
		s.Labels[i] = int32(v)
		s.Classes = max(s.Classes, int(v)+1)
	}
	if len(y) == 0 {
		return errors.New("there are no labels")
	}
	return nil
}

// readCIFAR reads files of the official binary version; fine selects the
// second label byte of CIFAR-100.
func readCIFAR(paths []string, hundred bool) (*Set, error) {
	head, classes := 1, 10
	if hundred {
		head, classes = 2, 100
	}
	const pix = 3 * 32 * 32
	s := &Set{Shape: []int{3, 32, 32}, Classes: classes}
	for _, p := range paths {
		b, err := readAll(p)
		if err != nil {
			return nil, err
		}
		if len(b) == 0 || len(b)%(head+pix) != 0 {
			return nil, fmt.Errorf("%s: %d bytes are not records of %d: not a CIFAR-%d file, or cut short", p, len(b), head+pix, classes)
		}
		for ; len(b) > 0; b = b[head+pix:] {
			l := b[head-1]
			if int(l) >= classes {
				return nil, fmt.Errorf("%s: label %d is outside the %d classes", p, l, classes)
			}
			s.Labels = append(s.Labels, int32(l))
			s.Bytes = append(s.Bytes, b[head:head+pix]...)
		}
	}
	return s, nil
}

// maxPixels bounds an image that is decoded.
const maxPixels = 1 << 28

// readTiles reads a PNG of square RGB tiles, row by row, and a file of labels,
// one byte each.
func readTiles(path, labels string, size int) (*Set, error) {
	y, err := readAll(labels)
	if err != nil {
		return nil, err
	}
	b, err := readAll(path)
	if err != nil {
		return nil, err
	}
	cfg, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if size < 1 || cfg.Width%size != 0 || cfg.Height%size != 0 || cfg.Width*cfg.Height > maxPixels {
		return nil, fmt.Errorf("%s: %dx%d pixels do not divide into tiles of %d", path, cfg.Width, cfg.Height, size)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	cols := cfg.Width / size
	if n := cols * (cfg.Height / size); len(y) > n {
		return nil, fmt.Errorf("%s has %d labels, %s %d tiles", labels, len(y), path, n)
	}
	s := &Set{Shape: []int{3, size, size}, Bytes: make([]uint8, len(y)*3*size*size)}
	for i := range y {
		s.put(i, img, i%cols*size, i/cols*size)
	}
	return s, s.setLabels(y)
}

// put stores an image, or the part of it that begins at x0, y0, as sample i.
func (s *Set) put(i int, img image.Image, x0, y0 int) {
	c, h, w := s.Shape[0], s.Shape[1], s.Shape[2]
	o := img.Bounds().Min
	for y := range h {
		for x := range w {
			r, g, b, a := img.At(o.X+x0+x, o.Y+y0+y).RGBA()
			if a != 0 && a != 0xffff { // undo the multiplication by alpha
				r, g, b = r*0xffff/a, g*0xffff/a, b*0xffff/a
			}
			at := i*c*h*w + y*w + x
			if c == 1 {
				s.Bytes[at] = uint8((299*(r>>8) + 587*(g>>8) + 114*(b>>8) + 500) / 1000)
				continue
			}
			s.Bytes[at], s.Bytes[at+h*w], s.Bytes[at+2*h*w] = uint8(r>>8), uint8(g>>8), uint8(b>>8)
		}
	}
}

// readFolder reads images in a folder for each class; all are of the size of
// the first.
func readFolder(dir string) (*Set, error) {
	ents, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Set{}
	var names []string
	for _, e := range ents {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		k := int32(len(names))
		names = append(names, e.Name())
		for _, f := range files {
			if !isImage(f.Name()) {
				continue
			}
			path := filepath.Join(dir, e.Name(), f.Name())
			b, err := readAll(path)
			if err == nil {
				err = s.addImage(b)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			s.Labels = append(s.Labels, k)
		}
	}
	if len(s.Labels) == 0 {
		return nil, fmt.Errorf("%s: no folders with PNG or JPEG images", dir)
	}
	s.renumber(names)
	return s, nil
}

func isImage(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png", ".jpg", ".jpeg":
		return true
	}
	return false
}

// addImage appends a PNG or JPEG image.
func (s *Set) addImage(b []byte) error {
	cfg, _, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return err
	}
	if cfg.Width < 1 || cfg.Height < 1 || cfg.Width > maxPixels/cfg.Height {
		return fmt.Errorf("an image of %dx%d pixels", cfg.Width, cfg.Height)
	}
	if s.Shape == nil {
		s.Shape = []int{3, cfg.Height, cfg.Width}
	}
	if cfg.Height != s.Shape[1] || cfg.Width != s.Shape[2] {
		return fmt.Errorf("%dx%d pixels, the first image has %dx%d: all must be of one size", cfg.Width, cfg.Height, s.Shape[2], s.Shape[1])
	}
	img, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return err
	}
	s.Bytes = append(s.Bytes, make([]uint8, s.Size())...)
	s.put(len(s.Bytes)/s.Size()-1, img, 0, 0)
	return nil
}
