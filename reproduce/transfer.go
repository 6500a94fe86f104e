package reproduce

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"pare/data"
	"pare/data/transfer"
	"pare/dataset"
	"pare/engine"
	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/zoo"
)

// What the experiment is made of.
const (
	sourceClasses = 20
	sourceSamples = 60 // of each class
	targetShots   = 10
	targetTests   = 100
	targetNoise   = .3 // beside the source's own
	sourceEpochs  = 20
)

// preTraining is the recipe on the source, probing that of the last layer alone.
var (
	preTraining = model.Recipe{Epochs: sourceEpochs, Batch: 25, LR: .05, Schedule: "cosine", Optimizer: "nesterov", Momentum: .9, Decay: 5e-4}
	probing     = model.Recipe{Epochs: 60, Batch: 25, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9}
)

var labelMapping = &evidence.Experiment{
	ID: "39", Name: "label-mapping",
	About: "The source has 20 classes of Glyph(2, 0.6), of two draws of prototypes, 60 samples each; the target is ten of them, drawn by the seed, with fresh samples of more noise (0.3 is added): ten a class to learn from, a hundred to test. An MLP 64-100-30-20 trained on all of the source for 20 epochs is the surrogate (weak: for 4). The same network, with as many outputs as classes stay, is trained for 20 epochs on ten classes by label mapping, by feature mapping (means of classes), by those with the fewest votes, on any ten, on half of the samples of each class, and on all; accuracies are those of a linear probe on its last hidden layer, trained on the target's hundred samples. The time of a pre-training is its steps, as a share of those on all. That feature mapping is within 1.5 points of label mapping is not shown: the mean of a class of two prototypes is near neither, and in some seeds one of the ten classes is missed.",
	Seeds: 48,
	Run:   transfers,
	Claims: []evidence.Claim{
		evidence.Beats("half of the classes by label mapping are no more than a point below all", "label mapping", "all", -1, "random classes", "bottom"),
		evidence.Beats("they beat any classes by 10 points", "label mapping", "random classes", 10, "random classes", "bottom"),
		evidence.Beats("they beat those with the fewest votes by 20 points", "label mapping", "bottom", 20, "random classes", "bottom"),
		evidence.Beats("by feature mapping they beat any classes by 10 points", "feature mapping", "random classes", 10, "random classes", "bottom"),
		{Text: "the pre-training takes at most 0.6 of the steps", Method: "label mapping", Without: []string{"all"}, Figure: named("(steps) "), Side: evidence.AtMost, Bound: .6},
		{Text: "a surrogate of a fifth of the epochs keeps the same classes but for one", Method: "weak surrogate", Without: []string{"random classes", "bottom"}, Figure: named("(shared) "), Side: evidence.AtLeast, Bound: sourceClasses/2 - 1},
	},
	Asks: []evidence.Comparison{
		{Text: "votes by labels, not by features", Method: "label mapping", Without: "feature mapping"},
		{Text: "classes, not as many samples of all", Method: "label mapping", Without: "random samples"},
		{Text: "half of the classes for as many steps as all", Method: "label mapping, equal steps", Without: "all"},
	},
}

// transfers runs the experiment.
func transfers(ctx context.Context, seed uint64, put func(string, float64)) error {
	source, target := sourceAndTarget(seed)
	b := &bench{&dataset.Data{Train: source, Norm: dataset.Raw}, seed, put}
	full, err := b.preTrained(ctx, source, sourceEpochs)
	if err != nil {
		return err
	}
	if err := b.probe(ctx, "all", full, target, source, sourceEpochs); err != nil {
		return err
	}
	weak, err := b.preTrained(ctx, source, sourceEpochs/5)
	if err != nil {
		return err
	}
	classes := map[string][]int32{}
	for _, a := range []struct {
		name  string
		by    *graph.Graph
		which string
		fm    bool
	}{{"label mapping", full, "top", false}, {"feature mapping", full, "top", true}, {"bottom", full, "bottom", false}, {"random classes", full, "random", false}, {"weak surrogate", weak, "top", false}} {
		s, err := b.mapped(ctx, a.by, target.Train, a.which, a.fm)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		classes[a.name] = s.Classes
		put("(shared) "+a.name, float64(common(s.Classes, classes["label mapping"])))
		if a.name == "weak surrogate" {
			continue
		}
		if err := b.learnt(ctx, a.name, s, target, sourceEpochs); err != nil {
			return err
		}
		if a.name == "label mapping" {
			if err := b.learnt(ctx, a.name+", equal steps", s, target, 2*sourceEpochs); err != nil {
				return err
			}
		}
	}
	half := fixed(.5)
	half.Stratified = true
	res, err := data.Run(ctx, half, &data.Job{Set: source, Seed: seed})
	if err != nil {
		return err
	}
	return b.learnt(ctx, "random samples", res.Subset, target, sourceEpochs)
}

