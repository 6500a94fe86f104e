package zoo

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"pare/graph"
)

// Options of a network. Zero values stand for the family's defaults.
type Options struct {
	Classes int     // outputs
	In      []int   // size of one sample: [channels height width], [features] or [tokens]
	Seed    uint64  // of the initial weights
	Width   float64 // multiplies the number of channels; 0 is 1
	Most    int     // bytes that weights may take; 0: 16 GiB
	Tables  []int   // rows of tables that whole numbers are looked up in: a vocabulary; users and items
}

// width scales a number of channels, at least 1.
func (o Options) width(c int) int {
	if o.Width == 0 {
		return c
	}
	return max(1, int(math.Round(float64(c)*o.Width)))
}

// Family describes networks that New can build.
type Family struct {
	Name  string // as New takes it; <n> stands for a number
	Doc   string
	build func(o Options, args []int) (*graph.Graph, error)
	def   int // default classes
}

var families = []Family{
	{"mlp:<n>-<n>-…", "fully connected layers of the given sizes", func(o Options, a []int) (*graph.Graph, error) {
		if len(a) > 0 && o.Classes != 0 && a[len(a)-1] != o.Classes {
			return nil, fmt.Errorf("the last layer has %d outputs, the data %d classes", a[len(a)-1], o.Classes)
		}
		return mlp(o, "mlp", a...)
	}, 0},
	// LeCun et al. 1998
	{"lenet-300-100", "784-300-100-10, 266,610 parameters", func(o Options, a []int) (*graph.Graph, error) {
		n := 784
		if o.In != nil {
			n = product(o.In)
		}
		return mlp(o, "lenet-300-100", n, 300, 100, o.Classes)
	}, 10},
	// LeCun et al. 1998; Caffe's sizes
	{"lenet-5", "two convolutions and two layers, 431,080 parameters", func(o Options, a []int) (*graph.Graph, error) { return leNet5(o) }, 10},
	// Frankle & Carbin 2019
	{"conv-<n>", "2, 4 or 6 convolutions with max-pooling", func(o Options, a []int) (*graph.Graph, error) { return convN(o, a[0]) }, 10},
	// He et al. 2016
	{"resnet<n>-b", "ResNet for 32x32 with projection shortcuts", func(o Options, a []int) (*graph.Graph, error) { return resNet(o, a[0], true) }, 10},
	// He et al. 2016
	{"resnet<n>", "ResNet for 32x32 (20, 32, 44, 56, 110) with parameter-free shortcuts", func(o Options, a []int) (*graph.Graph, error) { return resNet(o, a[0], false) }, 10},
	// He et al. 2016
	{"resnet<n>-imagenet", "ResNet for 224x224 (50, 101, 152) of bottleneck blocks", func(o Options, a []int) (*graph.Graph, error) { return bottleneckResNet(o, a[0]) }, 1000},
	// Zagoruyko & Komodakis 2016
	{"wrn-<n>-<n>", "wide ResNet of depth and width", func(o Options, a []int) (*graph.Graph, error) { return wideResNet(o, a[0], a[1]) }, 10},
	// Simonyan & Zisserman 2015
	{"vgg<n>-bn", "VGG for 32x32 (11, 13, 16, 19) with batch normalisation and one classifier", func(o Options, a []int) (*graph.Graph, error) { return vgg(o, a[0]) }, 10},
	// Sandler et al. 2018
	{"mobilenetv2", "inverted residuals; small inputs keep their size longer", func(o Options, a []int) (*graph.Graph, error) { return mobileNetV2(o) }, 10},
	// You et al. 2022
	{"supernet-<n>", "five blocks from a width, of parallel branches with depthwise convolutions of 3, 5 and 7: to search in", func(o Options, a []int) (*graph.Graph, error) { return superNet(o, a[0]) }, 10},
	// Dosovitskiy et al. 2021
	{"vit-tiny", "vision transformer: patches of 4, width 96, 4 blocks, 3 heads", func(o Options, a []int) (*graph.Graph, error) { return viT(o, 4, 96, 4, 3) }, 10},
	// Devlin et al. 2019
	{"bert-<n>-<n>-<n>", "encoder of <layers>-<width>-<heads> over 128 int64 tokens (12-768-12 is BERT-base, 6-384-12 MiniLM); gives its last states", func(o Options, a []int) (*graph.Graph, error) { return bert(o, a[0], a[1], a[2]) }, 30522},
	// Devlin et al. 2019
	{"bert-<n>-<n>-<n>-classifier", "the same over input_ids and attention_mask, with a classifier on the first token", func(o Options, a []int) (*graph.Graph, error) { return bertClassifier(o, a[0], a[1], a[2]) }, 2},
	// Radford et al. 2019
	{"gpt-tiny", "language model over int64 tokens: width 128, 4 blocks, 4 heads, context 64", func(o Options, a []int) (*graph.Graph, error) { return gpt(o, 4, 128, 4) }, 256},
	{"gpt-<n>-<n>-<n>", "the same of <layers>-<width>-<heads>", func(o Options, a []int) (*graph.Graph, error) { return gpt(o, a[0], a[1], a[2]) }, 256},
	{"cnn-<n>", "five convolutions from a width to four times as many, with batch normalisation", func(o Options, a []int) (*graph.Graph, error) { return cnn(o, "cnn", a[0], classes(o.Classes)) }, 10},
	{"cnn-<n>-sigmoid", "the same; gives probabilities of attributes that are present or not", func(o Options, a []int) (*graph.Graph, error) {
		return cnn(o, "cnn-sigmoid", a[0], attributes(o.Classes))
	}, 8},
	{"cnn-<n>-embedding", "the same; gives a vector of length 1", func(o Options, a []int) (*graph.Graph, error) {
		return cnn(o, "cnn-embedding", a[0], embedding(o.Classes))
	}, 32},
	{"image-table-<n>-<n>", "<width>-<columns>: the cnn over an image beside two layers over a row of a table", func(o Options, a []int) (*graph.Graph, error) { return imageTable(o, a[0], a[1]) }, 10},
	// Liu et al. 2016
	{"ssd-<n>", "detector of one stage and two scales from a width; gives boxes and scores", func(o Options, a []int) (*graph.Graph, error) { return ssd(o, a[0]) }, 3},
	// Ronneberger et al. 2015
	{"unet-<n>", "U-Net of three levels from a width; gives classes of pixels", func(o Options, a []int) (*graph.Graph, error) { return uNet(o, a[0]) }, 2},
	// Shi et al. 2016
	{"espcn-<n>", "makes images <n> times as large", func(o Options, a []int) (*graph.Graph, error) { return espcn(o, a[0]) }, 1},
	{"residual-mlp-<n>-<n>", "<blocks>-<width>: a layer, blocks h + relu(W h + b), a classifier", func(o Options, a []int) (*graph.Graph, error) { return residualMLP(o, a[0], a[1]) }, 10},
	// Shazeer et al. 2017
	{"experts-<n>-<n>-<n>", "<blocks>-<width>-<experts>: a layer, blocks h + what two of so many experts make of h, each of two layers, a classifier", func(o Options, a []int) (*graph.Graph, error) { return experts(o, a[0], a[1], a[2]) }, 10},
	{"regressor-<n>-<n>", "<layers>-<width>: a perceptron that gives numbers", func(o Options, a []int) (*graph.Graph, error) { return regressor(o, a[0], a[1]) }, 1},
	// Hochreiter & Schmidhuber 1997
	{"lstm-<n>-<n>", "<layers>-<width>: gives numbers from the last state of a series [steps features]", func(o Options, a []int) (*graph.Graph, error) { return lstm(o, a[0], a[1]) }, 1},
	// He, Liao et al. 2017
	{"ncf-<n>", "score of a user and an item by vectors of a width", func(o Options, a []int) (*graph.Graph, error) { return ncf(o, a[0]) }, 1},
}

