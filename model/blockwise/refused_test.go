package blockwise_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/internal/lmtest"
	"pare/model"
	"pare/model/blockwise"
	"pare/model/calibrated"
	"pare/model/oneshot"
	"pare/safetensors"
	"pare/tensor"
)

// llama is a model with an output layer of its own.
func llama(t *testing.T) string { return folder(t, configs["llama with biases"], tensor.Float32) }

// A GGUF file is pruned block by block into a folder.
func TestGGUF(t *testing.T) {
	in, m := lmtest.GGUF(t, lmtest.Llama2C(t)), methods(t)["wanda"]
	j := job(text(t, 16))
	out, _ := byBlocks(t, m, j, in, blockwise.Options{})
	same(t, whole(t, m, j, in), out)
}

// What is not asked for is written as it was, and named; the output layer is not read then.
func TestLeftWhole(t *testing.T) {
	in, m := llama(t), calibrated.NewWanda()
	m.Samples.Samples, m.Exclude = 8, []string{"lm_head.weight", "*.1.*", "*.0.mlp.*"}
	var parts []string
	out, r := byBlocks(t, m, job(text(t, 16)), in, blockwise.Options{At: func(what string) { parts = append(parts, what) }})
	same(t, whole(t, m, job(text(t, 16)), in), out)
	said := ""
	for _, n := range r.Notes {
		said += string(n) + "\n"
	}
	for _, want := range []string{"model.embed_tokens.weight is a table", "is not among the names"} {
		if !strings.Contains(said, want) {
			t.Errorf("said %s, want something with %q", said, want)
		}
	}
	if all := strings.Join(parts, "\n"); strings.Contains(all, "output layer") || strings.Contains(all, "block 2 of 3 is cut") || !strings.Contains(all, "block 3 of 3 is cut") {
		t.Errorf("parts %s", all)
	}
	f := r.Facts.(*blockwise.Facts)
	if kept, all := f.Cut(); len(f.Layers) != 11 || math.Abs(float64(kept)/float64(all)-.5) > .01 {
		t.Errorf("%d layers, %d of %d weights stay", len(f.Layers), kept, all)
	}
}

// A run that ends early, by the context or by what is wrong with the model, leaves nothing, and
// nothing of what was there is touched.
func TestNothingHalf(t *testing.T) {
	in, broken := llama(t), llama(t)
	end := filepath.Join(broken, "model.safetensors.index.json")
	if _, err := os.Stat(end); err != nil {
		t.Fatal("the model lies in one file")
	}
	es, err := os.ReadDir(broken)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		path := filepath.Join(broken, e.Name())
		if f, err := safetensors.Read(path); err == nil && f.Tensors["model.layers.2.mlp.down_proj.weight"] != nil {
			f.Tensors["model.layers.2.mlp.down_proj.weight"].F32()[3] = float32(math.NaN())
			if err := safetensors.Write(path, f); err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, in := range map[string]string{"stopped": in, "broken": broken} {
		for _, there := range []bool{false, true} {
			dir := t.TempDir()
			out := filepath.Join(dir, "out")
			if there {
				if err := os.Mkdir(out, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(out, "model.safetensors"), []byte("old"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			_, err := blockwise.Prune(ctx, methods(t)["sparsegpt"], job(text(t, 16)), open(t, in), out, blockwise.Options{At: func(at string) {
				if what == "stopped" && at == "block 2 of 3 is cut" {
					stop()
				}
			}})
			if what == "stopped" && !errors.Is(err, context.Canceled) || what == "broken" && (err == nil || !strings.Contains(err.Error(), "NaN")) {
				t.Errorf("%s: %v", what, err)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) > 0 && !there {
				t.Errorf("%s: left behind %v (%v)", what, left, err)
			}
			if there {
				b, err := os.ReadFile(filepath.Join(out, "model.safetensors"))
				files, _ := os.ReadDir(out)
				if err != nil || string(b) != "old" || len(files) != 1 {
					t.Errorf("%s: what was there is now %q, beside %v (%v)", what, b, files, err)
				}
			}
		}
	}
}

// What cannot be done block by block is refused before any work, with the way on.
func TestRefused(t *testing.T) {
	in, d := llama(t), text(t, 16)
	wanda := func(f func(m *calibrated.Wanda)) model.Method {
		m := calibrated.NewWanda()
		f(m)
		return m
	}
	with := func(f func(j *model.Job)) *model.Job {
		j := job(d)
		f(j)
		return j
	}
	plain := func(*calibrated.Wanda) {}
	for want, c := range map[string]struct {
		m model.Method
		j *model.Job
		o blockwise.Options
	}{
		"method global-mp needs the whole": {oneshot.NewGlobalMP(), job(d), blockwise.Options{}},
		"Recipe.Epochs 0":                  {wanda(plain), with(func(j *model.Job) { j.Recipe.Epochs = 2 }), blockwise.Options{}},
		"Recipe.Recover solve":             {wanda(plain), with(func(j *model.Job) { j.Recipe.Recover = "solve" }), blockwise.Options{}},
		"Allocate erk":                     {&oneshot.Magnitude{Sparsity: .5, Allocate: "erk", Rounds: 1}, job(d), blockwise.Options{}},
		"Rounds and Gradual":               {&oneshot.Magnitude{Sparsity: .5, Allocate: "uniform", Rounds: 2}, job(d), blockwise.Options{}},
		"Sparsity 1":                       {wanda(func(m *calibrated.Wanda) { m.Sparsity = 1 }), job(d), blockwise.Options{}},
		"give Data":                        {wanda(plain), job(nil), blockwise.Options{}},
		"matches no weight":                {wanda(func(m *calibrated.Wanda) { m.Include = []string{"nothing"} }), job(d), blockwise.Options{}},
		"no weight of a block":             {wanda(func(m *calibrated.Wanda) { m.Include = []string{"*embed_tokens*"} }), job(d), blockwise.Options{}},
		"--exclude lm_head.weight":         {wanda(plain), job(d), blockwise.Options{Memory: 1 << 15}},
	} {
		dir := t.TempDir()
		_, err := blockwise.Prune(context.Background(), c.m, c.j, open(t, in), filepath.Join(dir, "out"), c.o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: left behind %v", want, left)
		}
	}
}