// sourceAndTarget are the source, and the target that has half of its classes.
func sourceAndTarget(seed uint64) (*dataset.Set, *dataset.Data) {
	half := sourceClasses / 2
	r := rand.New(rand.NewPCG(seed, 0x39))
	chosen := r.Perm(sourceClasses)[:half]
	sets := map[string]*dataset.Field{}
	labels := map[string]*dataset.Field{}
	for _, name := range []string{"source", "train", "test"} {
		sets[name], labels[name] = &dataset.Field{Name: "x", Shape: []int{1, 8, 8}}, &dataset.Field{Name: "label", Classes: half}
	}
	labels["source"].Classes = sourceClasses
	add := func(to string, from *dataset.Set, i int, label int, noise float64) {
		for _, v := range from.X().Floats[i*64 : (i+1)*64] {
			sets[to].Floats = append(sets[to].Floats, v+float32(noise*r.NormFloat64()))
		}
		labels[to].Ints = append(labels[to].Ints, int32(label))
	}
	for draw := range 2 {
		tr, te := dataset.Glyph(2, .6, half*sourceSamples, half*(targetShots+targetTests), seed+uint64(draw)<<32)
		for i := range tr.Len() {
			add("source", tr, i, draw*half+int(tr.Label(i)), 0)
		}
		for i := range te.Len() {
			k := slices.Index(chosen, draw*half+int(te.Label(i)))
			switch {
			case k < 0:
			case i/half < targetShots:
				add("train", te, i, k, targetNoise)
			default:
				add("test", te, i, k, targetNoise)
			}
		}
	}
	of := func(name string) *dataset.Set { return dataset.New(name, sets[name], labels[name]) }
	return of("source"), &dataset.Data{Train: of("train"), Test: of("test"), Norm: dataset.Raw}
}

// preTrained is a network that was trained on a set, with an output for each class.
func (b *bench) preTrained(ctx context.Context, set *dataset.Set, epochs int) (*graph.Graph, error) {
	g, err := b.mlp(64, 100, 30, set.Class().Classes)
	if err != nil {
		return nil, err
	}
	r := preTraining
	r.Epochs = epochs
	j := &model.Job{Graph: g, Data: &dataset.Data{Train: set, Norm: b.data.Norm}, Recipe: r, Seed: b.seed, Engine: engine.Options{Threads: 1}}
	_, err = j.Fit(ctx, g)
	return g, err
}

// mapped is what stays of the source, half of its classes, by a surrogate.
func (b *bench) mapped(ctx context.Context, surrogate *graph.Graph, target *dataset.Set, which string, features bool) (*data.Subset, error) {
	o := engine.Options{Threads: 1}
	t := &data.Target{Name: "target", Set: target}
	j := &data.Job{Set: b.data.Train, Norm: b.data.Norm, Seed: b.seed, Engine: o, Surrogate: surrogate, Targets: []*data.Target{t}}
	lm, fm := transfer.NewLabelMapping(), transfer.NewFeatureMapping()
	lm.Which = which
	var m data.Method = lm
	if features {
		m = fm
		var err error
		if j.Embeddings, _, err = data.Embed(ctx, surrogate, "", j.Set, j.Norm, o); err != nil {
			return nil, err
		}
		if t.Embeddings, _, err = data.Embed(ctx, surrogate, "", target, j.Norm, o); err != nil {
			return nil, err
		}
	}
	res, err := data.Run(ctx, m, j)
	if err != nil {
		return nil, err
	}
	return res.Subset, nil
}

// learnt puts how good a network that was trained on what stays is for the target.
func (b *bench) learnt(ctx context.Context, name string, s *data.Subset, target *dataset.Data, epochs int) error {
	set, err := s.Select(b.data.Train)
	if err != nil {
		return err
	}
	g, err := b.preTrained(ctx, set, epochs)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return b.probe(ctx, name, g, target, set, epochs)
}

// probe puts the test accuracy of a layer that is trained on what a network's last layer is
// given, and the steps of the network's training.
func (b *bench) probe(ctx context.Context, name string, g *graph.Graph, target *dataset.Data, of *dataset.Set, epochs int) error {
	o := engine.Options{Threads: 1}
	d := &dataset.Data{Norm: dataset.Raw}
	for from, to := range map[*dataset.Set]**dataset.Set{target.Train: &d.Train, target.Test: &d.Test} {
		e, _, err := data.Embed(ctx, g, "", from, b.data.Norm, o)
		if err != nil {
			return err
		}
		*to = dataset.New(from.Name, &dataset.Field{Name: "x", Shape: []int{e.D}, Floats: e.X}, from.Class())
	}
	head, err := zoo.New(fmt.Sprintf("mlp:%d-%d", d.Train.X().Size(), d.Train.Class().Classes), zoo.Options{In: d.Train.X().Shape, Seed: b.seed})
	if err != nil {
		return err
	}
	p := &bench{d, b.seed, b.put}
	if err := p.trained(ctx, head, probing); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.put("(steps) "+name, float64(epochs*of.Len())/float64(sourceEpochs*b.data.Train.Len()))
	return p.dense(ctx, name, head)
}

// common is the number of classes that are in both.
func common(a, b []int32) (n int) {
	for _, c := range a {
		if slices.Contains(b, c) {
			n++
		}
	}
	return n
}
