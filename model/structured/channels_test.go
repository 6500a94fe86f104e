package structured

import (
	"math"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/measure"
	"pare/model"
	"pare/tensor"
)

// Channels are cut down to what may stay, and the smaller network is trained.
func TestChannels(t *testing.T) {
	for _, epochs := range []int{0, 1} {
		j := modeltest.ConvJob(t, "resnet8")
		j.Recipe.Epochs = epochs
		before, _, err := measure.Of(j.Graph)
		if err != nil {
			t.Fatal(err)
		}
		r := modeltest.Run(t, NewChannels(), j)
		after, _, err := measure.Of(r.Graph)
		if err != nil {
			t.Fatal(err)
		}
		if share := float64(after.MACs) / float64(before.MACs); share > .5 || share < .35 || after.Params >= before.Params || len(r.Epochs) != epochs || r.Masks != nil {
			t.Errorf("%.3f of the computation and %d of %d parameters are left, %d epochs", share, after.Params, before.Params, len(r.Epochs))
		}
		if now, _, _ := measure.Of(j.Graph); now != before {
			t.Error("the job's network was cut")
		}
	}
}

// A target of multiply-accumulates means the same for a network of free sizes as for
// one of the sizes that it is used at: those that are given, or those of the data.
func TestChannelsFreeSizes(t *testing.T) {
	for _, given := range []bool{true, false} {
		j := modeltest.ConvJob(t, "resnet8")
		j.Recipe.Epochs = 0
		want := modeltest.Run(t, &Channels{Score: "norm", Samples: 64, ChannelTarget: model.ChannelTarget{MACs: .5}}, j)
		k := modeltest.ConvJob(t, "resnet8")
		k.Recipe.Epochs = 0
		for i, s := range []string{"H", "W"} {
			k.Graph.Inputs[0].Shape[2+i] = graph.Sym(s)
		}
		if err := op.InferAll(k.Graph); err != nil {
			t.Fatal(err)
		}
		if given {
			k.Data, k.Graph.Usage.Sizes = nil, map[string]int{"H": 8, "W": 8}
		}
		r := modeltest.Run(t, &Channels{Score: "norm", Samples: 64, ChannelTarget: model.ChannelTarget{MACs: .5}}, k)
		a, _ := measure.Count(want.Graph)
		b, _ := measure.Count(r.Graph)
		if a != b || r.Notes != nil || r.Graph.Inputs[0].Shape.String() != "[N 1 H W]" {
			t.Errorf("%+v, want %+v; said %v; input %v", b, a, r.Notes, r.Graph.Inputs[0].Shape)
		}
	}
}

func TestChannelsBadInput(t *testing.T) {
	for want, s := range map[string]model.ChannelTarget{
		"no cut of channels":             {MACs: 1e-9},
		"no target: give MACs, Params":   {},
		"MACs 1.5: a share is at most 1": {MACs: 1.5},
		"Params NaN: a number of at":     {Params: model.Count(math.NaN())},
		"Least 1: a number in [0,1)":     {MACs: .5, Least: 1},
		"Round -1: a number of at least": {MACs: .5, Round: -1},
	} {
		modeltest.Refused(t, &Channels{Score: "norm", Samples: 64, ChannelTarget: s}, modeltest.Job(t, 0), want)
	}
}

// What weights out of scope make stays whole; widths fill vector units unless another
// multiple is asked for.
func TestChannelsScopeAndWidth(t *testing.T) {
	width := func(g *graph.Graph, name string) int { return g.Value(name).Const.Shape[0] }
	j := modeltest.ConvJob(t, "resnet8")
	j.Recipe.Epochs = 0
	m := &Channels{Score: "norm", Samples: 64, ChannelTarget: model.ChannelTarget{MACs: .8}, Layers: model.Layers{Exclude: []string{"layer3*"}}}
	r := modeltest.Run(t, m, j)
	for _, v := range r.Graph.Params() {
		if len(v.Const.Shape) == 4 && strings.HasPrefix(v.Name, "layer3") && v.Const.Shape[0] != width(j.Graph, v.Name) {
			t.Errorf("%s was cut to %d", v.Name, v.Const.Shape[0])
		}
	}
	for _, round := range []int{0, 1} {
		k := modeltest.ConvJob(t, "resnet8")
		k.Recipe.Epochs = 0
		r := modeltest.Run(t, &Channels{Score: "norm", Samples: 64, ChannelTarget: model.ChannelTarget{MACs: .5, Round: round}}, k)
		odd := 0
		for _, v := range r.Graph.Params() {
			if len(v.Const.Shape) == 4 && width(k.Graph, v.Name) >= 16 && v.Const.Shape[0]%4 != 0 { // a group of 16 and another of 8 may meet
				odd++
			}
		}
		if (odd > 0) != (round == 1) {
			t.Errorf("round %d: %d widths are no multiples of 4", round, odd)
		}
	}
	modeltest.Refused(t, &Channels{Score: "norm", Samples: 64, ChannelTarget: model.ChannelTarget{MACs: .5}, Layers: model.Layers{Include: []string{"layr3*"}}}, modeltest.ConvJob(t, "resnet8"), "layr3")
}

// Channels of a network with int8 weights are rated by norm, cut, and stay int8; what
// samples cannot say is said, and asked for it is refused.
func TestChannelsOfIntegers(t *testing.T) {
	mk := func() *model.Job {
		j := modeltest.Job(t, 0)
		g := j.Graph
		for _, v := range g.Params() {
			if len(v.Shape) != 2 {
				continue
			}
			x, scale := v.Const.F32(), float32(0)
			for _, w := range x {
				scale = max(scale, w, -w)
			}
			ints := tensor.New(tensor.Int8, v.Const.Shape...)
			for i, w := range x {
				tensor.Of[int8](ints)[i] = int8(math.Round(float64(w / scale * 127)))
			}
			c := g.Const(v.Name+".int8", ints, graph.Packed)
			s := g.Const(v.Name+".scale", tensor.Scalar(scale/127), graph.Frozen)
			d := g.Add("DequantizeLinear", "", []*graph.Value{c, s}, []string{v.Name + ".numbers"})
			for _, n := range g.Nodes {
				for i, in := range n.Inputs {
					if in == v {
						n.Inputs[i] = d.Outputs[0]
					}
				}
			}
		}
		if err := g.Sort(); err != nil {
			t.Fatal(err)
		}
		g.Prune()
		if err := op.InferAll(g); err != nil {
			t.Fatal(err)
		}
		return j
	}
	m := NewChannels()
	r := modeltest.Run(t, m, mk())
	w := r.Graph.Value("fc1.weight.int8")
	if w == nil || w.Const.DType != tensor.Int8 || w.Const.Shape[0] > 10 && w.Const.Shape[1] > 10 {
		t.Errorf("%v", w)
	}
	if said := modeltest.Said(r); !strings.Contains(said, "rated by the norm of their weights (Score norm), not by what goes into layers: the weights of fc1.weight.int8 are integers") || strings.Contains(said, "fc1.weight.int8 is stored as") {
		t.Error(said)
	}
	for _, score := range []string{"reconstruction", "taylor", "activations"} {
		m := NewChannels()
		m.Score = score
		modeltest.Refused(t, m, mk(), "give Score norm")
	}
}
