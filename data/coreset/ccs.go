package coreset

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"math"
	"slices"

	"pare/catalog"
	"pare/data"
)

// CCS keeps samples of every difficulty but the very hardest.
type CCS struct {
	data.Amount
	Cutoff float64 `flag:"cutoff" range:"[0,1)" auto:"-1" doc:"share of the samples that goes first, the very hardest (beta): more where more is cut and where labels are wrong; auto: that of 0, 0.1 … 0.5 that a pilot learns most from"`
	Strata int     `flag:"strata" range:"[1,)" doc:"intervals of equal width of the score, from each of which as many samples are drawn"`
}

//go:embed ccs.md
var ccsDoc string

// NewCCS is the method at a tenth of the samples.
func NewCCS() *CCS { return &CCS{Amount: data.Amount{Keep: .1}, Cutoff: .3, Strata: 50} }

// Card describes the method.
func (*CCS) Card() *catalog.Card {
	return &catalog.Card{ID: "31", Name: "ccs", Title: "Coverage-centric selection: strata of difficulty without the very hardest", Noun: "data", Doc: ccsDoc, Cuts: "samples", Needs: catalog.Trains,
		Paper: "Zheng, Liu, Lai, Prakash: Coverage-centric Coreset Selection for High Pruning Rates (ICLR 2023), arXiv 2210.15809"}
}

// CCSFacts are what was chosen from.
type CCSFacts struct {
	CutOff int   `json:"cut_off"` // samples that went for being the hardest
	Filled int   `json:"filled"`  // strata that have samples
	Sizes  []int `json:"sizes"`   // of the strata, from the lowest score
	Kept   []int `json:"kept"`    // of them

	Pilot []Tried `json:"pilot,omitempty"` // of each cut-off, where they were tried
}

// cutoffs are those that a pilot tries; autoCutoff asks for one.
var cutoffs = []float64{0, .1, .2, .3, .4, .5}

const autoCutoff = -1

// Run chooses.
func (s *CCS) Run(ctx context.Context, j *data.Job) (*data.Result, error) {
	n := j.Set.Len()
	m, err := s.Count(n)
	if err != nil {
		return nil, err
	}
	c := &choice{m: m, most: s.Strata}
	if off := s.off(n, s.Cutoff); s.Cutoff != autoCutoff && m > n-off {
		return nil, catalog.Errorf("{Keep}: %d samples are to stay, and {Cutoff} %v leaves %d of %d: keep %.4g at most", m, s.Cutoff, n-off, n, float64(n-off)/float64(n))
	}
	if c.by, err = j.NeedsScore(); err != nil { // higher is harder
		return nil, err
	}
	if j.Cut != nil {
		if c.by, err = j.Cut.Hardness(j.Set); err != nil {
			return nil, err
		}
	}
	if c.value, err = j.Score.On(j.Set); err != nil {
		return nil, err
	}
	if s.Cutoff == autoCutoff {
		return s.try(ctx, j, c)
	}
	return c.at(j, s.off(n, s.Cutoff)), nil
}

// off is the number of samples that go first.
func (s *CCS) off(n int, cutoff float64) int { return int(cutoff*float64(n) + 1e-9) }

// try keeps what a pilot learns most from.
func (s *CCS) try(ctx context.Context, j *data.Job, c *choice) (*data.Result, error) {
	if j.Pilot == nil {
		return nil, catalog.Errorf("{Cutoff} auto is chosen by short trainings: give {Pilot}, a network for them, or a number")
	}
	var best *data.Result
	var p pilot
	n := j.Set.Len()
	for _, x := range cutoffs {
		off := s.off(n, x)
		if c.m > n-off {
			break
		}
		res := c.at(j, off)
		better, err := p.try(ctx, j, fmt.Sprint(x), res.Subset)
		if err != nil {
			return nil, err
		}
		if better {
			best = res
		}
	}
	best.Facts.(*CCSFacts).Pilot = p.tried
	best.Note("{Cutoff} %s: %s", p.tried[p.best].Choice, p.said())
	return best, nil
}

// choice is what samples are chosen by: m of them.
type choice struct {
	m, most int       // most: strata
	by      []float64 // the hardness that is cut off by
	value   []float64 // the score that strata divide
}

// at chooses when the hardest are off.
func (c *choice) at(j *data.Job, off int) *data.Result {
	rest := data.Order(c.by)[off:]
	slices.Sort(rest)
	strata := strata(c.value, rest, c.most)
	sizes := make([]int, len(strata))
	for q, of := range strata {
		sizes[q] = len(of)
	}
	kept := budgets(sizes, c.m)
	r := draw(j.Seed, ccsSeed)
	var places []int
	for q, of := range strata {
		r.Shuffle(len(of), func(a, b int) { of[a], of[b] = of[b], of[a] })
		places = append(places, of[:kept[q]]...)
	}
	res := &data.Result{Subset: data.Keep(j.Set, places)}
	facts := &CCSFacts{CutOff: off, Sizes: sizes, Kept: kept}
	for _, k := range sizes {
		if k > 0 {
			facts.Filled++
		}
	}
	res.Facts = facts
	if facts.Filled == 1 {
		res.Note("all samples are as hard as each other by score %s: what stays is drawn at random", j.Score.Name)
	} else {
		res.Note("%d of %d strata have samples", facts.Filled, c.most)
	}
	if j.Cut == nil && j.Score.Name != "aum" && off > 0 {
		res.Note("the very hardest are cut off by score %s itself; the paper cuts by AUM ({Cut} gives another score)", j.Score.Name)
	}
	return res
}

// strata divides the range of the scores of some samples into k intervals of equal
// width, closed below, the last closed above. Samples that were never learnt are in the
// last.
func strata(value []float64, places []int, k int) [][]int {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, i := range places {
		if v := value[i]; !math.IsInf(v, 0) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	out := make([][]int, k)
	for _, i := range places {
		q := 0
		if v := value[i]; math.IsInf(v, 1) {
			q = k - 1
		} else if hi > lo {
			q = min(k-1, int((v-lo)/(hi-lo)*float64(k)))
		}
		out[q] = append(out[q], i)
	}
	return out
}

// budgets shares m out between strata of given sizes: the smallest first, each as much as
// all that are left would get, and what a small one has not is for the others.
func budgets(sizes []int, m int) []int {
	order := make([]int, len(sizes))
	for q := range order {
		order[q] = q
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sizes[a], sizes[b]) })
	out := make([]int, len(sizes))
	for q, at := range order {
		out[at] = min(sizes[at], m/(len(sizes)-q))
		m -= out[at]
	}
	return out
}
