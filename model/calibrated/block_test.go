package calibrated

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/prune/calibrate"
	"pare/tensor"
	"pare/zoo"
)

// gptJob is a small transformer with texts of random tokens.
func gptJob(t *testing.T) *model.Job {
	t.Helper()
	g, err := zoo.New("gpt-3-16-2", zoo.Options{In: []int{8}, Classes: 20, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := model.Prepare(g); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(2, 7))
	for _, v := range g.Params() {
		for i := range v.Const.F32() {
			v.Const.F32()[i] += float32(.3 * r.NormFloat64())
		}
	}
	in := tensor.New(tensor.Int64, 12, 8)
	for i := range tensor.Of[int64](in) {
		tensor.Of[int64](in)[i] = int64(r.IntN(20))
	}
	return &model.Job{Graph: g, Engine: engine.Options{Threads: 1}, Samples: calibrate.Batches(func(yield func(map[string]*tensor.Tensor) error) error {
		return yield(map[string]*tensor.Tensor{"tokens": in})
	})}
}

// However many blocks there are, samples run through a network twice: once to where each layer
// is measured, and once behind what was cut.
func TestInputsByBlockCost(t *testing.T) {
	ran := func(how string) (nodes, ran int) {
		j := gptJob(t)
		j.Graph, _ = j.Graph.Clone(true)
		opt := calibrate.Options{Engine: j.Engine}
		walk, err := calibrate.NewWalk(j.Graph, j.Samples, opt)
		if err != nil {
			t.Fatal(err)
		}
		s := NewWanda()
		ws, err := s.Weights(j.Graph)
		if err != nil {
			t.Fatal(err)
		}
		layers, _ := layersOf(j.Graph, ws, opt, false)
		rows := alone(layers)
		if how == "block" {
			rows = together(j.Graph, layers)
		}
		p := &model.Part{Job: j, Weights: ws, Walk: walk, Count: 12, Calibrate: opt}
		if _, err := cutLayers(context.Background(), p, rows, false, func(c *cut) (*prune.Mask, error) {
			return prune.NewMask(c.Weight.Len(), true), nil
		}); err != nil {
			t.Fatal(err)
		}
		return len(j.Graph.Nodes), walk.Ran()
	}
	nodes, layer := ran("layer")
	if layer == 0 || layer > nodes {
		t.Errorf("layer by layer %d nodes were computed of %d", layer, nodes)
	}
	if _, block := ran("block"); block <= layer || block > 2*nodes {
		t.Errorf("block by block %d nodes were computed: %d are there, %d layer by layer", block, nodes, layer)
	}
}

// What goes into the layers of a block is what they are given while the block is whole and those
// before it are cut: block for block, by running the network anew and plain loops; layer by
// layer it is another cut.
func TestInputsByBlock(t *testing.T) {
	j := gptJob(t)
	plain, _ := j.Graph.Clone(true)
	k := j.On(plain)
	var order []string
	for _, n := range plain.Nodes {
		if n.Is("MatMul") && n.In(1).IsConst() {
			order = append(order, n.In(1).Name)
		}
	}
	of := func(name string) string { // the block, or the layer itself behind them
		if p := strings.SplitN(name, ".", 3); p[0] == "blocks" {
			return p[0] + p[1]
		}
		return name
	}
	for len(order) > 0 {
		n := slices.IndexFunc(order, func(s string) bool { return of(s) != of(order[0]) })
		if n < 0 {
			n = len(order)
		}
		var want []*graph.Value
		for _, name := range order[:n] {
			w := plain.Value(name)
			for _, u := range plain.Uses()[w] {
				want = append(want, u.Node.In(0))
			}
		}
		norms := make([][]float64, n)
		if err := k.Look(context.Background(), 12, want, func(vs []*tensor.Tensor) error {
			for i, x := range vs {
				d := x.Shape[len(x.Shape)-1]
				norms[i] = make([]float64, d)
				for at, a := range x.F32() {
					norms[i][at%d] += float64(a) * float64(a)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for i, name := range order[:n] {
			w := plain.Value(name).Const
			outs := w.Shape[1]
			for o := range outs {
				at := make([]int, w.Shape[0])
				for r := range at {
					at[r] = r
				}
				rate := func(r int) float64 { return math.Abs(float64(w.F32()[r*outs+o])) * math.Sqrt(norms[i][r]) }
				slices.SortFunc(at, func(a, b int) int { return cmp.Compare(rate(a), rate(b)) })
				for _, r := range at[:len(at)/2] {
					w.F32()[r*outs+o] = 0
				}
			}
		}
		order = order[n:]
	}
	by := func(how string) (differ int) {
		j := gptJob(t)
		s := NewWanda()
		s.Inputs.Inputs = how
		g := modeltest.Run(t, s, j).Graph
		for _, v := range plain.Params() {
			for i, x := range g.Value(v.Name).Const.F32() {
				if x != v.Const.F32()[i] {
					differ++
				}
			}
		}
		return differ
	}
	if n := by("block"); n > 0 {
		t.Errorf("%d weights differ", n)
	}
	if n := by("layer"); n < 20 {
		t.Errorf("layer by layer %d weights differ alone", n)
	}
}
