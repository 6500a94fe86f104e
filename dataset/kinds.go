package dataset

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// pairs reads PATH,PATH as the training set, and two more as the test set.
func (d *Data) pairs(paths, what string, read func(a, b string) (*Set, error)) error {
	p, err := fours(paths, what)
	for i, to := range []**Set{&d.Train, &d.Test} {
		if err == nil && p[i] != nil {
			*to, err = read(p[i][0], p[i][1])
		}
	}
	return err
}

// fours divides PATH,PATH, those of the training set, and two more, those of the test
// set.
func fours(paths, what string) (p [2][]string, err error) {
	all := strings.Split(paths, ",")
	if len(all) != 2 && len(all) != 4 || slices.Contains(all, "") {
		return p, fmt.Errorf("%q is not %s, or %s,%s with those of the test set", paths, what, what, what)
	}
	if p[0] = all[:2]; len(all) == 4 {
		p[1] = all[2:]
	}
	return p, nil
}

func openIDX(d *Data, path string, o *options) error {
	d.Norm, d.NormName = MNIST, "mnist"
	p, err := fours(path, "IMAGES,LABELS")
	if err == nil {
		err = d.idxPairs(p[0], p[1])
	}
	return err
}

func openTiles(d *Data, path string, o *options) error {
	d.Norm, d.NormName = ImageNet, "imagenet"
	size := o.whole("size", 32, 1)
	if o.err != nil {
		return o.err
	}
	read := func(png, labels string) (*Set, error) {
		s, left, err := readTiles(png, labels, size)
		if left > 0 {
			d.note("%s: %d tiles after those with labels are left out", filepath.Base(png), left)
		}
		return s, err
	}
	if st, err := os.Stat(path); err != nil || !st.IsDir() {
		return d.pairs(path, "PNG,LABELS", read)
	}
	pngs, err := filepath.Glob(filepath.Join(path, "*.png"))
	if err != nil {
		return err
	}
	for _, p := range pngs {
		stem := strings.TrimSuffix(p, ".png")
		to := &d.Train
		switch base := filepath.Base(p); {
		case strings.HasPrefix(base, "test"):
			to = &d.Test
		case !strings.HasPrefix(base, "train"):
			d.note("%s is left out: its name begins with neither train nor test", base)
			continue
		}
		if _, err := os.Stat(stem + ".labels"); err != nil {
			d.note("%s is left out: there is no %s.labels", filepath.Base(p), filepath.Base(stem))
			continue
		}
		if *to != nil {
			d.note("of several files for one set, %s is used, the last", filepath.Base(p))
		}
		if *to, err = read(p, stem+".labels"); err != nil {
			return err
		}
	}
	return nil
}

func openText(d *Data, path string, o *options) error {
	d.Norm, d.NormName, d.fixed = Raw, "none", true
	seq := o.whole("seq", 64, 1)
	token := o.tokenizing(0, nil)
	if o.err != nil {
		return o.err
	}
	if token == nil {
		token = d.own(0)
	}
	if token != nil {
		return d.tokenText(path, seq, token)
	}
	if large, err := d.streamText(path, seq); large || err != nil {
		return err
	}
	b, err := readAll(path)
	if err != nil {
		return err
	}
	d.sayText(b)
	return d.bytes(b, seq)
}

// bytes makes samples of a text, each of so many bytes and those that follow them.
func (d *Data) bytes(b []byte, seq int) (err error) {
	n := (len(b) - 1) / seq
	if n < 1 {
		return fmt.Errorf("%d bytes of text are less than one sample of %d", len(b), seq)
	}
	d.words = bytesOf
	now, next := textFields(seq, n)
	for i := range now.Ints {
		now.Ints[i], next.Ints[i] = int32(b[i]), int32(b[i+1])
	}
	s := New("", now, next)
	s.Ordered = true
	d.Train, d.Test, err = s.Split(.1, 1)
	return err
}

// textFields are n samples of text, and of the bytes that follow each of theirs.
func textFields(seq, n int) (now, next *Field) {
	return &Field{Name: "text", Shape: []int{seq}, Ints: make([]int32, n*seq)}, &Field{Name: "next", Shape: []int{seq}, Classes: 256, Ints: make([]int32, n*seq)}
}

// sayText notes what is odd about the beginning of a text.
func (d *Data) sayText(b []byte) {
	if err := notText(b); err != nil {
		d.note("the text is taken byte by byte as it is, but %v", err)
	} else if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) || bytes.Contains(b[:min(len(b), 1<<16)], []byte("\r\n")) {
		d.note("the text is taken byte by byte as it is: a byte-order mark or carriage returns are part of it")
	}
}

// streamText makes a stream of a text that is too large; one that is gzipped is read.
func (d *Data) streamText(path string, seq int) (bool, error) {
	file, err := stampOf(path)
	if err != nil {
		return false, err
	}
	f, err := file.open()
	if err != nil {
		return false, err
	}
	defer f.Close()
	if packed, err := startsAsGzip(f); packed || err != nil {
		return false, err
	}
	n := int(max(0, file.size-1) / int64(seq))
	large, err := d.over(n, 8*int64(n)*int64(seq))
	if !large || err != nil {
		return large, err
	}
	head := make([]byte, min(file.size, 1<<16))
	if _, err := f.ReadAt(head, 0); err != nil {
		return true, fmt.Errorf("%s: %w", path, err)
	}
	d.sayText(head)
	now, next := textFields(seq, 0)
	var of [2]*extent
	for i := range of {
		of[i] = &extent{name: filepath.Base(path), file: file, at: int64(i), size: seq, stride: seq, samples: n, put: func(raw []byte, _ int, to *Field, k int) error {
			for j, b := range raw {
				to.Ints[k*seq+j] = int32(b)
			}
			return nil
		}}
	}
	s, err := d.streamed([]*Field{now, next}, []shard{{filepath.Base(path), n, of[:]}})
	if err != nil {
		return true, err
	}
	s.Ordered = true
	d.Train, d.Test, err = s.Split(.1, 1)
	return true, err
}
