package diagnose

import (
	"math"
	"slices"
	"sort"
	"testing"

	"pare/internal/oracle"
	"pare/model"
)

// regimesHand is the diagnosis in plain loops.
type regimesHand struct {
	oracle.Series
	t     *testing.T
	j     *model.Job
	s     *Regimes
	cells []*Cell
	nets  []*oracle.Net // of the first retraining of each cell
}

// sharp takes the gradient of a step at a distance of rho along the gradient.
func sharp(r *oracle.Training, rho float64) {
	if rho == 0 {
		return
	}
	r.Graded = func(step int) {
		sum := 0.0
		for _, p := range r.Net.Tensors() {
			for _, g := range p.G {
				sum += g * g
			}
		}
		var was [][]float64
		for _, p := range r.Net.Tensors() {
			was = append(was, slices.Clone(p.X))
			for i, g := range p.G {
				p.X[i] += rho * g / (math.Sqrt(sum) + 1e-12)
			}
		}
		r.Net.Gradient(r.Batch(step))
		for i, p := range r.Net.Tensors() {
			copy(p.X, was[i])
		}
	}
}

// dense trains the dense networks, one for each value of the knob.
func (h *regimesHand) dense(values []float64) (out []*oracle.Net) {
	if h.s.Knob == "epochs" {
		n := oracle.Read(h.t, h.j.Graph)
		h.Fit(h.t, h.j, n, false, func(r *oracle.Training) {
			sharp(r, h.s.Rho)
			r.After = func(step int) {
				for _, v := range values {
					if step+1 == int(v)*r.Stream.Steps() {
						out = append(out, n.Clone())
					}
				}
			}
		})
		return out
	}
	for _, v := range values {
		n, k, rho := oracle.Read(h.t, h.j.Graph), *h.j, h.s.Rho
		switch h.s.Knob {
		case "batch": // as many steps
			k.Recipe.Epochs = int(math.Round(float64(h.j.Recipe.Epochs) * v / float64(h.j.Recipe.Batch)))
			k.Recipe.Batch = int(v)
		case "lr":
			k.Recipe.LR = v
		case "rho":
			rho = v
		}
		h.Fit(h.t, &k, n, false, func(r *oracle.Training) { sharp(r, rho) })
		out = append(out, n)
	}
	return out
}

// cell prunes and retrains a dense network in several orders, and compares what came out.
func (h *regimesHand) cell(dense *oracle.Net, value, density float64) {
	c := &Cell{Value: value, Density: density}
	j, s := h.j, h.s
	train, held := oracle.Whole(h.t, j.Data.Train, j.Data.Norm), oracle.Whole(h.t, heldOf(j), j.Data.Norm)
	var nets []*oracle.Net
	for seed := range s.Seeds {
		n, k := dense.Clone(), *j
		for _, w := range n.Weights() {
			w.Mask = oracle.Best(h.t, oracle.Sizes(w.X), max(1, int(math.Floor(density*float64(len(w.X))+.5+1e-9))), oracle.KeepFirst)
		}
		k.Order = j.Seed*1000003 + uint64(seed) + 1
		if s.Epochs > 0 {
			k.Recipe.Epochs = s.Epochs
		}
		if s.LR > 0 {
			k.Recipe.LR = s.LR
		}
		h.Fit(h.t, &k, n, false, nil)
		nets = append(nets, n)
		c.Error += (1 - n.Right(held)) / float64(s.Seeds)
	}
	c.Dense = 1 - dense.Right(held)
	few := oracle.Batch{X: train.X[:min(s.Samples, len(train.X))], Y: train.Y[:min(s.Samples, len(train.X))]}
	pairs, cka := 0.0, 0.0
	stored := oracle.NewStream(h.t, j.Data.Train, j.Data.Norm, j.Recipe.Batch, false, 0)
	for b := range nets {
		for a := range b {
			var e []float64
			for p := range s.Points {
				x := float64(p) / float64(s.Points-1)
				n := nets[a].Clone()
				for i, w := range n.Tensors() {
					for k := range w.X {
						w.X[k] = (1-x)*w.X[k] + x*nets[b].Tensors()[i].X[k]
					}
				}
				stored.Recalibrate(n, stored.Steps())
				e = append(e, 1-n.Right(train))
			}
			ends, at := (e[0]+e[len(e)-1])/2, 0
			for p := range e {
				if math.Abs(ends-e[p]) > math.Abs(ends-e[at])+1e-12 {
					at = p
				}
			}
			c.Ends, c.Top, c.At, c.LMC = c.Ends+ends, c.Top+e[at], c.At+float64(at)/float64(s.Points-1), c.LMC+ends-e[at]
			cka += gram(nets[a].Probabilities(few), nets[b].Probabilities(few))
			pairs++
		}
	}
	c.Ends, c.Top, c.At, c.LMC, cka = c.Ends/pairs, c.Top/pairs, c.At/pairs, c.LMC/pairs, cka/pairs
	c.CKA = &cka
	h.cells, h.nets = append(h.cells, c), append(h.nets, nets[0])
}

