package advise

import (
	"pare/graph"
	"pare/graph/op"
	"pare/measure"
)

// The energy of operations in a 45 nm process at 0.9 V, in picojoules (Horowitz:
// Computing's energy problem, ISSCC 2014): a multiplication and an addition of 32-bit
// floating-point numbers, and a 32-bit word from memory outside the chip.
const (
	picoMAC  = 3.7 + .9
	picoWord = 640
)

// Energy estimates the energy of one inference in picojoules: every multiply-accumulate,
// and every weight read once, and the activations that lie in memory at once written and
// read once. It is no measurement of a machine: what it is for is the share that a cut
// leaves.
func Energy(g *graph.Graph, s measure.Size) float64 {
	return picoMAC*float64(s.MACs) + picoWord*(float64(s.Params)+2*float64(op.Activations(g))/4)
}
