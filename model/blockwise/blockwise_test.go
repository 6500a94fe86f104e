package blockwise_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/internal/familytest"
	"pare/lm/files"
	"pare/model"
	"pare/model/blockwise"
	"pare/model/calibrated"
	"pare/model/oneshot"
	"pare/prune/allocate"
	"pare/safetensors"
	"pare/tensor"
)

const small = `"vocab_size":400,"hidden_size":24,"num_hidden_layers":2,"num_attention_heads":6,"max_position_embeddings":32,"intermediate_size":32,`

var three = strings.Replace(small, `"num_hidden_layers":2`, `"num_hidden_layers":3`, 1)

// configs are small models of every family.
var configs = map[string]string{
	"llama": `{"model_type":"llama",` + small + `"num_key_value_heads":2,"head_dim":8,"tie_word_embeddings":true,
		"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":16}}`,
	"llama with biases":   `{"model_type":"llama",` + three + `"num_key_value_heads":1,"attention_bias":true,"mlp_bias":true}`,
	"mistral":             `{"model_type":"mistral",` + small + `"num_key_value_heads":3,"sliding_window":4}`,
	"qwen2":               `{"model_type":"qwen2",` + small + `"num_key_value_heads":2,"use_sliding_window":true,"sliding_window":3,"max_window_layers":1}`,
	"qwen3":               `{"model_type":"qwen3",` + small + `"num_key_value_heads":2,"head_dim":6}`,
	"gemma":               `{"model_type":"gemma",` + small + `"num_key_value_heads":2,"head_dim":6}`,
	"gemma2":              `{"model_type":"gemma2",` + small + `"num_key_value_heads":2,"head_dim":6,"sliding_window":3,"query_pre_attn_scalar":16}`,
	"gemma3":              `{"model_type":"gemma3_text",` + small + `"num_key_value_heads":2,"head_dim":6,"sliding_window":3,"sliding_window_pattern":2}`,
	"phi":                 `{"model_type":"phi",` + small + `"partial_rotary_factor":0.5}`,
	"phi3":                `{"model_type":"phi3",` + small + `"num_key_value_heads":2,"sliding_window":5}`,
	"gpt2":                `{"model_type":"gpt2","vocab_size":400,"n_embd":24,"n_head":6,"n_layer":2,"n_positions":32}`,
	"gpt_neox":            `{"model_type":"gpt_neox",` + small + `"rotary_pct":0.5}`,
	"gpt_neox in a row":   `{"model_type":"gpt_neox",` + small + `"rotary_pct":0.5,"use_parallel_residual":false,"tie_word_embeddings":true}`,
	"opt":                 `{"model_type":"opt","vocab_size":400,"hidden_size":24,"num_hidden_layers":2,"num_attention_heads":6,"max_position_embeddings":32,"ffn_dim":32}`,
	"layers of one's own": `{"model_type":"llama",` + three + `"num_key_value_heads":2,"head_dim":8,"pare":{"layers":[{"heads":6,"kv_heads":2,"intermediate":32},{"heads":0,"kv_heads":0,"intermediate":32},{"heads":6,"kv_heads":2,"intermediate":0}]}}`,
}

