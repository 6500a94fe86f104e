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
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/train"
)

func search(f func(s *Tickets)) *Lottery {
	s := NewLottery()
	s.Rounds, s.Controls = 3, nil
	if f != nil {
		f(&s.Tickets)
	}
	return s
}

// begin prepares a search on the tests' job of 40 steps.
func begin(t *testing.T, s *Tickets, at int) *IMP {
	t.Helper()
	h, err := NewIMP(modeltest.Job(t, 2), s, at, 0)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Every round begins at the initial weights, cut by nested masks, and what is cut
// stays zero.
func TestTicketRounds(t *testing.T) {
	h := begin(t, &search(nil).Tickets, 0)
	before, _ := h.Graph.Clone(true)
	starts, steps := 0, 0
	at := func(r *train.Run, initial bool) {
		for l, w := range h.ws {
			old := before.Value(w.Name).Const.F32()
			for i, x := range w.Data() {
				if cut := !h.Masks.Mask[l].Kept(i); cut && x != 0 || !cut && initial && x != old[i] {
					t.Fatalf("%s[%d] is %v at step %d, was %v; cut: %v", w.Name, i, x, r.Step, old[i], cut)
				}
			}
		}
	}
	h.hooks = []train.Hook{modeltest.Begun{F: func(r *train.Run) { starts++; at(r, true) }}, &modeltest.Watcher{F: func(r *train.Run) { steps++; at(r, false) }}}
	var last *prune.Masks
	h.Trained = func(round int, _ []train.Epoch) error {
		if last != nil && !h.Masks.Within(last) {
			t.Errorf("round %d: the masks are not nested", round)
		}
		last = h.Masks
		return nil
	}
	if err := h.Search(context.Background()); err != nil {
		t.Fatal(err)
	}
	if starts != 4 || steps != 4*40 {
		t.Errorf("%d trainings, %d steps", starts, steps)
	}
	// 1280 weights at .2, 200 at .1: round(.2*1280) = 256, then 205, 164; 20, 18, 16
	if got := []int{h.Masks.Mask[0].Count(), h.Masks.Mask[1].Count()}; !slices.Equal(got, []int{655, 146}) {
		t.Errorf("%v weights are left", got)
	}
}

// At a rate of 0 a round is the round before, bit for bit.
func TestTicketNothing(t *testing.T) {
	j, plain := modeltest.Job(t, 2), modeltest.Job(t, 2)
	if _, err := plain.Fit(context.Background(), plain.Graph); err != nil {
		t.Fatal(err)
	}
	modeltest.Run(t, search(func(s *Tickets) { s.Rate, s.Output, s.Rounds = 0, 0, 2 }), j)
	if !bytes.Equal(modeltest.Bits(plain.Graph), modeltest.Bits(j.Graph)) {
		t.Error("the third training differs from the first")
	}
}

// The untrained ticket is the initial weights under the mask.
func TestTicketUntrained(t *testing.T) {
	r := modeltest.Run(t, search(func(s *Tickets) { s.Untrained, s.Fresh.Fresh = true, true }), modeltest.Job(t, 2))
	k := modeltest.Job(t, 2)
	if err := (prune.Init{Seed: k.Seed}).Apply(k.Graph); err != nil {
		t.Fatal(err)
	}
	ws, _ := prune.Weights(k.Graph, prune.Scope{})
	(&prune.Masks{Weights: ws, Mask: r.Masks.Mask}).Apply()
	if !bytes.Equal(modeltest.Bits(r.Graph), modeltest.Bits(k.Graph)) {
		t.Error("the ticket is not the initial weights under its mask")
	}
}

// Random masks have the ticket's counts and overlap as chance has it; the other
// controls keep the mask.
func TestControls(t *testing.T) {
	h := begin(t, &search(func(s *Tickets) { s.Rounds, s.Rate = 1, .5 }).Tickets, 0)
	h.Trained = func(int, []train.Epoch) error { return nil }
	if err := h.Search(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := h.start.Restore(h.Graph); err != nil {
		t.Fatal(err)
	}
	h.Masks.Apply()
	for kind := range controls {
		g, m, err := h.replaced(kind)
		if err != nil {
			t.Fatal(err)
		}
		for l, w := range m.Weights {
			n, old := m.Mask[l].Count(), h.ws[l].Data()
			if n != h.Masks.Mask[l].Count() {
				t.Errorf("%s: %s keeps %d, the ticket %d", kind, w.Name, n, h.Masks.Mask[l].Count())
			}
			share := float64(m.Mask[l].Overlap(h.Masks.Mask[l])) / float64(w.Len())
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
				if m.Mask[l].Kept(i) && h.Masks.Mask[l].Kept(i) {
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
		if g == h.Graph {
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
		h := begin(t, &search(c.f).Tickets, 0)
		if !slices.Equal(h.rate, c.want) {
			t.Errorf("rates %v, want %v", h.rate, c.want)
		}
	}
}

// A search that is stopped in the dense training, between, and in a control ends
// with the bytes of one that is not.
func TestResumeTickets(t *testing.T) {
	mk := func() (model.Method, *model.Job) {
		return search(func(s *Tickets) { s.Controls, s.Fresh.Fresh = []string{"reinit", "random"}, true }), modeltest.Job(t, 2)
	}
	// 40 steps a training
	whole := modeltest.Resumes(t, "lottery", mk, 240, 7, 60, 80, 215)
	if len(whole.Notes) != 4 || len(whole.Epochs) != 8 {
		t.Errorf("notes %q, %d epochs", whole.Notes, len(whole.Epochs))
	}
	f := whole.Facts.(*Facts)
	if math.Abs(f.Kept-(655+146)/1480.) > 1e-12 || f.Winning != (f.Ticket.Value >= f.Dense.Value) || f.Dense.Early != 0 || f.Stability != nil ||
		len(f.Controls) != 2 || f.Controls[0].Control != "reinit" || f.Controls[1].Control != "random" {
		t.Errorf("%+v", f)
	}
	if said := modeltest.Said(whole); !strings.Contains(said, "dense: "+f.Dense.String()) || !strings.Contains(said, f.Controls[1].String()) {
		t.Errorf("notes %q of %+v", said, f)
	}
}

// With a validation set the early-stop step is told.
func TestEarlyStop(t *testing.T) {
	j := modeltest.Job(t, 2)
	j.Data.Val = j.Data.Test
	r := modeltest.Run(t, search(func(s *Tickets) { s.Rounds = 1 }), j)
	if len(r.Notes) != 2 || !strings.Contains(r.Notes[1].String(), "least validation loss at step") {
		t.Errorf("%q", r.Notes)
	}
	f := r.Facts.(*Facts)
	for i, o := range []Outcome{f.Dense, f.Ticket} {
		best := r.Epochs[2*i]
		if e := r.Epochs[2*i+1]; e.ValLoss < best.ValLoss {
			best = e
		}
		if o.Early != best.Step || o.Early == 0 {
			t.Errorf("training %d: early stop at %d, want %d of %v", i, o.Early, best.Step, r.Epochs)
		}
	}
}

func TestTicketsBad(t *testing.T) {
	for want, f := range map[string]func(s *Tickets, j *model.Job){
		"Rate 1: a number in [0,1)":         func(s *Tickets, _ *model.Job) { s.Rate = 1 },
		"Rate -0.1: a number in [0,1)":      func(s *Tickets, _ *model.Job) { s.Rate = -.1 },
		"Rate NaN: a number in [0,1)":       func(s *Tickets, _ *model.Job) { s.Rate = math.NaN() },
		"Output 1: a number in [0,1), or":   func(s *Tickets, _ *model.Job) { s.Output = 1 },
		"Rounds -1: a number of at":         func(s *Tickets, _ *model.Job) { s.Rounds = -1 },
		"Sparsity 1: a number in [0,1)":     func(s *Tickets, _ *model.Job) { s.Rounds, s.Sparsity = 0, 1 },
		"Sparsity 0 asks for no round":      func(s *Tickets, _ *model.Job) { s.Rounds, s.Sparsity = 0, 0 },
		"at Rate 0":                         func(s *Tickets, _ *model.Job) { s.Rounds, s.Rate = 0, 0 },
		`Controls "nosuch": reinit, random`: func(s *Tickets, _ *model.Job) { s.Controls = []string{"nosuch"} },
		"either none or some":               func(s *Tickets, _ *model.Job) { s.Controls = []string{"none", "sign"} },
		"not PATTERN=RATE":                  func(s *Tickets, _ *model.Job) { s.Rates = []string{"fc1"} },
		"with a rate in":                    func(s *Tickets, _ *model.Job) { s.Rates = []string{"fc1*=2"} },
		"matches no weight":                 func(s *Tickets, _ *model.Job) { s.Rates = []string{"conv*=.1"} },
		"ranked together":                   func(s *Tickets, _ *model.Job) { s.Global, s.Rates = true, []string{"fc1*=.1"} },
		"no training set: give Data":        func(_ *Tickets, j *model.Job) { j.Data = nil },
		"by training: give Data and Recip":  func(_ *Tickets, j *model.Job) { j.Recipe.Epochs = 0 },
		"keep some out": func(s *Tickets, j *model.Job) {
			s.Controls, j.Data = []string{"random"}, &dataset.Data{Train: j.Data.Train}
		},
		"round 1 of 3":           func(s *Tickets, j *model.Job) { s.Rates = []string{"fc2*=.999"} },
		"left of fc2":            func(s *Tickets, j *model.Job) { s.Rates = []string{"fc2*=.999"} },
		"round 0 of 3: the loss": func(s *Tickets, j *model.Job) { j.Recipe.LR, j.Recipe.Schedule = 1e30, "constant" },
		"no prunable weight":     func(s *Tickets, _ *model.Job) { s.Exclude = []string{"*"} },
	} {
		s, j := search(nil), modeltest.Job(t, 2)
		f(&s.Tickets, j)
		modeltest.Refused(t, s, j, want)
	}
	if o := (Outcome{Score: train.Score{Metric: "accuracy", Unit: "%", Higher: true, Value: .5}}); fmt.Sprint(o) != "accuracy 50.00 %" {
		t.Error(o)
	}
	if o := (Outcome{Score: train.Score{Metric: "rmse", Value: .25}, Early: 3}); fmt.Sprint(o) != "rmse 0.25, least validation loss at step 3" {
		t.Error(o)
	}
}
