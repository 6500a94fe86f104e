package tickets

import (
	"bytes"
	"context"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/train"
)

func rewind(t *testing.T, to string, f func(s *Rewind)) *Rewind {
	t.Helper()
	at, err := train.ParseAt(to)
	if err != nil {
		t.Fatal(err)
	}
	s := &Rewind{To: at, Tickets: ticketDefaults()}
	s.Rounds, s.Controls = 2, nil
	if f != nil {
		f(s)
	}
	return s
}

// k = 0 is the lottery's search, bit for bit.
func TestRewindZero(t *testing.T) {
	x := modeltest.Run(t, rewind(t, "0", nil), modeltest.Job(t, 2))
	y := modeltest.Run(t, search(func(s *Tickets) { s.Rounds = 2 }), modeltest.Job(t, 2))
	if !bytes.Equal(modeltest.Bits(x.Graph), modeltest.Bits(y.Graph)) || x.Masks.Hash() != y.Masks.Hash() || !slices.Equal(x.Notes, y.Notes) || !reflect.DeepEqual(x.Facts, y.Facts) {
		t.Errorf("%q %+v, want %q %+v", x.Notes, x.Facts, y.Notes, y.Facts)
	}
}

// k = T leaves no training: the result is the dense network's weights, cut.
func TestRewindEnd(t *testing.T) {
	plain := modeltest.Job(t, 2)
	r := modeltest.Run(t, rewind(t, "100%", nil), modeltest.Job(t, 2))
	if _, err := plain.Fit(context.Background(), plain.Graph); err != nil {
		t.Fatal(err)
	}
	ws, _ := prune.Weights(plain.Graph, prune.Scope{})
	(&prune.Masks{Weights: ws, Mask: r.Masks.Mask}).Apply()
	if !bytes.Equal(modeltest.Bits(plain.Graph), modeltest.Bits(r.Graph)) {
		t.Error("not the dense network's weights under the mask")
	}
}

// Every round begins at the weights, the step and the rate of k; keeping W_k does not
// disturb the first training.
func TestRewindStart(t *testing.T) {
	plain := modeltest.Job(t, 2)
	var wk []byte
	rate := map[int]float64{}
	if _, err := plain.Fit(context.Background(), plain.Graph, &modeltest.Watcher{F: func(r *train.Run) {
		if r.Step == 15 {
			wk = modeltest.Bits(plain.Graph)
		}
		rate[r.Step] = r.Rate(r.Step)
	}}); err != nil {
		t.Fatal(err)
	}
	h := begin(t, &rewind(t, "15", nil).Tickets, 15)
	round, steps := 0, 0
	h.hooks = []train.Hook{modeltest.Begun{F: func(r *train.Run) {
		if round == 0 {
			return
		}
		if r.Step != 15 || r.Epoch != 0 || r.Rate(r.Step) != rate[15] {
			t.Errorf("round %d begins at step %d of epoch %d with rate %v", round, r.Step, r.Epoch, r.Rate(r.Step))
		}
		c, _ := h.Graph.Clone(true)
		if err := h.start.Restore(c); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(modeltest.Bits(c), wk) {
			t.Error("W_k is not what the network was after 15 steps")
		}
		on, _ := h.on(c, h.Masks)
		on.Apply()
		if !bytes.Equal(modeltest.Bits(c), modeltest.Bits(h.Graph)) {
			t.Errorf("round %d does not begin at W_k under its mask", round)
		}
	}}, &modeltest.Watcher{F: func(r *train.Run) { steps++ }}}
	h.Trained = func(i int, _ []train.Epoch) error {
		if i == 0 && !bytes.Equal(modeltest.Bits(h.Graph), modeltest.Bits(plain.Graph)) {
			t.Error("the first training differs from plain training")
		}
		round++
		return nil
	}
	if err := h.Search(context.Background()); err != nil {
		t.Fatal(err)
	}
	if steps != 40+2*25 {
		t.Errorf("%d steps", steps)
	}
}

