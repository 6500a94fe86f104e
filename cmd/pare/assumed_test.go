package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/onnx"
	"pare/zoo"
)

// What was assumed of data and left out of a cut is said, once, on standard error.
func TestAssumptionsAreSaid(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	g, err := zoo.New("gpt-tiny", zoo.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := onnx.Write(at("gpt.onnx"), g, onnx.Options{}); err != nil {
		t.Fatal(err)
	}
	m, err := zoo.New("mlp:2-8-4", zoo.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := onnx.Write(at("net.onnx"), m, onnx.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("train.csv"), []byte("a,b,label\n.5,1,1\n.25,2,3\n.5,3,1\n.75,4,3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		want []string
	}{
		{"model eval " + at("net.onnx") + " --data csv:" + at("train.csv"), []string{"note: csv:" + at("train.csv"), "label"}},
		{"model prune " + at("gpt.onnx") + " -o " + at("g.onnx") + " --sparsity 0.5 --no-bench", []string{"weights are left whole", "embeddings"}},
	} {
		s, _, e := pare(t, strings.Fields(c.args)...)
		if s != 0 {
			t.Errorf("%s: status %d\n%s", c.args, s, e)
		}
		for _, want := range c.want {
			if !strings.Contains(e, want) {
				t.Errorf("%s: nothing of %q in\n%s", c.args, want, e)
			}
		}
	}
}
