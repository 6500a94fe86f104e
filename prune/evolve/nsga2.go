package evolve

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Gene is a number that a solution has, between Lo and Hi: any, or Lo and multiples of
// Step above it.
type Gene struct{ Lo, Hi, Step float64 }

// Individual is a solution with its costs, all of which are to be small.
type Individual struct {
	Genes    []float64
	Costs    []float64
	Rank     int     // of its front, from 0
	Crowding float64 // in its front, see Crowding

	key string
}

// NSGA2 is a search by Deb et al. 2002: of parents and children together the best fronts
// survive, and of the last front that does not fit whole those that are least crowded.
// Parents are chosen by tournaments of two. Genes of any number are crossed by simulated
// binary crossover and moved by polynomial mutation; genes of steps are swapped with a
// chance of one half, and drawn anew. Who has the same genes as another does not survive
// beside it, so that a small space leaves a population smaller than asked for.
type NSGA2 struct {
	Genes       []Gene
	Population  int     // at least 4
	Generations int     // after the first population
	Crossover   float64 // chance that two parents are crossed
	Mutation    float64 // chance that a gene is moved; 0: 1 over their number
	EtaCross    float64 // distribution index of simulated binary crossover: larger stays nearer; 0: 20
	EtaMutate   float64 // of polynomial mutation; 0: 20
	First       [][]float64
	Seed        uint64

	// Evaluate gives the costs of a solution, as many each time. It is called once for
	// every combination of genes.
	Evaluate func(genes []float64) ([]float64, error)
	// After is told of every population, the first as generation 0; it may be nil.
	After func(generation int, population []*Individual)

	draw  *rand.Rand
	known map[string][]float64
}

// Run searches, and gives the last population, the best first: by front, and in a front
// those least crowded first. The first population is First, and random solutions where
// it is smaller. It returns an error where a setting is out of range, where Evaluate
// fails, or the context ends.
func (n *NSGA2) Run(ctx context.Context) ([]*Individual, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	n.draw, n.known = rand.New(rand.NewPCG(n.Seed, 0x2e5a)), map[string][]float64{}
	var all []*Individual
	for _, f := range n.First {
		all = n.add(all, slices.Clone(f))
	}
	for range triesEach * n.Population { // a small space may not have as many
		if len(all) >= n.Population {
			break
		}
		genes := make([]float64, len(n.Genes))
		for i, g := range n.Genes {
			genes[i] = g.any(n.draw)
		}
		all = n.add(all, genes)
	}
	if err := n.evaluate(ctx, all); err != nil {
		return nil, err
	}
	all = survive(all, n.Population)
	n.tell(0, all)
	for g := range n.Generations {
		both := slices.Clone(all)
		for range triesEach * n.Population {
			if len(both) >= len(all)+n.Population {
				break
			}
			for _, genes := range n.children(n.parent(all), n.parent(all)) {
				if len(both) < len(all)+n.Population {
					both = n.add(both, genes)
				}
			}
		}
		if err := n.evaluate(ctx, both); err != nil {
			return nil, err
		}
		all = survive(both, n.Population)
		n.tell(g+1, all)
	}
	return all, nil
}

// triesEach is how many solutions are tried for each that a population has, before it is
// left smaller.
const triesEach = 10

// Evaluations is how many combinations of genes were evaluated.
func (n *NSGA2) Evaluations() int { return len(n.known) }

func (n *NSGA2) check() error {
	switch {
	case n.Population < 4:
		return fmt.Errorf("a population of %d: tournaments need at least 4", n.Population)
	case n.Generations < 0:
		return fmt.Errorf("%d generations", n.Generations)
	case len(n.Genes) == 0:
		return fmt.Errorf("there are no genes")
	case !(n.Crossover >= 0 && n.Crossover <= 1), !(n.Mutation >= 0 && n.Mutation <= 1):
		return fmt.Errorf("chances of crossover %v and mutation %v: each is in [0,1]", n.Crossover, n.Mutation)
	}
	for i, g := range n.Genes {
		if !(g.Lo <= g.Hi) || !(g.Step >= 0) || math.IsInf(g.Lo, 0) || math.IsInf(g.Hi, 0) {
			return fmt.Errorf("gene %d: %+v is no range", i, g)
		}
	}
	for _, f := range n.First {
		if len(f) != len(n.Genes) {
			return fmt.Errorf("a first solution has %d genes of %d", len(f), len(n.Genes))
		}
	}
	return nil
}

func (n *NSGA2) tell(generation int, all []*Individual) {
	if n.After != nil {
		n.After(generation, all)
	}
}

// add appends a solution, its genes brought into their ranges, unless it is there.
func (n *NSGA2) add(all []*Individual, genes []float64) []*Individual {
	var key []byte
	for i, g := range n.Genes {
		genes[i] = g.snap(genes[i])
		key = binary.LittleEndian.AppendUint64(key, math.Float64bits(genes[i]))
	}
	x := &Individual{Genes: genes, key: string(key)}
	if slices.ContainsFunc(all, func(o *Individual) bool { return o.key == x.key }) {
		return all
	}
	return append(all, x)
}

