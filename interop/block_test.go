package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/model"
	"pare/model/calibrated"
	"pare/prune/allocate"
	"pare/tensor"
	"pare/zoo"
)

type blockJob struct {
	Method string    `json:"method"`
	Inputs string    `json:"inputs"` // of a block at once, or of each layer behind those that are cut
	NM     string    `json:"nm"`
	Heads  int       `json:"heads"`
	Folder string    `json:"folder"`
	Tokens [][]int64 `json:"tokens"`
	Out    string    `json:"out"`
}

// closeCall is the gap, as a share of the two numbers between which the line was drawn,
// below which float32 may decide otherwise than float64.
const closeCall = 1e-5

// Wanda, SparseGPT, RIA and DSnoT leave of a decoder with one transformer block what a
// computation in PyTorch does, in float64 and from the papers: the same masks, but where
// two numbers are as good as equal, and the same weights; 50 % and 2:4.
func TestCalibratedBlock(t *testing.T) {
	py := python(t, "torch")
	const heads, length, words, samples = 4, 12, 48, 24
	dir := t.TempDir()
	start, err := zoo.New("gpt-1-32-4", zoo.Options{Seed: 1, In: []int{length}, Classes: words})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(6, 6))
	shapes := map[string][]int{}
	for _, v := range start.Consts() {
		if v.Role != graph.Param {
			continue
		}
		size, about := .25, 0.
		if strings.Contains(v.Name, "ln") || strings.HasPrefix(v.Name, "norm") {
			if strings.HasSuffix(v.Name, "weight") {
				about = 1
			}
		}
		for i := range v.Const.F32() {
			v.Const.F32()[i] = float32(about + size*r.NormFloat64())
		}
		raw(t, filepath.Join(dir, v.Name), v.Const)
		shapes[v.Name] = v.Const.Shape
	}
	b, err := json.Marshal(shapes)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "shapes.json"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	in := tensor.New(tensor.Int64, samples, length)
	text := make([][]int64, samples)
	ids := in.Data.([]int64)
	for i := range ids {
		ids[i] = r.Int64N(words)
		text[i/length] = append(text[i/length], ids[i])
	}
	var jobs []blockJob
	var got []*graph.Graph
	for _, pattern := range []string{"", "2:4"} {
		p, err := allocate.ParsePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		gpt := calibrated.NewSparseGPT()
		gpt.Pattern, gpt.BlockSize = p, 16
		inputs := map[model.Method]string{gpt: "layer"}
		for _, how := range []string{"block", "layer"} {
			wanda, ria, dsnot := calibrated.NewWanda(), calibrated.NewRIA(), calibrated.NewDSnoT()
			wanda.Pattern, ria.Pattern, dsnot.Pattern = p, p, p
			for m, to := range map[model.Method]*string{wanda: &wanda.Inputs.Inputs, ria: &ria.Inputs.Inputs, dsnot: &dsnot.Inputs.Inputs} {
				*to, inputs[m] = how, how
			}
		}
		for m, how := range inputs {
			g, _ := start.Clone(true)
			j := &model.Job{Graph: g, Engine: engine.Options{Threads: 1}, Samples: func(yield func(map[string]*tensor.Tensor) error) error {
				return yield(map[string]*tensor.Tensor{"tokens": in})
			}}
			res, err := model.Run(context.Background(), m, j)
			if err != nil {
				t.Fatal(err)
			}
			if f, ok := res.Facts.(*calibrated.DSnoTFacts); ok && f.Exchanged == 0 {
				t.Error("nothing was exchanged")
			}
			out := filepath.Join(dir, fmt.Sprint("out", len(jobs)))
			if err := os.Mkdir(out, 0o755); err != nil {
				t.Fatal(err)
			}
			jobs, got = append(jobs, blockJob{m.Card().Name, how, pattern, heads, dir, text, out}), append(got, res.Graph)
		}
	}
	answers := ask[blockJob, struct{ Layers []string }](t, py, "block.py", dir, jobs)
	for i, k := range jobs {
		compareBlock(t, k, got[i], answers[i].Layers, in)
	}
}

// compareBlock holds the layers of a pruned network against what PyTorch made of them, in
// their order. Where a close call went the other way, what comes behind is another network.
func compareBlock(t *testing.T, k blockJob, g *graph.Graph, layers []string, in *tensor.Tensor) {
	t.Helper()
	for _, name := range layers {
		w := g.Value(name + ".weight").Const.F32()
		want, gap := numbers[float64](t, filepath.Join(k.Out, name)), numbers[float64](t, filepath.Join(k.Out, name+".gap"))
		if len(want) != len(w) || len(gap) != len(w) {
			t.Fatalf("%s %s: %d weights, %d in PyTorch", k.Method, name, len(w), len(want))
		}
		other, zeros := 0, 0
		for e, v := range want {
			if v == 0 {
				zeros++
			}
			if (v == 0) == (w[e] == 0) {
				continue
			}
			if other++; gap[e] > closeCall {
				t.Errorf("%s %s %q: %s[%d] is %v, PyTorch has %v; the call was not close (%.2g)", k.Method, k.Inputs, k.NM, name, e, w[e], v, gap[e])
				return
			}
		}
		if other > 0 {
			t.Logf("%s %s %q: %s: %d close calls went the other way", k.Method, k.Inputs, k.NM, name, other)
			return
		}
		if zeros*2 != len(w) {
			t.Errorf("%s %s %q: %s has %d zeros of %d", k.Method, k.Inputs, k.NM, name, zeros, len(w))
		}
		if d := apart(w, want); !(d < 1e-4) {
			t.Errorf("%s %s %q: %s differs by %.2g of the largest", k.Method, k.Inputs, k.NM, name, d)
		}
	}
	p, err := engine.Compile(g, map[string]int{g.Inputs[0].Shape[0].Sym: in.Shape[0]}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Input("tokens").Copy(in); err != nil {
		t.Fatal(err)
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	if d := apart(p.Output(p.OutputNames()[0]).F32(), numbers[float64](t, filepath.Join(k.Out, "logits"))); !(d < 1e-4) {
		t.Errorf("%s %s %q: the outputs differ by %.2g of the largest", k.Method, k.Inputs, k.NM, d)
	}
}
