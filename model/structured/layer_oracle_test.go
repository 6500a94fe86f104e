package structured

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"pare/graph"
	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
	"pare/train"
	"pare/zoo"
)

// linear is y = W x + b in float64.
type linear struct {
	name       string
	in, out    int
	w, b       []float64
	gw, gb     []float64 // gradients
	mw, mb     []float64 // momenta
	x, y       [][]float64
	activation bool
}

// branches is the residual network of these tests: a stem, blocks h + relu(W h + b), a
// head.
type branches struct {
	stem, head *linear
	blocks     []*linear
}

func (n *branches) all() []*linear {
	return append(append([]*linear{n.stem}, n.blocks...), n.head)
}

func readBranches(t *testing.T, g *graph.Graph) *branches {
	t.Helper()
	read := func(name string, act bool) *linear {
		w, b := g.Value(name+".weight"), g.Value(name+".bias")
		if w == nil {
			return nil
		}
		l := &linear{name: name, in: w.Const.Shape[1], out: w.Const.Shape[0], w: oracle.Wide(w.Const.F32()), b: oracle.Wide(b.Const.F32()), activation: act}
		l.mw, l.mb = make([]float64, len(l.w)), make([]float64, len(l.b))
		return l
	}
	n := &branches{stem: read("stem", true), head: read("head", false)}
	for i := range 20 {
		if l := read(fmt.Sprintf("blocks.%d", i), true); l != nil {
			n.blocks = append(n.blocks, l)
		}
	}
	return n
}

func (l *linear) forward(x [][]float64) [][]float64 {
	l.x, l.y = x, nil
	for _, v := range x {
		out := slices.Clone(l.b)
		for o := range out {
			for k, u := range v {
				out[o] += l.w[o*l.in+k] * u
			}
			if l.activation {
				out[o] = math.Max(0, out[o])
			}
		}
		l.y = append(l.y, out)
	}
	return l.y
}

func (l *linear) backward(d [][]float64) [][]float64 {
	l.gw, l.gb = make([]float64, len(l.w)), make([]float64, len(l.b))
	var back [][]float64
	for s, row := range d {
		dx := make([]float64, l.in)
		for o, e := range row {
			if l.activation && l.y[s][o] <= 0 {
				continue
			}
			l.gb[o] += e
			for k, u := range l.x[s] {
				l.gw[o*l.in+k] += e * u
				dx[k] += e * l.w[o*l.in+k]
			}
		}
		back = append(back, dx)
	}
	return back
}

func plus(a, b [][]float64) [][]float64 {
	var out [][]float64
	for s := range a {
		row := slices.Clone(a[s])
		for k := range row {
			row[k] += b[s][k]
		}
		out = append(out, row)
	}
	return out
}

// forward gives what goes into the first block, what comes out of each, and the outputs.
func (n *branches) forward(x [][]float64) (h [][][]float64, y [][]float64) {
	h = [][][]float64{n.stem.forward(x)}
	for i, l := range n.blocks {
		h = append(h, plus(h[i], l.forward(h[i])))
	}
	return h, n.head.forward(h[len(h)-1])
}

// gradient leaves the gradients of the mean cross-entropy at a temperature.
func (n *branches) gradient(b oracle.Batch, temper float64) (loss float64) {
	_, y := n.forward(b.X)
	size := float64(len(y))
	var d [][]float64
	for s, out := range y {
		sum, row := 0., make([]float64, len(out))
		for _, v := range out {
			sum += math.Exp(v / temper)
		}
		for c, v := range out {
			row[c] = math.Exp(v/temper) / sum / temper / size
		}
		row[b.Y[s]] -= 1 / temper / size
		loss -= (out[b.Y[s]]/temper - math.Log(sum)) / size
		d = append(d, row)
	}
	d = n.head.backward(d)
	for _, l := range slices.Backward(n.blocks) {
		d = plus(d, l.backward(d))
	}
	n.stem.backward(d)
	return loss
}

