package sweep

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A grid is all combinations, as nested loops make them, seed after seed.
func TestGrid(t *testing.T) {
	s := read(t, `
models: [a.onnx, b.onnx]
data: digits
methods:
  - dense
  - gmp:variant=keep
  - {method: set, settings: {every: [1, 2]}, budgets: {sparsity: [0.3]}}
  - {method: plain, settings: {every: {from: 1, to: 9, steps: 3}}}
  - channels:macs=0.4
budgets: {sparsity: [0.5, 0.9]}
recipe: {lr: {from: 0.01, to: 1, log: true, steps: 3}, batch: 8}
`)
	var want []string
	for _, model := range []string{"a.onnx", "b.onnx"} {
		for _, m := range []string{"dense", "gmp:variant=keep sparsity=0.5", "gmp:variant=keep sparsity=0.9", "set every=1 sparsity=0.3", "set every=2 sparsity=0.3", "plain every=1", "plain every=5", "plain every=9", "channels:macs=0.4"} {
			for _, lr := range []string{"0.01", "0.1", "1"} {
				want = append(want, model+" "+m+" lr="+lr)
			}
		}
	}
	var got, cells []string
	for _, c := range s.Configs() {
		got = append(got, c.Label(true))
		if c.Model == "a.onnx" && c.Recipe[0].Value == "1" {
			cells = append(cells, c.cell)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	if w := []string{"a.onnx dense", "a.onnx sparsity=0.5", "a.onnx sparsity=0.9", "a.onnx sparsity=0.3", "a.onnx sparsity=0.3", "a.onnx no budget", "a.onnx no budget", "a.onnx no budget", "a.onnx macs=0.4"}; !slices.Equal(cells, w) {
		t.Errorf("%q", cells)
	}
	if n := s.size(); n != float64(len(want)) {
		t.Errorf("the size is %v, not %d", n, len(want))
	}
}

const randomText = `
models: net.onnx
data: digits
methods: [set, {method: gmp, settings: {every: {from: 1, to: 4}, power: {from: 1, to: 100, log: true}}}]
budgets: {sparsity: [0.5, 0.9]}
recipe: {lr: {from: 0.25, to: 0.75}}
stop: none
search: {kind: random, draws: 2000, seed: 7}
`

// Draws are in their ranges, evenly so, each once, and those of fewer are the first of those
// of more.
func TestRandom(t *testing.T) {
	cs := read(t, randomText).Configs()
	if len(cs) != 2000 {
		t.Fatalf("%d are drawn", len(cs))
	}
	fewer := read(t, strings.Replace(randomText, "2000", "50", 1)).Configs()
	other := read(t, strings.Replace(randomText, "seed: 7", "seed: 8", 1)).Configs()
	same := 0
	for i, c := range fewer {
		if c.key() != cs[i].key() {
			t.Fatalf("draw %d is %s of 50 and %s of 2000", i, c.key(), cs[i].key())
		}
		if c.key() == other[i].key() {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d of 50 draws are the same with another seed", same)
	}
	seen := map[string]bool{}
	counts := map[string]int{}
	for _, c := range cs {
		if seen[c.key()] {
			t.Fatalf("%s is drawn twice", c.key())
		}
		seen[c.key()] = true
		counts[c.Method]++
		counts[c.Budget.Value]++
		lr, _ := strconv.ParseFloat(c.Recipe[0].Value, 64)
		if !(lr >= .25 && lr <= .75) {
			t.Fatalf("lr %v", lr)
		}
		counts[fmt.Sprint("lr", int((lr-.25)*10/5.0001))]++
		if c.Method != "gmp" {
			continue
		}
		counts["every"+c.Settings[0].Value]++
		p, _ := strconv.ParseFloat(c.Settings[1].Value, 64)
		if !(p >= 1 && p <= 100) {
			t.Fatalf("power %v", p)
		}
		counts[fmt.Sprint("power", int(math.Log10(p)*.9999))]++
	}
	// Five standard deviations of a binomial distribution.
	for name, share := range map[string]float64{"set": .5, "gmp": .5, "0.5": .5, "0.9": .5, "lr0": 1, "every1": .125, "every2": .125, "every3": .125, "every4": .125, "power0": .25, "power1": .25} {
		if n := float64(counts[name]); math.Abs(n-2000*share) > 5*math.Sqrt(2000*share*(1-share)) {
			t.Errorf("%s is drawn %v times of 2000, and expected %v times", name, n, 2000*share)
		}
	}
}

// A space that is smaller than the draws is drawn whole, and once.
func TestSmallSpace(t *testing.T) {
	s := read(t, "models: n\ndata: d\nmethods: [gmp, set]\nbudgets: {sparsity: [0.1, 0.2]}\nrecipe: {lr: [1, 2, 3]}\nsearch: {kind: random, draws: 500}")
	all := map[string]bool{}
	for _, c := range s.all() {
		all[c.key()] = true
	}
	drawn := map[string]bool{}
	for _, c := range s.Configs() {
		drawn[c.key()] = true
	}
	if len(all) != 12 || !maps.Equal(all, drawn) {
		t.Errorf("%d of %d are drawn", len(drawn), len(all))
	}
}

func TestRungs(t *testing.T) {
	for _, c := range []struct {
		least, eta, most int
		want             []int
	}{{1, 3, 27, []int{1, 3, 9, 27}}, {1, 3, 28, []int{1, 3, 9, 27, 28}}, {2, 2, 5, []int{2, 4, 5}}, {4, 3, 4, []int{4}}, {3, 10, 9, []int{3, 9}}, {1, 2, math.MaxInt, nil}} {
		got := Rungs(c.least, c.eta, c.most)
		if c.want == nil {
			if len(got) != 64 || slices.ContainsFunc(got, func(x int) bool { return x <= 0 }) {
				t.Errorf("%d rungs: %v", len(got), got)
			}
			continue
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d %d %d: %v", c.least, c.eta, c.most, got)
		}
	}
}

func TestPromote(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		values []float64
		higher bool
		eta    int
		want   []int
	}{
		{[]float64{1, 5, 3, 4, 2, 0}, true, 3, []int{1, 3}},
		{[]float64{1, 5, 3, 4, 2, 0}, false, 3, []int{0, 5}},
		{[]float64{2, 2, 2, 2}, true, 2, []int{0, 1}},
		{[]float64{nan, 1, nan, 2}, true, 2, []int{1, 3}},
		{[]float64{nan, nan, nan, 2}, false, 2, []int{3}},
		{[]float64{1, 2}, true, 3, []int{1}},
		{[]float64{nan, nan}, true, 2, []int{}},
		{[]float64{1, 2, 3, 4, 5, 6, 7}, true, 3, []int{5, 6}},
		{nil, true, 2, []int{}},
	} {
		if got := Promote(c.values, c.higher, c.eta); !slices.Equal(got, c.want) {
			t.Errorf("%v, higher %v, eta %d: %v, want %v", c.values, c.higher, c.eta, got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	nan := math.NaN()
	m := &Median{After: 2, Least: 2}
	for name, c := range map[string]struct {
		curve  []float64
		others [][]float64
		higher bool
		median float64
		stop   bool
	}{
		// The means by epoch 3 are 4, 2 and 6.
		"behind":                 {[]float64{1, 3, 2}, [][]float64{{2, 4, 6}, {2, 2, 2}, {6, 6, 6}}, true, 4, true},
		"the best counts":        {[]float64{1, 4.5, 0}, [][]float64{{2, 4, 6}, {2, 2, 2}, {6, 6, 6}}, true, 4, false},
		"equal is not behind":    {[]float64{1, 4, 0}, [][]float64{{2, 4, 6}, {2, 2, 2}, {6, 6, 6}}, true, 4, false},
		"up to this epoch alone": {[]float64{1, 3, 2}, [][]float64{{2, 2, 2, 99}, {3, 3, 3, 99}}, true, 2.5, false},
		"the mean, not the last": {[]float64{2, 3, 3}, [][]float64{{0, 0, 9}, {0, 0, 8.9}}, true, 2.9833333, false},
		"an even number":         {[]float64{2, 2}, [][]float64{{1, 1}, {2, 2}, {3, 3}, {9, 9}}, true, 2.5, true},
		"lower is better":        {[]float64{5, 4}, [][]float64{{3, 3}, {3, 3}, {9, 9}}, false, 3, true},
		"lower, and good":        {[]float64{5, 2}, [][]float64{{3, 3}, {3, 3}, {9, 9}}, false, 3, false},
		"too early":              {[]float64{0}, [][]float64{{2}, {3}}, true, 0, false},
		"too few came as far":    {[]float64{0, 0, 0}, [][]float64{{5, 5, 5}, {5, 5}}, true, 0, false},
		"nothing yet":            {nil, [][]float64{{5}, {5}}, true, 0, false},
		"no number at all":       {[]float64{nan, nan}, [][]float64{{5, 5}, {5, 5}}, true, 5, true},
		"some are no numbers":    {[]float64{nan, 4}, [][]float64{{nan, 5}, {3, nan}, {nan, nan}}, true, 4, false},
	} {
		median, stop := m.Hopeless(c.curve, c.others, c.higher)
		if stop != c.stop || math.Abs(median-c.median) > 1e-6 {
			t.Errorf("%s: %v, median %v; want %v, %v", name, stop, median, c.stop, c.median)
		}
	}
}

// The rule stops what is behind those of the same budget, in its epoch, and its run is not
// made again; without the rule it goes on.
func TestStopped(t *testing.T) {
	text := `
models: n
data: d
methods: [{method: gmp, settings: {every: [1, 2, 3, 4, 5]}}]
budgets: {sparsity: [0.1, 0.9]}
stop: {rule: median, after: 4, least: 2}
`
	r, f := sweeper(t, text, t.TempDir(), 1)
	if err := r.Open(); err != nil {
		t.Fatal(err)
	}
	every := map[string]float64{}
	for _, m := range r.members {
		every[m.job.ID] = float(m.Settings[0].Value) + 100*float(m.Budget.Value)
	}
	f.value = func(id string, epoch int) float64 { return -every[id] + float64(epoch)/100 } // each is worse than those before
	res := made(t, r)
	for _, o := range res.Runs {
		want, epochs := Done, 10
		if float(o.Values["gmp every"]) > 2 {
			want, epochs = Stopped, 4
		}
		if o.Status != want || o.Epochs != epochs || f.made[o.ID] != epochs || want == Stopped && o.Why == "" {
			t.Errorf("%s: %s after %d epochs (%d made), want %s after %d: %s", o.Label, o.Status, o.Epochs, f.made[o.ID], want, epochs, o.Why)
		}
	}
	n := len(f.order)
	if next := again(t, r, text); next.Run(context.Background()) != nil || len(f.order) != n {
		t.Error("what was stopped is made again")
	}
	next := again(t, r, strings.Replace(text, "{rule: median, after: 4, least: 2}", "none", 1))
	if err := next.Run(context.Background()); err != nil || next.Results().Counts[Done] != 10 || len(f.order) != n+6 {
		t.Errorf("without the rule %v are done: %v", next.Results().Counts, err)
	}
}

// A run that fails does not stop the others, is not promoted, and is made again on demand alone.
func TestFailed(t *testing.T) {
	r, f := sweeper(t, halvingText, t.TempDir(), 2)
	bad := map[string]bool{}
	f.fails = func(id string) bool { return bad[id] }
	if err := r.Open(); err != nil {
		t.Fatal(err)
	}
	for i, m := range r.members {
		bad[m.job.ID] = i%3 == 0
	}
	res := made(t, r)
	failed := res.Counts[Failed]
	if failed == 0 || res.Counts[Done] == 0 || res.Counts[Missing]+res.Counts[Paused] > 0 {
		t.Fatalf("%v", res.Counts)
	}
	for _, o := range res.Runs {
		if o.Status == Failed && (o.Why != "it broke" || !math.IsNaN(float64(o.Validation))) {
			t.Errorf("%+v", o)
		}
	}
	n := len(f.order)
	if next := again(t, r, halvingText); next.Run(context.Background()) != nil || len(f.order) != n {
		t.Error("what failed is made again though nobody asked")
	}
	f.fails = nil
	next := again(t, r, halvingText)
	next.Retry = true
	res = made(t, next)
	straight, _ := sweeper(t, halvingText, t.TempDir(), 2)
	for i, want := range made(t, straight).Runs { // where others had failed, more had been promoted
		if got := res.Runs[i]; got.Status != want.Status && got.Status != Done || got.Epochs < want.Epochs || want.Status == Done && got.Validation != want.Validation {
			t.Errorf("%+v\nwant\n%+v", got, want)
		}
	}
	if res.Counts[Failed] != 0 {
		t.Errorf("%v", res.Counts)
	}
}

// What is new in the file is made, and nothing else.
func TestMoreIsMade(t *testing.T) {
	text := strings.Replace(randomText, "2000", "10", 1)
	r, f := sweeper(t, text, t.TempDir(), 2)
	made(t, r)
	f.order = nil
	more := again(t, r, strings.Replace(randomText, "2000", "13", 1))
	if err := more.Run(context.Background()); err != nil || len(f.order) != 3 || more.Results().Counts[Done] != 13 {
		t.Errorf("%d runs are made for 3 more draws: %v %v", len(f.order), more.Results().Counts, err)
	}
	r.Inputs.Digest = "other samples"
	f.order = nil
	if other := again(t, r, text); other.Run(context.Background()) != nil || len(f.order) != 10 {
		t.Errorf("with other samples %d of 10 runs are made", len(f.order))
	}
}

// When the hours are spent what is running pauses, and nothing begins; with more of them it
// goes on.
func TestHours(t *testing.T) {
	text := strings.Replace(randomText, "2000", "10\nhours: 0.0001", 1)
	text = strings.Replace(text, "{kind: random, draws: 10\nhours: 0.0001, seed: 7}", "{kind: random, draws: 10, seed: 7}\nhours: 0.0001", 1)
	r, f := sweeper(t, text, t.TempDir(), 2)
	f.wait = func(ctx context.Context, id string) {
		if len(f.done) >= 3 {
			<-ctx.Done()
		}
	}
	res := made(t, r)
	if !res.Spent || res.Counts[Done] < 1 || res.Counts[Missing] < 2 || res.Counts[Done]+res.Counts[Missing] != 10 {
		t.Errorf("%v, spent %v", res.Counts, res.Spent)
	}
	n := len(f.order)
	next := again(t, r, text)
	if err := next.Run(context.Background()); err != nil || len(f.order) != n || next.spent < 360*time.Millisecond {
		t.Errorf("%d runs begin though the hours are spent (%v): %v", len(f.order)-n, next.spent, err)
	}
	f.wait = nil
	next = again(t, r, strings.Replace(text, "0.0001", "1", 1))
	if err := next.Run(context.Background()); err != nil || next.Results().Counts[Done] != 10 {
		t.Errorf("with more hours: %v %v", next.Results().Counts, err)
	}
}
