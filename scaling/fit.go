package scaling

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"pare/catalog"

	"gonum.org/v1/gonum/optimize"
)

// enough is the number of runs from which five numbers are had without much luck.
const enough = 10

// Doubts are what keeps a law that is fitted to runs from being relied on.
func Doubts(runs []Run) (out []string) {
	if len(runs) < enough {
		out = append(out, fmt.Sprintf("five numbers are fitted to %d runs: more runs make predictions that can be relied on", len(runs)))
	}
	n, d := map[float64]bool{}, map[float64]bool{}
	for _, r := range runs {
		n[r.N], d[r.Tokens] = true, true
	}
	for _, x := range []struct {
		what string
		of   map[float64]bool
	}{{"parameters", n}, {"tokens", d}} {
		if len(x.of) == 2 {
			out = append(out, fmt.Sprintf("the runs have two numbers of %s: how the loss falls between and beyond them cannot be told, and intervals do not show that", x.what))
		}
	}
	return out
}

// Options of Fit. Zero values stand for what is said.
type Options struct {
	Huber    float64 // residuals of the logarithm beyond this count linearly; 0: 0.001
	Starts   int     // of the minimiser; 0: 48
	Resample int     // fits to runs that are drawn again, for the intervals; 0: 200, below 0: none
	Seed     uint64
}

// Fitted is a law with what it leaves.
type Fitted struct {
	Law
	Runs      []Run     `json:"runs"`
	Residuals []float64 `json:"residuals"`        // log of the measured loss over the law's, of each run
	Objective float64   `json:"objective"`        // sum of the Huber losses
	Others    []Law     `json:"others,omitempty"` // fits to runs that were drawn again
}

// least is the number of runs below which five numbers are not fitted.
const least = 6

// Check refuses runs that no law can be fitted to.
func Check(runs []Run) error {
	if len(runs) < least {
		return catalog.Errorf("there are %d runs: five numbers are fitted, to %d at least and better 10", len(runs), least)
	}
	n, d := map[float64]bool{}, map[float64]bool{}
	for i, r := range runs {
		name := r.Name
		if name == "" {
			name = fmt.Sprint("run ", i+1)
		}
		for _, x := range []struct {
			what string
			x    float64
		}{{"parameters", r.N}, {"parameters that are left", r.Final}, {"tokens", r.Tokens}, {"loss", r.Loss}} {
			if !(x.x > 0) || math.IsInf(x.x, 0) {
				return catalog.Errorf("%s has %s %v: a number above 0 is needed", name, x.what, x.x)
			}
		}
		if r.Final > r.N*(1+1e-9) {
			return catalog.Errorf("%s ends with %v parameters, more than its average of %v: parameters only go", name, r.Final, r.N)
		}
		n[r.N], d[r.Tokens] = true, true
	}
	if len(n) < 2 || len(d) < 2 {
		return catalog.Errorf("all runs have the same number of parameters, or of tokens: what that does to the loss cannot be told from them")
	}
	return nil
}

// Fit fits the law as Hoffmann et al. 2022 (approach 3) do: the sum of Huber losses of the
// residuals of log L is minimised from many starts, and the best is kept. Intervals come from
// fits to runs that are drawn again with replacement. A law's numbers go together: predictions
// are to be compared, not numbers.
func Fit(ctx context.Context, runs []Run, o Options) (*Fitted, error) {
	if err := Check(runs); err != nil {
		return nil, err
	}
	if o.Huber == 0 {
		o.Huber = 1e-3
	}
	if o.Starts == 0 {
		o.Starts = 48
	}
	if o.Resample == 0 {
		o.Resample = 200
	}
	r := rand.New(rand.NewPCG(o.Seed, 0x5ca1e))
	best, value, err := minimise(ctx, runs, o, starts(r, o.Starts))
	if err != nil {
		return nil, err
	}
	f := &Fitted{Law: best.law(), Runs: slices.Clone(runs), Objective: value}
	for _, x := range runs {
		f.Residuals = append(f.Residuals, math.Log(x.Loss)-math.Log(f.Loss(x.N, x.Tokens)))
	}
	for range max(0, o.Resample) {
		drawn := make([]Run, len(runs))
		for i := range drawn {
			drawn[i] = runs[r.IntN(len(runs))]
		}
		if Check(drawn) != nil {
			continue
		}
		p, _, err := minimise(ctx, drawn, o, []logs{best})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			f.Others = append(f.Others, p.law())
		}
	}
	return f, nil
}

