package tokenizer

import (
	"fmt"
	"slices"
	"strings"
)

// trie finds the texts of a list that a text begins with. Its nodes lie in the order
// of breadth; the children of a node are together, by their bytes.
type trie struct {
	nodes []trieNode
	label []byte // of each node: the byte that leads to it
	root  [256]int32
}

type trieNode struct {
	first, n int32 // its children
	value    int32 // of the text that ends here; -1: none does
}

// maxTrie bounds the nodes of a trie.
const maxTrie = 1 << 25

// newTrie makes a trie of texts and their values; of two that are equal the first
// holds.
func newTrie(texts []string, values []int32) (*trie, error) {
	order := make([]int32, len(texts))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return strings.Compare(texts[a], texts[b]) })
	type part struct {
		lo, hi int // of order: the texts below a node
		depth  int
	}
	t := &trie{nodes: []trieNode{{value: -1}}, label: []byte{0}}
	parts := []part{{0, len(order), 0}}
	for at := 0; at < len(parts); at++ {
		p := parts[at]
		n := &t.nodes[at]
		lo := p.lo
		for lo < p.hi && len(texts[order[lo]]) == p.depth {
			if n.value < 0 {
				n.value = values[order[lo]]
			}
			lo++
		}
		n.first = int32(len(t.nodes))
		count := int32(0)
		for lo < p.hi {
			b := texts[order[lo]][p.depth]
			hi := lo + 1
			for hi < p.hi && texts[order[hi]][p.depth] == b {
				hi++
			}
			parts = append(parts, part{lo, hi, p.depth + 1})
			t.nodes, t.label = append(t.nodes, trieNode{value: -1}), append(t.label, b)
			count++
			lo = hi
		}
		t.nodes[at].n = count
		if len(t.nodes) > maxTrie {
			return nil, fmt.Errorf("the texts of the tokens are too long: a tree of them has more than %d nodes", maxTrie)
		}
	}
	for b := range t.root {
		t.root[b] = t.find(0, byte(b))
	}
	return t, nil
}

// step is the node that a byte leads to; -1: none.
func (t *trie) step(node int32, b byte) int32 {
	if node == 0 {
		return t.root[b]
	}
	return t.find(node, b)
}

func (t *trie) find(node int32, b byte) int32 {
	n := &t.nodes[node]
	lo, hi := n.first, n.first+n.n
	for hi-lo > 8 {
		if m := int32(uint32(lo+hi) >> 1); t.label[m] <= b {
			lo = m
		} else {
			hi = m
		}
	}
	for ; lo < hi; lo++ {
		if t.label[lo] == b {
			return lo
		}
	}
	return -1
}

// longest is the longest text that a text has at a place.
func (t *trie) longest(s string, at int) (end int, value int32) {
	end, value = at, -1
	for node := int32(0); at < len(s); at++ {
		if node = t.step(node, s[at]); node < 0 {
			break
		}
		if v := t.nodes[node].value; v >= 0 {
			end, value = at+1, v
		}
	}
	return end, value
}
