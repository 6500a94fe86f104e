package interop

import (
	"path/filepath"
	"testing"

	"pare/continual"
	"pare/model"
	"pare/onnx"
)

// Networks of clips that PyTorch exports become step networks that ONNX Runtime runs: of
// every window of a stream they give what the network gives for it.
func TestContinualInONNXRuntime(t *testing.T) {
	py := python(t, "numpy", "onnx", "onnxruntime", "torch")
	type export struct {
		Export string `json:"export"`
		File   string `json:"file"`
	}
	type exported struct {
		Axis  int
		Error string
	}
	type step struct {
		Step string `json:"step"`
		File string `json:"file"`
	}
	type stepped struct {
		Worst         float64
		Count, Frames int
		Error         string
	}
	dir := t.TempDir()
	var exports []export
	for _, name := range []string{"tcn", "video", "skeleton", "encoder 1", "encoder 3", "torch", "plain"} {
		exports = append(exports, export{name, filepath.Join(dir, name+".onnx")})
	}
	var steps []step
	for i, e := range ask[export, exported](t, py, "continual.py", dir, exports) {
		if e.Error != "" {
			t.Fatalf("%s: %s", exports[i].Export, e.Error)
		}
		g, err := onnx.Load(exports[i].File)
		if err == nil {
			_, err = model.Prepare(g)
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := continual.Convert(g, continual.Options{Axes: map[string]int{"x": e.Axis}})
		if err != nil {
			t.Fatalf("%s: %v", exports[i].Export, err)
		}
		steps = append(steps, step{filepath.Join(dir, exports[i].Export+".step.onnx"), exports[i].File})
		if err := onnx.Save(steps[i].Step, s.Graph, onnx.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	for i, a := range ask[step, stepped](t, py, "continual.py", dir, steps) {
		if a.Error != "" || a.Worst > 1e-5 || a.Count < 10/a.Frames {
			t.Errorf("%s: %d outputs differ by %v %s", exports[i].Export, a.Count, a.Worst, a.Error)
		}
	}
}