// gram is the CKA by centred Gram matrices.
func gram(x, y [][]float64) float64 {
	centred := func(x [][]float64) [][]float64 {
		m := len(x)
		k := make([][]float64, m)
		row, all := make([]float64, m), 0.0
		for a := range x {
			k[a] = make([]float64, m)
			for b := range x {
				for c := range x[a] {
					k[a][b] += x[a][c] * x[b][c]
				}
				row[a] += k[a][b] / float64(m)
				all += k[a][b] / float64(m*m)
			}
		}
		for a := range k {
			for b := range k {
				k[a][b] += all - row[a] - row[b]
			}
		}
		return k
	}
	dot := func(a, b [][]float64) (s float64) {
		for i := range a {
			for k := range a {
				s += a[i][k] * b[i][k]
			}
		}
		return s
	}
	a, b := centred(x), centred(y)
	return dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b))
}

// run fills the map, and gives the network that the rule takes: of regimes II before I, then
// by similarity; or that of the least error.
func (h *regimesHand) run(values, densities []float64) (*oracle.Training, int, float64) {
	for i, n := range h.dense(values) {
		for _, d := range densities {
			h.cell(n, values[i], d)
		}
	}
	similar := h.s.Similar
	if similar == 0 {
		var x []float64
		for _, c := range h.cells {
			if c.LMC >= -h.s.Barrier {
				x = append(x, *c.CKA)
			}
		}
		sort.Float64s(x)
		if n := len(x); n%2 == 1 {
			similar = x[n/2]
		} else if n > 0 {
			similar = (x[n/2-1] + x[n/2]) / 2
		}
	}
	best := -1
	for i, c := range h.cells {
		switch {
		case c.LMC < -h.s.Barrier:
			c.Regime = "I"
		case *c.CKA < similar-1e-12:
			c.Regime = "II-A"
		default:
			c.Regime = "II-B"
		}
		if c.Density != densities[0] {
			continue
		}
		if best < 0 {
			best = i
			continue
		}
		o := h.cells[best]
		switch {
		case h.s.Take == "error":
			if c.Error < o.Error-1e-9 {
				best = i
			}
		case (c.Regime == "I") != (o.Regime == "I"):
			if o.Regime == "I" {
				best = i
			}
		case *c.CKA > *o.CKA:
			best = i
		}
	}
	return h.Ended(h.nets[best]), best, similar
}

