package structured

import (
	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune/block"
	"pare/prune/structure"
)

// find lists the blocks that may go by the settings.
func (l *layers) find() error {
	all, whole := block.Find(l.Graph, block.Options{Sublayers: l.set.Unit == "sublayer", Plain: l.set.Plain})
	l.whole = whole
	used := map[string]bool{}
	for i, b := range all {
		in, err := match(l.set.Include, b.Name, used)
		if err != nil {
			return err
		}
		out, err := match(l.set.Exclude, b.Name, used)
		if err != nil {
			return err
		}
		if (in || len(l.set.Include) == 0) && !out && !(l.set.KeepFirst && i == 0) {
			l.blocks = append(l.blocks, b)
		}
	}
	for _, p := range slices.Concat(l.set.Include, l.set.Exclude) {
		if !used[p] && len(all) > 0 {
			return catalog.Errorf("{Include} or {Exclude} %q matches no block: there are %s", p, listed(all))
		}
	}
	for _, w := range whole {
		l.Logf("%s stays: %s", w.Name, w.Why)
	}
	if len(l.blocks) == 0 {
		return l.none(len(all) > 0)
	}
	l.open()
	return nil
}

// match says whether a name matches one of some patterns, and marks those that do.
func match(patterns []string, name string, used map[string]bool) (any bool, err error) {
	for _, p := range patterns {
		ok, err := path.Match(p, name)
		if err != nil {
			return false, catalog.Errorf("{Include} or {Exclude} %q is no pattern: %v", p, err)
		}
		if ok {
			any, used[p] = true, true
		}
	}
	return any, nil
}

// none says why there is nothing that may go.
func (l *layers) none(scope bool) error {
	switch {
	case scope:
		return catalog.Errorf("every block is to stay by {Include}, {Exclude} or {KeepFirst}")
	case !l.set.Plain:
		if all, _ := block.Find(l.Graph, block.Options{Plain: true}); len(all) > 0 {
			return catalog.Errorf("the network has no block beside an identity shortcut%s; {Plain} lets layers without one go (%s), which most networks do not survive; method channels makes any network narrower", l.because(), listed(all))
		}
	}
	return catalog.Errorf("the network has no block beside an identity shortcut%s; method channels makes any network narrower", l.because())
}

// because are the reasons of what stays, behind a colon.
func (l *layers) because() string {
	var out []string
	for i, w := range l.whole {
		if i == 3 {
			out = append(out, fmt.Sprintf("and %d more", len(l.whole)-i))
			break
		}
		out = append(out, w.Name+": "+w.Why)
	}
	if out == nil {
		return ""
	}
	return ": " + strings.Join(out, "; ")
}

// listed names blocks, some of many.
func listed(blocks []*block.Block) string {
	var out []string
	for i, b := range blocks {
		if i == 8 && len(blocks) > 9 {
			out = append(out, fmt.Sprintf("and %d more", len(blocks)-i))
			break
		}
		out = append(out, b.Name)
	}
	return strings.Join(out, ", ")
}

// pick scores the blocks and chooses those that go.
func (l *layers) pick(ctx context.Context) ([]*block.Block, error) {
	if l.set.Rate == nil && l.set.Score == "angle" {
		return l.row(ctx)
	}
	rate, err := l.rates(ctx)
	if err != nil {
		return nil, err
	}
	for i, b := range l.blocks {
		if rate[i]-rate[i] != 0 {
			return nil, catalog.Errorf("block %s is rated %v by {Score} %s: nothing can be ranked by that", b.Name, rate[i], l.set.Score)
		}
		l.facts.Blocks[i].Score = &rate[i]
	}
	order := make([]int, len(rate))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case rate[a] < rate[b]:
			return -1
		case rate[a] > rate[b]:
			return 1
		}
		return 0
	})
	want, err := l.count()
	if err != nil {
		return nil, err
	}
	stay := map[int]int{}
	for _, b := range l.blocks {
		stay[b.Stage]++
	}
	var gone []int
	for _, i := range order {
		if b := l.blocks[i]; (want == 0 && !l.met(gone) || len(gone) < want) && stay[b.Stage] > l.set.StageLeast {
			gone = append(gone, i)
			stay[b.Stage]--
		}
	}
	switch {
	case len(gone) < want:
		return nil, catalog.Errorf("{Blocks} %v: of %d blocks that can go %d do where {StageLeast} %d of each stage stay", l.set.Blocks, len(l.blocks), len(gone), l.set.StageLeast)
	case want == 0 && !l.met(gone):
		return nil, l.short(gone)
	case want == 0: // the most important come back where the budgets hold with them
		for k := len(gone) - 1; k >= 0; k-- {
			if rest := slices.Delete(slices.Clone(gone), k, k+1); l.met(rest) {
				gone = rest
			}
		}
	}
	return l.these(gone), nil
}

