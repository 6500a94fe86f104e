package scaling

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %v, not %v", what, got, want)
	}
}

// The closed forms of the specification, and sums over steps.
func TestAverage(t *testing.T) {
	for _, c := range []struct {
		w    Window
		want float64
	}{{Window{.25, .75, .5, 3}, .6875}, {Window{.25, .75, .75, 3}, .53125}, {Window{.25, .75, 0, 3}, 1}, {Window{0, 0, .6, 3}, .4}, {Window{0, 1, .5, 1}, .75}} {
		near(t, "average", c.w.Average(), c.want, 1e-12)
		const steps = 20000
		sum := 0.
		for i := range steps {
			sum += c.w.Left((float64(i) + .5) / steps)
		}
		near(t, "mean over steps", sum/steps, c.want, 1e-4)
	}
}

func TestInCompute(t *testing.T) {
	w, err := InCompute(.25, .75, .5, 3)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "average", w.Average(), 1/1.55, 1e-12)
	near(t, "begin", w.Begin, .1613, 1e-4)
	near(t, "end", w.End, .6774, 1e-4)
	for _, w := range []Window{w, must(t)(InCompute(.1, .9, .75, 3)), must(t)(InCompute(.25, .75, .5, 1))} {
		const steps = 100000
		all, begin, end := 0., 0., 0.
		for i := range steps {
			x := (float64(i) + .5) / steps
			n := w.Left(x)
			all += n
			if x < w.Begin {
				begin += n
			}
			if x < w.End {
				end += n
			}
		}
		if w.Sparsity == .75 {
			near(t, "compute in front", begin/all, .1, 1e-3)
			near(t, "compute up to the end", end/all, .9, 1e-3)
			continue
		}
		near(t, "compute in front", begin/all, .25, 1e-3)
		near(t, "compute up to the end", end/all, .75, 1e-3)
	}
}

func must(t *testing.T) func(Window, error) Window {
	return func(w Window, err error) Window {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
}

// The law as it is fitted is the logarithm of the law.
func TestLogs(t *testing.T) {
	p := logs{.3, -.4, .5, .34, .28}
	l := p.law()
	for _, n := range []float64{1e5, 1e7, 1e10} {
		for _, d := range []float64{1e7, 1e10, 1e12} {
			v, _, _, _ := p.at(math.Log(n/unitN), math.Log(d/unitD))
			near(t, "log of the loss", v, math.Log(l.Loss(n, d)), 1e-12)
		}
	}
}

// made are runs of a law, without noise or with a relative one.
func made(l Law, noise float64, seed uint64) (runs []Run) {
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range 8 {
		for k := range 5 {
			n, d := 1e6*math.Pow(1000, float64(i)/7), 1e8*math.Pow(1000, float64(k)/4)
			runs = append(runs, Run{N: n, Final: n * (1 - .5*float64((i+k)%2)), Tokens: d, Loss: l.Loss(n, d) * math.Exp(noise*r.NormFloat64())})
		}
	}
	return runs
}

func TestFit(t *testing.T) {
	law := Law{E: 1.7, A: 400, B: 400, Alpha: .34, Beta: .28}
	f, err := Fit(context.Background(), made(law, 0, 1), Options{Resample: -1})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "alpha", f.Alpha, .34, .01)
	near(t, "beta", f.Beta, .28, .01)
	for _, n := range []float64{3e6, 1e8, 5e9} {
		for _, d := range []float64{3e8, 1e10, 1e12} {
			near(t, "prediction", f.Loss(n, d), law.Loss(n, d), 1e-3*law.Loss(n, d))
		}
	}
	near(t, "tokens", f.Tokens(1e8, law.Loss(1e8, 2e10)), 2e10, 2e8)
	if x := f.Tokens(1e6, 1.7); !math.IsInf(x, 1) {
		t.Errorf("%v tokens to a loss that is not to be had", x)
	}
	again, err := Fit(context.Background(), made(law, 0, 1), Options{Resample: -1})
	if err != nil || again.Law != f.Law {
		t.Errorf("%+v and %+v, %v", f.Law, again.Law, err)
	}
}

// An outlier does not bend the law; what is predicted lies within the interval.
func TestFitNoise(t *testing.T) {
	law := Law{E: 1.7, A: 400, B: 400, Alpha: .34, Beta: .28}
	runs := made(law, .005, 2)
	runs[7].Loss *= 1.5
	f, err := Fit(context.Background(), runs, Options{Resample: 60})
	if err != nil {
		t.Fatal(err)
	}
	loss, low, high := f.Predict(1e8, 1e10)
	want := law.Loss(1e8, 1e10)
	if !(low <= loss && loss <= high && high-low < .1*want && math.Abs(loss-want) < .01*want) {
		t.Errorf("%v in [%v, %v], the law says %v", loss, low, high, want)
	}
	if math.Abs(f.Residuals[7]-math.Log(1.5)) > .02 {
		t.Errorf("the outlier's residual is %v", f.Residuals[7])
	}
}

