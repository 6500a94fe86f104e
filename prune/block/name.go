package block

import (
	"fmt"
	"strings"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
)

// labels are what people call the layers of a block by.
func labels(ns []*graph.Node) (out []string) {
	for _, n := range ns {
		if !multiplies(n) {
			continue
		}
		for _, p := range op.Params(n) {
			if v := n.In(p.In); v != nil && len(v.Shape) > 1 && p.Part.Prunable() {
				if _, _, ok := op.Source(v, 0); ok {
					out = append(out, structure.Label(n, p.In))
					break
				}
			}
		}
	}
	return out
}

// common is the beginning, in whole words between dots, that names share.
func common(names []string) string {
	if len(names) == 0 {
		return ""
	}
	words := strings.Split(names[0], ".")
	for _, s := range names[1:] {
		w := strings.Split(s, ".")
		k := 0
		for k < len(w) && k < len(words) && w[k] == words[k] {
			k++
		}
		words = words[:k]
	}
	return strings.Join(words, ".")
}

// sumName names a sum that is no block, by the layers right before it.
func (f *finder) sumName(n *graph.Node) string {
	var near []string
	for _, v := range f.terms(n) {
		for m := v.From; m != nil; m = m.In(0).From {
			if multiplies(m) {
				near = append(near, labels([]*graph.Node{m})...)
				break
			}
			if m.In(0) == nil || m.Is("Add", "Sum", "Concat") {
				break
			}
		}
	}
	if s := common(near); s != "" {
		return s
	}
	if n.Name != "" {
		return n.Name
	}
	return n.Out(0).Name
}

// name gives blocks names of their own.
func (f *finder) name(blocks []*Block) {
	taken := map[string]int{}
	for _, b := range blocks {
		if b.Name = common(labels(b.Nodes)); b.Name == "" {
			b.Name = b.Out.Name
		}
		taken[b.Name]++
	}
	used := map[string]bool{}
	for _, b := range blocks {
		if taken[b.Name] > 1 || b.Kind == FeedForward && module(b.Name) == b.Name { // its layers' module is the whole block
			b.Name += "." + b.Kind.String()
		}
		for stem, k := b.Name, 2; used[b.Name]; k++ {
			b.Name = fmt.Sprintf("%s#%d", stem, k)
		}
		used[b.Name] = true
	}
}

// module is a name up to its last number, such as "layers.3" of "layers.3.attention"; ""
// where there is none.
func module(name string) string {
	words := strings.Split(name, ".")
	for i := len(words) - 1; i >= 0; i-- {
		if words[i] != "" && strings.Trim(words[i], "0123456789") == "" {
			return strings.Join(words[:i+1], ".")
		}
	}
	return ""
}
