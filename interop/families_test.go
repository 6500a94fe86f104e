package interop

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/lm/family"
	"pare/safetensors"
	"pare/tensor"
)

// Language models that transformers has made and saved give the same logits here.
func TestFamilies(t *testing.T) {
	py := python(t, "numpy", "torch", "transformers")
	dir := t.TempDir()
	if out, err := exec.Command(py, "families.py", dir).CombinedOutput(); err != nil {
		t.Fatalf("families.py: %v\n%s", err, out)
	}
	var names []string
	decoded(t, filepath.Join(dir, "models.json"), &names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			at := filepath.Join(dir, name)
			cfg, w := folder(t, at)
			g, err := family.Build(cfg, w)
			if err != nil {
				t.Fatal(err)
			}
			var in map[string][][]int
			decoded(t, filepath.Join(at, "inputs.json"), &in)
			got := logits(t, g, in)
			want := numbers[float32](t, filepath.Join(at, "logits.bin"))
			d := apart(got, want)
			t.Logf("relative difference %.1e", d)
			if !(d < 1e-5) {
				t.Errorf("logits differ by %.1e", d)
			}
		})
	}
}

// folder reads config.json and model.safetensors.
func folder(t *testing.T, at string) (*family.Config, family.Tensors) {
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
	for name, rows := range in {
		x := tensor.Of[int64](p.Input(name))
		for i := range x {
			x[i] = int64(rows[i/length][i%length])
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
