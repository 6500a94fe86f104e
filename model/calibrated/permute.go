package calibrated

import (
	"cmp"
	"slices"

	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/calibrate"
	"pare/prune/structure"
)

// mostStrips bounds the groups of M inputs among which inputs are assigned at once: where
// there are more, parts of a layer are treated one by one.
const mostStrips = 2048

// RIAFacts says what putting channels into another order was worth.
type RIAFacts struct {
	Orders []ChannelOrder `json:"orders"`
}

// ChannelOrder is a layer whose inputs were put into another order, for an N:M pattern: the
// sum of the rates of what stays, in the order of the file and after each step.
type ChannelOrder struct {
	Layer     string  `json:"layer"`
	Plain     float64 `json:"plain"`
	Heuristic float64 `json:"heuristic"`
	Assigned  float64 `json:"assigned,omitempty"`

	from []int // of the channels of the group that the layer reads
}

// orders chooses orders of channels, and puts them into the network in the end.
type orders struct {
	pattern allocate.Pattern
	assign  bool
	readers map[*graph.Value]reader
	layers  int // N:M layers in all
	found   []ChannelOrder
}

// reader is a layer that alone reads the channels of a group: at is the group's channel at
// each position of the layer's input axis.
type reader struct {
	group *structure.Group
	dim   int
	at    []int
}

// readers finds the layers whose inputs can be put into another order, together with what
// makes them: layers that alone read their group of channels, one column a channel.
func readers(g *graph.Graph) map[*graph.Value]reader {
	out := map[*graph.Value]reader{}
	groups, _ := structure.Groups(g)
next:
	for _, grp := range groups {
		var by *graph.Value
		for _, a := range grp.Axes {
			switch {
			case g.IsOutput(a.Value) || slices.Contains(g.Inputs, a.Value):
				continue next
			case !a.Value.IsConst() || grp.Reads(a.Value) < 0:
			case by != nil:
				continue next // another layer reads them too, or this one makes them as well
			default:
				by = a.Value
			}
		}
		if by == nil {
			continue
		}
		k := grp.Reads(by)
		r := reader{group: grp, dim: grp.Axes[k].Dim, at: make([]int, by.Const.Shape[grp.Axes[k].Dim])}
		if len(grp.Channels) != len(r.at) {
			continue
		}
		for c, ch := range grp.Channels {
			if len(ch.At[k]) != 1 {
				continue next
			}
			r.at[ch.At[k][0]] = c
		}
		if grp.Order(r.at) != nil {
			out[by] = r
		}
	}
	return out
}

// pick keeps N of every M inputs of a layer after its channels were put into the order in
// which most of the rates stay; nil where that cannot be done.
func (s *orders) pick(c *cut, rates []float32) (*prune.Mask, error) {
	s.layers++
	r, ok := s.readers[c.Weight.Value]
	m := c.of[0]
	if !ok || len(c.of) > 1 || len(c.Sites) > 1 || m.Cols != len(r.at) || m.Cols%s.pattern.M != 0 {
		return nil, nil
	}
	x := newColumns(m, rates, s.pattern)
	plain := make([]int, m.Cols)
	for k := range plain {
		plain[k] = k
	}
	found := ChannelOrder{Layer: c.Weight.Name, Plain: x.kept(plain)}
	order := x.heuristic()
	found.Heuristic = x.kept(order)
	if s.assign {
		for column := range s.pattern.M {
			x.refine(order, column)
		}
		found.Assigned = x.kept(order)
	}
	if max(found.Heuristic, found.Assigned) <= found.Plain {
		return nil, nil
	}
	sorted := make([]float32, m.Outs*m.Cols)
	for o := range m.Outs {
		for i, k := range order {
			sorted[o*m.Cols+i] = rates[m.At(o, k)]
		}
	}
	kept, err := prune.Nm(sorted, m.Outs, m.Cols, s.pattern.N, s.pattern.M)
	if err != nil {
		return nil, err
	}
	out := prune.NewMask(c.Weight.Len(), false)
	for o := range m.Outs {
		for i, k := range order {
			out.Set(m.At(o, k), kept.Kept(o*m.Cols+i))
		}
	}
	// Columns are positions of the layer's axis, and these are channels.
	stride := 1
	for _, n := range c.Weight.Const.Shape[r.dim+1:] {
		stride *= n
	}
	position := func(k int) int { return m.At(0, k) / stride % len(r.at) }
	found.from = make([]int, m.Cols)
	for i, k := range order {
		found.from[r.at[position(i)]] = r.at[position(k)]
	}
	s.found = append(s.found, found)
	return out, nil
}

