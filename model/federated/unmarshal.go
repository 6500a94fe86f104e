package federated

import (
	"pare/prune"
	"pare/train"
)

// mask reads the mask of n entries.
func (r *reader) mask(name string, n int) *prune.Mask {
	m := prune.NewMask(n, false)
	switch form := r.byte(); form {
	case maskBits:
		for i, b := range r.take((n + 7) / 8) {
			m.Bits[i/8] |= uint64(b) << (8 * (i % 8))
		}
		if n%64 != 0 && m.Bits[len(m.Bits)-1]>>(n%64) != 0 {
			r.fail("the mask of %s has bits past its end", name)
		}
	case maskGaps:
		for _, i := range r.rising(name, n, n) {
			m.Set(i, true)
		}
	default:
		r.fail("the mask of %s has the unknown form %d", name, form)
	}
	return m
}

// rising reads a count and as many places below n, each above the one before.
func (r *reader) rising(name string, most, n int) []int {
	k := r.int("the number of places in "+name, most)
	if k > len(r.b) { // a place takes a byte at least
		r.fail("%w", errShort)
		return nil
	}
	out := make([]int, 0, k)
	last := -1
	for range k {
		if r.err != nil {
			return nil
		}
		last += 1 + r.int("a distance in "+name, n)
		if last >= n {
			r.fail("%s has no place %d: there are %d", name, last, n)
			return nil
		}
		out = append(out, last)
	}
	return out
}

func (r *reader) norms(l *Layout) []train.Moments {
	if k := r.int("the number of normalisations", 1<<20); k != len(l.Norms) && r.err == nil {
		r.fail("%d normalisations were sent, and there are %d", k, len(l.Norms))
	}
	var out []train.Moments
	for _, t := range l.Norms {
		if r.err != nil {
			return nil
		}
		out = append(out, train.Moments{Mean: r.floats("the mean of "+t.Name, t.Len), Var: r.floats("the variance of "+t.Name, t.Len)})
	}
	return out
}

// model reads numbers under masks that are sent with them, or else those that are held,
// which may be nil.
func (r *reader) model(l *Layout, held []*prune.Mask) *Model {
	m := &Model{}
	has := r.byte()
	if has&^(hasMasks|hasValues) != 0 {
		r.fail("a model has unknown parts %#x", has)
	}
	masks := held
	if has&hasMasks != 0 {
		for _, t := range l.Sparse {
			if r.err != nil {
				return nil
			}
			m.Masks = append(m.Masks, r.mask(t.Name, t.Len))
		}
		masks = m.Masks
	}
	if has&hasValues != 0 {
		if masks == nil {
			r.fail("values were sent without the masks that they are of")
		}
		m.Values, m.Dense = [][]float32{}, [][]float32{}
		for i, t := range l.Sparse {
			if r.err != nil {
				return nil
			}
			m.Values = append(m.Values, r.floats(t.Name, masks[i].Count()))
		}
		for _, t := range l.Dense {
			m.Dense = append(m.Dense, r.floats(t.Name, t.Len))
		}
	}
	m.Norms = r.norms(l)
	return m
}

// end returns the first error, or one for what is left over.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("%d bytes are left over behind the message", len(r.b))
	}
	return r.err
}

// begin reads which message it is.
func (r *reader) begin(kind byte) {
	if k := r.byte(); k != kind {
		r.fail("the message is of kind %d, and %d is expected", k, kind)
	}
}

// ReadBroadcast reads what a server says to a client that holds masks, or nil. It returns
// an error for what is none.
func ReadBroadcast(b []byte, l *Layout, held []*prune.Mask) (*Broadcast, error) {
	r := &reader{b: b}
	r.begin(kindBroadcast)
	m := &Broadcast{Ask: Ask(r.byte()), Round: r.int("the round", 1<<31-1)}
	if (m.Ask < AskStatistics || m.Ask > AskTraining) && r.err == nil {
		r.fail("the server asks for %d, which is unknown", m.Ask)
	}
	m.Model = r.model(l, held)
	n := r.int("the number of layers to adjust", len(l.Sparse))
	for range n {
		if r.err != nil {
			break
		}
		q := Quota{Layer: r.int("a layer", len(l.Sparse)-1)}
		if r.err == nil {
			q.Count = r.int("the pairs of "+l.Sparse[q.Layer].Name, l.Sparse[q.Layer].Len)
		}
		m.Grow = append(m.Grow, q)
	}
	return m, r.end()
}

// ReadStatistics reads a client's answer to AskStatistics.
func ReadStatistics(b []byte, l *Layout) (*Statistics, error) {
	r := &reader{b: b}
	r.begin(kindStatistics)
	m := &Statistics{Norms: r.norms(l)}
	return m, r.end()
}

// ReadLoss reads a client's answer to AskLoss.
func ReadLoss(b []byte) (*Loss, error) {
	r := &reader{b: b}
	r.begin(kindLoss)
	m := &Loss{Value: r.f64()}
	return m, r.end()
}

// ReadUpdate reads a client's answer to AskTraining, of a network under masks. An index
// that is repeated, out of order or not the layer's is an error.
func ReadUpdate(b []byte, l *Layout, masks []*prune.Mask) (*Update, error) {
	r := &reader{b: b}
	r.begin(kindUpdate)
	m := &Update{Loss: r.f64(), Model: r.model(l, masks)}
	if r.err == nil && (m.Model.Masks != nil || m.Model.Values == nil) {
		r.fail("an update has values and no masks of its own")
	}
	n := r.int("the number of layers with gradients", len(l.Sparse))
	for range n {
		if r.err != nil {
			break
		}
		g := Gradients{Layer: r.int("a layer", len(l.Sparse)-1)}
		if r.err == nil {
			t := l.Sparse[g.Layer]
			g.Index = r.rising(t.Name, t.Len, t.Len)
			g.Value = r.f32s(len(g.Index))
		}
		m.Grow = append(m.Grow, g)
	}
	return m, r.end()
}