// weightGradients are those of the matrices, in order.
func (n *branches) weightGradients(b oracle.Batch, temper float64) (out []float64) {
	n.gradient(b, temper)
	for _, l := range n.all() {
		out = append(out, l.gw...)
	}
	return out
}

// move adds f times v to the matrices.
func (n *branches) move(v []float64, f float64) {
	for _, l := range n.all() {
		for i := range l.w {
			l.w[i] += f * v[i]
		}
		v = v[len(l.w):]
	}
}

// worth is what each block is by a score of its weights.
func (n *branches) worth(b oracle.Batch, by string, temper float64, mean bool) []float64 {
	entry := make([][]float64, len(n.all()))
	switch by {
	case "grasp": // w (H g), by differences of gradients
		g := n.weightGradients(b, temper)
		norm := 0.
		for _, x := range g {
			norm += x * x
		}
		e := 1e-5 / math.Sqrt(norm)
		n.move(g, e)
		up := n.weightGradients(b, temper)
		n.move(g, -2*e)
		down := n.weightGradients(b, temper)
		n.move(g, e)
		k := 0
		for i, l := range n.all() {
			for j := range l.w {
				entry[i] = append(entry[i], l.w[j]*(up[k]-down[k])/(2*e))
				k++
			}
		}
	case "snip":
		n.gradient(b, 1)
		for i, l := range n.all() {
			for j := range l.w {
				entry[i] = append(entry[i], math.Abs(l.w[j]*l.gw[j]))
			}
		}
	case "l1":
		for i, l := range n.all() {
			entry[i] = oracle.Sizes(l.w)
		}
	}
	out := make([]float64, len(n.blocks))
	for i := range out {
		for _, x := range entry[i+1] {
			out[i] += x
		}
		if mean {
			out[i] /= float64(len(entry[i+1]))
		}
	}
	return out
}

// without removes blocks.
func (n *branches) without(gone []int) {
	var left []*linear
	for i, l := range n.blocks {
		if !slices.Contains(gone, i) {
			left = append(left, l)
		}
	}
	n.blocks = left
}

// train moves all by SGD along a cosine from a step on, and gives a copy of what was there
// after some steps.
func (n *branches) train(t *testing.T, j *model.Job, from, keep int) (kept map[string][]float64) {
	t.Helper()
	s := oracle.Trained(t, j)
	steps := j.Recipe.Epochs * s.Steps()
	for _, l := range n.all() {
		clear(l.mw)
		clear(l.mb)
	}
	copyAll := func() map[string][]float64 {
		out := map[string][]float64{}
		for _, l := range n.all() {
			out[l.name+".weight"], out[l.name+".bias"] = slices.Clone(l.w), slices.Clone(l.b)
		}
		return out
	}
	for step := from; step < steps; step++ {
		if step == keep {
			kept = copyAll()
		}
		n.gradient(s.Batch(step/s.Steps(), step%s.Steps()), 1)
		lr := j.Recipe.LR * (1 + math.Cos(math.Pi*float64(step)/float64(steps))) / 2
		for _, l := range n.all() {
			for _, p := range [][3][]float64{{l.w, l.gw, l.mw}, {l.b, l.gb, l.mb}} {
				for i := range p[0] {
					p[2][i] = j.Recipe.Momentum*p[2][i] + p[1][i] + j.Recipe.Decay*p[0][i]
					p[0][i] -= lr * p[2][i]
				}
			}
		}
	}
	if keep == steps {
		kept = copyAll()
	}
	return kept
}

// compare fails where a network's parameters are not these.
func (n *branches) compare(t *testing.T, what string, g *graph.Graph) {
	t.Helper()
	seen := 0
	for _, l := range n.all() {
		for name, want := range map[string][]float64{l.name + ".weight": l.w, l.name + ".bias": l.b} {
			v := g.Value(name)
			if v == nil {
				t.Fatalf("%s: %s is gone", what, name)
			}
			seen++
			for i, x := range v.Const.F32() {
				if math.Abs(float64(x)-want[i]) > 5e-6*math.Max(1, math.Abs(want[i])) {
					t.Fatalf("%s: %s[%d] is %v, want %v", what, name, i, x, want[i])
				}
			}
		}
	}
	if got := len(g.Params()); got != seen {
		t.Fatalf("%s: %d parameters, want %d", what, got, seen)
	}
}

