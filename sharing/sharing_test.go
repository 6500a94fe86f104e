package sharing

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/tensor"
)

func layout(mapper string, m int, sizes ...int) *Layout {
	seed := uint64(7)
	l := &Layout{Mapper: mapper, Seed: &seed, Len: m, Tile: 2}
	for i, n := range sizes {
		l.Tensors = append(l.Tensors, Tensor{string(rune('a' + i)), []int{n / 4, 4}, float32(i+1) * .37})
	}
	return l
}

// counts is how many weights read each slot.
func counts(l *Layout) []int {
	out := make([]int, l.Len)
	for _, ss := range l.Slots() {
		for _, s := range ss {
			out[s.At()]++
		}
	}
	return out
}

// At a budget of 1 the random fold is a bijection; HashedNet leaves about n/e
// slots empty. Otherwise, with n = q m + r, r slots have q+1 readers and the others
// q.
func TestCounts(t *testing.T) {
	for _, c := range counts(layout(Fold, 4000, 2400, 1600)) {
		if c != 1 {
			t.Fatalf("a slot is read %d times at a budget of 1", c)
		}
	}
	empty := 0
	for _, c := range counts(layout(Hashed, 4000, 2400, 1600)) {
		if c == 0 {
			empty++
		}
	}
	if want := 4000 / math.E; math.Abs(float64(empty)-want) > .06*want {
		t.Errorf("HashedNet leaves %d of 4000 slots empty, want about %.0f", empty, want)
	}
	for _, m := range []int{1, 7, 300, 999, 3999} {
		more := 0
		for _, c := range counts(layout(Fold, m, 2400, 1600)) {
			if c == 4000/m+1 {
				more++
			} else if c != 4000/m {
				t.Fatalf("m=%d: a slot is read %d times", m, c)
			}
		}
		if more != 4000%m {
			t.Errorf("m=%d: %d slots are read once more, want %d", m, more, 4000%m)
		}
	}
}

// The fold by hand: m = 2, n = 4, u(0) = 0, u(1) = 1 give places 0, 1, 1, 0.
func TestFold(t *testing.T) {
	l := layout(Fold, 2, 4)
	at := l.places(hash{1, 0, 0}, &l.Tensors[0], 0)
	for i, want := range []int{0, 1, 1, 0} {
		if got := at(i); got != want {
			t.Errorf("entry %d reads slot %d, want %d", i, got, want)
		}
	}
}

// The hash reduces every product: it agrees with arithmetic that cannot overflow.
func TestHash(t *testing.T) {
	h := hash{prime - 1, prime - 2, prime - 3} // -1, -2 and -3
	for _, x := range []uint64{0, 1, 65537, 1 << 40, math.MaxUint64} {
		y := x % prime
		want := ((prime-y)%prime + (2*prime-2*(y*y%prime))%prime + prime - 3) % prime % 1000
		if got := h.one(x, 1000); got != int(want) {
			t.Errorf("u(%d) = %d, want %d", x, got, want)
		}
	}
}

// Tiles read from the array contiguously and within it.
func TestRoast(t *testing.T) {
	l := layout(Roast, 50, 60)
	l.Tile = 3
	s := l.Slots()[0] // 15 by 4
	for i := range s {
		r, c := i/4, i%4
		first := s[r/3*3*4+c/3*3]
		if want := first.At() + r%3*3 + c%3; s[i].At() != want || want >= 50 {
			t.Errorf("entry %d,%d reads slot %d, want %d", r, c, s[i].At(), want)
		}
	}
}

func TestSigns(t *testing.T) {
	negative := 0
	for _, s := range layout(Fold, 100, 4000).Slots()[0] {
		if s.Sign() < 0 {
			negative++
		}
	}
	if negative < 1850 || negative > 2150 {
		t.Errorf("%d of 4000 signs are negative", negative)
	}
}

// shared is a network with expanded weights.
func shared(l *Layout, array []float32) *graph.Graph {
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(1, 4)}
	g.Inputs = []*graph.Value{x}
	ws, to := make([]*tensor.Tensor, len(l.Tensors)), make([][]float32, len(l.Tensors))
	for k, t := range l.Tensors {
		ws[k] = tensor.New(tensor.Float32, t.Shape...)
		to[k] = ws[k].F32()
	}
	l.Expand(array, to)
	for k, t := range l.Tensors {
		w := ws[k]
		g.Outputs = append(g.Outputs, g.Add("Mul", "", []*graph.Value{x, g.Const(t.Name, w, graph.Param)}, []string{"y" + t.Name}).Outputs[0])
	}
	l.Mark(g)
	return g
}

// The array is found again from the weights, to the bit in what it expands to; a
// changed weight is noticed.
func TestOf(t *testing.T) {
	for _, mapper := range []string{Fold, Hashed, Roast} {
		l := layout(mapper, 333, 2400, 1600, 40)
		array := make([]float32, 333)
		for i := range array {
			array[i] = float32(math.Sin(float64(i*i))) * .05
		}
		array[5], array[6] = 0, 1e-42
		g := shared(l, array)
		got, found := Of(g)
		if got == nil {
			t.Fatalf("%s: no array was found", mapper)
		}
		again := shared(got, found)
		for _, x := range got.Tensors {
			w := again.Value(x.Name).Const.F32()
			for i, v := range g.Value(x.Name).Const.F32() {
				if math.Float32bits(v) != math.Float32bits(w[i]) {
					t.Fatalf("%s: %s[%d] is %v, was %v", mapper, x.Name, i, w[i], v)
				}
			}
		}
		g.Value("b").Const.F32()[17] *= 1.5
		if got, _ := Of(g); got != nil && mapper != Roast { // a tile's slot may have one reader
			t.Errorf("%s: an array was found for weights that have none", mapper)
		}
	}
	if l, _ := Of(graph.New("g", 17)); l != nil {
		t.Error("a network without a layout has one")
	}
}

func TestBadLayout(t *testing.T) {
	for want, f := range map[string]func(l *Layout){
		"no mapping":           func(l *Layout) { l.Mapper = "nosuch" },
		"no seed":              func(l *Layout) { l.Seed = nil },
		"at least 1":           func(l *Layout) { l.Len = 0 },
		"fewer than":           func(l *Layout) { l.Len = prime },
		"do not fit":           func(l *Layout) { l.Mapper, l.Tile = Roast, 10 },
		"no tensor":            func(l *Layout) { l.Tensors = nil },
		"not possible":         func(l *Layout) { l.Tensors[0].Shape = []int{math.MaxInt, 2} },
		"listed twice":         func(l *Layout) { l.Tensors[1].Name = "a" },
		"must be positive":     func(l *Layout) { l.Tensors[1].Scale = float32(math.NaN()) },
		"shape [4], which is ": func(l *Layout) { l.Tensors[1].Shape = []int{4} },
	} {
		l := layout(Fold, 100, 40, 80)
		f(l)
		if err := l.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	for _, text := range []string{"", "{", `{"mapper":"fold","len":5,"tensors":[{"name":"a","shape":[2,2],"scale":1}]}`} {
		if _, err := Parse([]graph.Prop{{Key: prop, Value: text}}); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	l := layout(Fold, 100, 40)
	g := shared(l, make([]float32, 100))
	back, err := Parse(g.Meta.Props)
	if err != nil || *back.Seed != *l.Seed || !slices.Equal(back.Tensors[0].Shape, l.Tensors[0].Shape) || back.Tensors[0].Scale != l.Tensors[0].Scale {
		t.Errorf("%+v, %v", back, err)
	}
}
