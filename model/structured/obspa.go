package structured

import (
	_ "embed"

	"context"
	"fmt"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/calibrate"
	"pare/prune/structure"
)

// OBSPA cuts coupled channels of a trained network and reconstructs the layers that read
// them, without training, and without data where there is none.
type OBSPA struct {
	model.ChannelTarget
	Calibrate  string  `flag:"calibrate" doc:"what runs through the network: data (the training set, without its labels), another data set such as tiles:… (its training set), uniform or normal (noise), matched (noise that looks, inside the network, as its batch normalisation remembers the training set), or auto: data where there is any, else matched, or normal where there is no batch normalisation"`
	Samples    int     `flag:"samples" range:"[1,)" doc:"samples that run through the network"`
	Damp       float64 `flag:"damp" range:"(0,)" doc:"share of the mean of the second moments' diagonal that is added to it"`
	Move       string  `flag:"move" choice:"obs,none" doc:"weights that are left: obs, they make good what they can; none, they stay as they are"`
	Shares     string  `flag:"shares" choice:"auto,ranked,even" doc:"how much of each group of channels goes: ranked, by one ranking of all; even, the same share of each, as --even; auto: even on matched noise, else ranked"`
	Statistics string  `flag:"statistics" choice:"auto,keep" doc:"of batch normalisation, where nothing is trained: auto, estimated anew on the samples (noise leaves them), or keep, they stay as they are"`
	Coupled
	model.Layers
}

//go:embed obspa.md
var obspaDoc string

var obspaCard = &catalog.Card{
	Name: "obspa", Noun: "model", Title: "Optimal Brain SPA: coupled channels cut and layers reconstructed, without training",
	Paper: "Wang, Rachwan, Günnemann, Charpentier: Structurally Prune Anything: Any Architecture, Any Framework, Any Time (2024). arXiv 2403.18955",
	Cuts:  "channels", Needs: catalog.Weights, Doc: obspaDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "after", How: "curvature activation one-shot reconstruct retrain", Supervision: "none unlabelled labels", Fusion: "none"},
}

// NewOBSPA gives the method with its defaults.
func NewOBSPA() *OBSPA {
	return &OBSPA{ChannelTarget: model.ChannelTarget{MACs: .5, Least: .1}, Calibrate: "auto", Samples: 512, Damp: .01, Move: "obs", Shares: "auto", Statistics: "auto",
		Coupled: Coupled{Aggregate: "sum", Normalise: "mean"}}
}

// Card describes the method.
func (*OBSPA) Card() *catalog.Card { return obspaCard }

// Run rates, reconstructs layer by layer, and cuts; a recipe fine-tunes what is left.
func (s *OBSPA) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	from, err := s.calibration(ctx, j)
	if err != nil {
		return nil, err
	}
	batches, err := from.job.Calibration(s.Samples)
	if err != nil {
		return nil, err
	}
	res := &model.Result{}
	for _, n := range from.notes {
		res.Note("%s", n)
	}
	target, opt := s.ChannelTarget, calibrate.Options{Engine: j.Engine}
	if s.Shares == "even" || s.Shares == "auto" && from.matched && !target.Even {
		target.Even = true
		res.Note("the same share of every group of channels goes: on noise, groups do not compare well ({Shares} ranked ranks all together)")
	}
	groups, stay, err := target.Choose(ctx, j, func(g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
		rates, skips, err := s.rate(ctx, g, groups, batches, opt)
		for _, k := range skips {
			res.Note("%s %s: it has no say in what channels are worth, and its weights are not moved", k.Name, k.Why)
		}
		return rates, false, err
	}, s.Scope())
	if err != nil {
		return nil, err
	}
	if s.Move == "obs" {
		if err := s.operate(ctx, j, res, groups, stay, batches, opt); err != nil {
			return nil, err
		}
	}
	if res.Graph, err = structure.Cut(j.Graph, groups, stay); err != nil {
		return nil, err
	}
	res.Kept = structure.KeptBy(groups, stay)
	by := from.job
	if by.Samples != nil || s.Statistics == "keep" { // noise says nothing of them
		by = nil
	}
	return res, j.TuneBy(ctx, res, by)
}

// rate gives channels what removing their columns costs the layers that read them.
func (s *OBSPA) rate(ctx context.Context, g *graph.Graph, groups []*structure.Group, batches calibrate.Batches, opt calibrate.Options) ([][]float64, []prune.Skip, error) {
	if len(groups) == 0 { // the cut says why
		return nil, nil, nil
	}
	by, skips, err := calibrate.Saliencies(ctx, g, groups, batches, s.Damp, opt)
	if err != nil {
		return nil, nil, err
	}
	rates := structure.Score(groups, structure.Squares) // of groups that no layer reads
	for k, members := range by {
		if members == nil {
			members = [][]float64{rates[k]}
		}
		rates[k] = s.coupling().Join(members)
	}
	return rates, skips, nil
}

