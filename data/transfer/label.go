package transfer

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"slices"

	"pare/catalog"
	"pare/data"
	"pare/dataset"
	"pare/internal/kernel"
	"pare/train"
)

// LabelMapping keeps the classes of the source that a network trained on them takes samples
// of the target for.
type LabelMapping struct{ Classes }

//go:embed label.md
var labelDoc string

// NewLabelMapping is the method at half of the classes.
func NewLabelMapping() *LabelMapping { return &LabelMapping{Classes{Share: .5, Which: "top"}} }

// Card describes the method.
func (*LabelMapping) Card() *catalog.Card {
	return &catalog.Card{ID: "39", Name: "label-mapping", Title: "Classes of a source that a target task's samples are taken for (DP4TL)", Noun: "data", Doc: labelDoc, Cuts: "classes", Needs: catalog.Labels, Paper: paper}
}

// batch is the number of samples that are looked at together.
const batch = 128

// Run chooses.
func (s *LabelMapping) Run(ctx context.Context, j *data.Job) (*data.Result, error) {
	class, err := labels(j)
	if err != nil {
		return nil, err
	}
	targets, err := j.NeedsTargets()
	if err != nil {
		return nil, err
	}
	if j.Surrogate == nil {
		return nil, catalog.Errorf("votes are those of a network that knows the source: give {Surrogate}, a small one trained on {Data}")
	}
	b := newBallot(j.Set.Class().Classes)
	for _, t := range targets {
		b.target()
		if err := b.ask(ctx, j, t); err != nil {
			return nil, err
		}
	}
	res, err := s.choose(ctx, j, b, class, "classes")
	if err == nil {
		res.Subset.Classes = res.Facts.(*Facts).Kept
	}
	return res, err
}

// labels are the classes of the source's samples. Sets held out of it have no others.
func labels(j *data.Job) ([]int32, error) {
	class, err := j.NeedsClasses("label mapping votes for the labelled classes of the source; feature-mapping with {Clusters} needs none")
	if err != nil {
		return nil, err
	}
	y := j.Set.Class()
	there := make([]bool, y.Classes)
	for i, c := range class {
		if c < 0 || int(c) >= y.Classes {
			return nil, catalog.Errorf("sample %d of {Data} has no class: label mapping needs one for each; feature-mapping with {Clusters} needs none", j.Set.Number(i))
		}
		there[c] = true
	}
	for _, h := range j.Held {
		for _, c := range data.Classes(h) {
			if c >= 0 && (int(c) >= len(there) || !there[c]) {
				return nil, catalog.Errorf("{Data}: the %s set has samples of class %d, and the training set has none", h.Name, c)
			}
		}
	}
	return class, nil
}

// ask lets the surrogate say which class it takes each sample of a target for. Of equal
// votes the higher mean probability decides.
func (b *ballot) ask(ctx context.Context, j *data.Job, t *data.Target) error {
	classes := len(b.tie)
	given, soft := make([]float64, classes), make([]float64, classes) // sums of what is given, and of its softmax
	probabilities := true
	at := 0
	err := train.NewEval(t.Set, j.Norm, batch, j.Engine).Outputs(ctx, j.Surrogate, func(out []float32, width int) error {
		if width != classes {
			return catalog.Errorf("{Surrogate} gives %d numbers for a sample, and {Data} has %d classes: give a network that was trained on all of them", width, classes)
		}
		for ; len(out) > 0; out, at = out[width:], at+1 {
			x := out[:width]
			if k := slices.IndexFunc(x, func(v float32) bool { return v-v != 0 }); k >= 0 {
				return fmt.Errorf("it gives %v for sample %d", x[k], t.Set.Number(at))
			}
			best := kernel.Argmax(x)
			b.vote(best)
			low, sum, total := math.Inf(1), 0., 0.
			for c, v := range x {
				given[c] += float64(v)
				low, sum = min(low, float64(v)), sum+float64(v)
				total += math.Exp(float64(v) - float64(x[best]))
			}
			for c, v := range x {
				soft[c] += math.Exp(float64(v)-float64(x[best])) / total
			}
			probabilities = probabilities && low >= 0 && math.Abs(sum-1) < 1e-3
		}
		return nil
	})
	var named *catalog.Error
	switch {
	case err != nil && (ctx.Err() != nil || errors.As(err, &named)):
		return err
	case err != nil:
		return catalog.Errorf("{Target} %s cannot be shown to the {Surrogate}: %v", t.Name, err)
	}
	if probabilities {
		soft = given
	}
	for c := range b.tie {
		b.tie[c] += soft[c] / float64(t.Set.Len())
	}
	return nil
}

// held says whether there are samples beside the training set's.
func held(sets []*dataset.Set) bool {
	return slices.ContainsFunc(sets, func(s *dataset.Set) bool { return s.Len() > 0 })
}
