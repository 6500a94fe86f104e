package score_test

import (
	"fmt"
	"math"
	"testing"

	"pare/graph"
	"pare/prune"
	"pare/prune/score"
	"pare/prune/structure"
	"pare/tensor"
	"pare/zoo"
)

// small is y = B relu(A x + a) with three hidden units, of two inputs and two outputs.
func small(t *testing.T) (*graph.Graph, []*structure.Group) {
	t.Helper()
	g, err := zoo.New("mlp:2-3-2", zoo.Options{In: []int{2}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	copy(g.Value("fc1.weight").Const.F32(), []float32{3, 4, 3, 0, 0, -5}) // filters (3,4) (3,0) (0,-5)
	copy(g.Value("fc1.bias").Const.F32(), []float32{1, -2, 3})
	copy(g.Value("fc2.weight").Const.F32(), []float32{1, 2, 3, -4, 5, -6}) // columns (1,-4) (2,5) (3,-6)
	groups, _ := structure.Groups(g)
	if len(groups) != 1 || len(groups[0].Channels) != 3 {
		t.Fatalf("groups %v", groups)
	}
	return g, groups
}

// same compares scores, up to a common factor where relative is set.
func same(t *testing.T, what string, got, want []float64, relative bool) {
	t.Helper()
	by := 1.0
	if relative {
		a, b := 0.0, 0.0
		for i := range got {
			a, b = a+got[i], b+want[i]
		}
		if math.Abs(a/float64(len(got))-1) > 1e-6 {
			t.Errorf("%s: the mean of %v is not 1", what, got)
		}
		by = a / b
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i, x := range want {
		if !(math.Abs(got[i]-x*by) <= 1e-5*(math.Abs(x*by)+1e-9)) {
			t.Fatalf("%s: %v, want %v times %v", what, got, want, by)
		}
	}
}

// Norms and distances of filters by hand; what reads a channel has no say.
func TestFilterScoresByHand(t *testing.T) {
	g, groups := small(t)
	same(t, "l1", structure.Filters(g, groups)[0], []float64{7, 3, 5}, true)
	same(t, "l2", score.FilterNorms(groups)[0], []float64{5, 3, 5}, true)
	// |(3,4)-(3,0)| = 4, |(3,4)-(0,-5)| = sqrt(90), |(3,0)-(0,-5)| = sqrt(34)
	a, b, c := 4., math.Sqrt(90), math.Sqrt(34)
	same(t, "fpgm", score.GeometricMedian(groups)[0], []float64{a + b, a + c, b + c}, true)
}

// Of the unit's row, bias and column: {7, 1, 5}, {3, 2, 7}, {5, 3, 9} by |w|.
func TestCoupling(t *testing.T) {
	g, groups := small(t)
	entries := map[*graph.Value][]float32{}
	for _, v := range g.Params() {
		ws := []*prune.Weight{{Value: v}}
		entries[v] = score.Magnitude(ws)[0]
	}
	for _, c := range []struct {
		aggregate, normalise string
		want                 []float64
	}{
		{"sum", "none", []float64{13, 12, 17}},
		{"", "none", []float64{13, 12, 17}},
		{"mean", "none", []float64{13. / 3, 4, 17. / 3}},
		{"max", "none", []float64{7, 7, 9}},
		{"prod", "none", []float64{35, 42, 135}},
		{"sum", "mean", []float64{13. / 14, 12. / 14, 17. / 14}},
		{"sum", "", []float64{13. / 14, 12. / 14, 17. / 14}},
		{"sum", "sum", []float64{13. / 42, 12. / 42, 17. / 42}},
		{"prod", "max", []float64{35. / 135, 42. / 135, 1}},
	} {
		got, err := score.Coupling{Aggregate: c.aggregate, Normalise: c.normalise}.Rates(groups, entries)
		if err != nil {
			t.Fatal(err)
		}
		same(t, c.aggregate+" "+c.normalise, got[0], c.want, false)
	}
	// signs do not cancel out in what is divided by: |3| + |-1| + |-2| over 3
	same(t, "signed", score.Coupling{}.Join([][]float64{{3, 1, -2}, {0, -2, 0}}), []float64{1.5, -.5, -1}, false)
	for v := range entries {
		delete(entries, v)
	}
	if _, err := (score.Coupling{}).Rates(groups, entries); err == nil {
		t.Error("a group without scores was rated")
	}
}

// A residual sum adds what all of its weights say, and every channel's slice is its own: a
// plain sum over the places of the weights, for a network of residual blocks.
func TestCoupledResidual(t *testing.T) {
	x := newGlyphs(t, "resnet8", 20, 20)
	w := x.g.Value("layer1.0.conv2.weight")
	for k, grp := range x.groups {
		l2, gm, l1, n := make([]float64, len(grp.Channels)), make([]float64, len(grp.Channels)), make([]float64, len(grp.Channels)), 0
		for k, a := range grp.Axes {
			v, at := a.Value, func(c int) int { return grp.Channels[c].At[k][0] }
			if !v.IsConst() || len(v.Shape) != 4 || a.Dim != 0 {
				continue
			}
			n++
			size := v.Const.Len() / v.Const.Shape[0]
			for c := range grp.Channels {
				sum := 0.0
				for i := range size {
					e := float64(v.Const.F32()[at(c)*size+i])
					l1[c] += math.Abs(e)
					sum += e * e
				}
				l2[c] += math.Sqrt(sum)
				for o := range grp.Channels {
					d := 0.0
					for i := range size {
						e := float64(v.Const.F32()[at(c)*size+i]) - float64(v.Const.F32()[at(o)*size+i])
						d += e * e
					}
					gm[c] += math.Sqrt(d)
				}
			}
		}
		if grp.Reads(w) < 0 && n < 2 && grp.Name == "conv1.weight" {
			t.Errorf("%d convolutions make the channels of the stem", n)
		}
		same(t, "l1 of "+grp.Name, structure.Filters(x.g, x.groups)[k], l1, true)
		same(t, "l2 of "+grp.Name, score.FilterNorms(x.groups)[k], l2, true)
		same(t, "fpgm of "+grp.Name, score.GeometricMedian(x.groups)[k], gm, true)
	}
}

// |γ|, the mean over the normalisations that a channel goes through, as it is; channels
// that go through none go last.
func TestSlimming(t *testing.T) {
	x := newGlyphs(t, "resnet8", 20, 20)
	for i, v := range x.g.Params() {
		if len(v.Shape) == 1 {
			for c := range v.Const.F32() {
				v.Const.F32()[c] = float32((7*i+3*c)%11) - 5
			}
		}
	}
	rates, without := score.Slimming(x.g, x.groups)
	if without != nil {
		t.Errorf("%v are said to have none", without)
	}
	for k, grp := range x.groups {
		want, n := make([]float64, len(grp.Channels)), 0.0
		for _, node := range x.g.Nodes {
			if !node.Is("BatchNormalization") {
				continue
			}
			for a, at := range grp.Axes {
				if at.Value == node.In(1) {
					n++
					for c := range want {
						want[c] += math.Abs(float64(node.In(1).Const.F32()[grp.Channels[c].At[a][0]]))
					}
				}
			}
		}
		for c := range want {
			want[c] /= n
		}
		same(t, grp.Name, rates[k], want, false)
	}
	g, groups := small(t)
	rates, without = score.Slimming(g, groups)
	if len(without) != 1 || !math.IsInf(rates[0][1], 1) {
		t.Errorf("%v, %v", rates, without)
	}
}

// Of two batches the saliency is w² times half of the mean of the squared gradients; a
// channel is worth that of the weights that read it.
func TestFisherByHand(t *testing.T) {
	g, groups := small(t)
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	f := score.NewTaylor2(groups, ws)
	if len(f.Of) != 1 || f.Of[0].Name != "fc2.weight" {
		t.Fatalf("gradients by %v", f.Of)
	}
	for _, grad := range [][]float32{{1, 1, 2, 2, 0, 1}, {-1, 3, 0, 0, 2, -1}} {
		if err := f.Add([][]float32{grad}); err != nil {
			t.Fatal(err)
		}
	}
	// F = 1, 5, 2, 2, 2, 1; w² = 1, 4, 9, 16, 25, 36
	same(t, "entries", wide(f.Saliency()[f.Of[0]]), []float64{.5, 10, 9, 16, 25, 18}, false)
	same(t, "channels", f.Rates()[0], []float64{16.5, 35, 27}, false)
	if f.Add([][]float32{{0, 0, 0, 0, 0, float32(math.Inf(1))}}) == nil {
		t.Error("an infinite gradient was taken")
	}
}

// Where the loss is a square of an output that is linear in a weight, what is lost without
// the weight is its saliency: of a network of one weight at its minimum, by differences.
func TestFisherIsCurvature(t *testing.T) {
	// L = (w x - y)²/2 over samples of y = w x + noise: H = x², F = noise² x²; of noise ±1 they agree
	f := score.NewFisher([]*graph.Value{{Name: "w", Const: tensor.From([]float32{3}, 1)}})
	loss := func(w float64) (sum float64) {
		for i := range 8 {
			x, noise := float64(i%4), 1-2*float64(i/4)
			sum += (w*x - 3*x - noise) * (w*x - 3*x - noise) / 2 / 8
		}
		return sum
	}
	for i := range 8 {
		x, noise := float32(i%4), 1-2*float32(i/4)
		if err := f.Add([][]float32{{-noise * x}}); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "saliency", wide(f.Saliency()[f.Of[0]]), []float64{loss(0) - loss(3)}, false)
}

func wide(x []float32) (out []float64) {
	for _, v := range x {
		out = append(out, float64(v))
	}
	return out
}

// Scores at random differ by seed and by channel, and by nothing else.
func TestRandomChannels(t *testing.T) {
	x := newGlyphs(t, "resnet8", 20, 20)
	a, b, c := score.RandomChannels(x.groups, 1), score.RandomChannels(x.groups, 1), score.RandomChannels(x.groups, 2)
	if fmt.Sprint(a) != fmt.Sprint(b) || fmt.Sprint(a) == fmt.Sprint(c) || a[0][0] == a[0][1] || a[0][0] == a[1][0] {
		t.Errorf("%v, %v, %v", a[0], b[0], c[0])
	}
}

// CroP is GraSP without its sign (Rachwan and others 2022).
func TestCroP(t *testing.T) {
	ws := []*prune.Weight{{Value: &graph.Value{Const: tensor.From([]float32{1, -2, 3}, 3)}}}
	hg := [][]float64{{2, 3, -.5}}
	crop, err := score.CroP(ws, hg)
	if err != nil {
		t.Fatal(err)
	}
	grasp, _ := score.GraSP(ws, hg)
	same(t, "crop", wide(crop[0]), []float64{2, 6, 1.5}, false)
	same(t, "grasp", wide(grasp[0]), []float64{2, -6, -1.5}, false)
	if _, err := score.CroP(ws, [][]float64{{math.NaN(), 0, 0}}); err == nil {
		t.Error("a NaN was taken")
	}
}
