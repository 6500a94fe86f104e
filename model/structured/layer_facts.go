package structured

import (
	"context"
	"fmt"

	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/prune/block"
	"pare/prune/structure"
	"pare/train"
)

// LayerFacts are what was removed, and what came of it.
type LayerFacts struct {
	Score  string      `json:"score"`  // what blocks were ranked by
	Over   string      `json:"over"`   // how scores of weights became that of a block: sum or mean; "" of others
	Blocks []BlockFact `json:"blocks"` // that could go
	Before Cost        `json:"before"`
	After  Cost        `json:"after"`

	Dense   *train.Score `json:"dense,omitempty"`   // of the dense network, where it was trained
	Ticket  *train.Score `json:"ticket,omitempty"`  // of what is left
	Winning bool         `json:"winning"`           // the ticket is at most the margin worse than the dense network
	Similar *float64     `json:"similar,omitempty"` // linear CKA of what both give for the samples held out
}

// BlockFact is one block.
type BlockFact struct {
	Name    string     `json:"name"`
	Kind    block.Kind `json:"kind"`
	Score   *float64   `json:"score,omitempty"` // of angle: of the blocks in a row that begin here
	Removed bool       `json:"removed"`
	Cost
}

// Cost is what a network, or a part of it, takes.
type Cost struct {
	MACs   int64 `json:"macs"` // for one sample
	Params int64 `json:"params"`
}

func costOf(g *graph.Graph) Cost {
	c := structure.CostOf(g)
	return Cost{c.MACs, c.Params}
}

// open begins the facts.
func (l *layers) open() {
	f := l.facts
	if f.Score = l.set.Score; l.set.Rate != nil {
		f.Score = "given"
	}
	if l.set.Rate == nil && (l.set.Score == "grasp" || l.set.Score == "snip" || l.set.Score == "l1") {
		if f.Over = "sum"; l.set.Mean {
			f.Over = "mean"
		}
	}
	f.Before = costOf(l.Graph)
	for _, b := range l.blocks {
		f.Blocks = append(f.Blocks, BlockFact{Name: b.Name, Kind: b.Kind, Cost: Cost{b.Cost.MACs, b.Cost.Params}})
	}
}

// judge measures a network on what is held out; what is held against the dense network
// comes second.
func (l *layers) judge(ctx context.Context, to **train.Score, g *graph.Graph) error {
	if l.Held() == nil || !l.set.Drives() {
		return nil
	}
	s, err := l.Job.Score(ctx, g)
	if err != nil {
		return err
	}
	*to = &s
	switch {
	case to == &l.facts.Dense:
		l.trained, _ = g.Clone(true)
	case l.trained != nil:
		l.facts.Winning = l.facts.Dense.Worse(s.Value) <= l.set.Margin
		return l.similar(ctx, g)
	}
	return nil
}

// similarSamples are compared at most.
const similarSamples = 512

// similar compares what dense network and ticket give.
func (l *layers) similar(ctx context.Context, g *graph.Graph) error {
	set := l.Held().Loader.Set
	n := min(similarSamples, set.Len())
	if n < 2 {
		return nil
	}
	a, err := measure.Outputs(ctx, l.trained, set, l.Data.Norm, n, 64, l.Engine)
	if err != nil {
		return l.Interrupted(ctx, err)
	}
	b, err := measure.Outputs(ctx, g, set, l.Data.Norm, n, 64, l.Engine)
	if err != nil {
		return l.Interrupted(ctx, err)
	}
	if x, err := measure.CKA(a, b, n); err == nil && x-x == 0 {
		l.facts.Similar = &x
	}
	return nil
}

// note says in sentences what came out.
func (l *layers) note(res *model.Result) {
	f := l.facts
	var gone []*block.Block
	norm, plain, drawn := false, 0, l.set.When == "init" && (l.set.Fresh.Fresh || l.Graph.Usage.Drawn)
	for i, b := range l.blocks {
		if f.Blocks[i].Removed {
			gone = append(gone, b)
			norm = norm || b.Norm
			if b.Kind == block.Plain {
				plain++
			}
		}
	}
	share := func(a, b int64) float64 { return 100 * (1 - float64(a)/float64(max(1, b))) }
	if len(gone) == 0 {
		res.Note("no block had to go: the budgets hold as it is")
	} else {
		over := ""
		if f.Over != "" {
			over = fmt.Sprintf(" (%s over its weights)", f.Over)
		}
		res.Note("%d of %d blocks are removed, by %s%s: %s; %.2f %% of the multiply-accumulates and %.2f %% of the parameters less", len(gone), len(l.blocks), f.Score, over, listed(gone),
			share(f.After.MACs, f.Before.MACs), share(f.After.Params, f.Before.Params))
	}
	if plain > 0 {
		res.Note("%d of them are layers without a shortcut: what is behind each gets what it was never trained on, and most networks do not survive that: see what the accuracy says", plain)
	}
	if norm {
		res.Note("the normalisations behind the sums go with their blocks, as they follow such ones")
	}
	if f.Score == "l1" {
		res.Note("norms of different stages do not compare: l1 mostly removes blocks of early, narrow stages")
	}
	if l.Recipe.Epochs == 0 && drawn {
		res.Note("the ticket is not trained: give {Data} and {Recipe.Epochs}")
	}
	if f.Dense != nil && f.Ticket != nil {
		verdict := "no winning ticket"
		if f.Winning {
			verdict = "a winning ticket"
		}
		res.Note("dense: %s %s; the ticket: %s: %s", f.Dense.Metric, f.Dense.Show(), f.Ticket.Show(), verdict)
		if f.Similar != nil {
			res.Note("linear CKA of what the two give: %.3f", *f.Similar)
		}
	}
}
