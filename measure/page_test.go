package measure_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/measure"
	"pare/onnx"
	"pare/report"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

// A shell takes a quoted command line as the same words.
func TestQuote(t *testing.T) {
	words := []string{"pare", "a b", "it's", "", "$HOME", "*", "`x`", "a\nb", "csv:x?label=0&n=3", "~", "#", "--x=1"}
	out, err := exec.Command("sh", "-c", "printf '%s\\0' "+measure.Quote(words...)).Output()
	if err != nil {
		t.Skip(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); strings.Join(got, "|") != strings.Join(words, "|") {
		t.Errorf("%q, want %q", got, words)
	}
}

func network(name string, disk, sparse int64, accuracy, time, half float64) *measure.Network {
	return &measure.Network{Name: name, OnDisk: disk, Size: measure.Size{Params: 100, NonZero: 50, Bytes: disk, SparseBytes: sparse},
		Metrics: &train.Metrics{N: 1000, Scores: []train.Score{{Metric: "accuracy", Unit: "%", Higher: true, Value: accuracy}}}, Single: measure.Speed{Ratio: measure.Spread{Median: time, Half: half}}}
}

// The verdict says what is worse as plainly as what is better.
func TestVerdict(t *testing.T) {
	d := &dataset.Data{Test: &dataset.Set{Name: "test"}}
	dense := network("dense", 1000, 1000, .9, 1, 0)
	for _, c := range []struct {
		n    *measure.Network
		want []string
	}{
		{network("good", 100, 100, .95, .5, .01), []string{"smaller on disk by 90 %", "faster by 50 % (0.50× ± 0.01 of the time, one sample on E)", "accuracy 5.00 points higher (95.00 % instead of 90.00 % on the test set)"}},
		{network("bad", 1500, 1500, .5, 1.5, .1), []string{"larger on disk by 50 % (1.5 kB instead of 1 kB)", "slower by 50 %", "accuracy 40.00 points lower"}},
		{network("same", 1000, 200, .9, .9, .2), []string{"as large on disk (1 kB), but 200 B in Pare's sparse form", "as fast within the spread of the measurement", "accuracy the same"}},
		{network("near", 1000, 1000, .895, 1, 0), []string{"accuracy 0.50 points lower", "1,000 samples cannot tell that from chance"}},
	} {
		got := measure.Verdict([]*measure.Network{dense, c.n}, d, "E")[0]
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: no %q in %q", c.n.Name, w, got)
			}
		}
	}
	if got := measure.Verdict([]*measure.Network{dense, {Name: "x"}}, nil, "E")[0]; !strings.Contains(got, "accuracy not measured") || !strings.Contains(got, "time not measured") {
		t.Error(got)
	}
}

// A page of networks that were not run has no times, and says so.
func TestPageUntimed(t *testing.T) {
	ns := []*measure.Network{network("dense", 1000, 1000, .9, 0, 0), network("small", 500, 500, .9, 0, 0)}
	d := &dataset.Data{Test: &dataset.Set{Name: "test"}}
	r := measure.Page("t", ns, d, &measure.Origin{Engine: "E"})
	var b bytes.Buffer
	if err := r.Markdown(&b, "", func(*report.Plot) string { return "x" }); err != nil {
		t.Fatal(err)
	}
	card := measure.ModelCard(ns[1], ns[0], d, &measure.Origin{Engine: "E"})
	if s := b.String(); strings.Contains(s, "0.00×") || strings.Contains(s, "How fast") || strings.Contains(s, "against time") || !strings.Contains(s, "time not measured") || !strings.Contains(card, "Time was not measured") {
		t.Error(s)
	}
}

