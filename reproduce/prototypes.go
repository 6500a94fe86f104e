package reproduce

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"pare/data"
	"pare/data/score"
	"pare/evidence"
)

var prototypes = &evidence.Experiment{
	ID: "32", Name: "prototypes",
	About: "The theory: a teacher labels normal vectors of n = 50 dimensions, a student is the largest margin on what is kept; errors are means of four draws. Of 20 n examples 30 % are kept, of 0.8 n half: those nearest to the teacher's boundary (hard), the farthest (easy), any. The slope is that of the logarithm of the error by that of the examples kept, 2, 4 and 8 n, with the best share of 1, 1/2, 1/4, 1/8 and 1/16 for each. The digits: 1,438 pictures, an MLP 64-100-10, 600 steps of 25; the score is the cosine distance of the pixels themselves from the nearest of ten centroids, half of the classes' even share is their least; 80 % and 2 % are kept. That easy examples are worse than random ones of 20 n is not so at this scale; no encoder is trained.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		if err := perceptrons(seed, put); err != nil {
			return err
		}
		b, err := digits(seed, put)
		if err != nil {
			return err
		}
		x, err := pixels(b)
		if err != nil {
			return err
		}
		s, err := b.scored(ctx, score.NewPrototypes(), &data.Job{Embeddings: x})
		if err != nil {
			return err
		}
		for _, keep := range []float64{.8, .02} {
			at := fmt.Sprintf(" %.2f", keep)
			for _, end := range []string{"hard", "easy"} {
				m := rank(keep, end)
				m.Floor = .5
				if _, err := b.chosen(ctx, end+at, m, &data.Job{Score: s}, prototypeSteps); err != nil {
					return err
				}
			}
			if _, err := b.chosen(ctx, "random"+at, fixed(keep), &data.Job{}, prototypeSteps); err != nil {
				return err
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		{Text: "of many examples the hard ones halve the error of as many random ones", Method: "hard of 20 n", Without: []string{"random of 20 n"}, Figure: evidence.Ratio("", "random of 20 n"), Side: evidence.AtMost, Bound: .5},
		{Text: "of few examples the hard ones err a tenth more than random ones", Method: "hard of 0.8 n", Without: []string{"easy of 0.8 n", "random of 0.8 n"}, Figure: evidence.Ratio("", "random of 0.8 n"), Side: evidence.AtLeast, Bound: 1.1},
		{Text: "of few examples the easy ones err a tenth less", Method: "easy of 0.8 n", Without: []string{"hard of 0.8 n", "random of 0.8 n"}, Figure: evidence.Ratio("", "random of 0.8 n"), Side: evidence.AtMost, Bound: .9},
		{Text: "with the best share of hard examples the error falls 1.3 times as steeply as that of random ones", Method: "hard", Without: []string{"random"}, Figure: evidence.Ratio("slope ", "random"), Side: evidence.AtLeast, Bound: 1.3},
		evidence.Beats("of the digits, the hard 80 % are no more than 0.6 points below random ones", "hard 0.80", "random 0.80", -.6, "easy 0.80"),
		evidence.Beats("the hard 80 % are half a point above the easy ones", "hard 0.80", "easy 0.80", .5, "easy 0.80"),
		evidence.Beats("of the digits, the easy 2 % beat the hard ones by 20 points", "easy 0.02", "hard 0.02", 20, "hard 0.02"),
		evidence.Beats("and random ones by a point", "easy 0.02", "random 0.02", 1, "hard 0.02", "random 0.02"),
	},
}

const prototypeSteps = 600

// pixels are the samples themselves as embeddings.
func pixels(b *bench) (*data.Embeddings, error) {
	set := b.data.Train
	f := set.X()
	d := f.Size()
	var x []float32
	for i := range set.Len() {
		k := set.Number(i)
		for q := range d {
			if f.Bytes != nil {
				x = append(x, float32(f.Bytes[k*d+q]))
			} else {
				x = append(x, f.Floats[k*d+q])
			}
		}
	}
	return data.NewEmbeddings(x, d)
}

// perceptrons are the theory of the paper: a student learns what a teacher says, from the
// examples that a probe finds hard, or easy.
func perceptrons(seed uint64, put func(string, float64)) error {
	const n, repeats = 50, 4
	r := rand.New(rand.NewPCG(seed, 0x9e7c))
	run := func(alpha, keep float64, end string) float64 {
		sum := 0.0
		for range repeats {
			t := newTeacher(r, n, int(alpha*n))
			sum += t.err(t.student(t.keep(keep, end, r)))
		}
		return sum / repeats
	}
	for _, end := range []string{"hard", "easy", "random"} {
		put(end+" of 20 n", run(20, .3, end))
		put(end+" of 0.8 n", run(.8, .5, end))
	}
	for _, end := range []string{"hard", "random"} {
		var x, y []float64
		for _, kept := range []float64{2, 4, 8} {
			best := 1.0
			for _, f := range map[string][]float64{"hard": {1, .5, .25, .125, .0625}, "random": {1}}[end] {
				best = min(best, run(kept/f, f, "hard"))
			}
			x, y = append(x, math.Log(kept)), append(y, math.Log(best))
		}
		_, by := stat.LinearRegression(x, y, nil, false)
		put("slope "+end, by)
	}
	return nil
}

