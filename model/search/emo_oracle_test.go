package search

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/internal/oracle"
	"pare/model"
)

// plainEMO computes the method once more for a chain of 10, 12, 6 and 3, divided behind
// its first layer, with widths in multiples of two and channels by their norm: few enough
// that a search comes to all of them, whatever chance does.
type plainEMO struct {
	t      *testing.T
	net    *oracle.Net
	val    oracle.Batch
	widths [2][]int
	known  map[[2]int]float64
	share  float64 // that may stay
	filled bool    // the network that was chosen was widened
}

var plainWhole = [2]int{12, 6}

// plainPoint is widths with what they are worth.
type plainPoint struct {
	at          [2]int
	error, cost float64
	worse       float64
}

// cost is what is left of 120+72+18 multiply-accumulates, as a share of what may stay.
func (p *plainEMO) cost(at [2]int) float64 {
	return float64(10*at[0]+at[0]*at[1]+3*at[1]) / (p.share * 210)
}

// kept are masks of the channels of the largest squares of all weights that go with them.
func (p *plainEMO) kept(at [2]int) (out [2][]bool) {
	for l := range 2 {
		a, b := p.net.Layers[l], p.net.Layers[l+1]
		score := make([]float64, a.Out)
		for c := range score {
			for k := range a.In {
				score[c] += math.Pow(a.W.X[c*a.In+k], 2)
			}
			for o := range b.Out {
				score[c] += math.Pow(b.W.X[o*b.In+c], 2)
			}
		}
		out[l] = oracle.Best(p.t, score, at[l], oracle.KeepFirst)
	}
	return out
}

// narrowed is the network of some widths.
func (p *plainEMO) narrowed(at [2]int) *oracle.Net {
	n := p.net.Clone()
	for l, keep := range p.kept(at) {
		n.Narrow(l, keep)
	}
	return n
}

// loss is that of the labels.
func (p *plainEMO) loss(at [2]int) float64 {
	if _, ok := p.known[at]; !ok {
		p.known[at] = p.narrowed(at).Loss(p.val)
	}
	return p.known[at]
}

// first is what the first layer's channels that are gone were, of its squares.
func (p *plainEMO) first(w int) float64 {
	in, _ := p.net.Forward(p.val.X)
	gone, all := 0., 0.
	keep := p.kept([2]int{w, 6})[0]
	for _, x := range in[1] {
		for c, v := range x {
			if all += v * v; !keep[c] {
				gone += v * v
			}
		}
	}
	return gone / all
}

// second is how far outputs are from those of the whole network, of their squares.
func (p *plainEMO) second(w int) float64 {
	_, want := p.net.Forward(p.val.X)
	_, is := p.narrowed([2]int{12, w}).Forward(p.val.X)
	off, all := 0., 0.
	for i := range want {
		for o := range want[i] {
			off, all = off+math.Pow(want[i][o]-is[i][o], 2), all+want[i][o]*want[i][o]
		}
	}
	return off / all
}

// front leaves out who is worse than another in both, and sorts by what is saved.
func (p *plainEMO) front(all []*plainPoint) (out []*plainPoint) {
	for _, a := range all {
		if !slices.ContainsFunc(all, func(b *plainPoint) bool {
			return b.error <= a.error && b.cost <= a.cost && (b.error < a.error || b.cost < a.cost)
		}) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b *plainPoint) int { return cmp.Compare(b.cost, a.cost) })
	return out
}

// ranking replaces the part whose next solution costs least for what it saves.
func (p *plainEMO) ranking(fronts [2][]*plainPoint) (path [][2]int) {
	at := [2]int{}
	for {
		next, least := -1, math.Inf(1)
		for k, f := range fronts {
			if at[k]+1 < len(f) {
				a, b := f[at[k]], f[at[k]+1]
				if price := (b.worse - a.worse) / (a.cost - b.cost); price < least {
					next, least = k, price
				}
			}
		}
		if next < 0 {
			return path
		}
		at[next]++
		path = append(path, [2]int{fronts[0][at[0]].at[0], fronts[1][at[1]].at[1]})
	}
}

