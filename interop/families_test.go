package interop

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/lm/family"
	"pare/onnx"
	"pare/prune/block"
	"pare/prune/structure"
	"pare/safetensors"
	"pare/tensor"
)

// Language models that transformers has made and saved give the same logits here; what is
// left of them when heads, feed-forward widths and a block are cut gives the same in both,
// where transformers has such models.
func TestFamilies(t *testing.T) {
	py := python(t, "numpy", "onnx", "onnxruntime", "torch", "transformers")
	dir, pruned := t.TempDir(), t.TempDir()
	families := func(args ...string) {
		if out, err := exec.Command(py, append([]string{"families.py"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("families.py: %v\n%s", err, out)
		}
	}
	families(dir)
	var names []string
	decoded(t, filepath.Join(dir, "models.json"), &names)
	load, ort, files := []string{pruned}, &ortRuns{dir: t.TempDir()}, map[string]int{}
	gave := map[string][]float32{}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			at := filepath.Join(dir, name)
			cfg, w := modelIn(t, at)
			g, err := family.Build(cfg, w)
			if err != nil {
				t.Fatal(err)
			}
			var in map[string][][]int
			decoded(t, filepath.Join(at, "inputs.json"), &in)
			sameLogits(t, logits(t, g, in), filepath.Join(at, "logits.bin"))
			files[name] = ort.write(t, g, onnx.Options{}, fedTokens(in))
			g = halved(t, g)
			if writeModel(t, g, filepath.Join(pruned, name), in) {
				load, gave[name] = append(load, name), logits(t, g, in)
			}
		})
	}
	if len(load) < 18 {
		t.Errorf("transformers takes only %v when they are pruned", load[1:])
	}
	ort.run(t, py)
	for name, k := range files {
		t.Run(name+", ONNX Runtime", func(t *testing.T) {
			out, err := ort.outputs(t, k)
			if err != nil {
				t.Fatal(err)
			}
			var got []float32
			for b := range 2 { // the samples of an encoder's outputs follow each other
				for _, y := range out {
					got = append(got, y[b*len(y)/2:(b+1)*len(y)/2]...)
				}
			}
			sameLogits(t, got, filepath.Join(dir, name, "logits.bin"))
		})
	}
	families(load...)
	for _, name := range load[1:] {
		t.Run(name+", pruned", func(t *testing.T) { sameLogits(t, gave[name], filepath.Join(pruned, name, "logits.bin")) })
	}
}

// fedTokens are inputs as a graph takes them.
func fedTokens(in map[string][][]int) map[string]*tensor.Tensor {
	out := map[string]*tensor.Tensor{}
	for name, rows := range in {
		x := tensor.New(tensor.Int64, len(rows), len(rows[0]))
		for i := range x.Len() {
			tensor.Of[int64](x)[i] = int64(rows[i/len(rows[0])][i%len(rows[0])])
		}
		out[name] = x
	}
	return out
}

func sameLogits(t *testing.T, got []float32, path string) {
	t.Helper()
	d := apart(got, numbers[float32](t, path))
	t.Logf("relative difference %.1e", d)
	if !(d < 1e-5) {
		t.Errorf("outputs differ by %.1e", d)
	}
}

// halved cuts half of the heads and of the feed-forward widths, and the second block. Heads
// stay where transformers divides the width by their number.
func halved(t *testing.T, g *graph.Graph) *graph.Graph {
	t.Helper()
	groups, _ := structure.Groups(g)
	s := structure.All(groups)
	fixed := slices.Contains([]string{"gpt2", "gpt_neox", "opt", "bert", "phi"}, g.Name)
	for i, k := range structure.Kinds(g, groups) {
		cut := k == structure.FeedForward && groups[i].Name != "bert.pooler.dense.weight" || !fixed && (k == structure.Heads || k == structure.GroupedHead)
		for c := range groups[i].Channels {
			if cut && c%2 == 1 {
				s[i].Set(c, false)
			}
		}
	}
	cut, err := structure.Cut(g, groups, s)
	if err != nil {
		t.Fatal(err)
	}
	if blocks, _ := block.Find(cut, block.Options{}); len(blocks) == 3 {
		if cut, err = block.Remove(cut, blocks[1:2]); err != nil {
			t.Fatal(err)
		}
	}
	return cut
}

// writeModel writes a graph as a folder, where transformers takes it.
func writeModel(t *testing.T, g *graph.Graph, at string, in map[string][][]int) bool {
	t.Helper()
	cfg, w, err := family.Weights(g)
	if err != nil {
		t.Fatal(err)
	}
	if ok, why := cfg.Loads(); !ok {
		t.Log("not loaded by transformers: ", why)
		return false
	}
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := cfg.JSON()
	if err != nil {
		t.Fatal(err)
	}
	inputs, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"config.json": b, "inputs.json": inputs} {
		if err := os.WriteFile(filepath.Join(at, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := &safetensors.File{Names: family.Tensors(w).Names(), Tensors: w, Meta: map[string]string{"format": "pt"}}
	if err := safetensors.Write(filepath.Join(at, "model.safetensors"), f); err != nil {
		t.Fatal(err)
	}
	return true
}

// modelIn reads config.json and model.safetensors.
func modelIn(t *testing.T, at string) (*family.Config, family.Tensors) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(at, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := family.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Read(filepath.Join(at, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return cfg, family.Tensors(f.Tensors)
}

func decoded(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// logits runs a graph on whole numbers [batch sequence], and gives the numbers of all its
// outputs: of an encoder's those of each sample in a row.
func logits(t *testing.T, g *graph.Graph, in map[string][][]int) []float32 {
	t.Helper()
	ids := in["input_ids"]
	batch, length := len(ids), len(ids[0])
	p, err := engine.Compile(g, map[string]int{family.BatchAxis: batch, family.TimeAxis: length}, engine.Options{Freeze: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range fedTokens(in) {
		if err := p.Input(name).Copy(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	var out []float32
	for b := range batch {
		for _, o := range g.Outputs {
			y := p.Output(o.Name)
			n := y.Len() / batch
			out = append(out, y.F32()[b*n:(b+1)*n]...)
		}
	}
	return out
}
