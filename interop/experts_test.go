package interop

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/prune/expert"
	"pare/prune/structure"
	"pare/tensor"
	"pare/zoo"
)

type expertJob struct {
	Form     string `json:"form"`
	Exporter string `json:"exporter"`
	Seed     int    `json:"seed"`
	Keep     []int  `json:"keep"`
	Model    string `json:"model"`
}

type expertAnswer struct {
	Error   string `json:"error"`
	Without bool   `json:"without"` // what the exporter needs is not there
	Experts int    `json:"experts"`
	Chosen  int    `json:"chosen"`
}

// Mixtures as PyTorch's exporters write them are found, and without some experts Pare and
// ONNX Runtime compute what the module does where the router's logits of these are negative
// infinity.
func TestExpertsOfPyTorch(t *testing.T) {
	py := python(t, "torch", "onnx", "onnxruntime")
	dir := t.TempDir()
	var jobs []expertJob
	r := rand.New(rand.NewPCG(3, 5))
	for _, form := range []string{"soft", "stacked_branches", "masks", "indexed", "scattered", "einsum", "looked_up"} {
		for _, exporter := range []string{"torchscript", "dynamo"} {
			if form == "indexed" && exporter == "dynamo" {
				continue // how many tokens an expert is given depends on data, which it refuses
			}
			keep := r.Perm(5)[:2+r.IntN(3)]
			slices.Sort(keep)
			jobs = append(jobs, expertJob{form, exporter, len(jobs), keep, filepath.Join(dir, fmt.Sprintf("%s.%s.onnx", form, exporter))})
		}
	}
	answers := ask[expertJob, expertAnswer](t, py, "experts.py", dir, jobs)
	runs := &ortRuns{dir: dir}
	var checked []expertJob
	for i, k := range jobs {
		what := k.Form + " by " + k.Exporter
		if answers[i].Without {
			t.Logf("%s: the exporter needs the module onnxscript, which is not there", what)
			continue
		}
		if answers[i].Error != "" {
			t.Errorf("%s: %s", what, answers[i].Error)
			continue
		}
		g, err := onnx.Load(k.Model)
		if err != nil {
			t.Fatal(what, err)
		}
		if _, err := op.Simplify(g); err != nil {
			t.Fatal(what, err)
		}
		ms, whole := expert.Find(g)
		if len(ms) != 1 || ms[0].Experts != answers[i].Experts {
			t.Errorf("%s: mixtures %v, whole %v\n%v", what, ms, whole, g)
			continue
		}
		s := expert.All(ms)
		for e := range ms[0].Experts {
			s[0].Set(e, slices.Contains(k.Keep, e))
		}
		cut, err := expert.Cut(g, ms, s)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		const each = 2 * 8 * 12
		if gone := structure.CostOf(g).Params - structure.CostOf(cut).Params; gone < int64((5-len(k.Keep))*each) {
			t.Errorf("%s: %d parameters are gone", what, gone)
		}
		runs.write(t, cut, onnx.Options{}, map[string]*tensor.Tensor{"x": tensor.From(numbers[float32](t, k.Model+".x"), 9, 4)})
		checked = append(checked, k)
		in := tensor.From(numbers[float32](t, k.Model+".x"), 9, 4)
		got, err := op.Run(cut, map[string]*tensor.Tensor{"x": in})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if err := alike([][]float32{got["y"].F32()}, [][]float32{numbers[float32](t, k.Model+".y")}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	runs.run(t, py)
	for i, k := range checked {
		got, err := runs.outputs(t, i)
		if err == nil {
			err = alike(got, [][]float32{numbers[float32](t, k.Model+".y")})
		}
		if err != nil {
			t.Errorf("%s by %s in ONNX Runtime: %v", k.Form, k.Exporter, err)
		}
	}
}

// A network of ONNX Runtime's own mixtures gives the same in Pare and in ONNX Runtime,
// whole, without some experts, and with these narrower.
func TestExpertsOfRuntime(t *testing.T) {
	py := python(t, "onnx", "onnxruntime")
	g, err := zoo.New("experts-2-24-6", zoo.Options{In: []int{10}, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 5))
	for _, v := range g.Params() {
		for i := range v.Const.F32() {
			v.Const.F32()[i] += .1 * float32(r.NormFloat64())
		}
	}
	ms, _ := expert.Find(g)
	s := expert.All(ms)
	for _, e := range []int{1, 2, 5} {
		s[0].Set(e, false)
	}
	s[1].Set(0, false)
	cut, err := expert.Cut(g, ms, s)
	if err != nil {
		t.Fatal(err)
	}
	quiet, err := expert.Silence(g, ms, s)
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(cut)
	sel := structure.All(groups)
	for i, grp := range groups {
		for c := range grp.Channels {
			sel[i].Set(c, c%3 != 1)
		}
	}
	narrow, err := structure.Cut(cut, groups, sel)
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.New(tensor.Float32, batch, 10)
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
	}
	runs := &ortRuns{dir: t.TempDir()}
	nets := []*graph.Graph{g, cut, quiet, narrow}
	var pare [][]float32
	for _, n := range nets {
		runs.write(t, n, onnx.Options{}, map[string]*tensor.Tensor{"input": x})
		p, err := engine.Compile(n, map[string]int{"N": batch}, engine.Options{Threads: 1, Freeze: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Input("input").Copy(x); err != nil {
			t.Fatal(err)
		}
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
		pare = append(pare, slices.Clone(p.Output("logits").F32()))
		p.Close()
	}
	runs.run(t, py)
	for i := range nets {
		got, err := runs.outputs(t, i)
		if err == nil {
			err = alike([][]float32{pare[i]}, got)
		}
		if err != nil {
			t.Errorf("network %d: %v", i, err)
		}
	}
	if err := alike([][]float32{pare[1]}, [][]float32{pare[2]}); err != nil {
		t.Errorf("cut and silenced: %v", err)
	}
	if structure.CostOf(narrow).Params >= structure.CostOf(cut).Params {
		t.Error("nothing was cut of the widths")
	}
}
