package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"pare/graph"
	"pare/onnx"
)

// quantisable is a network that ONNX Runtime's quantiser makes one of 8 bits of.
type quantisable struct {
	name  string
	batch int
	make  func(sparsity float64) (*graph.Graph, error)
	part  []string // of the network: "linear" where only products are quantised
}

// file makes the network's file, once, with a share of its weights zero.
func (q *quantisable) file(dir, python string, sparsity float64) (string, error) {
	to := filepath.Join(dir, fmt.Sprintf("%s-%v-int8.onnx", q.name, sparsity))
	if _, err := os.Stat(to); err == nil {
		return to, nil
	}
	g, err := q.make(sparsity)
	if err != nil {
		return "", err
	}
	from := filepath.Join(dir, q.name+"-float.onnx")
	if err := onnx.Save(from, g, onnx.Options{}); err != nil {
		return "", err
	}
	defer os.Remove(from) //nolint:errcheck // the folder goes
	args := append([]string{filepath.Join(filepath.Dir(script()), "quantise.py"), from, to}, q.part...)
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("quantising %s: %w: %s", q.name, err, out)
	}
	return to, nil
}

// ours prepares inference of the file.
func (q *quantisable) ours(dir, python string, sparsity float64) prepared {
	return func(threads int) (func() error, func(), error) {
		f, err := q.file(dir, python, sparsity)
		if err != nil {
			return nil, nil, err
		}
		g, err := onnx.Load(f)
		if err != nil {
			return nil, nil, err
		}
		return frozen(g, q.batch)(threads)
	}
}

// work compares it with ONNX Runtime, which gets it without zeros.
func (q *quantisable) work(dir, python, name string, sparsity, bar float64) work {
	group := "int8"
	if sparsity > 0 {
		group, name = "sparse int8", fmt.Sprintf("%s, %v %% zeros", name, 100*sparsity)
	}
	dense := lazily(func() string {
		f, err := q.file(dir, python, 0)
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		return f
	})
	return work{Group: group, Name: name, Peer: "ONNX Runtime int8", Bar: bar, ours: q.ours(dir, python, sparsity),
		theirs: map[string]any{"kind": "infer", "batch": q.batch, "file": dense}}
}

// quantised are networks of 8 bits against ONNX Runtime; with zeros against the same
// network without.
func quantised(dir, python string) []work {
	var ws []work
	of := func(name string, part ...string) *quantisable {
		return &quantisable{name, 1, func(s float64) (*graph.Graph, error) { return network(name, s) }, part}
	}
	resnet, bert := of("resnet50-imagenet"), of("bert-12-768-12", "linear")
	for _, q := range []*quantisable{resnet, of("mobilenetv2-224"), bert} {
		ws = append(ws, q.work(dir, python, q.name+", batch 1", 0, .95))
	}
	for i, s := range []float64{.8, .9, .95} {
		ws = append(ws, resnet.work(dir, python, resnet.name+", batch 1", s, []float64{1.2, 1.6, 2.2}[i]))
		ws = append(ws, bert.work(dir, python, bert.name+", batch 1", s, []float64{1.3, 1.8, 2.5}[i]))
		for _, l := range linears {
			q := &quantisable{fmt.Sprintf("linear-%d-%d", l[0], l[1]), 128, func(s float64) (*graph.Graph, error) { return linear(l[0], l[1], s) }, nil}
			ws = append(ws, q.work(dir, python, fmt.Sprintf("%d to %d, 128 rows", l[0], l[1]), s, []float64{1.3, 1.8, 2.5}[i]))
		}
	}
	return ws
}
