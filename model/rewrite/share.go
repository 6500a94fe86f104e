package rewrite

import (
	_ "embed"

	"context"
	"math"
	"math/rand/v2"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/hook"
	"pare/sharing"

	"gonum.org/v1/gonum/stat"
)

// Share is randomised parameter sharing.
type Share struct {
	Budget         float64 `flag:"budget" range:"(0,1]" doc:"length of the shared array, as a share of the weights that read from it, in (0,1]"`
	Mapper         string  `flag:"mapper" choice:"fold,hashed,roast" doc:"where weights read: fold (random fold), hashed (HashedNet), roast (ROAST tiles)"`
	Scaler         string  `flag:"scaler" choice:"v1,v2,v3,v4,v5,none" doc:"what a slot's gradient is divided by: v1, v2, v3, v4, v5 or none"`
	InitScale      float64 `flag:"init-scale" range:"(0,)" doc:"the array begins uniform in plus and minus this"`
	ReferenceScale bool    `flag:"reference-scale" doc:"divide by init-scale, not by the array's standard deviation, as the authors' first code: initial weights are smaller by the root of 3"`
	Begin          string  `flag:"begin-with" choice:"random,fit" doc:"random: a random array, as in the paper; fit: the array nearest to the network's weights, for one that is trained"`
	Tile           int     `flag:"tile" range:"[1,)" doc:"side of a tile of roast"`
	MinSize        int     `flag:"min-size" range:"[0,)" doc:"leave weights with fewer entries as they are"`
	model.Layers
	model.Fresh

	Scale func(w []float32) float64 // deviation that a tensor's weights are given, to compare with; nil: that which they have
}

//go:embed share.md
var shareDoc string

var shareCard = &catalog.Card{
	ID: "01", Name: "share", Noun: "model", Title: "Randomised parameter sharing (STABLE-RPS)",
	Paper: "Desai, Shrivastava: In defense of parameter sharing for model-compression (ICLR 2024). arXiv 2310.11611",
	Cuts:  "stored weights", Needs: catalog.Trains, Doc: shareDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "before", How: "random one-shot retrain", Supervision: "labels", Fusion: "sharing"},
}

// NewShare gives the method with its defaults.
func NewShare() *Share {
	return &Share{Budget: .1, Mapper: sharing.Fold, Scaler: "v1", InitScale: .05, Begin: "random", Tile: 16}
}

// Card describes the method.
func (*Share) Card() *catalog.Card { return shareCard }

// Drives says that the trainings are the method's own.
func (*Share) Drives() bool { return true }

// ShareFacts are what a layout came to.
type ShareFacts struct {
	Weights int `json:"weights"` // that read from the array
	Array   int `json:"array"`   // numbers in it
}

// AsIs says that weights read from the array: nothing may scale them behind it.
func (*Share) AsIs() bool { return true }

// Run trains the array that the weights read from.
func (s *Share) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if s.Begin == "random" && j.Recipe.Epochs == 0 {
		return nil, catalog.Errorf("a random array must be trained: give {Data} and {Recipe.Epochs}, or {Begin} fit")
	}
	if err := s.Redraw(j); err != nil {
		return nil, err
	}
	l, ws, err := s.layout(j)
	if err != nil {
		return nil, err
	}
	h := &hook.Shared{Layout: l, Array: s.array(l, ws, j.Seed), Scaler: s.Scaler}
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
	facts := &ShareFacts{Weights: prune.Total(ws), Array: l.Len}
	res := &model.Result{Graph: j.Graph, Epochs: epochs, Facts: facts}
	res.Note("%d weights read from an array of %d numbers; a file ending in .pare stores the array alone, and the network multiplies as often as before", facts.Weights, facts.Array)
	return res, nil
}

// layout lists the tensors that read from the array, with their scales, in the
// order of first use.
func (s *Share) layout(j *model.Job) (*sharing.Layout, []*prune.Weight, error) {
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
		if s.Scale != nil {
			d = s.Scale(w.Data())
		}
		if !(d > 0) {
			return nil, nil, catalog.Errorf("all entries of weight %q are alike, so it has no scale: leave it out with {Exclude}, or draw initial weights with {Fresh}", w.Name)
		}
		ws = append(ws, w)
		l.Tensors = append(l.Tensors, sharing.Tensor{Name: w.Name, Shape: w.Const.Shape, Scale: float32(d / std)})
	}
	n := prune.Total(ws)
	l.Len = int(s.Budget*float64(n) + 1e-9)
	if n > 0 && l.Len < 1 {
		return nil, nil, catalog.Errorf("{Budget} %v of %d weights is not one number: give at least %.2g", s.Budget, n, 1/float64(n))
	}
	if n == 0 {
		return nil, nil, catalog.Errorf("{MinSize} %d: no weight has as many entries, so none would be shared", s.MinSize)
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
