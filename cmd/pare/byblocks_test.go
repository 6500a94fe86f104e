package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/internal/familytest"
	"pare/internal/lmtest"
	"pare/lm/files"
)

// languageFolder writes a model of random weights that takes 2 MB as float32.
func languageFolder(t *testing.T) string {
	t.Helper()
	g := familytest.Graph(t, `{"model_type":"llama","vocab_size":256,"hidden_size":64,"num_hidden_layers":12,"num_attention_heads":4,"num_key_value_heads":4,"max_position_embeddings":64,"intermediate_size":128,"tie_word_embeddings":true}`, 1)
	dir := filepath.Join(t.TempDir(), "model")
	if _, err := files.WriteFolder(dir, g, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The same comes of a model block by block as of the whole, measured likewise where it fits
// into memory; where it does not, blocks are taken unasked, and what was not measured is said.
func TestPruneByBlocks(t *testing.T) {
	in, dir := languageFolder(t), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("a.txt"), []byte(strings.Repeat("some words and other words ", 40)), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(out string, more ...string) (o, said string) {
		t.Helper()
		status, o, said := pare(t, append([]string{"--json", "model", "prune", in, "--method", "wanda", "--sparsity", "0.4", "--samples", "4", "--epochs", "0", "--no-bench", "--data", "text:" + at("a.txt") + "?seq=16", "-o", at(out) + "/"}, more...)...)
		if status != 0 {
			t.Fatalf("%v: %d %s", more, status, said)
		}
		return o, said
	}
	type answer struct {
		Networks      []struct{ Metrics struct{ Loss float64 } }
		Notes         []string
		Kept, Weights int
	}
	read := func(text string) (a answer) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatal(err, text)
		}
		return a
	}
	o, _ := run("whole")
	whole := read(o)
	o, _ = run("blocks", "--by-blocks", "on")
	blocks := read(o)
	if len(blocks.Networks) != 2 || blocks.Networks[0] != whole.Networks[0] || blocks.Networks[1] != whole.Networks[1] || whole.Networks[1].Metrics.Loss == 0 {
		t.Errorf("%+v by blocks, %+v as a whole", blocks.Networks, whole.Networks)
	}
	o, _ = run("little", "--memory", "3M")
	little := read(o)
	if notes := strings.Join(little.Notes, "\n"); little.Weights != 12*(4*64*64+3*64*128) || math.Abs(float64(little.Kept)/float64(little.Weights)-.6) > .01 ||
		!strings.Contains(notes, "12 blocks were pruned one at a time") || !strings.Contains(notes, "how fast the networks are was not measured") {
		t.Errorf("%+v", little)
	}
	for i, n := range little.Networks { // the one scores every token but a sample's first, the other those that follow each
		if want := whole.Networks[i].Metrics.Loss; math.Abs(n.Metrics.Loss/want-1) > .01 {
			t.Errorf("network %d: a loss of %v, and %v as a whole", i, n.Metrics.Loss, want)
		}
	}
	for _, name := range []string{"model.safetensors", "config.json"} {
		a, err := os.ReadFile(filepath.Join(at("whole"), name))
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []string{"blocks", "little"} {
			if b, err := os.ReadFile(filepath.Join(at(other), name)); err != nil || !bytes.Equal(a, b) {
				t.Errorf("%s of %s differs (%v)", name, other, err)
			}
		}
	}
}

// A model that does not fit into memory and cannot be pruned block by block as it is asked for
// is refused with the way on.
func TestByBlocksRefused(t *testing.T) {
	in, dir := languageFolder(t), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("a.txt"), []byte(strings.Repeat("some words ", 99)), 0o644); err != nil {
		t.Fatal(err)
	}
	data, gguf := "text:"+at("a.txt")+"?seq=16", lmtest.GGUF(t, lmtest.Llama2C(t))
	for want, a := range map[string][]string{
		"those that do not: magnitude":     {in, "-o", at("x") + "/", "--memory", "3M"},
		"give -o OUT/":                     {gguf, "-o", at("x.gguf"), "--by-blocks", "on", "--method", "wanda", "--data", data},
		"is no language model":             {net(t, dir), "-o", at("x.onnx"), "--by-blocks", "on"},
		"use auto, on or off":              {in, "-o", at("x") + "/", "--by-blocks", "yes"},
		"give --epochs 0":                  {in, "-o", at("x") + "/", "--by-blocks", "on", "--method", "wanda", "--data", data},
		"--by-blocks off tries it":         {in, "-o", at("x") + "/", "--memory", "3M", "--method", "wanda", "--data", data},
		"--report and --card":              {in, "-o", at("x") + "/", "--memory", "3M", "--method", "wanda", "--data", data, "--epochs", "0", "--report", at("x.html")},
		"leave --max-drop and --latency":   {in, "-o", at("x") + "/", "--by-blocks", "on", "--method", "wanda", "--data", data, "--epochs", "0", "--max-drop", "2"},
		"--allocate er compares all":       {in, "-o", at("x") + "/", "--by-blocks", "on", "--method", "magnitude", "--allocate", "er"},
		"of memory, more than the 1.05 MB": {in, "-o", at("x") + "/", "--memory", "1M", "--method", "sparsegpt", "--data", data, "--epochs", "0"},
		"give --data":                      {in, "-o", at("x") + "/", "--by-blocks", "on", "--method", "wanda"},
		"seq=64":                           {in, "-o", at("x") + "/", "--by-blocks", "on", "--method", "wanda", "--epochs", "0", "--data", "text:" + at("a.txt") + "?seq=80"},
	} {
		status, _, said := pare(t, append([]string{"model", "prune"}, a...)...)
		if status != 2 || !strings.Contains(said, want) {
			t.Errorf("%v: %d %s, want something with %q", a, status, said, want)
		}
	}
	for _, name := range []string{"x", "x.onnx", "x.gguf", "x.html"} {
		if _, err := os.Stat(at(name)); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}
