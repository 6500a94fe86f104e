package search

import (
	"fmt"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/prune"
	"pare/prune/structure"
)

// evalBatch is the number of samples that run at once.
const evalBatch = 64

// mostNumbers bounds the features that are kept of a set, which take four bytes each.
var mostNumbers = 1 << 28

// within gives as many samples of a set as their features may be kept of.
func (e *emo) within(of []*graph.Value, set *dataset.Set) (*dataset.Set, error) {
	_, at := op.OneSample(e.dense)
	width := 0
	for _, v := range of {
		width += at[v].Shape.Size(1, len(v.Shape)).Mul
	}
	n := mostNumbers / max(1, width)
	if n >= set.Len() {
		return set, nil
	}
	if n < heldLeast {
		return nil, catalog.Errorf("%d numbers pass between the sub-networks for each sample, too many to be kept: give fewer {Subnetworks}, or 1", width)
	}
	return set.Draw(n, e.job.Seed), nil
}

// features runs a network on samples and keeps values of it.
func (e *emo) features(g *graph.Graph, of []*graph.Value, set *dataset.Set) (*model.Features, error) {
	return e.job.Features(e.ctx, g, of, set, e.job.Data.Norm)
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// distance adds up how far other features are from these: of each value the square of the
// difference, as a share of its own squares. Where positions of a value are gone they count
// as zeros. The mean of the values.
type distance struct {
	of   *model.Features
	at   [][]int // by value: the positions in a sample that are there; nil: all
	sum  []float64
	kept []float64 // squares of what is there
	i    int       // the next sample
}

// against begins a comparison with features of which positions are kept.
func against(f *model.Features, kept structure.Kept) *distance {
	d := &distance{of: f, sum: make([]float64, len(f.X)), kept: make([]float64, len(f.X))}
	for k, name := range f.Names {
		d.at = append(d.at, positions(f.Shapes[k], kept[name]))
	}
	return d
}

// positions lists the numbers of a sample that masks of a value's axes, the first of which
// is the batch's, keep; nil: all.
func positions(shape []int, masks []*prune.Mask) []int {
	if !slices.ContainsFunc(masks, func(m *prune.Mask) bool { return m != nil }) {
		return nil
	}
	at := []int{0}
	for d, n := range shape {
		var next []int
		for _, p := range at {
			for i := range n {
				if d+1 >= len(masks) || masks[d+1] == nil || masks[d+1].Kept(i) {
					next = append(next, p*n+i)
				}
			}
		}
		at = next
	}
	return at
}

// add compares samples, of each of which all values stand together.
func (d *distance) add(out []float32) error {
	for len(out) > 0 {
		for k, s := range d.of.Shapes {
			n := size(s)
			want := d.of.X[k][d.i*n : (d.i+1)*n]
			if at := d.at[k]; at == nil {
				d.pair(k, want, out[:n])
				out = out[n:]
			} else {
				if len(out) < len(at) {
					return fmt.Errorf("%q has other positions than those that are kept", d.of.Names[k])
				}
				for i, p := range at {
					d.pair(k, want[p:p+1], out[i:i+1])
				}
				out = out[len(at):]
			}
		}
		d.i++
	}
	return nil
}

func (d *distance) pair(k int, want, is []float32) {
	for i, t := range want {
		x := float64(is[i]) - float64(t)
		d.sum[k] += x * x
		d.kept[k] += float64(t) * float64(t)
	}
}

// value is what was added up.
func (d *distance) value() float64 {
	mean := 0.0
	for k, x := range d.sum {
		if whole := d.of.Energy[k]; whole > 0 {
			mean += (x + max(0, whole-d.kept[k])) / whole / float64(len(d.sum))
		}
	}
	return mean
}
