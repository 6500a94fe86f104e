package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/prune/structure"
	"pare/report"
	"pare/run"
)

// cutting is the way of a job's network to its targets, in one cut or in several with
// training between.
type cutting struct {
	ChannelTarget
	steps, done int
	whole       structure.Cost   // what the network took before
	widths      map[string]limit // of groups, by name
	clock       *clock           // nil: nothing is timed
	first       *Timing          // of the network before, once it was asked
	notes       []catalog.Text
	before      structure.Kept // what the cuts so far have left
	asks        bool           // whether there is such a cut, before the training: none is made
}

// limit is what a group had and keeps in the end.
type limit struct {
	channels int
	structure.Widths
}

// cutStep is one of the cuts.
type cutStep struct {
	graph *graph.Graph
	kept  structure.Kept
	facts CutFacts
}

// CutFacts are what a cut left.
type CutFacts struct {
	MACs        int64   `json:"macs"`
	Params      int64   `json:"parameters"`
	Bytes       int64   `json:"bytes,omitempty"`       // of the ONNX file, where that was asked for
	Activations int64   `json:"activations,omitempty"` // most bytes at once, where that was asked for
	Channels    int     `json:"channels"`              // of the groups
	Latency     *Timing `json:"latency,omitempty"`     // where that was asked for
}

// newCutting checks the settings.
func (s ChannelTarget) newCutting(j *Job, steps int) (*cutting, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	c := &cutting{ChannelTarget: s, steps: steps}
	before, err := j.final(j.Graph)
	if err != nil {
		return nil, err
	}
	if c.whole, err = c.target(j).CostOf(j.Graph); err != nil {
		return nil, err
	}
	if s.Latency > 0 || s.LatencyCmd != "" {
		c.clock = &clock{before: before, command: s.LatencyCmd, engine: j.Engine}
	}
	return c, nil
}

// final is what becomes of a network of the job in the end: normalisation that was put
// back for the training is folded again, in a copy.
func (j *Job) final(g *graph.Graph) (*graph.Graph, error) {
	if j.fold == nil {
		return g, nil
	}
	c, _ := g.Clone(true)
	if err := j.fold(c); err != nil {
		return nil, err
	}
	return c, op.InferAll(c)
}

// target is the part of the settings that is the same for all cuts.
func (c *cutting) target(j *Job) structure.Target {
	t := structure.Target{MACs: float64(c.MACs), Params: float64(c.Params), Bytes: float64(c.Bytes), Activations: float64(c.Activations),
		Round: c.Round, Least: c.Least, Even: c.Even}
	if c.Round == 0 {
		t.Round = structure.Auto
	}
	if j.fold != nil {
		t.Final = j.final
	}
	return t
}

// way is the share of the way that is gone after this cut.
func (c *cutting) way() float64 { return float64(c.done+1) / float64(c.steps) }

// between is where the way from a whole to a target, in equal ratios, has come to.
func (c *cutting) between(whole, target float64) float64 {
	return whole * math.Pow(target/whole, c.way())
}

// stage sets what may stay after this cut.
func (c *cutting) stage(t *structure.Target) {
	if c.steps == 1 {
		return
	}
	for _, x := range []struct {
		to    *float64
		whole int64
	}{{&t.MACs, c.whole.MACs}, {&t.Params, c.whole.Params}, {&t.Bytes, c.whole.Bytes}, {&t.Activations, c.whole.Activations}} {
		if *x.to == 0 || x.whole == 0 {
			continue
		}
		target := *x.to
		if target <= 1 {
			target *= float64(x.whole)
		}
		if c.done+1 < c.steps {
			target = c.between(float64(x.whole), math.Min(target, float64(x.whole)))
		}
		*x.to = math.Max(2, math.Floor(target))
	}
}

