package measure

import (
	"context"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/train"
)

// Network is one of several networks that are compared, and what was measured of it.
type Network struct {
	Name   string        `json:"name"`
	File   string        `json:"file"`
	Graph  *graph.Graph  `json:"-"`
	Epochs []train.Epoch `json:"epochs,omitempty"`
	Course *Course       `json:"training,omitempty"` // of its own training
	How    string        `json:"how,omitempty"`      // it was made, in words, where the method of Origin does not say it

	Metrics *train.Metrics `json:"metrics,omitempty"`
	Size    Size           `json:"size"`
	Layers  []Layer        `json:"layers"`
	Single  Speed          `json:"speed_1"`  // one sample; its batch is 0 where it was not measured
	Batch   Speed          `json:"speed_32"` // 32 samples
	OnDisk  int64          `json:"on_disk"`  // bytes of its file as it lies there; 0 where there is none
}

// Networks measures how large and how good networks are. Without data there are no
// metrics.
func Networks(ctx context.Context, ns []*Network, d *dataset.Data, by train.Judge, o engine.Options) error {
	for _, n := range ns {
		var err error
		if n.Size, n.Layers, err = OfContext(ctx, n.Graph); err != nil {
			return err
		}
		if d != nil {
			m, err := Metrics(ctx, n.Graph, d, by, o)
			if err != nil {
				return err
			}
			n.Metrics = &m
		}
		n.onDisk()
	}
	return nil
}

// Speeds measures how fast networks are, side by side; the others are compared with
// the first.
func Speeds(ctx context.Context, ns []*Network, o engine.Options) error {
	var gs []*graph.Graph
	for _, n := range ns {
		gs = append(gs, n.Graph)
	}
	single, err := Latency(ctx, gs, 1, 11, 40*time.Millisecond, o)
	if err != nil {
		return err
	}
	batch := make([]Speed, len(ns))
	if Slow(single) {
		for i, n := range ns {
			n.Single = single[i]
		}
		return nil
	}
	if in := gs[0].Inputs; len(in) == 0 || len(in[0].Shape) == 0 || !in[0].Shape[0].Known() { // the file may fix the batch
		if batch, err = Latency(ctx, gs, 32, 11, 40*time.Millisecond, o); err != nil {
			return err
		}
	}
	for i, n := range ns {
		n.Single, n.Batch = single[i], batch[i]
	}
	return nil
}

// onDisk takes the size of a file that is there instead of that of one that would be
// written now, which may have other types of numbers.
func (n *Network) onDisk() {
	if n.OnDisk = FileBytes(n.File); n.OnDisk == 0 {
		return
	}
	switch strings.ToLower(filepath.Ext(n.File)) {
	case ".onnx":
		n.Size.Bytes = n.OnDisk
	case ".pare":
		n.Size.SparseBytes = n.OnDisk
	}
}

// Slow says whether a sample takes so long that batches of 32 are not measured.
func Slow(single []Speed) bool {
	return slices.ContainsFunc(single, func(s Speed) bool { return s.Seconds.Median > .25 })
}

// evalBatch is the most samples that are evaluated at once.
const evalBatch = 128

// evalBytes bounds what their outputs take, of which a language model has many.
const evalBytes = 512 << 20

// batchOf is how many samples are evaluated at once.
func batchOf(g *graph.Graph) int {
	c, _ := g.Clone(false)
	if op.Bind(c, c.Sizes(1)) != nil {
		return evalBatch // what is wrong is said where it is run
	}
	n := 0
	for _, v := range c.Outputs {
		k := 4
		for _, d := range v.Shape {
			if d.Known() && d.Mul > 0 && k < evalBytes {
				k *= d.Mul
			}
		}
		n += k
	}
	return max(1, min(evalBatch, evalBytes/max(1, n)))
}

// Metrics evaluates a network on the set that data is measured on.
func Metrics(ctx context.Context, g *graph.Graph, d *dataset.Data, by train.Judge, o engine.Options) (train.Metrics, error) {
	e := train.NewEval(d.Eval(), d.Norm, batchOf(g), o)
	e.Judge = by
	return e.Run(ctx, g)
}

// Values are the numbers that a network is worth, by name, for a list of runs. What was
// not measured is left out.
func (n *Network) Values() map[string]float64 {
	out := map[string]float64{"parameters": float64(n.Size.Params), "nonzero": float64(n.Size.NonZero), "sparsity": n.Size.Sparsity(), "macs": float64(n.Size.MACs), "bytes": float64(n.Size.Bytes)}
	if n.OnDisk > 0 {
		out["bytes"] = float64(n.OnDisk)
	}
	if n.Metrics != nil {
		out["loss"] = n.Metrics.Loss
		for _, s := range n.Metrics.Scores {
			out[s.Metric] = s.Value
		}
	}
	if n.Single.Batch > 0 {
		out["milliseconds"] = 1000 * n.Single.Seconds.Median
		if n.Single.Ratio.Median > 0 {
			out["time_ratio"] = n.Single.Ratio.Median
		}
	}
	maps.DeleteFunc(out, func(_ string, x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
	return out
}
