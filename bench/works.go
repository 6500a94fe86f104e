package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"pare/engine"
	"pare/graph"
	"pare/internal/kernel"
	"pare/onnx"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

type prepared = func(threads int) (run func() error, done func(), err error)

// works lists everything that is measured; dir is for the files that peers read, python has the
// peers.
func works(dir, python string) []work {
	var all []work
	all = append(all, products()...)
	all = append(all, convolutions()...)
	all = append(all, training()...)
	all = append(all, inference(dir)...)
	all = append(all, opening(dir)...)
	all = append(all, sparse(dir)...)
	all = append(all, layers(dir)...)
	all = append(all, patterned()...)
	all = append(all, structured()...)
	all = append(all, quantised(dir, python)...)
	all = append(all, sparseTraining()...)
	all = append(all, movingMasks()...)
	all = append(all, operatorWorks(dir)...)
	return all
}

func random(n int) []float32 {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// pooled makes work of a kernel.
func pooled(f func(p *kernel.Pool)) prepared {
	return func(threads int) (func() error, func(), error) {
		p := kernel.NewPool(threads)
		return func() error { f(p); return nil }, p.Close, nil
	}
}

func products() []work {
	var ws []work
	for _, s := range []struct {
		m, n, k int
		ta, tb  bool
	}{
		{256, 256, 256, false, false}, {512, 512, 512, false, false}, {1024, 1024, 1024, false, false}, {2048, 2048, 2048, false, false},
		{2048, 128, 128, false, false}, {2048, 384, 128, false, false}, {2048, 512, 128, false, false}, {2048, 128, 512, false, false},
		{128, 768, 768, false, false}, {128, 3072, 768, false, false}, {128, 768, 3072, false, false}, {64, 300, 784, false, true},
		{128, 512, 2048, true, false}, {2048, 128, 512, false, true}, {1, 768, 768, false, false},
	} {
		g := &kernel.GemmTask{TransA: s.ta, TransB: s.tb, M: s.m, N: s.n, K: s.k, Lda: s.k, Ldb: s.n, Ldc: s.n}
		name := fmt.Sprintf("%dx%dx%d", s.m, s.n, s.k)
		if s.ta {
			g.Lda, name = s.m, name+" A'"
		}
		if s.tb {
			g.Ldb, name = s.k, name+" B'"
		}
		ws = append(ws, work{Group: "sgemm", Name: name, Peer: "OpenBLAS", Bar: .97,
			ours: func(threads int) (func() error, func(), error) {
				g.A, g.B, g.C = random(s.m*s.k), random(s.k*s.n), make([]float32, s.m*s.n)
				return pooled(g.Run)(threads)
			},
			theirs: map[string]any{"kind": "gemm", "m": s.m, "n": s.n, "k": s.k, "ta": s.ta, "tb": s.tb}})
	}
	return ws
}

func convolutions() []work {
	var ws []work
	for _, s := range []struct{ batch, ci, co, hw, k, stride, groups int }{
		{64, 3, 16, 32, 3, 1, 1}, {64, 16, 16, 32, 3, 1, 1}, {64, 16, 32, 32, 3, 2, 1}, {64, 32, 32, 16, 3, 1, 1}, {64, 64, 64, 8, 3, 1, 1},
		{4, 3, 64, 224, 7, 2, 1}, {4, 64, 64, 56, 1, 1, 1}, {4, 64, 64, 56, 3, 1, 1}, {4, 64, 256, 56, 1, 1, 1}, {4, 128, 128, 56, 3, 2, 1},
		{4, 256, 512, 56, 1, 2, 1}, {4, 256, 256, 14, 3, 1, 1}, {4, 1024, 256, 14, 1, 1, 1}, {4, 512, 512, 7, 3, 1, 1}, {4, 2048, 512, 7, 1, 1, 1},
		{4, 96, 96, 112, 3, 2, 96}, {4, 144, 144, 56, 3, 1, 144}, {4, 384, 384, 14, 3, 1, 384}, {4, 24, 144, 56, 1, 1, 1}, {4, 320, 1280, 7, 1, 1, 1},
		{8, 64, 64, 28, 3, 1, 8}, {8, 17, 23, 19, 3, 1, 1}, {8, 10, 27, 31, 5, 1, 1},
	} {
		pad := (s.k - 1) / 2
		c := kernel.Conv{N: s.batch, H: s.hw, W: s.hw, CI: s.ci, CO: s.co, KH: s.k, KW: s.k, StrideH: s.stride, StrideW: s.stride, DilH: 1, DilW: 1,
			PadT: pad, PadL: pad, PadB: pad, PadR: pad, Groups: s.groups}
		name := fmt.Sprintf("%dx%d/%d %d-%d at %d", s.k, s.k, s.stride, s.ci, s.co, s.hw)
		if s.groups > 1 {
			name += fmt.Sprintf(" groups %d", s.groups)
		}
		for _, pass := range []string{"forward", "dx", "dw"} {
			job := map[string]any{"kind": "conv", "pass": pass, "conv": c}
			ws = append(ws, work{Group: "conv " + pass, Name: name, Peer: "PyTorch", Bar: .95, ours: convolution(c, pass), theirs: job})
		}
	}
	return ws
}

func convolution(c kernel.Conv, pass string) prepared {
	return func(threads int) (func() error, func(), error) {
		x, y, w := random(c.N*c.H*c.W*c.CI), random(c.N*c.OutH()*c.OutW()*c.CO), random(c.KH*c.KW*c.CI/c.Groups*c.CO)
		f := (&kernel.ConvTask{Conv: c, X: x, Wt: w, Y: y}).Run
		switch pass {
		case "dx":
			f = (&kernel.ConvInputGradTask{Conv: c, DY: y, Wt: w, DX: x}).Run
		case "dw":
			f = (&kernel.ConvWeightGradTask{Conv: c, X: x, DY: y, DW: w}).Run
		}
		return pooled(f)(threads)
	}
}

// step prepares a training step with SGD and momentum. masks are of parameters by
// name, and may be nil.
func step(g *graph.Graph, batch int, masks map[string][]uint64) prepared {
	return func(threads int) (func() error, func(), error) {
		s, err := train.NewStep(g, batch, train.Loss{}, engine.Options{Threads: threads})
		if err != nil {
			return nil, nil, err
		}
		for _, p := range s.Params {
			if m := masks[p.Name]; m != nil {
				if err := s.Mask(p, m); err != nil {
					return nil, nil, err
				}
			}
		}
		fill(s.Input())
		o := train.SGD{Momentum: .9}
		for _, p := range s.Params {
			p.State = [][]float32{make([]float32, len(p.W))}
		}
		n := 0
		return func() error {
			_, err := s.Run()
			for _, p := range s.Params {
				o.Step(p, 1e-5, n)
			}
			n++
			s.MoveStats()
			return err
		}, s.Close, nil
	}
}

func training() []work {
	var ws []work
	for _, c := range []struct {
		net   string
		batch int
		bar   float64
	}{{"resnet20", 128, 1.1}, {"lenet-300-100", 64, 1}, {"gpt-tiny", 32, 1}, {"mobilenetv2", 64, 1}, {"vit-tiny", 64, 1}} {
		ws = append(ws, work{Group: "training step", Name: fmt.Sprintf("%s, batch %d", c.net, c.batch), Peer: "PyTorch", Bar: c.bar,
			ours: func(threads int) (func() error, func(), error) {
				g, err := zoo.New(c.net, zoo.Options{Seed: 1})
				if err != nil {
					return nil, nil, err
				}
				return step(g, c.batch, nil)(threads)
			},
			theirs: map[string]any{"kind": "train", "net": c.net, "batch": c.batch}})
	}
	return ws
}

// fill writes noise, or small numbers where the tensor holds integers.
func fill(t *tensor.Tensor) {
	switch x := t.Data.(type) {
	case []float32:
		copy(x, random(len(x)))
	case []int64:
		for i := range x {
			x[i] = int64(i * 7 % 100)
		}
	}
}

// frozen prepares inference.
func frozen(g *graph.Graph, batch int) prepared {
	return func(threads int) (func() error, func(), error) {
		p, err := engine.Compile(g, map[string]int{"N": batch}, engine.Options{Threads: threads, Freeze: true, Consume: true})
		if err != nil {
			return nil, nil, err
		}
		fill(p.Input(g.Inputs[0].Name))
		return p.Run, p.Close, nil
	}
}

// network builds a network of the zoo with a share of its weights zero: all of
// the same share, none in the first layer and in embeddings.
func network(name string, sparsity float64) (*graph.Graph, error) {
	o := zoo.Options{Seed: 1}
	switch name {
	case "mobilenetv2-224":
		name, o.In, o.Classes = "mobilenetv2", []int{3, 224, 224}, 1000
	case "bert-12-768-12", "bert-6-384-12":
		o.Classes = 1000 // the table of tokens is only looked up
	}
	g, err := zoo.New(name, o)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(2, 3))
	skipped := sparsity == 0
	for _, p := range g.Params() {
		if p.Const.Rank() < 2 || p.Name == "position" || p.Name == "token.weight" || sparsity == 0 {
			continue
		}
		if !skipped && p.Const.Rank() == 4 {
			skipped = true
			continue
		}
		for i := range p.Const.F32() {
			if r.Float64() < sparsity {
				p.Const.F32()[i] = 0
			}
		}
	}
	return g, nil
}

