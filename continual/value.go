package continual

import (
	"fmt"

	"pare/catalog"
	"pare/graph"
)

// kind says how a value of the clip network is found in the step network.
type kind uint8

const (
	static   kind = iota // does not depend on frames
	timed                // has frames along an axis
	window               // of a window of frames: what the clip network has, once a step
	scores               // products of queries and keys, which nobody computes as such
	sizes                // the shape of what has frames: only Reshape and Expand may read it
	unneeded             // of an output that is left out
)

// value is a value of the step network. One with frames holds m = Frames/stride of them a
// step, Frames being those of the input. In step c, from 0, they are those with the numbers
// c·m-lag … c·m-lag+m-1 of the clip network's value on the whole stream. Numbers below 0
// are of before the stream, and mean nothing. A window has the number of its first frame,
// counted in steps, in the same way with m = 1.
type value struct {
	*graph.Value
	kind   kind
	axis   int // of the frames
	stride int // frames of the input from one of its frames to the next
	lag    int
	shift  int // a stream of T frames has floor((T+shift)/stride) of them
	frames int // of a clip, along the axis

	folded bool // samples and frames lie on one axis, the samples outside
	raw    bool // the frames of an input as they come, before the first of which are zeros
	wild   bool // what comes before the first frame may be infinite or no number
	tokens bool // a window of which every frame is there, computed anew: of attention
	of     *pairs
}

// pairs are products of queries and keys before they meet the values.
type pairs struct {
	q, k  value
	scale float64
	done  bool // their softmax was taken
}

// per is the number of frames that a step has of a value.
func (c *converter) per(v value) int {
	if v.kind == window {
		return 1
	}
	return c.frames / v.stride
}

// slides gives what becomes of v when windows of r frames slide over it by sigma, the first
// of which begins begin frames before the first frame and the last of which ends end frames
// behind the last: the lag is the smallest at which all that a step gives can be computed.
func (v value) slides(r, sigma, begin, end int) value {
	o := v
	o.Value, o.raw = nil, false
	o.lag = max(0, ceil(r+v.lag-begin, sigma)-1)
	o.shift = v.shift + v.stride*(begin+end-r+sigma)
	o.frames = floor(v.frames+begin+end-r, sigma) + 1
	o.stride = v.stride * sigma
	return o
}

func floor(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func ceil(a, b int) int { return -floor(-a, b) }

// strideError asks for steps of more frames.
type strideError struct{ by int }

func (e *strideError) Error() string {
	return fmt.Sprintf("steps of %d times the frames are needed", e.by)
}

// Unsuitable is an operator that has no form on a stream.
type Unsuitable struct {
	Node *graph.Node
	Why  string
	over bool // a window of frames, computed anew, would do
}

func (e *Unsuitable) Error() string { return e.Unwrap().Error() }

// Unwrap is the complaint with names of settings in braces.
func (e *Unsuitable) Unwrap() error {
	way := ""
	if e.over {
		way = "; or give {Recompute} to compute it, and all behind it, anew at every step on the frames of a clip"
	}
	return catalog.Errorf("node %s %s%s", called(e.Node), e.Why, way)
}

// called is what a node is called to people: one without a name goes by its output.
func called(n *graph.Node) string {
	if o := n.Out(0); n.Name == "" && o != nil {
		return fmt.Sprintf("%q (%s, which makes %q)", n.Name, n.Op, o.Name)
	}
	return fmt.Sprintf("%q (%s)", n.Name, n.Op)
}

// no is an operator that cannot be computed frame by frame, but on a window of frames.
func no(n *graph.Node, format string, a ...any) error {
	return &Unsuitable{Node: n, Why: fmt.Sprintf(format, a...), over: true}
}

// never is an operator that cannot be computed on a stream at all.
func never(n *graph.Node, format string, a ...any) error {
	return &Unsuitable{Node: n, Why: fmt.Sprintf(format, a...)}
}
