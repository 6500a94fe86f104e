package structure

import (
	"fmt"
	"slices"
	"strings"

	"pare/graph"
)

// Target says when to stop cutting. What may stay of something is a share of what the
// network has, in (0,1], or above 1 a number; 0: not asked. All that is asked is met.
type Target struct {
	MACs        float64 // multiply-accumulates for one sample
	Params      float64 // parameters
	Bytes       float64 // of the ONNX file
	Activations float64 // most bytes of activations at once, for one sample (see op.Activations)

	// Final gives what is made of a network after the cut, where that is not what it is as
	// it is cut: normalisation that is folded again. Bytes, activations, and what is asked
	// for as a number are met by that. nil: it stays as it is.
	Final func(g *graph.Graph) (*graph.Graph, error)
	// Within measures a cut network, such as its time, and says what share it takes of what
	// it may take: at most 1 is within. nil: nothing is measured.
	Within func(cut *graph.Graph) (float64, error)

	Round int     // channels kept of a group are rounded up to a multiple; 0 or 1: any number; Auto: see Width
	Least float64 // share of each group's channels that stays at least
	Even  bool    // cut the same share of every group instead of ranking all together
	// Widths are limits of single groups, by group; nil: there are none.
	Widths []Widths
	// Costs says that a score is what every further channel of the group costs for each
	// multiply-accumulate that goes with it: then it is added up, and the cut whose sum is
	// least is looked for, by as many channels at once as are rounded to.
	Costs bool
	// Whole says of a weight's name that no channel that the weight makes is cut; nil:
	// of none. Of a prune.Scope it is what Match is false for.
	Whole func(name string) bool
	// Why are axes that cannot be cut (of Groups), for the reasons in errors.
	Why []Protected

	fixed [][]int // by group: channels that go whatever the target, see Widths.Exactly
}

// Widths are limits of one group. The zero value has none.
type Widths struct {
	Least    int // so many channels stay at least
	Exactly  int // so many channels stay, whatever the target: the best of the group; 0: by the target
	Multiple int // in place of Target.Round, for a group that had more channels once; 0: by that
}

func (t Target) widths(i int) Widths {
	if i < len(t.Widths) {
		return t.Widths[i]
	}
	return Widths{}
}

// Auto as Target.Round asks for the width that suits each group: see Width.
const Auto = -1

// Width is the multiple in which the channels of a group of n are kept so that
// vector units are filled: 8 from 16 channels on, 4 from 8 on, else 1.
func Width(n int) int {
	switch {
	case n >= 16:
		return 8
	case n >= 8:
		return 4
	}
	return 1
}

// Multiple is Width for a group, of which one channel may be several positions: a head
// of 16 is as wide as vector units are.
func (g *Group) Multiple() int {
	most := 1
	for k, a := range g.Axes {
		if a.Value.IsConst() && len(a.Value.Shape) > 1 {
			most = max(most, len(g.Channels[0].At[k]))
		}
	}
	if most >= 8 {
		return 1
	}
	return Width(len(g.Channels))
}

// up rounds the number of channels of the i-th group that are to be kept, and says to a
// multiple of what.
func (t Target) up(i int, g *Group, keep int) (kept, multiple int) {
	r := max(t.Round, 1)
	switch w := t.widths(i); {
	case w.Multiple > 0:
		r = w.Multiple
	case t.Round == Auto:
		r = g.Multiple()
	}
	return min(len(g.Channels), (keep+r-1)/r*r), r
}

// Rounded is a group of which more channels were kept than asked for, so that its
// width is a multiple.
type Rounded struct {
	Group       int
	Asked, Kept int
	Multiple    int
}

// left says whether a group stays whole because a weight that makes it is to.
func (t Target) left(g *Group) bool { return t.Whole != nil && slices.ContainsFunc(g.makers, t.Whole) }

// reasons lists why what stays whole does, each with the first weights, behind a
// colon or a semicolon.
func (t Target) reasons(sep string) string {
	var order []string
	by := map[string][]string{}
	for _, p := range t.Why {
		if by[p.Why] == nil {
			order = append(order, p.Why)
		}
		by[p.Why] = append(by[p.Why], p.Value.Name)
	}
	out := ""
	for i, why := range order {
		if i == 5 {
			return out + fmt.Sprintf("; and %d more reasons", len(order)-i)
		}
		names := by[why]
		more := ""
		if len(names) > 3 {
			more = fmt.Sprintf(" and %d more", len(names)-3)
			names = names[:3]
		}
		if i > 0 {
			sep = "; "
		}
		out += sep + fmt.Sprintf("%s stays whole (%s)", strings.Join(names, ", ")+more, why)
	}
	return out
}