// branchJob is a job on such a network, whose biases are not zero.
func branchJob(t *testing.T, blocks int, seed uint64) *model.Job {
	t.Helper()
	j := oracle.Job(t, "mlp:10-12-6-4", 120, 20, 3, seed)
	var err error
	if j.Graph, err = zoo.New(fmt.Sprintf("residual-mlp-%d-12", blocks), zoo.Options{In: []int{10}, Classes: 4, Seed: seed}); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 9))
	for _, v := range j.Graph.Params() {
		if len(v.Shape) == 1 {
			for i := range v.Const.F32() {
				v.Const.F32()[i] = float32(.2 * r.NormFloat64())
			}
		}
	}
	return j
}

// lowest are the places of the k lowest scores, which are to be clear of the others.
func lowest(t *testing.T, score []float64, k int) []int {
	t.Helper()
	neg := make([]float64, len(score))
	for i, x := range score {
		neg[i] = -x
	}
	var out []int
	for i, take := range oracle.Best(t, neg, k, oracle.KeepFirst) {
		if take {
			out = append(out, i)
		}
	}
	return out
}

// Run at initialisation is the scores by hand, the blocks of the lowest gone, and the
// ordinary training of what is left.
func TestLayersAtInitOracle(t *testing.T) {
	for _, by := range []string{"grasp", "snip", "l1"} {
		for _, mean := range []bool{false, true} {
			s := NewLayerLottery()
			s.Blocks, s.Score, s.Mean, s.PerClass = 2, by, mean, 8
			j := branchJob(t, 5, 3)
			n := readBranches(t, j.Graph)
			set, err := j.Data.Train.Balanced(8, j.Seed)
			if err != nil {
				t.Fatal(err)
			}
			score := n.worth(oracle.Whole(t, set, j.Data.Norm), by, 200, mean)
			gone := lowest(t, score, 2)
			n.without(gone)
			n.train(t, j, 0, -1)
			r := modeltest.Run(t, s, j)
			f := r.Facts.(*LayerFacts)
			for i, b := range f.Blocks {
				if b.Removed != slices.Contains(gone, i) {
					t.Errorf("%s: block %s goes: %v; by hand %v do", by, b.Name, b.Removed, gone)
				}
				if d := math.Abs(*b.Score - score[i]); d > 2e-4*math.Abs(score[i])+1e-12 {
					t.Errorf("%s: block %s is worth %v, by hand %v", by, b.Name, *b.Score, score[i])
				}
			}
			n.compare(t, by, r.Graph)
		}
	}
}

// Run after training is the dense training by hand, the scores of what it has learnt, the
// weights of an early step without the blocks, and the rest of the schedule.
func TestLayersTrainedOracle(t *testing.T) {
	for _, at := range []int{0, 7, 18} {
		s := NewLayerLottery()
		s.Blocks, s.When, s.Rewind, s.PerClass, s.Score = 2, "trained", train.At{X: float64(at)}, 8, "snip"
		j := branchJob(t, 5, 4)
		n := readBranches(t, j.Graph)
		kept := n.train(t, j, 0, at)
		set, _ := j.Data.Train.Balanced(8, j.Seed)
		n.without(lowest(t, n.worth(oracle.Whole(t, set, j.Data.Norm), "snip", 1, false), 2))
		for _, l := range n.all() {
			l.w, l.b = kept[l.name+".weight"], kept[l.name+".bias"]
		}
		n.train(t, j, at, -1)
		n.compare(t, fmt.Sprintf("rewound to %d", at), modeltest.Run(t, s, j).Graph)
	}
}

