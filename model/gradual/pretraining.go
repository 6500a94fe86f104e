package gradual

import (
	_ "embed"

	"context"
	"encoding/binary"
	"fmt"
	"math"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
	"pare/prune/schedule"
	"pare/prune/score"
	"pare/scaling"
	"pare/train"
)

// SparsePretraining is pruning while a network is trained from its beginning, in the window
// that the average-parameter scaling law was found with.
type SparsePretraining struct {
	Sparsity float64       `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut in the end"`
	Begin    float64       `flag:"begin" range:"[0,1]" doc:"where pruning begins, as a share of the training"`
	End      float64       `flag:"end" range:"[0,1]" doc:"where it ends; after it the mask stays and the weights recover"`
	Unit     string        `flag:"unit" choice:"compute,tokens" doc:"what the shares are of: compute (what is cut is not computed, so that steps cost less and less) or tokens (steps)"`
	Power    float64       `flag:"power" range:"(0,)" doc:"of the curve along which the sparsity rises: 3 is the cubic, 1 a line"`
	Every    int           `flag:"every" range:"[1,)" doc:"steps between changes of the masks"`
	Allocate allocate.Name `flag:"allocate" choice:"uniform,global,er,erk" doc:"how much of each layer"`
	model.Fresh
	model.Layers
}

//go:embed pretraining.md
var pretrainingDoc string

var pretrainingCard = &catalog.Card{
	ID: "68", Name: "pretrain", Noun: "model", Title: "Sparse pre-training by the average parameter count",
	Paper: "Jin, Humayun, Evci, Subramanian, Yazdanbakhsh, Alistarh, Dziugaite: The Journey Matters: Average Parameter Count over Pre-training Unifies Sparse and Dense Scaling Laws (ICLR 2025). arXiv 2501.12486",
	Cuts:  "weights", Needs: catalog.Trains, Doc: pretrainingDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "during", How: "magnitude iterative retrain", Supervision: "labels", Fusion: "none"},
}

// NewSparsePretraining gives the method with its defaults.
func NewSparsePretraining() *SparsePretraining {
	return &SparsePretraining{Sparsity: .5, Begin: .25, End: .75, Unit: "compute", Power: 3, Every: 20, Allocate: "uniform"}
}

// Card describes the method.
func (*SparsePretraining) Card() *catalog.Card { return pretrainingCard }

// PretrainingFacts are what a run adds to a table that the law is fitted to.
type PretrainingFacts struct {
	N0      int     `json:"n0"`      // prunable weights
	Final   int     `json:"final"`   // that are left
	Average float64 `json:"average"` // kept on average over the steps, as it was
	Formula float64 `json:"formula"` // by the window alone
	Begin   float64 `json:"begin"`   // of the window, as shares of the steps
	End     float64 `json:"end"`
	Compute float64 `json:"compute"` // of the training, as a share of a dense one's
}

// Run trains while the sparsity rises in the window.
func (s *SparsePretraining) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := j.NeedsTraining("pruning happens while the network is trained"); err != nil {
		return nil, err
	}
	w := scaling.Window{Begin: s.Begin, End: s.End, Sparsity: s.Sparsity, Power: s.Power}
	if s.End <= s.Begin && s.Sparsity > 0 {
		return nil, catalog.Errorf("{Begin} %v and {End} %v: the window is to end behind its beginning", s.Begin, s.End)
	}
	err := w.Check()
	if err == nil && s.Unit == "compute" {
		w, err = scaling.InCompute(s.Begin, s.End, s.Sparsity, s.Power)
	}
	if err != nil {
		return nil, err
	}
	if err := s.Redraw(j); err != nil {
		return nil, err
	}
	trained := !s.Fresh.Fresh && !j.Graph.Usage.Drawn
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	steps := j.Steps()
	sch := schedule.Gradual{Final: s.Sparsity, Begin: int(math.Round(w.Begin * float64(steps))), End: int(math.Round(w.End * float64(steps))), Every: s.Every, Power: s.Power}
	if s.Sparsity > 0 {
		if err := sch.Check(steps); err != nil {
			return nil, err
		}
	}
	keep := &hook.Hold{Masks: prune.Dense(ws)}
	seen := &kept{masks: keep.Masks}
	hooks := []train.Hook{keep}
	if s.Sparsity > 0 {
		hooks = append(hooks, &hook.Raise{Hold: keep, Schedule: sch, Pick: func(sparsity float64) (*prune.Masks, error) {
			return s.Allocate.Masks(ws, score.Magnitude(ws), sparsity, nil)
		}})
	}
	epochs, err := j.Fit(ctx, j.Graph, append(hooks, seen)...)
	if err != nil {
		return nil, err
	}
	res := &model.Result{Graph: j.Graph, Masks: keep.Masks, Epochs: epochs}
	total := prune.Total(ws)
	f := &PretrainingFacts{N0: total, Final: keep.Count(), Average: seen.mean(), Formula: float64(total) * w.Average(), Begin: w.Begin, End: w.End}
	f.Compute = f.Average / float64(max(1, total))
	res.Facts = f
	if trained {
		res.Note("the training is not from its beginning, for this network is taken for trained: the law, and the average that it goes by, hold for one that is; {Fresh} draws initial weights")
	}
	if s.Sparsity > 0 && w.End >= 1 {
		res.Note("{End} %v leaves no steps to recover in: the law does not hold for such a training", s.End)
	}
	res.Note("%d of %d prunable weights on average over the steps, %.3g of a dense training's compute where what is cut is not computed", int(f.Average+.5), total, f.Compute)
	res.WarnCollapse()
	return res, nil
}

// kept adds up how many weights there are at every step.
type kept struct {
	train.Observer
	masks *prune.Masks
	sum   uint64
	steps uint64
}

// BeforeStep counts.
func (k *kept) BeforeStep(*train.Run) error {
	k.sum += uint64(k.masks.Count())
	k.steps++
	return nil
}

func (k *kept) mean() float64 { return float64(k.sum) / float64(max(1, k.steps)) }

// Name identifies the state in a checkpoint.
func (*kept) Name() string { return "kept" }

// MarshalBinary writes the sums.
func (k *kept) MarshalBinary() ([]byte, error) {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, k.sum), k.steps), nil
}

// UnmarshalBinary restores them.
func (k *kept) UnmarshalBinary(b []byte) error {
	if len(b) != 16 {
		return fmt.Errorf("%d bytes of sums, not 16", len(b))
	}
	k.sum, k.steps = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	return nil
}
