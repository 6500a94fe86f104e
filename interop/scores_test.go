package interop

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/model"
	"pare/model/atinit"
	"pare/onnx"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/prune/structure"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

type scoreJob struct {
	Net        string   `json:"net"`
	Model      string   `json:"model"`
	Weights    []string `json:"weights"`
	Input      feed     `json:"input"`
	Label      feed     `json:"label"`
	Sparsity   float64  `json:"sparsity"`
	Iterations int      `json:"iterations"` // of synaptic flow
	Mask       string   `json:"mask"`       // file of what it keeps here, a byte a weight
	Gates      [][]gate `json:"gates"`      // by group of channels
	Out        string   `json:"out"`
}

// gate is a weight that reads channels, and the positions of each channel there.
type gate struct {
	Weight string  `json:"weight"`
	At     [][]int `json:"at"`
}

type scoreAnswer struct {
	Error      string             `json:"error"`
	Thresholds map[string]float64 `json:"thresholds"`
	ERK        []float64          `json:"erk"`
	Taylor     [][]float64        `json:"taylor"`
}

// fixed is a source of one batch.
type fixed struct{ x, y *tensor.Tensor }

func (f fixed) Steps() int { return 1 }
func (f fixed) Batch() int { return f.x.Shape[0] }
func (f fixed) Close()     {}
func (f fixed) Fill(_, _ int, s *train.Step) error {
	copy(s.Input().F32(), f.x.F32())
	copy(tensor.Of[int64](s.Labels()), tensor.Of[int64](f.y))
	return nil
}

// scored is what Pare computes of a network, by method.
type scored struct {
	ws     []*prune.Weight
	scores map[string][][]float32
	masks  map[string]*prune.Masks
	erk    []int
	taylor [][]float64 // of coupled channels
}

func compute(t *testing.T, g *graph.Graph, data fixed, sparsity float64, iterations int) *scored {
	t.Helper()
	opt := engine.Options{Threads: 2}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ws, err := prune.Weights(g, prune.Scope{})
	check(err)
	c := &scored{ws: ws, scores: map[string][][]float32{}, masks: map[string]*prune.Masks{}}
	global := func(name string, s [][]float32, err error) {
		t.Helper()
		check(err)
		c.scores[name] = s
		c.masks[name], err = allocate.Global(ws, s, sparsity, nil)
		check(err)
	}
	global("magnitude", score.Magnitude(ws), nil)
	ctx := context.Background()
	grad, err := train.Gradients(ctx, g, prune.Values(ws), data, train.Loss{}, opt)
	check(err)
	global("snip", score.Sensitivity(ws, grad), nil)
	warm := train.Loss{Temper: 200}
	grad, err = train.Gradients(ctx, g, prune.Values(ws), data, warm, opt)
	check(err)
	hg, err := train.HessianProduct(ctx, g, prune.Values(ws), grad, data, warm, opt)
	check(err)
	s, err := score.GraSP(ws, hg)
	global("grasp", s, err)

	groups, _ := structure.Groups(g)
	rates := score.NewTaylor(groups, ws)
	check(train.EachGradient(ctx, g, rates.Weights, data, train.Loss{}, 1, opt, rates.Add))
	c.taylor = rates.Rates()

	keep, err := allocate.Uniform(ws, sparsity)
	check(err)
	c.scores["uniform"] = c.scores["magnitude"]
	c.masks["uniform"] = allocate.Select(ws, c.scores["magnitude"], keep, prune.CutFirst)
	c.erk, err = allocate.ErdosRenyi(ws, sparsity, true)
	check(err)

	f, err := score.NewFlow(g, ws, opt)
	check(err)
	defer f.Close()
	c.scores["synflow"], err = f.Score(nil)
	check(err)
	h, _ := g.Clone(true)
	r, err := model.Run(ctx, &atinit.SynFlow{Sparsity: sparsity, Iterations: iterations}, &model.Job{Graph: h, Engine: opt})
	check(err)
	c.masks["synflow"], c.masks["synflow-masked"] = r.Masks, r.Masks
	c.scores["synflow-masked"], err = f.Score(r.Masks)
	check(err)
	return c
}

