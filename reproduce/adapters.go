package reproduce

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"pare/continual"
	"pare/dataset"
	"pare/engine"
	"pare/evidence"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/measure"
	"pare/model"
	"pare/model/structured"
	"pare/tensor"
	"pare/zoo"
)

var adapters = &evidence.Experiment{
	ID: "53", Name: "adapters",
	About: "Continual inference: a network of six convolutions over time (64 channels, kernels of 6, 31 frames reached) learns keywords, patterns of 12 frames in noise, on windows of 31 frames; its step network and, for every window anew, the network itself run on a stream of 400 frames, and so does the step network whose state is forgotten. Products and time are those of one prediction. Adapters: a ResNet-8 (16 to 64 channels) trained on the digits 0 to 4 is adapted to the digits 5 to 9 while 80 or 90 % of the channels are cut in 4 steps: SPLoRA of rank 8, the weights themselves trained (fine-tuning), and adapters that stay as drawn, so that biases and normalisation alone are trained. That adapters are better than fine-tuning at 90 % is not shown at this scale.",
	Seeds: 3,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		if err := keywordStream(ctx, seed, put); err != nil {
			return err
		}
		return otherClasses(ctx, seed, put)
	},
	Claims: []evidence.Claim{
		{Text: "on a stream the step network predicts what the network does for every window", Method: "step", Without: []string{"forgetful"}, Side: evidence.AtLeast, Bound: 100, Figure: percent("agreement")},
		{Text: "with an eighth of the multiply-accumulates at most", Method: "step", Without: []string{"window"}, Side: evidence.AtMost, Bound: 100. / 8, Figure: percent("multiply-accumulates")},
		{Text: "in half of the time at most", Method: "step", Without: []string{"window"}, Side: evidence.AtMost, Bound: 50, Figure: percent("time")},
		{Text: "adapters are half of what fine-tuning learns at most, at 80 % of the channels cut", Method: "splora 80", Without: []string{"fine-tuning 80"}, Side: evidence.AtMost, Bound: 50, Figure: percent("learned")},
		evidence.Near("and within 10 points of it", "splora 80", "fine-tuning 80", 10, "still 80"),
	},
	Asks: []evidence.Comparison{
		{Text: "adapters, not the weights themselves, at 80 %", Method: "splora 80", Without: "fine-tuning 80"},
		{Text: "adapters, not the weights themselves, at 90 %", Method: "splora 90", Without: "fine-tuning 90"},
	},
}

// percent is a figure in percent that was put as "(what) arm".
func percent(what string) evidence.Figure {
	return evidence.Figure{Unit: "%", Of: func(v evidence.Values, arm string) (out []float64) {
		for _, x := range v["("+what+") "+arm] {
			out = append(out, 100*x)
		}
		return out
	}}
}

// keywords are patterns over channels and frames.
type keywords struct {
	r        *rand.Rand
	patterns [][]float32 // [channels, length]
}

const (
	keyChannels, keyLength, keyClasses = 8, 12, 4 // the last class is noise alone
	keyWindow                          = 31
)

func newKeywords(seed uint64) *keywords {
	k := &keywords{r: rand.New(rand.NewPCG(seed, 0x4e79))}
	for range keyClasses - 1 {
		p := make([]float32, keyChannels*keyLength)
		for i := range p {
			p[i] = float32(k.r.NormFloat64())
		}
		k.patterns = append(k.patterns, p)
	}
	return k
}

// sound is noise of so many frames, [channels, frames], with a keyword from a frame on.
func (k *keywords) sound(x []float32, frames, class, at int) {
	if class < len(k.patterns) {
		for c := range keyChannels {
			for t := range keyLength {
				x[c*frames+at+t] += k.patterns[class][c*keyLength+t]
			}
		}
	}
}

func (k *keywords) noise(frames int) []float32 {
	x := make([]float32, keyChannels*frames)
	for i := range x {
		x[i] = float32(k.r.NormFloat64())
	}
	return x
}

