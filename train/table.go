package train

import (
	"fmt"

	"pare/dataset"
	"pare/graph"
)

// lookedUp refuses whole numbers that a network looks up in tables of fewer rows: tokens
// of another vocabulary, or users that the network does not know. Of a stream's tokens
// no more is known than how many its tokenizer has.
func (v *View) lookedUp(g *graph.Graph, in *graph.Value, f *dataset.Field) error {
	table := smallest(g, in)
	if table == nil {
		return nil
	}
	rows := table.Shape[0].Mul
	for i, x := range f.Ints {
		if int(x) >= rows {
			return fmt.Errorf("field %q of sample %d of the %s set has the number %d, and the network looks it up from input %q in a table of %d rows (%q): the data was numbered for another network, such as by a tokenizer of a larger vocabulary", f.Name, i/f.Size(), v.samples.Name, x, in.Name, rows, table.Name)
		}
	}
	if !f.Held() && f.Tokens > rows {
		v.note("the tokenizer has %d tokens, and the network looks them up from input %q in a table of %d rows (%q): the first text with one of the others ends the work, and the tokenizer is probably that of another network", f.Tokens, in.Name, rows, table.Name)
	}
	return nil
}

// smallest is the table of the fewest rows that an input's numbers are looked up in; nil:
// there is none.
func smallest(g *graph.Graph, in *graph.Value) (table *graph.Value) {
	same := map[*graph.Value]bool{in: true} // the input, and what it is of another type or shape
	for _, n := range g.Nodes {
		x := n.In(0)
		switch {
		case n.Is("Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Flatten") && same[x]:
			same[n.Out(0)] = true
		case n.Is("Gather") && same[n.In(1)] && n.Int("axis", 0) == 0 && x.IsConst() && len(x.Shape) > 0 && x.Shape[0].Known():
			if table == nil || x.Shape[0].Mul < table.Shape[0].Mul {
				table = x
			}
		}
	}
	return table
}
