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
	"pare/graph/op"
	"pare/tensor"
	"pare/train/objective"
)

type lossJob struct {
	Loss   string         `json:"loss"`
	Params map[string]any `json:"params"`
	Inputs []feed         `json:"inputs"`
	Model  string         `json:"model,omitempty"`
	Opset  int            `json:"opset"`
	Out    string         `json:"out"`
}

type lossAnswer struct {
	Error string  `json:"error"`
	Loss  float64 `json:"loss"`
}

// lossCase is a loss of an output and a target.
type lossCase struct {
	text           string
	output, target *tensor.Tensor
}

// spread is normal numbers.
func spread(seed uint64, shape ...int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, shape...)
	r := rand.New(rand.NewPCG(seed, 3))
	for i := range x.F32() {
		x.F32()[i] = float32(2 * r.NormFloat64())
	}
	return x
}

// whole is whole numbers from lo to hi-1.
func whole(seed uint64, lo, hi int, shape ...int) *tensor.Tensor {
	x := tensor.New(tensor.Int64, shape...)
	r := rand.New(rand.NewPCG(seed, 4))
	for i := range tensor.Of[int64](x) {
		tensor.Of[int64](x)[i] = int64(lo + r.IntN(hi-lo))
	}
	return x
}

// shares is numbers in [0,1], many of them 0 or 1.
func shares(seed uint64, shape ...int) *tensor.Tensor {
	x := spread(seed, shape...)
	for i, v := range x.F32() {
		x.F32()[i] = min(1, max(0, v))
	}
	return x
}

func lossCases() []lossCase {
	scores, class := spread(1, 50, 7), whole(2, 0, 7, 50)
	image, mask := spread(3, 3, 4, 9, 8), shares(4, 3, 4, 9, 8)
	embed, who := spread(5, 16, 12), whole(6, 0, 5, 16)
	text, tokens := spread(7, 4, 12, 9), whole(8, 0, 9, 4, 12)
	speech, marks := spread(9, 5, 20, 6), whole(10, 1, 6, 5, 8)
	for i := range tensor.Of[int64](marks) { // sequences of 8, 6, 4, 2 and 0 marks
		if i%8 >= 8-i/8*2 {
			tensor.Of[int64](marks)[i] = -1
		}
	}
	var out []lossCase
	add := func(x, y *tensor.Tensor, texts ...string) {
		for _, t := range texts {
			out = append(out, lossCase{t, x, y})
		}
	}
	add(scores, class, "cross-entropy", "cross-entropy(smoothing=0.1)", "cross-entropy(ignore=3)", "cross-entropy(weights=1:2:0.5:3:0:1:1)",
		"cross-entropy(weights=1:2:0.5:3:1:1:1,smoothing=0.2,ignore=0)", "nll", "nll(ignore=3,weights=1:2:0.5:3:0:1:1)", "mse-classes", "dice-classes", "dice-classes(smooth=3)")
	add(image, mask, "bce", "bce(pos-weight=3)", "bce(pos-weight=1:2:3:4)", "bce(ignore=1,pos-weight=2)", "dice", "dice(from=2,smooth=0.5)", "dice(from=0)", "mse", "l1",
		"smooth-l1", "smooth-l1(beta=0.3)", "huber", "huber(delta=2)", "cosine")
	add(embed, who, "triplet", "triplet(margin=5)", "contrastive", "contrastive(temperature=0.5)")
	add(text, tokens, "next-token", "next-token(ignore=4,smoothing=0.1)")
	add(speech, marks, "ctc")
	add(speech, whole(11, 0, 5, 5, 12), "ctc(blank=-1,zero-infinity=1)") // some are too long
	add(scores, spread(12, 50, 7), "match-kl", "match-kl(temperature=1)")
	add(image, spread(13, 3, 4, 9, 8), "match-mse", "match-bce", "match-bce(temperature=3)", "match-cosine")
	return out
}

// job writes a case for PyTorch.
func (c lossCase) job(t *testing.T, stem string) lossJob {
	t.Helper()
	o, err := objective.Parse(c.text)
	if err != nil {
		t.Fatal(err)
	}
	j := lossJob{Loss: strings.ReplaceAll(o[0].Loss.Name, "-", "_"), Params: map[string]any{}, Out: stem + ".out",
		Inputs: []feed{raw(t, stem+".x", c.output), raw(t, stem+".y", c.target)}}
	for name, v := range o[0].Params {
		key := strings.ReplaceAll(name, "-", "_")
		switch {
		case name == "from":
			j.Params["start"] = int(v[0])
		case name == "blank" && v[0] < 0:
			j.Params[key] = c.output.Shape[2] - 1
		case o[0].Loss.Name == "cross-entropy" && name == "ignore" || name == "zero-infinity":
			j.Params[key] = int(v[0])
		case name == "weights" || name == "pos-weight":
			j.Params[key] = v
		default:
			j.Params[key] = v[0]
		}
	}
	return j
}

