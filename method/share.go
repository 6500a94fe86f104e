package method

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"pare/graph"
	"pare/prune"
	"pare/sharing"

	"gonum.org/v1/gonum/stat"
)

// Share are the settings of randomised parameter sharing.
type Share struct {
	Budget         float64 `flag:"budget" doc:"length of the shared array, as a share of the weights that read from it, in (0,1]"`
	Mapper         string  `flag:"mapper" doc:"where weights read: fold (random fold), hashed (HashedNet), roast (ROAST tiles)"`
	Scaler         string  `flag:"scaler" doc:"what a slot's gradient is divided by: v1, v2, v3, v4, v5 or none"`
	InitScale      float64 `flag:"init-scale" doc:"the array begins uniform in plus and minus this"`
	ReferenceScale bool    `flag:"reference-scale" doc:"divide by init-scale, not by the array's standard deviation, as the authors' first code: initial weights are smaller by the root of 3"`
	Begin          string  `flag:"begin-with" doc:"random: a random array, as in the paper; fit: the array nearest to the network's weights, for one that is trained"`
	Tile           int     `flag:"tile" doc:"side of a tile of roast"`
	MinSize        int     `flag:"min-size" doc:"leave weights with fewer entries as they are"`
	Layers
	Fresh
}

var shared = &Method{
	ID: "01", Name: "share", Title: "Randomised parameter sharing (STABLE-RPS)",
	Paper: "Desai, Shrivastava: In defense of parameter sharing for model-compression (ICLR 2024). arXiv 2310.11611",
	Cuts:  "stored weights", Needs: Trains,
	Doc: `No weight is removed: all weights read from one short array that is trained in their place. Entry i of tensor l is
lambda_l g_l[i] psi[h(j)] with j its position in the line of all weights, g a random sign, and lambda_l the standard
deviation of the tensor's initial weights over that of the array. The random fold cuts the line into pieces of the
array's length m and rotates each by its own random amount, so every slot has as many readers as another, or one more;
at a budget of 1 each has one. The gradient of a slot is divided by Gamma_k = (sum lambda)^2/(n_k + 0.001), once for all
steps, so that with sgd each weight moves by the mean gradient of its slot and the array's initial scale does not matter.
Optimiser state lives on the array. Adam does not heed the scale of a gradient: its step on the array is divided by the
mean lambda of a slot instead, and the decay of adamw shrinks the array alone.

A file ending in .pare stores the array, the seed and the tensors' scales, and reads back to the same bits; ONNX holds the
weights as they are expanded. There is no saving of multiplications: every layer is as large as before. What it saves
beside the file is memory while it trains, of the optimiser.

Measured (the reproduction): at a budget of 1 it is as good as the dense network, and 2 points above HashedNet; below 1
the two mappings are as good as each other. At 5 % it is 17 points above a random sparse network of as many weights; at
10 % and below it is above a small dense one; at 25 % all three are alike. Against gradual magnitude pruning in as many
bytes of the sparse form it is behind after 20 epochs, by 6 points at 5 % and 4 at 2 %; after 60 it is still behind at
10 and 5 %, by 9 and 4 points, and 3 ahead at 2 %, which six seeds do not settle: that sharing overtakes where little is
left, as the paper finds against rewound lottery tickets, is neither shown nor excluded here. Without the scaler the
largest initial scale is 8 points better than with it, and the others diverge.

Sharing begins with a random array, so the weights of a trained network are forgotten but for their standard deviations;
begin-with=fit takes the least-squares array instead. Embeddings read from the array too. The tensors' names and their
order, that of first use, belong to the layout, which is in the file.

Checked in the authors' code (FakeRoast: Mapper_v2, FakeRoast, FakeRoastUtil_v2): mappings, hash constants, signs, scales
and the five scalers are as here. It computes the hash in 64-bit integers, where a_1 x^2 overflows for x above 2^16: here
every product is reduced, so places differ. A later version of it draws the array from a normal distribution of deviation
init-scale; here it is uniform. Its choice of v5 computes v4; here v5 is its own formula, sum lambda^2. A tile's place is
drawn from all that fit but the last, as there; tiles lie along outputs and inputs of every kind of weight.`,
	Settings: func() any { return shareDefaults() },
	Run:      runShare, Claims: shareClaims,
}

func shareDefaults() *Share {
	return &Share{Budget: .1, Mapper: sharing.Fold, Scaler: "v1", InitScale: .05, Begin: "random", Tile: 16}
}

