package reproduce

import (
	"context"
	"fmt"
	"math/rand/v2"

	"pare/dataset"
	"pare/engine"
	"pare/evidence"
	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/model/structured"
	"pare/tensor"
	"pare/train"
	"pare/train/objective"
	"pare/zoo"
)

var pagcp = &evidence.Experiment{
	ID: "19", Name: "pagcp",
	About: "ResNet-8 of 8, 16 and 32 channels with two outputs on Glyph(2, 0.4): which glyph an image is and by how many quarters it was turned, trained 10 epochs on three quarters of the samples; channels cut to 65 % of the multiply-accumulates without training after: judged by the loss of each task on the other quarter, judged by that of the glyph alone, the same share of every group, and by norm in one ranking.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := glyphs(2, .4, 2000, seed, put)
		g, err := twoHeads(b, seed)
		if err != nil {
			return err
		}
		r := model.Recipe{Epochs: 10, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4, Loss: twoTasks}
		whole := b.data
		part := *whole
		if part.Train, part.Val, err = whole.Train.Split(.25, seed); err != nil {
			return err
		}
		b.data = &part
		if err := b.trained(ctx, g, r); err != nil {
			return err
		}
		if err := b.bothTasks(ctx, "dense", g); err != nil {
			return err
		}
		r.Epochs = 0
		both, one, even, norm := structured.NewPAGCP(), structured.NewPAGCP(), structured.NewChannels(), structured.NewChannels()
		const x = .65
		both.MACs, one.MACs, even.MACs, norm.MACs = x, x, x, x
		both.Rounds, one.Rounds, both.Relax, one.Relax = 1, 1, 1.2, 1.2
		one.Judges = func(output string) bool { return output == "glyph" }
		even.Even, even.Score, norm.Score, even.Round, norm.Round = true, "norm", "norm", 1, 1
		for _, a := range []arm{{"pagcp", both}, {"one task", one}, {"one share", even}, {"norm", norm}} {
			j := b.job(g, r)
			j.Data.Val = part.Val
			res, err := model.Run(ctx, a.m, j)
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			if err := b.bothTasks(ctx, a.name, res.Graph); err != nil {
				return err
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("judged by both tasks the worse one is 4 points above cuts that one task judges", "worst pagcp", "worst one task", 4, "worst one task"),
		evidence.Beats("and the mean of both 4 points", "mean pagcp", "mean one task", 4, "mean one task"),
	},
	Asks: []evidence.Comparison{
		{Text: "losses, not one share of every group: the worse task", Method: "worst pagcp", Without: "worst one share"},
		{Text: "losses, not one ranking by norm: the worse task", Method: "worst pagcp", Without: "worst norm"},
	},
}

// bothTasks puts the accuracies of both tasks' worse one and of their mean.
func (b *bench) bothTasks(ctx context.Context, name string, g *graph.Graph) error {
	worst, mean := 1., 0.
	for _, task := range []string{"cross-entropy(glyph,label)", "cross-entropy(turn,turned)"} {
		o, err := objective.Parse(task)
		if err != nil {
			return err
		}
		e := train.NewEval(b.data.Test, b.data.Norm, 200, engine.Options{Threads: 1})
		e.Judge = train.Judge{Objective: o}
		m, err := e.Run(ctx, g)
		if err != nil {
			return err
		}
		worst, mean = min(worst, m.Value()), mean+m.Value()/2
	}
	b.put("worst "+name, worst)
	b.put("mean "+name, mean)
	return nil
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
