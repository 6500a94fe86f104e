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
  idx:IMAGES,LABELS            two idx files (,IMAGES,LABELS: those of the test set)
  tiles:PNG,LABELS?size=32     square tiles in one PNG, labels one byte each
  csv:FILE[,TESTFILE]?label=last   numbers; the class column is first, last, a number or a name (.gz or not)
  npz:FILE?x=x&y=y             arrays of NumPy (x_test and y_test are the test set where present)
  npy:X,Y                      two arrays of NumPy (,X,Y: those of the test set)
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
		return nil, fmt.Errorf("data %q: there is no kind %q: use %s", spec, kind, strings.Join(Kinds(), " "))
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
	"npz": openNPZ, "npy": openNPY, "zip": openZip, "parquet": openParquet,
}

// Kinds lists what a specification can start with.
func Kinds() []string {
	var out []string
	for k := range kinds {
		if k != "digits" && k != "glyph" {
			k += ":"
		}
		out = append(out, k)
	}
	slices.Sort(out)
	return out
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
			slices.Sort(o.used)
			return fmt.Errorf("there is no option %q here: use %s", k, strings.Join(slices.Compact(o.used), ", "))
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
	d.sameClasses()
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

// sameClasses gives a class one number in all sets where classes have names: a
// part may lack some.
func (d *Data) sameClasses() {
	var sets []*Set
	var all []string
	differ := false
	for _, s := range []*Set{d.Train, d.Val, d.Test} {
		if s == nil || s.Names == nil {
			continue
		}
		sets = append(sets, s)
		differ = differ || !slices.Equal(s.Names, sets[0].Names)
		all = append(all, s.Names...)
	}
	if !differ {
		return
	}
	slices.SortStableFunc(all, func(a, b string) int {
		switch {
		case natural(a, b):
			return -1
		case natural(b, a):
			return 1
		}
		return 0
	})
	all = slices.Compact(all)
	for _, s := range sets {
		to := make([]int32, len(s.Names))
		for k, name := range s.Names {
			to[k] = int32(slices.Index(all, name))
		}
		s.Labels = slices.Clone(s.Labels)
		for i, l := range s.Labels {
			s.Labels[i] = to[l]
		}
		s.Names, s.Classes = all, len(all)
	}
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
		return "", "", fmt.Errorf("%w, and it is not a kind of data either: use a path, or %s", err, strings.Join(Kinds(), " "))
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
