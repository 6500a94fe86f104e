package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pare/tokenizer"
)

// Data is what a data specification names: any of the sets may be nil.
type Data struct {
	Spec             string
	Train, Val, Test *Set
	Norm             Norm
	NormName         string
	Notes            []string // what was assumed, chosen or left out: to be said where the data is used

	bound   int64  // bytes that samples may take in memory; 0: as many as there are
	cache   *cache // of parts of streams, where there are more
	byClass bool   // the files' order is by class
	fixed   bool   // the classes are a standard's
	scaled  bool   // the values are made for networks
	bgr     bool   // blue is the first of three channels
	fields  *fieldOptions
	speaks  *tokenizer.Tokenizer // of the model, for texts of which nothing else makes tokens

	words func(text string) ([]int32, error) // makes tokens of a text as those of the samples were made; nil: there are none
	lead  int                                // tokens that samples begin with, before their texts

	origins map[string]*Origin // of the parts
	found   fileParts          // that a pattern or a folder has named
	columns csvOptions         // of CSV files
	classes string             // the column of classes of Parquet files of pictures
}

// note says what was assumed; once.
func (d *Data) note(format string, a ...any) {
	if n := fmt.Sprintf(format, a...); !slices.Contains(d.Notes, n) {
		d.Notes = append(d.Notes, n)
	}
}

// sets are those that there are; the first decides for the others.
func (d *Data) sets() []*Set {
	var out []*Set
	for _, s := range []*Set{d.Train, d.Val, d.Test} {
		if s != nil {
			out = append(out, s)
		}
	}
	return out
}

