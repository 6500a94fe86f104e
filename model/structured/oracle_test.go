package structured

import (
	"math"
	"slices"
	"testing"

	"pare/internal/oracle"
	"pare/model"
)

// The network of these tests is a chain of 10, 12, 6 and 3: a channel of the first hidden
// layer is a row of the first weight and a column of the second, and so on. Each goes with
// 16 and with 15 multiply-accumulates, while nothing else is cut.
const sizes = "mlp:10-12-6-3"

// macs is the number of multiply-accumulates that a and b channels leave.
func macs(a, b int) int { return 10*a + a*b + 3*b }

// half is what may stay of 120+72+18 multiply-accumulates.
const half = 105

// relative are scores over the mean of their group.
func relative(score []float64) []float64 {
	mean := 0.0
	for _, s := range score {
		mean += s / float64(len(score))
	}
	for c := range score {
		score[c] /= mean
	}
	return score
}

// norms are the sums of the squares of the weights that go with a channel.
func norms(n *oracle.Net) (out [][]float64) {
	for l, layer := range n.Layers[:2] {
		next := n.Layers[l+1]
		score := make([]float64, layer.Out)
		for c := range score {
			for k := range layer.In {
				score[c] += layer.W.X[c*layer.In+k] * layer.W.X[c*layer.In+k]
			}
			for o := range next.Out {
				score[c] += next.W.X[o*next.In+c] * next.W.X[o*next.In+c]
			}
		}
		out = append(out, relative(score))
	}
	return out
}

// brought are what a channel brings to the layer that reads it: the sum of (w x)² over
// samples and outputs.
func brought(n *oracle.Net, x [][]float64) (out [][]float64) {
	in, _ := n.Forward(x)
	for l := range n.Layers[:2] {
		next := n.Layers[l+1]
		score := make([]float64, next.In)
		for c := range score {
			for _, v := range in[l+1] {
				for o := range next.Out {
					score[c] += math.Pow(next.W.X[o*next.In+c]*v[c], 2)
				}
			}
		}
		out = append(out, relative(score))
	}
	return out
}

// ranked cuts channels of both groups together, the weakest first, until the target is
// met; of each group the share least stays, and a multiple of round. Where the last one
// takes the network more than a twentieth below the target, its group stays as it was
// before and others go, if that comes nearer.
func ranked(t *testing.T, score [][]float64, least float64, round [2]int) [][]bool {
	t.Helper()
	var stay [2]int
	for g, s := range score {
		stay[g] = int(math.Ceil(least*float64(len(s)) - 1e-9))
	}
	return rankedTo(t, score, stay, round, half)
}

// rankedTo is ranked where so many multiply-accumulates may stay.
func rankedTo(t *testing.T, score [][]float64, least, round [2]int, half float64) [][]bool {
	t.Helper()
	flat := slices.Clone(score)
	for g, s := range score {
		stay := max(1, least[g])
		flat[g] = slices.Clone(s)
		for c, best := range oracle.Best(t, s, stay, oracle.CutFirst) {
			if best {
				flat[g][c] = math.Inf(1)
			}
		}
	}
	widths := func(kept [][]bool) (n [2]int) {
		for g := range kept {
			n[g] = min(len(score[g]), (oracle.Count(kept[g])+round[g]-1)/round[g]*round[g])
		}
		return n
	}
	whole := len(score[0]) + len(score[1])
	all := [][]bool{slices.Repeat([]bool{true}, len(score[0])), slices.Repeat([]bool{true}, len(score[1]))}
	var best [2]int
	for nearest := 0.0; nearest < .95; {
		before, kept := all, all
		for cut := 0; float64(macs(widths(kept)[0], widths(kept)[1])) > half; {
			if cut++; cut > whole-must(flat) {
				kept = nil
				break
			}
			before, kept = kept, oracle.BestOfAll(t, flat, whole-cut)
		}
		if kept == nil {
			break
		}
		n := widths(kept)
		if near := float64(macs(n[0], n[1])) / half; near > nearest {
			nearest, best = near, n
		}
		for g := range flat {
			if oracle.Count(kept[g]) == oracle.Count(before[g]) {
				continue
			}
			for c, stays := range before[g] {
				if stays {
					flat[g][c] = math.Inf(1)
				}
			}
		}
	}
	if best == [2]int{} {
		t.Fatal("the target is not met")
	}
	return [][]bool{oracle.Best(t, score[0], best[0], oracle.CutFirst), oracle.Best(t, score[1], best[1], oracle.CutFirst)}
}

// must is how many are never cut.
func must(flat [][]float64) (n int) {
	for _, s := range flat {
		for _, x := range s {
			if math.IsInf(x, 1) {
				n++
			}
		}
	}
	return n
}

