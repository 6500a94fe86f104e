package coreset

import (
	"context"
	_ "embed"
	"math"

	"pare/catalog"
	"pare/data"
	"pare/internal/kernel"
)

// Herding keeps samples whose mean is that of all: of each class, where samples have one.
type Herding struct {
	data.Amount
	Stratified bool `flag:"stratified" doc:"the same share of every class stays, and each has its own mean"`
}

//go:embed herding.md
var herdingDoc string

// NewHerding is the method at half of the samples, class by class.
func NewHerding() *Herding { return &Herding{Amount: data.Amount{Keep: .5}, Stratified: true} }

// Card describes the method.
func (*Herding) Card() *catalog.Card {
	return &catalog.Card{Name: "herding", Title: "Samples whose mean stays near that of all", Noun: "data", Doc: herdingDoc, Cuts: "samples", Needs: catalog.Samples,
		Paper: "Welling: Herding Dynamical Weights to Learn (ICML 2009); by classes as in Rebuffi, Kolesnikov, Sperl, Lampert: iCaRL (CVPR 2017), arXiv 1611.07725"}
}

// Run chooses.
func (s *Herding) Run(ctx context.Context, j *data.Job) (*data.Result, error) {
	m, err := s.Count(j.Set.Len())
	if err != nil {
		return nil, err
	}
	e, err := j.NeedsEmbeddings()
	if err != nil {
		return nil, err
	}
	class := data.Classes(j.Set)
	if !s.Stratified || class == nil {
		class = make([]int32, e.N)
	}
	var places []int
	for _, g := range shares(class, m) {
		chosen, err := herd(ctx, e, g.of, g.m)
		if err != nil {
			return nil, err
		}
		places = append(places, chosen...)
	}
	return &data.Result{Subset: data.Keep(j.Set, places)}, nil
}

// group is samples of which m stay.
type group struct {
	of []int
	m  int
}

// shares are the groups that samples are in, each with its share of m.
func shares(class []int32, m int) (out []group) {
	order := make([]int, len(class))
	at := map[int32]int{}
	for i, c := range class {
		order[i] = i
		if _, ok := at[c]; !ok {
			at[c] = len(out)
			out = append(out, group{})
		}
		g := &out[at[c]]
		g.of = append(g.of, i)
	}
	for _, i := range within(order, class)[:m] {
		out[at[class[i]]].m++
	}
	return out
}

// herd takes m samples, each time the one that brings the mean of those taken nearest to
// that of all: it minimises |t*mean - (sum + x)| for the t-th.
func herd(ctx context.Context, e *data.Embeddings, of []int, m int) ([]int, error) {
	mean := make([]float64, e.D)
	for _, i := range of {
		for k, v := range e.At(i) {
			mean[k] += float64(v) / float64(len(of))
		}
	}
	length := make([]float64, len(of))
	for q, i := range of {
		length[q] = kernel.Dot(e.At(i), e.At(i))
	}
	want := make([]float64, e.D) // t*mean - sum
	taken := make([]bool, len(of))
	var out []int
	for len(out) < m {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		best, least := -1, math.Inf(1)
		for k := range want {
			want[k] += mean[k]
		}
		for q, i := range of {
			if taken[q] {
				continue
			}
			dot := 0.0
			for k, v := range e.At(i) {
				dot += float64(v) * want[k]
			}
			if d := length[q] - 2*dot; d < least { // |want-x|², less what is the same for all
				best, least = q, d
			}
		}
		taken[best] = true
		out = append(out, of[best])
		for k, v := range e.At(of[best]) {
			want[k] -= float64(v)
		}
	}
	return out, nil
}

// KCentre keeps samples that lie around all others: the next is always the farthest from
// those that stay.
type KCentre struct {
	data.Amount
}

//go:embed kcentre.md
var kcentreDoc string

// NewKCentre is the method at half of the samples.
func NewKCentre() *KCentre { return &KCentre{data.Amount{Keep: .5}} }

// Card describes the method.
func (*KCentre) Card() *catalog.Card {
	return &catalog.Card{Name: "k-centre", Title: "Samples that leave none far away, chosen greedily", Noun: "data", Doc: kcentreDoc, Cuts: "samples", Needs: catalog.Samples,
		Paper: "Sener, Savarese: Active Learning for Convolutional Neural Networks: A Core-Set Approach (ICLR 2018), arXiv 1708.00489; Gonzalez (1985)"}
}

// KCentreFacts are how far samples are from those that stay.
type KCentreFacts struct {
	Radius float64 `json:"radius"` // of the farthest
}

// Run chooses. The first is the one nearest to the mean of all.
func (s *KCentre) Run(ctx context.Context, j *data.Job) (*data.Result, error) {
	m, err := s.Count(j.Set.Len())
	if err != nil {
		return nil, err
	}
	e, err := j.NeedsEmbeddings()
	if err != nil {
		return nil, err
	}
	near := make([]float64, e.N) // squared distance to the nearest that stays; negative: it stays
	for i := range near {
		near[i] = math.Inf(1)
	}
	var places []int
	for at := first(e); len(places) < m; at = kernel.Argmax(near) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		places = append(places, at)
		for i, had := range near {
			near[i] = min(had, square(e.At(i), e.At(at)))
		}
		near[at] = -1
	}
	return &data.Result{Subset: data.Keep(j.Set, places), Facts: &KCentreFacts{math.Sqrt(max(0, near[kernel.Argmax(near)]))}}, nil
}

func square(x, y []float32) float64 {
	s := 0.0
	for k, v := range x {
		d := float64(v) - float64(y[k])
		s += d * d
	}
	return s
}

// first is the sample nearest to the mean.
func first(e *data.Embeddings) int {
	mean, sum := make([]float32, e.D), make([]float64, e.D)
	for i := range e.N {
		for k, v := range e.At(i) {
			sum[k] += float64(v)
		}
	}
	for k := range sum {
		mean[k] = float32(sum[k] / float64(e.N))
	}
	best, least := 0, math.Inf(1)
	for i := range e.N {
		s := square(e.At(i), mean)
		if s < least {
			best, least = i, s
		}
	}
	return best
}
