package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func openDigits(d *Data, _ string, o *options) error {
	all, err := Digits()
	if err != nil {
		return err
	}
	d.Norm, d.NormName = Norm{1, []float32{0}, []float32{1}}, "0..1"
	d.Train, d.Test, err = all.Split(.2, uint64(o.whole("seed", 1, 0)))
	return err
}

func openGlyph(d *Data, _ string, o *options) error {
	d.Norm, d.NormName = Raw, "none"
	d.Train, d.Test = Glyph(o.whole("protos", 4, 1), o.num("noise", .6), o.whole("n", 2000, 1), o.whole("test", 2000, 1), uint64(o.whole("seed", 1, 0)))
	return o.err
}

func openCIFAR10(d *Data, dir string, o *options) error {
	d.Norm, d.NormName = ImageNet, "imagenet"
	train, _ := filepath.Glob(filepath.Join(dir, "data_batch_*.bin"))
	var err error
	if len(train) > 0 {
		if d.Train, err = readCIFAR(train, false); err != nil {
			return err
		}
	}
	test := filepath.Join(dir, "test_batch.bin")
	if _, e := os.Stat(test); e == nil || len(train) == 0 {
		d.Test, err = readCIFAR([]string{test}, false)
	}
	return err
}

func openCIFAR100(d *Data, dir string, o *options) error {
	d.Norm, d.NormName = ImageNet, "imagenet"
	var err error
	if d.Train, err = readCIFAR([]string{filepath.Join(dir, "train.bin")}, true); err != nil {
		return err
	}
	d.Test, err = readCIFAR([]string{filepath.Join(dir, "test.bin")}, true)
	return err
}

func openMNIST(d *Data, dir string, o *options) error {
	d.Norm, d.NormName = MNIST, "mnist"
	pair := func(stem string) (*Set, error) {
		img, _ := filepath.Glob(filepath.Join(dir, stem+"*images*idx3*"))
		lab, _ := filepath.Glob(filepath.Join(dir, stem+"*labels*idx1*"))
		if len(img) == 0 && len(lab) == 0 {
			return nil, nil
		}
		if len(img) != 1 || len(lab) != 1 {
			return nil, fmt.Errorf("%s has %d files %s*images*idx3* and %d of labels: one each is needed", dir, len(img), stem, len(lab))
		}
		return readIDXPair(img[0], lab[0])
	}
	var err error
	if d.Train, err = pair("train"); err != nil {
		return err
	}
	if d.Test, err = pair("t10k"); err != nil {
		return err
	}
	if d.Train == nil && d.Test == nil {
		return fmt.Errorf("%s has no idx files named train-images… or t10k-images…", dir)
	}
	return nil
}

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
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		pngs, _ := filepath.Glob(filepath.Join(path, "*.png"))
		for _, p := range pngs {
			stem := strings.TrimSuffix(p, ".png")
			if _, err := os.Stat(stem + ".labels"); err != nil {
				continue
			}
			s, err := readTiles(p, stem+".labels", size)
			if err != nil {
				return err
			}
			if strings.HasPrefix(filepath.Base(p), "test") {
				d.Test = s
			} else if strings.HasPrefix(filepath.Base(p), "train") {
				d.Train = s
			}
		}
		return nil
	}
	return d.pairs(path, "PNG,LABELS", func(a, b string) (*Set, error) { return readTiles(a, b, size) })
}

func openCSV(d *Data, path string, o *options) error {
	d.Norm, d.NormName = Raw, "none"
	label := o.str("label", "last")
	train, test, two := strings.Cut(path, ",")
	var err error
	if d.Train, err = readCSV(train, label); err == nil && two {
		d.Test, err = readCSV(test, label)
	}
	return err
}

func openFolder(d *Data, dir string, o *options) error {
	d.Norm, d.NormName = ImageNet, "imagenet"
	for name, s := range map[string]**Set{"train": &d.Train, "val": &d.Val, "test": &d.Test} {
		sub := filepath.Join(dir, name)
		if st, err := os.Stat(sub); err != nil || !st.IsDir() {
			continue
		}
		var err error
		if *s, err = readFolder(sub); err != nil {
			return err
		}
	}
	if d.Train != nil || d.Test != nil {
		return nil
	}
	var err error
	d.Train, err = readFolder(dir)
	return err
}

func openText(d *Data, path string, o *options) error {
	d.Norm, d.NormName = Raw, "none"
	b, err := readAll(path)
	if err != nil {
		return err
	}
	seq := o.whole("seq", 64, 1)
	if o.err != nil {
		return o.err
	}
	n := (len(b) - 1) / seq
	if n < 1 {
		return fmt.Errorf("%d bytes of text are less than one sample of %d", len(b), seq)
	}
	s := &Set{Shape: []int{seq}, Classes: 256, Tokens: make([]int32, n*seq), Labels: make([]int32, n*seq)}
	for i := range s.Tokens {
		s.Tokens[i], s.Labels[i] = int32(b[i]), int32(b[i+1])
	}
	d.Train, d.Test, err = s.Split(.1, 1)
	return err
}