// error2 is what the outputs of a layer lose, in squares over all samples, when the
// inputs that are gone go and the weights of the others are solved anew:
// tr W_G (H_GG - H_GR H_RR⁻¹ H_RG) W_Gᵀ.
func error2(l *oracle.Layer, h [][]float64, gone []int) float64 {
	var rest []int
	for k := range l.In {
		if !slices.Contains(gone, k) {
			rest = append(rest, k)
		}
	}
	sub := make([][]float64, len(rest)) // H_RR beside H_RG
	for i, a := range rest {
		for _, b := range slices.Concat(rest, gone) {
			sub[i] = append(sub[i], h[a][b])
		}
	}
	for i := range sub { // Gauss and Jordan leave H_RR⁻¹ H_RG on the right
		d := sub[i][i]
		for k := range sub[i] {
			sub[i][k] /= d
		}
		for r := range sub {
			if f := sub[r][i]; r != i {
				for k := range sub[r] {
					sub[r][k] -= f * sub[i][k]
				}
			}
		}
	}
	sum := 0.0
	for _, i := range gone {
		for b, k := range gone {
			s := h[i][k]
			for r, c := range rest {
				s -= h[i][c] * sub[r][len(rest)+b]
			}
			for o := range l.Out {
				sum += l.W.X[o*l.In+i] * s * l.W.X[o*l.In+k]
			}
		}
	}
	return sum
}

// reconstructed lets the channels of each group go one after the other, the one first
// that costs the layer behind it least, as a share of the variance of what that gives;
// and of all numbers of channels that meet the target those of the least sum.
func reconstructed(t *testing.T, n *oracle.Net, x [][]float64, least float64) [][]bool {
	t.Helper()
	in, _ := n.Forward(x)
	var order [2][]int
	var cost [2][]float64 // of the first k that go
	for g := range order {
		l := n.Layers[g+1]
		h := make([][]float64, l.In)
		trace := 0.0
		for a := range h {
			h[a] = make([]float64, l.In)
			for b := range h {
				for _, v := range in[g+1] {
					h[a][b] += v[a] * v[b]
				}
			}
			trace += h[a][a] / float64(l.In)
		}
		for a := range h {
			h[a][a] += .01 * trace
		}
		whole := 0.0
		for o := range l.Out {
			var y []float64
			mean := 0.0
			for _, v := range in[g+1] {
				s := l.B.X[o]
				for k := range v {
					s += l.W.X[o*l.In+k] * v[k]
				}
				y = append(y, s)
				mean += s / float64(len(in[g+1]))
			}
			for _, s := range y {
				whole += (s - mean) * (s - mean)
			}
		}
		cost[g] = []float64{0}
		last, step := 0.0, 0.0
		for range l.In {
			score := make([]float64, l.In)
			for c := range score {
				if score[c] = math.Inf(-1); !slices.Contains(order[g], c) {
					score[c] = -error2(l, h, append(slices.Clone(order[g]), c))
				}
			}
			next := slices.Index(oracle.Best(t, score, 1, oracle.CutFirst), true)
			order[g] = append(order[g], next)
			step = math.Max(step, (-score[next]-last)/whole) // at least that of those before it
			last = -score[next]
			cost[g] = append(cost[g], cost[g][len(cost[g])-1]+step)
		}
	}
	best, sum := [2]int{}, math.Inf(1)
	for a := range 12 {
		for b := range 6 {
			if 12-a >= int(math.Ceil(12*least)) && macs(12-a, 6-b) <= half && cost[0][a]+cost[1][b] < sum {
				best, sum = [2]int{a, b}, cost[0][a]+cost[1][b]
			}
		}
	}
	var kept [][]bool
	for g, n := range []int{12, 6} {
		k := slices.Repeat([]bool{true}, n)
		for _, c := range order[g][:best[g]] {
			k[c] = false
		}
		kept = append(kept, k)
	}
	return kept
}

// cut leaves out the channels that are not kept.
func cut(n *oracle.Net, kept [][]bool) {
	kept = append([][]bool{slices.Repeat([]bool{true}, 10)}, append(kept, []bool{true, true, true})...)
	for l, layer := range n.Layers {
		if m := layer.Norm; m != nil {
			only := func(x []float64) (out []float64) {
				for o, v := range x {
					if kept[l+1][o] {
						out = append(out, v)
					}
				}
				return out
			}
			m.Scale, m.Shift = oracle.NewTensor(m.Scale.Name, only(m.Scale.X)), oracle.NewTensor(m.Shift.Name, only(m.Shift.X))
			m.Mean, m.Variance = only(m.Mean), only(m.Variance)
		}
		var w, b []float64
		for o := range layer.Out {
			if !kept[l+1][o] {
				continue
			}
			b = append(b, layer.B.X[o])
			for k := range layer.In {
				if kept[l][k] {
					w = append(w, layer.W.X[o*layer.In+k])
				}
			}
		}
		layer.Out, layer.In = len(b), len(w)/len(b)
		layer.W, layer.B = oracle.NewTensor(layer.W.Name, w), oracle.NewTensor(layer.B.Name, b)
	}
}

