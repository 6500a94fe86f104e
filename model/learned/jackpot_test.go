package learned

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
	"pare/prune/score"
	"pare/train"
	"pare/zoo"
)

// four is a network whose only prunable weight has the given entries.
func four(t *testing.T, x ...float32) []*prune.Weight {
	t.Helper()
	g, err := zoo.New(fmt.Sprintf("mlp:%d-1", len(x)), zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	copy(ws[0].Data(), x)
	return ws
}

// w = (.9, -.1, .4, -.6), half cut: the magnitude mask, its scores, a step that
// changes no rank and one that swaps.
func TestJackpotSteps(t *testing.T) {
	for _, c := range []struct {
		g, q []float32
		keep []bool
	}{
		{[]float32{.2, -1, .5, .1}, []float32{.982, 1, .97, 1.006}, []bool{true, false, false, true}},
		{[]float32{.2, 3, .5, .1}, []float32{.982, 1.02, .97, 1.006}, []bool{false, true, false, true}},
	} {
		ws := four(t, .9, -.1, .4, -.6)
		s := NewJackpot()
		s.Sparsity = .5
		m, err := s.Allocate.Masks(ws, score.Magnitude(ws), s.Sparsity, allocate.One(ws))
		if err != nil {
			t.Fatal(err)
		}
		q := firstScores(m)
		if !slices.Equal(q[0], []float32{1, .99, .99, 1}) {
			t.Fatalf("first scores %v", q)
		}
		sc := hook.Scores{Score: q, Rate: train.Constant(.1)}
		d := make([]float32, 4)
		straightThrough(ws[0].Data(), c.g, d)
		sc.Step(0, d, 0)
		prune.Swap(m.Mask[0], q[0], 1)
		if c.g[1] < 0 {
			c.q[1] = .98
		}
		for i := range d {
			if math.Abs(float64(q[0][i]-c.q[i])) > 1e-6 || m.Mask[0].Kept(i) != c.keep[i] {
				t.Errorf("after gradient %v: scores %v, entry %d kept: %v", c.g, q, i, m.Mask[0].Kept(i))
			}
		}
	}
}

// A mask shares all with itself, and its density with a random one.
func TestOverlap(t *testing.T) {
	ws := four(t, make([]float32, 4000)...)
	s := &Jackpot{Sparsity: .75, Allocate: "uniform"}
	m, err := s.Allocate.Masks(ws, score.Magnitude(ws), s.Sparsity, allocate.One(ws))
	if err != nil {
		t.Fatal(err)
	}
	a, b := allocate.Shuffle(m, 1), allocate.Shuffle(m, 2)
	if x := overlap(a, a); x != 1 {
		t.Errorf("overlap with itself %v", x)
	}
	if x := overlap(a, b); math.Abs(x-.25) > .05 {
		t.Errorf("overlap of random masks %v", x)
	}
}

// The search keeps each layer's count after every step, no weight moves, and
// what is cut is zero.
func TestJackpotFrozen(t *testing.T) {
	s := NewJackpot()
	s.Sparsity = .7
	j := modeltest.Job(t, 2)
	j.Data.Val = j.Data.Test
	before, _ := j.Graph.Clone(true)
	r := modeltest.Run(t, s, j)
	w := r.Masks.Weights[0]
	if len(r.Masks.Weights) != 1 || r.Masks.Count() != w.Len()-int(math.Round(.7*float64(w.Len()))) {
		t.Errorf("%d of %d weights stay in %d layers", r.Masks.Count(), w.Len(), len(r.Masks.Weights))
	}
	for _, p := range r.Graph.Params() {
		for i, x := range p.Const.F32() {
			want := before.Value(p.Name).Const.F32()[i]
			if p.Name == w.Name && !r.Masks.Mask[0].Kept(i) {
				want = 0
			}
			if x != want {
				t.Fatalf("%s[%d] is %v, want %v", p.Name, i, x, want)
			}
		}
	}
	if !strings.Contains(modeltest.Said(r), "of chance") {
		t.Errorf("an untrained network raised no warning: %q", r.Notes)
	}
	if f := r.Facts.(*JackpotFacts); f.Kept != r.Masks.Count() || !(f.Overlap > 0 && f.Overlap <= 1) {
		t.Errorf("%+v", f)
	}
}

// With nothing to cut the network stays as it is.
func TestJackpotDense(t *testing.T) {
	s := NewJackpot()
	s.Sparsity = 0
	j := modeltest.Job(t, 1)
	before := modeltest.Bits(j.Graph)
	modeltest.Run(t, s, j)
	if !bytes.Equal(before, modeltest.Bits(j.Graph)) {
		t.Error("weights changed")
	}
}

func TestJackpotResume(t *testing.T) {
	for _, tune := range []int{0, 1} {
		mk := func() (model.Method, *model.Job) {
			s := NewJackpot()
			s.Tune, s.MaskStart = tune, []string{"magnitude", "random"}[tune]
			j := modeltest.Job(t, 2)
			j.Data.Val = j.Data.Test
			return s, j
		}
		stops := []int{7, 31}
		if tune > 0 {
			stops = append(stops, 33)
		}
		modeltest.Resumes(t, fmt.Sprint("tune ", tune), mk, 40+20*tune, stops...)
	}
}

func TestJackpotBadInput(t *testing.T) {
	for want, f := range map[string]func(s *Jackpot, j *model.Job){
		"Sparsity 1: a number in [0,1)":            func(s *Jackpot, j *model.Job) { s.Sparsity = 1 },
		"Sparsity NaN: a number in":                func(s *Jackpot, j *model.Job) { s.Sparsity = math.NaN() },
		`Allocate "nosuch": global or uniform`:     func(s *Jackpot, j *model.Job) { s.Allocate = "nosuch" },
		`MaskStart "nosuch": magnitude or random`:  func(s *Jackpot, j *model.Job) { s.MaskStart = "nosuch" },
		"Restrict -1: a number of at least 0":      func(s *Jackpot, j *model.Job) { s.Restrict = -1 },
		"Tune -1: a number of at least 0":          func(s *Jackpot, j *model.Job) { s.Tune = -1 },
		"learnt by training: give Data and Recipe": func(s *Jackpot, j *model.Job) { j.Recipe.Epochs = 0 },
		"no training set":                          func(s *Jackpot, j *model.Job) { j.Data = nil },
		"the scores: learning":                     func(s *Jackpot, j *model.Job) { s.ScoreLR = 0 },
		"the scores: momentum":                     func(s *Jackpot, j *model.Job) { s.ScoreMomentum = 1 },
		"the rate of the score":                    func(s *Jackpot, j *model.Job) { s.ScoreLR = 1e38 },
	} {
		s := NewJackpot()
		j := modeltest.Job(t, 1)
		f(s, j)
		modeltest.Refused(t, s, j, want)
	}
	// a frozen weight that moved is found
	j := modeltest.Job(t, 0)
	ws, _ := prune.Weights(j.Graph, prune.Scope{})
	h := &hook.Latent{Masks: prune.Dense(nil)}
	before, _ := j.Graph.Clone(true)
	ws[0].Data()[3]++
	if err := frozen(before, j.Graph, h); err == nil {
		t.Error("a weight that moved was not found")
	}
}
