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
	About: "ABOUT",
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
	Claims: []evidence.Claim{},
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
	put("hard 20", run(20, .3, "hard"))
	put("easy 20", run(20, .3, "easy"))
	put("random 20", run(20, .3, "random"))
	for _, end := range []string{"hard", "easy", "random"} {
		put(end+" 0.8", run(.8, .5, end))
	}
	for _, end := range []string{"hard", "random"} {
		var x, y []float64
		for _, alpha := range []float64{2, 4, 8, 16, 32} {
			for _, f := range []float64{1, .7, .5, .35, .25, .15} {
				if end == "random" && f < 1 {
					continue
				}
				x = append(x, alpha*f)
				y = append(y, run(alpha, f, end))
			}
		}
		put("slope "+end, slope(x, y))
	}
	return nil
}

// slope is that of the logarithm of errors by that of sizes, over the last half of the
// lower envelope.
func slope(size, err []float64) float64 {
	var x, y []float64
	order := make([]int, len(size))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(math.Copysign(1, size[a]-size[b])) })
	for _, i := range order {
		for len(y) > 0 && math.Log(err[i]) <= y[len(y)-1] && x[len(x)-1] == math.Log(size[i]) {
			x, y = x[:len(x)-1], y[:len(y)-1]
		}
		if len(y) == 0 || math.Log(err[i]) < y[len(y)-1] {
			x, y = append(x, math.Log(size[i])), append(y, math.Log(err[i]))
		}
	}
	half := len(x) / 2
	_, b := stat.LinearRegression(x[half:], y[half:], nil, false)
	return b
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
