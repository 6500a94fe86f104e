package score

import (
	"context"
	_ "embed"
	"fmt"
	"math"

	"pare/catalog"
	"pare/data"
	"pare/train"
)

//go:embed confidence.md
var confidenceDoc string

// byOutput is a score of what a network gives for a sample.
type byOutput struct {
	name, title string
	hard        data.End
	of          func(p []float64, label int) float64 // probabilities of the classes
}

const settles = "Settles: Active Learning Literature Survey (2009); as scores of training sets in Coleman et al.: Selection via Proxy (ICLR 2020), arXiv 1906.11829"

// Card describes the method.
func (s *byOutput) Card() *catalog.Card {
	return &catalog.Card{Name: s.name, Title: s.title, Noun: "data", Doc: confidenceDoc, Cuts: "nothing: it scores samples", Needs: catalog.Labels, Paper: settles}
}

// Run scores: the mean over the job's networks, as they are used, without augmentation.
func (s *byOutput) Run(ctx context.Context, j *data.Job) (*data.Result, error) {
	if err := j.NeedsNetworks(); err != nil {
		return nil, err
	}
	out := make([]float64, j.Set.Len())
	for _, g := range j.Networks {
		e := train.NewEval(j.Set, j.Norm, 128, j.Engine)
		e.Objective = j.Loss.Objective
		at := 0
		var p []float64
		_, err := e.Scores(ctx, g, func(scores []float32, labels []int64, width int) error {
			if at+len(labels) > len(out) {
				return fmt.Errorf("the network gives scores for more than one place of a sample: scores are of samples with one class each")
			}
			for i, y := range labels {
				if y < 0 || int(y) >= width {
					return fmt.Errorf("label %d of sample %d is outside the network's %d outputs", y, at, width)
				}
				p = softmax(scores[i*width:(i+1)*width], p[:0])
				out[at] += s.of(p, int(y)) / float64(len(j.Networks))
				at++
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return &data.Result{Score: data.NewScore(j.Set, s.hard, out)}, nil
}

// softmax appends the probabilities that scores stand for.
func softmax(x []float32, to []float64) []float64 {
	best, sum := x[0], 0.0
	for _, v := range x {
		best = max(best, v)
	}
	for _, v := range x {
		e := math.Exp(float64(v) - float64(best))
		to = append(to, e)
		sum += e
	}
	for i := range to {
		to[i] /= sum
	}
	return to
}

// two are the highest probabilities.
func two(p []float64) (first, second float64) {
	for _, v := range p {
		if v > first {
			first, second = v, first
		} else if v > second {
			second = v
		}
	}
	return first, second
}

const tiny = 1e-10 // beside a probability whose logarithm is taken

// Entropy scores samples by the entropy of what the network gives, in nats.
type Entropy struct{ byOutput }

// NewEntropy is the method; it has no settings.
func NewEntropy() *Entropy {
	return &Entropy{byOutput{"entropy", "Entropy of the classes that a network gives", data.High, func(p []float64, _ int) float64 {
		s := 0.0
		for _, v := range p {
			s -= v * math.Log(v+tiny)
		}
		return s
	}}}
}

// Margin scores samples by how far the most probable class is above the next.
type Margin struct{ byOutput }

// NewMargin is the method; it has no settings.
func NewMargin() *Margin {
	return &Margin{byOutput{"margin", "Probability of the most probable class less that of the next", data.Low, func(p []float64, _ int) float64 {
		first, second := two(p)
		return first - second
	}}}
}

// LeastConfidence scores samples by how far the most probable class is from certain.
type LeastConfidence struct{ byOutput }

// NewLeastConfidence is the method; it has no settings.
func NewLeastConfidence() *LeastConfidence {
	return &LeastConfidence{byOutput{"least-confidence", "What the most probable class lacks of certainty", data.High, func(p []float64, _ int) float64 {
		first, _ := two(p)
		return 1 - first
	}}}
}

// Loss scores samples by their cross-entropy, in nats.
type Loss struct{ byOutput }

// NewLoss is the method; it has no settings.
func NewLoss() *Loss {
	return &Loss{byOutput{"loss", "Cross-entropy of a sample in a trained network", data.High, func(p []float64, label int) float64 { return -math.Log(p[label] + tiny) }}}
}