// set is windows with their classes.
func (k *keywords) set(n int) *dataset.Set {
	x := &dataset.Field{Name: "x", Shape: []int{keyChannels, keyWindow, 1}}
	y := &dataset.Field{Name: "label", Classes: keyClasses}
	for i := range n {
		one := k.noise(keyWindow)
		k.sound(one, keyWindow, i%keyClasses, k.r.IntN(keyWindow-keyLength+1))
		x.Floats, y.Ints = append(x.Floats, one...), append(y.Ints, int32(i%keyClasses))
	}
	return dataset.New("keywords", x, y)
}

// keywordNet reaches 31 frames with six kernels of 6, without padding.
func keywordNet(seed uint64) (*graph.Graph, error) {
	g := graph.New("keywords", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: append(graph.Shape{graph.Sym("N")}, graph.Dims(keyChannels, keyWindow, 1)...)}
	g.Inputs = []*graph.Value{x}
	b, r := op.NewBuilder(g, "net"), rand.New(rand.NewPCG(seed, 0x4e7))
	weight := func(name string, shape ...int) *graph.Value {
		w := tensor.New(tensor.Float32, shape...)
		for i := range w.F32() {
			w.F32()[i] = float32(math.Sqrt(2/float64(w.Len()/shape[0])) * r.NormFloat64())
		}
		return g.Const(name, w, graph.Param)
	}
	in := keyChannels
	for i := range 6 {
		const k = 6
		x = b.Op("Relu", b.Attr("Conv", []graph.Attr{graph.MakeAttr("kernel_shape", []int{k, 1})}, x, weight(fmt.Sprintf("conv%d.weight", i), 64, in, k, 1), g.Const(fmt.Sprintf("conv%d.bias", i), tensor.New(tensor.Float32, 64), graph.Param)))
		in = 64
	}
	x = b.Attr("Gemm", []graph.Attr{graph.MakeAttr("transB", 1)}, b.Op("Flatten", x), weight("head.weight", keyClasses, 64), g.Const("head.bias", tensor.New(tensor.Float32, keyClasses), graph.Param))
	if err := b.Err(); err != nil {
		return nil, err
	}
	x.Name = "logits"
	g.Outputs = []*graph.Value{x}
	return g, op.InferAll(g)
}

// keywordStream trains on windows and runs on a stream.
func keywordStream(ctx context.Context, seed uint64, put func(string, float64)) error {
	k := newKeywords(seed)
	b := &bench{&dataset.Data{Train: k.set(1200), Test: k.set(400), Norm: dataset.Raw}, seed, put}
	g, err := keywordNet(seed)
	if err != nil {
		return err
	}
	if err := b.trained(ctx, g, model.Recipe{Epochs: 4, Batch: 50, LR: .02, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 1e-4}); err != nil {
		return err
	}
	if err := b.dense(ctx, "windows", g); err != nil {
		return err
	}
	o := continual.Options{Axes: map[string]int{"x": 2}}
	s, err := continual.Convert(g, o)
	if err != nil {
		return err
	}
	if err := compareStream(ctx, k, g, s, put); err != nil {
		return err
	}
	cost, err := measure.Streamed(ctx, g, s, 1, 15, 10*time.Millisecond, engine.Options{Threads: 1})
	if err != nil {
		return err
	}
	put("(multiply-accumulates) step", float64(cost.StepMACs)/float64(cost.ClipMACs))
	put("(multiply-accumulates) window", 1)
	put("(time) step", cost.Ratio.Median)
	put("(time) window", 1)
	return nil
}