// starts are places all over what is likely: the law of Hoffmann et al. is among them.
func starts(r *rand.Rand, n int) []logs {
	out := []logs{{math.Log(406.4) - .34*math.Log(unitN), math.Log(410.7) - .28*math.Log(unitD), math.Log(1.69), .34, .28}}
	for len(out) < n {
		out = append(out, logs{4*r.Float64() - 3, 5*r.Float64() - 4, 3*r.Float64() - 2, .05 + 1.5*r.Float64(), .05 + 1.5*r.Float64()})
	}
	return out
}

// minimise fits from several starts.
func minimise(ctx context.Context, runs []Run, o Options, from []logs) (best logs, value float64, err error) {
	value = math.Inf(1)
	n, d, l := make([]float64, len(runs)), make([]float64, len(runs)), make([]float64, len(runs))
	for i, r := range runs {
		n[i], d[i], l[i] = math.Log(r.N/unitN), math.Log(r.Tokens/unitD), math.Log(r.Loss)
	}
	problem := func(width float64) optimize.Problem {
		eval := func(x, grad []float64) (sum float64) {
			p := falling(x)
			clear(grad)
			for i := range n {
				v, a, b, e := p.at(n[i], d[i])
				h, slope := huber(v-l[i], width)
				sum += h
				if grad != nil {
					grad[0] += slope * a
					grad[1] += slope * b
					grad[2] += slope * e
					grad[3] -= slope * a * n[i] * p.alpha
					grad[4] -= slope * b * d[i] * p.beta
				}
			}
			return sum
		}
		return optimize.Problem{Func: func(x []float64) float64 { return eval(x, nil) }, Grad: func(grad, x []float64) { eval(x, grad) }}
	}
	for _, s := range from {
		if ctx.Err() != nil {
			return best, value, ctx.Err()
		}
		x := []float64{s.a, s.b, s.e, math.Log(s.alpha), math.Log(s.beta)}
		for _, width := range []float64{1, 30 * o.Huber, o.Huber} { // a wide valley first
			res, err := optimize.Minimize(problem(width), x, &optimize.Settings{MajorIterations: 2000, GradientThreshold: 1e-12, Converger: &optimize.FunctionConverge{Absolute: 1e-16, Iterations: 200}}, &optimize.BFGS{})
			if res != nil && !math.IsNaN(res.F) && !math.IsInf(res.F, 0) { // a line search that finds no further step has come to the end
				x = res.X
			} else if err != nil {
				break
			}
		}
		if v := problem(o.Huber).Func(x); v < value {
			best, value = falling(x), v
		}
	}
	if math.IsInf(value, 0) {
		return best, value, errors.New("no law fits the runs")
	}
	return best, value, nil
}

// falling is the law of five numbers, of which the last two are logarithms: losses fall with
// parameters and with tokens.
func falling(x []float64) logs { return logs{x[0], x[1], x[2], math.Exp(x[3]), math.Exp(x[4])} }

// huber is x²/2 near zero and linear beyond a width, over the width, and its slope.
func huber(x, width float64) (value, slope float64) {
	if a := math.Abs(x); a > width {
		return a - width/2, math.Copysign(1, x)
	}
	return x * x / (2 * width), x / width
}

// Predict is the loss that the law says, and the middle 95 % of what the other fits say; 0
// and 0 where there are none.
func (f *Fitted) Predict(n, tokens float64) (loss, low, high float64) {
	loss = f.Loss(n, tokens)
	var all []float64
	for _, l := range f.Others {
		all = append(all, l.Loss(n, tokens))
	}
	if len(all) == 0 {
		return loss, 0, 0
	}
	slices.Sort(all)
	at := func(q float64) float64 { return all[int(math.Round(q*float64(len(all)-1)))] }
	return loss, at(.025), at(.975)
}
