package quantise

import (
	"context"

	"pare/graph"
	"pare/prune/calibrate"
	"pare/tensor"
)

// CorrectBias moves the bias of every layer, in the order in which the network reaches
// them, so that what each of its channels gives is on average over the samples what it
// gives in float, with all before it rounded and corrected (Nagel, van Baalen, Blankevoort,
// Welling 2019, arXiv 1906.04721, the empirical way). Layers that add no constant stay.
// It returns the number of channels that were moved.
func (p *Plan) CorrectBias(ctx context.Context, batches calibrate.Batches, opt calibrate.Options) (channels int, err error) {
	var ls []*Layer
	var outs []*graph.Value
	for _, n := range p.Graph.Nodes { // their order
		for _, l := range p.Layers {
			if l.Node == n && l.bias != nil {
				ls, outs = append(ls, l), append(outs, n.Out(0))
			}
		}
	}
	if len(ls) == 0 {
		return 0, nil
	}
	walk, err := calibrate.NewWalk(p.Graph, batches, opt)
	if err != nil {
		return 0, err
	}
	want := make([]mean, len(ls))
	if err := look(ctx, walk, outs, func(i int, t *tensor.Tensor) error { want[i].add(t, ls[i]); return nil }); err != nil {
		return 0, err
	}
	f, err := p.fake()
	if err != nil {
		return 0, err
	}
	if walk, err = calibrate.NewWalk(f.Graph, batches, opt); err != nil {
		return 0, err
	}
	for i, l := range ls {
		got := mean{}
		v := walk.View([]*graph.Value{f.of[outs[i]]}, f.node[l.Node])
		for b := range walk.Batches() {
			t, err := v.Run(ctx, b)
			if err != nil {
				v.Close()
				return channels, err
			}
			got.add(t[0], l)
		}
		v.Close()
		channels += l.move(want[i].of(), got.of(), f.bias[l].Const.F32())
	}
	return channels, nil
}

// move adds what is missing to the bias, and puts it, rounded, into that of the network
// that is walked.
func (l *Layer) move(want, got []float64, rounded []float32) int {
	b := l.bias.Const.Clone() // the file's own stays
	for c := range b.F32() {
		b.F32()[c] += float32(want[c] - got[c])
	}
	l.bias.Const = b
	if l.integral() {
		b = l.biasRounded()
	}
	copy(rounded, b.F32())
	return len(rounded)
}

// mean sums up what each channel gives.
type mean struct {
	sum []float64
	n   int
}

// add takes the output of a layer, whose channels are its second axis, or the last.
func (m *mean) add(t *tensor.Tensor, l *Layer) {
	n, inner := l.outs(), 1
	if m.sum == nil {
		m.sum = make([]float64, n)
	}
	if l.convolves() {
		for _, k := range t.Shape[2:] {
			inner *= k
		}
	}
	for i, v := range t.F32() {
		m.sum[i/inner%n] += float64(v)
	}
	m.n += t.Len() / n
}

// of are the means.
func (m *mean) of() []float64 {
	out := make([]float64, len(m.sum))
	for c, s := range m.sum {
		out[c] = s / float64(max(1, m.n))
	}
	return out
}
