package calibrated

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune/allocate"
	"pare/tensor"
)

// one is a job with a single layer of weights w [outs, cols] on samples x [rows, cols].
func one(t *testing.T, w, x *tensor.Tensor) (*model.Job, []float32) {
	t.Helper()
	g := graph.New("g", 17)
	in := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(w.Shape[1])}}
	g.Inputs = []*graph.Value{in}
	c := g.Const("w", w.Clone(), graph.Param)
	g.Outputs = g.Add("Gemm", "", []*graph.Value{in, c}, []string{"y"}, graph.MakeAttr("transB", 1)).Outputs
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	return &model.Job{Graph: g, Samples: func(yield func(map[string]*tensor.Tensor) error) error {
		return yield(map[string]*tensor.Tensor{"x": x})
	}}, c.Const.F32()
}

func normals(seed uint64, shape ...int) *tensor.Tensor {
	r := rand.New(rand.NewPCG(seed, seed))
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
	}
	return x
}

// cutTo runs a method and gives where it left weights.
func cutTo(t *testing.T, m model.Method, w, x *tensor.Tensor) []bool {
	t.Helper()
	j, left := one(t, w, x)
	modeltest.Run(t, m, j)
	out := make([]bool, len(left))
	for i, v := range left {
		out[i] = v != 0
	}
	return out
}

// Where all rows and columns hold as much, relative importance is the weight's own size:
// with the norm itself, the rates are Wanda's.
func TestRIABecomesWanda(t *testing.T) {
	const n = 16
	w, x := tensor.New(tensor.Float32, n, n), normals(3, 40, n)
	first := normals(4, n)
	for o := range n {
		for k := range n {
			w.F32()[o*n+k] = first.F32()[(o+k)%n]
		}
	}
	for i := range x.F32() {
		x.F32()[i] *= float32(1 + i%n)
	}
	ria, wanda := NewRIA(), NewWanda()
	ria.Power, ria.Rank = 1, "row"
	if !slices.Equal(cutTo(t, ria, w, x), cutTo(t, wanda, w, x)) {
		t.Error("the masks differ")
	}
	ria.Power = .5
	if slices.Equal(cutTo(t, ria, w, x), cutTo(t, wanda, w, x)) {
		t.Error("the power of the norm has no effect")
	}
}

// Without the norm's power, inputs do not count; a column or a row of small weights keeps
// its share, which sizes alone would cut whole; what is zero throughout rates zero.
func TestRIAKeepsChannels(t *testing.T) {
	const outs, cols = 12, 10
	w, x, loud := normals(5, outs, cols), normals(6, 30, cols), normals(7, 30, cols)
	for i := range loud.F32() {
		loud.F32()[i] *= float32(1 + 100*(i%2))
	}
	for o := range outs {
		for k := range cols {
			if k == 2 || o == 3 {
				w.F32()[o*cols+k] *= 1e-3
			}
			if k == 5 {
				w.F32()[o*cols+k] = 0
			}
		}
	}
	ria := NewRIA()
	ria.Power = 0
	a := cutTo(t, ria, w, x)
	if !slices.Equal(a, cutTo(t, ria, w, loud)) {
		t.Error("inputs count though their power is zero")
	}
	inColumn, inRow, total := 0, 0, 0
	for i, kept := range a {
		if kept {
			total++
			if i%cols == 2 {
				inColumn++
			}
			if i/cols == 3 {
				inRow++
			}
			if i%cols == 5 {
				t.Error("a weight of zero stays")
			}
		}
	}
	if inColumn == 0 || inRow == 0 || total != outs*cols/2 {
		t.Errorf("%d weights stay, %d of the small column and %d of the small row", total, inColumn, inRow)
	}
}

// Without cycles, or with a threshold that nothing exceeds, the masks are the first ones.
func TestDSnoTFirstMask(t *testing.T) {
	w, x := normals(8, 9, 14), normals(9, 50, 14)
	for i := range x.F32() {
		x.F32()[i] += .5
	}
	want := cutTo(t, NewWanda(), w, x)
	for name, f := range map[string]func(*DSnoT){"cycles": func(s *DSnoT) { s.Cycles = 0 }, "threshold": func(s *DSnoT) { s.Threshold = 1e9 }, "skip": func(s *DSnoT) { s.Skip = []string{"w*"} }} {
		s := NewDSnoT()
		f(s)
		if !slices.Equal(cutTo(t, s, w, x), want) {
			t.Errorf("%s: the first mask is not left", name)
		}
	}
	if slices.Equal(cutTo(t, NewDSnoT(), w, x), want) {
		t.Error("nothing is exchanged")
	}
}

