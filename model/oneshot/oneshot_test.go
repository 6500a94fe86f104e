package oneshot

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pare/catalog"
	"pare/graph"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/tensor"
)

// After any number of steps cut weights are exactly zero, kept ones have moved.
func TestHeld(t *testing.T) {
	j := modeltest.Job(t, 2)
	before, _ := j.Graph.Clone(true)
	r := modeltest.Run(t, &GlobalMP{Sparsity: .8}, j)
	if n := prune.Total(r.Masks.Weights); r.Masks.Count() != n-int(math.Round(.8*float64(n))) {
		t.Errorf("%d of %d weights are left", r.Masks.Count(), n)
	}
	for i, w := range r.Masks.Weights {
		old, moved := before.Value(w.Name).Const.F32(), 0
		for k, x := range w.Data() {
			if !r.Masks.Mask[i].Kept(k) && x != 0 {
				t.Fatalf("%s[%d] is cut and %v", w.Name, k, x)
			}
			if r.Masks.Mask[i].Kept(k) && x != old[k] {
				moved++
			}
		}
		if moved == 0 {
			t.Errorf("no kept weight of %s moved", w.Name)
		}
	}
}

// N = 12,000 and mt = 0.05 percent keep 6 of each layer; floors that do not
// fit are refused.
func TestMinimum(t *testing.T) {
	w := func(n int) *prune.Weight {
		return &prune.Weight{Value: &graph.Value{Name: "w", Const: tensor.New(tensor.Float32, 1, n)}}
	}
	if f := minimum([]*prune.Weight{w(11000), w(996), w(4)}, .05); !slices.Equal(f, []int{6, 6, 4}) {
		t.Errorf("floors %v", f)
	}
	ws := []*prune.Weight{w(4), w(4), w(4)}
	if _, err := allocate.Global(ws, score.Magnitude(ws), .5, []int{3, 3, 3}); err == nil {
		t.Error("floors of 9 in 6 were accepted")
	}
}

// A run that prunes in rounds ends the same wherever it was stopped; it knows what its
// epochs came to.
func TestResumeRounds(t *testing.T) {
	mk := func() (model.Method, *model.Job) {
		return &Magnitude{Sparsity: .8, Allocate: "global", Rounds: 3}, modeltest.Job(t, 2)
	}
	modeltest.Resumes(t, "magnitude", mk, 120, 25, 40, 90) // 40 steps a round
}

func TestBadInput(t *testing.T) {
	for _, c := range []struct {
		want   string
		epochs int
		m      *GlobalMP
		f      func(j *model.Job)
	}{
		{"Sparsity 1: a number in [0,1)", 0, &GlobalMP{Sparsity: 1}, nil},
		{"Sparsity -1: a number in [0,1)", 0, &GlobalMP{Sparsity: -1}, nil},
		{"Sparsity NaN: a number in [0,1)", 0, &GlobalMP{Sparsity: math.NaN()}, nil},
		{"adds up to 792 weights, but only 740", 0, &GlobalMP{Sparsity: .5, MT: 40}, nil},
		{"MT 100: a number in [0,100)", 0, &GlobalMP{Sparsity: .5, MT: 100}, nil},
		{"MT -1: a number in [0,100)", 0, &GlobalMP{Sparsity: .5, MT: -1}, nil},
		{"no prunable weight", 0, &GlobalMP{Layers: model.Layers{Exclude: []string{"*"}}}, nil},
		{"no training set: give Data", 1, &GlobalMP{Sparsity: .5}, func(j *model.Job) { j.Data = nil }},
		{"NaN or infinity at entry 3", 0, &GlobalMP{Sparsity: .5}, func(j *model.Job) { j.Graph.Params()[0].Const.F32()[3] = float32(math.NaN()) }},
	} {
		j := modeltest.Job(t, c.epochs)
		if c.f != nil {
			c.f(j)
		}
		modeltest.Refused(t, c.m, j, c.want)
	}
}

func TestMagnitude(t *testing.T) {
	for _, c := range []struct {
		s    Magnitude
		want float64 // sparsity
	}{
		{Magnitude{Sparsity: .8, Allocate: "global", Rounds: 1}, .8}, {Magnitude{Sparsity: .8, Allocate: "uniform", Rounds: 3}, .8},
		{Magnitude{Sparsity: .8, Allocate: "erk", Rounds: 1}, .8}, {Magnitude{Allocate: "uniform", Pattern: allocate.Pattern{N: 2, M: 4}, Rounds: 1}, .5},
		{Magnitude{Allocate: "uniform", Pattern: allocate.Pattern{N: 1, M: 4}, Rounds: 1}, .75},
		{Magnitude{Allocate: "uniform", Sparsity: .75, Pattern: allocate.Pattern{H: 2, W: 4}, Rounds: 1}, .75},
		{Magnitude{Sparsity: .8, Allocate: "global", Rounds: 1, Gradual: true}, .8},
	} {
		r := modeltest.Run(t, &c.s, modeltest.Job(t, 1))
		if got := r.Masks.Sparsity(); math.Abs(got-c.want) > .005 {
			t.Errorf("%+v: sparsity %v", c.s, got)
		}
		if c.s.Pattern.N == 2 {
			for _, w := range r.Masks.Weights {
				rows, cols, at := w.Matrix()
				for i := range rows * cols / 4 {
					n := 0
					for k := range 4 {
						if w.Data()[at(i*4/cols, i*4%cols+k)] != 0 {
							n++
						}
					}
					if n > 2 {
						t.Fatalf("%s: %d of 4 stay", w.Name, n)
					}
				}
			}
		}
	}
	for _, c := range []struct {
		want string
		s    Magnitude
	}{
		{`Allocate "nosuch"`, Magnitude{Sparsity: .5, Allocate: "nosuch", Rounds: 1}},
		{"Rounds 0: a number of at least 1", Magnitude{Sparsity: .5, Allocate: "uniform", Rounds: 0}},
		{`"5:4": of every 4 inputs`, Magnitude{Sparsity: .5, Allocate: "uniform", Pattern: allocate.Pattern{N: 5, M: 4}, Rounds: 1}},
		{`"block:2x0" is neither`, Magnitude{Sparsity: .5, Allocate: "uniform", Pattern: allocate.Pattern{H: 2, W: 0}, Rounds: 1}},
	} {
		modeltest.Refused(t, &c.s, modeltest.Job(t, 0), c.want)
	}
	for text, want := range map[string]string{"x": `"x" is neither N:M nor block:HxW`, "5:4": "of every 4 inputs", "block:0x3": "neither N:M"} {
		if err := catalog.Set(NewMagnitude(), "pattern", text); err == nil || !strings.Contains(err.Error(), "Pattern: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
