package sweep

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pare/run"
	"pare/run/job"
)

// cutter is the settings of the methods that tests know.
type cutter struct {
	Sparsity float64 `flag:"sparsity" target:"yes" range:"[0,1)" doc:"how much goes"`
	Every    int     `flag:"every" range:"[1,)" doc:"steps between cuts"`
	Power    float64 `flag:"power" range:"(0,)" doc:"of the schedule"`
	Variant  string  `flag:"variant" choice:"cut,keep" doc:"which"`
	Twice    bool    `flag:"twice" doc:"once more"`
}

// narrower cuts by another budget.
type narrower struct {
	MACs float64 `flag:"macs" target:"yes" range:"[0,1]" doc:"what may stay"`
}

// plain has nothing that says how much goes.
type plain struct {
	Every int `flag:"every" range:"[1,)" doc:"steps"`
}

type trained struct {
	Epochs int     `flag:"epochs" range:"[0,)" doc:"passes"`
	LR     float64 `flag:"lr" range:"(0,)" auto:"0" doc:"rate"`
	Batch  int     `flag:"batch" range:"[1,)" doc:"samples"`
	Order  string  `flag:"order" doc:"any text"`
}

func words() *Vocabulary {
	return &Vocabulary{
		Method: func(name string) (string, any, error) {
			switch name {
			case "gmp", "17":
				return "gmp", &cutter{Sparsity: .9, Every: 10, Power: 3, Variant: "cut"}, nil
			case "set":
				return "set", &cutter{Sparsity: .9, Every: 10, Power: 3, Variant: "cut"}, nil
			case "channels":
				return "channels", &narrower{}, nil
			case "plain":
				return "plain", &plain{Every: 1}, nil
			}
			return "", nil, fmt.Errorf("there is no method %q", name)
		},
		Recipe: func() any { return &trained{Epochs: 10, Batch: 32} },
		Metric: func(name string) (Metric, error) {
			if name != "accuracy" && name != "loss" {
				return Metric{}, fmt.Errorf("there is no metric %q", name)
			}
			return Metric{Name: name, Higher: name == "accuracy"}, nil
		},
	}
}

func read(t *testing.T, text string) *Sweep {
	t.Helper()
	s, err := Parse([]byte(text), words())
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

// fake makes jobs whose values are a function of their IDs.
type fake struct {
	dir    string // of the sweep
	epochs int    // of a run
	value  func(id string, epoch int) float64
	test   func(id string) float64
	fails  func(id string) bool
	kill   func() bool                          // before each epoch: everything ends there
	wait   func(ctx context.Context, id string) // before a run begins

	mu    sync.Mutex
	done  map[string]int // epochs of checkpoints
	made  map[string]int // epochs that were computed, those that were lost too
	order []string       // in which jobs were begun
	ended context.CancelFunc
}

func newFake(dir string, epochs int) *fake {
	return &fake{dir: dir, epochs: epochs, value: hashed, test: func(id string) float64 { return hashed(id, 1<<20) }, done: map[string]int{}, made: map[string]int{}}
}

// hashed is a number in [0,1) that looks random.
func hashed(id string, epoch int) float64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d", id, epoch)
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return float64(x>>11) / (1 << 53)
}

