package files_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pare/engine"
	"pare/gguf"
	"pare/graph"
	"pare/internal/lmtest"
	"pare/lm/files"
	"pare/model"
	"pare/prune"
	"pare/prune/structure"
	"pare/safetensors"
	"pare/tensor"
)

func opened(t *testing.T, path string) (*files.File, *graph.Graph) {
	t.Helper()
	f, err := files.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	g, err := f.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := model.Prepare(g); err != nil {
		t.Fatal(err)
	}
	return f, g
}

// logits of a text.
func logits(t *testing.T, g *graph.Graph) []float32 {
	t.Helper()
	p, err := engine.Compile(g, map[string]int{"batch": 1, "sequence": 12}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	in := tensor.Of[int64](p.Input("input_ids"))
	for i := range in {
		in[i] = int64(7 * i % 300)
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	return append([]float32(nil), p.Output("logits").F32()...)
}

func near(t *testing.T, what string, a, b []float32, by float64) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%s: %d and %d logits", what, len(a), len(b))
	}
	for i := range a {
		if d := math.Abs(float64(a[i] - b[i])); d > by || math.IsNaN(d) {
			t.Fatalf("%s: logit %d is %v, and was %v", what, i, b[i], a[i])
		}
	}
}

// What is not cut is written as it was: to the bit, in the order and with the metadata of
// the original.
func TestIdentity(t *testing.T) {
	bin := lmtest.Llama2C(t)
	path := lmtest.GGUF(t, bin)
	f, g := opened(t, path)
	to := filepath.Join(t.TempDir(), "same.gguf")
	if notes, err := files.WriteGGUF(to, g, f, gguf.F32); err != nil || notes != nil {
		t.Fatal(notes, err)
	}
	a, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := gguf.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if !reflect.DeepEqual(a.Names(), b.Names()) {
		t.Errorf("tensors %v, and were %v", b.Names(), a.Names())
	}
	for _, name := range a.Names() {
		x, err := a.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		y, err := b.Read(name)
		if err != nil || !reflect.DeepEqual(x.Shape, y.Shape) || !reflect.DeepEqual(x.F32(), y.F32()) {
			t.Errorf("%s is changed (%v)", name, err)
		}
	}
	for _, m := range a.Meta {
		if v, _ := b.Meta.Get(m.Key); !reflect.DeepEqual(v, m.Value) {
			t.Errorf("%s is %v, and was %v", m.Key, v, m.Value)
		}
	}

	folder := lmtest.Folder(t, bin)
	for name, text := range map[string]string{"tokenizer.json": `{"model":{"type":"WordLevel","vocab":{"a":0}}}`, "generation_config.json": "{}", "other.txt": "not copied"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, g = opened(t, folder)
	dir := filepath.Join(t.TempDir(), "out")
	if notes, err := files.WriteFolder(dir, g, f); err != nil || notes != nil {
		t.Fatal(notes, err)
	}
	x, err := safetensors.Read(filepath.Join(folder, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	y, err := safetensors.Read(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Names) != len(y.Names) {
		t.Errorf("%v, and were %v", y.Names, x.Names)
	}
	for name, w := range x.Tensors {
		if z := y.Tensors[name]; z == nil || !reflect.DeepEqual(w.F32(), z.F32()) {
			t.Errorf("%s is changed", name)
		}
	}
	var was, now map[string]any
	for path, to := range map[string]*map[string]any{filepath.Join(folder, "config.json"): &was, filepath.Join(dir, "config.json"): &now} {
		b, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(b, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(was, now) {
		t.Errorf("config %v, and was %v", now, was)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "tokenizer.json")); err != nil || !bytes.Contains(b, []byte("WordLevel")) {
		t.Errorf("the tokenizer: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "other.txt")); err == nil {
		t.Error("a file that is none of a model's is copied")
	}
}

// sparse cuts half of each weight that may be cut, and says how many numbers were cut.
func sparse(t *testing.T, g *graph.Graph) int {
	t.Helper()
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, w := range ws {
		if strings.Contains(w.Name, "embed_tokens") {
			t.Errorf("the table of embeddings, which is the output layer too, would be cut")
		}
		for i := range w.Data() {
			if i%2 == 0 {
				w.Data()[i], n = 0, n+1
			}
		}
	}
	return n
}

// What is cut and written gives the logits of the graph, from a folder exactly, and from a
// GGUF file as exactly as its type holds numbers.
func TestPruned(t *testing.T) {
	for _, bin := range []string{lmtest.Llama2C(t), lmtest.Tied(t)} {
		pruned(t, lmtest.GGUF(t, bin))
	}
}

func pruned(t *testing.T, path string) {
	t.Helper()
	f, g := opened(t, path)
	dense := logits(t, g)
	if sparse(t, g) == 0 {
		t.Fatal("nothing was cut")
	}
	want := logits(t, g)
	if reflect.DeepEqual(dense, want) {
		t.Fatal("the logits are the same")
	}
	for of, by := range map[gguf.Type]float64{gguf.F32: 0, gguf.F16: .05} {
		to := filepath.Join(t.TempDir(), "small.gguf")
		if _, err := files.WriteGGUF(to, g, f, of); err != nil {
			t.Fatal(err)
		}
		_, again := opened(t, to)
		near(t, of.String(), want, logits(t, again), by)
	}
	notes, err := files.WriteGGUF(filepath.Join(t.TempDir(), "q.gguf"), g, f, gguf.Q8_0) // rows of 24 and 40
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "F16") {
		t.Errorf("%q %v", notes, err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	if notes, err = files.WriteFolder(dir, g, f); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "no tokenizer") {
		t.Errorf("%q %v", notes, err)
	}
	_, again := opened(t, dir)
	near(t, "folder", want, logits(t, again), 0)
	if _, err := files.WriteGGUF(filepath.Join(t.TempDir(), "x.gguf"), g, nil, gguf.F32); !errors.Is(err, files.ErrNoMeta) {
		t.Errorf("%v", err)
	}
}

// Heads and widths that are cut alike in all layers stand in the metadata; other cuts only in
// a folder, of which a note says that transformers does not load it.
func TestNarrow(t *testing.T) {
	for _, alike := range []bool{true, false} {
		f, g := opened(t, lmtest.GGUF(t, lmtest.Llama2C(t)))
		groups, _ := structure.Groups(g)
		var within []*structure.Group
		for i, k := range structure.Kinds(g, groups) {
			if k == structure.GroupedHead || k == structure.FeedForward {
				within = append(within, groups[i])
			}
		}
		if len(within) != 4 {
			t.Fatalf("%d groups of heads and widths in two layers", len(within))
		}
		s := structure.All(within)
		for i, grp := range within {
			for k := 0; k < len(grp.Channels)/2 && (alike || i < 2); k++ {
				s[i].Set(2*k, false)
			}
		}
		cut, err := structure.Cut(g, within, s)
		if err != nil {
			t.Fatal(err)
		}
		want := logits(t, cut)
		dir := filepath.Join(t.TempDir(), "out")
		notes, err := files.WriteFolder(dir, cut, f)
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(strings.Join(notes, " "), "transformers does not load"); said == alike {
			t.Errorf("alike %v: %q", alike, notes)
		}
		_, again := opened(t, dir)
		near(t, "folder", want, logits(t, again), 1e-5)

		to := filepath.Join(t.TempDir(), "small.gguf")
		_, err = files.WriteGGUF(to, cut, f, gguf.F32)
		if !alike {
			if !errors.Is(err, files.ErrUneven) {
				t.Errorf("%v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		small, again := opened(t, to)
		near(t, "GGUF", want, logits(t, again), 1e-5)
		for key, n := range map[string]int{"attention.head_count": 2, "attention.head_count_kv": 1, "attention.key_length": 6, "attention.value_length": 6, "rope.dimension_count": 6, "feed_forward_length": 20} {
			if got, err := small.Meta.Int("llama." + key); err != nil || got != n {
				t.Errorf("%s is %d, not %d (%v)", key, got, n, err)
			}
		}
	}
}

// What is missing or not understood is named.
func TestRefused(t *testing.T) {
	bin := lmtest.Llama2C(t)
	other := filepath.Join(t.TempDir(), "other.gguf")
	if err := gguf.Write(other, gguf.Meta{{Key: "general.architecture", Value: "mamba"}}, nil); err != nil {
		t.Fatal(err)
	}
	shard := lmtest.Folder(t, bin)
	if err := os.Remove(filepath.Join(shard, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(shard, "model.safetensors.index.json"), []byte(`{"weight_map":{"model.norm.weight":"model-00001-of-00001.safetensors"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{other: `"mamba"`, shard: "model-00001-of-00001.safetensors", t.TempDir(): "no config.json", filepath.Join(t.TempDir(), "none.gguf"): "no such file"} {
		if _, err := files.Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %s", path, err, want)
		}
	}
	if files.Is(bin) || files.Is(t.TempDir()) || !files.Is(shard) || !files.Is(other) {
		t.Error("what a language model is")
	}
}