// Sizes are those of the files as they lie there, with weights beside them.
func TestFilesOnDisk(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	g, err := zoo.New("mlp:64-32-10", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := onnx.Write(at("apart.onnx"), g, onnx.Options{External: true}); err != nil {
		t.Fatal(err)
	}
	if err := onnx.WriteSparse(at("half.pare"), g, true); err != nil {
		t.Fatal(err)
	}
	all := int64(0)
	files, err := filepath.Glob(at("apart.onnx*")) // the weights' file is named by its contents
	if err != nil || len(files) != 2 {
		t.Fatal(err, files)
	}
	for _, f := range files {
		st, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		all += st.Size()
	}
	half, _ := os.Stat(at("half.pare"))
	ns := []*measure.Network{{Name: "apart", File: at("apart.onnx"), Graph: g}, {Name: "half", File: at("half.pare"), Graph: g}, {Name: "none", File: "mlp:64", Graph: g}}
	if err := measure.Networks(context.Background(), ns, nil, train.Judge{}, engine.Options{Threads: 1}); err != nil {
		t.Fatal(err)
	}
	if ns[0].OnDisk != all || ns[0].Size.Bytes != all || ns[1].OnDisk != half.Size() || ns[1].Size.SparseBytes != half.Size() || ns[2].OnDisk != 0 || ns[2].Size.Bytes == 0 {
		t.Errorf("%+v (files %d, %d)", []int64{ns[0].OnDisk, ns[0].Size.Bytes, ns[1].OnDisk, ns[1].Size.SparseBytes, ns[2].OnDisk}, all, half.Size())
	}
	from, err := measure.NewOrigin(ns, nil, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(from.Files) != 3 || len(from.Files[0].SHA256) != 64 || from.Engine != "Pare's engine, one thread" {
		t.Errorf("%+v", from)
	}
	from.Command = "pare x 'a```b'"
	card := measure.ModelCard(ns[1], ns[0], nil, from)
	for _, want := range []string{"---\nlibrary_name: onnx\ntags:\n- onnx\n", "base_model: \"apart\"", "````sh\npare x 'a```b'\n````", "pare model convert half.pare -o half.onnx", `ort.InferenceSession("half.onnx")`, `pare.Open("half.pare")`, "How good it is was not measured", from.Files[2].SHA256} {
		if !strings.Contains(card, want) {
			t.Errorf("the card has no %q\n%s", want, card)
		}
	}
}

// A layer whose weight an exporter numbered is called by its node's place; the
// weight's name stays beside it.
func TestLabels(t *testing.T) {
	g, err := zoo.New("mlp:8-8-8-4", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := 0
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			if v.IsConst() && len(v.Shape) == 2 {
				v.Name, n.Name = []string{"onnx::MatMul_434", "dequantizelinear_4", "head.weight"}[k], []string{"/layer1/0/fc1/Gemm", "/layer1/0/fc2/Gemm", "/head/Gemm"}[k]
				k++
			}
		}
	}
	_, layers := measure.Count(g)
	want := []string{"layer1.0.fc1", "layer1.0.fc2", "head.weight"}
	if len(layers) != 3 {
		t.Fatalf("%+v", layers)
	}
	for i, l := range layers {
		if l.Label != want[i] || l.Name == "" || l.Node == "" {
			t.Errorf("layer %d: %+v, want %s", i, l, want[i])
		}
	}
	x, err := measure.Inspect(g)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	x.Report(3).Print(&b, 0)
	if s := b.String(); !strings.Contains(s, "layer1.0.fc1") || !strings.Contains(s, "onnx::MatMul_434") {
		t.Error(s)
	}
}

// looped is a network without inputs, with a loop, whose sizes depend on data.
func looped(t *testing.T) *graph.Graph {
	t.Helper()
	g := graph.New("looped", 17)
	scalar := func(g *graph.Graph, name string, x *tensor.Tensor) *graph.Value {
		return g.Const(name, x, graph.Frozen)
	}
	body := graph.New("body", 17)
	i := &graph.Value{Name: "i", DType: tensor.Int64, Shape: graph.Shape{}}
	c := &graph.Value{Name: "c", DType: tensor.Bool, Shape: graph.Shape{}}
	a := &graph.Value{Name: "a", DType: tensor.Float32, Shape: graph.Shape{graph.N(4)}}
	body.Inputs = []*graph.Value{i, c, a}
	keep := body.Add("Identity", "", []*graph.Value{c}, []string{"keep"})
	twice := body.Add("Add", "", []*graph.Value{a, a}, []string{"twice"})
	twice.Name = "double"
	body.Outputs = []*graph.Value{keep.Outputs[0], twice.Outputs[0]}
	yes := tensor.New(tensor.Bool)
	tensor.Of[bool](yes)[0] = true
	n := tensor.New(tensor.Int64)
	tensor.Of[int64](n)[0] = 3
	loop := g.Add("Loop", "", []*graph.Value{scalar(g, "n", n), scalar(g, "yes", yes), g.Const("x", tensor.From([]float32{0, 1, 0, 2}, 4), graph.Frozen)}, []string{"z"})
	loop.Set("body", body)
	loop.Name = "repeat"
	found := g.Add("NonZero", "", []*graph.Value{loop.Outputs[0]}, []string{"found"})
	g.Outputs = found.Outputs
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	return g
}

// Every step is listed, those of bodies too, of a network that has no plan.
func TestProfileWithoutPlan(t *testing.T) {
	g := looped(t)
	if _, err := measure.Inspect(g); err != nil {
		t.Error(err)
	}
	steps, err := measure.Profile(context.Background(), g, 1, time.Millisecond, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range steps {
		names = append(names, s.Within+">"+s.Op)
	}
	if got := strings.Join(names, " "); got != ">Loop repeat>Identity repeat>Add >NonZero" || steps[0].Time <= 0 || steps[3].Why == "" {
		t.Errorf("%s, %+v", got, steps)
	}
	var b bytes.Buffer
	measure.StepTable([][]measure.Step{steps}, 9).Print(&b, 0)
	if s := b.String(); !strings.Contains(s, "↳ double") || strings.Index(s, "↳ double") < strings.Index(s, "repeat") {
		t.Error(s)
	}
}

// A network without inputs is inspected, and drawn where there is something to draw.
func TestInspectWithoutInputs(t *testing.T) {
	g := graph.New("generator", 17)
	w := g.Const("w", tensor.From(make([]float32, 8), 2, 4), graph.Param)
	x := g.Add("RandomNormal", "", nil, []string{"x"})
	x.Set("shape", []int{1, 2})
	y := g.Add("MatMul", "", []*graph.Value{x.Outputs[0], w}, []string{"y"})
	g.Outputs = y.Outputs
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	in, err := measure.Inspect(g)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := in.Page("g.onnx").HTML(&b); err != nil || in.Input != "none" || !strings.Contains(b.String(), "nothing to draw") {
		t.Errorf("%v: input %q", err, in.Input)
	}
	in.Report(3).Print(&b, 80)
}