// Help explains the syntax of data specifications.
const Help = `A data set is written KIND:PATH?OPTION=VALUE&…, or just PATH where the kind is obvious.

  digits                       1,797 8x8 digits, built in
  shakespeare?seq=64           400 kB of his plays, built in: each sample seq bytes and those that follow
  glyph?protos=4&noise=0.6     generated 8x8 images (also n=2000&test=2000&seed=1)
  cifar10:DIR  cifar100:DIR    the official binary files (data_batch_*.bin, test_batch.bin; label=fine|coarse)
  mnist:DIR                    idx files named train-images… and t10k-… (.gz or not)
  idx:IMAGES,LABELS            two idx files (,IMAGES,LABELS: those of the test set)
  tiles:PNG,LABELS?size=32     square tiles in one PNG, labels one byte each
  csv:FILES?label=last         numbers; the class column is first, last, a number or a name (.gz or not;
                               also sep=,|;|tab, header=yes|no, skip=COLUMN,… for columns that are no values)
  npz:FILES?x=x&y=y            arrays of NumPy (x_test and y_test are the test set where present)
  npy:X,Y                      two arrays of NumPy (,X,Y: those of the test set; layout=nhwc|nchw for both kinds)
  npy:DIR                      each array in a folder is a field (x_test.npy or test/x.npy: of the test set)
  folder:DIR                   images in one folder a class, or train/ and test/ (val/) with such folders; images
                               in no folder have no labels, or those of labels.csv (labels=none, labels=FILE.csv)
  zip:FILE                     the same in a zip file
  pairs:DIR                    images/ and, of the same names, masks/ whose values are classes, with or in train/ and
                               test/ (image=FOLDER&mask=FOLDER; target=image: the others are pictures too)
  table:FILES                  a CSV file that names images, in its folder (images=DIR), and has their fields
  parquet:FILES                columns with images (bytes) and classes (image=COLUMN&label=COLUMN), or any columns
  jsonl:FILES                  JSON objects, one after another: what they name are fields (.gz or not)
  lines:FILES?tokenizer=FILE   a text of which each line is a sample, without labels
  text:FILE?seq=64             bytes of a text, or tokens (tokenizer=FILE), each sample seq of them and those that follow

FILES are FILE, TRAIN,TEST or TRAIN,VAL,TEST, where each can be a pattern such as part-*.parquet, or a folder whose
files are named by their parts (train.npz, data/test-00000-of-00002.parquet, val/x.csv).

A sample is a record of fields. Where a file is not samples with one class for each, its arrays or columns are fields of
their own names; whole numbers named label, class, target or y are classes. With more words:
  fields=all      npz, parquet: every array or column is a field, even where it could be samples with classes
  target=A,B..D   csv, table: these columns are what is predicted: numbers the field "target", words classes
  ints=A,B        these columns are fields of whole numbers, such as users and items; field:NAME=A,B makes a field
                  of columns; fields=columns: each is one; label=none: there is no class
  pad=0&length=N  jsonl, parquet: shorter lists are filled up to the longest, or to N, and longer ones cut
                  (pad=COLUMN:VALUE,… for some; masks=COLUMN,… adds COLUMN_mask, 1 where nothing is filled up)
  tokenizer=FILE  jsonl, parquet, csv, lines, text: a tokenizer.json of Hugging Face makes tokens of a text: the fields
                  input_ids and attention_mask of length=N (types=yes: token_type_ids too; text=COLUMN names the
                  text, text=FIRST,SECOND a pair)
  response=COLUMN jsonl, parquet, csv: what follows the instruction in text= (of two columns, the second is its input):
                  the fields input_ids and next, the tokens that follow, which count where they are the response
                  (template=alpaca, or plain: nothing stands around the texts)

Images of folder, zip, pairs, table and parquet (PNG, JPEG, WebP, GIF, BMP, TIFF):
  channels=1|3    gray or colour for all (otherwise as the files are: colour where they are mixed)
  resize=N        the shorter side is resized to N pixels; resize=HxW (or size=HxW): to one size
  filter=bilinear|bicubic|nearest        how, by Pillow's rules (the first two with antialias)
  crop=N          the centre is cut out, N or HxW pixels
  order=bgr       blue is the first channel
  exif=ignore     images are not turned upright by their EXIF orientation
  corrupt=skip    images that cannot be read are left out, unless they are more than half
in training only, drawn anew for each sample in each epoch from the seed:
  train-crop=random|resized|centre       crop= is cut out anywhere; or from a part of any size, as torchvision's
                  RandomResizedCrop (scale=.08:1&ratio=.75:1.33; of what resize= has made, where it is given)
  flip=.5         left and right are exchanged, this often
  jitter=B,C,S,H  brightness, contrast, saturation by factors of 1-v to 1+v, hue by up to H turns (at most .5)
  erase=.25       a rectangle of 2 to 33 % of the area is filled with the mean, this often

Options of every kind:
  norm=imagenet|cifar10|mnist|unit|raw   how 0..255 becomes the network's input
  mean=.5,.5,.5&std=.25,.25,.25          the same by hand, of values scaled to 0..1
  val=0.1         part of the training set kept for validation (by seed, same share of every class)
  n=N  test_n=N   only N training (test) samples: the first, or drawn by seed where the order is by class
  base=1          class numbers are counted from 1 (they are kept as they are otherwise)
  classes=letters classes in the order of their names' letters, numbers too (10 before 2)
  seed=S          of splits, draws and generated data
  bind=INPUT=FIELD,…      the field, or the number, that an input of the network takes, where names do not say it
  class=FIELD,…   its whole numbers, or words, are classes;  plain=FIELD,… they are numbers
  values=0,255    the values that masks or classes have, in the order of their numbers;  ignore=255: of no class
  drop=FIELD,…  only=FIELD,…             fields that are left out, or kept alone`

// Options say how data is held.
type Options struct {
	// Memory is the bytes that samples may take: sets of more are streamed from their
	// files, where these can be read in parts; 0: all are held in memory.
	Memory int64
	// Tokenizer makes tokens of texts, lines and Shakespeare where the specification names
	// none; nil: texts are bytes there.
	Tokenizer *tokenizer.Tokenizer
}

// Open reads the data that a specification names into memory.
func Open(spec string) (*Data, error) { return Options{}.Open(spec) }

