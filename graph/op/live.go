package op

import "pare/graph"

// Lifetimes says which values of a network lie in memory together while it runs in the
// order of its nodes: an input from the beginning, what a node makes from that node, each
// to the last node that reads it, an output to the end. What only another shape is given
// shares the memory of what it is made of. Constants are not counted.
type Lifetimes struct {
	spans []lifetime
	nodes int
}

// lifetime is memory that several values may share, and the nodes from which and to which it
// is needed.
type lifetime struct {
	values      []*graph.Value
	first, last int
}

// LifetimesOf finds them; bodies of nodes count by what they read from outside.
func LifetimesOf(g *graph.Graph) *Lifetimes {
	l := &Lifetimes{nodes: len(g.Nodes)}
	at := map[*graph.Value]int{}
	begin := func(v *graph.Value, i int) {
		at[v] = len(l.spans)
		l.spans = append(l.spans, lifetime{[]*graph.Value{v}, i, i})
	}
	until := func(v *graph.Value, i int) {
		if k, ok := at[v]; ok {
			l.spans[k].last = max(l.spans[k].last, i)
		}
	}
	for _, v := range g.Inputs {
		begin(v, 0)
	}
	for i, n := range g.Nodes {
		for _, vs := range [][]*graph.Value{n.Inputs, n.Captures()} {
			for _, v := range vs {
				until(v, i)
			}
		}
		for k, v := range n.Outputs {
			if v == nil {
				continue
			}
			if of, ok := at[n.In(0)]; ok && k == 0 && reshapes(n) {
				at[v] = of
				l.spans[of].values = append(l.spans[of].values, v)
				until(v, i)
				continue
			}
			begin(v, i)
		}
	}
	for _, v := range g.Outputs {
		until(v, len(g.Nodes))
	}
	return l
}

// reshapes says whether a node's output is its input in another shape.
func reshapes(n *graph.Node) bool {
	return n.Is("Reshape") || n.Is("Flatten") || n.Is("Squeeze") || n.Is("Unsqueeze") || n.Is("Identity")
}

// Peak is the most bytes that lie in memory at once, by the present shapes of the values.
// A size that is not known counts as 0.
func (l *Lifetimes) Peak() int64 {
	change := make([]int64, l.nodes+2)
	for _, s := range l.spans {
		most := int64(0)
		for _, v := range s.values {
			most = max(most, bytesOf(v))
		}
		change[s.first] += most
		change[s.last+1] -= most
	}
	peak, now := int64(0), int64(0)
	for _, c := range change {
		now += c
		peak = max(peak, now)
	}
	return peak
}

// bytesOf is what a value takes whose sizes are known.
func bytesOf(v *graph.Value) int64 {
	if v.Shape == nil {
		return 0
	}
	n := int64(max(1, v.DType.Size()))
	for _, d := range v.Shape {
		if !d.Known() || d.Mul > 0 && n > (1<<56)/int64(d.Mul) {
			return 0
		}
		n *= int64(d.Mul)
	}
	return n
}

// Activations is the most bytes of values between the nodes of a network that lie in
// memory at once while one sample runs through it: see Lifetimes. It is what the network
// asks for in the order of its file; an engine that works in place needs less.
func Activations(g *graph.Graph) int64 {
	c, _ := OneSample(g)
	return LifetimesOf(c).Peak()
}
