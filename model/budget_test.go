package model_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pare/catalog"
	"pare/graph"
	"pare/internal/modeltest"
	"pare/model"
	"pare/model/atinit"
	"pare/model/rewrite"
	"pare/model/structured"
	"pare/onnx"
	"pare/prune/structure"
	"pare/zoo"
)

// channels is the method that cuts by the norm.
func channels(target model.ChannelTarget, steps int) *structured.Channels {
	return &structured.Channels{ChannelTarget: target, InSteps: model.InSteps{Steps: steps}, Score: "norm", Samples: 64}
}

// bytesOf is the size of a network's file.
func bytesOf(t *testing.T, g *graph.Graph) int64 {
	t.Helper()
	n, err := onnx.Size(g, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The file of a network that was cut to a size is of that size at most, also where
// normalisation is put back for the training; all budgets are met together.
func TestBudgets(t *testing.T) {
	for _, renorm := range []bool{false, true} {
		j := modeltest.ConvJob(t, "resnet8")
		whole := bytesOf(t, j.Graph)
		if renorm {
			j = foldedJob(t, 1)
			whole = bytesOf(t, j.Graph)
		}
		for _, most := range []model.Size{.6, model.Size(whole / 2)} {
			m := channels(model.ChannelTarget{Bytes: most, MACs: .7, Round: 1, Least: .1}, 1)
			k := *j
			k.Graph, _ = j.Graph.Clone(true)
			r := modeltest.Run(t, m, &k)
			limit := int64(float64(whole) * .6)
			if most > 1 {
				limit = int64(most)
			}
			if n := bytesOf(t, r.Graph); n > limit || float64(n) < .9*float64(limit) {
				t.Errorf("renorm %v: %d bytes of at most %d", renorm, n, limit)
			}
			f := r.Facts.(*model.ChannelFacts)
			if f.Before.Bytes != whole || f.Steps[0].Bytes != bytesOf(t, r.Graph) || f.Steps[0].MACs != structure.CostOf(r.Graph).MACs {
				t.Errorf("renorm %v: facts %+v", renorm, f)
			}
		}
	}
}

// In steps a target is approached in equal ratios, each cut is followed by its part of the
// epochs, what is kept is of the first network, and a run that was stopped goes on to the
// same.
func TestCutsInSteps(t *testing.T) {
	mk := func() (model.Method, *model.Job) {
		j := modeltest.ConvJob(t, "resnet8")
		j.Recipe.Epochs = 3
		return channels(model.ChannelTarget{MACs: .4, Round: 1, Least: .1}, 2), j
	}
	r := modeltest.Resumes(t, "channels", mk, 30, 5, 17)
	_, j := mk()
	before := structure.CostOf(j.Graph).MACs
	f := r.Facts.(*model.ChannelFacts)
	if len(f.Steps) != 2 || f.Steps[0].Epochs != 1 || f.Steps[1].Epochs != 2 || len(r.Epochs) != 3 || r.Epochs[2].Epoch != 3 {
		t.Fatalf("%+v, %d epochs", f, len(r.Epochs))
	}
	for i, most := range []float64{.6325, .4} { // sqrt(0.4)
		if s := float64(f.Steps[i].MACs) / float64(before); s > most || s < most-.04 {
			t.Errorf("after cut %d %.3f of the multiply-accumulates are left, of at most %.3f", i+1, s, most)
		}
		if s := f.Steps[i]; s.Cut == nil || s.Trained == nil || *s.Trained == *s.Cut {
			t.Errorf("scores of cut %d: %+v", i+1, s)
		}
	}
	if !strings.Contains(modeltest.Said(r), "cut 2 of 2: ") {
		t.Error(modeltest.Said(r))
	}
	for _, v := range j.Graph.Params() {
		w := r.Graph.Value(v.Name)
		if got := r.Kept.Take(v.Name, v.Const); !slices.Equal(got.Shape, w.Const.Shape) {
			t.Errorf("%s is kept as %v, and is %v", v.Name, got.Shape, w.Const.Shape)
		}
	}
	m, few := mk()
	few.Recipe.Epochs = 1
	modeltest.Refused(t, m, few, "Steps 2 and Recipe.Epochs 1")
	m, few = mk()
	few.Recipe.Epochs = 0
	if r := modeltest.Run(t, m, few); len(r.Facts.(*model.ChannelFacts).Steps) != 2 {
		t.Error("without training there are not two cuts")
	}
}

// What cannot be reached is refused before the training behind the first cut.
func TestStepsRefused(t *testing.T) {
	for want, s := range map[string]model.ChannelTarget{
		"no cut of channels reaches the target":    {MACs: 1e-6, Least: .1},
		"no cut of channels reaches a latency":     {Latency: .01, LatencyCmd: "echo 8 # {}"},
		`AtLeast: pattern "layr*" matches no`:      {MACs: .5, AtLeast: []string{"layr*=0.5"}},
		"asked to stay as they are: the groups of": {MACs: .1, Widths: []string{"*=1"}},
	} {
		j := modeltest.ConvJob(t, "resnet8")
		j.Recipe.Epochs = 3
		j.OnStep = func(int, int, float64) { t.Fatalf("%s: a step was made", want) }
		modeltest.Refused(t, channels(s, 3), j, want)
	}
}

// What is found where it is asked whether the target can be reached is not taken for the
// first cut.
func TestReachIsNoCut(t *testing.T) {
	var macs []int64
	for _, resume := range []bool{false, true} {
		j := modeltest.ConvJob(t, "resnet8")
		j.Recipe.Epochs, j.Save, j.Resume = 0, filepath.Join(t.TempDir(), "run"), resume
		r := modeltest.Run(t, channels(model.ChannelTarget{Latency: .5, LatencyCmd: "wc -c < {}", Round: 1}, 2), j)
		macs = append(macs, r.Facts.(*model.ChannelFacts).Steps[0].MACs)
	}
	if macs[0] != macs[1] {
		t.Errorf("the first of two cuts leaves %d multiply-accumulates, and %d with Resume", macs[0], macs[1])
	}
}

// Channels stay in multiples that suit the groups as they were before the first cut, and
// not in those of what it left.
func TestStepsOfMultiples(t *testing.T) {
	for _, steps := range []int{1, 4} {
		j := modeltest.ConvJob(t, "resnet8")
		j.Recipe.Epochs = 0
		groups, _ := structure.Groups(j.Graph)
		r := modeltest.Run(t, channels(model.ChannelTarget{MACs: .3}, steps), j)
		cut := 0
		for _, g := range groups {
			for k, a := range g.Axes {
				if !a.Value.IsConst() || len(g.Channels[0].At[k]) > 1 {
					continue
				}
				n, m := r.Graph.Value(a.Value.Name).Const.Shape[a.Dim], g.Multiple()
				if n%m != 0 {
					t.Errorf("%d steps: %d of %d channels of %s stay, no multiple of %d", steps, n, len(g.Channels), a.Value.Name, m)
				}
				if m > 1 && n == m {
					cut++
				}
			}
		}
		if cut == 0 {
			t.Errorf("%d steps: no group comes down to one multiple, so that nothing is shown", steps)
		}
	}
}

// Widths in shares are of the groups as they were before the first cut.
func TestStepsOfWidths(t *testing.T) {
	for _, steps := range []int{1, 3} {
		j := modeltest.ConvJob(t, "resnet8")
		j.Recipe.Epochs = 0
		r := modeltest.Run(t, channels(model.ChannelTarget{MACs: .35, Round: 1, Widths: []string{"layer2*=0.9", "layer2.0.conv1*=0.25"}, AtLeast: []string{"layer3*=0.5"}}, steps), j)
		width := func(name string) (before, after int) {
			return j.Graph.Value(name).Const.Shape[0], r.Graph.Value(name).Const.Shape[0]
		}
		if a, b := width("layer2.0.conv1.weight"); 4*b != a {
			t.Errorf("%d steps: %d of %d channels stay, want a quarter", steps, b, a)
		}
		if a, b := width("layer3.0.conv1.weight"); 2*b < a {
			t.Errorf("%d steps: %d of %d channels stay, want a half at least", steps, b, a)
		}
	}
	for want, s := range map[string]model.ChannelTarget{
		`Widths: pattern "layr*" matches no`:     {Widths: []string{"layr*=0.5"}},
		`AtLeast "x": a pattern and a share`:     {MACs: .5, AtLeast: []string{"x"}},
		`Widths "layer1*=1.5": a pattern`:        {Widths: []string{"layer1*=1.5"}},
		`Widths "layer1*=0": a pattern`:          {Widths: []string{"layer1*=0"}},
		"asked to stay as they are":              {MACs: .05, Widths: []string{"*=0.9"}},
		"LatencyCmd \"true\" has no {}":          {Latency: .5, LatencyCmd: "true"},
		"Bytes 1.5: a share is at most 1":        {Bytes: 1.5},
		"asked to keep a part at least: the gro": {Params: 100, AtLeast: []string{"*=0.5"}},
	} {
		j := modeltest.ConvJob(t, "resnet8")
		j.Recipe.Epochs = 0
		modeltest.Refused(t, channels(s, 1), j, want)
	}
}

// bench is a command that prints a tenth of a candidate's bytes, and writes a line for each
// that it is asked for.
func bench(t *testing.T) (command string, asked func() int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	return fmt.Sprintf(`echo x >> '%s'; echo measuring; expr $(wc -c < {}) / 10`, log), func() int {
		b, _ := os.ReadFile(log)
		return strings.Count(string(b), "x")
	}
}

// A network is cut until a command says that it is fast enough, and no further; what was
// measured is not measured again where a run is resumed.
func TestLatencyCommand(t *testing.T) {
	command, asked := bench(t)
	j := modeltest.ConvJob(t, "resnet8")
	whole := bytesOf(t, j.Graph)
	for _, most := range []model.Time{.5, model.Time(whole/20) * 1e6} {
		r := modeltest.Run(t, channels(model.ChannelTarget{Latency: most, LatencyCmd: command, Round: 1}, 1), &model.Job{Graph: j.Graph})
		if n := bytesOf(t, r.Graph); n > whole/2+20 || n < whole*45/100 {
			t.Errorf("%v: %d bytes of %d", most, n, whole)
		}
		if f := r.Facts.(*model.ChannelFacts).Steps[0].Latency; f == nil || f.By != command || f.Before != float64(whole/10)/1000 {
			t.Errorf("facts %+v", f)
		}
		if !strings.Contains(modeltest.Said(r), "before, by LatencyCmd echo") {
			t.Error(modeltest.Said(r))
		}
	}
	save := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancel(context.Background())
	m := channels(model.ChannelTarget{Latency: .5, LatencyCmd: command, Round: 1}, 2)
	k := modeltest.ConvJob(t, "resnet8")
	k.Recipe.Epochs, k.Save = 2, save
	k.OnStep = func(step, _ int, _ float64) {
		if step == 15 {
			cancel()
		}
	}
	if _, err := model.Run(ctx, m, k); err == nil {
		t.Fatal("it was not stopped")
	}
	before := asked()
	k = modeltest.ConvJob(t, "resnet8")
	k.Recipe.Epochs, k.Save, k.Resume = 2, save, true
	r := modeltest.Run(t, m, k)
	if n := asked(); n != before {
		t.Errorf("%d candidates were measured again", n-before)
	}
	if n := bytesOf(t, r.Graph); n > whole/2+20 {
		t.Errorf("%d bytes of %d", n, whole)
	}
	k.Clean()
	if left, _ := filepath.Glob(save + "*"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// What is wrong with a command is said: that it fails, prints nothing or no number, never
// ends, or that no cut is fast enough; and so is that a cut is slower.
func TestLatencyCommandBad(t *testing.T) {
	restore := model.SetCommandTime(300 * time.Millisecond)
	defer restore()
	for command, want := range map[string]string{
		"echo {}; echo no way >&2; exit 3":       "fails: exit status 3: no way",
		"true {}":                                "prints nothing",
		"echo 5; echo fast {}":                   `prints "fast /`,
		"echo -1 # {}":                           `prints "-1" in its last line, which is no number of milliseconds above 0`,
		"echo NaN # {}":                          `prints "NaN"`,
		"nosuchprogram {}":                       "fails: exit status 127",
		"sleep 30; echo {}":                      "has not ended after 300ms",
		"echo 8 ms # {}":                         "no cut of channels reaches a latency of 0.5: the network takes 8 ms, and the fastest of",
		"test -s {} && echo 4.5 && echo && echo": "takes 4.5 ms",
	} {
		j := modeltest.Job(t, 0)
		begun := time.Now()
		modeltest.Refused(t, channels(model.ChannelTarget{Latency: .5, LatencyCmd: command}, 1), j, want)
		if s := time.Since(begun); s > 20*time.Second {
			t.Errorf("%s took %v", command, s)
		}
	}
	j := modeltest.Job(t, 0)
	r := modeltest.Run(t, channels(model.ChannelTarget{MACs: .5, LatencyCmd: "expr 100000000 / $(wc -c < {})"}, 1), j)
	if !strings.Contains(modeltest.Said(r), "the cut makes the network slower, by LatencyCmd") {
		t.Error(modeltest.Said(r))
	}
}

// A share of the time on Pare's engine is met by a cut that takes less.
func TestLatencyOnEngine(t *testing.T) {
	g, err := zoo.New("mlp:64-1024-1024-10", zoo.Options{In: []int{64}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	r := modeltest.Run(t, channels(model.ChannelTarget{Latency: .9}, 1), &model.Job{Graph: g})
	if f := r.Facts.(*model.ChannelFacts).Steps[0].Latency; f == nil || f.By != "" || f.Seconds <= 0 || f.Before <= 0 {
		t.Errorf("facts %+v", f)
	}
}

// A cut to budgets that loses more than is allowed is refused, with what it loses.
func TestHolds(t *testing.T) {
	ctx, j := context.Background(), modeltest.Job(t, 1)
	m := channels(model.ChannelTarget{MACs: .6}, 1)
	j.Recipe.Epochs = 4
	trained := modeltest.Run(t, channels(model.ChannelTarget{MACs: 1}, 1), j)
	j = modeltest.Job(t, 0)
	j.Graph = trained.Graph
	before := modeltest.Bits(j.Graph)
	if err := model.Holds(ctx, m, j, 100); err != nil {
		t.Error(err)
	}
	if err := model.Holds(ctx, m, j, -100); err == nil || !strings.Contains(err.Error(), "worse than the one before, and at most -100 is asked for") {
		t.Error(err)
	}
	if string(before) != string(modeltest.Bits(j.Graph)) {
		t.Error("the job's network was cut")
	}
}

// Default targets go where another is asked for alone.
func TestOneTarget(t *testing.T) {
	channels := func() model.Method { return structured.NewChannels() }
	for _, c := range []struct {
		mk     func() model.Method
		target string // of the method
		given  string
		goes   bool
	}{
		{channels, "macs", "", false}, {channels, "macs", "params=0.5", true}, {channels, "macs", "bytes=0.5", true}, {channels, "macs", "latency=0.5", true},
		{channels, "macs", "activations=0.5", true}, {channels, "macs", "widths=*=4", true}, {channels, "macs", "macs=0.5", false},
		{channels, "macs", "macs=0.5 params=0.5", false}, {channels, "macs", "least=0.2", false}, {channels, "macs", "params=0", false},
		{func() model.Method { return atinit.NewPreCrop() }, "params", "macs=0.5", true},
		{func() model.Method { return atinit.NewPreCrop() }, "params", "widths=*=4", true},
		{func() model.Method { return structured.NewHeads() }, "heads", "params=0.9", true},
		{func() model.Method { return rewrite.NewLowRank() }, "macs", "keep-energy=0.99", true},
		{func() model.Method { return rewrite.NewLowRank() }, "macs", "rank=0.5", true},
		{func() model.Method { return rewrite.NewTRP() }, "value", "macs=0.5", true},
		{func() model.Method { return rewrite.NewTRP() }, "value", "energy=0.5", false},
	} {
		m := c.mk()
		target, err := catalog.Find(m, c.target)
		if err != nil {
			t.Fatal(err)
		}
		was, names := target.String(), []string{}
		for _, a := range strings.Fields(c.given) {
			name, value, _ := strings.Cut(a, "=")
			if err := catalog.Set(m, name, value); err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		if err := model.OneTarget(m, func(name string) bool { return slices.Contains(names, name) }); err != nil || (target.String() != was) != c.goes || c.goes && target.String() != "0" {
			t.Errorf("%s with %q: --%s %s became %s, %v", m.Card().Name, c.given, c.target, was, target, err)
		}
	}
}
