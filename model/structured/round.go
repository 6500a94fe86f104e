package structured

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"

	"pare/graph"
	"pare/model"
	"pare/prune/structure"
)

// round is one cut of the network: sequential, greedy, and within the tolerance.
type round struct {
	*PAGCP
	ctx          context.Context
	job          *model.Job
	tasks        []*task
	macs, params int64          // that may stay; 0: not asked
	first        map[string]int // channels of the groups before the first round, by name

	groups []*structure.Group
	worst  [][]int // by group: its channels, that of the least norm first
	sel    structure.Selection
	gone   []int // by group: how many of worst are cut
	order  []int
	last   []float64 // losses that the next cut is compared with
	price  []float64 // by group: what its cut has cost for what it saved
	told   PAGCPRound
}

// cut makes the round, and gives the smaller network.
func (r *round) cut() (*graph.Graph, structure.Kept, error) {
	g := r.job.Graph
	var whole []structure.Protected
	r.groups, whole = structure.Groups(g)
	if len(r.groups) == 0 {
		return nil, nil, fmt.Errorf("no channels can be cut from this network")
	}
	for _, p := range whole {
		r.job.Logf("%s stays whole: %s", p.Value.Name, p.Why)
	}
	for _, grp := range r.groups {
		if _, ok := r.first[grp.Name]; !ok {
			r.first[grp.Name] = len(grp.Channels)
		}
	}
	r.rank()
	if r.arrange(); len(r.order) == 0 {
		return nil, nil, fmt.Errorf("no channels may be cut: weights that are to stay whole make all of them")
	}
	var err error
	if r.last, err = r.losses(g); err != nil {
		return nil, nil, err
	}
	start := slices.Clone(r.last)
	for tolerance := r.Tolerance; ; tolerance *= r.Relax {
		moved, err := r.pass(tolerance, start)
		if err != nil {
			return nil, nil, err
		}
		if asked := r.macs > 0 || r.params > 0; !asked || r.met() || !moved && (r.Relax == 1 || tolerance == 0 || r.spent()) {
			break
		}
		if tolerance > 1e9 {
			break
		}
	}
	r.top()
	cut, err := structure.Cut(g, r.groups, r.sel)
	return cut, structure.KeptBy(r.groups, r.sel), err
}

// rank orders the channels of each group by the norm of all that goes with them: of the
// filters that make them and the slices that read them.
func (r *round) rank() {
	r.sel, r.gone = structure.All(r.groups), make([]int, len(r.groups))
	for _, s := range structure.Score(r.groups, structure.Squares) {
		order := make([]int, len(s))
		for c := range order {
			order[c] = c
		}
		sort.SliceStable(order, func(a, b int) bool { return s[order[a]] < s[order[b]] })
		r.worst = append(r.worst, order)
	}
}

// probe is the share of a group whose cut says how much it saves.
const probe = .3

// arrange orders the groups by the multiply-accumulates that a cut of 30 % saves: those
// that save most first where the tolerance does not grow, else last.
func (r *round) arrange() {
	g := r.job.Graph
	saves := make([]float64, len(r.groups))
	was := structure.CostOf(g).MACs
	for i, grp := range r.groups {
		if !grp.In(r.Scope()) {
			continue
		}
		r.order = append(r.order, i)
		sel := structure.All(r.groups)
		for _, c := range r.worst[i][:max(1, int(probe*float64(len(grp.Channels))))] {
			sel[i].Set(c, false)
		}
		saves[i] = float64(was - structure.Counted(g, r.groups, sel).MACs)
	}
	sort.SliceStable(r.order, func(a, b int) bool {
		if r.Growth > 1 {
			return saves[r.order[a]] < saves[r.order[b]]
		}
		return saves[r.order[a]] > saves[r.order[b]]
	})
	for _, i := range r.order {
		r.told.Order = append(r.told.Order, r.groups[i].Name)
	}
	r.price = make([]float64, len(r.groups))
}

// met says whether the round's targets are.
func (r *round) met() bool {
	c := structure.Counted(r.job.Graph, r.groups, r.sel)
	return (r.macs > 0 || r.params > 0) && (r.macs == 0 || c.MACs <= r.macs) && (r.params == 0 || c.Params <= r.params)
}

// stays is how many channels of a group are left when a share goes.
func (r *round) stays(i int, share float64) int {
	n := len(r.groups[i].Channels)
	least := int(math.Ceil(r.Least*float64(r.first[r.groups[i].Name]) - 1e-9))
	keep := max(1, n-int(share*float64(n)+1e-9), least)
	to := r.Multiple(n)
	return min(n, (keep+to-1)/to*to)
}

// spent says whether no group has channels left that the round may cut.
func (r *round) spent() bool {
	for _, i := range r.order {
		if len(r.groups[i].Channels)-r.gone[i] > r.stays(i, r.Most) {
			return false
		}
	}
	return true
}

