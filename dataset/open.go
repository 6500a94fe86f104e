package dataset

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Data is what a data specification names: any of the sets may be nil.
type Data struct {
	Spec             string
	Train, Val, Test *Set
	Norm             Norm
	NormName         string
}

// Help explains the syntax of data specifications.
const Help = `A data set is written KIND:PATH?OPTION=VALUE&…, or just PATH where the kind is obvious.

  digits                       1,797 8x8 digits, built in
  glyph?protos=4&noise=0.6     generated 8x8 images (also n=2000&test=2000&seed=1)
  cifar10:DIR  cifar100:DIR    the official binary files (data_batch_*.bin, test_batch.bin)
  mnist:DIR                    idx files named train-images… and t10k-… (.gz or not)
  idx:IMAGES,LABELS            two idx files
  tiles:PNG,LABELS?size=32     square tiles in one PNG, labels one byte each
  csv:FILE?label=last          numbers; the class column is first, last, a number or a name (.gz or not)
  npz:FILE?x=x&y=y             arrays of NumPy (x_test and y_test are the test set where present)
  folder:DIR                   images in one folder a class, or train/ and test/ (val/) with such folders
  zip:FILE                     the same in a zip file
  parquet:FILE[,TESTFILE]      columns image (bytes) and label
  text:FILE?seq=64             bytes of a text, each sample seq of them and the ones that follow

Options of every kind:
  norm=imagenet|cifar10|mnist|unit|raw   how 0..255 becomes the network's input
  mean=.5,.5,.5&std=.25,.25,.25          the same by hand, of values scaled to 0..1
  val=0.1         part of the training set kept for validation (by seed, same share of every class)
  n=N  test_n=N   only the first N training (test) samples
  seed=S          of splits and generated data`

// Open reads the data that a specification names.
func Open(spec string) (*Data, error) {
	head, query, _ := strings.Cut(spec, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("data %q: the options are not NAME=VALUE&…: %w", spec, err)
	}
	kind, path, ok := strings.Cut(head, ":")
	if !ok {
		kind, path = "", head
	}
	if kind == "" {
		if kind, path, err = detect(path); err != nil {
			return nil, fmt.Errorf("data %q: %w", spec, err)
		}
	}
	d := &Data{Spec: spec}
	o := &options{q: q}
	open := kinds[kind]
	if open == nil {
		return nil, fmt.Errorf("data %q: there is no kind %q; see the help for the kinds", spec, kind)
	}
	if err := open(d, path, o); err != nil {
		return nil, fmt.Errorf("data %q: %w", spec, err)
	}
	if err := d.finish(o); err != nil {
		return nil, fmt.Errorf("data %q: %w", spec, err)
	}
	return d, nil
}

type opener func(d *Data, path string, o *options) error

var kinds = map[string]opener{
	"digits": openDigits, "glyph": openGlyph, "cifar10": openCIFAR10, "cifar100": openCIFAR100, "mnist": openMNIST,
	"idx": openIDX, "tiles": openTiles, "csv": openCSV, "folder": openFolder, "text": openText,
	"npz": openNPZ, "zip": openZip, "parquet": openParquet,
}

// options reads the query of a specification and remembers what was used.
type options struct {
	q    url.Values
	used []string
	err  error
}

func (o *options) str(name, def string) string {
	o.used = append(o.used, name)
	if v := o.q.Get(name); v != "" {
		return v
	}
	return def
}

func (o *options) num(name string, def float64) float64 {
	s := o.str(name, "")
	if s == "" {
		return def
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("option %s=%s is not a number", name, s)
	}
	return v
}

func (o *options) whole(name string, def, least int) int {
	v := o.num(name, float64(def))
	if (v != float64(int(v)) || int(v) < least) && o.err == nil {
		o.err = fmt.Errorf("option %s=%v must be a whole number of at least %d", name, v, least)
	}
	return int(v)
}

func (o *options) list(name string) []float32 {
	s := o.str(name, "")
	if s == "" {
		return nil
	}
	var out []float32
	for _, w := range strings.Split(s, ",") {
		v, err := strconv.ParseFloat(w, 32)
		if err != nil && o.err == nil {
			o.err = fmt.Errorf("option %s=%s is not a list of numbers", name, s)
		}
		out = append(out, float32(v))
	}
	return out
}

