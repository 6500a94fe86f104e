package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/internal/lmtest"
	"pare/safetensors"
)

// A language model is pruned from its file to one that is written with and scored as the
// original; texts become tokens by its own tokenizer.
func TestPruneLanguage(t *testing.T) {
	gguf := lmtest.GGUF(t, lmtest.Llama2C(t))
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("a.txt"), []byte(strings.Repeat("some words and other words ", 40)), 0o644); err != nil {
		t.Fatal(err)
	}
	status, _, said := pare(t, "model", "prune", gguf, "--method", "wanda", "--sparsity", "0.5", "--samples", "4", "--epochs", "0", "--no-bench", "--data", "text:"+at("a.txt")+"?seq=16", "-o", at("small.gguf"), "--gguf-type", "f32")
	if status != 0 || !strings.Contains(said, "the model's own tokenizer") {
		t.Fatalf("%d %s", status, said)
	}
	if o := ok(t, "model", "perplexity", at("small.gguf"), "--text", at("a.txt"), "--window", "16"); !strings.Contains(o, "perplexity") {
		t.Error(o)
	}
	ok(t, "model", "prune", gguf, "--sparsity", "0.3", "--epochs", "0", "--no-bench", "-o", at("new")+"/")
	if _, err := os.Stat(at("new/config.json")); err != nil {
		t.Error(err)
	}
	ok(t, "model", "prune", at("new"), "--sparsity", "0.3", "--epochs", "0", "--no-bench", "-o", at("new.onnx"))
	if o := ok(t, "model", "inspect", at("new")); !strings.Contains(o, "mlp.up_proj") {
		t.Error(o)
	}
	for _, a := range [][]string{
		{"advise", gguf, "--goal", "macs=0.8", "--budget", "1s"},
		{"compare", gguf, "-o", at("compared"), "--methods", "magnitude", "--sparsity", "0.5", "--epochs", "1"},
	} {
		status, _, said := pare(t, append([]string{"model"}, append(a, "--data", "text:"+at("a.txt")+"?seq=16")...)...)
		if status != 0 || !strings.Contains(said, "the model's own tokenizer") {
			t.Errorf("%v: %d %s", a, status, said)
		}
	}
}

// A model learns on instructions what it can do without, behind a prompt, and is written
// narrower, as a folder and as a graph.
func TestPruneInstructions(t *testing.T) {
	gguf := lmtest.GGUF(t, lmtest.Llama2C(t))
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	var lines strings.Builder
	for i := range 40 {
		word := strings.Repeat(string(rune('a'+i%26)), 1+i%3)
		lines.WriteString(`{"prompt":"say ` + word + `","response":"` + word + ` ` + word + `"}` + "\n")
	}
	for name, text := range map[string]string{"a.jsonl": lines.String(), "prompt.txt": "you shrink\n\n"} {
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data := "jsonl:" + at("a.jsonl") + "?text=prompt&response=response&template=plain"
	prune := []string{"model", "prune", gguf, "--method", "compresso", "--epochs", "4", "--batch", "4", "--gate-lr", "0.5", "--no-bench", "--data", data}
	status, _, said := pare(t, append(prune, "--prompt-file", at("prompt.txt"), "-o", at("small")+"/")...)
	if status != 0 || !strings.Contains(said, "tokens before every sample") || !strings.Contains(said, "in the end 0.3") && !strings.Contains(said, "in the end 0.29") {
		t.Fatalf("%d %s", status, said)
	}
	b, err := os.ReadFile(at("small/config.json"))
	if err != nil || !strings.Contains(string(b), `"pare"`) {
		t.Errorf("%v: %s", err, b)
	}
	if o := ok(t, "model", "inspect", at("small")); !strings.Contains(o, "mlp.up_proj") {
		t.Error(o)
	}
	ok(t, append(prune, "--prompt-file", "none", "-o", at("small.onnx"))...)
	if status, _, said := pare(t, append(prune, "-o", at("none.onnx"))...); status == 0 || !strings.Contains(said, "--prompt-file: with its") || !strings.Contains(said, "texts of 128") {
		t.Errorf("%d %s", status, said)
	}
}

// What is said of the network that was pruned is measured on what its file holds: here weights
// that are rounded to float16.
func TestPruneLanguageRounded(t *testing.T) {
	in := lmtest.GGUF(t, lmtest.Llama2C(t))
	out, text := filepath.Join(t.TempDir(), "half.gguf"), filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("some words and other words ", 40)), 0o644); err != nil {
		t.Fatal(err)
	}
	loss := func(a ...string) float64 {
		type network struct{ Metrics struct{ Loss float64 } }
		var x struct {
			network
			Networks []network
		}
		o := ok(t, append([]string{"--json", "model"}, a...)...)
		if err := json.Unmarshal([]byte(o), &x); err != nil {
			t.Fatal(err, o)
		}
		if n := len(x.Networks); n > 0 {
			return x.Networks[n-1].Metrics.Loss
		}
		return x.Metrics.Loss
	}
	data := "text:" + text + "?seq=16"
	said := loss("prune", in, "--sparsity", "0.5", "--epochs", "0", "--no-bench", "--data", data, "-o", out)
	if is := loss("eval", out, "--data", data); said != is || is == 0 {
		t.Errorf("the loss is said to be %v, and that of the file is %v", said, is)
	}
	whole := loss("prune", in, "--sparsity", "0.5", "--epochs", "0", "--no-bench", "--data", data, "-o", out, "--force", "--gguf-type", "f32")
	if whole == said {
		t.Errorf("float16 and float32 both have the loss %v", said)
	}
}

// What cannot be is refused before any work, with the way on.
func TestPruneLanguageRefused(t *testing.T) {
	bin := lmtest.Llama2C(t)
	gguf, folder, broken := lmtest.GGUF(t, bin), lmtest.Folder(t, bin), lmtest.Folder(t, bin)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("a.txt"), []byte(strings.Repeat("some words ", 99)), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Read(filepath.Join(broken, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	f.Tensors["model.layers.1.mlp.up_proj.weight"].F32()[5] = float32(math.NaN())
	if err := safetensors.Write(filepath.Join(broken, "model.safetensors"), f); err != nil {
		t.Fatal(err)
	}
	onnx := net(t, dir)
	for want, a := range map[string][]string{
		"with something in it":      {gguf, "-o", dir},
		"has no tokenizer.json":     {folder, "-o", at("x.gguf")},
		"not built from a config":   {onnx, "-o", at("y") + "/"},
		"is a file":                 {gguf, "-o", onnx + "/"},
		"--gguf-type goes with":     {gguf, "-o", at("x.onnx"), "--gguf-type", "f16"},
		"f16, f32, q4_0, q8_0":      {gguf, "-o", at("x.gguf"), "--gguf-type", "q5_1"},
		"is the input itself":       {gguf, "-o", gguf},
		"NaN":                       {broken, "-o", at("z") + "/"},
		"seq=128":                   {gguf, "-o", at("x.gguf"), "--data", "text:" + at("a.txt") + "?seq=200"},
		"a folder without a config": {t.TempDir(), "-o", at("x.onnx")},
		"does not end in .onnx or":  {gguf, "-o", at("x.bin")},
	} {
		status, _, said := pare(t, append([]string{"model", "prune", "--sparsity", "0.5", "--epochs", "0"}, a...)...)
		if status == 0 || !strings.Contains(said, want) {
			t.Errorf("%v: %d %s, want something with %q", a, status, said, want)
		}
	}
	for _, name := range []string{"x.gguf", "x.onnx", "y", "z"} {
		if _, err := os.Stat(at(name)); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}