// pass tries larger and larger cuts of one group after the other, each for as long as no
// task loses more than the tolerance; moved says whether any was accepted.
func (r *round) pass(tolerance float64, start []float64) (moved bool, err error) {
	for _, i := range r.order {
		if r.met() {
			break
		}
		was, now := r.gone[i], []float64(nil)
		for k := 1; float64(k)*r.Step <= r.Most+1e-9 && !r.met(); k++ {
			if keep := r.stays(i, float64(k)*r.Step); len(r.groups[i].Channels)-keep > r.gone[i] {
				x, err := r.try(i, keep, tolerance, start)
				if err != nil {
					return moved, err
				}
				if x == nil {
					break
				}
				now = x
			}
		}
		if now == nil {
			continue
		}
		if r.met() { // as few as meet it
			if now, err = r.fewer(i, was, tolerance, start, now); err != nil {
				return moved, err
			}
		}
		if moved = true; r.From == "last" {
			for t, x := range now {
				r.last[t] = math.Max(r.last[t], x)
			}
		}
		tolerance *= r.Growth
	}
	return moved, nil
}

// fewer gives channels of a group back for as long as the targets stay met, if the tasks
// allow that; was is how many had gone before.
func (r *round) fewer(i, was int, tolerance float64, start, now []float64) ([]float64, error) {
	n := len(r.groups[i].Channels)
	few, least := n-r.gone[i], n-r.gone[i]
	for keep := few + 1; keep < n-was; keep++ {
		if keep%r.Multiple(n) != 0 {
			continue
		}
		if r.keep(i, keep); !r.met() {
			break
		}
		few = keep
	}
	r.keep(i, least)
	if few == least {
		return now, nil
	}
	if x, err := r.try(i, few, tolerance, start); x != nil || err != nil {
		return x, err
	}
	return now, nil
}

// try cuts a group down to so many channels, and takes that back where a task loses too
// much. It gives the losses, nil where the cut was taken back.
func (r *round) try(i, keep int, tolerance float64, start []float64) ([]float64, error) {
	was := len(r.groups[i].Channels) - r.gone[i]
	r.keep(i, keep)
	now, err := r.judge(i, keep, tolerance, start)
	if now == nil {
		r.keep(i, was)
	}
	return now, err
}

// keep leaves so many channels of a group, those of the largest norm.
func (r *round) keep(i, n int) {
	r.gone[i] = len(r.groups[i].Channels) - n
	for k, c := range r.worst[i] {
		r.sel[i].Set(c, k >= r.gone[i])
	}
}

// Of a loss that is nearly zero any change is large: it is compared with lossFloor then.
// rounding is how far sums in another order may lie apart.
const (
	lossFloor = 1e-3
	rounding  = 1e-6
)

// judge measures the tasks with what is cut; nil: one has lost too much.
func (r *round) judge(i, keep int, tolerance float64, start []float64) ([]float64, error) {
	cut, err := structure.Cut(r.job.Graph, r.groups, r.sel)
	if err != nil {
		return nil, err
	}
	now, err := r.losses(cut)
	if err != nil {
		return nil, err
	}
	of := r.last
	if r.From == "start" {
		of = start
	}
	s := PAGCPStep{Group: r.groups[i].Name, Channels: keep, Of: len(r.groups[i].Channels), Tolerance: tolerance, Reference: slices.Clone(of), Loss: now, Accepted: true}
	for t, x := range now {
		if x-of[t] > (tolerance+rounding)*math.Max(math.Abs(of[t]), lossFloor) {
			s.Accepted = false
		}
	}
	if s.Accepted {
		cost := structure.CostOf(cut)
		rose := 0.
		for t, x := range now {
			rose += (x - start[t]) / math.Max(math.Abs(start[t]), lossFloor)
		}
		r.price[i] = rose / float64(max(1, structure.CostOf(r.job.Graph).MACs-cost.MACs))
	}
	r.told.Steps = append(r.told.Steps, s)
	if !s.Accepted {
		return nil, nil
	}
	return now, nil
}

// top takes back the cuts that cost most for what they saved.
func (r *round) top() {
	var cut []int
	for _, i := range r.order {
		if r.gone[i] > 0 {
			cut = append(cut, i)
		}
	}
	sort.SliceStable(cut, func(a, b int) bool { return r.price[cut[a]] < r.price[cut[b]] })
	for _, i := range cut[min(len(cut), int(math.Ceil(r.Top*float64(len(cut))-1e-9))):] {
		r.keep(i, len(r.groups[i].Channels))
		r.told.Kept = append(r.told.Kept, r.groups[i].Name)
	}
}

// losses measures every task.
func (r *round) losses(g *graph.Graph) ([]float64, error) {
	var out []float64
	for _, t := range r.tasks {
		m, err := t.eval.Run(r.ctx, g)
		if err != nil {
			return nil, r.job.Interrupted(r.ctx, err)
		}
		out = append(out, m.Loss)
	}
	return out, nil
}
