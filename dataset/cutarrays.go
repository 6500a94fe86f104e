package dataset

import (
	"archive/zip"
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"pare/npy"
)

// npy writes the rows of an array in a file of its own that stay. All files of a set have all its
// samples.
func (k *keeping) npy(s *source, to io.Writer) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	k.first = 0
	n, err := k.array(r, s.size, to, k.classFile(s.path))
	k.first = n
	return err
}

// npz writes the arrays of an .npz file, with the rows that stay. What is no array of the samples
// is left out, and said.
func (c *cut) npz(from string, to io.Writer) error {
	in, err := openArchive(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out := zip.NewWriter(&stoppable{c.ctx, to})
	rows := map[*keeping]int{}
	for _, f := range in.File {
		name := f.Name[:max(0, len(f.Name)-len(".npy"))]
		i := slices.IndexFunc(c.of, func(k *keeping) bool { return slices.Contains(k.arrays[from], name) })
		if i < 0 {
			c.out.Notes = append(c.out.Notes, fmt.Sprintf("%s of %s is not of the samples and is left out", f.Name, filepath.Base(from)))
			continue
		}
		w, err := out.CreateHeader(&zip.FileHeader{Name: f.Name, Method: f.Method, Modified: f.Modified})
		if err != nil {
			return err
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		n, err := c.of[i].array(r, int64(f.UncompressedSize64), w, c.of[i].classArray(name, c.of[i].arrays[from]))
		r.Close()
		if had, ok := rows[c.of[i]]; err == nil && ok && had != n {
			err = fmt.Errorf("it has %d samples, and an array before it %d", n, had)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		rows[c.of[i]] = n
	}
	for k, n := range rows {
		k.first += n
	}
	return out.Close()
}

// array writes the rows of an array that stay, which may be that of the classes, and gives how many it has.
func (k *keeping) array(r io.Reader, size int64, to io.Writer, classes bool) (int, error) {
	in := bufio.NewReaderSize(r, npy.MaxHeader)
	b, err := in.Peek(int(min(size, npy.MaxHeader)))
	if err != nil {
		return 0, err
	}
	h, err := npy.HeaderOf(b, int(size))
	if err != nil {
		return 0, err
	}
	if len(h.Shape) == 0 || h.Shape[0] == 0 {
		return 0, fmt.Errorf("an array of shape %v has no samples", h.Shape)
	}
	n, stay := h.Shape[0], 0
	for i := range n {
		if k.stays(i) {
			stay++
		}
	}
	var change func(n int, b []byte) error
	if classes {
		if change, err = k.classChange(h); err != nil {
			return 0, err
		}
	}
	head, err := npy.Rows(b[:h.Len], stay)
	if err != nil {
		return 0, err
	}
	if _, err := to.Write(head); err != nil {
		return 0, err
	}
	if _, err := in.Discard(h.Len); err != nil {
		return 0, err
	}
	record, times := h.Count/n*h.DType.Size(), 1
	if h.Fortran { // sample after sample, value by value
		record, times = h.DType.Size(), h.Count/n
	}
	for range times {
		if err := k.records(in, to, record, n, change); err != nil {
			return 0, err
		}
	}
	return n, nil
}
