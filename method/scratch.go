package method

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Scratch are the settings of training a pruned architecture from scratch.
type Scratch struct {
	Arm      string  `flag:"arm" doc:"what is trained and written: e (from scratch, as many epochs as the dense network), b (from scratch, as much computation), finetuned, or all of them, of which the most accurate is written"`
	Pruner   string  `flag:"pruner" doc:"what gives the architecture: l1 (channels by the L1 norm of their filters), channels (as method channels rates them), or magnitude (masks)"`
	Keep     float64 `flag:"keep" doc:"share of every group's channels that stays, in place of --flops and --params (0: not asked)"`
	Sparsity float64 `flag:"sparsity" doc:"with --pruner magnitude: share of the weights that is cut, in (0,1)"`
	Allocate string  `flag:"allocate" doc:"with --pruner magnitude: how much of each layer, global, uniform, er or erk"`
	Tune     int     `flag:"tune-epochs" doc:"epochs of fine-tuning (0: a quarter of --epochs)"`
	TuneLR   float64 `flag:"tune-lr" doc:"constant learning rate of fine-tuning (0: a hundredth of --lr)"`
	Most     float64 `flag:"most" doc:"limit of arm b's epochs, in multiples of --epochs (0: none; the paper's for ImageNet is 2)"`
	Plus     bool    `flag:"plus-tune" doc:"give arm b the epochs of fine-tuning too"`
	Runs     int     `flag:"runs" doc:"trainings of every arm with different seeds (0: one, with --arm all five, as the paper)"`
	Channels
	Fresh
	Layers
}

var scratch = &Method{
	ID: "11", Name: "scratch", Title: "Training the pruned architecture from scratch",
	Paper: "Liu, Sun, Zhou, Huang, Darrell: Rethinking the Value of Network Pruning (2019). arXiv 1810.05270; filters by norm: Li, Kadav, Durdanovic, Samet, Graf 2017, arXiv 1608.08710",
	Cuts:  "channels, or weights", Needs: Trains,
	Doc: `Prunes, throws the weights away and trains what is left from scratch: pruning as a search for an architecture. Give
the trained network, and in --epochs what its training took (E); --fresh trains it first. Arm e takes E epochs too, arm b
as many as the same computation pays for: int(E MACs/MACs'), counted on the networks themselves, drops of the
learning rate at the same shares, moved to the begin of an epoch. --arm all trains both and the fine-tuned network, tells
mean and deviation over the runs, and the verdict: the architecture suffices where an arm from scratch is within a
deviation of fine-tuning, or above. The E epochs that the fine-tuned network inherits are not counted, as in the paper;
--plus-tune gives arm b the epochs of fine-tuning, which is fairer where they are many.

With --pruner magnitude the architecture is a mask. Its weights are drawn from N(0, 2/n) with n the number of ones in the
mask over the input channels, and arm b counts the multiplications that the mask leaves. Initial weights are always
drawn by a seed of their own: drawn by that of the dense network, a mask would make them a lottery ticket.

The authors' code was read: int(160 ratio) epochs with drops at int(0.5 E) and int(0.75 E), and the draw of sparse
weights, are as there. Its Scratch-B for masks counts both networks before the pruned weights are loaded, so that its ratio
is 1; here the masks count. Departures: channels that a sum ties go together, where the authors leave the end of a
residual block whole; masks keep exact counts; arms differ in seed from run to run, which the dense network does not.`,
	Settings: func() any { return scratchDefaults() },
	Run:      runScratch, Claims: scratchClaims,
}

func scratchDefaults() *Scratch {
	return &Scratch{Arm: "b", Pruner: "l1", Allocate: "uniform", Channels: Channels{MACs: .5, Round: 1, Least: .1, Even: true}}
}

// scratchArm is one way to train the pruned network.
type scratchArm struct {
	name   string
	recipe Recipe
	draw   bool // from weights drawn anew
}

