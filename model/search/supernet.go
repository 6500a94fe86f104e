package search

import (
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/prune/structure"
)

// Supernet is a network that holds many smaller ones, which share its weights: some of its
// groups of coupled channels have several widths, of which the first channels stay, and some
// of its stages several depths, of which the first blocks stay.
type Supernet struct {
	Graph  *graph.Graph
	Groups []*structure.Group
	Widths []Width
	Stages []Stage

	of      map[string]int // the width of what a weight makes, by the weight's name
	whole   *structure.Costs
	shallow [][]*shallower // by stage and depth; the last depth, which is the whole, has none
	gone    []float64      // by group
	slope   []float64
}

// Width is how many channels of a group there may be, ascending; the last is all of them.
type Width struct {
	Group   int
	Choices []int
}

// shallower is what the network costs with one stage of less depth. Its groups are those of
// the supernet, or none of them: from says which.
type shallower struct {
	costs       *structure.Costs
	from        []int // by group: of the supernet; -1: a width that is not searched
	gone, slope []float64
}

// Arch is a network of the supernet: which choice of each width and of each stage.
type Arch struct{ Width, Depth []int }

// clone copies it.
func (a Arch) clone() Arch { return Arch{slices.Clone(a.Width), slices.Clone(a.Depth)} }

// NewSupernet lets all groups that trained weights read and whose makers are in scope have
// the widths that choices gives, and the stages that are found in the network the depths;
// nil choices: none but the whole.
func NewSupernet(g *graph.Graph, scope prune.Scope, widths, depths func(n int) []int) (*Supernet, error) {
	s := &Supernet{Graph: g, of: map[string]int{}}
	s.Groups, _ = structure.Groups(g)
	for i, grp := range s.Groups {
		c := widths(len(grp.Channels))
		if len(c) < 2 || len(grp.Readers()) == 0 || !grp.In(scope) {
			continue
		}
		for _, name := range grp.Makers() {
			s.of[name] = len(s.Widths)
		}
		s.Widths = append(s.Widths, Width{i, c})
	}
	for _, st := range stages(g, scope) {
		if st.Choices = depths(len(st.Points)); len(st.Choices) > 1 {
			s.Stages = append(s.Stages, st)
		}
	}
	s.whole = structure.NewCosts(g, s.Groups)
	s.gone, s.slope = make([]float64, len(s.Groups)), make([]float64, len(s.Groups))
	for i, st := range s.Stages {
		var of []*shallower
		a := s.Whole()
		for k := range st.Choices[:len(st.Choices)-1] {
			a.Depth[i] = k
			c, err := s.cutDepth(a.Depth)
			if err != nil {
				return nil, err
			}
			of = append(of, s.cost(c))
		}
		s.shallow = append(s.shallow, of)
	}
	return s, nil
}

// cost is what a network costs of which blocks are gone.
func (s *Supernet) cost(c *graph.Graph) *shallower {
	groups, _ := structure.Groups(c)
	x := &shallower{costs: structure.NewCosts(c, groups), gone: make([]float64, len(groups)), slope: make([]float64, len(groups))}
	for _, grp := range groups {
		at := -1
		if w := s.width(grp); w >= 0 {
			at = s.Widths[w].Group
		}
		x.from = append(x.from, at)
	}
	return x
}

// width is the searched width of a group of this network, or of one of which blocks are
// gone; -1: its width is not searched.
func (s *Supernet) width(grp *structure.Group) int {
	for _, name := range grp.Makers() {
		if w, ok := s.of[name]; ok {
			return w
		}
	}
	return -1
}

// Whole is the network as it is.
func (s *Supernet) Whole() Arch {
	var a Arch
	for _, w := range s.Widths {
		a.Width = append(a.Width, len(w.Choices)-1)
	}
	for _, st := range s.Stages {
		a.Depth = append(a.Depth, len(st.Choices)-1)
	}
	return a
}

