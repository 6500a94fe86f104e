package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// rows writes the head of a CSV file, and the rows that stay, as they stand. Comments and
// empty lines go with the row that follows them.
func (k *keeping) rows(s *source, to io.Writer) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	again, err := s.open()
	if err != nil {
		return err
	}
	defer again.Close()
	w := bufio.NewWriterSize(to, 1<<16)
	c := &csvReader{csvOptions: k.csv}
	c.like = nil
	if _, err := c.begin(r); err != nil {
		return err
	}
	n, at, col := 0, int64(0), -1
	err = c.each(func() {}, func(rec []string, _ int) error {
		if n == 0 && k.change != nil {
			if c.dialect.cr {
				return errors.New("its lines end in CR alone: labels are not changed there; write an .npz file")
			}
			if col, err = k.change.classColumn(c, k.csv.fields); err != nil {
				return err
			}
		}
		if n == 0 {
			if _, err := io.CopyN(w, again, c.first); err != nil {
				return err
			}
			at = c.first
		}
		var dst io.Writer = io.Discard
		if k.stays(n) {
			dst = w
		}
		size := c.end - at
		at = c.end
		c.count++
		n++
		if col < 0 {
			_, err := io.CopyN(dst, again, size)
			return err
		}
		b := make([]byte, size)
		if _, err := io.ReadFull(again, b); err != nil {
			return err
		}
		if col >= len(rec) {
			return fmt.Errorf("row %d has %d columns: the file has changed", n-1, len(rec))
		}
		is, err := k.csvLabel(n-1, c.sep, col, rec[col], b)
		if err != nil {
			return err
		}
		_, err = dst.Write(is)
		return err
	})
	if err != nil {
		return err
	}
	k.first += n
	return w.Flush()
}

// lines writes the lines of a text that stay; empty ones are none.
func (k *keeping) lines(s *source, to io.Writer) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	in, w := bufio.NewReaderSize(r, maxLine), bufio.NewWriterSize(to, 1<<16)
	n := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && err != io.EOF {
			return err
		}
		if len(bytes.TrimSpace(line)) > 0 {
			if k.stays(n) {
				if _, err := w.Write(line); err != nil {
					return err
				}
			}
			n++
		}
		if err == io.EOF {
			k.first += n
			return w.Flush()
		}
	}
}

// objects writes the objects of a JSON file that stay, each with the bytes that it has, on lines of
// their own, or in a list where they were in one.
func (k *keeping) objects(s *source, to io.Writer) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	in, w := bufio.NewReaderSize(r, 1<<16), bufio.NewWriterSize(to, 1<<16)
	if bom, err := in.Peek(3); err == nil && string(bom) == "\xef\xbb\xbf" {
		in.Discard(3) //nolint:errcheck // they are there
	}
	dec := jsontext.NewDecoder(in, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	list := dec.PeekKind() == '['
	if list {
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
	}
	n, kept := 0, 0
	for ; !list || dec.PeekKind() != ']'; n++ {
		v, err := dec.ReadValue()
		if err == io.EOF && !list {
			break
		}
		if err != nil {
			return notJSON(err)
		}
		if k.change != nil {
			if v, err = k.jsonLabel(n, v); err != nil {
				return err
			}
		}
		if !k.stays(n) {
			continue
		}
		before := ""
		switch kept++; {
		case list && kept == 1:
			before = "[\n"
		case list:
			before = ",\n"
		}
		if _, err := fmt.Fprintf(w, "%s%s", before, v); err != nil {
			return err
		}
		if !list {
			w.WriteByte('\n') //nolint:errcheck // Flush keeps it
		}
	}
	k.first += n
	if list {
		if kept == 0 {
			w.WriteByte('[') //nolint:errcheck // Flush keeps it
		}
		w.WriteString("\n]\n") //nolint:errcheck // Flush keeps it
	}
	return w.Flush()
}

// fixed writes records of a size of their own: those of idx files behind their head, and the official ones of
// CIFAR.
func (k *keeping) fixed(s *source, to io.Writer) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	size, n, label := 0, 0, -1 // of a record, how many, and where in it the class is
	if k.record.classes > 0 {
		size, label = k.record.head+cifarImage, k.record.label
		n = int(s.size) / size
	} else {
		dims, _, err := idxHead(s.path)
		if err != nil {
			return err
		}
		n, size = dims[0], 1
		for _, d := range dims[1:] {
			size *= d
		}
		if s.path == k.Files[1] {
			label = 0
		}
		if k.first = 0; n != len(k.keep) {
			return fmt.Errorf("it holds %d samples, and %d were read", n, len(k.keep))
		}
		head := make([]byte, 4+4*len(dims))
		if _, err := io.ReadFull(r, head); err != nil {
			return err
		}
		stay := 0
		for _, is := range k.keep {
			if is {
				stay++
			}
		}
		for i := range 4 {
			head[4+i] = byte(stay >> (24 - 8*i))
		}
		if _, err := to.Write(head); err != nil {
			return err
		}
	}
	if err := k.records(r, to, size, n, func(i int, b []byte) error {
		if y, ok := k.class[i]; ok && label >= 0 {
			b[label] = byte(y)
		}
		return nil
	}); err != nil {
		return err
	}
	if k.record.classes > 0 {
		k.first += n
	} else {
		k.first = n
	}
	return nil
}

// records writes those of n records of a size that stay; change may change one.
func (k *keeping) records(r io.Reader, to io.Writer, size, n int, change func(number int, b []byte) error) error {
	w := bufio.NewWriterSize(to, 1<<16)
	b := make([]byte, size)
	in := bufio.NewReaderSize(r, 1<<16)
	for i := range n {
		if _, err := io.ReadFull(in, b); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if !k.stays(i) {
			continue
		}
		if change != nil {
			if err := change(k.first+i, b); err != nil {
				return err
			}
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return w.Flush()
}