// count is how many blocks are to go; 0: as many as the budgets want.
func (l *layers) count() (int, error) {
	n := int(l.set.Blocks)
	if l.set.Blocks == 0 && l.set.MACs == 0 && l.set.Params == 0 {
		n = 1
	}
	if l.set.Blocks > 0 && l.set.Blocks < 1 {
		if n = int(l.set.Blocks*float64(len(l.blocks)) + 1e-9); n == 0 {
			return 0, catalog.Errorf("{Blocks} %v of %d blocks is less than one", l.set.Blocks, len(l.blocks))
		}
	}
	if n > len(l.blocks) {
		return 0, catalog.Errorf("{Blocks} %v: %d blocks can go (%s)%s", l.set.Blocks, len(l.blocks), listed(l.blocks), l.because())
	}
	return n, nil
}

// left is what the network costs without some blocks.
func (l *layers) left(gone []int) structure.Cost {
	c := structure.Cost{MACs: l.facts.Before.MACs, Params: l.facts.Before.Params}
	for _, i := range gone {
		c.MACs -= l.blocks[i].Cost.MACs
		c.Params -= l.blocks[i].Cost.Params
	}
	return c
}

// met says whether the budgets hold without some blocks.
func (l *layers) met(gone []int) bool {
	c := l.left(gone)
	within := func(x, all int64, most model.Count) bool {
		return most == 0 || float64(x) <= most.Share(all)*float64(all)
	}
	return within(c.MACs, l.facts.Before.MACs, l.set.MACs) && within(c.Params, l.facts.Before.Params, l.set.Params)
}

// short is the error where the budgets are not met.
func (l *layers) short(gone []int) error {
	c := l.left(gone)
	return catalog.Errorf("without all %d blocks that can go %.3f of the multiply-accumulates and %.3f of the parameters stay: raise {MACs} or {Params}%s", len(gone),
		float64(c.MACs)/float64(max(1, l.facts.Before.MACs)), float64(c.Params)/float64(max(1, l.facts.Before.Params)), l.because())
}

// row chooses blocks that follow each other: those between whose ends values turn least.
func (l *layers) row(ctx context.Context) ([]*block.Block, error) {
	want, err := l.count()
	if err != nil {
		return nil, err
	}
	angle, err := l.angles(ctx)
	if err != nil {
		return nil, err
	}
	longest := 0
	for n := max(1, want); n <= len(l.blocks); n++ {
		best, least := -1, math.Inf(1)
		for i := range len(l.blocks) - n + 1 {
			if !l.joined(i, i+n) {
				continue
			}
			longest = n
			a := angle(i, i+n-1)
			if a-a != 0 {
				return nil, catalog.Errorf("values turn by %v between the ends of blocks %s and %s: the network's values are not finite", a, l.blocks[i].Name, l.blocks[i+n-1].Name)
			}
			if want > 0 || l.met(span(i, i+n)) {
				if l.facts.Blocks[i].Score = &a; a < least {
					best, least = i, a
				}
			}
		}
		if best >= 0 {
			return l.these(span(best, best+n)), nil
		}
		if want > 0 {
			break
		}
	}
	if want == 0 && l.met(nil) {
		return nil, nil
	}
	if want > 0 {
		return nil, catalog.Errorf("{Score} angle removes blocks in a row, and no %d of those that can go follow each other in one stage ({StageLeast} %d): lower {Blocks}, or choose another {Score}", want, l.set.StageLeast)
	}
	return nil, catalog.Errorf("{Score} angle removes blocks in a row, at most %d here, and the budgets are not met so: raise {MACs} or {Params}, or choose another {Score}", longest)
}

// joined says whether the blocks from one to before another follow each other, and enough
// of their stage stay.
func (l *layers) joined(from, to int) bool {
	stage := 0
	for _, b := range l.blocks {
		if b.Stage == l.blocks[from].Stage {
			stage++
		}
	}
	for i := from + 1; i < to; i++ {
		if l.blocks[i].Stage != l.blocks[from].Stage || l.blocks[i].In != l.blocks[i-1].Out {
			return false
		}
	}
	return stage-(to-from) >= l.set.StageLeast
}

func span(from, to int) (out []int) {
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// these are the blocks of some places, in the network's order, which the facts say.
func (l *layers) these(gone []int) (out []*block.Block) {
	slices.Sort(gone)
	for _, i := range gone {
		l.facts.Blocks[i].Removed = true
		out = append(out, l.blocks[i])
	}
	return out
}

// remove takes blocks out of the job's network, and says what that comes to.
func (l *layers) remove(gone []*block.Block) (*graph.Graph, error) {
	c, err := block.Remove(l.Graph, gone)
	if err != nil {
		return nil, err
	}
	l.facts.After = costOf(c)
	for _, b := range l.facts.Blocks {
		state := "stays"
		if b.Removed {
			state = "goes"
		}
		if b.Score != nil {
			l.Logf("block %s: %s %.4g, %s", b.Name, l.facts.Score, *b.Score, state)
		} else {
			l.Logf("block %s: %s", b.Name, state)
		}
	}
	return c, nil
}