func runShare(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*Share)
	switch {
	case !(s.Budget > 0 && s.Budget <= 1):
		return nil, fmt.Errorf("budget %v is outside (0,1]", s.Budget)
	case !(s.InitScale > 0) || math.IsInf(s.InitScale, 0):
		return nil, fmt.Errorf("the array's initial scale %v is not a positive number", s.InitScale)
	case s.MinSize < 0:
		return nil, fmt.Errorf("a least size of %d is negative", s.MinSize)
	case s.Begin != "random" && s.Begin != "fit":
		return nil, fmt.Errorf("there is no begin-with %q: use random or fit", s.Begin)
	case s.Begin == "random" && j.Recipe.Epochs == 0:
		return nil, fmt.Errorf("a random array must be trained: give --data and --epochs, or --begin-with fit")
	}
	if err := s.begin(j); err != nil {
		return nil, err
	}
	l, ws, err := s.layout(j)
	if err != nil {
		return nil, err
	}
	h := &prune.Shared{Layout: l, Array: s.array(l, ws, j.Seed), Scaler: s.Scaler}
	if _, err := prune.Gammas(l, nil, s.Scaler); err != nil {
		return nil, err
	}
	to := make([][]float32, len(ws))
	for k, w := range ws {
		to[k] = w.Data()
	}
	l.Expand(h.Array, to)
	l.Mark(j.Graph)
	epochs, err := j.Fit(ctx, j.Graph, h)
	if err != nil {
		return nil, err
	}
	n := prune.Total(ws)
	return &Result{Graph: j.Graph, Epochs: epochs, Notes: []string{
		fmt.Sprintf("%d weights read from an array of %d numbers; a file ending in .pare stores the array alone, and the network multiplies as often as before", n, l.Len)}}, nil
}

// layout lists the tensors that read from the array, with their scales, in the
// order of first use.
func (s *Share) layout(j *Job) (*sharing.Layout, []*prune.Weight, error) {
	all, err := prune.Weights(j.Graph, prune.Scope{Include: s.Include, Exclude: s.Exclude, Embeddings: true})
	if err != nil {
		return nil, nil, err
	}
	std := s.InitScale / math.Sqrt(3) // of the uniform distribution
	if s.ReferenceScale {
		std = s.InitScale
	}
	l := &sharing.Layout{Mapper: s.Mapper, Seed: &j.Seed}
	if s.Mapper == sharing.Roast {
		l.Tile = s.Tile
	}
	var ws []*prune.Weight
	for _, w := range all {
		if w.Len() < s.MinSize || w.Role != graph.Param {
			continue
		}
		d := deviation(w.Data())
		if !(d > 0) {
			return nil, nil, fmt.Errorf("all entries of weight %q are alike, so it has no scale: leave it out with --exclude, or draw initial weights with --fresh", w.Name)
		}
		ws = append(ws, w)
		l.Tensors = append(l.Tensors, sharing.Tensor{Name: w.Name, Shape: w.Const.Shape, Scale: float32(d / std)})
	}
	n := prune.Total(ws)
	l.Len = int(s.Budget*float64(n) + 1e-9)
	if n > 0 && l.Len < 1 {
		return nil, nil, fmt.Errorf("a budget of %v of %d weights is not one number: give at least %.2g", s.Budget, n, 1/float64(n))
	}
	if n == 0 {
		return nil, nil, fmt.Errorf("no weight has %d entries or more: none would be shared", s.MinSize)
	}
	return l, ws, l.Check()
}

func deviation(x []float32) float64 {
	f := make([]float64, len(x))
	for i, v := range x {
		f[i] = float64(v)
	}
	return stat.PopStdDev(f, nil)
}

// array is what training begins with: uniform numbers, or the least squares to the
// network's weights, psi_k = sum lambda g w / sum lambda^2.
func (s *Share) array(l *sharing.Layout, ws []*prune.Weight, seed uint64) []float32 {
	out := make([]float32, l.Len)
	if s.Begin == "random" {
		r := rand.New(rand.NewPCG(seed, 0x5A44E))
		for k := range out {
			out[k] = float32(s.InitScale * (2*r.Float64() - 1))
		}
		return out
	}
	sum, square := make([]float64, l.Len), make([]float64, l.Len)
	for t, slots := range l.Slots() {
		scale := l.Tensors[t].Scale
		sharing.Scatter(scale, slots, ws[t].Data(), sum)
		for _, k := range slots {
			square[k.At()] += float64(scale) * float64(scale)
		}
	}
	for k := range out {
		if square[k] > 0 {
			out[k] = float32(sum[k] / square[k])
		}
	}
	return out
}
