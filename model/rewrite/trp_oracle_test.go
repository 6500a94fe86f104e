package rewrite

import (
	"math"
	"testing"

	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
)

// jacobi gives the singular value decomposition of a matrix [rows][cols] by one-sided
// rotations: columns of a are turned until they are at right angles; their lengths are the
// singular values.
func jacobi(a [][]float64) (u [][]float64, s []float64, v [][]float64) {
	rows, cols := len(a), len(a[0])
	u, v = make([][]float64, cols), make([][]float64, cols) // by column
	for c := range cols {
		u[c], v[c] = make([]float64, rows), make([]float64, cols)
		v[c][c] = 1
		for r := range rows {
			u[c][r] = a[r][c]
		}
	}
	dot := func(x, y []float64) (sum float64) {
		for i := range x {
			sum += x[i] * y[i]
		}
		return sum
	}
	for range 60 {
		for p := range cols {
			for q := p + 1; q < cols; q++ {
				x, y, z := dot(u[p], u[p]), dot(u[q], u[q]), dot(u[p], u[q])
				if math.Abs(z) < 1e-18 {
					continue
				}
				angle := math.Atan2(2*z, x-y) / 2
				for _, w := range [][][]float64{u, v} {
					for i := range w[p] {
						w[p][i], w[q][i] = math.Cos(angle)*w[p][i]+math.Sin(angle)*w[q][i], -math.Sin(angle)*w[p][i]+math.Cos(angle)*w[q][i]
					}
				}
			}
		}
	}
	for c := range cols { // the longest first
		for d := c + 1; d < cols; d++ {
			if dot(u[d], u[d]) > dot(u[c], u[c]) {
				u[c], u[d], v[c], v[d] = u[d], u[c], v[d], v[c]
			}
		}
		length := math.Sqrt(dot(u[c], u[c]))
		s = append(s, length)
		for i := range u[c] {
			u[c][i] /= math.Max(length, 1e-300)
		}
	}
	return u, s, v
}

// holds is the smallest number of values whose squares are a share of all.
func holds(s []float64, energy float64) int {
	sum, all := 0., 0.
	for _, x := range s {
		all += x * x
	}
	for e, x := range s {
		if sum += x * x; sum >= energy*all {
			return e + 1
		}
	}
	return len(s)
}

// lowRank gives the sum of the first products of singular vectors of a layer's weight,
// each times its singular value where scaled.
func lowRank(l *oracle.Layer, energy float64, scaled bool) []float64 {
	a := make([][]float64, l.Out)
	for o := range a {
		a[o] = l.W.X[o*l.In : (o+1)*l.In]
	}
	u, s, v := jacobi(a)
	out := make([]float64, len(l.W.X))
	for k := range holds(s, energy) {
		f := 1.
		if scaled {
			f = s[k]
		}
		for i := range out {
			out[i] += f * u[k][i/l.In] * v[k][i%l.In]
		}
	}
	return out
}

// trpByHand is trained rank pruning of linear layers in plain loops.
func trpByHand(t *testing.T, j *model.Job, s *TRP) *oracle.Training {
	r := oracle.NewTraining(t, j)
	more := make([][]float64, len(r.Net.Layers))
	r.Before = func(step int) {
		for i, l := range r.Net.Layers {
			more[i] = nil
			if step%s.Period == 0 && (s.Energy < 1 || s.Nuclear > 0) {
				more[i] = lowRank(l, s.Energy, false)
				if s.Energy < 1 {
					copy(l.W.X, lowRank(l, s.Energy, true))
				}
			}
		}
	}
	r.Graded = func(int) {
		for i, l := range r.Net.Layers {
			for k, d := range more[i] {
				l.W.G[k] += s.Nuclear * d
			}
		}
	}
	return r.Run()
}

// Run is TRP by hand after every step: with both ingredients, with one of them, and with
// Adam. No layer becomes two at the full rank.
func TestTRPOracle(t *testing.T) {
	for _, f := range []func(*TRP, *model.Job){
		func(*TRP, *model.Job) {},
		func(s *TRP, _ *model.Job) { s.Nuclear = 0 },
		func(s *TRP, _ *model.Job) { s.Energy = 1 },
		func(s *TRP, _ *model.Job) { s.Period = 1 },
		func(_ *TRP, j *model.Job) { j.Recipe.Optimizer, j.Recipe.LR = "adam", .003 },
	} {
		s := NewTRP()
		s.Period, s.Energy, s.Nuclear, s.Value, s.Rank = 3, .8, .05, 0, 1
		j := oracle.Job(t, "mlp:6-8-5-4", 32, 8, 3, 4)
		f(s, j)
		r := trpByHand(t, j, s).Follow(t, s, j)
		if f := r.Facts.(*FactorFacts); f.MACs != 1 || len(f.Layers) != 3 {
			t.Errorf("%+v", f)
		}
	}
}

// At the end each weight is the product of its factors: the nearest of the rank that the
// threshold leaves.
func TestTRPFactors(t *testing.T) {
	s := NewTRP()
	s.Period, s.Energy, s.Nuclear, s.Value, s.Keep = 3, .7, .05, 0, .6
	j := oracle.Job(t, "mlp:12-16-10-4", 32, 8, 3, 4)
	hand := trpByHand(t, j, s)
	r := modeltest.Run(t, s, j)
	factored := 0
	for i, l := range hand.Net.Layers {
		f := r.Facts.(*FactorFacts).Layers[i]
		if f.Scheme == "" {
			continue
		}
		factored++
		in, out := r.Graph.Value(l.W.Name+".in"), r.Graph.Value(l.W.Name+".out")
		if in == nil || out == nil || in.Const.Shape[1] != f.Rank || out.Const.Shape[1] != f.Rank {
			t.Fatalf("%s: rank %d, factors %v and %v", l.W.Name, f.Rank, in, out)
		}
		want := lowRank(l, s.Keep, true)
		for k := range want {
			got := 0.
			for e := range f.Rank {
				got += float64(out.Const.F32()[k/l.In*f.Rank+e]) * float64(in.Const.F32()[k%l.In*f.Rank+e])
			}
			if math.Abs(got-want[k]) > 1e-5 {
				t.Fatalf("%s[%d] is %v, want %v", l.W.Name, k, got, want[k])
			}
		}
	}
	if factored == 0 {
		t.Errorf("nothing was factored: %+v", r.Facts)
	}
}
