package structure_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pare/graph/op"
	"pare/prune/structure"
	"pare/zoo"
)

// The cost of channels that are gone is that of the cut network, to the number, for random
// cuts; its gradient is that of finite differences.
func TestCosts(t *testing.T) {
	for _, name := range []string{"resnet8", "resnet20", "vgg11-bn", "mobilenetv2", "mlp:10-12-8-4", "vit-tiny", "unet-4", "lenet-5", "wrn-10-1"} {
		g, err := zoo.New(name, zoo.Options{Seed: 1, Width: .25})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Simplify(g); err != nil {
			t.Fatal(err)
		}
		groups, _ := structure.Groups(g)
		c := structure.NewCosts(g, groups)
		r := rand.New(rand.NewPCG(1, 2))
		for k := range 4 {
			share := r.Float64()
			sel := some(groups, func(int, int) bool { return k == 0 || r.Float64() < share })
			gone := make([]float64, len(groups))
			for i, m := range sel {
				gone[i] = float64(m.Len - m.Count())
			}
			cut, err := structure.Cut(g, groups, sel)
			if err != nil {
				t.Fatal(err)
			}
			want := structure.CostOf(cut)
			if macs, params := c.At(gone); macs != float64(want.MACs) || params != float64(want.Params) {
				t.Errorf("%s: %v MACs and %v parameters, want %+v", name, macs, params, want)
			}
		}
		at, d := make([]float64, len(groups)), make([]float64, len(groups))
		for i, g := range groups {
			at[i] = r.Float64() * float64(len(g.Channels)-1)
		}
		f := func() float64 { macs, params := c.At(at); return 2*macs + 3*params }
		c.Gradient(at, 2, 3, d)
		for i := range at {
			was := at[i]
			at[i] = was + .5
			up := f()
			at[i] = was - .5
			if want := up - f(); math.Abs(d[i]-want) > 1e-9*math.Abs(want) {
				t.Errorf("%s: gradient %v by group %d, want %v", name, d[i], i, want)
			}
			at[i] = was
		}
	}
}
