package diagnose

import (
	_ "embed"
	"pare/catalog"
	"pare/model"
	"pare/prune/allocate"
	"pare/train"

	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Scratch is training a pruned architecture from scratch.
type Scratch struct {
	Arm      string        `flag:"arm" choice:"e,b,finetuned,all" doc:"what is trained and written: e (from scratch, as many epochs as the dense network), b (from scratch, as much computation), finetuned, or all of them, of which the most accurate is written"`
	Pruner   string        `flag:"pruner" choice:"l1,channels,magnitude" doc:"what gives the architecture: l1 (channels by the L1 norm of their filters), channels (as method channels rates them), or magnitude (masks)"`
	Keep     float64       `flag:"keep" range:"[0,1]" doc:"share of every group's channels that stays, in place of all budgets (0: not asked)"`
	Sparsity float64       `flag:"sparsity" range:"[0,1)" doc:"with --pruner magnitude: share of the weights that is cut, in (0,1)"`
	Allocate allocate.Name `flag:"allocate" choice:"global,uniform,er,erk" doc:"with --pruner magnitude: how much of each layer, global, uniform, er or erk"`
	Tune     int           `flag:"tune-epochs" range:"[0,)" doc:"epochs of fine-tuning (0: a quarter of --epochs)"`
	TuneLR   float64       `flag:"tune-lr" range:"[0,)" doc:"constant learning rate of fine-tuning (0: a hundredth of --lr)"`
	Most     float64       `flag:"most" range:"[1,)" also:"0" doc:"limit of arm b's epochs, in multiples of --epochs (0: none; the paper's for ImageNet is 2)"`
	Plus     bool          `flag:"plus-tune" doc:"give arm b the epochs of fine-tuning too"`
	Runs     int           `flag:"trainings" range:"[0,)" doc:"trainings of every arm with different seeds (0: one, with --arm all five, as the paper)"`
	model.ChannelTarget
	model.Fresh
	model.Layers
}

//go:embed scratch.md
var scratchDoc string

var scratchCard = &catalog.Card{
	ID: "11", Name: "scratch", Noun: "model", Title: "Training the pruned architecture from scratch",
	Paper: "Liu, Sun, Zhou, Huang, Darrell: Rethinking the Value of Network Pruning (2019). arXiv 1810.05270; filters by norm: Li, Kadav, Durdanovic, Samet, Graf 2017, arXiv 1608.08710",
	Cuts:  "channels, or weights", Needs: catalog.Trains, Doc: scratchDoc,
	Axes: catalog.Axes{SpeedUp: "universal specific", When: "after", How: "norm magnitude one-shot retrain", Supervision: "labels", Fusion: "none"},
}

// NewScratch gives the method with its defaults.
func NewScratch() *Scratch {
	return &Scratch{Arm: "b", Pruner: "l1", Allocate: "uniform", ChannelTarget: model.ChannelTarget{MACs: .5, Round: 1, Least: .1, Even: true}}
}

// Card describes the method.
func (*Scratch) Card() *catalog.Card { return scratchCard }

// Drives says that the trainings are the method's own.
func (*Scratch) Drives() bool { return true }

// ScratchFacts are what the arms came to.
type ScratchFacts struct {
	MACs       int64       `json:"macs"`       // of one sample, of the pruned network (masks count)
	DenseMACs  int64       `json:"dense_macs"` // of the dense one
	Dense      train.Score `json:"dense"`
	NotTrained train.Score `json:"not_trained"` // of the pruned network
	Arms       []ArmFacts  `json:"arms"`
	Enough     []string    `json:"enough,omitempty"` // arms from scratch within a deviation of fine-tuning, or above
}

// ArmFacts are what one arm came to.
type ArmFacts struct {
	Name   string    `json:"name"`
	Epochs int       `json:"epochs"`
	Values []float64 `json:"values"` // of the metric, of each run, on what is held out
}

// Run prunes, throws the weights away, and trains what is left.
func (s *Scratch) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := s.check(j); err != nil {
		return nil, err
	}
	runs, n := max(1, s.Runs), 1
	if s.Arm == "all" {
		if n = 3; s.Runs == 0 {
			runs = 5
		}
	}
	if runs*n > 1 && j.Held() == nil {
		return nil, catalog.Errorf("arms are compared on samples that are not trained on, and {Data} has none: keep some out (val=0.1), or give one {Arm} and {Runs} 1")
	}
	if err := s.Redraw(j); err != nil {
		return nil, err
	}
	all := runs * n
	if s.Fresh.Fresh {
		all++
	}
	t := &trials{Job: j, series: j.NewSeries(all)}
	t.series.Steps = 0
	if s.Fresh.Fresh {
		if _, err := t.fit(ctx, j.Recipe, j.Graph, nil, 0); err != nil {
			return nil, fmt.Errorf("the dense network: %w", err)
		}
	}
	p, err := s.Prune(ctx, j)
	if err != nil {
		return nil, err
	}
	res := &model.Result{}
	if p.MACs >= p.Dense {
		res.Note("the pruned network takes %d multiply-accumulates a sample, the dense one %d: arm b has the epochs of arm e", p.MACs, p.Dense)
	}
	return res, t.compare(ctx, res, p, s.Arms(j.Recipe, p.Ratio()), runs)
}

