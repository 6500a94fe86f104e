package measure

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/graph/op"
)

// Settle decides the sizes of a network's inputs that are open, and leaves them in its
// usage: images are assumed to be 224 a side, sequences to be 128 long, or what the
// network's shapes agree at. The notes say so. It returns an error where shapes do not
// agree at sizes that the usage gives.
func Settle(g *graph.Graph) (notes []catalog.Text, err error) {
	for _, v := range g.Inputs {
		if v.Shape == nil {
			notes = append(notes, catalog.Text(fmt.Sprintf("the file does not say the shape of input %q: what depends on it is not counted; give {Shape} %s:1x3x224x224, or what it is", v.Name, printable(v.Name))))
		}
	}
	open := g.Open()
	if len(open) == 0 {
		if len(g.Usage.Sizes) == 0 {
			return notes, nil
		}
		c, _ := g.Clone(false)
		if err := op.Bind(c, g.Sizes(1)); err != nil {
			return nil, catalog.Errorf("at sizes %s: %v: give other {Sizes}", listed(g.Usage.Sizes), err)
		}
		return notes, nil
	}
	sizes, err := op.Assume(g)
	text := "%s were assumed for counts and times; give {Sizes}"
	if err != nil {
		text = "%s are taken for counts and times, for none were found at which all shapes agree; give {Sizes}"
		sizes = map[string]int{}
		for _, s := range open {
			sizes[s] = 1
		}
	}
	if g.Usage.Sizes == nil {
		g.Usage.Sizes = map[string]int{}
	}
	maps.Copy(g.Usage.Sizes, sizes)
	return append(notes, catalog.Text(fmt.Sprintf("sizes "+text, listed(sizes)))), nil
}

// listed writes sizes as H=224, W=224.
func listed(sizes map[string]int) string {
	var out []string
	for _, s := range slices.Sorted(maps.Keys(sizes)) {
		out = append(out, fmt.Sprintf("%s=%d", s, sizes[s]))
	}
	return strings.Join(out, ", ")
}
