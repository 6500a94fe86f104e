package calibrated

import (
	_ "embed"

	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/calibrate"

	"gonum.org/v1/gonum/mat"
)

// DSnoT exchanges weights that stay for weights that were cut, without training.
type DSnoT struct {
	Sparsity  float64          `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	Pattern   allocate.Pattern `flag:"pattern" doc:"what is cut: single weights (empty), or N:M such as 2:4 (N of every M inputs stay)"`
	Initial   string           `flag:"initial" choice:"magnitude,wanda,sparsegpt" doc:"what rates the weights of the first mask, row by row: magnitude, wanda, or sparsegpt (w² / U_ii², weights do not move)"`
	Cycles    int              `flag:"cycles" range:"[0,)" doc:"exchanges of weights in each row of outputs, at most; 0: the first mask stays"`
	Threshold float64          `flag:"threshold" range:"[0,)" doc:"a row is done when what its output misses on average, summed over the positions of a sample, is not larger"`
	Power     float64          `flag:"power" range:"[0,)" doc:"power of an input's variance by which the gain of growing its weight is divided; 0: the variance does not count"`
	SameSign  bool             `flag:"same-sign" doc:"end a row before the exchange that would turn the sign of what its output misses; N:M always does"`
	Skip      []string         `flag:"skip" kind:"patterns" doc:"weights whose names match one of these patterns keep their first mask"`
	Inputs
	Samples
}

//go:embed dsnot.md
var dsnotDoc string

var dsnotCard = &catalog.Card{
	Name: "dsnot", Noun: "model", Title: "Masks that are exchanged without training (DSnoT)",
	Paper: "Zhang, Zhao, Lin, Sun, Yao, Han, Tanner, Liu, Ji: Dynamic Sparse No Training: Training-Free Fine-tuning for Sparse LLMs (2023). arXiv 2310.08915",
	Cuts:  "weights, N:M groups", Needs: catalog.Samples, Doc: dsnotDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "magnitude activation iterative regrow none retrain", Supervision: "unlabelled labels", Fusion: "none"},
}

// NewDSnoT gives the method with its defaults.
func NewDSnoT() *DSnoT {
	return &DSnoT{Sparsity: .5, Initial: "wanda", Cycles: 50, Threshold: .1, Power: 1, Inputs: Inputs{"block"}, Samples: Samples{Samples: 128}}
}

// Card describes the method.
func (*DSnoT) Card() *catalog.Card { return dsnotCard }

// DSnoTFacts says how much of the first masks was exchanged.
type DSnoTFacts struct {
	Exchanged int `json:"exchanged"` // weights that stay in the place of others
	Kept      int `json:"kept"`      // weights that stay in all
	Rows      int `json:"rows"`      // rows of outputs that were looked at
	Changed   int `json:"changed"`   // of them, those whose mask changed
}

// Run cuts block after block, or layer after layer, exchanges what is cut, and fine-tunes.
func (s *DSnoT) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := s.tiles(); err != nil {
		return nil, err
	}
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, w := range ws {
		names = append(names, w.Name)
	}
	if err := s.skips(names); err != nil {
		return nil, err
	}
	facts := &DSnoTFacts{}
	res, err := s.each(ctx, j, s.looks(), func(c *cut) (*prune.Mask, error) { return s.pick(c, facts) })
	if err != nil {
		return nil, err
	}
	res.Facts = facts
	facts.tell(res)
	return res, nil
}

// ByPart cuts a part of a network in the same way.
func (s *DSnoT) ByPart() (*model.PartCut, error) {
	if err := s.tiles(); err != nil {
		return nil, err
	}
	by := s.byPart(s.looks(), nil)
	by.Cut = func(ctx context.Context, p *model.Part) (*model.PartResult, error) {
		facts := &DSnoTFacts{}
		done, err := s.byPart(s.looks(), func(_ context.Context, c *cut) (*prune.Mask, error) { return s.pick(c, facts) }).Cut(ctx, p)
		if err == nil {
			done.Counts = map[string]int{"exchanged": facts.Exchanged, "kept": facts.Kept, "rows": facts.Rows, "changed": facts.Changed}
		}
		return done, err
	}
	by.Named = s.skips
	by.Tell = func(res *model.Result, n map[string]int) {
		(&DSnoTFacts{n["exchanged"], n["kept"], n["rows"], n["changed"]}).tell(res)
	}
	return by, nil
}

// tell says how much was exchanged.
func (f *DSnoTFacts) tell(res *model.Result) {
	res.Note("%d of %d weights that stay were exchanged for others, in %d of %d rows of outputs", f.Exchanged, f.Kept, f.Changed, f.Rows)
}

// tiles refuses what cannot be exchanged.
func (s *DSnoT) tiles() error {
	if s.Pattern.H > 0 {
		return catalog.Errorf("{Pattern} %v: single weights are exchanged, or those of N:M groups; method wanda cuts tiles", s.Pattern)
	}
	return nil
}

// skips returns an error where a pattern of weights that keep their first mask matches none.
func (s *DSnoT) skips(names []string) error {
	for _, p := range s.Skip {
		if _, err := prune.Matching(p, names); err != nil {
			return catalog.Errorf("{Skip}: %v", err)
		}
	}
	return nil
}

// pick chooses what stays of a layer, and exchanges it.
func (s *DSnoT) pick(c *cut, facts *DSnoTFacts) (*prune.Mask, error) {
	score := make([]float32, c.Weight.Len())
	for _, m := range c.of {
		if err := s.rate(c, m, score); err != nil {
			return nil, err
		}
	}
	mask := c.byRow(score, s.Sparsity)
	if s.Pattern.M > 0 {
		if err := s.groups(c, score, mask); err != nil {
			return nil, err
		}
	}
	facts.Kept += mask.Count()
	if len(s.Skip) > 0 && (prune.Scope{Include: s.Skip}).Match(c.Weight.Name) {
		return mask, nil
	}
	for _, m := range c.of {
		r := newExchange(s, m, c.samples)
		for o := range m.Outs {
			n := r.row(c.Weight.Data(), score, mask, func(k int) int { return m.At(o, k) })
			facts.Exchanged += n
			facts.Rows++
			if n > 0 {
				facts.Changed++
			}
		}
	}
	return mask, nil
}

// groups makes of a mask the one that keeps N of every M inputs.
func (s *DSnoT) groups(c *cut, score []float32, mask *prune.Mask) error {
	for _, m := range c.of {
		row := make([]float32, m.Cols)
		for o := range m.Outs {
			for k := range row {
				row[k] = score[m.At(o, k)]
			}
			kept, err := prune.Nm(row, 1, m.Cols, s.Pattern.N, s.Pattern.M)
			if err != nil {
				return err
			}
			for k := range row {
				mask.Set(m.At(o, k), kept.Kept(k))
			}
		}
	}
	return nil
}

// dampFirst is the share of the mean of the second moments' diagonal that is added to it
// for a first mask by sparsegpt.
const dampFirst = .01

// rate writes the scores of the first mask.
func (s *DSnoT) rate(c *cut, m *calibrate.Moments, score []float32) error {
	by := make([]float64, m.Cols)
	for k := range by {
		by[k] = 1
		if s.Initial == "wanda" {
			by[k] = math.Sqrt(m.Squares[k])
		}
	}
	if s.Initial == "sparsegpt" {
		w := mat.NewDense(m.Outs, m.Cols, nil) // what becomes of it is left alone
		u, err := (&SparseGPT{Damp: dampFirst}).factor(w, m)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Weight.Name, err)
		}
		for k := range by {
			if by[k] = 1 / u.At(k, k); m.Squares[k] == 0 {
				by[k] = 0
			}
		}
	}
	for o := range m.Outs {
		for k := range m.Cols {
			f := float64(c.Weight.Data()[m.At(o, k)]) * by[k]
			score[m.At(o, k)] = float32(math.Abs(f))
		}
	}
	return nil
}

// exchange is what rows of a group of a layer have in common.
type exchange struct {
	*DSnoT
	mean     []float64 // of the inputs, summed over the positions of a sample
	variance []float64 // to the power by which growth is divided
	loud     []float64 // norms of the inputs
}

func newExchange(s *DSnoT, m *calibrate.Moments, samples int) *exchange {
	r := &exchange{DSnoT: s}
	for k := range m.Cols {
		mean := m.X[k] / float64(m.Rows)
		r.mean = append(r.mean, m.X[k]/float64(samples))
		r.variance = append(r.variance, math.Pow(math.Max(0, m.Squares[k]/float64(m.Rows)-mean*mean), s.Power))
		r.loud = append(r.loud, math.Sqrt(m.Squares[k]))
	}
	return r
}

// row exchanges weights of a row of outputs, one pair at a time, so that the output misses
// less on average of
//
//	Σ W_k E[X_k], over what is cut
//
// What grows is the cut weight of the largest W_k E[X_k] / Var(X_k)^power in the direction
// of what is missing; a partner goes. It returns the number of pairs.
func (r *exchange) row(w, score []float32, mask *prune.Mask, at func(k int) int) int {
	cols := len(r.mean)
	part := make([]float64, cols) // what an input brings to the output on average
	kept := make([]bool, cols)
	missing := 0.0
	for k := range part {
		part[k], kept[k] = float64(w[at(k)])*r.mean[k], mask.Kept(at(k))
		if !kept[k] {
			missing += part[k]
		}
	}
	first := sign(missing)
	grow := r.growing(part, kept)
	var cuts partner
	if g := r.Pattern.M; g > 0 {
		cuts = neighbours(g, kept, func(k int) float32 { return score[at(k)] })
	} else {
		cuts = r.others(part, kept, func(k int) float64 { return math.Abs(float64(w[at(k)])) * r.loud[k] })
	}
	n := 0
	for range r.Cycles {
		if math.Abs(missing) <= r.Threshold {
			break
		}
		up, ok := grow(missing > 0)
		if !ok {
			break
		}
		down, ok := cuts(up, missing > 0)
		if !ok {
			if r.Pattern.M > 0 {
				continue // its group has nothing left to give; others may
			}
			break
		}
		then := missing + part[down] - part[up]
		if (r.SameSign || r.Pattern.M > 0) && sign(then) != first {
			break
		}
		mask.Set(at(up), true)
		mask.Set(at(down), false)
		missing = then
		n++
	}
	return n
}

// growing gives, one after the other, what is cut and would lessen an error that is
// positive, or negative: the largest gain for its variance first.
func (r *exchange) growing(part []float64, kept []bool) func(positive bool) (int, bool) {
	var order []int
	gain := make([]float64, len(part))
	for k, p := range part {
		if !kept[k] && p != 0 {
			order = append(order, k)
			gain[k] = p / r.variance[k]
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(gain[a], gain[b]) })
	lo, hi := 0, len(order)-1
	return func(positive bool) (int, bool) {
		if positive && hi >= 0 && part[order[hi]] > 0 {
			hi--
			return order[hi+1], true
		}
		if !positive && lo < len(order) && part[order[lo]] < 0 {
			lo++
			return order[lo-1], true
		}
		return 0, false
	}
}

// partner gives the weight that goes where another grows.
type partner func(grown int, positive bool) (int, bool)

// others goes through what stays and would lessen the error when cut, from the lowest
// |w| |x| on.
func (r *exchange) others(part []float64, kept []bool, rate func(k int) float64) partner {
	var order []int
	size := make([]float64, len(part))
	for k := range part {
		if kept[k] {
			order = append(order, k)
			size[k] = rate(k)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(size[a], size[b]) })
	var next [2]int
	return func(_ int, positive bool) (int, bool) {
		side, want := 0, -1.0
		if !positive {
			side, want = 1, 1
		}
		for next[side] < len(order) {
			k := order[next[side]]
			next[side]++
			if part[k]*want > 0 {
				return k, true
			}
		}
		return 0, false
	}
}

// neighbours gives of the group of what grows the weight of the lowest score that was kept
// from the first and is still there.
func neighbours(group int, kept []bool, score func(k int) float32) partner {
	left := slices.Clone(kept)
	return func(grown int, _ bool) (int, bool) {
		best := -1
		for k := grown / group * group; k < min(grown/group*group+group, len(left)); k++ {
			if left[k] && (best < 0 || score(k) < score(best)) {
				best = k
			}
		}
		if best < 0 {
			return 0, false
		}
		left[best] = false
		return best, true
	}
}

func sign(x float64) int { return cmp.Compare(x, 0) }

// looks says how layers are looked at.
func (s *DSnoT) looks() looks {
	l := s.Inputs.looks()
	l.whole = s.Initial == "sparsegpt"
	return l
}
