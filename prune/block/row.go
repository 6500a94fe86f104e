package block

import (
	"slices"
	"strings"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
)

// attends says whether a node is an attention, or the softmax of one.
func attends(n *graph.Node) bool { return n.Is("Softmax") || strings.Contains(n.Op, "Attention") }

// attentive says whether a block has an attention.
func attentive(b *Block) bool { return b.Kind == Attention || b.Kind == Transformer }

// rows splits blocks into rows in which each begins where the one before ended, or is
// another branch of the same sum.
func rows(blocks []*Block) (out [][]*Block) {
	for i, b := range blocks {
		if i > 0 {
			a := blocks[i-1]
			if source(b.In) == a.Out || b.In == a.In && b.Out == a.Out {
				out[len(out)-1] = append(out[len(out)-1], b)
				continue
			}
		}
		out = append(out, []*Block{b})
	}
	return out
}

// kinds tells attention and what stands beside it from other branches.
func (f *finder) kinds() {
	for _, row := range rows(f.found) {
		attention := false
		for _, b := range row {
			if slices.ContainsFunc(b.Nodes, attends) {
				b.Kind, attention = Attention, true
				if len(b.parts) > 1 { // with what stands beside it
					b.Kind = Transformer
				}
			}
		}
		for _, b := range row {
			if attention && b.Kind == Residual {
				b.Kind = FeedForward
			}
		}
	}
}

// wholes joins the branches of transformers to blocks: by the modules that their layers
// are named by where each has an attention, else an attention with what follows it.
func (f *finder) wholes(blocks []*Block) (out []*Block) {
	for _, row := range rows(blocks) {
		if !slices.ContainsFunc(row, attentive) {
			out = append(out, row...)
			continue
		}
		for _, part := range split(row) {
			out = append(out, join(part))
		}
	}
	return out
}

// split cuts a row of branches into those of one block each.
func split(row []*Block) [][]*Block {
	var named [][]*Block
	last, all := "", true
	for _, b := range row {
		m := module(common(labels(b.Nodes)))
		all = all && m != ""
		if k := len(named); k > 0 && m == last {
			named[k-1] = append(named[k-1], b)
		} else {
			named = append(named, []*Block{b})
		}
		last = m
	}
	for _, part := range named {
		all = all && slices.ContainsFunc(part, attentive)
	}
	if all {
		return named
	}
	var out [][]*Block
	for i, b := range row {
		if i == 0 || attentive(b) && (!attentive(row[i-1]) || b.Kind == Transformer) {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], b)
	}
	return out
}

// join makes one block of several in a row.
func join(row []*Block) *Block {
	if len(row) == 1 {
		return row[0]
	}
	j := &Block{Kind: Transformer, In: row[0].In, Out: row[len(row)-1].Out}
	for _, b := range row {
		j.Nodes = append(j.Nodes, b.Nodes...)
		j.parts = append(j.parts, b.parts...)
		j.Norm = j.Norm || b.Norm
	}
	return j
}

// finish names the blocks, numbers their stages and counts what they cost.
func (f *finder) finish(blocks []*Block) {
	f.name(blocks)
	for i, row := range rows(blocks) {
		for _, b := range row {
			b.Stage = i
		}
	}
	c, m := op.OneSample(f.g)
	macs := map[*graph.Node]int64{}
	for i, n := range f.g.Nodes {
		macs[n], _ = op.MACs(c.Nodes[i])
	}
	for _, b := range blocks {
		nodes := slices.Clone(b.Nodes)
		for _, p := range b.parts {
			if p.after != nil {
				nodes = append(nodes, p.after)
			}
		}
		is := map[*graph.Node]bool{}
		for _, n := range nodes {
			is[n] = true
			b.Cost.MACs += macs[n]
		}
		for _, n := range nodes {
			for _, vs := range [][]*graph.Value{n.Inputs, n.Captures()} {
				for _, v := range vs {
					if v.IsConst() && !slices.Contains(b.Weights, v) && !f.out[v] && !slices.ContainsFunc(f.uses[v], func(u graph.Use) bool { return !is[u.Node] }) {
						b.Weights = append(b.Weights, v)
						b.Cost.Params += structure.Params(v, m[v])
					}
				}
			}
		}
	}
}