// Least is the smallest network.
func (s *Supernet) Least() Arch {
	return Arch{make([]int, len(s.Widths)), make([]int, len(s.Stages))}
}

// Cost is what is expected of multiply-accumulates and parameters, as shares of the whole
// network's, where each width, and each depth, is chosen with a probability by itself. With
// probabilities of 0 and 1 it is the cost of that network. A layer costs the product of
// the expected numbers of channels that it reads and makes, and a block what it costs
// times the probability that its stage is so deep.
func (s *Supernet) Cost(width, depth [][]float64) [2]float64 {
	s.expect(width)
	rest := 1.0
	var sum [2]float64
	for i, of := range s.shallow {
		for k, c := range of {
			c.take(s.gone)
			rest -= depth[i][k]
			s.add(&sum, c.costs, c.gone, depth[i][k])
		}
	}
	s.add(&sum, s.whole, s.gone, rest)
	return sum
}

// add adds a cost times a weight, as a share of the whole network's.
func (s *Supernet) add(sum *[2]float64, c *structure.Costs, gone []float64, weight float64) {
	macs, params := c.At(gone)
	sum[0] += weight * macs / float64(max(1, s.whole.Whole.MACs))
	sum[1] += weight * params / float64(max(1, s.whole.Whole.Params))
}

// expect sets how many channels of each group are expected to be gone.
func (s *Supernet) expect(width [][]float64) {
	clear(s.gone)
	for i, w := range s.Widths {
		n := w.Choices[len(w.Choices)-1]
		for k, p := range width[i] {
			s.gone[w.Group] += p * float64(n-w.Choices[k])
		}
	}
}

// take takes what is gone of the supernet's groups.
func (c *shallower) take(gone []float64) {
	clear(c.gone)
	for k, at := range c.from {
		if at >= 0 {
			c.gone[k] = gone[at]
		}
	}
}

// CostGradient writes the derivative of by[0] × MACs + by[1] × parameters, in shares, by each
// probability to dWidth and dDepth, as if each were free.
func (s *Supernet) CostGradient(width, depth [][]float64, by [2]float64, dWidth, dDepth [][]float64) {
	s.expect(width)
	scale := [2]float64{by[0] / float64(max(1, s.whole.Whole.MACs)), by[1] / float64(max(1, s.whole.Whole.Params))}
	value := func(c *structure.Costs, gone []float64) float64 {
		macs, params := c.At(gone)
		return scale[0]*macs + scale[1]*params
	}
	whole, rest := value(s.whole, s.gone), 1.0
	for i, of := range s.shallow {
		for k, c := range of {
			c.take(s.gone)
			rest -= depth[i][k]
			dDepth[i][k] = value(c.costs, c.gone) - whole
		}
		dDepth[i][len(of)] = 0
	}
	s.whole.Gradient(s.gone, rest*scale[0], rest*scale[1], s.slope)
	for i, of := range s.shallow {
		for k, c := range of {
			c.costs.Gradient(c.gone, depth[i][k]*scale[0], depth[i][k]*scale[1], c.slope)
			for g, at := range c.from {
				if at >= 0 {
					s.slope[at] += c.slope[g]
				}
			}
		}
	}
	for i, w := range s.Widths {
		for k, c := range w.Choices {
			dWidth[i][k] = s.slope[w.Group] * float64(w.Choices[len(w.Choices)-1]-c)
		}
	}
}

// At is the cost of one network, as shares of the whole network's.
func (s *Supernet) At(a Arch) [2]float64 {
	width, depth := s.zeros()
	for i, k := range a.Width {
		width[i][k] = 1
	}
	for i, k := range a.Depth {
		depth[i][k] = 1
	}
	return s.Cost(width, depth)
}

// zeros are numbers of each choice, all zero.
func (s *Supernet) zeros() (width, depth [][]float64) {
	for _, w := range s.Widths {
		width = append(width, make([]float64, len(w.Choices)))
	}
	for _, st := range s.Stages {
		depth = append(depth, make([]float64, len(st.Choices)))
	}
	return width, depth
}