// check says which settings do not go together, before any work.
func (s *Scratch) check(j *model.Job) error {
	if err := j.NeedsTraining("the pruned architecture is trained from scratch, and the epochs say how long the dense network is trained"); err != nil {
		return err
	}
	mask := s.Pruner == "magnitude"
	switch {
	case mask && s.Sparsity == 0:
		return catalog.Errorf("{Sparsity} is the share of the weights that {Pruner} magnitude cuts: give a number in (0,1)")
	case mask && s.Keep != 0:
		return catalog.Errorf("{Keep} is of channels, and masks leave every channel: give another {Pruner}")
	case !mask && s.Sparsity != 0:
		return catalog.Errorf("{Sparsity} is of masks, which leave the architecture as it is: give {MACs}, {Params} or {Keep}, or {Pruner} magnitude")
	case !mask && s.Include != nil || !mask && s.Exclude != nil:
		return catalog.Errorf("{Include} and {Exclude} choose the weights of {Pruner} magnitude; channels are tied over layers")
	case !mask && s.Keep == 0 && !s.Asked():
		return catalog.Errorf("no target: give {MACs}, {Params}, another budget or {Keep}")
	case s.Arm == "all" && s.Runs == 1:
		return catalog.Errorf("one run of each arm allows no verdict: give {Runs} 2 or more (the paper averages 5), or one {Arm}")
	}
	for _, in := range j.Graph.Inputs {
		for d, n := range in.Shape {
			if d > 0 && !n.Known() {
				return fmt.Errorf("the size of input %q is not known (%v), so computation cannot be counted: export the network with a fixed size", in.Name, in.Shape)
			}
		}
	}
	return nil
}

// Arms gives the recipes: E epochs as the dense network had, or as many as its
// computation pays for.
func (s *Scratch) Arms(r model.Recipe, ratio float64) []Arm {
	tune := r
	tune.Schedule = "constant"
	if tune.Epochs = s.Tune; s.Tune == 0 {
		tune.Epochs = max(1, r.Epochs/4)
	}
	if tune.LR = s.TuneLR; s.TuneLR == 0 {
		tune.LR = r.LR / 100
	}
	e, b := r, r
	b.Epochs = budget(r.Epochs, ratio, s.Most)
	if s.Plus {
		b.Epochs += tune.Epochs
	}
	e.Schedule, b.Schedule = whole(r.Schedule, e.Epochs), whole(r.Schedule, b.Epochs)
	var out []Arm
	for _, a := range []struct {
		short string
		Arm
	}{{"finetuned", Arm{"fine-tuned", tune, false}}, {"e", Arm{"Scratch-E", e, true}}, {"b", Arm{"Scratch-B", b, true}}} {
		if s.Arm == a.short || s.Arm == "all" {
			out = append(out, a.Arm)
		}
	}
	return out
}

// budget is the number of epochs that the computation of those of the dense network pays for:
// int(epochs*ratio), the ratio at least 1 and, where it is limited, at most most.
func budget(epochs int, ratio, most float64) int {
	if most > 0 {
		ratio = math.Min(ratio, most)
	}
	return int(float64(epochs)*math.Max(ratio, 1) + 1e-9)
}

// whole moves the drops of a step schedule to the start of their epoch:
// int(share*epochs). A share written with too few digits, such as .3333, counts as
// the next epoch where a hundredth of one is missing.
func whole(schedule string, epochs int) string {
	f := strings.Split(schedule, ":")
	if f[0] != "step" || len(f) < 2 {
		return schedule
	}
	at := strings.Split(f[1], ",")
	for i, x := range at {
		v, err := strconv.ParseFloat(x, 64)
		if err != nil { // training says what is wrong with it
			return schedule
		}
		at[i] = strconv.FormatFloat(math.Floor(v*float64(epochs)+.01)/float64(epochs), 'g', -1, 64)
	}
	f[1] = strings.Join(at, ",")
	return strings.Join(f, ":")
}
