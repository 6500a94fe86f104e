package interop

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/tensor"
	"pare/zoo"
)

// network is one to compare: of the zoo, or a file.
type network struct {
	Name string
	File string // "" for one of the zoo
	Opt  zoo.Options
}

// networks are every family of the zoo, narrow where the full width only takes
// time, and the files of PARE_DATA.
func networks(t *testing.T) []network {
	t.Helper()
	ns := []network{
		{"mlp:64-100-50-10", "", zoo.Options{}},
		{"lenet-300-100", "", zoo.Options{}},
		{"lenet-5", "", zoo.Options{}},
		{"conv-2", "", zoo.Options{Width: .25}},
		{"conv-4", "", zoo.Options{Width: .25}},
		{"conv-6", "", zoo.Options{Width: .25}},
		{"resnet20", "", zoo.Options{}},
		{"resnet56", "", zoo.Options{Width: .5}},
		{"resnet20-b", "", zoo.Options{}},
		{"wrn-16-2", "", zoo.Options{}},
		{"vgg11-bn", "", zoo.Options{Width: .25}},
		{"vgg16-bn", "", zoo.Options{Width: .25}},
		{"mobilenetv2", "", zoo.Options{Width: .5}},
		{"supernet-8", "", zoo.Options{In: []int{3, 16, 16}}},
		{"residual-mlp-3-20", "", zoo.Options{In: []int{1, 8, 8}}},
		{"vit-tiny", "", zoo.Options{}},
		{"experts-2-16-4", "", zoo.Options{In: []int{12}, Classes: 5}},
		{"gpt-tiny", "", zoo.Options{In: []int{24}}}, {"gpt-2-24-3", "", zoo.Options{In: []int{9}}},
		{"resnet50-imagenet", "", zoo.Options{In: []int{3, 64, 64}, Width: .25, Classes: 10}},
		{"bert-2-48-3", "", zoo.Options{In: []int{20}, Classes: 256}},
		{"bert-2-48-3-classifier", "", zoo.Options{In: []int{20}, Classes: 4, Tables: []int{256}}},
		{"cnn-8", "", zoo.Options{In: []int{3, 16, 16}, Classes: 10}},
		{"cnn-8-sigmoid", "", zoo.Options{In: []int{3, 16, 16}, Classes: 6}},
		{"cnn-8-embedding", "", zoo.Options{In: []int{3, 16, 16}, Classes: 12}},
		{"unet-4", "", zoo.Options{In: []int{3, 24, 24}, Classes: 4}},
		{"ssd-8", "", zoo.Options{In: []int{3, 32, 32}, Classes: 3}},
		{"regressor-2-32", "", zoo.Options{In: []int{12}, Classes: 3}},
		{"espcn-2", "", zoo.Options{In: []int{1, 12, 12}}},
		{"lstm-1-24", "", zoo.Options{In: []int{16, 3}, Classes: 6}},
		{"ncf-16", "", zoo.Options{Tables: []int{250, 250}}},
		{"image-table-8-6", "", zoo.Options{In: []int{3, 16, 16}, Classes: 5}},
	}
	for _, f := range zoo.Families() { // a new family is not forgotten
		pattern := "^" + strings.NewReplacer("<n>-…", ".*", "<n>", "[0-9]+").Replace(f.Name) + "$"
		if !slices.ContainsFunc(ns, func(n network) bool { return regexp.MustCompile(pattern).MatchString(n.Name) }) {
			t.Errorf("family %s is not compared", f.Name)
		}
	}
	return append(ns, files(t)...)
}

// files are the models of PARE_DATA.
func files(t *testing.T) []network {
	t.Helper()
	data := os.Getenv("PARE_DATA")
	if data == "" {
		t.Log("PARE_DATA is not set: only the zoo is compared")
		return nil
	}
	paths, _ := filepath.Glob(filepath.Join(data, "models", "*.onnx"))
	if len(paths) == 0 {
		t.Fatalf("PARE_DATA=%s has no models/*.onnx", data)
	}
	var ns []network
	for _, p := range paths {
		ns = append(ns, network{Name: strings.TrimSuffix(filepath.Base(p), ".onnx"), File: p})
	}
	return ns
}