// limit gives groups their widths after this cut. What is said in shares is of the groups
// as they were before the first.
func (c *cutting) limit(t *structure.Target, g *graph.Graph, groups []*structure.Group) error {
	if c.widths == nil {
		ws, err := c.limits(g, groups)
		if err != nil {
			return err
		}
		c.widths = map[string]limit{}
		for i, grp := range groups {
			l := limit{channels: len(grp.Channels)}
			if ws != nil {
				l.Widths = ws[i]
			}
			if t.Round == structure.Auto {
				l.Multiple = grp.Multiple()
			}
			c.widths[grp.Name] = l
		}
		if c.steps == 1 {
			t.Widths = ws
			return nil
		}
	}
	t.Widths, t.Least = make([]structure.Widths, len(groups)), 0
	for i, grp := range groups {
		l, ok := c.widths[grp.Name]
		if !ok {
			l.channels = len(grp.Channels)
		}
		w := l.Widths
		w.Least = max(w.Least, int(math.Ceil(c.Least*float64(l.channels)-1e-9)))
		if w.Exactly > 0 && c.done+1 < c.steps {
			w.Exactly = int(math.Ceil(c.between(float64(l.channels), float64(w.Exactly)) - 1e-9))
		}
		t.Widths[i] = w
	}
	return nil
}

// chosen are the channels that a cut leaves.
type chosen struct {
	groups []*structure.Group
	structure.Selection
	timing *Timing // nil: nothing was timed
}

// choose says what the next cut of a job's network leaves.
func (c *cutting) choose(ctx context.Context, j *Job, rate ChannelScore, scope prune.Scope) (*chosen, error) {
	if c.done == 0 { // later cuts have other weights
		if err := scope.Check(j.Graph); err != nil {
			return nil, err
		}
	}
	groups, whole := structure.Groups(j.Graph)
	t := c.target(j)
	t.Whole, t.Why = func(name string) bool { return !scope.Match(name) }, whole
	if err := c.limit(&t, j.Graph, groups); err != nil {
		return nil, err
	}
	c.stage(&t)
	score, costs, err := rate(j.Graph, groups)
	if err != nil {
		return nil, err
	}
	t.Costs = costs && !c.Even
	sel, rounded, timing, err := c.find(ctx, j, groups, score, t)
	if err != nil {
		return nil, err
	}
	for _, r := range rounded {
		j.Logf("%s: %d channels in place of %d, a multiple of %d", groups[r.Group].Name, r.Kept, r.Asked, r.Multiple)
	}
	kinds := structure.Kinds(j.Graph, groups)
	for i, g := range groups {
		if n := sel[i].Count(); n < len(g.Channels) {
			j.Logf("%s: %d of %d %s stay", g.Name, n, len(g.Channels), stays(kinds[i]))
		}
	}
	if c.done == 0 {
		for _, p := range whole {
			j.Logf("%s stays whole: %s", p.Value.Name, p.Why)
		}
	}
	return &chosen{groups, sel, timing}, nil
}

// cut makes the next cut of a job's network.
func (c *cutting) cut(ctx context.Context, j *Job, rate ChannelScore, scope prune.Scope) (*cutStep, error) {
	to, err := c.choose(ctx, j, rate, scope)
	if err != nil {
		return nil, err
	}
	step := &cutStep{kept: structure.KeptBy(to.groups, to.Selection), facts: CutFacts{Latency: to.timing}}
	for _, m := range to.Selection {
		step.facts.Channels += m.Count()
	}
	if step.graph, err = structure.Cut(j.Graph, to.groups, to.Selection); err != nil {
		return nil, err
	}
	cost, err := c.target(j).CostOf(step.graph)
	step.facts.MACs, step.facts.Params, step.facts.Bytes, step.facts.Activations = cost.MACs, cost.Params, cost.Bytes, cost.Activations
	c.done++
	return step, err
}

// stays calls what stays of a group: 12 of 16 heads, 96 of 128 of the embedding width.
func stays(k structure.Kind) string {
	if strings.HasSuffix(string(k), "width") {
		return "of the " + string(k)
	}
	return string(k)
}

// decided is what was found by measuring.
type decided struct {
	Selection structure.Selection
	Rounded   []structure.Rounded
	Timing    Timing
	First     Timing
	Notes     []catalog.Text
}