// evaluate gives costs to those who have none.
func (n *NSGA2) evaluate(ctx context.Context, all []*Individual) error {
	for _, x := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if x.Costs == nil {
			x.Costs = n.known[x.key]
		}
		if x.Costs == nil {
			c, err := n.Evaluate(slices.Clone(x.Genes))
			if err != nil {
				return err
			}
			for k, v := range c {
				if v-v != 0 { // dominated by all who are finite
					c[k] = math.Inf(1)
				}
			}
			x.Costs, n.known[x.key] = c, c
		}
	}
	return nil
}

// survive keeps the best.
func survive(all []*Individual, n int) []*Individual {
	costs := make([][]float64, len(all))
	for i, x := range all {
		costs[i] = x.Costs
	}
	var out []*Individual
	for rank, front := range Sort(costs) {
		crowding := Crowding(costs, front)
		order := make([]int, len(front))
		for i := range order {
			order[i] = i
			all[front[i]].Rank, all[front[i]].Crowding = rank, crowding[i]
		}
		slices.SortStableFunc(order, func(a, b int) int { return compare(crowding[b], crowding[a]) })
		for _, i := range order {
			if len(out) == n {
				return out
			}
			out = append(out, all[front[i]])
		}
	}
	return out
}

// parent is the winner of a tournament of two: of the better front, else the less
// crowded.
func (n *NSGA2) parent(all []*Individual) *Individual {
	a, b := all[n.draw.IntN(len(all))], all[n.draw.IntN(len(all))]
	if b.Rank < a.Rank || b.Rank == a.Rank && b.Crowding > a.Crowding {
		return b
	}
	return a
}

// children are two copies of the parents, crossed and moved.
func (n *NSGA2) children(a, b *Individual) [2][]float64 {
	out := [2][]float64{slices.Clone(a.Genes), slices.Clone(b.Genes)}
	if n.draw.Float64() < n.Crossover {
		for i, g := range n.Genes {
			x, y := &out[0][i], &out[1][i]
			if n.draw.Float64() < .5 {
				continue
			}
			if g.Step > 0 {
				*x, *y = *y, *x
			} else {
				n.cross(g, x, y)
			}
		}
	}
	chance := n.Mutation
	if chance == 0 {
		chance = 1 / float64(len(n.Genes))
	}
	for _, genes := range out {
		for i, g := range n.Genes {
			if n.draw.Float64() >= chance {
				continue
			}
			if g.Step > 0 {
				genes[i] = g.any(n.draw)
			} else {
				genes[i] = n.move(g, genes[i])
			}
		}
	}
	return out
}

// eta is a distribution index, or the usual one.
func eta(x float64) float64 {
	if x == 0 {
		return 20
	}
	return x
}

// cross spreads two numbers around their mean as simulated binary crossover does (Deb,
// Agrawal 1995), within the gene's range: for u below 1/α the spread is (uα)^(1/(η+1)),
// else (1/(2-uα))^(1/(η+1)), with α = 2 - β^-(η+1) and β the distance of the nearer bound.
func (n *NSGA2) cross(g Gene, x, y *float64) {
	lo, hi := math.Min(*x, *y), math.Max(*x, *y)
	if hi-lo < 1e-14 {
		return
	}
	e, u := eta(n.EtaCross)+1, n.draw.Float64()
	spread := func(bound float64) float64 {
		alpha := 2 - math.Pow(1+2*bound/(hi-lo), -e)
		if u <= 1/alpha {
			return math.Pow(u*alpha, 1/e)
		}
		return math.Pow(1/(2-u*alpha), 1/e)
	}
	*x = (lo + hi - spread(lo-g.Lo)*(hi-lo)) / 2
	*y = (lo + hi + spread(g.Hi-hi)*(hi-lo)) / 2
	if n.draw.Float64() < .5 {
		*x, *y = *y, *x
	}
}

// move is polynomial mutation within the gene's range (Deb 2001).
func (n *NSGA2) move(g Gene, x float64) float64 {
	span := g.Hi - g.Lo
	if span == 0 {
		return x
	}
	e, u := eta(n.EtaMutate)+1, n.draw.Float64()
	if u < .5 {
		return x + span*(math.Pow(2*u+(1-2*u)*math.Pow(1-(x-g.Lo)/span, e), 1/e)-1)
	}
	return x + span*(1-math.Pow(2*(1-u)+(2*u-1)*math.Pow(1-(g.Hi-x)/span, e), 1/e))
}

// any is a number of the gene by chance.
func (g Gene) any(draw *rand.Rand) float64 {
	if g.Step > 0 {
		return g.Lo + g.Step*float64(draw.IntN(g.steps()+1))
	}
	return g.Lo + (g.Hi-g.Lo)*draw.Float64()
}

// steps is how many steps the range has.
func (g Gene) steps() int { return int((g.Hi-g.Lo)/g.Step + 1e-9) }

// snap is the nearest number of the gene.
func (g Gene) snap(x float64) float64 {
	x = math.Min(math.Max(x, g.Lo), g.Hi)
	if g.Step > 0 {
		return g.Lo + g.Step*math.Min(math.Round((x-g.Lo)/g.Step), float64(g.steps()))
	}
	return x
}
