package model

import (
	"context"
	"math"

	"pare/catalog"
	"pare/graph"
	"pare/prune"
	"pare/prune/structure"
)

// ChannelTarget are the settings of methods that cut coupled channels down to what may
// stay: the largest network, by the method's ranking, that is within all budgets asked for.
type ChannelTarget struct {
	MACs        Count    `flag:"macs" target:"yes" alias:"flops" kind:"amount" range:"[0,)" doc:"multiply-accumulates for one sample that may stay: a share such as 0.5, or a number such as 20M (0: not asked; also --flops)"`
	Params      Count    `flag:"params" target:"yes" kind:"amount" range:"[0,)" doc:"parameters that may stay: a share such as 0.4, or a number such as 100k (0: not asked)"`
	Bytes       Size     `flag:"bytes" target:"yes" kind:"size" range:"[0,)" doc:"bytes that the ONNX file may have: a share such as 0.4, or a size such as 1.2MB (0: not asked)"`
	Activations Size     `flag:"activations" target:"yes" kind:"size" range:"[0,)" doc:"most bytes of activations that may lie in memory at once, for one sample in the order of the file: a share such as 0.5, or a size such as 256KiB (0: not asked; the bound of this process is --memory)"`
	Latency     Time     `flag:"latency" target:"yes" kind:"time" range:"[0,)" doc:"time for one sample that may be taken, measured on this machine by Pare's engine or the latency command: a share such as 0.5, or a time such as 8ms (0: not asked)"`
	LatencyCmd  string   `flag:"latency-cmd" doc:"a command that measures instead, such as 'python bench.py {}': {} is the path of a candidate ONNX file, and the last line printed a number of milliseconds (it may take 10 minutes for each)"`
	Round       int      `flag:"round" range:"[0,)" doc:"channels of a group are kept in multiples of this (0: what suits vector units, 8 in groups of 16 channels and more, 4 in those of 8 and more)"`
	Least       float64  `flag:"least" range:"[0,1)" doc:"share of every group's channels that stays at least"`
	AtLeast     []string `flag:"at-least" kind:"PATTERN=WIDTH" doc:"share or number of channels that stays at least in groups by pattern, such as 'layer3*=0.5,head*=16'; the last pattern that matches a group's layers counts"`
	Widths      []string `flag:"widths" target:"yes" kind:"PATTERN=WIDTH" doc:"share or number of channels that stays in groups by pattern, whatever the budgets, such as 'layer1*=0.8,conv1=1'; the last pattern that matches a group's layers counts"`
	Even        bool     `flag:"even" doc:"cut the same share of every group instead of ranking all groups together"`
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

// Asked says whether there is anything to cut to.
func (s *ChannelTarget) Asked() bool {
	return s.MACs > 0 || s.Params > 0 || s.Bytes > 0 || s.Activations > 0 || s.Latency > 0 || len(s.Widths) > 0
}

// OneTarget lets the targets that a method has by default go where another of its targets is
// asked for and they are not: whoever gives a share of the parameters alone does not ask for
// the default one of the multiply-accumulates. given says of a setting's name whether it is.
func OneTarget(m Method, given func(name string) bool) error {
	var rest []*catalog.Setting
	other := false
	for _, s := range catalog.Settings(m) {
		switch asked := s.Default != "" && s.Default != "0"; {
		case !s.Target || !asked:
		case given(s.Name):
			other = true
		default:
			rest = append(rest, s)
		}
	}
	if !other {
		return nil
	}
	for _, s := range rest {
		if err := s.Set("0"); err != nil {
			return err
		}
	}
	return nil
}

// Shares are Counts.Shares of the target's, for methods that steer towards them before they
// cut.
func (s *ChannelTarget) Shares(g *graph.Graph) (macs, params float64) {
	return Counts{s.MACs, s.Params}.Shares(g)
}

// CountsAlone refuses what is neither a target of multiply-accumulates nor one of
// parameters; why says what does not go with it.
func (s *ChannelTarget) CountsAlone(why string) error {
	if s.Bytes > 0 || s.Activations > 0 || s.Latency > 0 || s.LatencyCmd != "" || len(s.Widths) > 0 || len(s.AtLeast) > 0 {
		return catalog.Errorf("%s goes by {MACs} and {Params} alone: {Bytes}, {Activations}, {Latency}, {LatencyCmd}, {Widths} and {AtLeast} do not go with it", why)
	}
	return nil
}

// Multiple is what the channels that stay of a group of n come in multiples of.
func (s *ChannelTarget) Multiple(n int) int {
	if s.Round == 0 {
		return structure.Width(n)
	}
	return s.Round
}

// Check says what is wrong with the settings, before any work.
func (s *ChannelTarget) Check() error {
	if err := (Counts{s.MACs, s.Params}).Check(); err != nil {
		return err
	}
	for _, a := range []struct {
		field string
		x     float64
		like  string
	}{{"Bytes", float64(s.Bytes), "0.4 or 1.2MB"}, {"Activations", float64(s.Activations), "0.5 or 256KiB"}} {
		if err := amount(a.x, a.like); err != nil {
			return catalog.Errorf("{%s} %v: %v", a.field, a.x, err)
		}
	}
	switch {
	case !s.Asked():
		return catalog.Errorf("no target: give {MACs}, {Params}, {Bytes}, {Activations}, {Latency} or {Widths}")
	case s.LatencyCmd != "":
		return CheckCommand(s.LatencyCmd)
	}
	return nil
}

// Cut gives a copy of the job's network without the channels that a score rates
// lowest, as many as the targets ask for; the channels that weights out of scope make
// stay. It says what was rounded and what stays whole. kept are the positions that are
// left. The end of the context ends it while it measures.
func (s ChannelTarget) Cut(ctx context.Context, j *Job, rate ChannelScore, scope prune.Scope) (cut *graph.Graph, kept structure.Kept, err error) {
	groups, sel, err := s.Choose(ctx, j, rate, scope)
	if err != nil {
		return nil, nil, err
	}
	cut, err = structure.Cut(j.Graph, groups, sel)
	return cut, structure.KeptBy(groups, sel), err
}

// CutRest is Cut for a network that a training has left of the job's, without some of
// its channels: what is asked for in shares is of the job's network, as it was. kept are the
// positions of g that are left.
func (s ChannelTarget) CutRest(ctx context.Context, j *Job, g *graph.Graph, rate ChannelScore, scope prune.Scope) (cut *graph.Graph, kept structure.Kept, err error) {
	c, err := s.newCutting(j, 2) // the training was the first
	if err != nil {
		return nil, nil, err
	}
	groups, _ := structure.Groups(j.Graph)
	if err := c.limit(&structure.Target{}, j.Graph, groups); err != nil {
		return nil, nil, err
	}
	c.done++
	k := j.On(g)
	chosen, err := c.choose(ctx, k, rate, scope)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range c.notes {
		j.Logf("%s", n)
	}
	cut, err = structure.Cut(g, chosen.groups, chosen.Selection)
	return cut, structure.KeptBy(chosen.groups, chosen.Selection), err
}

// Floors are how many channels of each group stay at least, by Least, AtLeast and Widths.
func (s *ChannelTarget) Floors(g *graph.Graph, groups []*structure.Group) ([]int, error) {
	limits, err := s.limits(g, groups)
	if err != nil {
		return nil, err
	}
	out := make([]int, len(groups))
	for i, grp := range groups {
		out[i] = max(1, int(math.Ceil(s.Least*float64(len(grp.Channels))-1e-9)))
		if limits != nil {
			out[i] = max(out[i], limits[i].Least, limits[i].Exactly)
		}
	}
	return out, nil
}

// Choose finds the coupled channels of the job's network and says which of them Cut
// leaves. Nothing is changed.
func (s ChannelTarget) Choose(ctx context.Context, j *Job, rate ChannelScore, scope prune.Scope) ([]*structure.Group, structure.Selection, error) {
	c, err := s.newCutting(j, 1)
	if err != nil {
		return nil, nil, err
	}
	chosen, err := c.choose(ctx, j, rate, scope)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range c.notes {
		j.Logf("%s", n)
	}
	return chosen.groups, chosen.Selection, nil
}

// Reach returns an error where no cut of the job's network meets the target. It is asked
// before trainings that stand before the cut.
func (s ChannelTarget) Reach(ctx context.Context, j *Job, scope prune.Scope) error {
	c, err := s.newCutting(j, 1)
	if err != nil {
		return err
	}
	c.asks = true
	quiet := j.On(j.Graph)
	quiet.Log = nil
	_, err = c.choose(ctx, quiet, Squares, scope)
	return err
}
