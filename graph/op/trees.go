package op

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// Ensembles of decision trees (ai.onnx.ml). No gradient flows through one: what comes out
// is constant but for jumps.

// split is an inner node of a tree: the feature that it compares, and where to go on.
type split struct {
	feature int
	mode    string // BRANCH_LEQ, …
	value   float64
	members []float64 // of BRANCH_MEMBER
	yes, no int       // a split, or a leaf as -1-leaf
	missing bool      // a NaN goes on at yes
}

// vote is what a leaf gives a target.
type vote struct {
	target int
	weight float64
}

// forest is trees by their roots, a split or a leaf as in split.
type forest struct {
	splits  []split
	leaves  [][]vote
	roots   []int
	targets int
	how     string // SUM, AVERAGE, MIN, MAX
	after   string
	base    []float64
	labels  *tensor.Tensor // of a classifier
}

// numbersOf are those of an attribute NAME, or of the tensor NAME_as_tensor.
func numbersOf(n *graph.Node, name string) []float64 {
	if a := n.Attr(name + "_as_tensor"); a != nil && a.T != nil {
		f, _ := a.T.Float64s()
		return f
	}
	a := n.Attr(name)
	if a != nil && a.T != nil {
		f, _ := a.T.Float64s()
		return f
	}
	var out []float64
	for _, x := range floatsAttr(n, name) {
		out = append(out, float64(x))
	}
	return out
}

// forestOf reads a TreeEnsembleRegressor or TreeEnsembleClassifier, whose nodes have
// numbers by tree.
func forestOf(n *graph.Node) (*forest, error) {
	votes := "target"
	f := &forest{targets: n.Int("n_targets", 1), how: n.Str("aggregate_function", "SUM"), after: n.Str("post_transform", "NONE"), base: numbersOf(n, "base_values")}
	if n.Op == "TreeEnsembleClassifier" {
		votes = "class"
		var err error
		if f.labels, err = labelsOf(n, "classlabels_int64s", "classlabels_strings"); err != nil {
			return nil, err
		}
		f.targets = f.labels.Len()
	}
	tree, id, feature := n.Ints("nodes_treeids"), n.Ints("nodes_nodeids"), n.Ints("nodes_featureids")
	yes, no, value, mode := n.Ints("nodes_truenodeids"), n.Ints("nodes_falsenodeids"), numbersOf(n, "nodes_values"), stringsAttr(n, "nodes_modes")
	for _, k := range []int{len(id), len(feature), len(yes), len(no), len(value), len(mode)} {
		if k != len(tree) || k == 0 {
			return nil, fmt.Errorf("its nodes are described by lists of different lengths")
		}
	}
	type place struct{ tree, id int }
	at := map[place]int{}
	for i, m := range mode {
		p := place{tree[i], id[i]}
		if _, twice := at[p]; twice {
			return nil, fmt.Errorf("node %d of tree %d is there twice", p.id, p.tree)
		}
		if m == "LEAF" {
			f.leaves = append(f.leaves, nil)
			at[p] = -len(f.leaves)
		} else {
			f.splits = append(f.splits, split{feature: feature[i], mode: m, value: value[i]})
			at[p] = len(f.splits) - 1
		}
	}
	missing := n.Ints("nodes_missing_value_tracks_true")
	below := map[place]bool{}
	for i, m := range mode {
		if m == "LEAF" {
			continue
		}
		s := &f.splits[at[place{tree[i], id[i]}]]
		a, b := place{tree[i], yes[i]}, place{tree[i], no[i]}
		var ok, ok2 bool
		s.yes, ok = at[a]
		s.no, ok2 = at[b]
		if !ok || !ok2 {
			return nil, fmt.Errorf("node %d of tree %d leads to one that is not there", id[i], tree[i])
		}
		s.missing = i < len(missing) && missing[i] != 0
		below[a], below[b] = true, true
	}
	for i := range tree {
		if p := (place{tree[i], id[i]}); !below[p] {
			f.roots = append(f.roots, at[p])
		}
	}
	vTree, vNode, vTarget, weight := n.Ints(votes+"_treeids"), n.Ints(votes+"_nodeids"), n.Ints(votes+"_ids"), numbersOf(n, votes+"_weights")
	if len(vTree) != len(vNode) || len(vTree) != len(vTarget) || len(vTree) != len(weight) {
		return nil, fmt.Errorf("its leaves are described by lists of different lengths")
	}
	for i := range vTree {
		leaf, ok := at[place{vTree[i], vNode[i]}]
		if !ok || leaf >= 0 {
			return nil, fmt.Errorf("node %d of tree %d, which votes, is no leaf", vNode[i], vTree[i])
		}
		f.leaves[-1-leaf] = append(f.leaves[-1-leaf], vote{vTarget[i], weight[i]})
	}
	return f, f.check()
}

