package train

import (
	"fmt"

	"pare/dataset"
	"pare/graph"
)

// tables refuses whole numbers that a network looks up in tables of fewer rows: tokens
// of another vocabulary, or users that the network does not know.
func tables(g *graph.Graph, in *graph.Value, f *dataset.Field, of string) error {
	most, at := int32(-1), 0
	for i, v := range f.Ints {
		if v > most {
			most, at = v, i
		}
	}
	if most < 0 {
		return nil
	}
	same := map[*graph.Value]bool{in: true} // the input, and what it is of another type or shape
	for _, n := range g.Nodes {
		x := n.In(0)
		switch {
		case n.Is("Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Flatten") && same[x]:
			same[n.Out(0)] = true
		case n.Is("Gather") && same[n.In(1)] && n.Int("axis", 0) == 0 && x != nil && len(x.Shape) > 0 && x.Shape[0].Known():
			if rows := x.Shape[0].Mul; x.IsConst() && int(most) >= rows {
				return fmt.Errorf("field %q of sample %d of the %s set has the number %d, and the network looks it up from input %q in a table of %d rows (%q): the data was numbered for another network, such as by a tokenizer of a larger vocabulary", f.Name, at/f.Size(), of, most, in.Name, rows, x.Name)
			}
		}
	}
	return nil
}
