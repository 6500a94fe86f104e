package allocate

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pare/graph"
	"pare/prune"
	"pare/tensor"
)

// layers are weights of these shapes: of convolutions where they have four axes.
func layers(shapes ...[]int) []*prune.Weight {
	var ws []*prune.Weight
	for i, s := range shapes {
		k := prune.Linear
		if len(s) == 4 {
			k = prune.Conv
		}
		ws = append(ws, &prune.Weight{Value: &graph.Value{Name: fmt.Sprint("w", i), Const: tensor.New(tensor.Float32, s...)}, Kind: k})
	}
	return ws
}

// The worked examples of Liu et al. 2022: an MLP 64-100-50-10.
func TestERKExample(t *testing.T) {
	ws := layers([]int{100, 64}, []int{50, 100}, []int{10, 50})
	for _, c := range []struct {
		density float64
		want    []int // by largest remainder
		share   []float64
	}{
		{.2, []int{1044, 954, 382}, []float64{.1631, .1909, .7636}},
		{.1, []int{522, 477, 191}, []float64{.0815, .0955, .3818}},
		{.5, nil, []float64{.4448, .5207, 1}},
	} {
		k, err := ErdosRenyi(ws, 1-c.density, true)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for l, w := range ws {
			sum += k[l]
			if got := float64(k[l]) / float64(w.Len()); math.Abs(got-c.share[l]) > 1.5/float64(w.Len()) {
				t.Errorf("density %v, layer %d: %.4f, want %.4f", c.density, l, got, c.share[l])
			}
		}
		if want := int(math.Round(11900 * c.density)); sum != want {
			t.Errorf("density %v: %d in all, want %d", c.density, sum, want)
		}
		if c.want != nil && !slices.Equal(k, c.want) {
			t.Errorf("density %v: %v, want %v", c.density, k, c.want)
		}
	}
}

// A convolution 64x32x3x3 has (64+32+3+3)/18432 by ERK and (64+32)/2048 by ER.
func TestERKRaw(t *testing.T) {
	other := []int{400, 400} // 800/160000
	for _, c := range []struct {
		kernel bool
		want   float64
	}{{true, 102. / 18432}, {false, 96. / 2048}} {
		ws := layers([]int{64, 32, 3, 3}, other)
		k, err := ErdosRenyi(ws, .9, c.kernel)
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(k[0]) / 18432 / (float64(k[1]) / 160000) * .005; math.Abs(got/c.want-1) > .01 {
			t.Errorf("kernel %v: %v, want %v", c.kernel, got, c.want)
		}
	}
}

func TestPlus(t *testing.T) {
	mlp := layers([]int{30, 30}, []int{10, 10}) // 900 and 100
	k, err := ErdosRenyiPlus(mlp, .8, 1)
	if err != nil || !slices.Equal(k, []int{100, 100}) {
		t.Errorf("erk+ keeps %v (%v), want 100 of 900 and 100 of 100", k, err)
	}
	if _, err := ErdosRenyiPlus(mlp, .95, 1); err == nil {
		t.Error("a last layer of 100 in 50 was accepted")
	}
	if _, err := ErdosRenyiPlus(mlp, .05, .1); err == nil {
		t.Error("940 weights in a layer of 900 were accepted")
	}
	if _, err := ErdosRenyiPlus(layers([]int{8, 8, 3, 3}), .5, 1); err == nil {
		t.Error("erk+ without a linear layer was accepted")
	}
	conv := layers([]int{10, 3, 3, 3}, []int{20, 10, 3, 3}, []int{20, 20, 3, 3}, []int{10, 20}) // 270, 1800, 3600, 200
	for _, c := range []struct {
		sparsity float64
		want     []int
	}{
		{.9, []int{270, 92, 185, 40}},   // 587 in all: 277 for 5400
		{.5, []int{270, 857, 1713, 95}}, // 2935: 2665 for 5600
	} {
		k, err := UniformPlus(conv, c.sparsity)
		if err != nil || !slices.Equal(k, c.want) {
			t.Errorf("uniform+ at %v keeps %v (%v), want %v", c.sparsity, k, err, c.want)
		}
	}
	if _, err := UniformPlus(conv, .96); err == nil {
		t.Error("270 and 40 weights in 235 were accepted")
	}
}

// Densities are 1/(F*n+1) for one F, and the total is exact.
func TestIGQ(t *testing.T) {
	ws := layers([]int{300, 100}, []int{100, 100}, []int{10, 100})
	k, err := IGQ(ws, .9)
	if err != nil {
		t.Fatal(err)
	}
	if k[0]+k[1]+k[2] != 4100 {
		t.Errorf("%v are not 4100", k)
	}
	force := make([]float64, 3)
	for l, w := range ws {
		n := float64(w.Len())
		force[l] = (n/float64(k[l]) - 1) / n
	}
	if math.Abs(force[1]/force[0]-1) > .01 || math.Abs(force[2]/force[0]-1) > .01 {
		t.Errorf("forces %v differ", force)
	}
	if k, err = IGQ(ws, 0); err != nil || !slices.Equal(k, []int{30000, 10000, 1000}) {
		t.Errorf("sparsity 0 keeps %v (%v)", k, err)
	}
}
