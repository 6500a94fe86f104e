package interop

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/onnx"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

type gradJob struct {
	Net       string  `json:"net"` // as gradients.py calls it
	Model     string  `json:"model"`
	Input     feed    `json:"input"`
	Label     feed    `json:"label"`
	Smoothing float64 `json:"smoothing"`
	Out       string  `json:"out"`
}

type gradAnswer struct {
	Error string   `json:"error"`
	Loss  float64  `json:"loss"`
	Names []string `json:"names"`
}

// tolerances are the largest differences from the float64 result that float32
// may cause, relative to the tensor's largest entry. The first row whose net
// and suffix fit holds.
var tolerances = []struct {
	net, suffix string
	tol         float64
	of          string // the scale is that of the tensor with this suffix instead
}{
	{"mlp", "", 1e-5, ""},
	// A bias of the keys moves all scores of a row alike, which softmax ignores:
	// the gradient is zero but for rounding, which is measured against the queries'.
	{"", ".attn.k.bias", 2e-4, ".attn.q.bias"},
	{"vit-tiny", "", 5e-5, ""},
	{"gpt-tiny", "", 2e-4, ""},
	{"resnet", ".running_mean", 1e-5, ""},
	{"resnet", ".running_var", 1e-5, ""},
	{"resnet", "", 2e-4, ""}, // a ReLU whose input is nearly zero may go the other way
}

// gradCase is a network to train for one step.
type gradCase struct {
	net       string // as gradients.py calls it
	name      string // as the zoo calls it
	opt       zoo.Options
	smoothing float64

	loss float64
	got  map[string][]float32 // gradients, and running statistics after the step
}

// step trains one step on random samples and leaves what it computed in c.
func (c *gradCase) step(t *testing.T, dir string, k int) gradJob {
	t.Helper()
	g := network{Name: c.name, Opt: c.opt}.graph(t)
	job := gradJob{Net: c.net, Smoothing: c.smoothing,
		Model: filepath.Join(dir, fmt.Sprintf("%d.onnx", k)), Out: filepath.Join(dir, fmt.Sprintf("%d.out", k))}
	if err := onnx.Write(job.Model, g, onnx.Options{}); err != nil {
		t.Fatal(err)
	}
	s, err := train.NewStep(g, 4, train.Loss{Smoothing: c.smoothing}, engine.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sample(s.Input(), 1)
	classes := g.Outputs[0].Shape[len(g.Outputs[0].Shape)-1].Mul
	r := rand.New(rand.NewPCG(2, 2))
	labels := tensor.Of[int64](s.Labels())
	for i := range labels {
		labels[i] = int64(r.IntN(classes))
	}
	job.Input = raw(t, job.Out+".input", s.Input())
	job.Label = raw(t, job.Out+".label", s.Labels())
	if c.loss, err = s.Run(); err != nil {
		t.Fatal(err)
	}
	s.MoveStats()
	c.got = map[string][]float32{}
	for _, p := range s.Params {
		c.got[p.Name] = append([]float32{}, p.G...)
	}
	for _, v := range g.Consts() {
		if v.Role == graph.Stat {
			c.got[v.Name] = v.Const.F32()
		}
	}
	return job
}

// compare checks the loss and every tensor against PyTorch's.
func (c *gradCase) compare(t *testing.T, a gradAnswer, out string) {
	t.Helper()
	if a.Error != "" {
		t.Fatalf("PyTorch: %s", a.Error)
	}
	if d := math.Abs(c.loss - a.Loss); !(d <= 1e-5*a.Loss) {
		t.Errorf("the loss is %v, PyTorch's %v", c.loss, a.Loss)
	}
	if len(a.Names) != len(c.got) {
		t.Errorf("%d tensors, PyTorch has %d: %v", len(c.got), len(a.Names), a.Names)
	}
	want := map[string][]float64{}
	for i, name := range a.Names {
		want[name] = numbers[float64](t, fmt.Sprintf("%s.%d", out, i))
	}
	worst, at := 0.0, ""
	for _, name := range a.Names {
		for _, row := range tolerances {
			if !strings.HasPrefix(c.net, row.net) || !strings.HasSuffix(name, row.suffix) {
				continue
			}
			d := apart(c.got[name], want[name])
			if row.of != "" {
				d *= largest(want[name]) / largest(want[strings.TrimSuffix(name, row.suffix)+row.of])
			}
			if !(d <= row.tol) {
				t.Errorf("%s differs from PyTorch by %.2g of the largest entry, at most %.2g was expected", name, d, row.tol)
			}
			if d/row.tol > worst {
				worst, at = d/row.tol, fmt.Sprintf("%s, %.1e", name, d)
			}
			break
		}
	}
	t.Logf("%d tensors; nearest to its tolerance: %s", len(want), at)
}

func largest(x []float64) float64 {
	m := 0.0
	for _, v := range x {
		m = math.Max(m, math.Abs(v))
	}
	return m
}

// One training step gives PyTorch's loss, gradients and running statistics.
func TestGradients(t *testing.T) {
	py := python(t, "numpy", "onnx", "torch")
	cases := []*gradCase{
		{net: "mlp", name: "mlp:20-32-16-7"},
		{net: "mlp", name: "mlp:20-32-16-7", smoothing: .1},
		{net: "resnet20", name: "resnet20"},
		{net: "vit-tiny", name: "vit-tiny"},
		{net: "gpt-tiny", name: "gpt-tiny"},
	}
	dir := t.TempDir()
	var jobs []gradJob
	for k, c := range cases {
		jobs = append(jobs, c.step(t, dir, k))
	}
	answers := ask[gradJob, gradAnswer](t, py, "gradients.py", dir, jobs)
	for k, c := range cases {
		t.Run(fmt.Sprintf("%s smoothing %v", c.name, c.smoothing), func(t *testing.T) { c.compare(t, answers[k], jobs[k].Out) })
	}
}
