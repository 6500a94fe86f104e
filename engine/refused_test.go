package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/graph/op/cases"
	"pare/tensor"
)

// bent is a case in float32 one of whose inputs has another shape, or is left out, or one of
// whose attributes has another value; what says which. nil: nothing could be changed.
func bent(r *rand.Rand, c cases.Case) (g *graph.Graph, in map[string]*tensor.Tensor, what string) {
	ts, attrs := c.Tensors(), slices.Clone(c.Attrs)
	whole := make([]bool, len(ts))
	for i, x := range ts {
		if whole[i] = x == nil || x.DType != tensor.Float64; !whole[i] {
			ts[i], _ = op.Convert(x, tensor.Float32)
		}
	}
	odd := []int{0, -1, 1, 2, 3, -2, 7, 100}
	i := r.IntN(len(ts))
	switch k := r.IntN(5); {
	case k == 0 && len(attrs) > 0:
		a := &attrs[r.IntN(len(attrs))]
		if is := c.Attrs[slices.IndexFunc(c.Attrs, func(b graph.Attr) bool { return b.Name == a.Name })].Ints; len(is) > 0 {
			v := make([]int, len(is))
			for k, x := range is {
				v[k] = int(x)
			}
			v[r.IntN(len(v))] = odd[r.IntN(len(odd))]
			*a = graph.MakeAttr(a.Name, v[:len(v)-r.IntN(2)])
		} else if graph.MakeAttr(a.Name, 0).Kind == a.Kind {
			*a = graph.MakeAttr(a.Name, odd[r.IntN(len(odd))])
		} else {
			return nil, nil, ""
		}
		what = fmt.Sprint("attribute ", *a)
	case ts[i] == nil:
		return nil, nil, ""
	case k == 1:
		ts[i], what = nil, fmt.Sprint("no input ", i)
	default:
		s := slices.Clone(ts[i].Shape)
		if k := r.IntN(6); k == 0 {
			s = append([]int{1}, s...)
		} else if k == 1 {
			s = append(s, 1)
		} else if len(s) == 0 {
			return nil, nil, ""
		} else if d := r.IntN(len(s)); k == 2 {
			s = slices.Delete(s, d, d+1)
		} else {
			s[d] = []int{s[d] + 1, s[d] - 1, 0}[k-3]
		}
		if ts[i].Len() == 0 {
			return nil, nil, ""
		}
		what = fmt.Sprintf("input %d %v in place of %v", i, s, ts[i].Shape)
		y := tensor.New(ts[i].DType, s...)
		for k := range y.Len() {
			y.CopyRange(k, ts[i], k%ts[i].Len(), 1)
		}
		ts[i] = y
	}
	g, in = graph.New(c.Name(), c.Opset), map[string]*tensor.Tensor{}
	g.Opset[op.ContribDomain] = 1
	var vs []*graph.Value
	given := r.IntN(2) == 0
	for i, x := range ts {
		switch name := fmt.Sprint("x", i); {
		case x == nil:
			vs = append(vs, nil)
		case !whole[i] && (i == 0 || given):
			v := &graph.Value{Name: name, DType: x.DType, Shape: graph.Dims(x.Shape...)}
			g.Inputs, vs, in[name] = append(g.Inputs, v), append(vs, v), x
		default:
			vs = append(vs, g.Const(name, x, graph.Frozen))
		}
	}
	var outs []string
	for i := range c.Outs {
		outs = append(outs, fmt.Sprint("y", i))
	}
	g.Outputs = append(g.Outputs, g.Add(c.Op, c.Domain, vs, outs, attrs...).Outputs...)
	return g, in, what
}

// What the definition of an operator refuses no plan computes, and none falls over: files are
// hostile.
func TestRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	refused, computed := 0, 0
	for _, c := range cases.All() {
		if c.Domain == graph.Pare || c.Bodies != nil { // these no file has
			continue
		}
		for range 40 {
			g, in, what := bent(r, c)
			if g == nil || op.InferAll(g) != nil {
				continue
			}
			want, no := op.Run(g, in, g.Outputs...)
			if no != nil && strings.Contains(no.Error(), "sequence length") { // told by data
				continue
			}
			t.Run(c.Name()+" "+what, func(t *testing.T) {
				p, err := engine.Compile(g, nil, engine.Options{Threads: 1, Freeze: true}, g.Outputs...)
				if err == nil {
					defer p.Close()
					for name, x := range in {
						if err := p.Input(name).Copy(x); err != nil {
							t.Fatal(err)
						}
					}
					err = p.Run()
				}
				switch {
				case no != nil && err == nil:
					t.Errorf("it is computed, and the definition says: %v\n%v", no, plan(p))
				case no != nil:
					refused++
				case err == nil:
					computed++
					for _, v := range g.Outputs {
						if x, y := p.Value(v), want[v.Name]; x != nil && y != nil && (!slices.Equal(x.Shape, y.Shape) || y.Finite() < 0 && !(distance(x, y) <= 1e-3)) {
							t.Errorf("%q is %v, want %v\n%v", v.Name, x, y, plan(p))
						}
					}
				}
			})
		}
	}
	if refused < 20 || computed < 1000 {
		t.Errorf("%d were refused and %d computed", refused, computed)
	}
}
