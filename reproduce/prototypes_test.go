package reproduce

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The student meets the conditions of the largest margin: all examples are at a margin of
// at least that of the nearest, and it is a non-negative sum of those that are at it.
func TestStudent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range []int{5, 30, 200} {
		te := newTeacher(r, 12, p)
		all := make([]int, p)
		for i := range all {
			all[i] = i
		}
		w := te.student(all)
		margin := math.Inf(1)
		for i, x := range te.x {
			margin = min(margin, te.sign[i]*inner(x, w))
		}
		if margin <= 0 {
			t.Fatalf("%d examples: margin %v", p, margin)
		}
		// No direction near it has a larger margin.
		l := math.Sqrt(inner(w, w))
		for range 300 {
			v := slices.Clone(w)
			for k, e := range gauss(r, 12) {
				v[k] += 1e-3 * l * e
			}
			m := math.Inf(1)
			for i, x := range te.x {
				m = min(m, te.sign[i]*inner(x, v))
			}
			if m/math.Sqrt(inner(v, v)) > margin/l*(1+1e-6) {
				t.Fatalf("%d examples: a margin of %v, and %v is possible", p, margin/l, m/math.Sqrt(inner(v, v)))
			}
		}
	}
}

// With all kept, hard, easy and random are the same; half of the hard ones reach to the
// third quartile of a normal distribution; the error of the teacher is 0, of a direction
// across it 0.5.
func TestPerceptron(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	te := newTeacher(r, 20, 4000)
	for _, end := range []string{"hard", "easy", "random"} {
		k := te.keep(1, end, r)
		if slices.Sort(k); k[0] != 0 || k[3999] != 3999 || len(k) != 4000 {
			t.Errorf("%s keeps others", end)
		}
	}
	most := 0.0
	for _, i := range te.keep(.5, "hard", r) {
		most = max(most, math.Abs(inner(te.x[i], te.t))/math.Sqrt(inner(te.t, te.t)))
	}
	if math.Abs(most-.6745) > .05 {
		t.Errorf("the largest kept is at %v", most)
	}
	across := gauss(r, 20)
	by := inner(across, te.t) / inner(te.t, te.t)
	for k := range across {
		across[k] -= by * te.t[k]
	}
	if e := te.err(te.t); e > 1e-7 {
		t.Errorf("the teacher errs by %v", e)
	}
	if e := te.err(across); math.Abs(e-.5) > 1e-9 {
		t.Errorf("across: %v", e)
	}
}