// graph reads or builds the network. One of the zoo gets statistics and scales
// of normalisation, and an attention, that are not those of a fresh network.
func (n network) graph(t *testing.T) *graph.Graph {
	t.Helper()
	if n.File != "" {
		g, err := onnx.Load(n.File)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	o := n.Opt
	o.Seed = 5
	g, err := zoo.New(n.Name, o)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	move := func(v *graph.Value, by func() float64) {
		for i := range v.Const.F32() {
			v.Const.F32()[i] += float32(by())
		}
	}
	for _, v := range g.Params() {
		if len(v.Shape) == 1 {
			move(v, func() float64 { return .2 * r.NormFloat64() })
		}
		// Fresh transformers attend to all tokens nearly alike, and the gradients
		// of what is asked are differences of nearly equal numbers.
		if strings.HasSuffix(v.Name, ".attn.q.weight") || strings.HasSuffix(v.Name, ".attn.k.weight") {
			for i := range v.Const.F32() {
				v.Const.F32()[i] *= 8
			}
		}
	}
	for _, n := range g.Nodes {
		if n.Is("BatchNormalization") {
			move(n.In(3), func() float64 { return .2 * r.NormFloat64() })
			move(n.In(4), func() float64 { return r.Float64() - .5 })
		}
	}
	return g
}

// pared is the network as the command line prunes it: read, simplified and
// classified.
func (n network) pared(t *testing.T) *graph.Graph {
	t.Helper()
	g := n.graph(t)
	if _, err := op.Simplify(g); err != nil {
		t.Fatalf("%s: %v", n.Name, err)
	}
	op.Classify(g)
	return g
}

// sample fills an input of a network, the same for the same seed: normal
// deviates, or symbols below 250 of each network's alphabet.
func sample(in *tensor.Tensor, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 9))
	switch x := in.Data.(type) {
	case []float32:
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
	case []int32:
		for i := range x {
			x[i] = int32(r.IntN(250))
		}
	case []int64:
		for i := range x {
			x[i] = int64(r.IntN(250))
		}
	}
}

// sizes binds the symbols of the inputs to a batch.
func sizes(g *graph.Graph, batch int) map[string]int {
	s := map[string]int{}
	for _, in := range g.Inputs {
		for _, d := range in.Shape {
			if !d.Known() {
				s[d.Sym] = batch
			}
		}
	}
	return s
}

// inputs are samples for every input of the network.
func inputs(t *testing.T, g *graph.Graph, batch int) map[string]*tensor.Tensor {
	t.Helper()
	m := map[string]*tensor.Tensor{}
	for i, in := range g.Inputs {
		shape, ok := in.Shape.Bind(sizes(g, batch)).Ints()
		if !ok {
			t.Fatalf("input %s has shape %v", in.Name, in.Shape)
		}
		m[in.Name] = tensor.New(in.DType, shape...)
		sample(m[in.Name], uint64(i))
	}
	return m
}

// pare runs the network in Pare's engine, frozen, and gives its outputs.
func pare(g *graph.Graph, in map[string]*tensor.Tensor, batch int) (outs [][]float32, err error) {
	p, err := engine.Compile(g, sizes(g, batch), engine.Options{Threads: 2, Freeze: true})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	for name, x := range in {
		to := p.Input(name)
		if to == nil {
			return nil, fmt.Errorf("the program has no input %q", name)
		}
		switch d := x.Data.(type) {
		case []float32:
			copy(tensor.Of[float32](to), d)
		case []int32:
			copy(tensor.Of[int32](to), d)
		case []int64:
			copy(tensor.Of[int64](to), d)
		}
	}
	if err := p.Run(); err != nil {
		return nil, err
	}
	for _, name := range p.OutputNames() {
		outs = append(outs, append([]float32{}, p.Output(name).F32()...))
	}
	return outs, nil
}