// Learning-rate rewinding goes on from the trained weights.
func TestKeepWeights(t *testing.T) {
	h := begin(t, &rewind(t, "15", nil).Tickets, 15)
	h.keep = true
	var end []float32
	h.hooks = []train.Hook{modeltest.Begun{F: func(r *train.Run) {
		w := h.ws[0].Data()
		for i, x := range end {
			if h.Masks.Mask[0].Kept(i) && w[i] != x {
				t.Fatal("a weight went back")
			}
		}
		if end != nil && r.Step != 15 {
			t.Errorf("it goes on at step %d", r.Step)
		}
	}}}
	h.Trained = func(int, []train.Epoch) error { end = slices.Clone(h.ws[0].Data()); return nil }
	if err := h.Search(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// The distance between equal orders is 0, and that of a mask that keeps all to the
// dense network; a real mask has one.
func TestStability(t *testing.T) {
	j := modeltest.Job(t, 2)
	h, err := NewIMP(j, &rewind(t, "15", func(s *Rewind) { s.Rate, s.Output = 0, 0 }).Tickets, 15, 2*3)
	if err != nil {
		t.Fatal(err)
	}
	h.Trained = func(int, []train.Epoch) error { return nil }
	if err := h.Search(context.Background()); err != nil {
		t.Fatal(err)
	}
	ticket, random, err := h.Stabilities(context.Background(), 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Stability{ticket, random} {
		if s.Prune.L2 != 0 || s.Order.L2 == 0 || s.Order.Angle == 0 {
			t.Errorf("of a mask that keeps all: %v", s)
		}
	}
	c, _ := j.Graph.Clone(true)
	if err := h.start.Restore(c); err != nil {
		t.Fatal(err)
	}
	on, _ := h.on(c, h.Masks)
	if _, err := h.fit(context.Background(), c, on, 15, j.Seed); err != nil { // the job's own order, by name
		t.Fatal(err)
	}
	if !bytes.Equal(modeltest.Bits(c), modeltest.Bits(j.Graph)) {
		t.Error("the same order ends elsewhere")
	}
}

func TestResumeRewind(t *testing.T) {
	mk := func() (model.Method, *model.Job) {
		return rewind(t, "0.5ep", func(s *Rewind) { s.Stability, s.Controls = 2, []string{"sign"} }), modeltest.Job(t, 2)
	}
	// of 8 trainings of 40 steps, the later from step 10 on
	whole := modeltest.Resumes(t, "rewind", mk, 320, 5, 12, 55, 175, 300)
	if n := len(whole.Notes); n != 4 || !strings.Contains(whole.Notes[3].String(), "D_O") {
		t.Errorf("%q", whole.Notes)
	}
	f := whole.Facts.(*Facts)
	if len(f.Stability) != 2 || len(f.Controls) != 1 || f.Controls[0].Control != "sign" {
		t.Fatalf("%+v", f)
	}
	for _, s := range f.Stability {
		if !(s.Order.L2 > 0 && s.Order.Angle > 0 && s.Prune.L2 > 0 && s.Prune.Angle > 0) {
			t.Errorf("stability %+v", s)
		}
	}
}

// 16.7 % are left after 8 rounds of 20 %, 10.7 % after 10, 2.2 % after 17.
func TestRewindLeft(t *testing.T) {
	for n, want := range map[int]float64{8: .167, 10: .107, 17: .022} {
		s := Tickets{Rounds: n, Rate: .2}
		rounds, rate := s.plan()
		if got := math.Pow(1-rate, float64(rounds)); math.Abs(got-want) > .001 {
			t.Errorf("%d rounds leave %.4f, want %v", n, got, want)
		}
	}
}

func TestStepOf(t *testing.T) {
	j := modeltest.Job(t, 2) // of 20 steps
	step := func(to string) (int, error) {
		at, err := train.ParseAt(to)
		if err != nil {
			return 0, err
		}
		return j.StepAt("To", at)
	}
	for to, want := range map[string]int{"0": 0, "7": 7, "7it": 7, "1it": 1, "1ep": 20, "0.5ep": 10, "5%": 2, "100%": 40, "40": 40} {
		if at, err := step(to); err != nil || at != want {
			t.Errorf("%s: step %d, want %d; %v", to, at, want, err)
		}
	}
	for to, want := range map[string]string{"-1": "no point", "41": "choose one within", "3ep": "choose one within", "101%": "behind the end",
		"": "no point", "x": "no point", "NaN": "no point", "Inf": "no point", "1": "a share or a step", "0.5": "a share or a step"} {
		if _, err := step(to); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestRewindBad(t *testing.T) {
	for want, f := range map[string]func(s *Rewind){
		"leave Untrained out":                                             func(s *Rewind) { s.Keep, s.Untrained = true, true },
		"leave Keep out":                                                  func(s *Rewind) { s.Keep, s.Stability = true, 2 },
		"Stability 1: a number of at least 2, or 0":                       func(s *Rewind) { s.Stability = 1 },
		"Stability -1: a number of at least 2, or 0":                      func(s *Rewind) { s.Stability = -1 },
		"To 41it is step 41 of a training of 40 steps: choose one within": func(s *Rewind) { s.To = train.At{X: 41, Unit: train.Steps} },
		"left of fc2": func(s *Rewind) { s.Rates = []string{"fc2*=.999"} },
	} {
		modeltest.Refused(t, rewind(t, "15", f), modeltest.Job(t, 2), want)
	}
	j := modeltest.Job(t, 2)
	j.Data = nil
	modeltest.Refused(t, rewind(t, "1ep", nil), j, "no training set: give Data")
	j.Recipe.Epochs = 0
	modeltest.Refused(t, rewind(t, "1ep", nil), j, "give Data and Recipe.Epochs")
}
