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
	p := strings.Split(paths, ",")
	if len(p) != 2 && len(p) != 4 || slices.Contains(p, "") {
		return fmt.Errorf("%q is not %s, or %s,%s with those of the test set", paths, what, what, what)
	}
	var err error
	if d.Train, err = read(p[0], p[1]); err == nil && len(p) == 4 {
		d.Test, err = read(p[2], p[3])
	}
	return err
}

func openIDX(d *Data, path string, o *options) error {
	d.Norm, d.NormName = MNIST, "mnist"
	return d.pairs(path, "IMAGES,LABELS", readIDXPair)
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
	if o.err != nil {
		return o.err
	}
	b, err := readAll(path)
	if err != nil {
		return err
	}
	n := (len(b) - 1) / seq
	if n < 1 {
		return fmt.Errorf("%d bytes of text are less than one sample of %d", len(b), seq)
	}
	if err := notText(b); err != nil {
		d.note("the text is taken byte by byte as it is, but %v", err)
	} else if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) || bytes.Contains(b[:min(len(b), 1<<16)], []byte("\r\n")) {
		d.note("the text is taken byte by byte as it is: a byte-order mark or carriage returns are part of it")
	}
	now, next := &Field{Name: "text", Shape: []int{seq}, Ints: make([]int32, n*seq)}, &Field{Name: "next", Shape: []int{seq}, Classes: 256, Ints: make([]int32, n*seq)}
	for i := range now.Ints {
		now.Ints[i], next.Ints[i] = int32(b[i]), int32(b[i+1])
	}
	s := New("", now, next)
	s.Ordered = true
	d.Train, d.Test, err = s.Split(.1, 1)
	return err
}