// Families lists what New can build.
func Families() []Family { return families }

// New builds a network by name. It returns an error that lists the names where
// it knows none like it, and, before memory is taken, where it would be too large.
func New(name string, o Options) (*graph.Graph, error) {
	if o.Classes < 0 || o.Width < 0 || math.IsNaN(o.Width) {
		return nil, fmt.Errorf("%d classes, width %v: neither may be negative", o.Classes, o.Width)
	}
	for _, f := range families {
		args, ok := match(f.Name, name)
		if !ok {
			continue
		}
		if o.Classes == 0 {
			o.Classes = f.def
		}
		g, err := f.within(name, o, args)
		if g != nil {
			g.Usage.Drawn = true
		}
		return g, err
	}
	var names []string
	for _, f := range families {
		names = append(names, f.Name)
	}
	return nil, fmt.Errorf("unknown network %q: there are %s", name, strings.Join(names, ", "))
}

// within builds a network, unless it would be larger than it may be, or its samples are
// too small for it.
func (f Family) within(name string, o Options, args []int) (g *graph.Graph, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case tooLarge:
			err = fmt.Errorf("network %q is too large: up to weight %q it has more than %d bytes or %d weights, which are allowed", name, string(r), cmp.Or(o.Most, defaultMost), mostWeights)
		case unfit:
			err = fmt.Errorf("network %q does not take samples of %v: its layers shrink them to nothing; give larger ones, or another network", name, o.In)
		default:
			panic(r)
		}
	}()
	return f.build(o, args)
}

// match reads the numbers of a name by its pattern.
func match(pattern, name string) ([]int, bool) {
	if head, ok := strings.CutPrefix(pattern, "mlp:"); ok && head != "" {
		rest, ok := strings.CutPrefix(name, "mlp:")
		if !ok {
			return nil, false
		}
		var out []int
		for _, w := range strings.Split(rest, "-") {
			n, err := strconv.Atoi(w)
			if err != nil {
				return nil, false
			}
			out = append(out, n)
		}
		return out, true
	}
	var out []int
	for {
		i := strings.Index(pattern, "<n>")
		if i < 0 {
			return out, pattern == name
		}
		if !strings.HasPrefix(name, pattern[:i]) {
			return nil, false
		}
		name, pattern = name[i:], pattern[i+3:]
		k := 0
		for k < len(name) && name[k] >= '0' && name[k] <= '9' {
			k++
		}
		n, err := strconv.Atoi(name[:k])
		if err != nil {
			return nil, false
		}
		out = append(out, n)
		name = name[k:]
	}
}