// The interval is the middle 95 % of the other fits.
func TestPredict(t *testing.T) {
	f := &Fitted{Law: Law{E: 7}}
	for i := range 41 {
		f.Others = append(f.Others, Law{E: float64(i * 17 % 41)})
	}
	if loss, low, high := f.Predict(1, 1); loss != 7 || low != 1 || high != 39 {
		t.Errorf("%v in [%v, %v]", loss, low, high)
	}
}

func TestCheck(t *testing.T) {
	good := made(Law{1.7, 400, 400, .34, .28}, 0, 1)
	for want, f := range map[string]func([]Run) []Run{
		"five numbers":   func(r []Run) []Run { return r[:5] },
		"loss -1":        func(r []Run) []Run { r[3].Loss = -1; return r },
		"tokens NaN":     func(r []Run) []Run { r[3].Tokens = math.NaN(); return r },
		"only go":        func(r []Run) []Run { r[2].Final = 2 * r[2].N; return r },
		"cannot be told": func(r []Run) []Run { return []Run{r[0], r[1], r[2], r[3], r[4], r[0]} },
	} {
		runs := f(append([]Run{}, good...))
		if err := Check(runs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	for want, w := range map[string]Window{"Sparsity": {.1, .2, 1, 3}, "Begin": {.5, .2, .5, 3}, "Power": {.1, .2, .5, 0}} {
		if err := w.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}

func TestReadRuns(t *testing.T) {
	runs, err := ReadRuns(strings.NewReader("name, n0, sparsity, begin, end, unit, tokens, loss\n# a comment\na, 100M, 0.5, 0.25, 0.75, tokens, 2B, 3.5\nb, 1e8, 0.5, 0.25, 0.75, compute, 2e9, 3.6\nc, 1e8, , , , , 2e9, 3.4\n"))
	if err != nil || len(runs) != 3 {
		t.Fatalf("%v %v", runs, err)
	}
	near(t, "average by tokens", runs[0].N, 68.75e6, 1)
	near(t, "average by compute", runs[1].N, 1e8/1.55, 1)
	near(t, "left", runs[1].Final, 5e7, 1)
	near(t, "tokens", runs[0].Tokens, 2e9, 0)
	if runs[2].N != 1e8 || runs[2].Sparse() || !runs[0].Sparse() || runs[1].Name != "b" {
		t.Errorf("%+v", runs)
	}
	for text, want := range map[string]string{
		"":                                   "line of names",
		"n,tokens,loss,size\n":               `"size" is not known`,
		"n,tokens,loss\n1e6,1e9\n":           "wrong number of fields",
		"n,tokens,loss\n1e6,,3\n":            "tokens is missing",
		"n,tokens,loss\n1e6,many,3\n":        `"many" is no number`,
		"n,n0,tokens,loss\n1,2,3,4\n":        "both given",
		"n0,sparsity,tokens,loss\n1,1,3,4\n": "Sparsity",
		"n0,unit,tokens,loss\n1,steps,3,4\n": "tokens or compute",
		"n,sparsity,tokens,loss\n1,.5,3,4\n": "n0 is not",
		"n0,final,tokens,loss\n2,1,3,4\n":    "n0 and final",
		"n,tokens,loss,loss\n1,2,3,4\n":      "stands twice",
	} {
		if _, err := ReadRuns(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want something with %q", text, err, want)
		}
	}
}

func FuzzReadRuns(f *testing.F) {
	f.Add("name,n0,sparsity,begin,end,unit,tokens,loss\na,1M,.5,.2,.7,compute,2B,3\n")
	f.Fuzz(func(t *testing.T, text string) {
		if runs, err := ReadRuns(strings.NewReader(text)); err == nil {
			_ = Check(runs)
		}
	})
}

func TestDoubts(t *testing.T) {
	runs := made(Law{1.7, 400, 400, .34, .28}, 0, 1)
	if d := Doubts(runs); d != nil {
		t.Errorf("%v of 40 runs", d)
	}
	if d := Doubts(runs[:7]); len(d) != 2 || !strings.Contains(d[0], "7 runs") || !strings.Contains(d[1], "two numbers of parameters") {
		t.Errorf("%q", d)
	}
}
