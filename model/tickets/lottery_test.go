package tickets

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/prune"
	"pare/train"
)

func ticketJob(t *testing.T, f func(s *Tickets)) *Job {
	t.Helper()
	s := &Lottery{ticketDefaults()}
	s.Rounds, s.Controls = 3, nil
	if f != nil {
		f(&s.Tickets)
	}
	return job(t, s, 2)
}

// begun looks at weights before the first step of every training.
type begun struct {
	train.Base
	f func(r *train.Run)
}

func (w begun) Start(r *train.Run) error { w.f(r); return nil }

// Every round begins at the initial weights, cut by nested masks, and what is cut
// stays zero.
func TestTicketRounds(t *testing.T) {
	j := ticketJob(t, nil)
	before, _ := j.Graph.Clone(true)
	h, err := newHunt(j, &j.Settings.(*Lottery).Tickets, 0)
	if err != nil {
		t.Fatal(err)
	}
	starts, steps := 0, 0
	at := func(r *train.Run, initial bool) {
		for l, w := range h.ws {
			old := before.Value(w.Name).Const.F32()
			for i, x := range w.Data() {
				if cut := !h.masks.Mask[l].Kept(i); cut && x != 0 || !cut && initial && x != old[i] {
					t.Fatalf("%s[%d] is %v at step %d, was %v; cut: %v", w.Name, i, x, r.Step, old[i], cut)
				}
			}
		}
	}
	h.hooks = []train.Hook{begun{f: func(r *train.Run) { starts++; at(r, true) }}, &watcher{f: func(r *train.Run) { steps++; at(r, false) }}}
	var last *prune.Masks
	h.trained = func(round int, _ []train.Epoch) error {
		if last != nil && !h.masks.Within(last) {
			t.Errorf("round %d: the masks are not nested", round)
		}
		last = h.masks
		return nil
	}
	if err := h.search(context.Background()); err != nil {
		t.Fatal(err)
	}
	if starts != 4 || steps != 4*40 {
		t.Errorf("%d trainings, %d steps", starts, steps)
	}
	// 1280 weights at .2, 200 at .1: round(.2*1280) = 256, then 205, 164; 20, 18, 16
	if got := []int{h.masks.Mask[0].Count(), h.masks.Mask[1].Count()}; !slices.Equal(got, []int{655, 146}) {
		t.Errorf("%v weights are left", got)
	}
}

// At a rate of 0 a round is the round before, bit for bit.
func TestTicketNothing(t *testing.T) {
	j := ticketJob(t, func(s *Tickets) { s.Rate, s.Output, s.Rounds = 0, 0, 2 })
	plain := job(t, nil, 2)
	if _, err := plain.Fit(context.Background(), plain.Graph); err != nil {
		t.Fatal(err)
	}
	if _, err := runLottery(context.Background(), j); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bits(plain.Graph), bits(j.Graph)) {
		t.Error("the third training differs from the first")
	}
}

