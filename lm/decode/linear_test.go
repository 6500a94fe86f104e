package decode

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/internal/kernel"
)

// Matrices that are held in different ways, side by side, give what a plain computation in
// doubles gives: with whole numbers, of rows that are rounded as they are.
func TestLinear(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	normal := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	const in, rows = 75, 40
	var parts []*product
	for i, out := range []int{70, 16, 33, 130, 5} {
		p := &product{w: normal(out * in), bias: normal(out), out: out, in: in}
		if i == 4 {
			p.bias = nil
		}
		parts = append(parts, p)
	}
	m := &Model{head: parts[0], layers: []*layer{{qkv: parts[1:2], up: parts[3:4], o: parts[4], down: parts[2]}}}
	forms := []Form{Int8, F16, F32, Int8, Int8}
	held := m.copied()
	parts = []*product{held.head, held.layers[0].qkv[0], held.layers[0].down, held.layers[0].up[0], held.layers[0].o}
	for i, p := range parts {
		switch forms[i] {
		case Int8:
			p.round()
			p.w = p.whole.Expand()
		case F16:
			p.half()
		}
	}
	var lin linear
	lin.room(parts, rows)
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, n := range []int{1, 3, few, few + 1, rows} {
		x, ldy := normal(n*in), 2
		for _, p := range parts {
			ldy += p.out
		}
		y := make([]float32, n*ldy)
		lin.run(pool, parts, x, y, n, ldy)
		for row := range n {
			at := row * ldy
			for i, p := range parts {
				in := slices.Clone(x[row*in:][:in])
				far := 2e-3 // float16 of the weights
				if forms[i] == Int8 {
					far = 1e-4
					for g := 0; g < len(in); g += 32 {
						group := in[g:min(g+32, len(in))]
						most := max(slices.Max(group), -slices.Min(group))
						for k, v := range group {
							group[k] = float32(math.RoundToEven(float64(v*(127/most))) / 127 * float64(most))
						}
					}
				}
				for o := range p.out {
					want := 0.
					if p.bias != nil {
						want = float64(p.bias[o])
					}
					for k, v := range in {
						want += float64(v) * float64(p.w[o*len(in)+k])
					}
					if d := math.Abs(want - float64(y[at+o])); !(d < far*math.Sqrt(float64(len(in)))) {
						t.Fatalf("%d rows, matrix %d as %s: product %d of row %d is %v, want %v", n, i, forms[i], o, row, y[at+o], want)
					}
				}
				at += p.out
			}
		}
	}
}
