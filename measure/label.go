package measure

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"pare/graph"
	"pare/prune/structure"
)

// label gives layers that stand in the order of the nodes of g the names that a
// person knows them by: that of the weight, or where an exporter numbered it, that of
// the module or node that reads it.
func label(g *graph.Graph, layers []Layer) {
	k := 0
	times := map[string]int{}
	for _, n := range g.Nodes {
		if k == len(layers) {
			break
		}
		l := &layers[k]
		i := reads(n, l.Name)
		if i < 0 || n.Op != l.Op {
			continue
		}
		l.Node, l.Label = n.Name, l.Name
		if s := nameOf(n, i, l.Name); s != strings.TrimSuffix(l.Name, ".weight") {
			l.Label = cmp.Or(s, l.Name)
		}
		times[l.Label]++
		k++
	}
	for i := range layers {
		if l := &layers[i]; times[l.Label] > 1 && l.Label != l.Name { // several products in one module
			l.Label = fmt.Sprintf("%s (%s)", l.Label, l.Name)
		}
	}
}

// numbered are names that exporters make up and that name no module.
var numbered = regexp.MustCompile(`(?i)(^|/)(const|constant|const_fold_opt_*|dequantizelinear|initializer)[_:\d]*$`)

// nameOf is what a layer is called that reads a weight by input i.
func nameOf(n *graph.Node, i int, weight string) string {
	if numbered.MatchString(weight) {
		i = len(n.Inputs) // none: the node's place in the model is asked for
	}
	return structure.Label(n, i)
}

// reads is the input by which a node reads a weight, be it through nodes that only
// change its form; -1 where it does not.
func reads(n *graph.Node, weight string) int {
	for i, v := range n.Inputs {
		for v != nil && v.Name != weight && v.Const == nil && v.From != nil {
			v = v.From.In(0)
		}
		if v != nil && v.Name == weight && v.IsConst() {
			return i
		}
	}
	return -1
}

// title is the label, or the weight's name where there is none.
func (l *Layer) title() string { return cmp.Or(l.Label, l.Name) }