// folder writes a model whose norms and biases differ from channel to channel, in shards and
// in a type.
func folder(t testing.TB, config string, of tensor.DType) string {
	t.Helper()
	_, ws := familytest.Uneven(t, config, .2)
	dir := t.TempDir()
	var infos []safetensors.Info
	for _, name := range ws.Names() {
		infos = append(infos, safetensors.Info{Name: name, DType: of, Shape: ws[name].Shape})
	}
	w, err := safetensors.CreateFolder(dir, infos, 8192, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range infos {
		if err := w.Write(x.Name, ws[x.Name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// text is data of bytes.
func text(t testing.TB, length int) *dataset.Data {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 5))
	b := make([]byte, 2000)
	for i := range b {
		b[i] = byte(r.IntN(256))
	}
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := dataset.Open("text:" + path + fmt.Sprintf("?seq=%d", length))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func job(d *dataset.Data) *model.Job {
	return &model.Job{Data: d, Seed: 3, Engine: engine.Options{Threads: 1}, Recipe: model.Recipe{Recover: "auto"}}
}

func open(t testing.TB, path string) *files.File {
	t.Helper()
	f, err := files.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// whole prunes a model as one network.
func whole(t testing.TB, m model.Method, j *model.Job, in string) string {
	t.Helper()
	f, to := open(t, in), filepath.Join(t.TempDir(), "whole")
	g, err := f.Graph()
	if err == nil {
		_, err = model.Prepare(g)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := model.Run(context.Background(), m, j.On(g))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.WriteFolder(to, r.Graph, f); err != nil {
		t.Fatal(err)
	}
	return to
}

func byBlocks(t testing.TB, m model.Method, j *model.Job, in string, o blockwise.Options) (string, *model.Result) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "blocks")
	r, err := blockwise.Prune(context.Background(), m, j, open(t, in), to, o)
	if err != nil {
		t.Fatal(err)
	}
	return to, r
}

// same compares the files of two folders.
func same(t *testing.T, a, b string) {
	t.Helper()
	es, err := os.ReadDir(a)
	if err != nil {
		t.Fatal(err)
	}
	fs, err := os.ReadDir(b)
	if err != nil || len(es) != len(fs) {
		t.Fatalf("%v and %v (%v)", es, fs, err)
	}
	for _, e := range es {
		x, err := os.ReadFile(filepath.Join(a, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if y, err := os.ReadFile(filepath.Join(b, e.Name())); err != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs (%v)", e.Name(), err)
		}
	}
}

func methods(t testing.TB) map[string]model.Method {
	two, err := allocate.ParsePattern("2:4")
	if err != nil {
		t.Fatal(err)
	}
	wanda, pattern, gpt, gpt2 := calibrated.NewWanda(), calibrated.NewWanda(), calibrated.NewSparseGPT(), calibrated.NewSparseGPT()
	pattern.Pattern, gpt2.Pattern = two, two
	wanda.Samples.Samples, pattern.Samples.Samples, gpt.Samples.Samples, gpt2.Samples.Samples = 70, 70, 70, 70
	magnitude, ria, dsnot, layers := oneshot.NewMagnitude(), calibrated.NewRIA(), calibrated.NewDSnoT(), calibrated.NewWanda()
	ria.Samples.Samples, dsnot.Samples.Samples, layers.Samples.Samples = 70, 70, 70
	dsnot.Skip, layers.Inputs.Inputs = []string{"*.0.*"}, "layer"
	magnitude.Sparsity = .37
	return map[string]model.Method{"wanda": wanda, "wanda 2:4": pattern, "sparsegpt": gpt, "sparsegpt 2:4": gpt2, "magnitude": magnitude, "ria": ria, "dsnot": dsnot, "layer by layer": layers}
}

// What is pruned block by block is, to the byte, what is pruned as a whole: of every family,
// whatever type its weights have.
func TestSameAsWhole(t *testing.T) {
	d := text(t, 16)
	for name, config := range configs {
		of := tensor.BFloat16
		if name == "gpt2" || name == "qwen3" || name == "opt" {
			of = tensor.Float32
		}
		in := folder(t, config, of)
		for what, m := range methods(t) {
			if (strings.Contains(what, ":") || what == "magnitude" || what == "ria" || what == "dsnot" || what == "layer by layer") && name != "gpt2" && name != "llama with biases" {
				continue
			}
			t.Run(name+" "+what, func(t *testing.T) {
				a := whole(t, m, job(d), in)
				b, r := byBlocks(t, m, job(d), in, blockwise.Options{})
				same(t, a, b)
				if f := r.Facts.(*blockwise.Facts); len(f.Layers) < 8 || f.Spilled > 0 {
					t.Errorf("%+v", f)
				}
			})
		}
	}
}

// A model whose float32 numbers are five times the memory that is allowed, or more, is pruned
// within it, measured where most is held; activations go to the disk where they do not fit, and
// the weights are those of the whole model.
func TestMemory(t *testing.T) {
	for what, c := range map[string]struct{ layers, inner, most int }{"wanda": {18, 256, 1500 << 10}, "sparsegpt 2:4": {29, 96, 1450 << 10}} {
		t.Run(what, func(t *testing.T) {
			d, m := text(t, 8), methods(t)[what]
			in := folder(t, fmt.Sprintf(`{"model_type":"llama","vocab_size":256,"hidden_size":96,"num_hidden_layers":%d,"num_attention_heads":4,"max_position_embeddings":64,"intermediate_size":%d,"tie_word_embeddings":true}`, c.layers, c.inner), tensor.BFloat16)
			most := c.most
			var s runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&s)
			before, held := s.HeapAlloc, uint64(0)
			look := func() {
				runtime.GC()
				runtime.ReadMemStats(&s)
				held = max(held, s.HeapAlloc-min(before, s.HeapAlloc))
			}
			j := job(d)
			j.Log = func(format string, a ...any) {
				if said := fmt.Sprintf(format, a...); strings.Contains(said, "o_proj") || strings.Contains(said, "down_proj") {
					look() // between two layers
				}
			}
			to, r := byBlocks(t, m, j, in, blockwise.Options{Memory: most, At: func(string) { look() }})
			f := r.Facts.(*blockwise.Facts)
			t.Logf("%d bytes are held of %d that are allowed, for a model of %d; %d spilled", held, most, f.Whole, f.Spilled)
			if held > uint64(most) || f.Whole < 5*most || f.Spilled == 0 {
				t.Errorf("%d bytes are held of %d that are allowed, for a model of %d; %d spilled", held, most, f.Whole, f.Spilled)
			}
			if what == "wanda" {
				j := job(d)
				j.Together = f.Together
				same(t, whole(t, m, j, in), to)
			}
		})
	}
}
