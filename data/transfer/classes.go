// Package transfer holds the methods that choose what stays of a source set by a target
// task: a network is trained on the source, and then fine-tuned for the target.
package transfer

import (
	"context"
	"math/rand/v2"
	"slices"

	"pare/catalog"
	"pare/data"
	"pare/data/hygiene"
	"pare/dataset"
)

// paper is the one of both methods.
const paper = "Zhang, Zhang, Chen, Jia, Liu et al.: Selectivity Drives Productivity: Efficient Dataset Pruning for Enhanced Transfer Learning (NeurIPS 2023), arXiv 2310.08782"

// Classes is the setting of which classes, or clusters, of the source stay.
type Classes struct {
	Share float64 `flag:"classes" range:"(0,1]" doc:"share of the classes, or clusters, of the source that stays"`
	Count int     `flag:"class-count" range:"[0,)" doc:"number of them that stays (0: what classes says)"`
	Which string  `flag:"which" choice:"top,bottom,random" doc:"which stay: those with the most votes, or, to compare with, those with the fewest, or any"`
}

// Facts are what the vote came to.
type Facts struct {
	Candidates int       `json:"candidates"` // classes or clusters of the source that have samples
	Kept       []int32   `json:"kept"`
	NoVote     int       `json:"kept_without_vote"` // of those kept
	Voters     int       `json:"voters"`            // samples of all targets
	Votes      []int     `json:"votes"`             // by class or cluster, of all targets
	Targets    []Counted `json:"targets"`
}

// Counted is a target whose samples have voted.
type Counted struct {
	Name    string `json:"name"`
	Samples int    `json:"samples"`
	Votes   []int  `json:"votes,omitempty"` // by class or cluster, where there are several targets
	Shared  int    `json:"shared"`          // samples that are in the source too, value for value
}

// randomSeed keeps draws of classes apart from those of other methods.
const randomSeed = 0x7a5f

// choose keeps the classes, or clusters (what says which), of the source that the vote is
// for. group is that of each sample of the source.
func (c *Classes) choose(ctx context.Context, j *data.Job, b *ballot, group []int32, what string) (*data.Result, error) {
	there := make([]bool, len(b.tie))
	for _, g := range group {
		there[g] = true
	}
	order := b.order(there)
	m := int(c.Share*float64(len(order)) + 1e-9)
	if c.Count > 0 {
		m = c.Count
	}
	if m < 1 {
		return nil, catalog.Errorf("{Share} %v of %d %s is none: keep at least %.3g", c.Share, len(order), what, 1/float64(len(order)))
	}
	if m > len(order) {
		return nil, catalog.Errorf("{Count} %d: the source has %d %s", m, len(order), what)
	}
	switch c.Which {
	case "bottom":
		slices.Reverse(order)
	case "random":
		slices.Sort(order)
		r := rand.New(rand.NewPCG(j.Seed, randomSeed))
		r.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
	}
	kept := slices.Clone(order[:m])
	slices.Sort(kept)
	var places []int
	for i, g := range group {
		if _, ok := slices.BinarySearch(kept, g); ok {
			places = append(places, i)
		}
	}
	res := &data.Result{Subset: data.Keep(j.Set, places)}
	facts := &Facts{Candidates: len(order), Kept: kept, Votes: b.sum()}
	res.Facts = facts
	gone := 0
	for g, n := range facts.Votes {
		if facts.Voters += n; !there[g] {
			gone += n
		}
	}
	for _, g := range kept {
		if facts.Votes[g] == 0 {
			facts.NoVote++
		}
	}
	res.Note("%d target samples voted for %d of the %d %s; %d of the %d that stay had no vote", facts.Voters, voted(facts.Votes), len(order), what, facts.NoVote, m)
	if gone > 0 {
		res.Note("%d votes are for classes of which the source has no samples", gone)
	}
	return res, c.compare(ctx, j, b, res, facts)
}

// voted is how many have a vote.
func voted(votes []int) (n int) {
	for _, v := range votes {
		if v > 0 {
			n++
		}
	}
	return n
}

// compare says what targets have in common with the source.
func (c *Classes) compare(ctx context.Context, j *data.Job, b *ballot, res *data.Result, facts *Facts) error {
	for k, t := range j.Targets {
		x := Counted{Name: t.Name, Samples: t.Set.Len()}
		if len(j.Targets) > 1 {
			x.Votes = b.votes[k]
		}
		pairs, err := hygiene.Duplicates(ctx, hygiene.Corpus{j.Set, t.Set})
		if err != nil {
			return err
		}
		for _, p := range pairs {
			if int(p.A) < j.Set.Len() && int(p.B) >= j.Set.Len() {
				x.Shared++
			}
		}
		if x.Shared > 0 {
			res.Note("%d of the %d samples of {Target} %s are in the source too, value for value", x.Shared, x.Samples, t.Name)
		}
		if of, is := j.Set.X(), t.Set.X(); kind(of) != kind(is) {
			res.Note("{Target} %s holds %s and the source %s: its samples are normalised as those of the source, whose range may be another", t.Name, kind(is), kind(of))
		}
		facts.Targets = append(facts.Targets, x)
	}
	return nil
}

// kind is what a field holds.
func kind(f *dataset.Field) string {
	switch {
	case f.Bytes != nil:
		return "bytes"
	case f.Ints != nil:
		return "whole numbers"
	}
	return "numbers with a point"
}
