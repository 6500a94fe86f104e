package interop

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/graph/op/cases"
	"pare/tensor"
)

type opJob struct {
	Op     string         `json:"op"`
	Opset  int            `json:"opset"`
	Attrs  map[string]any `json:"attrs"`
	Inputs []*feed        `json:"inputs"`
	Fixed  []int          `json:"fixed"`
	Seeds  []*feed        `json:"seeds"`
	Out    string         `json:"out"`
}

type opAnswer struct {
	Missing bool    `json:"missing"`
	Error   string  `json:"error"`
	Grads   [][]int `json:"grads"`
}

// notInPyTorch are the operators that PyTorch does not have, or not with a
// gradient; those of the pare domain are parts of gradients.
var notInPyTorch = []string{"Cast", "CastLike", "CausalConvWithState", "DeformConv", "If", "LinearAttention", "Loop", "Range", "RoiAlign",
	"Scan", "TensorScatter", "Unique"}

// jobOf writes the inputs of a case and weights for its outputs.
func jobOf(t *testing.T, c cases.Case, stem string) opJob {
	t.Helper()
	j := opJob{Op: c.Op, Opset: c.Opset, Attrs: map[string]any{}, Fixed: append([]int{}, c.Fixed...), Out: stem}
	if c.Domain != "" {
		j.Op = c.Domain + "." + c.Op
	}
	for _, a := range c.Attrs {
		j.Attrs[a.Name] = plainAttr(a)
	}
	for i, x := range c.Tensors() {
		if x == nil {
			j.Inputs = append(j.Inputs, nil)
			continue
		}
		f := raw(t, fmt.Sprint(stem, ".x", i), x)
		j.Inputs = append(j.Inputs, &f)
	}
	return j
}

func plainAttr(a graph.Attr) any {
	switch a.Kind {
	case graph.AttrInt:
		return a.I
	case graph.AttrFloat:
		return a.F
	case graph.AttrString:
		return string(a.S)
	case graph.AttrInts:
		return a.Ints
	case graph.AttrFloats:
		return a.Floats
	case graph.AttrStrings:
		return a.Strings
	}
	return nil
}

// ourGradients evaluates a case: its outputs, and by output the gradients by
// the moved inputs, keyed by their position.
func ourGradients(t *testing.T, c cases.Case, j *opJob) (ys []*tensor.Tensor, grads []map[int]*tensor.Tensor) {
	t.Helper()
	g, in := c.Graph()
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	first, err := op.Run(g, in)
	if err != nil {
		t.Fatal(err)
	}
	wrt := slices.Clone(g.Inputs)
	var want []*graph.Value
	var by [][]*graph.Value
	for i, y := range slices.Clone(g.Outputs) {
		ys = append(ys, first[y.Name])
		j.Seeds, by = append(j.Seeds, nil), append(by, nil)
		if !y.DType.IsFloat() {
			continue
		}
		seed := tensor.New(tensor.Float64, first[y.Name].Shape...)
		r := rand.New(rand.NewPCG(uint64(i), 7))
		for k := range seed.Len() {
			tensor.Of[float64](seed)[k] = r.NormFloat64()
		}
		f := raw(t, fmt.Sprint(j.Out, ".s", i), seed)
		j.Seeds[i] = &f
		s := g.Const("seed", seed, graph.Frozen)
		if by[i], err = op.Gradient(g, y, s, wrt); err != nil {
			t.Fatal(err)
		}
		for _, v := range by[i] {
			if v != nil {
				want = append(want, v)
			}
		}
	}
	res, err := op.Run(g, in, want...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range by {
		m := map[int]*tensor.Tensor{}
		for k, v := range by[i] {
			if v != nil {
				var at int
				fmt.Sscan(strings.TrimPrefix(wrt[k].Name, "x"), &at) //nolint:errcheck // x and a number
				if m[at] = res[v.Name]; v.Const != nil {
					m[at] = v.Const
				}
			}
		}
		grads = append(grads, m)
	}
	return ys, grads
}

// Outputs and gradients of every case of every operator are PyTorch's.
func TestOperators(t *testing.T) {
	py := python(t, "numpy", "torch")
	dir := t.TempDir()
	all := cases.All()
	var jobs []opJob
	ys, grads := make([][]*tensor.Tensor, len(all)), make([][]map[int]*tensor.Tensor, len(all))
	for k, c := range all {
		j := jobOf(t, c, filepath.Join(dir, fmt.Sprint(k)))
		ys[k], grads[k] = ourGradients(t, c, &j)
		jobs = append(jobs, j)
	}
	answers := ask[opJob, opAnswer](t, py, "operators", dir, jobs)
	compared, has := 0, map[string]bool{}
	for k, c := range all {
		a := answers[k]
		if a.Missing {
			continue
		}
		compared, has[c.Op] = compared+1, true
		if a.Error != "" {
			t.Errorf("%s: PyTorch: %s", c.Name(), a.Error)
			continue
		}
		for i, s := range jobs[k].Seeds {
			if s == nil {
				continue
			}
			if d := apart(tensor.Of[float64](ys[k][i]), numbers[float64](t, fmt.Sprintf("%s.y%d", jobs[k].Out, i))); !(d <= 1e-9) {
				t.Errorf("%s: output %d differs from PyTorch's by %.2g of the largest entry", c.Name(), i, d)
			}
			for at, x := range c.Tensors() {
				if x == nil || x.DType != tensor.Float64 || slices.Contains(c.Fixed, at) {
					continue
				}
				want := make([]float64, x.Len())
				if slices.Contains(a.Grads[i], at) {
					want = numbers[float64](t, fmt.Sprintf("%s.g%d.%d", jobs[k].Out, i, at))
				}
				got := make([]float64, x.Len())
				if d := grads[k][i][at]; d != nil {
					got = tensor.Of[float64](d)
				}
				if d := apart(got, want); !(d <= 1e-9 || nearly(got, want)) {
					t.Errorf("%s: the gradient of output %d by input %d differs from PyTorch's by %.2g of the largest entry\n%v\n%v", c.Name(), i, at, d, got, want)
				}
			}
		}
	}
	for _, c := range all {
		if c.Domain == "" && !has[c.Op] && !slices.Contains(notInPyTorch, c.Op) {
			t.Errorf("%s is not compared: write it in the folder operators, or list it in notInPyTorch", c.Op)
			has[c.Op] = true
		}
	}
	t.Logf("%d of %d cases compared", compared, len(all))
}

// nearly says whether two gradients that are 0 but for rounding agree.
func nearly(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if d := a[i] - b[i]; !(d < 1e-12 && d > -1e-12) {
			return false
		}
	}
	return true
}
