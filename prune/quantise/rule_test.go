package quantise

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func histogram(t *testing.T, xs ...[]float32) *Histogram {
	t.Helper()
	h := &Histogram{}
	for _, x := range xs {
		if err := h.Widen(x); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range xs {
		h.Count(x)
	}
	return h
}

// A scale maps the ends of its range to the least and the greatest integer, and zero to the
// zero point exactly.
func TestScaleOf(t *testing.T) {
	for _, c := range []struct {
		k    Integers
		r    Range
		want Scale
	}{
		{Unsigned, Range{0, 51}, Scale{.2, 0}},
		{Unsigned, Range{-25.6, 25.4}, Scale{.2, 128}},
		{Unsigned, Range{-10, 41}, Scale{.2, 50}},
		{Unsigned, Range{10, 51}, Scale{.2, 0}}, // zero is taken in
		{Unsigned, Range{-51, -10}, Scale{.2, 255}},
		{Signed, Range{0, 51}, Scale{.2, -128}},
		{Weights, Range{-2, 25.4}, Scale{.2, 0}},
		{Weights, Range{-25.4, 2}, Scale{.2, 0}},
		{Unsigned, Range{0, 0}, Scale{1, 0}},
	} {
		got := c.k.ScaleOf(c.r)
		if math.Abs(float64(got.Step-c.want.Step)) > 1e-7 || got.Zero != c.want.Zero {
			t.Errorf("%v of %v: %v, want %v", c.k.Type, c.r, got, c.want)
		}
		if z := c.k.Round(0, got); z != 0 {
			t.Errorf("%v of %v: zero becomes %v", c.k.Type, c.r, z)
		}
	}
	s := Scale{.5, 10}
	for x, want := range map[float32]int{.25: 10, .75: 12, -1.25: 8, 1e9: 255, -1e9: 0} {
		if got := Unsigned.Integer(x, s); got != want {
			t.Errorf("%v becomes %d, want %d", x, got, want)
		}
	}
}

// Min-max is exact, percentiles cut as many off on either side, and both heed zero in the
// scale alone.
func TestRanges(t *testing.T) {
	var x []float32
	for i := range 10001 {
		x = append(x, float32(i)/100-20) // -20..80, even
	}
	h := histogram(t, x[:5000], x[5000:])
	if r := MinMax.Range(h, Unsigned); r != (Range{-20, 80}) {
		t.Errorf("min-max: %v", r)
	}
	r := Percentile(90).Range(h, Unsigned)
	if math.Abs(r.Lo+15) > .05 || math.Abs(r.Hi-75) > .05 {
		t.Errorf("90 %%: %v, want -15..75", r)
	}
	if r := Percentile(100).Range(h, Unsigned); math.Abs(r.Lo+20) > .05 || math.Abs(r.Hi-80) > .05 {
		t.Errorf("100 %%: %v", r)
	}
}

// The range of the least squared error is that which trying all of them on the values
// themselves finds.
func TestMSE(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, 20000)
	for i := range x {
		x[i] = float32(r.NormFloat64())
		if i%500 == 0 {
			x[i] *= 12
		}
	}
	k := Integers{Type: Unsigned.Type, Lo: 0, Hi: 15} // few, so that cutting off pays
	h := histogram(t, x)
	least, best := math.Inf(1), 0.0
	for i := 1; i <= 400; i++ {
		f := float64(i) / 400
		s := k.ScaleOf(Range{f * h.Lo, f * h.Hi})
		sum := 0.0
		for _, v := range x {
			d := float64(v - k.Round(v, s))
			sum += d * d
		}
		if sum < least {
			least, best = sum, f*h.Hi
		}
	}
	got := MSE.Range(h, k)
	s, sum := k.ScaleOf(got), 0.0
	for _, v := range x {
		d := float64(v - k.Round(v, s))
		sum += d * d
	}
	if sum > 1.02*least {
		t.Errorf("range %v has the error %v, and up to %v has %v", got, sum, best, least)
	}
	if got.Hi > .8*h.Hi {
		t.Errorf("range %v cuts nothing of %v off", got, h.Range)
	}
}

// The divergence of few bins is what its definition gives by hand, and values that are even
// keep their whole range, while a few far ones are cut off.
func TestEntropy(t *testing.T) {
	// bins 1 2 3 4 | 10 outside; two levels of two bins: (1+2)/2, and (3+4)/2; p is 1 2 3 14
	got := divergence([]float64{1, 2, 3, 4, 10}, 0, 4, 2)
	p, q := []float64{1, 2, 3, 14}, []float64{1.5, 1.5, 3.5, 3.5}
	want := 0.0
	for i := range p {
		want += p[i] / 20 * math.Log(p[i]/20/(q[i]/10))
	}
	if math.Abs(got-want) > 1e-12 {
		t.Errorf("divergence %v, want %v", got, want)
	}
	var x []float32
	for i := range 1 << 16 {
		x = append(x, float32(i)/(1<<16))
	}
	if r := Entropy.Range(histogram(t, x), Unsigned); r.Hi < .95 || r.Lo != 0 {
		t.Errorf("even values: %v", r)
	}
	g := rand.New(rand.NewPCG(3, 4))
	x = nil
	for range 1 << 16 {
		x = append(x, float32(g.NormFloat64()))
	}
	x = append(x, 60)
	if r := Entropy.Range(histogram(t, x), Unsigned); r.Hi > 12 || r.Hi < 2 || r.Lo < -12 {
		t.Errorf("normal values and one of 60: %v", r)
	}
}

func TestParseRule(t *testing.T) {
	for text, want := range map[string]string{"min-max": "min-max", "percentile": "percentile:99.99", "percentile:99.5": "percentile:99.5", "mse": "mse", "entropy": "entropy"} {
		if r, err := ParseRule(text); err != nil || r.Name != want {
			t.Errorf("%s: %q, %v", text, r.Name, err)
		}
	}
	for _, text := range []string{"", "max", "percentile:", "percentile:0", "percentile:101", "percentile:NaN", "mse:3"} {
		if _, err := ParseRule(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	h := &Histogram{}
	if err := h.Widen([]float32{1, float32(math.NaN())}); err == nil || !strings.Contains(err.Error(), "place 1") {
		t.Errorf("a NaN: %v", err)
	}
}