// teacher is a direction, and examples that it has labelled.
type teacher struct {
	n    int
	t    []float64
	x    [][]float64
	sign []float64
}

func newTeacher(r *rand.Rand, n, p int) *teacher {
	t := &teacher{n: n, t: gauss(r, n)}
	for range p {
		x := gauss(r, n)
		t.x = append(t.x, x)
		t.sign = append(t.sign, math.Copysign(1, inner(x, t.t)))
	}
	return t
}

func gauss(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return x
}

func inner(x, y []float64) float64 {
	s := 0.0
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

// keep are the examples of a share that are nearest to the boundary of a probe that is the
// teacher (hard), farthest from it (easy), or any (random).
func (t *teacher) keep(share float64, end string, r *rand.Rand) []int {
	m := int(math.Round(share * float64(len(t.x))))
	if end == "random" {
		return r.Perm(len(t.x))[:m]
	}
	z := make([]float64, len(t.x))
	for i, x := range t.x {
		if z[i] = math.Abs(inner(x, t.t)); end == "hard" {
			z[i] = -z[i]
		}
	}
	return data.Order(z)[:m]
}

// student is the direction of the largest margin through the origin: w of least length with
// sign*w.x >= 1. That is a least-distance problem, solved by non-negative least squares
// with an active set (Lawson, Hanson 1974, chapter 23): u >= 0 that minimises |E u - f|, E
// with a column (sign*x, 1) for each example, f = (0, 1), and w from the residual.
func (t *teacher) student(of []int) []float64 {
	col := make([][]float64, len(of))
	for k, i := range of {
		col[k] = make([]float64, t.n+1)
		for q, v := range t.x[i] {
			col[k][q] = t.sign[i] * v
		}
		col[k][t.n] = 1
	}
	res := make([]float64, t.n+1) // f - E u
	res[t.n] = 1
	u, left := map[int]float64{}, map[int]bool{} // left out: it depends on those that are in
	var in []int
	for range 30 * t.n {
		best, most := -1, 1e-10
		for k, c := range col {
			if _, ok := u[k]; !ok && !left[k] {
				if g := inner(c, res); g > most {
					best, most = k, g
				}
			}
		}
		if best < 0 {
			break
		}
		u[best] = 0
		for in = append(in, best); ; {
			s, ok := squares(col, in)
			if !ok {
				in, left[best] = slices.DeleteFunc(in, func(k int) bool { return k == best }), true
				delete(u, best)
				break
			}
			step := 1.0
			for q, k := range in {
				if s[q] <= 0 {
					step = min(step, u[k]/(u[k]-s[q]))
				}
			}
			stay := in[:0]
			for q, k := range in {
				if u[k] += step * (s[q] - u[k]); u[k] > 1e-14 || step == 1 {
					stay = append(stay, k)
				} else {
					delete(u, k)
				}
			}
			if in = stay; step == 1 {
				break
			}
		}
		clear(res)
		res[t.n] = 1
		for _, k := range in {
			for q, v := range col[k] {
				res[q] -= u[k] * v
			}
		}
	}
	w := make([]float64, t.n)
	for q := range w {
		w[q] = -res[q]
	}
	return w
}

// squares solves the least squares of the columns that are in, for f; false where they
// depend on each other.
func squares(col [][]float64, in []int) ([]float64, bool) {
	g := mat.NewSymDense(len(in), nil)
	one := mat.NewVecDense(len(in), nil)
	for a, i := range in {
		one.SetVec(a, 1)
		for b := range a + 1 {
			g.SetSym(a, b, inner(col[i], col[in[b]]))
		}
	}
	var c mat.Cholesky
	out := mat.NewVecDense(len(in), nil)
	if !c.Factorize(g) || c.SolveVecTo(out, one) != nil {
		return nil, false
	}
	return out.RawVector().Data, true
}

// err is the share of directions that a student gets wrong: the angle to the teacher over pi.
func (t *teacher) err(w []float64) float64 {
	return math.Acos(max(-1, min(1, inner(w, t.t)/math.Sqrt(inner(w, w)*inner(t.t, t.t))))) / math.Pi
}
