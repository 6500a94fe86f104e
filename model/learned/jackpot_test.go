package learned

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pare/prune"
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
		s := jackpotDefaults()
		s.Sparsity = .5
		m, err := s.magnitude(ws)
		if err != nil {
			t.Fatal(err)
		}
		q := firstScores(m)
		if !slices.Equal(q[0], []float32{1, .99, .99, 1}) {
			t.Fatalf("first scores %v", q)
		}
		sc := prune.Scores{Score: q, Rate: train.Constant(.1)}
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
	m, err := s.magnitude(ws)
	if err != nil {
		t.Fatal(err)
	}
	a, b := shuffled(m, ws, 1), shuffled(m, ws, 2)
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
	s := jackpotDefaults()
	s.Sparsity = .7
	j := job(t, s, 2)
	j.Data.Val = j.Data.Test
	before, _ := j.Graph.Clone(true)
	r, err := runJackpot(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
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
	if !strings.Contains(strings.Join(r.Notes, "\n"), "of chance") {
		t.Errorf("an untrained network raised no warning: %q", r.Notes)
	}
}

// With nothing to cut the network stays as it is.
func TestJackpotDense(t *testing.T) {
	s := jackpotDefaults()
	s.Sparsity = 0
	j := job(t, s, 1)
	before := bits(j.Graph)
	if _, err := runJackpot(context.Background(), j); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, bits(j.Graph)) {
		t.Error("weights changed")
	}
}

func TestJackpotResume(t *testing.T) {
	for _, tune := range []int{0, 1} {
		mk := func() *Job {
			s := jackpotDefaults()
			s.Tune, s.MaskStart = tune, []string{"magnitude", "random"}[tune]
			j := job(t, s, 2)
			j.Data.Val = j.Data.Test
			return j
		}
		stops := []int{7, 31}
		if tune > 0 {
			stops = append(stops, 33)
		}
		resumes(t, fmt.Sprint("tune ", tune), runJackpot, mk, 0, stops...)
	}
}

func TestJackpotBadInput(t *testing.T) {
	for want, f := range map[string]func(s *Jackpot, j *Job){
		"outside [0,1)":         func(s *Jackpot, j *Job) { s.Sparsity = 1 },
		"sparsity NaN":          func(s *Jackpot, j *Job) { s.Sparsity = math.NaN() },
		"allocation":            func(s *Jackpot, j *Job) { s.Allocate = "nosuch" },
		"start":                 func(s *Jackpot, j *Job) { s.MaskStart = "nosuch" },
		"power":                 func(s *Jackpot, j *Job) { s.Restrict = -1 },
		"negative":              func(s *Jackpot, j *Job) { s.Tune = -1 },
		"give --data":           func(s *Jackpot, j *Job) { j.Recipe.Epochs = 0 },
		"no training set":       func(s *Jackpot, j *Job) { j.Data = nil },
		"the scores: learning":  func(s *Jackpot, j *Job) { s.ScoreLR = 0 },
		"the scores: momentum":  func(s *Jackpot, j *Job) { s.ScoreMomentum = 1 },
		"the rate of the score": func(s *Jackpot, j *Job) { s.ScoreLR = 1e38 },
	} {
		s := jackpotDefaults()
		j := job(t, s, 1)
		f(s, j)
		if _, err := runJackpot(context.Background(), j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	// a frozen weight that moved is found
	j := job(t, nil, 0)
	ws, _ := prune.Weights(j.Graph, prune.Scope{})
	h := &prune.Latent{Masks: prune.Dense(nil)}
	before, _ := j.Graph.Clone(true)
	ws[0].Data()[3]++
	if err := frozen(before, j.Graph, h); err == nil {
		t.Error("a weight that moved was not found")
	}
}
