package structured

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/calibrate"
	"pare/prune/score"
	"pare/prune/structure"
)

// rating is how channels are rated in a job, and what is to be said of it.
type rating struct {
	*Channels
	job   *model.Job
	said  []catalog.Text
	fell  string       // why the score auto was not reconstruction although there is data
	skips []prune.Skip // what has no say
}

// Rates rates the channels of a job's network as the method would before it cuts them, and
// says how: by norm, reconstruction, activations or gradients.
func (s *Channels) Rates(ctx context.Context, j *model.Job, groups []*structure.Group) (rates [][]float64, how string, err error) {
	r := &rating{Channels: s, job: j}
	rates, _, err = r.rate(ctx, j.Graph, groups)
	how = "the norm of their weights"
	switch {
	case s.Score == "activations", s.Score == "taylor", s.Score == "reconstruction":
		how = s.Score
	case s.Score == "auto" && len(r.said) > 0 && r.fell == "":
		how = "reconstruction"
	}
	return rates, how + r.fell, err
}

// rate rates channels by the score that the settings name. costs is that of
// model.ChannelScore.
func (r *rating) rate(ctx context.Context, g *graph.Graph, groups []*structure.Group) (rates [][]float64, costs bool, err error) {
	if r.Rate != nil {
		return r.Rate(g, groups)
	}
	switch r.Score {
	case "norm":
		return model.Squares(g, groups)
	case "l1":
		return structure.Filters(g, groups), false, nil
	case "l2":
		return score.FilterNorms(groups), false, nil
	case "fpgm":
		return score.GeometricMedian(groups), false, nil
	case "slimming":
		return r.slimming(g, groups)
	case "random":
		return score.RandomChannels(groups, r.job.Seed), false, nil
	case "taylor", "taylor2":
		rates, err = r.taylor(ctx, g, groups)
		return rates, r.Score == "taylor", err
	case "activations", "reconstruction", "hrank":
		return r.inputs(ctx, r.Score, g, groups)
	}
	return r.auto(ctx, g, groups)
}

// auto rates by reconstruction where there are samples, and says what it does.
func (r *rating) auto(ctx context.Context, g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
	why, norm := "", r.job.Logf // what needs no samples is no news where there are none
	d := r.job.Data
	switch {
	case len(groups) == 0: // the cut says why
	case r.job.Samples != nil || d != nil && d.Train != nil && d.Train.Len() > 0:
		rates, costs, err := r.inputs(ctx, "reconstruction", g, groups)
		if err == nil || ctx.Err() != nil {
			r.say("channels are rated by what the layers that read them lose on %d samples at most ({Score} reconstruction)", r.Samples)
			return rates, costs, err
		}
		why, norm = fmt.Sprintf(", not by what goes into layers: %v", err), r.say
		r.fell = why
	}
	norm("channels are rated by the norm of their weights ({Score} norm)%s", why)
	return model.Squares(g, groups)
}

func (r *rating) say(format string, a ...any) {
	if text := catalog.Text(fmt.Sprintf(format, a...)); !slices.Contains(r.said, text) { // of a step before
		r.said = append(r.said, text)
	}
}

// slimming rates by the scales of batch normalisation, and names what has none.
func (r *rating) slimming(g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
	rates, without := score.Slimming(g, groups)
	if len(groups) > 0 && len(without) == len(groups) {
		return nil, false, catalog.Errorf("{Score} slimming: no channel that can be cut goes through batch normalisation, whose scales are what is ranked; exporters may have folded it into the convolutions; use l1")
	}
	if len(without) > 0 {
		r.say("channels of %s go through no batch normalisation: they are cut last ({Score} slimming)", strings.Join(without, ", "))
	}
	return rates, false, nil
}

// taylor rates by the gradients of the job's loss, for each multiply-accumulate that goes
// with a channel, and says on what.
func (r *rating) taylor(ctx context.Context, g *graph.Graph, groups []*structure.Group) ([][]float64, error) {
	if err := quantised(groups); err != nil {
		return nil, err
	}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		return nil, err
	}
	first, second := score.NewTaylor(groups, ws), score.NewTaylor2(groups, ws)
	add, rate := first.Add, first.Rates
	if r.Score == "taylor2" {
		add, rate = second.Add, second.Rates
	}
	labels, n, err := r.job.EachGradient(ctx, first.Weights, r.Samples, add)
	if err != nil {
		return nil, err
	}
	rates := rate()
	for k, w := range structure.Worth(g, groups) {
		if r.Score == "taylor2" {
			structure.Relative(rates[k])
			continue
		}
		for c := range rates[k] {
			rates[k][c] /= math.Max(1, float64(w.MACs))
		}
	}
	how := "gradients of what the network before is matched by, on %d samples without labels"
	if labels {
		how = "gradients of the loss on %d samples with their labels"
	}
	r.say("channels are rated by "+how, n)
	return rates, nil
}

// inputs rates by what goes into the layers that read channels.
func (r *rating) inputs(ctx context.Context, by string, g *graph.Graph, groups []*structure.Group) (rates [][]float64, costs bool, err error) {
	if err := quantised(groups); err != nil {
		return nil, false, err
	}
	batches, err := r.job.Calibration(r.Samples)
	if err != nil {
		return nil, false, err
	}
	opt := calibrate.Options{Engine: r.job.Engine}
	switch by {
	case "activations":
		rates, r.skips, err = calibrate.Activations(ctx, g, groups, batches, opt)
		return rates, false, err
	case "hrank":
		rates, r.skips, err = calibrate.Ranks(ctx, g, groups, batches, opt)
		return rates, false, err
	}
	rates, r.skips, err = calibrate.Reconstruction(ctx, g, groups, batches, damp, opt)
	return rates, true, err
}

// quantised returns an error where weights of channels are integers, whose layers neither
// inputs nor gradients tell apart.
func quantised(groups []*structure.Group) error {
	for _, g := range groups {
		if g.Integers() {
			return catalog.Errorf("the weights of %s are integers, which samples say nothing of: give {Score} norm", g.Name)
		}
	}
	return nil
}

// damp is the share of the inputs' mean square that the second moments are damped with
// where channels are rated by reconstruction.
const damp = .01