// run gives the fronts of both parts, the front of whole networks, and the widths that are
// chosen.
func (p *plainEMO) run() (fronts [2][]*plainPoint, whole []*plainPoint, chosen [2]int) {
	for k := range 2 {
		var all []*plainPoint
		for _, w := range p.widths[k] {
			x := &plainPoint{at: plainWhole}
			if x.at[k] = w; k == 0 {
				x.error = p.first(w)
			} else {
				x.error = p.second(w)
			}
			x.cost, x.worse = p.cost(x.at), p.loss(x.at)-p.loss(plainWhole)
			all = append(all, x)
		}
		fronts[k] = p.front(all)
	}
	tried := append([][2]int{{2, 2}}, p.ranking(fronts)...)
	for _, f := range fronts {
		for _, x := range f {
			tried = append(tried, x.at)
		}
	}
	best := func() (out [2]int) {
		least := math.Inf(1)
		for _, at := range tried {
			if l := p.loss(at); p.cost(at) <= 1 && l < least {
				out, least = at, l
			}
		}
		return out
	}
	for x := best(); ; { // widened for as long as it helps
		for k, ws := range p.widths {
			y := x
			if i := slices.Index(ws, x[k]); i+1 < len(ws) {
				if y[k] = ws[i+1]; p.cost(y) <= 1 {
					tried = append(tried, y)
				}
			}
		}
		if chosen = best(); chosen == x {
			break
		}
		x, p.filled = chosen, true
	}
	var all []*plainPoint
	seen := map[[2]int]bool{}
	for _, at := range tried {
		if !seen[at] {
			seen[at] = true
			all = append(all, &plainPoint{at: at, error: p.loss(at), cost: p.cost(at)})
		}
	}
	return fronts, p.front(all), chosen
}

// The fronts of sub-networks, how much their solutions impair the whole, the front of whole
// networks, the one that is chosen, and every step of its training are those of the plain
// computation.
func TestEMOOracle(t *testing.T) {
	filled := false
	for _, c := range []struct {
		seed  uint64
		share float64
	}{{4, .5}, {4, .4}, {2, .25}} {
		j := oracle.Job(t, "mlp:10-12-6-3", 300, 20, 2, c.seed)
		var err error
		if j.Data.Train, j.Data.Val, err = j.Data.Train.Split(.3, 1); err != nil {
			t.Fatal(err)
		}
		long := *j
		long.Recipe.Epochs = 5
		if _, err := long.Fit(t.Context(), j.Graph); err != nil {
			t.Fatal(err)
		}
		r := oracle.NewTraining(t, j)
		p := &plainEMO{t: t, net: r.Net, val: oracle.Whole(t, j.Data.Val, j.Data.Norm), known: map[[2]int]float64{}, share: c.share,
			widths: [2][]int{{2, 4, 6, 8, 10, 12}, {2, 4, 6}}}
		p.hold(j, r)
		filled = filled || p.filled
	}
	if !filled {
		t.Error("no network was widened: the problem tells nothing of that")
	}
}

