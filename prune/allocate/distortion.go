package allocate

import (
	"context"
	"fmt"
	"math"
	"slices"

	"pare/engine"
	"pare/graph"
	"pare/prune"
	"pare/tensor"
)

// Probe measures how much the network's output moves when one layer is cut
// (Xu et al. 2023, arXiv 2308.10438): rate-distortion curves.
type Probe struct {
	Graph  *graph.Graph                  // its weights are cut in place, and put back
	Of     map[*graph.Value]*graph.Value // what weights are called in Graph, where it is a copy of their network; nil: it is none
	Points int                           // D: amounts d/D for d = 0..D
	Worst  bool                          // the largest distortion of a sample in place of the mean
	Least  float64                       // share of its weights that a layer keeps at least
	Batch  int                           // samples at once
	// Fill writes batch i into the graph's inputs and gives its samples: fewer than Batch
	// at the end, then 0.
	Fill   func(i int, x []*tensor.Tensor) (int, error)
	Engine engine.Options
}

// Curves measures the curve of every weight,
//
//	delta(d) = mean over samples and outputs of (f(x; W) - f(x; W cut))^2,
//
// f before a final softmax, normalisation with its running statistics. The cut
// ones are the lowest by score (ties: the lowest index). Entries that the masks
// have cut already cost nothing, so the first point is what is left; the last one
// is as many weights as the layer has outputs, or the share Least, whichever is more.
// Curves are made monotone by their running maximum. It returns an error where
// there is no sample or an output is not finite.
//
// Only what depends on a layer is computed again for its points.
func (p *Probe) Curves(ctx context.Context, m *prune.Masks, score [][]float32) ([]Curve, error) {
	if p.Points < 2 {
		return nil, fmt.Errorf("%d points a curve: at least 2 are needed", p.Points)
	}
	if !(p.Least >= 0 && p.Least < 1) {
		return nil, fmt.Errorf("the least share %v that a layer keeps is outside [0,1)", p.Least)
	}
	out := make([]Curve, len(m.Weights))
	for l, w := range m.Weights {
		t, err := p.tail(w)
		if err != nil {
			return nil, err
		}
		order := cheapest(m.Mask[l], score[l])
		c := p.points(w, len(order))
		err = p.measure(ctx, t, w, order, &c)
		t.close()
		if err != nil {
			return nil, fmt.Errorf("rate-distortion curve of %q: %w", w.Name, err)
		}
		out[l] = c
	}
	return out, nil
}

// cheapest lists the entries that are not cut yet in the order in which they go.
func cheapest(m *prune.Mask, score []float32) []int32 {
	var keys []uint64 // the score's bits, which order as it does, before the index
	for i, x := range score {
		if m.Kept(i) {
			u := math.Float32bits(x)
			if u>>31 != 0 {
				u = ^u
			} else {
				u |= 1 << 31
			}
			keys = append(keys, uint64(u)<<32|uint64(i))
		}
	}
	slices.Sort(keys)
	out := make([]int32, len(keys))
	for i, k := range keys {
		out[i] = int32(k)
	}
	return out
}

// points are the numbers that are kept, from all that are left down.
func (p *Probe) points(w *prune.Weight, left int) Curve {
	n := w.Len()
	floor := max(w.Outputs(), int(math.Ceil(p.Least*float64(n))))
	c := Curve{Keep: []int{left}}
	for d := 1; d <= p.Points; d++ {
		k := n - int(float64(n)*float64(d)/float64(p.Points))
		if k >= floor && k < c.Keep[len(c.Keep)-1] {
			c.Keep = append(c.Keep, k)
		}
	}
	if c.Keep[len(c.Keep)-1] > floor {
		c.Keep = append(c.Keep, floor)
	}
	c.Distortion = make([]float64, len(c.Keep))
	return c
}

// measure fills in the distortions.
func (p *Probe) measure(ctx context.Context, t *tail, w *prune.Weight, order []int32, c *Curve) error {
	x := w.Data()
	whole := append([]float32{}, x...)
	defer copy(x, whole)
	samples, err := p.batches(ctx, t, func(want []float32, per int) error {
		cut := 0
		for d := 1; d < len(c.Keep); d++ {
			for ; len(order)-cut > c.Keep[d]; cut++ {
				x[order[cut]] = 0
			}
			y, err := t.run()
			if err != nil {
				return err
			}
			worst, sum := squares(want, y, per)
			if p.Worst {
				c.Distortion[d] = max(c.Distortion[d], worst)
			} else {
				c.Distortion[d] += sum
			}
		}
		copy(x, whole)
		return nil
	})
	if err != nil {
		return err
	}
	for d := 1; d < len(c.Keep); d++ {
		if !p.Worst {
			c.Distortion[d] /= float64(samples)
		}
		if math.IsNaN(c.Distortion[d]) || math.IsInf(c.Distortion[d], 0) {
			return fmt.Errorf("the output is not finite with %d weights", c.Keep[d])
		}
		c.Distortion[d] = max(c.Distortion[d], c.Distortion[d-1])
	}
	return nil
}

// Distortion is how far the output moves when all masks are applied at once, as
// Curves measures it for one layer. The weights are put back.
func (p *Probe) Distortion(ctx context.Context, m *prune.Masks) (float64, error) {
	t, err := p.tail(m.Weights...)
	if err != nil {
		return 0, err
	}
	defer t.close()
	whole := make([][]float32, len(m.Weights))
	for l, w := range m.Weights {
		whole[l] = append([]float32{}, w.Data()...)
	}
	back := func() {
		for l, w := range m.Weights {
			copy(w.Data(), whole[l])
		}
	}
	defer back()
	var top, all float64
	samples, err := p.batches(ctx, t, func(want []float32, per int) error {
		m.Apply()
		y, err := t.run()
		if err != nil {
			return err
		}
		worst, sum := squares(want, y, per)
		top, all = max(top, worst), all+sum
		back()
		return nil
	})
	if p.Worst {
		return top, err
	}
	return all / float64(samples), err
}

// batches gives f the outputs of the network as it is, batch by batch, and how
// many each sample has. It returns the number of samples.
func (p *Probe) batches(ctx context.Context, t *tail, f func(want []float32, per int) error) (int, error) {
	samples := 0
	var want []float32
	for i := 0; ; i++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := p.Fill(i, t.inputs)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			break
		}
		if err := t.feed(); err != nil {
			return 0, err
		}
		y, err := t.run()
		if err != nil {
			return 0, err
		}
		if len(y) == 0 || len(y)%p.Batch != 0 {
			return 0, fmt.Errorf("%d outputs do not belong to %d samples", len(y), p.Batch)
		}
		per := len(y) / p.Batch
		want = append(want[:0], y[:n*per]...)
		for _, v := range want {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return 0, fmt.Errorf("the network's output on calibration batch %d is not finite", i)
			}
		}
		if err := f(want, per); err != nil {
			return 0, err
		}
		samples += n
	}
	if samples == 0 {
		return 0, fmt.Errorf("there is no calibration sample")
	}
	return samples, nil
}

// squares is the mean squared difference of a sample's outputs: the largest of
// all samples, and the sum.
func squares(a, b []float32, per int) (worst, sum float64) {
	for i := 0; i < len(a); i += per {
		s := 0.0
		for k := i; k < i+per; k++ {
			d := float64(a[k]) - float64(b[k])
			s += d * d
		}
		s /= float64(per)
		worst, sum = max(worst, s), sum+s
	}
	return worst, sum
}
