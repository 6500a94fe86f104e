package graph

import "container/heap"

// nodeHeap is a priority queue of nodes by their former position.
type nodeHeap struct {
	pos   map[*Node]int
	nodes []*Node
}

func (h *nodeHeap) Len() int           { return len(h.nodes) }
func (h *nodeHeap) Less(i, j int) bool { return h.pos[h.nodes[i]] < h.pos[h.nodes[j]] }
func (h *nodeHeap) Swap(i, j int)      { h.nodes[i], h.nodes[j] = h.nodes[j], h.nodes[i] }
func (h *nodeHeap) Push(x any)         { h.nodes = append(h.nodes, x.(*Node)) }
func (h *nodeHeap) Pop() any {
	n := h.nodes[len(h.nodes)-1]
	h.nodes = h.nodes[:len(h.nodes)-1]
	return n
}
func (h *nodeHeap) len() int     { return len(h.nodes) }
func (h *nodeHeap) push(n *Node) { heap.Push(h, n) }
func (h *nodeHeap) pop() *Node   { return heap.Pop(h).(*Node) }
