package oneshot

import (
	"math"
	"slices"
	"testing"

	"pare/internal/oracle"
	"pare/model"
	"pare/prune/allocate"
)

// rdOracle chooses masks within those that there are: the curve of every layer by
// cutting its smallest weights alone, and of all combinations of their points, none of
// which keeps more than may stay, the one of the least sum. What the points leave goes
// where a curve is steepest. It gives the distortion of all cuts together, and the sum.
func rdOracle(t *testing.T, n *oracle.Net, s *RD, x [][]float64, sparsity float64) (masks [][]bool, together, sum float64) {
	t.Helper()
	_, want := n.Forward(x)
	moved := func() float64 {
		_, got := n.Forward(x)
		mean, worst := 0.0, 0.0
		for i := range want {
			d := 0.0
			for c := range want[i] {
				d += (got[i][c] - want[i][c]) * (got[i][c] - want[i][c]) / float64(len(want[i]))
			}
			mean, worst = mean+d/float64(len(want)), math.Max(worst, d)
		}
		if s.Worst {
			return worst
		}
		return mean
	}
	within := func(l, keep int) []bool {
		w := n.Layers[l].W
		return oracle.Best(t, oracle.Among(w.Mask, oracle.Sizes(w.X)), keep, oracle.CutFirst)
	}
	var keep [][]int
	var cost [][]float64
	for l, layer := range n.Layers {
		size, now := len(layer.W.X), oracle.Count(layer.W.Mask)
		floor := max(layer.Out, int(math.Ceil(s.Least*float64(size))))
		ks, cs := []int{now}, []float64{0}
		for d := 1; d <= s.Points+1; d++ {
			k := size - size*d/s.Points
			if d > s.Points {
				k = floor // the last point
			}
			if k < floor || k >= ks[len(ks)-1] {
				continue
			}
			was := slices.Clone(layer.W.X)
			for i, stays := range within(l, k) {
				if !stays {
					layer.W.X[i] = 0
				}
			}
			ks, cs = append(ks, k), append(cs, math.Max(cs[len(cs)-1], moved()))
			layer.W.X = was
		}
		keep, cost = append(keep, ks), append(cost, cs)
	}
	budget := left(216, sparsity)
	least := math.Inf(1)
	var at [3]int
	for a := range keep[0] {
		for b := range keep[1] {
			for c := range keep[2] {
				if d := cost[0][a] + cost[1][b] + cost[2][c]; keep[0][a]+keep[1][b]+keep[2][c] <= budget && d < least {
					least, at = d, [3]int{a, b, c}
				}
			}
		}
	}
	stays := []int{keep[0][at[0]], keep[1][at[1]], keep[2][at[2]]}
	for rest := budget - stays[0] - stays[1] - stays[2]; rest > 0; {
		best, slope := -1, -1.0
		for l, p := range at {
			if p > 0 {
				if f := (cost[l][p] - cost[l][p-1]) / float64(keep[l][p-1]-keep[l][p]); f > slope {
					best, slope = l, f
				}
			}
		}
		more := min(rest, keep[best][at[best]-1]-stays[best])
		stays[best], rest = stays[best]+more, rest-more
		at[best]--
	}
	for l := range n.Layers {
		masks = append(masks, within(l, stays[l]))
		for p := 1; p < len(keep[l]); p++ {
			if lo, hi := keep[l][p], keep[l][p-1]; stays[l] >= lo && stays[l] <= hi {
				f := float64(stays[l]-lo) / float64(hi-lo)
				sum += f*cost[l][p-1] + (1-f)*cost[l][p]
				break
			}
		}
	}
	was := n.Clone()
	set(n, masks)
	together = moved()
	for l, layer := range n.Layers {
		layer.W.X, layer.W.Mask = was.Layers[l].W.X, was.Layers[l].W.Mask
	}
	return masks, together, sum
}

// The shares are those of the exhaustive search over curves that are measured plainly, on
// all samples that are asked for (two batches, the second not full), in the mean and the
// worst case, with a least share, and in rounds with curves of their own; the distortions
// that are told are those of the plain network.
func TestRDOracle(t *testing.T) {
	for name, f := range map[string]func(s *RD){
		"mean": func(*RD) {}, "worst": func(s *RD) { s.Worst = true }, "least": func(s *RD) { s.Least = .3 }, "few": func(s *RD) { s.Samples = 20 },
		"rounds": func(s *RD) { s.Rounds = 2 }, "fine": func(s *RD) { s.Points = 24 },
	} {
		t.Run(name, func(t *testing.T) {
			j := oracle.Job(t, "mlp:10-12-6-4", 300, 30, 1, 6)
			s := NewRD()
			s.Sparsity, s.Points, s.Samples = .6, 10, 150
			f(s)
			r := oracle.NewTraining(t, j)
			full := make([][]bool, 3)
			for l, w := range r.Net.Weights() {
				full[l] = slices.Repeat([]bool{true}, len(w.X))
			}
			set(r.Net, full)
			x := oracle.NewStream(t, j.Data.Train, j.Data.Norm, 1, true, j.Seed).All(s.Samples).X
			var together, sum float64
			for round := 1; round <= s.Rounds; round++ {
				var masks [][]bool
				masks, together, sum = rdOracle(t, r.Net, s, x, 1-math.Pow(.4, float64(round)/float64(s.Rounds)))
				set(r.Net, masks)
				r.Net.Begin()
				r.Run()
			}
			res := r.Follow(t, s, j)
			if got := res.Facts.(*RDFacts); math.Abs(got.Distortion-together) > 1e-5*together || math.Abs(got.Sum-sum) > 1e-5*sum {
				t.Errorf("distortion %v and %v, want %v and %v", got.Distortion, got.Sum, together, sum)
			}
		})
	}
}

// Where all curves are the same and bend upwards, the shares are uniform; where one
// layer costs nothing, it goes first.
func TestRDShares(t *testing.T) {
	curve := func(scale float64) (c allocate.Curve) {
		for k := 100; k >= 10; k -= 10 {
			c.Keep, c.Distortion = append(c.Keep, k), append(c.Distortion, scale*float64((100-k)*(100-k)))
		}
		return c
	}
	if keep, err := Shares([]allocate.Curve{curve(1), curve(1), curve(1)}, 300, .6); err != nil || !slices.Equal(keep, []int{40, 40, 40}) {
		t.Errorf("of equal curves %v stay: %v", keep, err)
	}
	if keep, err := Shares([]allocate.Curve{curve(1), curve(0), curve(1)}, 300, .6); err != nil || keep[1] != 10 || keep[0]+keep[2] != 110 {
		t.Errorf("of a layer that costs nothing %v stay: %v", keep, err)
	}
}

// Magnitude pruning by curves is the same choice of shares.
func TestMagnitudeByCurves(t *testing.T) {
	rd, m := NewRD(), NewMagnitude()
	rd.Sparsity, m.Sparsity, m.Allocate = .7, .7, "rd"
	a, b := chain(t), chain(t)
	x, err := model.Run(t.Context(), rd, a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := model.Run(t.Context(), m, b)
	if err != nil || x.Masks.Hash() != y.Masks.Hash() {
		t.Error("the masks of magnitude by curves are not those of rd", err)
	}
}
