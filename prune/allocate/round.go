package allocate

import (
	"fmt"
	"math"

	"pare/prune"
)

// Round cuts a share of what is left, as a round of iterative pruning does: of
// the n entries that layer l keeps, the round(rate[l]*n) of the lowest scores. It
// returns new masks within m (of equal scores the lowest index goes first), or an
// error where a rate is outside [0,1) or nothing would be left of a layer.
func Round(m *prune.Masks, score [][]float32, rate []float64) (*prune.Masks, error) {
	out := &prune.Masks{Weights: m.Weights}
	for l, w := range m.Weights {
		n := m.Mask[l].Count()
		cut, err := Cut(n, rate[l])
		if err != nil {
			return nil, fmt.Errorf("%s: a round cuts a share in [0,1) of what is left, not %v", w.Name, rate[l])
		}
		if cut == n && n > 0 {
			return nil, empty(w, n, rate[l])
		}
		out.Mask = append(out.Mask, prune.TopK(within(m.Mask[l], score[l]), n-cut, prune.CutFirst))
	}
	return out, nil
}

// RoundGlobal ranks what is left of the layers that part names together and cuts
// round(rate*n) of their n entries; the others stay as they are.
func RoundGlobal(m *prune.Masks, score [][]float32, rate float64, part []bool) (*prune.Masks, error) {
	out := m.Clone()
	var at []int
	var sc [][]float32
	n := 0
	for l := range m.Weights {
		if part[l] {
			n += m.Mask[l].Count()
			at, sc = append(at, l), append(sc, within(m.Mask[l], score[l]))
		}
	}
	cut, err := Cut(n, rate)
	if err != nil {
		return nil, fmt.Errorf("a round cuts a share in [0,1) of what is left, not %v", rate)
	}
	masks, err := prune.Global(sc, n-cut, nil)
	if err != nil {
		return nil, err
	}
	for i, l := range at {
		if k := m.Mask[l].Count(); k > 0 && masks[i].Count() == 0 {
			return nil, empty(m.Weights[l], k, rate)
		}
		out.Mask[l] = masks[i]
	}
	return out, nil
}

func empty(w *prune.Weight, n int, rate float64) error {
	return fmt.Errorf("nothing would be left of %s, of which %d entries are, at a rate of %v: prune in fewer rounds, at a lower rate, or exclude the layer", w.Name, n, rate)
}

// within is the score of what a mask keeps, and lowest for the rest.
func within(m *prune.Mask, score []float32) []float32 {
	out := make([]float32, len(score))
	for i, s := range score {
		if out[i] = s; !m.Kept(i) {
			out[i] = float32(math.Inf(-1))
		}
	}
	return out
}