// apply puts the channels into their orders, in the network and in its masks.
func (s *orders) apply(res *model.Result) error {
	again := readers(res.Graph)
	for _, f := range s.found {
		r := again[res.Graph.Value(f.Layer)]
		for a, from := range r.group.Order(f.from) {
			if err := structure.Reorder(a.Value.Const, a.Dim, from); err != nil {
				return err
			}
			for l, w := range res.Masks.Weights {
				if w.Value == a.Value {
					res.Masks.Mask[l] = reordered(res.Masks.Mask[l], w.Const.Shape, a.Dim, from)
				}
			}
		}
	}
	res.Facts = &RIAFacts{s.found}
	res.Note("the inputs of %d of %d layers were put into another order together with what makes them; more than one layer reads those of the others, or nothing was to be won", len(s.found), s.layers)
	return nil
}

// reordered is a mask whose positions along an axis come from others.
func reordered(m *prune.Mask, shape []int, dim int, from []int) *prune.Mask {
	inner := 1
	for _, n := range shape[dim+1:] {
		inner *= n
	}
	out := prune.NewMask(m.Len, false)
	for i := range m.Len {
		p := i / inner % shape[dim]
		out.Set(i, m.Kept(i+(from[p]-p)*inner))
	}
	return out
}

// columns are the rates of a layer's matrix, [cols][outs], whose columns are put into strips
// of M, of which every row keeps N.
type columns struct {
	rate [][]float64
	n, m int
}

func newColumns(m *calibrate.Moments, rates []float32, p allocate.Pattern) *columns {
	x := &columns{n: p.N, m: p.M}
	for k := range m.Cols {
		col := make([]float64, m.Outs)
		for o := range col {
			col[o] = float64(rates[m.At(o, k)])
		}
		x.rate = append(x.rate, col)
	}
	return x
}

// kept is the sum of the rates that stay in an order of the columns.
func (x *columns) kept(order []int) float64 {
	sum := 0.0
	strip := make([]float64, x.m)
	for at := 0; at < len(order); at += x.m {
		for o := range x.rate[0] {
			for i := range strip {
				strip[i] = x.rate[order[at+i]][o]
			}
			slices.Sort(strip)
			for _, v := range strip[x.m-x.n:] {
				sum += v
			}
		}
	}
	return sum
}

// heuristic deals the columns out by the sums of their rates, from the lowest on: the first
// share to the first place of every strip, the next in reverse to the second, and so on, so
// that every strip holds some of each.
func (x *columns) heuristic() []int {
	sums, sorted := make([]float64, len(x.rate)), make([]int, len(x.rate))
	for k, col := range x.rate {
		sorted[k] = k
		for _, v := range col {
			sums[k] += v
		}
	}
	slices.SortStableFunc(sorted, func(a, b int) int { return cmp.Compare(sums[a], sums[b]) })
	strips := len(sorted) / x.m
	order := make([]int, len(sorted))
	for i := range x.m {
		part := slices.Clone(sorted[i*strips : (i+1)*strips])
		if i%2 == 1 {
			slices.Reverse(part)
		}
		for s, k := range part {
			order[s*x.m+i] = k
		}
	}
	return order
}

// refine exchanges the columns at one place of the strips among these so that most of the
// rates stay.
func (x *columns) refine(order []int, place int) {
	strips := len(order) / x.m
	parts := (strips + mostStrips - 1) / mostStrips
	for p := range parts {
		x.assign(order[p*strips/parts*x.m:(p+1)*strips/parts*x.m], place)
	}
}

func (x *columns) assign(order []int, place int) {
	strips, outs := len(order)/x.m, len(x.rate[0])
	free := make([]int, strips) // the columns that are exchanged
	for s := range free {
		free[s] = order[s*x.m+place]
	}
	gain := make([]float64, strips*strips)
	rest := make([]float64, 0, x.m)
	base, last := make([]float64, outs), make([]float64, outs)
	for s := range strips {
		for o := range outs {
			rest = rest[:0]
			for i := range x.m {
				if i != place {
					rest = append(rest, x.rate[order[s*x.m+i]][o])
				}
			}
			slices.Sort(rest)
			base[o] = 0
			for _, v := range rest[x.m-x.n:] { // what stays whatever comes
				base[o] += v
			}
			last[o] = 0 // what stays or gives way
			if x.n < x.m {
				last[o] = rest[x.m-x.n-1]
			}
		}
		for f, k := range free {
			sum := 0.0
			for o, v := range x.rate[k] {
				sum += base[o] + max(last[o], v)
			}
			gain[s*strips+f] = sum
		}
	}
	for s, f := range assign(strips, func(r, c int) float64 { return gain[r*strips+c] }) {
		order[s*x.m+place] = free[f]
	}
}