// Scores of features and outputs are those by hand, on the samples that the scores look
// at.
func TestLayerFeaturesOracle(t *testing.T) {
	j := branchJob(t, 4, 5)
	j.Graph.Usage.Drawn = false // as if it had been read
	n := readBranches(t, j.Graph)
	stream := oracle.NewStream(t, j.Data.Train, j.Data.Norm, 60, true, j.Seed)
	b := stream.All(0)
	if len(b.X) != 120 {
		t.Fatal(len(b.X))
	}
	h, y := n.forward(b.X)
	turn := func(from, to int) (a float64) {
		for s := range b.X {
			dot, aa, bb := 0., 0., 0.
			for k, x := range h[from][s] {
				z := h[to+1][s][k]
				dot, aa, bb = dot+x*z, aa+x*x, bb+z*z
			}
			a += math.Acos(dot/math.Sqrt(aa*bb)) / math.Pi / float64(len(b.X))
		}
		return a
	}
	cosine := func(i int) (a float64) {
		for s := range b.X {
			dot, aa, bb := 0., 0., 0.
			for k, x := range h[i][s] {
				z := h[i+1][s][k]
				dot, aa, bb = dot+x*z, aa+x*x, bb+z*z
			}
			a += dot / math.Sqrt(aa*bb) / float64(len(b.X))
		}
		return a
	}
	softmax := func(x []float64) []float64 {
		sum, out := 0., make([]float64, len(x))
		for i, v := range x {
			out[i] = math.Exp(v)
			sum += out[i]
		}
		for i := range out {
			out[i] /= sum
		}
		return out
	}
	for by, want := range map[string]func(i int) float64{
		"expectabs": func(i int) (a float64) {
			for s := range b.X {
				for _, x := range h[i+1][s] {
					a += math.Max(0, x) / float64(len(b.X)*12)
				}
			}
			return a
		},
		"angle":     func(i int) float64 { return turn(i, i) },
		"influence": func(i int) float64 { return 1 - cosine(i) },
		"kl": func(i int) (a float64) {
			m := *n
			m.without([]int{i})
			_, z := m.forward(b.X)
			for s := range b.X {
				p, q := softmax(y[s]), softmax(z[s])
				for c := range p {
					a += q[c] * (math.Log(q[c]) - math.Log(p[c])) / float64(len(b.X))
				}
			}
			return a
		},
	} {
		s := NewLayerLottery()
		s.Blocks, s.Score = 1, by
		k := j.On(j.Graph)
		k.Recipe.Epochs = 0
		f := modeltest.Run(t, s, k).Facts.(*LayerFacts)
		least := 0
		for i, blk := range f.Blocks {
			if d := math.Abs(*blk.Score - want(i)); d > 1e-5*math.Abs(want(i))+1e-7 {
				t.Errorf("%s: block %s is worth %v, by hand %v", by, blk.Name, *blk.Score, want(i))
			}
			if want(i) < want(least) {
				least = i
			}
		}
		if !f.Blocks[least].Removed {
			t.Errorf("%s: block %d is worth least and stays", by, least)
		}
	}
	// two blocks in a row: the pair between whose ends values turn least
	s := NewLayerLottery()
	s.Blocks, s.Score = 2, "angle"
	k := j.On(j.Graph)
	k.Recipe.Epochs = 0
	f := modeltest.Run(t, s, k).Facts.(*LayerFacts)
	pairs := []int{0, 1, 2}
	sort.Slice(pairs, func(a, b int) bool { return turn(pairs[a], pairs[a]+1) < turn(pairs[b], pairs[b]+1) })
	for i, blk := range f.Blocks {
		if i < len(pairs) && math.Abs(*blk.Score-turn(i, i+1)) > 1e-5 {
			t.Errorf("from block %d on values turn by %v, by hand %v", i, *blk.Score, turn(i, i+1))
		}
		if blk.Removed != (i == pairs[0] || i == pairs[0]+1) {
			t.Errorf("block %d goes: %v, the pair from %d turns least", i, blk.Removed, pairs[0])
		}
	}
}
