package interop

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"pare/model"
	"pare/model/structured"
	"pare/onnx"
	"pare/zoo"
)

// Networks whose channels are cut to half the multiply-accumulates, with nothing said but
// that, take less time in ONNX Runtime too: the widths are ones that it likes. Times of
// both networks are taken in turn, and the least ones are compared: they are those that a
// busy machine disturbs the least.
func TestCutIsFasterInONNXRuntime(t *testing.T) {
	py := python(t, "numpy", "onnxruntime")
	type job struct {
		Dense  string          `json:"dense"`
		Cut    string          `json:"cut"`
		Inputs map[string]feed `json:"inputs"`
		Rounds int             `json:"rounds"`
	}
	type answer struct {
		Error  string    `json:"error"`
		Ratios []float64 `json:"ratios"`
		Dense  float64   `json:"dense"`
		Cut    float64   `json:"cut"`
	}
	dir := t.TempDir()
	networks := []network{
		{"resnet20", "", zoo.Options{}},
		{"vgg16-bn", "", zoo.Options{}},
		{"mobilenetv2", "", zoo.Options{}},
		{"resnet50-imagenet", "", zoo.Options{In: []int{3, 128, 128}, Width: .5, Classes: 100}},
		{"bert-2-128-4-classifier", "", zoo.Options{In: []int{64}, Classes: 4, Tables: []int{256}}},
	}
	var jobs []job
	for _, n := range networks {
		g := n.pared(t)
		j := job{Dense: filepath.Join(dir, n.Name+".onnx"), Cut: filepath.Join(dir, n.Name+"-half.onnx"), Inputs: map[string]feed{}, Rounds: 21}
		for name, x := range inputs(t, g, 1) {
			if n.Opt.Tables != nil { // tokens and a mask of ones
				for i := range x.Data.([]int64) {
					if x.Data.([]int64)[i] %= 2; name != "input_ids" {
						x.Data.([]int64)[i] = 1
					}
				}
			}
			j.Inputs[name] = raw(t, filepath.Join(dir, fmt.Sprintf("%s.%s.in", n.Name, name)), x)
		}
		if err := onnx.Write(j.Dense, g, onnx.Options{}); err != nil {
			t.Fatal(err)
		}
		res, err := model.Run(context.Background(), structured.NewChannels(), &model.Job{Graph: g})
		if err != nil {
			t.Fatalf("%s: %v", n.Name, err)
		}
		if err := onnx.Write(j.Cut, res.Graph, onnx.Options{}); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	for i, a := range ask[job, answer](t, py, "speed.py", dir, jobs) {
		if a.Error != "" {
			t.Errorf("%s: ONNX Runtime: %s", networks[i].Name, a.Error)
			continue
		}
		slices.Sort(a.Ratios)
		n := len(a.Ratios)
		t.Logf("%s: %.2f ms of %.2f: %.2f (half of the rounds: %.2f to %.2f)", networks[i].Name, a.Cut, a.Dense, a.Cut/a.Dense, a.Ratios[n/4], a.Ratios[3*n/4])
		if a.Cut > .85*a.Dense {
			t.Errorf("%s: %.2f of the dense network's time, at most 0.85 was expected", networks[i].Name, a.Cut/a.Dense)
		}
	}
}