// The untrained ticket is the initial weights under the mask.
func TestTicketUntrained(t *testing.T) {
	j := ticketJob(t, func(s *Tickets) { s.Untrained, s.Fresh.Fresh = true, true })
	r, err := runLottery(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	k := ticketJob(t, nil)
	if err := (prune.Init{Seed: k.Seed}).Apply(k.Graph); err != nil {
		t.Fatal(err)
	}
	ws, _ := prune.Weights(k.Graph, prune.Scope{})
	(&prune.Masks{Weights: ws, Mask: r.Masks.Mask}).Apply()
	if !bytes.Equal(bits(r.Graph), bits(k.Graph)) {
		t.Error("the ticket is not the initial weights under its mask")
	}
}

// Random masks have the ticket's counts and overlap as chance has it; the other
// controls keep the mask.
func TestControls(t *testing.T) {
	j := ticketJob(t, func(s *Tickets) { s.Rounds, s.Rate = 1, .5 })
	h, err := newHunt(j, &j.Settings.(*Lottery).Tickets, 0)
	if err != nil {
		t.Fatal(err)
	}
	h.trained = func(int, []train.Epoch) error { return nil }
	if err := h.search(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := h.start.Restore(j.Graph); err != nil {
		t.Fatal(err)
	}
	h.masks.Apply()
	for kind := range controls {
		g, m, err := h.spoil(kind)
		if err != nil {
			t.Fatal(err)
		}
		for l, w := range m.Weights {
			n, old := m.Mask[l].Count(), h.ws[l].Data()
			if n != h.masks.Mask[l].Count() {
				t.Errorf("%s: %s keeps %d, the ticket %d", kind, w.Name, n, h.masks.Mask[l].Count())
			}
			share := float64(m.Mask[l].Overlap(h.masks.Mask[l])) / float64(w.Len())
			d := float64(n) / float64(w.Len())
			want := d
			if kind == "random" {
				want = d * d
			}
			if math.Abs(share-want) > 4*math.Sqrt(d*d/float64(w.Len())) {
				t.Errorf("%s: %s overlaps in %.3f, want %.3f", kind, w.Name, share, want)
			}
			same, signs := 0, 0
			for i, x := range w.Data() {
				if m.Mask[l].Kept(i) && h.masks.Mask[l].Kept(i) {
					if x == old[i] {
						same++
					}
					if x > 0 == (old[i] > 0) {
						signs++
					}
				}
			}
			if (kind == "random") != (same > 10) || kind == "sign" && signs != n {
				t.Errorf("%s: %s has %d of its values and %d of its %d signs", kind, w.Name, same, signs, n)
			}
		}
		if g == j.Graph {
			t.Error("a control works on the network itself")
		}
	}
}

func TestTicketPlan(t *testing.T) {
	for _, c := range []struct {
		sparsity, rate float64
		rounds         int
	}{{.833, .2, 9}, {1 - .8*.8*.8*.8, .2, 4}, {.893, .2, 11}, {.9, .9, 1}, {.5, .2, 4}} {
		s := Tickets{Sparsity: c.sparsity, Rate: c.rate}
		n, p := s.plan()
		if left := math.Pow(1-p, float64(n)); n != c.rounds || p > c.rate+1e-9 || math.Abs(left-(1-c.sparsity)) > 1e-9 {
			t.Errorf("%+v: %d rounds at %v leave %v", c, n, p, left)
		}
	}
}

func TestTicketRates(t *testing.T) {
	for _, c := range []struct {
		f    func(s *Tickets)
		want []float64
	}{
		{func(s *Tickets) {}, []float64{.2, .1}},
		{func(s *Tickets) { s.Output = .3 }, []float64{.2, .3}},
		{func(s *Tickets) { s.Rates = []string{"fc1*=.05", "fc*=.4"} }, []float64{.05, .4}},
		{func(s *Tickets) { s.Global = true }, []float64{.2, 0}},
		{func(s *Tickets) { s.Exclude = []string{"fc2*"} }, []float64{.2}},
	} {
		j := ticketJob(t, c.f)
		h, err := newHunt(j, &j.Settings.(*Lottery).Tickets, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(h.rate, c.want) {
			t.Errorf("rates %v, want %v", h.rate, c.want)
		}
	}
}

// A search that is stopped in the dense training, between, and in a control ends
// with the bytes of one that is not.
func TestResumeTickets(t *testing.T) {
	mk := func() *Job {
		return ticketJob(t, func(s *Tickets) { s.Controls, s.Fresh.Fresh = []string{"reinit", "random"}, true })
	}
	// 40 steps a training
	whole := resumes(t, "lottery", runLottery, mk, 240, 7, 60, 80, 215)
	if len(whole.Notes) != 4 || len(whole.Epochs) != 8 {
		t.Errorf("notes %q, %d epochs", whole.Notes, len(whole.Epochs))
	}
}

// With a validation set the early-stop step is told.
func TestEarlyStop(t *testing.T) {
	j := ticketJob(t, func(s *Tickets) { s.Rounds = 1 })
	j.Data.Val = j.Data.Test
	r, err := runLottery(context.Background(), j)
	if err != nil || len(r.Notes) != 2 || !strings.Contains(r.Notes[1], "least validation loss at step") {
		t.Errorf("%q, %v", r.Notes, err)
	}
}

func TestTicketsBad(t *testing.T) {
	for want, f := range map[string]func(s *Tickets, j *Job){
		"--rate 1":               func(s *Tickets, _ *Job) { s.Rate = 1 },
		"--rate -0.1":            func(s *Tickets, _ *Job) { s.Rate = -.1 },
		"--rate NaN":             func(s *Tickets, _ *Job) { s.Rate = math.NaN() },
		"--output-rate 1":        func(s *Tickets, _ *Job) { s.Output = 1 },
		"--rounds -1":            func(s *Tickets, _ *Job) { s.Rounds = -1 },
		"--sparsity 1":           func(s *Tickets, _ *Job) { s.Rounds, s.Sparsity = 0, 1 },
		"at --rate 0":            func(s *Tickets, _ *Job) { s.Rounds, s.Rate = 0, 0 },
		"no control":             func(s *Tickets, _ *Job) { s.Controls = []string{"nosuch"} },
		"not PATTERN=RATE":       func(s *Tickets, _ *Job) { s.Rates = []string{"fc1"} },
		"with a rate in":         func(s *Tickets, _ *Job) { s.Rates = []string{"fc1*=2"} },
		"matches no weight":      func(s *Tickets, _ *Job) { s.Rates = []string{"conv*=.1"} },
		"ranked together":        func(s *Tickets, _ *Job) { s.Global, s.Rates = true, []string{"fc1*=.1"} },
		"give --data":            func(_ *Tickets, j *Job) { j.Data = nil },
		"--data and --epochs":    func(_ *Tickets, j *Job) { j.Recipe.Epochs = 0 },
		"keep some out":          func(s *Tickets, j *Job) { s.Controls, j.Data = []string{"random"}, &dataset.Data{Train: j.Data.Train} },
		"round 1 of 3":           func(s *Tickets, j *Job) { s.Rates = []string{"fc2*=.999"} },
		"left of fc2":            func(s *Tickets, j *Job) { s.Rates = []string{"fc2*=.999"} },
		"round 0 of 3: the loss": func(s *Tickets, j *Job) { j.Recipe.LR, j.Recipe.Schedule = 1e30, "constant" },
		"no prunable weight":     func(s *Tickets, _ *Job) { s.Exclude = []string{"*"} },
	} {
		j := ticketJob(t, nil)
		f(&j.Settings.(*Lottery).Tickets, j)
		if _, err := runLottery(context.Background(), j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	if fmt.Sprint(outcome{accuracy: .5}) != "accuracy 50.00 %" {
		t.Error(outcome{accuracy: .5})
	}
}
