package generate

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func logs(p ...float64) []float32 {
	out := make([]float32, len(p))
	for i, x := range p {
		out[i] = float32(math.Log(x))
	}
	return out
}

// What each step leaves of five tokens, by hand.
func TestDistribution(t *testing.T) {
	p := []float64{.1, .4, .05, .25, .2}
	for name, c := range map[string]struct {
		s    Sampling
		text []int
		want []float64
	}{
		"greedy":                {Sampling{}, nil, []float64{0, 1, 0, 0, 0}},
		"as it is":              {Sampling{Temperature: 1}, nil, p},
		"squares":               {Sampling{Temperature: .5}, nil, []float64{.01 / .275, .16 / .275, .0025 / .275, .0625 / .275, .04 / .275}},
		"top 2":                 {Sampling{Temperature: 1, TopK: 2}, nil, []float64{0, .4 / .65, 0, .25 / .65, 0}},
		"top 9":                 {Sampling{Temperature: 1, TopK: 9}, nil, p},
		"top p reached":         {Sampling{Temperature: 1, TopP: .6}, nil, []float64{0, .4 / .65, 0, .25 / .65, 0}},
		"top p passed":          {Sampling{Temperature: 1, TopP: .7}, nil, []float64{0, .4 / .85, 0, .25 / .85, .2 / .85}},
		"top p of one":          {Sampling{Temperature: 1, TopP: 1e-9}, nil, []float64{0, 1, 0, 0, 0}},
		"min p":                 {Sampling{Temperature: 1, MinP: .45}, nil, []float64{0, .4 / .85, 0, .25 / .85, .2 / .85}},
		"top p of what is left": {Sampling{Temperature: 1, TopK: 3, TopP: .7}, nil, []float64{0, .4 / .65, 0, .25 / .65, 0}}, // .4/.85 < .7 <= .65/.85
		"temperature first":     {Sampling{Temperature: .5, MinP: .3}, nil, []float64{0, .16 / .2225, 0, .0625 / .2225, 0}},
		"penalty":               {Sampling{RepetitionPenalty: 3}, []int{1, 1, 7, -1}, []float64{0, 0, 0, 1, 0}}, // .4^3 < .25
	} {
		s, err := NewSampler(c.s, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, 5)
		for range 2 { // the second time nothing of the first is left
			clear(got)
			for _, x := range s.Distribution(logs(p...), c.text) {
				got[x.Token] = x.P
			}
		}
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 1e-6 {
				t.Errorf("%s: %v, want %v", name, got, c.want)
				break
			}
		}
	}
	// logits above 0 are divided
	s, _ := NewSampler(Sampling{RepetitionPenalty: 2}, 1, 0)
	if got := s.Next([]float32{3, 2, -1}, []int{0}); got != 1 {
		t.Errorf("token %d follows, want 1", got)
	}
	// equals of the last of the top k stay
	s, _ = NewSampler(Sampling{Temperature: 1, TopK: 2}, 1, 0)
	if got := s.Distribution([]float32{1, 2, 1, 0}, nil); len(got) != 3 {
		t.Errorf("%v stay", got)
	}
	nan := float32(math.NaN())
	if s.Next([]float32{1, nan}, nil) != -1 {
		t.Error("NaN gives a token")
	}
}

// reference does what transformers' processors do, one after the other, over all tokens.
func reference(s Sampling, logits []float32, text []int) []float64 {
	x := make([]float64, len(logits))
	for i := range x {
		x[i] = float64(logits[i])
	}
	if s.RepetitionPenalty != 0 {
		for t := range x {
			if slices.Contains(text, t) {
				if x[t] < 0 {
					x[t] *= s.RepetitionPenalty
				} else {
					x[t] /= s.RepetitionPenalty
				}
			}
		}
	}
	for i := range x {
		x[i] /= s.Temperature
	}
	softmax := func() []float64 {
		top, sum := slices.Max(x), 0.
		p := make([]float64, len(x))
		for i := range x {
			p[i] = math.Exp(x[i] - top)
			sum += p[i]
		}
		for i := range p {
			p[i] /= sum
		}
		return p
	}
	none := math.Inf(-1)
	if k := min(s.TopK, len(x)); k > 0 {
		sorted := slices.Sorted(slices.Values(x))
		last := sorted[len(x)-k]
		for i := range x {
			if x[i] < last {
				x[i] = none
			}
		}
	}
	if s.TopP > 0 && s.TopP < 1 {
		p := softmax()
		order := make([]int, len(x))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int {
			if x[a] < x[b] {
				return -1
			} else if x[a] > x[b] {
				return 1
			}
			return 0
		})
		sum := 0.
		for k, i := range order[:len(order)-1] {
			if sum += p[i]; sum <= 1-s.TopP {
				x[order[k]] = none
			}
		}
	}
	if s.MinP > 0 {
		p := softmax()
		top := slices.Max(p)
		for i := range p {
			if p[i] < s.MinP*top {
				x[i] = none
			}
		}
	}
	return softmax()
}

// Any combination leaves what the plain steps leave.
func TestReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		s := Sampling{Temperature: .3 + 2*r.Float64()}
		if r.IntN(2) == 0 {
			s.TopK = 1 + r.IntN(60)
		}
		if r.IntN(2) == 0 {
			s.TopP = .05 + .9*r.Float64()
		}
		if r.IntN(2) == 0 {
			s.MinP = .3 * r.Float64()
		}
		if r.IntN(2) == 0 {
			s.RepetitionPenalty = .5 + r.Float64()
		}
		logits := make([]float32, 50)
		for i := range logits {
			logits[i] = float32(3 * r.NormFloat64())
		}
		text := []int{r.IntN(50), r.IntN(50), r.IntN(50)}
		want := reference(s, logits, text)
		sm, err := NewSampler(s, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, len(logits))
		for _, c := range sm.Distribution(logits, text) {
			got[c.Token] = c.P
		}
		for i := range got {
			if math.Abs(got[i]-want[i]) > 1e-9 {
				t.Fatalf("%+v: token %d has %v, want %v", s, i, got[i], want[i])
			}
		}
	}
}

// Tokens are drawn as often as their probabilities say.
func TestDraws(t *testing.T) {
	p := []float64{.1, .4, .05, .25, .2}
	s, err := NewSampler(Sampling{Temperature: 1}, 7, 1)
	if err != nil {
		t.Fatal(err)
	}
	const n = 20000
	var count [5]float64
	for range n {
		count[s.Next(logs(p...), nil)]++
	}
	chi := 0.
	for i := range p {
		chi += (count[i] - n*p[i]) * (count[i] - n*p[i]) / (n * p[i])
	}
	if chi > 18.5 { // one in a thousand with 4 degrees of freedom
		t.Errorf("counts %v of %d, chi² %.1f", count, n, chi)
	}
}

func TestCheck(t *testing.T) {
	for want, s := range map[string]Sampling{
		"{RepetitionPenalty}": {RepetitionPenalty: -1}, "{Temperature}": {Temperature: math.NaN()}, "{TopK}": {TopK: -1}, "{TopP}": {TopP: 1.5}, "{MinP}": {MinP: math.Inf(1)},
	} {
		if _, err := NewSampler(s, 0, 0); err == nil || !strings.Contains(err.Error(), strings.Trim(want, "{}")) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