// finish applies the options that every kind has.
func (d *Data) finish(o *options) error {
	names := map[string]Norm{"raw": Raw, "unit": Unit, "imagenet": ImageNet, "cifar10": CIFAR10, "mnist": MNIST}
	if n := o.str("norm", ""); n != "" {
		v, ok := names[n]
		if !ok {
			return fmt.Errorf("there is no normalisation %q: use imagenet, cifar10, mnist, unit or raw", n)
		}
		d.Norm, d.NormName = v, n
	}
	mean, std := o.list("mean"), o.list("std")
	if mean != nil || std != nil {
		if mean == nil || std == nil || len(mean) != len(std) {
			return errors.New("mean and std must be given together, a number for each channel")
		}
		for _, s := range std {
			if !(s > 0) {
				return fmt.Errorf("std %v is not positive", std)
			}
		}
		d.Norm, d.NormName = Norm{1. / 255, mean, std}, "given"
	}
	val, seed := o.num("val", 0), uint64(o.whole("seed", 1, 0))
	n, tn := o.whole("n", 1<<40, 1), o.whole("test_n", 1<<40, 1)
	if o.err != nil {
		return o.err
	}
	for k := range o.q {
		if !slices.Contains(o.used, k) {
			return fmt.Errorf("there is no option %q here", k)
		}
	}
	if val != 0 {
		if d.Train == nil || d.Val != nil {
			return errors.New("val= needs a training set that has no validation set of its own")
		}
		var err error
		if d.Train, d.Val, err = d.Train.Split(val, seed); err != nil {
			return err
		}
	}
	if d.Train != nil {
		d.Train = d.Train.First(n)
	}
	if d.Test != nil {
		d.Test = d.Test.First(tn)
	}
	classes := 0
	for _, s := range []*Set{d.Train, d.Val, d.Test} {
		if s != nil {
			classes = max(classes, s.Classes)
		}
	}
	for name, s := range map[string]*Set{"training": d.Train, "validation": d.Val, "test": d.Test} {
		if s == nil {
			continue
		}
		s.Name, s.Classes = name, classes
		if s.Len() == 0 {
			return fmt.Errorf("the %s set is empty", name)
		}
	}
	if d.Train == nil && d.Test == nil {
		return errors.New("no samples were found")
	}
	return nil
}

// Eval is the set to measure on: the test set, else validation, else training.
func (d *Data) Eval() *Set {
	for _, s := range []*Set{d.Test, d.Val, d.Train} {
		if s != nil {
			return s
		}
	}
	return nil
}

// detect finds the kind of a bare path.
func detect(path string) (string, string, error) {
	if _, ok := kinds[path]; ok && (path == "digits" || path == "glyph") {
		return path, "", nil
	}
	st, err := os.Stat(path)
	if err != nil {
		return "", "", fmt.Errorf("%w (and it is no kind of data either: see the help)", err)
	}
	has := func(p string) bool { m, _ := filepath.Glob(filepath.Join(path, p)); return len(m) > 0 }
	if st.IsDir() {
		switch {
		case has("data_batch_*.bin") || has("test_batch.bin"):
			return "cifar10", path, nil
		case has("train.bin") && has("test.bin"):
			return "cifar100", path, nil
		case has("*-images-idx3-ubyte*") || has("*-images*idx3*"):
			return "mnist", path, nil
		case has("test.png") && has("test.labels"):
			return "tiles", path, nil
		case has("*/*.png") || has("*/*.jpg") || has("*/*.jpeg") || has("*/*/*.png") || has("*/*/*.jpg") || has("*/*/*.jpeg"):
			return "folder", path, nil
		}
		return "", "", fmt.Errorf("folder %s holds none of: data_batch_*.bin, *-images-idx3-ubyte, test.png with test.labels, folders of images", path)
	}
	switch name := strings.ToLower(strings.TrimSuffix(path, ".gz")); filepath.Ext(name) {
	case ".csv":
		return "csv", path, nil
	case ".npz":
		return "npz", path, nil
	case ".zip":
		return "zip", path, nil
	case ".parquet":
		return "parquet", path, nil
	case ".txt":
		return "text", path, nil
	}
	return "", "", fmt.Errorf("the kind of %s is not obvious: write KIND:%s", path, path)
}

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

// two splits PATH,PATH.
func two(path, what string) (string, string, error) {
	a, b, ok := strings.Cut(path, ",")
	if !ok || a == "" || b == "" {
		return "", "", fmt.Errorf("%q is not %s", path, what)
	}
	return a, b, nil
}

func openIDX(d *Data, path string, o *options) error {
	d.Norm, d.NormName = MNIST, "mnist"
	a, b, err := two(path, "IMAGES,LABELS")
	if err != nil {
		return err
	}
	d.Train, err = readIDXPair(a, b)
	return err
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
	a, b, err := two(path, "PNG,LABELS")
	if err != nil {
		return err
	}
	d.Train, err = readTiles(a, b, size)
	return err
}

func openCSV(d *Data, path string, o *options) error {
	d.Norm, d.NormName = Raw, "none"
	var err error
	d.Train, err = readCSV(path, o.str("label", "last"))
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