// find selects the channels. What was found by measuring is remembered beside the job's
// checkpoint, so that a run that is resumed goes on with the same.
func (c *cutting) find(ctx context.Context, j *Job, groups []*structure.Group, score [][]float64, t structure.Target) (structure.Selection, []structure.Rounded, *Timing, error) {
	if c.clock == nil {
		sel, rounded, err := structure.SelectRounded(j.Graph, groups, score, t)
		return sel, rounded, nil, err
	}
	what := fmt.Sprintf("cut %d", c.done+1)
	if c.asks {
		what = "a cut before the training"
	}
	key := fmt.Sprintf("%s of %s", what, strings.Join(j.Facts(j.method, j.Graph).Key(), " "))
	var d decided
	if j.Resume && run.Recall(j.Save, key, &d) && fits(groups, d.Selection) {
		c.notes, c.first = append(c.notes, d.Notes...), &d.First
		return d.Selection, d.Rounded, &d.Timing, nil
	}
	sel, rounded, err := c.timed(ctx, j, groups, score, t)
	if err != nil {
		return nil, nil, nil, err
	}
	cut, err := structure.Cut(j.Graph, groups, sel)
	if err == nil {
		cut, err = j.final(cut)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	now, err := c.clock.time(ctx, cut)
	if err != nil {
		return nil, nil, nil, err
	}
	d = decided{Selection: sel, Rounded: rounded, Timing: now, First: now}
	if c.first != nil {
		d.First = *c.first
	}
	d.Notes = c.said(now)
	c.notes = append(c.notes, d.Notes...)
	return sel, rounded, &now, run.Remember(j.Save, key, d)
}

// timed selects channels with a budget of time, if there is one.
func (c *cutting) timed(ctx context.Context, j *Job, groups []*structure.Group, score [][]float64, t structure.Target) (structure.Selection, []structure.Rounded, error) {
	if c.first == nil {
		first, err := c.clock.time(ctx, c.clock.before)
		if err != nil {
			return nil, nil, err
		}
		c.first = &first
	}
	most := c.Latency
	if c.done+1 < c.steps && most > 0 {
		whole := 1.0
		if most > 1 {
			whole = c.first.Before * 1e9
		}
		most = Time(c.between(whole, math.Min(float64(most), whole)))
	}
	if most > 0 {
		t.Within = func(g *graph.Graph) (float64, error) {
			measure := c.clock.time
			if structure.CostOf(g).MACs < c.whole.MACs { // else it is the network before
				measure = c.clock.try
			}
			x, err := measure(ctx, g)
			if err == nil {
				j.Logf("a candidate takes %s, %.3g of what it took before", report.Millis(x.Seconds).Text, x.Ratio)
			}
			return x.share(most), err
		}
	}
	sel, rounded, err := structure.SelectRounded(j.Graph, groups, score, t)
	if none := (*structure.NotWithin)(nil); errors.As(err, &none) {
		text, _ := most.MarshalText()
		err = fmt.Errorf("no cut of channels reaches a latency of %s: the network takes %s, and the fastest of %d cuts %s%s",
			text, report.Millis(c.first.Before).Text, c.clock.tried, report.Millis(c.clock.fastest).Text, none.Whole)
	}
	return sel, rounded, err
}

// said are the notes of a cut that was timed: how long it takes, and where a cut has made
// the network slower.
func (c *cutting) said(now Timing) []catalog.Text {
	by := "on Pare's engine"
	if now.By != "" {
		by = fmt.Sprintf("by {LatencyCmd} %s", now.By)
	}
	var out []catalog.Text
	say := func(format string, a ...any) { out = append(out, catalog.Text(fmt.Sprintf(format, a...))) }
	after := ""
	if c.steps > 1 {
		after = fmt.Sprintf(" %d of %d", c.done+1, c.steps)
	}
	say("one sample takes %s after the cut%s and %s before, %s", report.Millis(now.Seconds).Text, after, report.Millis(now.Before).Text, by)
	if now.slower() {
		say("the cut makes the network slower, %s: %.3g times the time", by, now.Ratio)
	} else if c.clock.slower > 0 {
		say("%d of the %d cuts that were tried make the network slower, %s", c.clock.slower, c.clock.tried, by)
	}
	return out
}

// fits says whether a selection is one of these groups.
func fits(groups []*structure.Group, s structure.Selection) bool {
	if len(s) != len(groups) {
		return false
	}
	for i, m := range s {
		if m == nil || m.Len != len(groups[i].Channels) || len(m.Bits) != (m.Len+63)/64 || m.Count() == 0 {
			return false
		}
	}
	return true
}

// unique keeps the first of equal notes.
func unique(notes []catalog.Text) []catalog.Text {
	seen := map[catalog.Text]bool{}
	return slices.DeleteFunc(slices.Clone(notes), func(n catalog.Text) bool {
		was := seen[n]
		seen[n] = true
		return was
	})
}