// compareStream puts the share of frames at which step network and network predict alike.
func compareStream(ctx context.Context, k *keywords, g *graph.Graph, s *continual.Step, put func(string, float64)) error {
	const frames = 400
	x := k.noise(frames)
	for at := 10; at+keyLength < frames; at += 15 + k.r.IntN(30) {
		k.sound(x, frames, k.r.IntN(keyClasses), at)
	}
	whole := tensor.From(x, 1, keyChannels, frames, 1)
	p, err := engine.Compile(g, map[string]int{"N": 1}, engine.Options{Threads: 1, Freeze: true})
	if err != nil {
		return err
	}
	defer p.Close()
	var streams [2]*continual.Stream
	for i := range streams {
		if streams[i], err = continual.NewStream(s, 1, engine.Options{Threads: 1}); err != nil {
			return err
		}
		defer streams[i].Close()
	}
	agree, all := [2]int{}, 0
	for t := range frames {
		frame := map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 1, keyChannels, 1, 1)}
		for c := range keyChannels {
			frame["x"].F32()[c] = whole.F32()[c*frames+t]
		}
		streams[1].Reset()
		for _, r := range streams {
			if _, err := r.Push(ctx, frame); err != nil {
				return err
			}
		}
		if t < s.Delay {
			continue
		}
		for c := range keyChannels {
			copy(p.Input("x").F32()[c*keyWindow:][:keyWindow], whole.F32()[c*frames+t-keyWindow+1:])
		}
		if err := p.RunContext(ctx); err != nil {
			return err
		}
		want := kernel.Argmax(p.Output("logits").F32())
		all++
		for i, r := range streams {
			if valid := r.Valid("logits"); (i > 0 || valid[0] > .5) && kernel.Argmax(r.Output("logits").F32()) == want {
				agree[i]++
			}
		}
	}
	put("(agreement) step", float64(agree[0])/float64(all))
	put("(agreement) forgetful", float64(agree[1])/float64(all))
	return nil
}

// classesOf keeps the samples of five classes, as classes 0 to 4.
func classesOf(s *dataset.Set, from int) *dataset.Set {
	x, y := *s.X(), &dataset.Field{Name: "label", Classes: 5}
	n := x.Size()
	floats := x.Floats
	x.Floats = nil
	for i := range s.Len() {
		c := int(s.Label(i)) - from
		if c < 0 || c >= 5 {
			continue
		}
		k := i
		if s.Index != nil {
			k = int(s.Index[i])
		}
		x.Floats, y.Ints = append(x.Floats, floats[k*n:(k+1)*n]...), append(y.Ints, int32(c))
	}
	return dataset.New(fmt.Sprintf("classes from %d", from), &x, y)
}

// otherClasses adapts a network to other digits than it was trained on, while channels are
// cut.
func otherClasses(ctx context.Context, seed uint64, put func(string, float64)) error {
	b, err := digits(seed, put)
	if err != nil {
		return err
	}
	all := b.data
	of := func(from int) *dataset.Data {
		return &dataset.Data{Train: classesOf(all.Train, from), Test: classesOf(all.Test, from), Norm: all.Norm}
	}
	b.data = of(0)
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: seed, Classes: 5})
	if err != nil {
		return err
	}
	r := model.Recipe{Epochs: 10, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
	if err := b.trained(ctx, g, r); err != nil {
		return err
	}
	if err := b.dense(ctx, "source", g); err != nil {
		return err
	}
	b.data = of(5)
	r.Epochs, r.LR = 24, .05
	for _, cut := range []int{80, 90} {
		for _, name := range []string{"splora", "fine-tuning", "still"} {
			m := structured.NewAdapters()
			m.Adapter, m.Warm, m.Steps, m.MACs, m.Round, m.Least = "splora:8", 6, 4, 0, 1, 0
			m.Widths = []string{fmt.Sprintf("*=%v", 1-float64(cut)/100)}
			m.Whole, m.Still = name == "fine-tuning", name == "still"
			arm := fmt.Sprintf("%s %d", name, cut)
			res, err := model.Run(ctx, m, b.job(g, r))
			if err != nil {
				return fmt.Errorf("%s: %w", arm, err)
			}
			x, err := b.accuracy(ctx, res.Graph)
			if err != nil {
				return err
			}
			put(arm, x)
			switch facts := res.Facts.(*structured.AdaptersFacts); name {
			case "splora":
				put("(learned) "+arm, float64(facts.Learned)/float64(facts.Tuned))
			case "fine-tuning":
				put("(learned) "+arm, 1)
			}
		}
	}
	return nil
}
