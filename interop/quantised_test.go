package interop

import (
	"math"
	"testing"

	"pare/engine"
	"pare/internal/randnet"
	"pare/onnx"
	"pare/tensor"
)

// TestQuantised holds networks of every quantised operator to ONNX Runtime: the same whole
// numbers where these are exact, and within one step elsewhere.
func TestQuantised(t *testing.T) {
	py := python(t, "onnx", "onnxruntime")
	runs := &ortRuns{dir: t.TempDir()}
	var nets []*randnet.Quantised
	for _, kind := range randnet.QuantisedKinds {
		for seed := range uint64(8) {
			n, err := randnet.NewQuantised(kind, seed, true)
			if err != nil {
				t.Fatal(err)
			}
			nets = append(nets, n)
			runs.write(t, n.Graph, onnx.Options{}, map[string]*tensor.Tensor{"x": n.X})
		}
	}
	runs.run(t, py)
	type count struct{ all, off int }
	counts := map[string]*count{}
	for k, n := range nets {
		outs, err := runs.outputs(t, k)
		if err != nil {
			t.Errorf("%s: %v\n%v", n.Kind, err, n.Graph)
			continue
		}
		p, err := engine.Compile(n.Graph, nil, engine.Options{Threads: 1, Freeze: true})
		if err != nil {
			t.Fatal(err)
		}
		copy(p.Input("x").F32(), n.X.F32())
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
		got := p.Output(n.Graph.Outputs[0].Name).F32()
		if counts[n.Kind] == nil {
			counts[n.Kind] = &count{}
		}
		c := counts[n.Kind]
		steps, most := 1., 0.
		if n.Kind == "block" { // of several layers
			steps = 3
		}
		for _, v := range outs[0] {
			most = max(most, math.Abs(float64(v)))
		}
		for i, v := range outs[0] {
			d := math.Abs(float64(v) - float64(got[i]))
			c.all++
			switch {
			case n.Exact && d != 0, n.Step == 0 && !(d <= 1e-5*most), n.Step > 0 && !(d <= steps*n.Step*1.001):
				t.Errorf("%s, network %d: output %d is %v, of ONNX Runtime %v, step %v\n%v", n.Kind, k, i, got[i], v, n.Step, n.Graph)
			case n.Step > 0 && d > n.Step/2:
				c.off++
			default:
				continue
			}
			if t.Failed() {
				break
			}
		}
		p.Close()
	}
	for kind, c := range counts {
		t.Logf("%s: %d of %d numbers are off by a step", kind, c.off, c.all)
		// ONNX Runtime merges two quantisations that follow each other into one of another scale
		if kind != "block" && kind != "again" && c.off*100 > c.all {
			t.Errorf("%s: %d of %d numbers are off by a step", kind, c.off, c.all)
		}
	}
}
