package oracle

import (
	"fmt"
	"math"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/tensor"
)

// Norm is batch normalisation of a layer's outputs, before the ReLU.
type Norm struct {
	Scale, Shift   *Tensor
	Mean, Variance []float64 // running

	mean, variance []float64   // of the last batch; the variance is the biased one
	hat            [][]float64 // the last batch, normalised
}

// epsilon and stays are those of Normalise.
const (
	epsilon = 1e-5
	stays   = .9 // share of the old statistic
)

// Normalise puts batch normalisation behind the first layers of a job's network, all but
// the last, whose parameters and statistics are not those of a fresh one.
func Normalise(t testing.TB, j *model.Job) {
	t.Helper()
	g, l := j.Graph, 0
	last := len(Read(t, g).Layers)
	for i := 0; i < len(g.Nodes); i++ {
		n := g.Nodes[i]
		if !n.Is("Gemm") {
			continue
		}
		if l++; l == last {
			break
		}
		size := n.In(2).Const.Len()
		of := func(name string, role graph.Role, at, by float32) *graph.Value {
			x := make([]float32, size)
			for k := range x {
				x[k] = at + by*float32(k%5)
			}
			return g.Const(fmt.Sprintf("bn%d.%s", l, name), tensor.From(x, size), role)
		}
		y := n.Out(0)
		behind := &graph.Value{Name: y.Name + ".linear", DType: y.DType, Shape: y.Shape, From: n}
		n.Outputs[0] = behind
		bn := &graph.Node{Op: "BatchNormalization", Name: fmt.Sprintf("bn%d", l), Outputs: []*graph.Value{y},
			Inputs: []*graph.Value{behind, of("weight", graph.Param, .8, .1), of("bias", graph.Param, .1, -.05), of("running_mean", graph.Stat, .2, .1), of("running_var", graph.Stat, .7, .2)}}
		bn.Set("epsilon", float32(epsilon))
		bn.Set("momentum", float32(stays))
		y.From = bn
		g.Nodes = append(g.Nodes[:i+1], append([]*graph.Node{bn}, g.Nodes[i+1:]...)...)
	}
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
}

// readNorm reads the normalisation behind layer l, if there is one.
func readNorm(g *graph.Graph, l int) *Norm {
	of := func(name string) *graph.Value { return g.Value(fmt.Sprintf("bn%d.%s", l, name)) }
	if of("weight") == nil {
		return nil
	}
	param := func(name string) *Tensor { return NewTensor(of(name).Name, Wide(of(name).Const.F32())) }
	return &Norm{Scale: param("weight"), Shift: param("bias"), Mean: Wide(of("running_mean").Const.F32()), Variance: Wide(of("running_var").Const.F32())}
}

func (m *Norm) clone() *Norm {
	if m == nil {
		return nil
	}
	return &Norm{Scale: m.Scale.clone(), Shift: m.Shift.clone(), Mean: append([]float64{}, m.Mean...), Variance: append([]float64{}, m.Variance...)}
}

// forward normalises outputs [sample][output] in place: by the statistics of the batch in
// training, else by the running ones.
func (m *Norm) forward(y [][]float64, training bool) {
	mean, variance := m.Mean, m.Variance
	if training {
		mean, variance = make([]float64, len(m.Mean)), make([]float64, len(m.Mean))
		for o := range mean {
			for _, v := range y {
				mean[o] += v[o] / float64(len(y))
			}
			for _, v := range y {
				variance[o] += (v[o] - mean[o]) * (v[o] - mean[o]) / float64(len(y))
			}
		}
		m.mean, m.variance = mean, variance
	}
	m.hat = nil
	for _, v := range y {
		hat := make([]float64, len(v))
		for o := range v {
			hat[o] = (v[o] - mean[o]) / math.Sqrt(variance[o]+epsilon)
			v[o] = m.Scale.X[o]*hat[o] + m.Shift.X[o]
		}
		m.hat = append(m.hat, hat)
	}
}

// back gives the gradient by what was normalised, in training, and leaves those of scale
// and shift.
func (m *Norm) back(d [][]float64) [][]float64 {
	clear(m.Scale.G)
	clear(m.Shift.G)
	out := make([][]float64, len(d))
	for s := range d {
		out[s] = make([]float64, len(d[s]))
	}
	n := float64(len(d))
	for o := range m.Scale.X {
		sum, along := 0.0, 0.0
		for s := range d {
			sum += d[s][o]
			along += d[s][o] * m.hat[s][o]
		}
		m.Shift.G[o], m.Scale.G[o] = sum, along
		for s := range d {
			out[s][o] = m.Scale.X[o] / math.Sqrt(m.variance[o]+epsilon) * (d[s][o] - sum/n - m.hat[s][o]*along/n)
		}
	}
	return out
}

// MoveStatistics moves the running statistics by the last batch of size samples, whose
// variance is made unbiased: stay is the share of the old ones.
func (n *Net) MoveStatistics(size int, stay float64) {
	for _, l := range n.Layers {
		if m := l.Norm; m != nil {
			for o := range m.Mean {
				m.Mean[o] = stay*m.Mean[o] + (1-stay)*m.mean[o]
				m.Variance[o] = stay*m.Variance[o] + (1-stay)*m.variance[o]*float64(size)/float64(size-1)
			}
		}
	}
}

// Recalibrate makes the running statistics the means over the first batches of the first
// epoch, at most a number of them.
func (s *Stream) Recalibrate(n *Net, most int) {
	for i := range min(most, s.Steps()) {
		b := s.Batch(0, i)
		n.Gradient(b)
		n.MoveStatistics(len(b.X), float64(i)/float64(i+1))
	}
}
