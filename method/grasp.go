package method

import (
	"context"
	"fmt"
	"math"

	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
)

// GraSP are the settings of gradient signal preservation.
type GraSP struct {
	Sparsity    float64 `flag:"sparsity" doc:"share of the prunable weights that is cut, in [0,1)"`
	Temperature float64 `flag:"grasp-temperature" doc:"the network's outputs are divided by it before the loss"`
	Sampled
	Fresh
	Layers
}

// graspTemperature is that of the authors' code.
const graspTemperature = 200

var grasp = &Method{
	Name: "grasp", Title: "Pruning before training by gradient signal preservation (GraSP)",
	Paper: "Wang, Zhang, Grosse: Picking Winning Tickets Before Training by Preserving Gradient Flow (2020). arXiv 2002.07376",
	Cuts:  "weights", Needs: Trains,
	Doc: `Before training, scores every weight by -w*(Hg), H and g the Hessian and gradient of the loss by the prunable
weights, and cuts the highest over all layers: those whose loss raises the gradient's norm, or lowers it least. What
is left is trained with the mask held. Hg is exact, a gradient of the gradient's inner product with g.

Read in the authors' code: the outputs are divided by 200, samples are as many of each class, the gradient is summed
over two halves of them, ordered by class; here over batches of at most 256 in random order. They draw the weights of
linear layers anew; here --fresh draws all. The number of weights that stay is exact. With --epochs 0 it only cuts.`,
	Settings: func() any { return &GraSP{Sparsity: .9, Temperature: graspTemperature, Sampled: Sampled{PerClass: 10}} },
	Run:      runGraSP,
}

func runGraSP(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*GraSP)
	if !(s.Temperature > 0) || math.IsInf(s.Temperature, 0) {
		return nil, fmt.Errorf("--grasp-temperature %v is not a positive number", s.Temperature)
	}
	if err := s.begin(j); err != nil {
		return nil, err
	}
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	m, err := s.grasp(j, ws, s.Sparsity, s.Temperature)
	if err != nil {
		return nil, err
	}
	return j.sparse(ctx, m)
}

// grasp chooses masks by gradient signal preservation.
func (s Sampled) grasp(j *Job, ws []*prune.Weight, sparsity, temperature float64) (*prune.Masks, error) {
	d, err := s.batches(j)
	if err != nil {
		return nil, err
	}
	sc, err := score.GraSP(j.Graph, ws, d, temperature, j.Engine)
	if err != nil {
		return nil, err
	}
	return allocate.Global(ws, sc, sparsity, nil)
}
