package tickets

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"pare/prune"
	"pare/train"
)

func rewindJob(t *testing.T, to string, f func(s *Rewind)) *Job {
	t.Helper()
	s := &Rewind{To: to, Tickets: ticketDefaults()}
	s.Rounds, s.Controls = 2, nil
	if f != nil {
		f(s)
	}
	return job(t, s, 2)
}

// k = 0 is the lottery's search, bit for bit.
func TestRewindZero(t *testing.T) {
	a, b := rewindJob(t, "0", nil), ticketJob(t, func(s *Tickets) { s.Rounds = 2 })
	x, err := runRewind(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := runLottery(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bits(x.Graph), bits(y.Graph)) || x.Masks.Hash() != y.Masks.Hash() || !slices.Equal(x.Notes, y.Notes) {
		t.Errorf("%q, want %q", x.Notes, y.Notes)
	}
}

// k = T leaves no training: the result is the dense network's weights, cut.
func TestRewindEnd(t *testing.T) {
	j, plain := rewindJob(t, "100%", nil), job(t, nil, 2)
	r, err := runRewind(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Fit(context.Background(), plain.Graph); err != nil {
		t.Fatal(err)
	}
	ws, _ := prune.Weights(plain.Graph, prune.Scope{})
	(&prune.Masks{Weights: ws, Mask: r.Masks.Mask}).Apply()
	if !bytes.Equal(bits(plain.Graph), bits(r.Graph)) {
		t.Error("not the dense network's weights under the mask")
	}
}

// Every round begins at the weights, the step and the rate of k; keeping W_k does not
// disturb the first training.
func TestRewindStart(t *testing.T) {
	plain := job(t, nil, 2)
	var wk []byte
	rate := map[int]float64{}
	if _, err := plain.Fit(context.Background(), plain.Graph, &watcher{f: func(r *train.Run) {
		if r.Step == 15 {
			wk = bits(plain.Graph)
		}
		rate[r.Step] = r.Rate(r.Step)
	}}); err != nil {
		t.Fatal(err)
	}
	j := rewindJob(t, "15", nil)
	h, err := newHunt(j, &j.Settings.(*Rewind).Tickets, 15)
	if err != nil {
		t.Fatal(err)
	}
	round, steps := 0, 0
	h.hooks = []train.Hook{begun{f: func(r *train.Run) {
		if round == 0 {
			return
		}
		if r.Step != 15 || r.Epoch != 0 || r.Rate(r.Step) != rate[15] {
			t.Errorf("round %d begins at step %d of epoch %d with rate %v", round, r.Step, r.Epoch, r.Rate(r.Step))
		}
		c, _ := j.Graph.Clone(true)
		if err := h.start.Restore(c); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(bits(c), wk) {
			t.Error("W_k is not what the network was after 15 steps")
		}
		on, _ := h.on(c, h.masks)
		on.Apply()
		if !bytes.Equal(bits(c), bits(j.Graph)) {
			t.Errorf("round %d does not begin at W_k under its mask", round)
		}
	}}, &watcher{f: func(r *train.Run) { steps++ }}}
	h.trained = func(i int, _ []train.Epoch) error {
		if i == 0 && !bytes.Equal(bits(j.Graph), bits(plain.Graph)) {
			t.Error("the first training differs from plain training")
		}
		round++
		return nil
	}
	if err := h.search(context.Background()); err != nil {
		t.Fatal(err)
	}
	if steps != 40+2*25 {
		t.Errorf("%d steps", steps)
	}
}

// Learning-rate rewinding goes on from the trained weights.
func TestKeepWeights(t *testing.T) {
	j := rewindJob(t, "15", nil)
	h, err := newHunt(j, &j.Settings.(*Rewind).Tickets, 15)
	if err != nil {
		t.Fatal(err)
	}
	h.keep = true
	var end []float32
	h.hooks = []train.Hook{begun{f: func(r *train.Run) {
		w := h.ws[0].Data()
		for i, x := range end {
			if h.masks.Mask[0].Kept(i) && w[i] != x {
				t.Fatal("a weight went back")
			}
		}
		if end != nil && r.Step != 15 {
			t.Errorf("it goes on at step %d", r.Step)
		}
	}}}
	h.trained = func(int, []train.Epoch) error { end = slices.Clone(h.ws[0].Data()); return nil }
	if err := h.search(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// The distance between equal orders is 0, and that of a mask that keeps all to the
// dense network; a real mask has one.
func TestStability(t *testing.T) {
	j := rewindJob(t, "15", func(s *Rewind) { s.Rate, s.Output = 0, 0 })
	h, err := newHunt(j, &j.Settings.(*Rewind).Tickets, 15)
	if err != nil {
		t.Fatal(err)
	}
	h.trained = func(int, []train.Epoch) error { return nil }
	if err := h.search(context.Background()); err != nil {
		t.Fatal(err)
	}
	ticket, random, err := h.stabilities(context.Background(), 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*stability{ticket, random} {
		if s.prune.l2 != 0 || s.order.l2 == 0 || s.order.angle == 0 {
			t.Errorf("of a mask that keeps all: %v", s)
		}
	}
	c, _ := j.Graph.Clone(true)
	if err := h.start.Restore(c); err != nil {
		t.Fatal(err)
	}
	on, _ := h.on(c, h.masks)
	if _, err := h.fit(context.Background(), c, on, 15, j.Seed); err != nil { // the job's own order, by name
		t.Fatal(err)
	}
	if !bytes.Equal(bits(c), bits(j.Graph)) {
		t.Error("the same order ends elsewhere")
	}
}

func TestResumeRewind(t *testing.T) {
	mk := func() *Job {
		return rewindJob(t, "0.5ep", func(s *Rewind) { s.Stability, s.Controls = 2, []string{"sign"} })
	}
	// of 8 trainings of 40 steps, the later from step 10 on
	whole := resumes(t, "rewind", runRewind, mk, 320, 5, 12, 55, 175, 300)
	if n := len(whole.Notes); n != 4 || !strings.Contains(whole.Notes[3], "D_O") {
		t.Errorf("%q", whole.Notes)
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
	j := job(t, nil, 2) // of 20 steps
	for to, want := range map[string]int{"0": 0, "7": 7, "7it": 7, "1ep": 20, "0.5ep": 10, "5%": 2, "100%": 40, "40": 40} {
		if at, err := stepOf(to, j); err != nil || at != want {
			t.Errorf("%s: step %d, want %d; %v", to, at, want, err)
		}
	}
	for to, want := range map[string]string{"-1": "choose one within", "41": "choose one within", "3ep": "choose one within", "101%": "choose one within",
		"": "neither", "x": "neither", "NaN": "neither", "Inf": "choose one within"} {
		if _, err := stepOf(to, j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestRewindBad(t *testing.T) {
	for want, f := range map[string]func(s *Rewind){
		"leave --untrained":    func(s *Rewind) { s.Keep, s.Untrained = true, true },
		"leave --keep-weights": func(s *Rewind) { s.Keep, s.Stability = true, 2 },
		"at least 2 orders":    func(s *Rewind) { s.Stability = 1 },
		"--stability -1":       func(s *Rewind) { s.Stability = -1 },
		"choose one within":    func(s *Rewind) { s.To = "41" },
		"left of fc2":          func(s *Rewind) { s.Rates = []string{"fc2*=.999"} },
	} {
		if _, err := runRewind(context.Background(), rewindJob(t, "15", f)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	j := rewindJob(t, "1ep", nil)
	j.Data = nil
	if _, err := runRewind(context.Background(), j); err == nil || !strings.Contains(err.Error(), "give --data") {
		t.Error(err)
	}
}