// cutDepth is a copy of the network, which shares its weights, with stages of these depths.
func (s *Supernet) cutDepth(depth []int) (*graph.Graph, error) {
	c, m := s.Graph.Clone(false)
	for i, st := range s.Stages {
		c.ReplaceUses(m[st.Points[len(st.Points)-1]], m[st.Points[st.Choices[depth[i]]-1]])
	}
	c.Prune()
	return c, op.InferAll(c)
}

// Derive gives a network by itself, with the shared weights that belong to it, and which
// positions of the supernet's values it has.
func (s *Supernet) Derive(a Arch) (*graph.Graph, structure.Kept, error) {
	c, err := s.cutDepth(a.Depth)
	if err != nil {
		return nil, nil, err
	}
	groups, _ := structure.Groups(c)
	sel := structure.All(groups)
	for i, grp := range groups {
		w := s.width(grp)
		if w < 0 {
			continue
		}
		for k := s.Widths[w].Choices[a.Width[w]]; k < len(grp.Channels); k++ {
			sel[i].Set(k, false)
		}
	}
	cut, err := structure.Cut(c, groups, sel)
	return cut, structure.KeptBy(groups, sel), err
}

// within moves an architecture, as little as its choices' scores lose for what they save,
// until it costs at most most (0: not asked), and, where it costs less than that by more
// than slack, makes it larger again as long as it fits. It gives the number of moves; the
// smallest network is to fit.
func (s *Supernet) within(a Arch, width, depth [][]float64, most [2]float64, slack float64) (Arch, int) {
	a = a.clone()
	moves := 0
	over := func(c [2]float64) float64 {
		x := 0.0
		for k, m := range most {
			if m > 0 {
				x += max(0, c[k]-m)
			}
		}
		return x
	}
	for x := over(s.At(a)); x > 1e-12; x = over(s.At(a)) {
		if !s.move(a, width, depth, -1, func(lost float64, c [2]float64) (float64, bool) {
			saved := x - over(c)
			return lost / max(saved, 1e-9), saved > 0
		}) {
			break
		}
		moves++
	}
	near := func(c [2]float64) bool {
		return slices.ContainsFunc([]int{0, 1}, func(k int) bool { return most[k] > 0 && c[k] >= most[k]-slack })
	}
	for !near(s.At(a)) && s.move(a, width, depth, 1, func(lost float64, c [2]float64) (float64, bool) { return lost, over(c) <= 1e-12 }) {
		moves++
	}
	return a, moves
}

// move makes the step of one choice up or down for which rate is the least, of those that
// it takes, and says whether there was any.
func (s *Supernet) move(a Arch, width, depth [][]float64, by int, rate func(lost float64, c [2]float64) (float64, bool)) bool {
	var at *int
	best := 0.0
	for k, of := range [][]int{a.Width, a.Depth} {
		score := [][][]float64{width, depth}[k]
		for i := range of {
			next := of[i] + by
			if next < 0 || next >= len(score[i]) {
				continue
			}
			lost := score[i][of[i]] - score[i][next]
			of[i] += by
			x, ok := rate(lost, s.At(a))
			of[i] -= by
			if ok && (at == nil || x < best) {
				at, best = &of[i], x
			}
		}
	}
	if at == nil {
		return false
	}
	*at += by
	return true
}

// reach returns an error where no network of the supernet is within the budgets: it says
// what can be reached.
func (s *Supernet) reach(most [2]float64) error {
	if len(s.Widths)+len(s.Stages) == 0 {
		return errNothing
	}
	least := s.At(s.Least())
	for k, name := range []string{"MACs", "Params"} {
		if m := most[k]; m > 0 && (m < least[k]-1e-12 || m >= 1) {
			return outOfReach(name, m, least[k])
		}
	}
	return nil
}
