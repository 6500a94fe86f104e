package main

import (
	"context"
	"path/filepath"

	"pare"
	"pare/engine"
	"pare/onnx"
	"pare/tensor"
)

// opening is the way from a file to the first result: dense files beside the peer, and
// Pare's sparse form beside Pare with the dense file.
func opening(dir string) []work {
	var ws []work
	for _, net := range []string{"resnet50-imagenet", "bert-12-768-12"} {
		dense := lazily(func() string { return file(dir, net) })
		ws = append(ws, work{Group: "open and run once", Name: net, Peer: "ONNX Runtime", Bar: 1, ours: opened(dense), theirs: map[string]any{"kind": "open", "file": dense}},
			work{Group: "open and run once", Name: net + ", 90 % zeros, sparse form", Peer: "Pare, dense", Bar: 1, ours: opened(func() string { return thinFile(dir, net) }), own: opened(dense)})
	}
	return ws
}

// thinFile writes a network with nine of ten weights zero, once for each process, in
// the sparse form.
func thinFile(dir, name string) string {
	path := filepath.Join(dir, name+".pare")
	g, err := network(name, .9)
	if err == nil {
		err = onnx.Save(path, g, onnx.Options{})
	}
	if err != nil {
		panic(err)
	}
	return path
}

// opened prepares opening a file, running one sample on it and closing it.
func opened(file func() string) prepared {
	return func(threads int) (func() error, func(), error) {
		path, ctx := file(), context.Background()
		return func() error {
			n, m, err := pare.Map(ctx, path)
			if err != nil {
				return err
			}
			defer m.Close()
			s, err := engine.NewSession(n.Graph, engine.SessionOptions{Threads: threads, MaxBatch: 1})
			if err != nil {
				return err
			}
			defer s.Close()
			in := map[string]*tensor.Tensor{}
			for _, p := range s.Inputs() {
				shape, _ := p.Shape.Bind(n.Graph.Sizes(1)).Ints()
				in[p.Name] = tensor.New(p.DType, shape...)
			}
			return s.Run(ctx, in, map[string]*tensor.Tensor{})
		}, func() {}, nil
	}
}
