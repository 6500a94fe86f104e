package metric

import (
	"fmt"
	"math"
)

var (
	kParam     = Param{Name: "k", Default: "10", Range: "[1,)", Whole: true, Doc: "how many items are shown"}
	hitMetric  = recommendMetric("hit-rate", "share of samples whose item is among the k of the highest scores; of equal scores the item is the last", "%", []Param{kParam}, func(int) float64 { return 1 })
	ndcgMetric = recommendMetric("ndcg", "normalised discounted cumulative gain, 1/log2(1 + rank) of the item among the k highest scores (Järvelin and Kekäläinen 2002); of equal scores the item is the last", "", []Param{kParam}, func(rank int) float64 { return 1 / math.Log2(1+float64(rank)) })
	mrrMetric  = recommendMetric("mrr", "mean of 1/rank of the item by its score; of equal scores the item is the last", "", nil, func(rank int) float64 { return 1 / float64(rank) })
)

func recommendMetric(name, doc, unit string, params []Param, gain func(rank int) float64) *Metric {
	return define(&Metric{Name: name, Doc: doc, Unit: unit, Higher: true,
		Outputs: []string{"output"}, Targets: []string{"item"}, Target: Classes, Params: append(params, axisParam, ignoreParam)},
		func(p Params) state {
			return &gains{labelling: newLabelling(p), k: p.Whole("k", math.MaxInt), hit: name == "hit-rate", of: gain}
		})
}

// gains sums what the ranks of the right items gain.
type gains struct {
	labelling
	k   int
	hit bool // all that counts is that the item is shown
	of  func(rank int) float64
	sum float64
	n   int
}

func (g *gains) add(b *batch) error {
	s, err := g.labelling.of(b)
	if err != nil {
		return err
	}
	if s.width < 2 {
		return fmt.Errorf("%s of shape %v has one score: a score for each item is needed", b.out[0].name, b.out[0].shape)
	}
	if g.hit && g.k >= s.width {
		return fmt.Errorf("k=%d of the %d items of %s is never wrong: a smaller k is needed", g.k, s.width, b.out[0].name)
	}
	for r := range s.labels {
		y, ok, err := s.label(r, g.ignore)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		first, step := s.row(r)
		own, rank := s.f[first+y*step], 0
		for c := range s.width {
			if s.f[first+c*step] >= own {
				rank++ // itself too
			}
		}
		g.n++
		if rank <= g.k {
			g.sum += g.of(rank)
		}
	}
	return nil
}

func (g *gains) value() (float64, error) {
	if g.n == 0 {
		return share(0, 0)
	}
	return g.sum / float64(g.n), nil
}
