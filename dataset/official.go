package dataset

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

func openDigits(d *Data, path string, o *options) error {
	if path != "" {
		return fmt.Errorf("digits is built in and takes no path %q", path)
	}
	all, err := Digits()
	if err != nil {
		return err
	}
	d.Norm, d.NormName, d.fixed, d.scaled = Norm{1, []float32{0}, []float32{1}}, "0..1", true, true
	d.Train, d.Test, err = all.Split(.2, uint64(o.whole("seed", 1, 0)))
	return err
}

func openShakespeare(d *Data, path string, o *options) error {
	if path != "" {
		return fmt.Errorf("shakespeare is built in and takes no path %q", path)
	}
	d.Norm, d.NormName, d.fixed = Raw, "none", true
	seq := o.whole("seq", 64, 1)
	if o.err != nil {
		return o.err
	}
	b, err := Shakespeare()
	if err != nil {
		return err
	}
	if token := d.own(0); token != nil {
		return d.tokenBytes(b, seq, token)
	}
	return d.bytes(b, seq)
}

// openGlyph refuses what would take more memory than a file may.
func openGlyph(d *Data, path string, o *options) error {
	if path != "" {
		return fmt.Errorf("glyph is generated and takes no path %q", path)
	}
	d.Norm, d.NormName, d.fixed, d.scaled = Raw, "none", true, true
	protos, noise := o.whole("protos", 4, 1), o.num("noise", .6)
	n, test, seed := o.whole("n", 2000, 1), o.whole("test", 2000, 1), o.whole("seed", 1, 0)
	if noise < 0 || noise > math.MaxFloat32 {
		o.fail("option noise=%v is negative or too large", noise)
	}
	if most := maxFile / (4 * 64); n > most || test > most-n || protos > (most-n-test)/20 {
		o.fail("n=%d, test=%d and protos=%d would take more than %d bytes: at most %d samples, and a prototype of each class takes as much as 20", n, test, protos, maxFile, most)
	}
	if o.err != nil {
		return o.err
	}
	d.Train, d.Test = Glyph(protos, noise, n, test, uint64(seed))
	return nil
}

// inside is the folder of the official files: dir or, where they are not in it,
// one of its folders.
func (d *Data) inside(dir string, has func(dir string) bool, folders ...string) string {
	if has(dir) {
		return dir
	}
	for _, f := range folders {
		m, _ := filepath.Glob(filepath.Join(dir, f)) // the patterns are good
		for _, sub := range m {
			if has(sub) {
				d.note("the files lie in %s", sub)
				return sub
			}
		}
	}
	return dir
}

func exists(path ...string) bool {
	_, err := os.Stat(filepath.Join(path...))
	return err == nil
}

var errPickle = errors.New("its files are Python's pickles, which are programs and are not read: take the binary version from https://www.cs.toronto.edu/~kriz/cifar.html")

func openCIFAR10(d *Data, dir string, o *options) error {
	d.Norm, d.NormName, d.fixed = ImageNet, "imagenet", true
	dir = d.inside(dir, func(dir string) bool {
		m, _ := filepath.Glob(filepath.Join(dir, "data_batch_*.bin"))
		return len(m) > 0 || exists(dir, "test_batch.bin")
	}, "cifar-10-batches-bin")
	if !exists(dir, "test_batch.bin") && exists(dir, "data_batch_1") {
		return fmt.Errorf("%s: %w", dir, errPickle)
	}
	train, err := filepath.Glob(filepath.Join(dir, "data_batch_*.bin"))
	if err != nil {
		return err
	}
	if n := len(train); n > 0 && n != 5 {
		d.note("there are %d of the 5 files data_batch_*.bin", n)
	}
	var test []string
	if f := filepath.Join(dir, "test_batch.bin"); exists(f) || len(train) == 0 {
		test = []string{f}
	}
	return cifar10.open(d, train, test)
}

func openCIFAR100(d *Data, dir string, o *options) error {
	d.Norm, d.NormName, d.fixed = ImageNet, "imagenet", true
	label := o.oneOf("label", "fine", "coarse")
	if o.err != nil {
		return o.err
	}
	dir = d.inside(dir, func(dir string) bool { return exists(dir, "train.bin") }, "cifar-100-binary")
	if !exists(dir, "train.bin") && exists(dir, "train") && exists(dir, "meta") {
		return fmt.Errorf("%s: %w", dir, errPickle)
	}
	kind := coarse20
	if label == "fine" {
		kind = fine100
		d.note("the classes are the 100 fine ones (label=coarse: the 20 coarse ones)")
	}
	return kind.open(d, []string{filepath.Join(dir, "train.bin")}, []string{filepath.Join(dir, "test.bin")})
}

func openMNIST(d *Data, dir string, o *options) error {
	d.Norm, d.NormName = MNIST, "mnist"
	has := func(dir string) bool {
		m, _ := filepath.Glob(filepath.Join(dir, "*images*idx3*"))
		return len(m) > 0
	}
	dir = d.inside(dir, has, "raw", "MNIST/raw", "*/raw")
	pair := func(stem string) ([]string, error) {
		img, err := d.mnistFiles(dir, stem+"*images*idx3*")
		if err != nil {
			return nil, err
		}
		lab, err := d.mnistFiles(dir, stem+"*labels*idx1*")
		if err != nil || len(img) == 0 && len(lab) == 0 {
			return nil, err
		}
		if len(img) != 1 || len(lab) != 1 {
			return nil, fmt.Errorf("%s has %d files %s*images*idx3* and %d of labels: one each is needed (idx:IMAGES,LABELS names them)", dir, len(img), stem, len(lab))
		}
		return []string{img[0], lab[0]}, nil
	}
	var files [2][]string
	for i, stems := range [][]string{{"train"}, {"t10k", "test"}} {
		for _, stem := range stems {
			if files[i] != nil {
				continue
			}
			var err error
			if files[i], err = pair(stem); err != nil {
				return err
			}
		}
	}
	if files[0] == nil && files[1] == nil {
		return fmt.Errorf("%s has no idx files named train-images… or t10k-images…: idx:IMAGES,LABELS takes any names", dir)
	}
	return d.idxPairs(files[0], files[1])
}

// mnistFiles are the files of a pattern: of one that is there packed and
// unpacked, the unpacked; a folder that holds a file of its own name is that.
func (d *Data) mnistFiles(dir, pattern string) ([]string, error) {
	m, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, p := range m {
		if strings.HasPrefix(filepath.Base(p), ".") {
			continue
		}
		if st, err := os.Stat(p); err == nil && st.IsDir() {
			p = filepath.Join(p, filepath.Base(p))
		}
		if plain, ok := strings.CutSuffix(p, ".gz"); ok && exists(plain) {
			d.note("%s is used, not %s beside it", filepath.Base(plain), filepath.Base(p))
			continue
		}
		out = append(out, p)
	}
	return out, nil
}
