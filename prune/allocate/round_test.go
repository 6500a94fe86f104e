package allocate

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pare/prune"
	"pare/prune/score"
)

// Of (.9, -.1, .4, -.7, .2) a rate of .4 takes -.1 and .2, and of the three that
// are left round(1.2) = 1, the .4.
func TestRoundExample(t *testing.T) {
	ws := weights([]float32{.9, -.1, .4, -.7, .2})
	m := prune.Dense(ws)
	for _, want := range [][]float32{{.9, 0, .4, -.7, 0}, {.9, 0, 0, -.7, 0}} {
		next, err := Round(m, score.Magnitude(ws), []float64{.4})
		if err != nil {
			t.Fatal(err)
		}
		if !next.Within(m) {
			t.Error("the masks are not nested")
		}
		m = next
		m.Apply()
		if !slices.Equal(ws[0].Data(), want) {
			t.Errorf("%v, want %v", ws[0].Data(), want)
		}
	}
}

// 6400, 5000 and 500 weights at .2, .2, .1; after 15 rounds of .2 0.8^15 are left.
func TestRoundCounts(t *testing.T) {
	ws := weights(make([]float32, 6400), make([]float32, 5000), make([]float32, 500))
	sc := score.Random(ws, 1)
	m := prune.Dense(ws)
	var err error
	for i := range 15 {
		if m, err = Round(m, sc, []float64{.2, .2, .1}); err != nil {
			t.Fatal(err)
		}
		got := []int{m.Mask[0].Count(), m.Mask[1].Count(), m.Mask[2].Count()}
		if want := [][]int{{5120, 4000, 450}, {4096, 3200, 405}}; i < 2 && !slices.Equal(got, want[i]) {
			t.Errorf("round %d leaves %v, want %v", i+1, got, want[i])
		}
	}
	if left := float64(m.Mask[0].Count()) / 6400; math.Abs(left-.0352) > .0003 {
		t.Errorf("%.4f of the weights left, want 0.0352", left)
	}
	same, err := Round(m, sc, []float64{0, 0, 0})
	if err != nil || same.Hash() != m.Hash() {
		t.Errorf("a rate of 0 changed the masks: %v", err)
	}
}

// A kept weight that is zero stays before one that was cut.
func TestRoundZero(t *testing.T) {
	ws := weights([]float32{0, 0, 0, 1})
	m := prune.Dense(ws)
	m.Mask[0].Set(1, false)
	m, err := Round(m, score.Magnitude(ws), []float64{.34})
	if err != nil || m.Mask[0].Kept(0) || m.Mask[0].Kept(1) || !m.Mask[0].Kept(2) {
		t.Errorf("kept %b, %v", m.Mask[0].Bits, err)
	}
}

func TestRoundGlobal(t *testing.T) {
	ws := weights([]float32{.1, .5, .9, .3}, []float32{.05, .6, .2, 2}, []float32{.01, .02})
	m, err := RoundGlobal(prune.Dense(ws), score.Magnitude(ws), .5, []bool{true, true, false})
	if err != nil {
		t.Fatal(err)
	}
	m.Apply()
	if !slices.Equal(ws[0].Data(), []float32{0, .5, .9, 0}) || !slices.Equal(ws[1].Data(), []float32{0, .6, 0, 2}) || m.Mask[2].Count() != 2 {
		t.Errorf("kept %v, %v, %d of the third", ws[0].Data(), ws[1].Data(), m.Mask[2].Count())
	}
	if _, err := RoundGlobal(m, [][]float32{{0, .1, .1, 0}, {0, 1, 0, 1}, nil}, .5, []bool{true, true, false}); err == nil || !strings.Contains(err.Error(), "w0") {
		t.Errorf("an emptied layer: %v", err)
	}
}

func TestRoundBad(t *testing.T) {
	ws := weights([]float32{1, 2})
	for _, r := range []float64{1, -.1, math.NaN(), .9} { // of 2 entries .9 takes both
		if _, err := Round(prune.Dense(ws), score.Magnitude(ws), []float64{r}); err == nil || !strings.Contains(err.Error(), "w0") {
			t.Errorf("rate %v: %v", r, err)
		}
	}
}

// What is cut stays cut, however high it scores, in a layer by itself and in all together.
func TestRoundNested(t *testing.T) {
	ws := weights([]float32{5, 1, 2, 3, 4}, []float32{9, 6, 7})
	m := prune.Dense(ws)
	m.Mask[0].Set(0, false)
	m.Mask[1].Set(0, false)
	a, err := Round(m, score.Magnitude(ws), []float64{.25, .5})
	if err != nil {
		t.Fatal(err)
	}
	b, err := RoundGlobal(m, score.Magnitude(ws), .34, []bool{true, true}) // two of six
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		got  *prune.Masks
		want []float32
	}{{a, []float32{2, 3, 4, 7}}, {b, []float32{3, 4, 6, 7}}} {
		if got := c.got.Kept(); !slices.Equal(got, c.want) {
			t.Errorf("%v stay, want %v", got, c.want)
		}
	}
}

// A layer of n inputs and m outputs keeps epsilon (n+m)/(n m) of its weights: of 20 x 30
// at 3 a quarter; of 3 x 2 at 3 all.
func TestEpsilon(t *testing.T) {
	got, err := Epsilon(layers([]int{20, 30}, []int{3, 2}), 3)
	if err != nil || !slices.Equal(got, []int{150, 6}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := Epsilon(layers([]int{2, 2}), bad); err == nil {
			t.Errorf("epsilon %v was taken", bad)
		}
	}
}