// modesByNumber are the comparisons of a TreeEnsemble.
var modesByNumber = []string{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER"}

// ensembleOf reads a TreeEnsemble, whose nodes follow each other in lists.
func ensembleOf(n *graph.Node) (*forest, error) {
	f := &forest{targets: n.Int("n_targets", 1), roots: n.Ints("tree_roots")}
	hows, afters := []string{"AVERAGE", "SUM", "MIN", "MAX"}, []string{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"}
	how, after := n.Int("aggregate_function", 1), n.Int("post_transform", 0)
	if how < 0 || how >= len(hows) || after < 0 || after >= len(afters) {
		return nil, fmt.Errorf("it aggregates by %d and goes on by %d, which are not known", how, after)
	}
	f.how, f.after = hows[how], afters[after]
	mode, value, feature := numbersOf(n, "nodes_modes"), numbersOf(n, "nodes_splits"), n.Ints("nodes_featureids")
	yes, no, yesLeaf, noLeaf := n.Ints("nodes_truenodeids"), n.Ints("nodes_falsenodeids"), n.Ints("nodes_trueleafs"), n.Ints("nodes_falseleafs")
	for _, k := range []int{len(value), len(feature), len(yes), len(no), len(yesLeaf), len(noLeaf)} {
		if k != len(mode) || k == 0 {
			return nil, fmt.Errorf("its nodes are described by lists of different lengths")
		}
	}
	members, missing := numbersOf(n, "membership_values"), n.Ints("nodes_missing_value_tracks_true")
	to := func(k, leaf int) int {
		if leaf != 0 {
			return -1 - k
		}
		return k
	}
	for i := range mode {
		if mode[i] < 0 || int(mode[i]) >= len(modesByNumber) {
			return nil, fmt.Errorf("comparison %v is not known", mode[i])
		}
		s := split{feature: feature[i], mode: modesByNumber[int(mode[i])], value: value[i], yes: to(yes[i], yesLeaf[i]), no: to(no[i], noLeaf[i]),
			missing: i < len(missing) && missing[i] != 0}
		if s.mode == "BRANCH_MEMBER" {
			for len(members) > 0 && !math.IsNaN(members[0]) {
				s.members, members = append(s.members, members[0]), members[1:]
			}
			members = members[min(1, len(members)):]
		}
		f.splits = append(f.splits, s)
	}
	target, weight := n.Ints("leaf_targetids"), numbersOf(n, "leaf_weights")
	if len(target) != len(weight) {
		return nil, fmt.Errorf("%d targets and %d weights of leaves", len(target), len(weight))
	}
	for i := range target {
		f.leaves = append(f.leaves, []vote{{target[i], weight[i]}})
	}
	return f, f.check()
}

// check refuses what leads nowhere.
func (f *forest) check() error {
	to := func(k int) bool { return k < len(f.splits) && -1-k < len(f.leaves) }
	if f.labels == nil && f.targets == 1 && f.after != "NONE" {
		return fmt.Errorf("what follows on one score is not the same everywhere: ONNX Runtime leaves it as it is")
	}
	for _, s := range f.splits {
		if !to(s.yes) || !to(s.no) || s.feature < 0 || !slices.Contains(modesByNumber, s.mode) {
			return fmt.Errorf("a node compares feature %d by %q, or leads to nothing", s.feature, s.mode)
		}
	}
	for _, r := range f.roots {
		if !to(r) {
			return fmt.Errorf("root %d is no node", r)
		}
	}
	for _, l := range f.leaves {
		for _, v := range l {
			if v.target < 0 || v.target >= f.targets {
				return fmt.Errorf("a leaf votes for target %d of %d", v.target, f.targets)
			}
		}
	}
	if len(f.base) > 0 && len(f.base) != f.targets && !(f.labels != nil && len(f.base) == 1 && f.targets == 2) {
		return fmt.Errorf("%d base values for %d targets", len(f.base), f.targets)
	}
	return nil
}

// goes says whether a value goes on at yes.
func (s *split) goes(x float64) bool {
	if math.IsNaN(x) && s.missing {
		return true
	}
	switch s.mode {
	case "BRANCH_LEQ":
		return x <= s.value
	case "BRANCH_LT":
		return x < s.value
	case "BRANCH_GTE":
		return x >= s.value
	case "BRANCH_GT":
		return x > s.value
	case "BRANCH_EQ":
		return x == s.value
	case "BRANCH_NEQ":
		return x != s.value
	}
	return slices.Contains(s.members, x)
}

// leaf is the leaf of a tree for a row of features.
func (f *forest) leaf(root int, row []float64) ([]vote, error) {
	at := root
	for range len(f.splits) + 1 {
		if at < 0 {
			return f.leaves[-1-at], nil
		}
		s := &f.splits[at]
		if s.feature >= len(row) {
			return nil, fmt.Errorf("feature %d of %d", s.feature, len(row))
		}
		if at = s.no; s.goes(row[s.feature]) {
			at = s.yes
		}
	}
	return nil, fmt.Errorf("a tree goes round in a circle")
}

// scores aggregates what the trees give each target for a row; seen says of which
// targets there was a vote.
func (f *forest) scores(row []float64) (y []float64, seen []bool, err error) {
	y, seen = make([]float64, f.targets), make([]bool, f.targets)
	for _, r := range f.roots {
		votes, err := f.leaf(r, row)
		if err != nil {
			return nil, nil, err
		}
		for _, v := range votes {
			switch {
			case f.how == "MIN" && seen[v.target]:
				y[v.target] = min(y[v.target], v.weight)
			case f.how == "MAX" && seen[v.target]:
				y[v.target] = max(y[v.target], v.weight)
			default:
				y[v.target] += v.weight
			}
			seen[v.target] = true
		}
	}
	if f.how == "AVERAGE" {
		for i := range y {
			y[i] /= float64(max(1, len(f.roots)))
		}
	}
	return y, seen, nil
}