// With the sign held, no row misses more than its first mask did (of single weights: in an
// N:M group what goes may bring anything); each keeps as many weights, and the exchanges are
// counted.
func TestDSnoTMissesLess(t *testing.T) {
	const outs, cols, rows = 9, 128, 60
	w, x := normals(10, outs, cols), normals(11, rows, cols)
	mean := make([]float64, cols)
	for i := range x.F32() {
		x.F32()[i] += float32(i%cols%5) / 4
		mean[i%cols] += float64(x.F32()[i]) / rows
	}
	missing := func(kept []bool, o int) (sum float64, stay int) {
		for k := range cols {
			if kept[o*cols+k] {
				stay++
			} else {
				sum += float64(w.F32()[o*cols+k]) * mean[k]
			}
		}
		return math.Abs(sum), stay
	}
	for _, text := range []string{"", "2:4"} {
		p, err := allocate.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		wanda, s := NewWanda(), NewDSnoT()
		wanda.Pattern, s.Pattern, s.SameSign = p, p, text == ""
		before := cutTo(t, wanda, w, x)
		j, _ := one(t, w, x)
		res := modeltest.Run(t, s, j)
		after := make([]bool, len(before))
		moved := 0
		for i := range after {
			after[i] = res.Masks.Mask[0].Kept(i)
			if after[i] && !before[i] {
				moved++
			}
		}
		less, changed := 0, 0
		for o := range outs {
			a, n := missing(before, o)
			b, m := missing(after, o)
			if b > a && text == "" || n != m {
				t.Errorf("%q: row %d misses %.3g and then %.3g, with %d weights and then %d", text, o, a, b, n, m)
			}
			if b < a {
				less++
			}
			if !slices.Equal(before[o*cols:(o+1)*cols], after[o*cols:(o+1)*cols]) {
				changed++
			}
		}
		f := res.Facts.(*DSnoTFacts)
		if less < outs/2 || f.Exchanged != moved || f.Kept != outs*cols/2 || f.Changed != changed || f.Rows != outs {
			t.Errorf("%q: %d rows miss less, %d weights moved; %+v", text, less, moved, *f)
		}
	}
}

// A group that has nothing left to give is passed over, and the pattern holds.
func TestDSnoTGroupExhausted(t *testing.T) {
	w, x := tensor.New(tensor.Float32, 1, 8), tensor.New(tensor.Float32, 2, 8)
	copy(w.F32(), []float32{4, 3.9, 3.8, 3.7, -4, .5, .4, .3})
	for i := range x.F32() {
		x.F32()[i] = float32(1 + i/8) // the inputs of each sample are equal
	}
	s := NewDSnoT()
	s.Pattern, s.Power = allocate.Pattern{N: 1, M: 4}, 0
	got := cutTo(t, s, w, x)
	// Cut are 11.4 and 1.2 together, times 1.5. 3.9 takes the place of 4, which makes it
	// worse (the lowest rate of the group goes, whatever its sign); 3.8 and 3.7 find nothing
	// left; .5 takes the place of -4.
	if want := []bool{false, true, false, false, false, true, false, false}; !slices.Equal(got, want) {
		t.Errorf("%v stay, want %v", got, want)
	}
}

func TestExchangeBadInput(t *testing.T) {
	s := NewDSnoT()
	s.Pattern = allocate.Pattern{H: 2, W: 2}
	modeltest.Refused(t, s, modeltest.Job(t, 0), "wanda cuts tiles")
	s = NewDSnoT()
	s.Skip = []string{"nosuch*"}
	modeltest.Refused(t, s, modeltest.Job(t, 0), "matches no weight")
	for _, m := range []model.Method{NewRIA(), NewDSnoT()} {
		none := modeltest.Job(t, 0)
		none.Data = nil
		modeltest.Refused(t, m, none, "give Data")
		broken := modeltest.Job(t, 0)
		broken.Graph.Value("fc1.bias").Const.F32()[0] = float32(math.Inf(1))
		modeltest.Refused(t, m, broken, "not finite")
	}
}