// file writes a network once.
func file(dir, name string) string {
	path := filepath.Join(dir, name+".onnx")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	g, err := network(name, 0)
	if err == nil {
		err = onnx.Save(path, g, onnx.Options{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	return path
}

type lazily func() string

// MarshalJSON makes the file when a peer asks for it.
func (f lazily) MarshalJSON() ([]byte, error) { return []byte(fmt.Sprintf("%q", f())), nil }

func inference(dir string) []work {
	var ws []work
	for _, c := range []struct {
		net   string
		batch int
	}{{"lenet-300-100", 1}, {"lenet-300-100", 64}, {"resnet20", 1}, {"resnet20", 128}, {"resnet50-imagenet", 1}, {"mobilenetv2-224", 1}, {"bert-12-768-12", 1}, {"bert-6-384-12", 1}} {
		ws = append(ws, work{Group: "inference", Name: fmt.Sprintf("%s, batch %d", c.net, c.batch), Peer: "ONNX Runtime", Bar: .98,
			ours:   inferring(c.net, c.batch, 0),
			theirs: map[string]any{"kind": "infer", "file": lazily(func() string { return file(dir, c.net) }), "batch": c.batch}})
	}
	return ws
}

func inferring(net string, batch int, sparsity float64) prepared {
	return func(threads int) (func() error, func(), error) {
		g, err := network(net, sparsity)
		if err != nil {
			return nil, nil, err
		}
		return frozen(g, batch)(threads)
	}
}

func sparse(dir string) []work {
	var ws []work
	bars := map[float64]float64{.8: 1.3, .9: 2, .95: 3}
	linear, residual := map[float64]float64{.8: 1.8, .9: 3, .95: 5}, bars
	if kernel.Level() == kernel.AVX2 { // a dense peer gains less from wide vectors than zeros do
		linear, residual = map[float64]float64{.8: 2.2, .9: 3.8, .95: 5.5}, map[float64]float64{.8: 1.8, .9: 3, .95: 4}
	}
	for _, c := range []struct {
		net   string
		batch int
		bars  map[float64]float64
	}{{"bert-12-768-12", 1, linear}, {"resnet50-imagenet", 1, residual}, {"resnet20", 1, bars}, {"resnet20", 128, bars}, {"lenet-300-100", 1, bars}, {"lenet-300-100", 64, bars}} {
		for _, s := range []float64{.8, .9, .95} {
			name := fmt.Sprintf("%s, batch %d, %v %% zeros", c.net, c.batch, 100*s)
			ws = append(ws, work{Group: "sparse", Name: name, Peer: "ONNX Runtime", Bar: c.bars[s], ours: inferring(c.net, c.batch, s),
				theirs: map[string]any{"kind": "infer", "file": lazily(func() string { return file(dir, c.net) }), "batch": c.batch}})
		}
		for _, s := range []float64{.1, .3, .5, .6, .7, .8, .9, .99} {
			ws = append(ws, work{Group: "sparse, own", Name: fmt.Sprintf("%s, batch %d, %v %% zeros", c.net, c.batch, 100*s), Peer: "Pare, dense", Bar: .98,
				ours: inferring(c.net, c.batch, s), own: inferring(c.net, c.batch, 0)})
		}
	}
	return ws
}
