package allocate

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pare/graph"
	"pare/prune"
	"pare/prune/score"
	"pare/tensor"
)

func weights(data ...[]float32) []*prune.Weight {
	var ws []*prune.Weight
	for i, d := range data {
		ws = append(ws, &prune.Weight{Value: &graph.Value{Name: fmt.Sprint("w", i), Const: tensor.From(d, 1, len(d))}})
	}
	return ws
}

// The worked example of global magnitude pruning.
func TestGlobalExample(t *testing.T) {
	ws := weights([]float32{.1, -.5, .9}, []float32{.05, .6, -.2, 2, -.3})
	m, err := Global(ws, score.Magnitude(ws), .5, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.Apply()
	if !slices.Equal(ws[0].Data(), []float32{0, -.5, .9}) || !slices.Equal(ws[1].Data(), []float32{0, .6, 0, 2, 0}) {
		t.Errorf("kept %v and %v", ws[0].Data(), ws[1].Data())
	}
}

func TestScale(t *testing.T) {
	mk := func(c, d float32) *prune.Masks {
		ws := weights([]float32{.1 * c * d, -.5 * c * d, .9 * c * d}, []float32{.05 * c, .6 * c, -.2 * c, 2 * c, -.3 * c})
		m, _ := Global(ws, score.Magnitude(ws), .5, nil)
		return m
	}
	if mk(1, 1).Hash() != mk(8, 1).Hash() {
		t.Error("scaling all weights changed the mask")
	}
	if mk(1, 10).Mask[0].Count() <= mk(1, 1).Mask[0].Count() {
		t.Error("scaling one layer by 10 did not keep more of it")
	}
}

func TestKeep(t *testing.T) {
	for _, c := range []struct {
		n    int
		s    float64
		want int
	}{{10, .75, 3}, {8, .5, 4}, {100, .9, 10}, {3, .99, 0}, {10, 0, 10}} {
		if k, err := Keep(c.n, c.s); err != nil || k != c.want {
			t.Errorf("Keep(%d,%v) = %d, %v", c.n, c.s, k, err)
		}
	}
	for _, s := range []float64{-.1, 1, 2, math.NaN()} {
		if _, err := Keep(10, s); err == nil {
			t.Errorf("sparsity %v was accepted", s)
		}
	}
	if u, _ := Uniform(weights(make([]float32, 3)), .99); u[0] != 1 {
		t.Errorf("uniform empties a layer: %v", u)
	}
}

func TestERK(t *testing.T) {
	ws := weights(make([]float32, 30000), make([]float32, 100))
	ws[0].Const = ws[0].Const.Reshape(300, 100)
	ws[1].Const = ws[1].Const.Reshape(10, 10)
	k, err := ErdosRenyi(ws, .9, true)
	if err != nil {
		t.Fatal(err)
	}
	if k[0]+k[1] != 3010 {
		t.Errorf("total %d, want 3010", k[0]+k[1])
	}
	if k[1] != 100 {
		t.Errorf("the small layer should be dense, keeps %d", k[1])
	}
	ws[1].Const = tensor.New(tensor.Float32, 1000, 100)
	k, _ = ErdosRenyi(ws, .95, true)
	a, b := float64(k[0])/30000, float64(k[1])/100000
	if want := (400. / 30000) / (1100. / 100000); math.Abs(a/b-want) > .01 {
		t.Errorf("density ratio %v, want %v", a/b, want)
	}
}