func runScratch(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*Scratch)
	if err := s.check(j); err != nil {
		return nil, err
	}
	runs, n := max(1, s.Runs), 1
	if s.Arm == "all" {
		if n = 3; s.Runs == 0 {
			runs = 5
		}
	}
	if runs*n > 1 && j.held() == nil {
		return nil, errors.New("arms are compared on samples that are not trained on, and --data has none: keep some out (val=0.1), or give one --arm and --runs 1")
	}
	if err := s.begin(j); err != nil {
		return nil, err
	}
	t := &trials{Job: j, all: runs * n}
	if s.Fresh.Fresh {
		t.all++
		if _, err := t.fit(ctx, j.Recipe, j.Graph, nil, 0); err != nil {
			return nil, fmt.Errorf("the dense network: %w", err)
		}
	}
	p, err := s.prune(j)
	if err != nil {
		return nil, err
	}
	res := &Result{}
	if p.macs >= p.dense {
		res.Notes = append(res.Notes, fmt.Sprintf("the pruned network takes %d multiply-accumulates a sample, the dense one %d: arm b has the epochs of arm e", p.macs, p.dense))
	}
	return res, t.compare(ctx, res, p, s.arms(j.Recipe, p.ratio()), runs)
}

// check says what is wrong before any work.
func (s *Scratch) check(j *Job) error {
	mask := s.Pruner == "magnitude"
	switch {
	case !slices.Contains([]string{"e", "b", "finetuned", "all"}, s.Arm):
		return fmt.Errorf("there is no arm %q: use e, b, finetuned or all", s.Arm)
	case !slices.Contains([]string{"l1", "channels", "magnitude"}, s.Pruner):
		return fmt.Errorf("there is no pruner %q: use l1, channels or magnitude", s.Pruner)
	case j.Steps() == 0:
		return errors.New("training from scratch needs --data and, in --epochs, how long the dense network is trained")
	case mask && !(s.Sparsity > 0 && s.Sparsity < 1):
		return fmt.Errorf("--sparsity %v is outside (0,1): --pruner magnitude cuts that share of the weights", s.Sparsity)
	case mask && s.Keep != 0:
		return errors.New("--keep is of channels, and masks leave every channel: give another --pruner")
	case !mask && s.Sparsity != 0:
		return errors.New("--sparsity is of masks, which leave the architecture as it is: give --flops, --params or --keep, or --pruner magnitude")
	case !mask && s.Include != nil || !mask && s.Exclude != nil:
		return errors.New("--include and --exclude choose the weights of --pruner magnitude; channels are tied over layers")
	case !(s.Keep >= 0 && s.Keep <= 1):
		return fmt.Errorf("--keep %v is not a share of the channels in (0,1]", s.Keep)
	case !mask && s.Keep == 0 && s.MACs == 0 && s.Params == 0:
		return errors.New("no target: give --flops, --params or --keep")
	case s.Tune < 0 || !(s.TuneLR >= 0):
		return fmt.Errorf("--tune-epochs %d, --tune-lr %v: neither may be negative", s.Tune, s.TuneLR)
	case s.Most != 0 && !(s.Most >= 1):
		return fmt.Errorf("--most %v: arm b has at least the epochs of arm e, so the limit is 1 or more", s.Most)
	case s.Runs < 0:
		return fmt.Errorf("--runs %d is negative", s.Runs)
	case s.Arm == "all" && s.Runs == 1:
		return errors.New("one run of each arm allows no verdict: give --runs 2 or more (the paper averages 5), or one --arm")
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

// arms gives the recipes: E epochs as the dense network had, or as many as its
// computation pays for.
func (s *Scratch) arms(r Recipe, ratio float64) []scratchArm {
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
	var out []scratchArm
	for _, a := range []struct {
		short string
		scratchArm
	}{{"finetuned", scratchArm{"fine-tuned", tune, false}}, {"e", scratchArm{"Scratch-E", e, true}}, {"b", scratchArm{"Scratch-B", b, true}}} {
		if s.Arm == a.short || s.Arm == "all" {
			out = append(out, a.scratchArm)
		}
	}
	return out
}

// budget is the number of epochs that the computation of so many dense ones pays for:
// int(epochs*ratio), the ratio at least 1 and, where it is limited, at most most.
func budget(epochs int, ratio, most float64) int {
	if most > 0 {
		ratio = math.Min(ratio, most)
	}
	return int(float64(epochs)*math.Max(ratio, 1) + 1e-9)
}

// whole moves the drops of a step schedule to the begin of their epoch:
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
