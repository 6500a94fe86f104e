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