// hold holds the method to the plain computation.
func (p *plainEMO) hold(j *model.Job, r *oracle.Training) {
	t := p.t
	fronts, whole, chosen := p.run()
	if len(fronts[0]) != 6 || len(fronts[1]) < 2 || len(whole) < 4 || chosen == [2]int{} {
		t.Fatalf("the problem tells little: %d and %d solutions, %d networks, %v", len(fronts[0]), len(fronts[1]), len(whole), chosen)
	}
	plain := r.Net.Clone()
	r.Net = p.narrowed(chosen)
	r.Run()
	losses := r.Frames
	j.OnStep = func(step, _ int, loss float64) {
		if want := losses[step-1].Loss; math.Abs(loss-want) > 1e-5 {
			t.Errorf("loss %v at step %d, want %v", loss, step, want)
		}
	}
	s := NewEMO()
	s.MACs, s.Subnetworks, s.Round, s.Rank, s.Join, s.Constrain, s.Population = model.Count(p.share), 2, 2, "norm", "ranking", 0, 24
	res, err := model.Run(t.Context(), s, j)
	if err != nil {
		t.Fatal(err)
	}
	f := res.Facts.(*EMOFacts)
	for k, sub := range f.Subnetworks {
		if len(sub.Front) != len(fronts[k]) || len(sub.Groups) != 1 || sub.First != plain.Layers[k].W.Name {
			t.Fatalf("sub-network %d: %+v", k, sub)
		}
		for i, x := range sub.Front {
			w := fronts[k][i]
			if x.Widths[0] != w.at[k] || math.Abs(x.Error-w.error) > 1e-6 || math.Abs(x.Cost-w.cost) > 1e-9 || math.Abs(x.Impairment-w.worse) > 1e-6 {
				t.Errorf("sub-network %d: %+v, want %+v", k, x, *w)
			}
		}
	}
	if len(f.Front) != len(whole) {
		t.Fatalf("%d networks, want %d", len(f.Front), len(whole))
	}
	for i, x := range f.Front {
		if w := whole[i]; math.Abs(x.Loss-w.error) > 1e-6 || math.Abs(x.MACs-w.cost*p.share) > 1e-9 || x.Chosen != (w.at == chosen) || x.Chosen != (i == f.Chosen) {
			t.Errorf("network %d: %+v, want %+v", i, x, *w)
		}
	}
	losses[len(losses)-1].Compare(t, "emo", len(losses), &model.Job{Graph: res.Graph})
}

// chain is a network of 8, 6, 4, 12 and 3, which is divided in its middle: its sub-networks
// have a layer's channels of their own each.
func chainJob(t *testing.T) *model.Job {
	t.Helper()
	j := oracle.Job(t, "mlp:8-6-4-12-3", 200, 20, 1, 6)
	var err error
	if j.Data.Train, j.Data.Val, err = j.Data.Train.Split(.2, 1); err != nil {
		t.Fatal(err)
	}
	return j
}

// forward gives what goes into each layer of a chain, the channels of some being gated, and
// the outputs.
func forwardGated(n *oracle.Net, x []float64, gate [][]float64) (in [][]float64, y []float64) {
	for l, layer := range n.Layers {
		x = slices.Clone(x)
		if l > 0 {
			for c := range x {
				x[c] = math.Max(0, x[c])
			}
		}
		for c := range x {
			if l > 0 && gate[l-1] != nil {
				x[c] *= gate[l-1][c]
			}
		}
		in = append(in, x)
		y = make([]float64, layer.Out)
		for o := range y {
			y[o] = layer.B.X[o]
			for k := range x {
				y[o] += layer.W.X[o*layer.In+k] * x[k]
			}
		}
		x = y
	}
	return in, y
}

// The constraint training of both sub-networks, step by step: widths drawn by seed and
// step, features that are to be those of the dense network in the first, labels and the
// dense network's outputs in the second, whose predecessor is narrow too in a half of the
// steps; and nothing else is moved.
func TestEMOConstrainOracle(t *testing.T) {
	j := chainJob(t)
	s := NewEMO()
	s.Subnetworks, s.Round, s.Rank, s.Constrain = 2, 1, "norm", 3
	e, err := s.begin(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.parts) != 2 || e.parts[0].last != "fc2.weight" || len(e.parts[0].groups) != 2 || len(e.parts[1].groups) != 1 {
		t.Fatalf("divided at %s", e.parts[0].last)
	}
	dense := oracle.Read(t, j.Graph)
	runs := e.job.NewSeries(2)
	net := dense.Clone()
	for k, p := range e.phases() {
		if p.task != (k == 1) {
			t.Fatalf("phase %d has the task's loss: %v", k, p.task)
		}
		r := oracle.NewTraining(t, p.job)
		r.Net = net
		net.Begin()
		pruned := 0
		for step := range r.Steps {
			if e.plainStep(t, r, dense, k, step) {
				pruned++
			}
		}
		if k == 1 && (pruned < r.Steps/4 || pruned > 3*r.Steps/4) {
			t.Errorf("the predecessor is narrow in %d of %d steps", pruned, r.Steps)
		}
		was := oracle.Read(t, e.net)
		if _, err := e.constrain(runs, p); err != nil {
			t.Fatal(err)
		}
		net.Numbers(t, "constrained", e.net)
		is := oracle.Read(t, e.net)
		for l := range is.Layers {
			moved := !slices.Equal(was.Layers[l].W.X, is.Layers[l].W.X) || !slices.Equal(was.Layers[l].B.X, is.Layers[l].B.X)
			if moved != (l/2 == k) {
				t.Errorf("phase %d: layer %d is moved: %v", k, l, moved)
			}
		}
	}
}

