package reproduce

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"pare/dataset"
	"pare/engine"
	"pare/evidence"
	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/model/structured"
	"pare/prune/structure"
	"pare/tensor"
	"pare/train"
	"pare/train/objective"
	"pare/zoo"
)

var pagcp = &evidence.Experiment{
	ID: "19", Name: "pagcp",
	About: "ResNet-8 of 8, 16 and 32 channels with two outputs on Glyph(2, 0.4): which glyph an image is and by how many quarters it was turned, trained 10 epochs on three quarters of the samples. Channels are cut, without training after, as far as no task's loss on the other quarter rises by more than half: judged by both tasks, and by the glyph alone; and to the same multiply-accumulates by one share of every group, and by norm in one ranking. Rise: by how much the loss of the task that loses most has risen on these samples. That it beats cuts by norm or of one share is not shown at this scale.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := glyphs(2, .4, 2000, seed, put)
		g, err := twoHeads(b, seed)
		if err != nil {
			return err
		}
		part := *b.data
		if part.Train, part.Val, err = b.data.Train.Split(.25, seed); err != nil {
			return err
		}
		b.data = &part
		r := model.Recipe{Epochs: 10, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4, Loss: twoTasks}
		if err := b.trained(ctx, g, r); err != nil {
			return err
		}
		put("(multiply-accumulates) dense", 1)
		r.Epochs = 0
		both, one, even, norm := structured.NewPAGCP(), structured.NewPAGCP(), structured.NewChannels(), structured.NewChannels()
		for _, s := range []*structured.PAGCP{both, one} {
			s.MACs, s.Rounds, s.Relax, s.Tolerance, s.From = 0, 1, 1, .5, "start"
		}
		one.Judges = func(output string) bool { return output == "glyph" }
		even.Even, even.Score, norm.Score, even.Round, norm.Round = true, "norm", "norm", 1, 1
		for _, a := range []arm{{"pagcp", both}, {"one task", one}, {"one share", even}, {"norm", norm}} {
			j := b.job(g, r)
			j.Data.Val = part.Val
			res, err := model.Run(ctx, a.m, j)
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			left := float64(structure.CostOf(res.Graph).MACs) / float64(structure.CostOf(g).MACs)
			if a.name == "pagcp" {
				even.MACs, norm.MACs = model.Count(left), model.Count(left)
			}
			rise, err := b.rise(ctx, g, res.Graph)
			if err != nil {
				return err
			}
			put("(multiply-accumulates) "+a.name, left)
			put("(rise) "+a.name, rise)
		}
		return nil
	},
	Claims: []evidence.Claim{
		{Text: "no task's loss rises by more than the tolerance", Method: "pagcp", Without: []string{"one task"}, Side: evidence.AtMost, Bound: 50.01,
			Figure: evidence.Figure{Unit: "%", Of: func(v evidence.Values, arm string) (out []float64) {
				for _, x := range v["(rise) "+arm] {
					out = append(out, 100*x)
				}
				return out
			}}},
		{Text: "and at least a twentieth of the computation is saved", Method: "pagcp", Without: []string{"dense"}, Side: evidence.AtMost, Bound: .95,
			Figure: evidence.Figure{Of: func(v evidence.Values, arm string) []float64 { return v["(multiply-accumulates) "+arm] }}},
	},
}

// rise is by how much the loss of the task that loses most is above a dense network's, as
// a share of it, on the validation set.
func (b *bench) rise(ctx context.Context, dense, cut *graph.Graph) (float64, error) {
	most := math.Inf(-1)
	for _, task := range []string{"cross-entropy(glyph,label)", "cross-entropy(turn,turned)"} {
		o, err := objective.Parse(task)
		if err != nil {
			return 0, err
		}
		var loss [2]float64
		for i, g := range []*graph.Graph{dense, cut} {
			e := train.NewEval(b.data.Val, b.data.Norm, 128, engine.Options{Threads: 1})
			e.Judge = train.Judge{Objective: o}
			m, err := e.Run(ctx, g)
			if err != nil {
				return 0, err
			}
			loss[i] = m.Loss
		}
		most = max(most, loss[1]/loss[0]-1)
	}
	return most, nil
}

// twoTasks is what the network of two outputs is trained for.
const twoTasks = "cross-entropy(glyph,label)+cross-entropy(turn,turned)"

// twoHeads is a ResNet-8 that says of an image which glyph it is and how it was turned: by
// quarters, of the samples, which get a second label.
func twoHeads(b *bench, seed uint64) (*graph.Graph, error) {
	r := rand.New(rand.NewPCG(seed, 0x7047))
	for _, s := range []*dataset.Set{b.data.Train, b.data.Test} {
		x := s.X()
		turned := &dataset.Field{Name: "turned", Classes: 4}
		n := x.Shape[1]
		for i := range s.Len() {
			k := r.IntN(4)
			turned.Ints = append(turned.Ints, int32(k))
			image := x.Floats[i*n*n : (i+1)*n*n]
			for range k {
				was := append([]float32{}, image...)
				for a := range n {
					for c := range n {
						image[c*n+n-1-a] = was[a*n+c]
					}
				}
			}
		}
		s.Fields = append(s.Fields, turned)
	}
	g, err := zoo.New("resnet8-b", zoo.Options{In: []int{1, 8, 8}, Seed: seed, Width: .5})
	if err != nil {
		return nil, err
	}
	first := g.Outputs[0]
	features := first.From.In(0)
	w := tensor.New(tensor.Float32, 4, features.Shape[1].Mul)
	for i := range w.F32() {
		w.F32()[i] = float32(.1 * r.NormFloat64())
	}
	build := op.NewBuilder(g, "turn")
	y := build.Attr("Gemm", []graph.Attr{graph.MakeAttr("transB", 1)}, features, g.Const("turn.weight", w, graph.Param), g.Const("turn.bias", tensor.New(tensor.Float32, 4), graph.Param))
	first.Name, y.Name = "glyph", "turn"
	g.Outputs = append(g.Outputs, y)
	op.Classify(g)
	return g, build.Err()
}