// Run is the diagnosis by hand: every step of every training, every number of the map, and
// the network that is taken.
func TestRegimesOracle(t *testing.T) {
	for k, c := range []struct {
		knob   string
		grid   []string
		values []float64
		f      func(s *Regimes, j *model.Job)
	}{
		{"epochs", []string{"3", "1"}, []float64{1, 3}, func(s *Regimes, j *model.Job) { s.Seeds, s.Sparsity = 3, .5; oracle.Normalise(t, j) }},
		{"lr", []string{"0.3", "0.02"}, []float64{.02, .3}, func(s *Regimes, j *model.Job) { s.Epochs, s.LR, s.Sparsity = 2, .5, .5; oracle.Normalise(t, j) }},
		{"batch", []string{"4", "16"}, []float64{4, 16}, func(s *Regimes, j *model.Job) { j.Recipe.Epochs = 2; s.Rho = .05 }},
		{"rho", []string{"0", "0.3"}, []float64{0, .3}, func(s *Regimes, j *model.Job) { s.Take, s.Samples = "error", 20 }},
		{"epochs", []string{"1", "2", "3"}, []float64{1, 2, 3}, func(s *Regimes, j *model.Job) { s.Rho, s.Barrier, s.Similar = .1, .02, .9 }},
	} {
		s := NewRegimes()
		s.Knob, s.Grid, s.Sparsity, s.Densities, s.Points = c.knob, c.grid, .7, []string{"0.6"}, 5
		j := heldJob(t, 64, k%2 == 0)
		j.Recipe.LR = .2
		c.f(s, j)
		h := &regimesHand{t: t, j: j, s: s}
		run, best, similar := h.run(c.values, []float64{1 - s.Sparsity, .6})
		own := map[string]float64{"epochs": float64(j.Recipe.Epochs), "batch": float64(j.Recipe.Batch), "lr": j.Recipe.LR, "rho": s.Rho}[c.knob]
		r := run.Follow(t, s, j)
		if t.Failed() {
			t.Fatalf("case %d, %s", k, c.knob)
		}
		m := r.Facts.(*Map)
		if math.Abs(m.Similar-similar) > 1e-5 || len(m.Cells) != len(h.cells) {
			t.Fatalf("case %d, %s: alike from %v, by hand %v; %d cells", k, c.knob, m.Similar, similar, len(m.Cells))
		}
		for i, got := range m.Cells {
			want := h.cells[i]
			for what, pair := range map[string][2]float64{"error": {got.Error, want.Error}, "of the dense network": {got.Dense, want.Dense}, "ends": {got.Ends, want.Ends},
				"top": {got.Top, want.Top}, "at": {got.At, want.At}, "LMC": {got.LMC, want.LMC}, "CKA": {*got.CKA, *want.CKA}, "value": {got.Value, want.Value}, "density": {got.Density, want.Density}} {
				if !(math.Abs(pair[0]-pair[1]) < 1e-5) {
					t.Errorf("case %d, %s, cell %d: %s %v, by hand %v", k, c.knob, i, what, pair[0], pair[1])
				}
			}
			if got.Regime != want.Regime {
				t.Errorf("case %d, %s, cell %d: regime %s, by hand %s", k, c.knob, i, got.Regime, want.Regime)
			}
		}
		now, sharpest := -1, -1
		for i, x := range h.cells {
			if x.Density != 1-s.Sparsity {
				continue
			}
			if now < 0 || math.Abs(x.Value-own) < math.Abs(h.cells[now].Value-own) {
				now = i
			}
			if sharpest < 0 || x.Dense < h.cells[sharpest].Dense-1e-9 {
				sharpest = i
			}
		}
		want := Advice{Density: 1 - s.Sparsity, Value: h.cells[now].Value, Regime: h.cells[now].Regime, Hotter: h.cells[now].Regime == "I", Taken: h.cells[best].Value, Sharpest: h.cells[sharpest].Value}
		if m.Advice != want {
			t.Errorf("case %d, %s: advice %+v, by hand %+v", k, c.knob, m.Advice, want)
		}
	}
}

// Retrainings that move nothing end where they began: connected without a rise, and alike.
func TestRegimesStill(t *testing.T) {
	s := NewRegimes()
	s.Grid, s.Sparsity, s.LR, s.Points = []string{"1", "3"}, .5, 1e-30, 3
	j := heldJob(t, 64, false)
	j.Recipe.Decay = 0
	r, err := model.Run(t.Context(), s, j)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range r.Facts.(*Map).Cells {
		if c.LMC != 0 || c.Top != c.Ends || !(math.Abs(*c.CKA-1) < 1e-6) || c.Regime == "I" {
			t.Errorf("cell %d: %+v", i, c)
		}
	}
}
