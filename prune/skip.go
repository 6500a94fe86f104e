package prune

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
)

// Skip is a constant that stays as it is, though it multiplies or is as large as
// what does.
type Skip struct {
	Name string `json:"name"`
	Len  int    `json:"entries"`
	Why  string `json:"why"` // goes on after the name: "is a table of embeddings, ..."
}

func (s Skip) String() string { return fmt.Sprintf("%s %s", s.Name, s.Why) }

// Skipped lists what Weights leaves out of a scope, and why. Vectors, such as
// biases and the scales of normalisations, are never weights and not listed.
func Skipped(g *graph.Graph, s Scope) []Skip { return survey(g, s.Embeddings).skipped(s) }

// candidate is a constant of two axes or more that is a parameter of an operator.
type candidate struct {
	*Weight
	why string // why it is no weight; "" where it is one
}

type candidates []*candidate

// survey lists the constants that may be weights, each once, in the order of the
// places where they are. A table that multiplies as well, as where the output layer is
// tied to the embeddings, is a table where embeddings are not asked for: its rows are
// looked up, whatever else reads them.
func survey(g *graph.Graph, embeddings bool) candidates {
	var out, tables candidates
	at := map[*graph.Value]*candidate{}
	linear := map[*graph.Node]bool{} // one side of a product of matrices is its weight
	for _, s := range op.Sites(g) {
		v := s.Value
		k, prunable := kinds[s.Part]
		if len(v.Const.Shape) < 2 || v.Const.Len() == 0 || s.Data && v.Role == graph.Frozen ||
			!v.DType.IsFloat() && v.Role != graph.Packed && s.Part != op.Quantised {
			continue
		}
		why := whyNot(s, prunable)
		if why == "" && k == Linear && s.Node.Is("MatMul", "Gemm") {
			if linear[s.Node] {
				continue
			}
			linear[s.Node] = true
		}
		c := &candidate{&Weight{v, k, s.Node, s.Out, s.Outs}, why}
		switch was := at[v]; {
		case k == Embedding && !embeddings:
			tables = append(tables, c)
		case was == nil:
			at[v] = c
			out = append(out, c)
		case was.why != "" && why == "": // what is a weight somewhere is one
			*was = *c
		}
	}
	for _, c := range tables {
		if was := at[c.Value]; was == nil {
			at[c.Value] = c
			out = append(out, c)
		} else if was.Kind != Embedding {
			*was = *c
		}
	}
	return out
}

// whyNot says why a parameter is no weight.
func whyNot(s op.Site, prunable bool) string {
	switch {
	case s.Value.Role == graph.Packed || s.Part == op.Quantised:
		return fmt.Sprintf("is stored as %v: prune the float32 network it was made from", s.Value.DType)
	case s.Part == op.Bias:
		return "is added, not multiplied"
	case !prunable:
		return fmt.Sprintf("multiplies in %s %q in a way that has no rows to cut", s.Node.Op, s.Node.Name)
	case s.Behind != nil:
		return fmt.Sprintf("stands behind %s %q, which changes its numbers before %s %q multiplies by them, and something else reads it as well",
			s.Behind.Op, s.Behind.Name, s.Node.Op, s.Node.Name)
	}
	return ""
}

// out says why a candidate is not among the weights of a scope; "" where it is.
func (c *candidate) out(s Scope) string {
	switch {
	case c.why != "":
		return c.why
	case c.Kind == Embedding && !s.Embeddings:
		return "is a table of embeddings, of which whole rows are looked up: it stays"
	case !s.Match(c.Name):
		return "is not among the names that are asked for"
	}
	return ""
}

func (cs candidates) skipped(s Scope) []Skip {
	var out []Skip
	for _, c := range cs {
		if why := c.out(s); why != "" && !flat(c.Const.Shape) {
			out = append(out, Skip{c.Name, c.Len(), why})
		}
	}
	return out
}

// flat says whether a shape is that of a vector, with axes of one position.
func flat(shape []int) bool {
	long := 0
	for _, n := range shape {
		if n > 1 {
			long++
		}
	}
	return long < 2
}

// names lists what patterns may mean.
func (cs candidates) names() []string {
	var out []string
	for _, c := range cs {
		out = append(out, c.Name)
	}
	return out
}