// operate moves the weights of the layers that read what goes, and says what came of it.
func (s *OBSPA) operate(ctx context.Context, j *model.Job, res *model.Result, groups []*structure.Group, stay structure.Selection, batches calibrate.Batches, opt calibrate.Options) error {
	done, _, err := calibrate.Operate(ctx, j.Graph, groups, stay, batches, s.Damp, opt)
	if err != nil || len(done) == 0 {
		return err
	}
	before, after, few := 0., 0., 0
	for _, l := range done {
		j.Logf("%s: %.2f %% of its output would be missing, %.2f %% is", l.Name, 100*l.Before, 100*l.After)
		before, after = before+l.Before/float64(len(done)), after+l.After/float64(len(done))
		if l.Few {
			few++
		}
	}
	res.Note("%d layers were reconstructed: of their outputs on these samples %.1f %% would be missing on average, and %.1f %% is", len(done), 100*before, 100*after)
	if few > 0 {
		res.Note("%d of them have more inputs than the samples have rows for: what the samples do not decide, the damping does; more {Samples} help", few)
	}
	return nil
}

// calibrated is what runs through the network.
type calibrated struct {
	job     *model.Job // whose samples it is
	notes   []string
	matched bool // noise that was made to look as the training set did
}

// calibration is what runs through a job's network.
func (s *OBSPA) calibration(ctx context.Context, j *model.Job) (*calibrated, error) {
	k := *j
	c := &calibrated{job: &k}
	how := s.Calibrate
	has := j.Samples != nil || j.Data != nil && j.Data.Train != nil && j.Data.Train.Len() > 0
	if how == "auto" && !has {
		how = "normal"
		if calibrate.HasStatistics(j.Graph) {
			err := s.match(ctx, j, c)
			if err == nil || ctx.Err() != nil {
				return c, err
			}
			c.notes = append(c.notes, fmt.Sprintf("noise cannot be made to match the statistics of batch normalisation: %v", err))
		}
	}
	switch how {
	case "auto", "data":
		if !has {
			return nil, catalog.Errorf("{Calibrate} data takes samples of the training set, which need no labels: give {Data}, or {Calibrate} normal")
		}
		if j.Samples != nil {
			return c.of("the samples that were given"), nil
		}
		k.Data = &dataset.Data{Train: j.Data.Train.Draw(s.Samples, j.Seed), Norm: j.Data.Norm}
		return c.of(fmt.Sprintf("%d samples of the training set, without labels", k.Data.Train.Len())), nil
	case "matched":
		if err := s.match(ctx, j, c); err != nil {
			return nil, catalog.Errorf("{Calibrate} matched: %v; {Calibrate} normal needs nothing of the network", err)
		}
		return c, nil
	case "uniform", "normal":
		var err error
		k.Samples, err = j.Noise(how, s.Samples)
		return c.of(fmt.Sprintf("%d samples of %s noise, without data; running statistics stay as they are", s.Samples, how)), err
	}
	d, err := dataset.Open(how)
	if err != nil {
		return nil, catalog.Errorf("{Calibrate} %s: %v", how, err)
	}
	if d.Train == nil || d.Train.Len() == 0 {
		return nil, catalog.Errorf("{Calibrate} %s has no training set", how)
	}
	norm := d.Norm
	if j.Data != nil {
		norm.Mean, norm.Std = j.Data.Norm.Mean, j.Data.Norm.Std
	}
	k.Samples, k.Data = nil, &dataset.Data{Train: d.Train.Draw(s.Samples, j.Seed), Norm: norm}
	if _, err := k.Calibration(s.Samples); err != nil {
		return nil, catalog.Errorf("{Calibrate} %s does not fit the network: %v", how, err)
	}
	return c.of(fmt.Sprintf("%d samples of %s, without labels", k.Data.Train.Len(), how)), nil
}

// match takes matched noise.
func (s *OBSPA) match(ctx context.Context, j *model.Job, c *calibrated) error {
	m, err := j.MatchedNoise(ctx, s.Samples)
	if err != nil {
		return err
	}
	c.job.Samples, c.matched = m.Batches, true
	c.of(fmt.Sprintf("%d samples of noise, without data, which were moved until the statistics of %d batch normalisations are those of training: they were %.2g away, and are %.2g; running statistics stay as they are",
		m.Samples, m.Layers, m.Before, m.After))
	return nil
}

// of says what runs through the network.
func (c *calibrated) of(samples string) *calibrated {
	c.notes = append(c.notes, "the layers that read channels are looked into on "+samples)
	return c
}
