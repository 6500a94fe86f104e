package model_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/model"
	"pare/model/gradual"
	"pare/model/oneshot"
	"pare/tensor"
	"pare/train"
)

// outputs are what a network gives for the training samples, in the set's order.
func outputs(t *testing.T, j *model.Job, g *graph.Graph) (out []float32, width int) {
	t.Helper()
	e := train.NewEval(j.Data.Train, j.Data.Norm, 50, j.Engine)
	if err := e.Outputs(context.Background(), g, func(x []float32, w int) error {
		out, width = append(out, x...), w
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out, width
}

// softened are the logarithms of probabilities at a temperature.
func softened(p []float32, temperature float64) []float64 {
	sum, out := 0., make([]float64, len(p))
	for _, x := range p {
		sum += math.Pow(float64(x), 1/temperature)
	}
	for i, x := range p {
		out[i] = math.Log(float64(x))/temperature - math.Log(sum)
	}
	return out
}

// Where a cut is won back by distillation, the loss that training begins with is the
// divergence of the cut network's classes from those of the network before, at temperature
// 4 where none is given (Hinton, Vinyals, Dean 2015, arXiv 1503.02531): T² KL. The labels
// have no part in it.
func TestDistilsNetworkBefore(t *testing.T) {
	for _, temperature := range []float64{0, 2} {
		j := modeltest.Job(t, 1)
		for i := range j.Graph.Value("fc2.weight").Const.F32() { // classes far apart
			j.Graph.Value("fc2.weight").Const.F32()[i] *= 8
		}
		b := op.NewBuilder(j.Graph, "answer")
		j.Graph.Outputs[0] = b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", 1)}, j.Graph.Outputs[0])
		if err := b.Err(); err != nil {
			t.Fatal(err)
		}
		dense, width := outputs(t, j, j.Graph)
		j.Recipe.Recover, j.Recipe.LR, j.Recipe.Decay, j.Loss.T = "distil", 1e-30, 0, temperature // moves nothing
		r := modeltest.Run(t, &oneshot.GlobalMP{Sparsity: .7}, j)
		cut, _ := outputs(t, j, r.Graph)
		if temperature == 0 {
			temperature = 4
		}
		want := 0.
		for i := 0; i < len(cut); i += width {
			p, q := softened(dense[i:i+width], temperature), softened(cut[i:i+width], temperature)
			for c := range p {
				want += math.Exp(p[c]) * (p[c] - q[c]) * temperature * temperature * float64(width) / float64(len(cut))
			}
		}
		if got := r.Epochs[0].Loss; want < .1 || math.Abs(got-want) > 1e-3*want {
			t.Errorf("temperature %v: the loss is %v, want %v", temperature, got, want)
		}
	}
}

// What is distilled does not depend on labels.
func TestDistilIgnoresLabels(t *testing.T) {
	run := func(nonsense bool) []byte {
		j := modeltest.Job(t, 1)
		if j.Recipe.Recover = "distil"; nonsense {
			clear(j.Data.Train.Class().Ints)
		}
		return modeltest.Bits(modeltest.Run(t, &oneshot.GlobalMP{Sparsity: .7}, j).Graph)
	}
	if !bytes.Equal(run(false), run(true)) {
		t.Error("other labels make another network")
	}
}

// A distillation begins with what least squares make of the cut, as solve,distil does,
// and by itself where the samples have no labels.
func TestDistilBeginsSolved(t *testing.T) {
	run := func(recover string, labels bool) *model.Result {
		j := modeltest.Job(t, 1)
		if !labels {
			s := *j.Data.Train
			s.Fields = s.Fields[:1]
			j.Data.Train, j.Data.Test = &s, nil
		}
		j.Recipe.Recover = recover
		return modeltest.Run(t, &oneshot.GlobalMP{Sparsity: .7}, j)
	}
	want := run("solve,distil", true)
	for _, how := range []struct {
		recover string
		labels  bool
	}{{"distil", true}, {"auto", false}} {
		r := run(how.recover, how.labels)
		if !bytes.Equal(modeltest.Bits(r.Graph), modeltest.Bits(want.Graph)) || !strings.Contains(modeltest.Said(r), "solved by least squares") {
			t.Errorf("%+v is not what solve,distil makes: %q", how, r.Notes)
		}
	}
	if r := run("train", true); strings.Contains(modeltest.Said(r), "solved") {
		t.Errorf("learning labels solves too: %q", r.Notes)
	}
}

// What cannot be solved before a distillation is trained as it was cut, and that is said;
// where solving is asked for it is an error. A method that cuts while it trains is not
// told of what nobody asked for.
func TestDistilUnsolved(t *testing.T) {
	job := func(recover string) *model.Job {
		j := modeltest.Job(t, 1)
		j.Recipe.Recover = recover
		j.Samples = func(func(map[string]*tensor.Tensor) error) error { return errors.New("no samples today") }
		return j
	}
	if r := modeltest.Run(t, &oneshot.GlobalMP{Sparsity: .7}, job("distil")); !strings.Contains(modeltest.Said(r), "no samples today") || len(r.Epochs) != 1 {
		t.Errorf("%d epochs, %q", len(r.Epochs), r.Notes)
	}
	if _, err := model.Run(context.Background(), &oneshot.GlobalMP{Sparsity: .7}, job("solve,distil")); err == nil || !strings.Contains(err.Error(), "no samples today") {
		t.Error(err)
	}
	if r := modeltest.Run(t, gradual.NewGMP(), job("distil")); strings.Contains(modeltest.Said(r), "solved") {
		t.Errorf("%q", r.Notes)
	}
}