// Channels that go are those of the plain computation by each score, whether widths are
// rounded or not, and the smaller network is trained as it is, step by step.
func TestChannelsOracle(t *testing.T) {
	for name, c := range map[string]struct {
		f    func(s *Channels)
		kept func(t *testing.T, n *oracle.Net, x [][]float64) [][]bool
	}{
		"norm": {func(*Channels) {}, func(t *testing.T, n *oracle.Net, _ [][]float64) [][]bool {
			return ranked(t, norms(n), .1, [2]int{1, 1})
		}},
		"norm, rounded": {func(s *Channels) { s.Round = 0 }, func(t *testing.T, n *oracle.Net, _ [][]float64) [][]bool {
			return ranked(t, norms(n), .1, [2]int{4, 1})
		}},
		"norm, least": {func(s *Channels) { s.Least = .5 }, func(t *testing.T, n *oracle.Net, _ [][]float64) [][]bool {
			return ranked(t, norms(n), .5, [2]int{1, 1})
		}},
		"norm, in threes": {func(s *Channels) { s.Round = 3 }, func(t *testing.T, n *oracle.Net, _ [][]float64) [][]bool {
			return ranked(t, norms(n), .1, [2]int{3, 3})
		}},
		"activations": {func(s *Channels) { s.Score = "activations" }, func(t *testing.T, n *oracle.Net, x [][]float64) [][]bool {
			return ranked(t, brought(n, x), .1, [2]int{1, 1})
		}},
		"reconstruction": {func(s *Channels) { s.Score = "reconstruction" }, func(t *testing.T, n *oracle.Net, x [][]float64) [][]bool { return reconstructed(t, n, x, .1) }},
		"l1": {byScore("l1"), func(t *testing.T, n *oracle.Net, _ [][]float64) [][]bool {
			return ranked(t, filters(n, 1), .1, [2]int{1, 1})
		}},
		"l2": {byScore("l2"), func(t *testing.T, n *oracle.Net, _ [][]float64) [][]bool {
			return ranked(t, filters(n, 2), .1, [2]int{1, 1})
		}},
		"fpgm": {byScore("fpgm"), func(t *testing.T, n *oracle.Net, _ [][]float64) [][]bool {
			return ranked(t, farFromOthers(n), .1, [2]int{1, 1})
		}},
		"slimming": {byScore("slimming"), func(t *testing.T, n *oracle.Net, _ [][]float64) [][]bool {
			return ranked(t, [][]float64{oracle.Sizes(n.Layers[0].Norm.Scale.X), oracle.Sizes(n.Layers[1].Norm.Scale.X)}, .1, [2]int{1, 1})
		}},
		"hrank": {byScore("hrank"), func(t *testing.T, n *oracle.Net, x [][]float64) [][]bool {
			return ranked(t, heard(n, x), .1, [2]int{1, 1})
		}},
		"random": {byScore("random"), func(t *testing.T, _ *oracle.Net, _ [][]float64) [][]bool {
			return ranked(t, drawn(t), .1, [2]int{1, 1})
		}},
		"taylor2": {byScore("taylor2"), func(t *testing.T, n *oracle.Net, _ [][]float64) [][]bool {
			return ranked(t, curved(t, n), .1, [2]int{1, 1})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			j := oracle.Job(t, sizes, 200, 20, 2, 4)
			if name == "slimming" {
				oracle.Normalise(t, j)
				for _, bn := range []string{"bn1.weight", "bn2.weight"} {
					for k, x := range j.Graph.Value(bn).Const.F32() {
						j.Graph.Value(bn).Const.F32()[k] = x * float32(1-2*(k%2)) * (1 + .017*float32(k))
					}
				}
			}
			for k := range 8 { // of the first layer most are so weak that the least share binds
				w, next := j.Graph.Value("fc1.weight").Const.F32(), j.Graph.Value("fc2.weight").Const.F32()
				for i := 0; name == "norm, least" && i < 10; i++ {
					w[10*k+i] *= .1
					next[12*(i%6)+k] *= .1
				}
			}
			s := NewChannels()
			s.Score, s.Round, s.Samples = "norm", 1, 100
			c.f(s)
			r := oracle.NewTraining(t, j)
			x := oracle.NewStream(t, j.Data.Train, j.Data.Norm, 100, true, j.Seed).Batch(0, 0).X
			kept := c.kept(t, r.Net, x)
			before := *j
			before.Recipe.Epochs = 0
			cut(r.Net, kept)
			res, err := model.Run(t.Context(), s, &before)
			if err != nil {
				t.Fatal(err)
			}
			for l, k := range kept {
				if got := res.Graph.Value(r.Net.Layers[l].B.Name).Const.Shape[0]; got != oracle.Count(k) {
					t.Fatalf("%d channels of layer %d stay, want %d", got, l, oracle.Count(k))
				}
			}
			r.Net.Frame(0).Compare(t, name, 0, &model.Job{Graph: res.Graph})
			if t.Failed() {
				return
			}
			r.Run()
			j.OnStep = func(step, _ int, loss float64) {
				if want := r.Frames[step-1].Loss; math.Abs(loss-want) > 1e-5 {
					t.Errorf("loss %v at step %d, want %v", loss, step, want)
				}
			}
			if res, err = model.Run(t.Context(), s, j); err != nil {
				t.Fatal(err)
			}
			r.Frames[len(r.Frames)-1].Compare(t, name, r.Steps, &model.Job{Graph: res.Graph})
		})
	}
}