// Open reads the data that a specification names, or makes ready to stream it. The
// samples are the same; the order in which they are shuffled may not be (see
// Set.Shuffling).
func (o Options) Open(spec string) (*Data, error) {
	d := &Data{Spec: spec, bound: o.Memory, speaks: o.Tokenizer}
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("data %q: %w", spec, err)
	}
	return d, nil
}

func (d *Data) open() error {
	head, query, _ := strings.Cut(d.Spec, "?")
	o, err := parseOptions(query)
	if err != nil {
		return err
	}
	kind, path, ok := strings.Cut(head, ":")
	if !ok {
		kind, path = "", head
	}
	if kind == "" {
		if kind, path, err = detect(path); err != nil {
			return err
		}
	}
	open := kinds[kind]
	if open == nil {
		return fmt.Errorf("there is no kind %q%s: use %s", kind, meant(kind, Kinds()), strings.Join(Kinds(), " "))
	}
	if err := open(d, path, o); err != nil {
		return err
	}
	d.originate(kind)
	return d.finish(o)
}

type opener func(d *Data, path string, o *options) error

var kinds = map[string]opener{
	"digits": openDigits, "glyph": openGlyph, "shakespeare": openShakespeare, "cifar10": openCIFAR10, "cifar100": openCIFAR100, "mnist": openMNIST,
	"idx": openIDX, "tiles": openTiles, "csv": openCSV, "folder": openFolder, "text": openText,
	"npz": openNPZ, "npy": openNPY, "zip": openZip, "parquet": openParquet, "jsonl": openJSONL, "pairs": openPairs, "lines": openLines, "table": openTable,
}

// builtin are the kinds that need no file.
var builtin = []string{"digits", "glyph", "shakespeare"}

// Kinds lists what a specification can start with.
func Kinds() []string {
	var out []string
	for k := range kinds {
		if !slices.Contains(builtin, k) {
			k += ":"
		}
		out = append(out, k)
	}
	slices.Sort(out)
	return out
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
	if _, ok := kinds[path]; ok && slices.Contains(builtin, path) {
		return path, "", nil
	}
	st, err := os.Stat(path)
	if err != nil {
		return "", "", fmt.Errorf("%w, and it is not a kind of data either: use a path, or %s", err, strings.Join(Kinds(), " "))
	}
	has := func(p string) bool { m, _ := filepath.Glob(filepath.Join(path, p)); return len(m) > 0 }
	if st.IsDir() {
		switch {
		case has("data_batch_*.bin") || has("test_batch.bin") || has("cifar-10-batches-bin/*.bin"):
			return "cifar10", path, nil
		case has("train.bin") && has("test.bin") || has("cifar-100-binary/*.bin"):
			return "cifar100", path, nil
		case has("*-images*idx3*") || has("raw/*-images*idx3*") || has("MNIST/raw/*-images*idx3*"):
			return "mnist", path, nil
		case has("test.png") && has("test.labels"):
			return "tiles", path, nil
		case has("*/*.png") || has("*/*.jpg") || has("*/*.jpeg") || has("*/*/*.png") || has("*/*/*.jpg") || has("*/*/*.jpeg"):
			return "folder", path, nil
		}
		if t := newTree(path); t.walk(path, nil, nil) == nil && len(t.files) > 0 {
			return "folder", path, nil
		}
		return "", "", fmt.Errorf("folder %s holds none of: data_batch_*.bin, *-images-idx3-ubyte, test.png with test.labels, folders of images", path)
	}
	switch name := strings.ToLower(strings.TrimSuffix(path, ".gz")); filepath.Ext(name) {
	case ".csv", ".tsv":
		return "csv", path, nil
	case ".npz":
		return "npz", path, nil
	case ".zip":
		return "zip", path, nil
	case ".parquet":
		return "parquet", path, nil
	case ".jsonl", ".ndjson", ".json":
		return "jsonl", path, nil
	case ".txt":
		return "text", path, nil
	}
	return "", "", fmt.Errorf("the kind of %s is not obvious: write KIND:%s", path, path)
}
