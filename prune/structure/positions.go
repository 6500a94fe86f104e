package structure

import (
	"fmt"
	"sort"

	"pare/graph"
)

// positions holds the positions of the axes that are followed, in classes that
// must be cut together (a union-find: a class is known by its first position).
type positions struct {
	base    map[Axis]int32
	axes    []Axis        // in the order of their bases
	long    map[Axis]bool // axes with too many positions to be followed
	parent  []int32
	why     []int32 // by the first of a class: 1 + the index of the reason why it stays; 0: it need not
	reasons []string
	index   map[string]int32 // of the reasons
}

// A file of a few bytes can state axes of any length. These bound the positions
// that are followed: so many for an axis on average, which no network that is in
// use comes near, so many besides, and so many in all. The longest axes are left
// out first.
const (
	averageAxis  = 1 << 12
	spareAxes    = 1 << 22
	allPositions = 1 << 28
)

// newPositions sets up the axes of all values with a known size of two or more.
func newPositions(g *graph.Graph) *positions {
	p := &positions{base: map[Axis]int32{}, long: map[Axis]bool{}, index: map[string]int32{}}
	var all []Axis
	seen := map[Axis]bool{}
	for _, v := range g.Values() {
		for d, n := range v.Shape {
			if a := (Axis{v, d}); n.Known() && n.Mul > 1 && !seen[a] {
				seen[a] = true
				all = append(all, a)
			}
		}
	}
	longest := longestFollowed(all)
	n := 0
	for _, a := range all {
		size := a.Value.Shape[a.Dim].Mul
		if size > longest && !stored(a) {
			p.long[a] = true
			continue
		}
		p.base[a] = int32(n)
		p.axes = append(p.axes, a)
		n += size
	}
	p.parent, p.why = make([]int32, n), make([]int32, n)
	for i := range p.parent {
		p.parent[i] = int32(i)
	}
	return p
}

// longestFollowed is the length from which on axes are left out.
func longestFollowed(all []Axis) int {
	most := min(allPositions, spareAxes+averageAxis*len(all))
	var sizes []int
	for _, a := range all {
		if n := a.Value.Shape[a.Dim].Mul; stored(a) {
			most -= n
		} else {
			sizes = append(sizes, n)
		}
	}
	sort.Ints(sizes)
	longest := 0
	for i, n := range sizes {
		if most -= n; most < 0 {
			break
		}
		if i+1 == len(sizes) || sizes[i+1] > n { // all of a length, or none
			longest = n
		}
	}
	return longest
}

// stored says whether numbers in memory stand behind every position of an axis.
func stored(a Axis) bool { return a.Value.IsConst() && a.Value.Const.Len() > 0 }

func (p *positions) root(i int32) int32 {
	for p.parent[i] != i {
		p.parent[i] = p.parent[p.parent[i]]
		i = p.parent[i]
	}
	return i
}

func (p *positions) union(a, b int32) {
	a, b = p.root(a), p.root(b)
	if a == b {
		return
	}
	if a > b {
		a, b = b, a
	}
	p.parent[b] = a
	if p.why[a] == 0 {
		p.why[a] = p.why[b]
	}
}

// stays gives the reason why the class of a position is left whole.
func (p *positions) stays(i int32) (string, bool) {
	if k := p.why[p.root(i)]; k > 0 {
		return p.reasons[k-1], true
	}
	return "", false
}

// keep protects the classes of the positions from lo to hi, where they are not.
func (p *positions) keep(lo, hi int32, why string) {
	k, ok := p.index[why]
	if !ok {
		p.reasons = append(p.reasons, why)
		k = int32(len(p.reasons))
		p.index[why] = k
	}
	for i := lo; i < hi; i++ {
		if t := p.root(i); p.why[t] == 0 {
			p.why[t] = k
		}
	}
}

// tooLong is the reason why what meets an axis that is not followed stays.
func tooLong(a Axis) string {
	return fmt.Sprintf("meets an axis of %v positions, too many to be followed", a.Value.Shape[a.Dim])
}
