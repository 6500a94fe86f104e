package model

import (
	"pare/catalog"
	"pare/graph"
	"pare/prune"
	"pare/prune/structure"
)

// ChannelTarget are the settings of methods that cut coupled channels down to a
// target.
type ChannelTarget struct {
	MACs   float64 `flag:"flops" range:"[0,1]" doc:"share of the multiply-accumulates that may stay, in (0,1] (0: not asked)"`
	Params float64 `flag:"params" range:"[0,1]" doc:"share of the parameters that may stay, in (0,1] (0: not asked)"`
	Round  int     `flag:"round" range:"[0,)" doc:"channels of a group are kept in multiples of this (0: what suits vector units, 8 in groups of 16 channels and more, 4 in those of 8 and more)"`
	Least  float64 `flag:"least" range:"[0,1)" doc:"share of every group's channels that stays at least"`
	Even   bool    `flag:"even" doc:"cut the same share of every group instead of ranking all groups together"`
}

// ChannelScore rates the channels of groups: higher stays. costs says that the rates are
// what channels cost for each multiply-accumulate that goes with them, which add up: see
// structure.Target.
type ChannelScore func(g *graph.Graph, groups []*structure.Group) (rates [][]float64, costs bool, err error)

// Squares rates channels by the squared norm of all that goes with them, over its
// group's mean.
func Squares(_ *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
	return structure.Score(groups, structure.Squares), false, nil
}

// Cut gives a copy of the job's network without the channels that a score rates
// lowest, as many as the targets ask for; the channels that weights out of scope make
// stay. It says what was rounded and what stays whole. kept are the positions that are
// left.
func (s ChannelTarget) Cut(j *Job, rate ChannelScore, scope prune.Scope) (cut *graph.Graph, kept structure.Kept, err error) {
	groups, sel, err := s.Choose(j, rate, scope)
	if err != nil {
		return nil, nil, err
	}
	cut, err = structure.Cut(j.Graph, groups, sel)
	return cut, structure.KeptBy(groups, sel), err
}

// Choose finds the coupled channels of the job's network and says which of them Cut
// leaves. Nothing is changed.
func (s ChannelTarget) Choose(j *Job, rate ChannelScore, scope prune.Scope) ([]*structure.Group, structure.Selection, error) {
	if s.MACs == 0 && s.Params == 0 {
		return nil, nil, catalog.Errorf("no target: give {MACs} or {Params}")
	}
	if err := scope.Check(j.Graph); err != nil {
		return nil, nil, err
	}
	groups, whole := structure.Groups(j.Graph)
	target := structure.Target{MACs: s.MACs, Params: s.Params, Round: s.Round, Least: s.Least, Even: s.Even,
		Whole: func(name string) bool { return !scope.Match(name) }, Why: whole}
	if s.Round == 0 {
		target.Round = structure.Auto
	}
	score, costs, err := rate(j.Graph, groups)
	if err != nil {
		return nil, nil, err
	}
	target.Costs = costs && !s.Even
	sel, rounded, err := structure.SelectRounded(j.Graph, groups, score, target)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rounded {
		j.Logf("%s: %d channels in place of %d, a multiple of %d", groups[r.Group].Name, r.Kept, r.Asked, r.Multiple)
	}
	for i, g := range groups {
		if n := sel[i].Count(); n < len(g.Channels) {
			j.Logf("%s: %d of %d channels stay", g.Name, n, len(g.Channels))
		}
	}
	for _, p := range whole {
		j.Logf("%s stays whole: %s", p.Value.Name, p.Why)
	}
	return groups, sel, nil
}