// plainStep is a step of phase k; it says whether the predecessors were narrow.
func (e *emo) plainStep(t *testing.T, r *oracle.Training, dense *oracle.Net, k, step int) bool {
	t.Helper()
	draw := rand.New(rand.NewPCG(e.job.OtherSeed(k+1), 0xe30<<48|uint64(step)))
	pruned := draw.Float64() < .5
	gate := make([][]float64, 4)
	for g := range 3 {
		if k == 0 && g != 0 { // the first ends where channels of the second layer are made
			continue
		}
		w := e.widths[g][draw.IntN(len(e.widths[g]))]
		if k == 1 && g < 2 && !pruned {
			w = len(e.best[g])
		}
		gate[g] = make([]float64, len(e.best[g]))
		for _, c := range e.best[g][:w] {
			gate[g][c] = 1
		}
	}
	b := r.Batch(step)
	n := r.Net
	for _, p := range n.Tensors() {
		p.G = make([]float64, len(p.X))
	}
	size := float64(len(b.X))
	spread := 0.0
	var target [][]float64 // of the first: what its end is in the dense network
	for _, x := range b.X {
		in, _ := forwardGated(dense, x, make([][]float64, 4))
		target = append(target, in[2])
	}
	for c := range 4 {
		mean := 0.0
		for i := range target {
			mean += target[i][c] / size
		}
		for i := range target {
			spread += math.Pow(target[i][c]-mean, 2) / size / 4
		}
	}
	for i, x := range b.X {
		in, y := forwardGated(n, x, gate)
		var d []float64 // of the loss, by what layer at gives
		at := 3
		if k == 0 {
			at, d = 1, make([]float64, 4)
			for c := range d {
				raw := n.Layers[1].B.X[c]
				for m := range in[1] {
					raw += n.Layers[1].W.X[c*6+m] * in[1][m]
				}
				if raw > 0 {
					d[c] = 2 * (raw - target[i][c]) / size / 4 / spread
				}
			}
		} else {
			_, z := forwardGated(dense, x, make([][]float64, 4))
			p, soft, want := probabilities(y, 1), probabilities(y, 4), probabilities(z, 4)
			d = make([]float64, 3)
			for o := range d {
				d[o] = .5*p[o]/size + .5*4*(soft[o]-want[o])/size
			}
			d[b.Y[i]] -= .5 / size
		}
		for l := at; l >= 2*k; l-- {
			layer := n.Layers[l]
			back := make([]float64, layer.In)
			for o := range layer.Out {
				layer.B.G[o] += d[o]
				for m := range layer.In {
					layer.W.G[o*layer.In+m] += d[o] * in[l][m]
					back[m] += d[o] * layer.W.X[o*layer.In+m]
				}
			}
			for m := range back {
				if in[l][m] <= 0 { // gated or cut off by ReLU
					back[m] = 0
				}
			}
			d = back
		}
	}
	for l := 2 * k; l < 2*k+2; l++ {
		r.Move(n.Layers[l].W, step)
		r.Move(n.Layers[l].B, step)
	}
	return pruned
}

func probabilities(y []float64, temper float64) []float64 {
	out, sum := make([]float64, len(y)), 0.0
	for o, v := range y {
		out[o] = math.Exp(v / temper)
		sum += out[o]
	}
	for o := range out {
		out[o] /= sum
	}
	return out
}