// moved runs a loss on the engine and gives it with its gradients by some values.
func moved(t *testing.T, g *graph.Graph, loss *graph.Value, by []*graph.Value, feeds map[string]*tensor.Tensor) (float64, [][]float32) {
	t.Helper()
	grads, err := op.Gradient(g, loss, nil, by)
	if err != nil {
		t.Fatal(err)
	}
	g.Outputs = append([]*graph.Value{loss}, grads...)
	p, err := engine.Compile(g, nil, engine.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for name, x := range feeds {
		if to := p.Input(name); x.DType == tensor.Float32 {
			copy(to.F32(), x.F32())
		} else {
			copy(tensor.Of[int64](to), tensor.Of[int64](x))
		}
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	var out [][]float32
	for _, d := range grads {
		out = append(out, append([]float32{}, p.Output(d.Name).F32()...))
	}
	return float64(p.Output(loss.Name).F32()[0]), out
}

// fedBy adds inputs for tensors.
func fedBy(g *graph.Graph, names []string, feeds map[string]*tensor.Tensor) map[string]*graph.Value {
	out := map[string]*graph.Value{}
	for _, name := range names {
		x := feeds[name]
		out[name] = &graph.Value{Name: name, DType: x.DType, Shape: graph.Dims(x.Shape...)}
		g.Inputs = append(g.Inputs, out[name])
	}
	return out
}

// Every loss and its gradient are PyTorch's.
func TestLosses(t *testing.T) {
	py := python(t, "numpy", "torch")
	dir := t.TempDir()
	var jobs []lossJob
	seen := map[string]bool{}
	for k, c := range lossCases() {
		jobs = append(jobs, c.job(t, filepath.Join(dir, fmt.Sprint(k))))
		seen[jobs[k].Loss] = true
	}
	for _, name := range objective.Names() {
		if !seen[strings.ReplaceAll(name, "-", "_")] {
			t.Errorf("%s is not compared", name)
		}
	}
	answers := ask[lossJob, lossAnswer](t, py, "losses.py", dir, jobs)
	for k, c := range lossCases() {
		t.Run(c.text, func(t *testing.T) {
			if answers[k].Error != "" {
				t.Fatalf("PyTorch: %s", answers[k].Error)
			}
			o, err := objective.Parse(c.text)
			if err != nil {
				t.Fatal(err)
			}
			g := graph.New(c.text, 17)
			feeds := map[string]*tensor.Tensor{"x": c.output, "y": c.target}
			in := fedBy(g, []string{"x", "y"}, feeds)
			loss, err := o[0].Build(op.NewBuilder(g, "loss"), []*graph.Value{in["x"]}, []*graph.Value{in["y"]})
			if err != nil {
				t.Fatal(err)
			}
			got, grads := moved(t, g, loss, []*graph.Value{in["x"]}, feeds)
			if d := math.Abs(got - answers[k].Loss); !(d <= 2e-6*max(1, math.Abs(answers[k].Loss))) {
				t.Errorf("the loss is %v, PyTorch's %v", got, answers[k].Loss)
			}
			if d := apart(grads[0], numbers[float64](t, jobs[k].Out+".0")); !(d <= 2e-5) {
				t.Errorf("the gradient differs from PyTorch's by %.2g of its largest entry", d)
			}
		})
	}
}

// The loss of a detector, written in PyTorch and exported, computes the same here, and its
// gradients are PyTorch's.
func TestImportedLoss(t *testing.T) {
	py := python(t, "numpy", "onnx", "torch")
	dir := t.TempDir()
	var anchors []float32
	for _, size := range []float32{.2, .3, .5} {
		for k := range 16 {
			x, y := float32(k%4)/4+.125, float32(k/4)/4+.125
			anchors = append(anchors, x-size/2, y-size/2, x+size/2, y+size/2)
		}
	}
	const n, m, a = 3, 4, 48
	names := []string{"scores", "boxes", "box", "label"}
	feeds := map[string]*tensor.Tensor{"scores": spread(1, n, a, 6), "boxes": spread(2, n, a, 4), "box": tensor.New(tensor.Float32, n, m, 4), "label": whole(3, 0, 6, n, m)}
	r := rand.New(rand.NewPCG(5, 5))
	for i := range n * m {
		w, h := .15+.4*r.Float32(), .15+.4*r.Float32()
		x, y := r.Float32()*(1-w), r.Float32()*(1-h)
		copy(feeds["box"].F32()[4*i:], []float32{x, y, x + w, y + h})
	}
	job := lossJob{Loss: "detection", Model: filepath.Join(dir, "loss.onnx"), Opset: 17, Out: filepath.Join(dir, "out")}
	for _, name := range names {
		job.Inputs = append(job.Inputs, raw(t, filepath.Join(dir, name), feeds[name]))
	}
	job.Inputs = append(job.Inputs, raw(t, filepath.Join(dir, "anchors"), tensor.From(anchors, a, 4)))
	answer := ask[lossJob, lossAnswer](t, py, "losses.py", dir, []lossJob{job})[0]
	if answer.Error != "" {
		t.Fatalf("PyTorch: %s", answer.Error)
	}
	o, err := objective.Parse("onnx:" + job.Model)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Load(); err != nil {
		t.Fatal(err)
	}
	g := graph.New("network", 18)
	in := fedBy(g, names, feeds)
	loss, err := o[0].Import(op.NewBuilder(g, "loss"), o[0].Graph, in)
	if err != nil {
		t.Fatal(err)
	}
	got, grads := moved(t, g, loss, []*graph.Value{in["scores"], in["boxes"]}, feeds)
	if d := math.Abs(got - answer.Loss); !(d <= 1e-5*answer.Loss) {
		t.Errorf("the loss is %v, PyTorch's %v", got, answer.Loss)
	}
	for k, name := range names[:2] {
		if d := apart(grads[k], numbers[float64](t, fmt.Sprintf("%s.%d", job.Out, k))); !(d <= 1e-5) {
			t.Errorf("the gradient by %s differs from PyTorch's by %.2g of its largest entry", name, d)
		}
	}
}