func (f *fake) Make(ctx context.Context, j *job.Job, note func(*run.Point)) (*job.Done, error) {
	f.mu.Lock()
	f.order = append(f.order, j.ID)
	from := f.done[j.ID]
	f.mu.Unlock()
	if f.wait != nil {
		f.wait(ctx, j.ID)
	}
	d := &job.Done{Job: j.ID, Metric: "accuracy", Tries: 1, Seconds: 1}
	for e := 1; e <= f.epochs; e++ {
		if f.kill != nil && f.kill() {
			f.ended()
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if e > from {
			f.mu.Lock()
			f.made[j.ID]++
			f.done[j.ID] = e
			f.mu.Unlock()
		}
		if f.fails != nil && f.fails(j.ID) && e == 2 {
			d.Status, d.Error = run.Failed, "it broke"
			return d, nil
		}
		note(&run.Point{Epoch: e, Step: 10 * e, Training: 1, Values: []run.Value{{Name: run.Loss, X: 1}}}) // of a step
		note(&run.Point{Epoch: e, Step: 10 * e, Training: 1, Values: []run.Value{{Name: run.EpochLoss, X: 1}, {Name: run.HeldLoss, X: 2}, {Name: "accuracy", X: f.value(j.ID, e)}}})
		if e == j.Until {
			d.Status = run.Stopped
			return d, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	d.Status = run.Done
	d.Values = map[string]float64{"accuracy": f.test(j.ID), "validation_accuracy": f.value(j.ID, f.epochs), "nonzero": 100, "macs": 5, "bytes": 10}
	return d, nil
}

// sweeper is a runner of a text with a fake maker.
func sweeper(t *testing.T, text, dir string, jobs int) (*Runner, *fake) {
	t.Helper()
	s := read(t, text)
	f := newFake(dir, s.Epochs)
	r := &Runner{Sweep: s, Dir: dir, Jobs: jobs, Maker: f, Metric: Metric{Name: "accuracy", Higher: true, Percent: true},
		Inputs: &Inputs{Data: "digits", Digest: "d", Tested: true, Model: func(name string, seed uint64) (*job.File, error) {
			return &job.File{Name: "model", Path: filepath.Join(dir, name), Base: name, SHA256: name + fmt.Sprint(seed)}, nil
		}}}
	return r, f
}

// again is the same sweep as another process has it, with what the maker has kept.
func again(t *testing.T, r *Runner, text string) *Runner {
	t.Helper()
	n := &Runner{Sweep: read(t, text), Dir: r.Dir, Jobs: r.Jobs, Maker: r.Maker, Metric: r.Metric, Inputs: r.Inputs}
	if err := n.Open(); err != nil {
		t.Fatal(err)
	}
	return n
}

func made(t *testing.T, r *Runner) *Results {
	t.Helper()
	if err := r.Open(); err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r.Results()
}

// told is what matters of results, in lines that can be compared.
func told(s *Results) string {
	var b strings.Builder
	for _, o := range s.Runs {
		fmt.Fprintln(&b, o.ID, o.Label, o.Seed, o.Status, o.Why, o.Epochs, o.Curve, o.Validation, o.Test, o.Numbers)
	}
	for _, w := range s.Rows {
		fmt.Fprintln(&b, w.Label, w.Cell, w.Done, w.Validation, w.SD, w.Test, w.Best, w.Front)
	}
	for _, e := range s.Effects {
		fmt.Fprintln(&b, e.Factor, e.Epochs, e.Levels)
	}
	return b.String()
}

const halvingText = `
models: net.onnx
data: digits
methods: [dense, set, {method: gmp, settings: {every: [1, 2], power: {from: 1, to: 4, steps: 3}}}]
budgets: {sparsity: [0.5, 0.9]}
recipe: {epochs: 20, lr: [0.1, 0.2]}
seeds: 2
search: {kind: halving, eta: 3, min-epochs: 2}
`

// halved computes once more, plainly, how far each run of successive halving comes, and
// which end.
func halved(ps []*Plan, eta, least, most int, higher bool, value func(id string, epoch int) float64) map[string]int {
	out := map[string]int{}
	cells := map[string]bool{}
	for _, p := range ps {
		cells[p.Cell] = true
	}
	for cell := range cells {
		var labels []string
		ids := map[string][]string{}
		for _, p := range ps {
			if p.Cell == cell {
				if ids[p.Label] == nil {
					labels = append(labels, p.Label)
				}
				ids[p.Label] = append(ids[p.Label], p.ID)
			}
		}
		for r := least; ; r *= eta {
			r = min(r, most)
			for _, l := range labels {
				for _, id := range ids[l] {
					out[id] = r
				}
			}
			if r == most {
				break
			}
			// One after the other the best is taken from what is there.
			in := map[string]bool{}
			for range max(1, len(labels)/eta) {
				at, sum := "", math.Inf(-1)
				for _, l := range labels {
					x := 0.
					for _, id := range ids[l] {
						x += value(id, r)
					}
					if !higher {
						x = -x
					}
					if !in[l] && x > sum {
						at, sum = l, x
					}
				}
				in[at] = true
			}
			var left []string
			for _, l := range labels {
				if in[l] {
					left = append(left, l)
				}
			}
			labels = left
		}
	}
	return out
}

func TestHalvingAgainstOracle(t *testing.T) {
	for _, higher := range []bool{true, false} {
		for _, c := range []struct{ eta, least, epochs, jobs int }{{3, 2, 20, 1}, {2, 1, 20, 4}, {2, 5, 6, 2}} {
			text := strings.NewReplacer("eta: 3", fmt.Sprintf("eta: %d", c.eta), "min-epochs: 2", fmt.Sprintf("min-epochs: %d", c.least), "epochs: 20", fmt.Sprintf("epochs: %d", c.epochs)).Replace(halvingText)
			r, f := sweeper(t, text, t.TempDir(), c.jobs)
			r.Metric.Higher = higher
			res := made(t, r)
			want := halved(r.Plans(), c.eta, c.least, c.epochs, higher, f.value)
			if !maps.Equal(f.made, want) {
				t.Errorf("%+v, higher %v: epochs %v\nwant %v", c, higher, f.made, want)
			}
			done := 0
			for _, o := range res.Runs {
				if (o.Status == Done) != (want[o.ID] == c.epochs) || o.Epochs != want[o.ID] {
					t.Errorf("%s: %s after %d epochs, want %d", o.ID, o.Status, o.Epochs, want[o.ID])
				}
				if o.Status == Done {
					done++
				} else if o.Status != Dropped || o.Why == "" {
					t.Errorf("%s is %s: %s", o.ID, o.Status, o.Why)
				}
			}
			if done == 0 || done == len(res.Runs) {
				t.Errorf("%+v: %d of %d are done", c, done, len(res.Runs))
			}
		}
	}
}

// The ranks are those of the validation set: the test set says the opposite, and changes
// nothing.
func TestTestSetDecidesNothing(t *testing.T) {
	r, f := sweeper(t, halvingText, t.TempDir(), 2)
	f.test = func(id string) float64 { return 1 - f.value(id, f.epochs) }
	res := made(t, r)
	other, g := sweeper(t, halvingText, t.TempDir(), 2)
	g.test = func(string) float64 { return .5 }
	if made(t, other); !maps.Equal(f.made, g.made) {
		t.Error("what the test set says has changed which runs are made")
	}
	tests := 0
	for _, o := range res.Runs {
		if !math.IsNaN(float64(o.Test)) {
			tests++
			if o.Status != Done || float64(o.Test) != f.test(o.ID) || float64(o.Validation) != f.value(o.ID, f.epochs) {
				t.Errorf("%+v", o)
			}
		}
	}
	if tests != res.Counts[Done] {
		t.Errorf("the test set was read for %d runs, of %d that are done", tests, res.Counts[Done])
	}
	for i, w := range res.Rows[1:] {
		if p := res.Rows[i]; p.Cell == w.Cell && order(float64(w.Validation), float64(p.Validation), true) < 0 {
			t.Errorf("%s stands above %s", p.Label, w.Label)
		}
		if w.Best && w.Cell == res.Rows[i].Cell {
			t.Errorf("%s is the best, and not the first", w.Label)
		}
	}
}

// A sweep that is killed at any epoch, or while it writes its ledger, comes to what it comes
// to otherwise.
func TestKilledAnywhere(t *testing.T) {
	grid := strings.Replace(halvingText, "search: {kind: halving, eta: 3, min-epochs: 2}", "search: grid", 1)
	random := strings.Replace(halvingText, "search: {kind: halving, eta: 3, min-epochs: 2}", "search: {kind: random, draws: 20, seed: 5}\nstop: {rule: median, after: 3, least: 2}", 1)
	for name, text := range map[string]string{"halving": halvingText, "grid": grid, "random": random} {
		jobs := 3
		if name == "random" {
			jobs = 1 // which runs the median rule has seen depends on their order
		}
		straight, _ := sweeper(t, text, t.TempDir(), jobs)
		want := told(made(t, straight))
		if name == "random" && straight.Results().Counts[Stopped] == 0 {
			t.Fatal("the rule has stopped nothing")
		}
		for seed := range 4 {
			r, f := sweeper(t, text, t.TempDir(), jobs)
			dice := int(hashed(fmt.Sprint(name, seed), 1) * 1e6)
			n, kills := 0, 0
			f.kill = func() bool {
				f.mu.Lock()
				defer f.mu.Unlock()
				n++
				return n%(50+dice%400) == 0
			}
			if err := r.Open(); err != nil {
				t.Fatal(err)
			}
			for {
				ctx, cancel := context.WithCancel(context.Background())
				f.ended = cancel
				err := r.Run(ctx)
				cancel()
				if err == nil {
					break
				}
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				if kills++; kills > 1000 {
					t.Fatal("it does not come to an end")
				}
				tear(t, r.Dir, int(hashed(fmt.Sprint(name, seed, kills), 2)*1e6))
				r = again(t, r, text)
			}
			if got := told(r.Results()); kills == 0 || got != want {
				t.Fatalf("%s, killed %d times:\n%s\nwant\n%s", name, kills, got, want)
			}
		}
	}
}