// Scores and masks of pruning methods are those of PyTorch in float64. Scores may
// differ by 1e-3 of a layer's largest, and a mask only in a few entries whose score is
// within 1e-3 of the threshold; those of iterated synaptic flow, in which every
// iteration's scores depend on the last one's mask, in 1 entry of 500.
func TestScores(t *testing.T) {
	py := python(t, "numpy", "onnx", "torch")
	dir := t.TempDir()
	const sparsity, iterations = .9, 20
	nets := []string{"mlp:64-100-50-10", "resnet8"}
	var jobs []scoreJob
	var got []*scored
	for k, name := range nets {
		g, err := zoo.New(name, zoo.Options{Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		job := scoreJob{Net: name, Sparsity: sparsity, Iterations: iterations, Model: filepath.Join(dir, fmt.Sprintf("%d.onnx", k)), Out: filepath.Join(dir, fmt.Sprint(k))}
		if name != "resnet8" {
			job.Net = "mlp"
		}
		if err := onnx.Write(job.Model, g, onnx.Options{}); err != nil {
			t.Fatal(err)
		}
		shape, _ := g.Inputs[0].Shape.Bind(sizes(g, 20)).Ints()
		data := fixed{tensor.New(tensor.Float32, shape...), tensor.New(tensor.Int64, 20)}
		sample(data.x, 1)
		r := rand.New(rand.NewPCG(2, 2))
		for i := range 20 {
			tensor.Of[int64](data.y)[i] = int64(r.IntN(10))
		}
		job.Input, job.Label = raw(t, job.Out+".input", data.x), raw(t, job.Out+".label", data.y)
		c := compute(t, g, data, sparsity, iterations)
		for _, w := range c.ws {
			job.Weights = append(job.Weights, w.Name)
		}
		if name == "resnet8" {
			job.Gates = gates(g, c.ws)
		}
		var mask []byte
		for l, m := range c.masks["synflow"].Mask {
			for i := range c.ws[l].Len() {
				b := byte(0)
				if m.Kept(i) {
					b = 1
				}
				mask = append(mask, b)
			}
		}
		job.Mask = job.Out + ".pare"
		if err := os.WriteFile(job.Mask, mask, 0o644); err != nil {
			t.Fatal(err)
		}
		jobs, got = append(jobs, job), append(got, c)
	}
	answers := ask[scoreJob, scoreAnswer](t, py, "scores.py", dir, jobs)
	for k, a := range answers {
		if a.Error != "" {
			t.Fatalf("%s: PyTorch: %s", nets[k], a.Error)
		}
		for _, name := range []string{"magnitude", "uniform", "snip", "grasp", "synflow", "synflow-masked"} {
			t.Run(nets[k]+" "+name, func(t *testing.T) { got[k].compare(t, name, jobs[k].Out, a.Thresholds[name]) })
		}
		for i, want := range a.Taylor {
			if d := apart(got[k].taylor[i], want); !(d <= 1e-3) {
				t.Errorf("%s: the Taylor rates of group %d differ by %.2g of the largest", nets[k], i, d)
			}
		}
		for l, w := range got[k].ws {
			if n := a.ERK[l] * float64(w.Len()); math.Abs(float64(got[k].erk[l])-n) >= 1 {
				t.Errorf("%s: ERK keeps %d of %s, PyTorch %v", nets[k], got[k].erk[l], w.Name, n)
			}
		}
	}
}

// gates lists what reads each group of channels.
func gates(g *graph.Graph, ws []*prune.Weight) (out [][]gate) {
	groups, _ := structure.Groups(g)
	for _, grp := range groups {
		var of []gate
		for _, w := range ws {
			a := grp.Reads(w.Value)
			if a < 0 {
				continue
			}
			x := gate{Weight: w.Name}
			for _, c := range grp.Channels {
				x.At = append(x.At, c.At[a])
			}
			of = append(of, x)
		}
		out = append(out, of)
	}
	return out
}

// compare checks the scores layer by layer, and the masks.
func (c *scored) compare(t *testing.T, name, out string, threshold float64) {
	t.Helper()
	want := numbers[float64](t, out+"."+name+".score")
	mask, err := os.ReadFile(out + "." + name + ".mask")
	if err != nil {
		t.Fatal(err)
	}
	flow := strings.HasPrefix(name, "synflow")
	factor := 1.
	if flow { // known up to a factor: the same flow goes through the last layer
		l := len(c.ws) - 1
		ours, theirs := 0., 0.
		for i, x := range c.scores[name][l] {
			ours += math.Max(0, float64(x))
			theirs += math.Max(0, want[len(want)-c.ws[l].Len()+i])
		}
		factor = theirs / ours
	}
	worst, other := 0.0, 0
	for l, w := range c.ws {
		s := make([]float64, w.Len())
		for i, x := range c.scores[name][l] {
			if s[i] = float64(x); x > 0 {
				s[i] *= factor
			}
			if keep := c.masks[name].Mask[l].Kept(i); keep != (mask[i] == 1) {
				other++
				if d := math.Abs(want[i] - threshold); !flow && !(d <= 1e-3*math.Abs(threshold)) {
					t.Errorf("%s entry %d: kept %v, PyTorch's score is %v, its threshold %v", w.Name, i, keep, want[i], threshold)
				}
			}
		}
		d := apart(s, want[:w.Len()])
		if !(d <= 1e-3) {
			t.Errorf("the scores of %s differ by %.2g of the largest", w.Name, d)
		}
		worst = math.Max(worst, d)
		want, mask = want[w.Len():], mask[w.Len():]
	}
	most := prune.Total(c.ws) / 10000
	switch name {
	case "magnitude", "uniform", "synflow-masked": // exact; the last is given
		most = 0
	case "synflow": // a rank that rounding decides changes the scores of all later iterations
		most = prune.Total(c.ws) / 500
	}
	if other > most {
		t.Errorf("%d of %d entries of the masks differ, at most %d were expected", other, prune.Total(c.ws), most)
	}
	t.Logf("scores differ by at most %.1e of a layer's largest, %d of %d entries of the masks", worst, other, prune.Total(c.ws))
}
