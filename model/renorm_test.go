package model_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/model"
	"pare/model/learned"
	"pare/model/oneshot"
	"pare/model/rewrite"
	"pare/model/structured"
	"pare/tensor"
	"pare/train"
)

// foldedJob is a job on a trained network whose normalisation an exporter folded away.
func foldedJob(t *testing.T, epochs int) *model.Job {
	t.Helper()
	j := modeltest.ConvJob(t, "resnet8")
	j.Recipe.Epochs = 2
	if _, err := j.Fit(context.Background(), j.Graph); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(j.Graph.Nodes); i++ {
		bn := j.Graph.Nodes[i]
		if !bn.Is("BatchNormalization") {
			continue
		}
		conv := bn.In(0).From
		w := conv.In(1)
		of := func(k int) []float32 { return bn.In(k).Const.F32() }
		filter := w.Const.Len() / len(of(1))
		bias := make([]float32, len(of(1)))
		for c := range bias {
			f := float64(of(1)[c]) / math.Sqrt(float64(of(4)[c])+float64(bn.Float("epsilon", 1e-5)))
			for k := range filter {
				w.Const.F32()[c*filter+k] *= float32(f)
			}
			bias[c] = of(2)[c] - float32(f)*of(3)[c]
		}
		b := &graph.Value{Name: w.Name + ".folded", DType: w.DType, Shape: graph.Dims(len(bias)), Const: tensor.From(bias, len(bias)), Role: graph.Param}
		conv.Inputs = append(conv.Inputs, b)
		y := bn.Out(0)
		conv.Outputs, y.From = []*graph.Value{y}, conv
		j.Graph.Nodes = slices.Delete(j.Graph.Nodes, i, i+1)
		i--
	}
	if err := op.InferAll(j.Graph); err != nil {
		t.Fatal(err)
	}
	j.Recipe.Epochs, j.Recipe.Renorm = epochs, "auto"
	return j
}

// A network whose normalisation was folded away is trained with it and written without:
// the names are those of the file, what is cut stays zero, it is said, it does not
// depend on the threads, and a run that was stopped ends with the same bytes.
func TestRenorm(t *testing.T) {
	if train.Unnormalised(foldedJob(t, 1).Graph) == nil {
		t.Fatal("nothing was folded away")
	}
	names := func(g *graph.Graph) (out []string) {
		for _, v := range g.Consts() {
			out = append(out, v.Name)
		}
		slices.Sort(out)
		return out
	}
	before := names(foldedJob(t, 1).Graph)
	r := modeltest.Resumes(t, "global-mp", func() (model.Method, *model.Job) { return &oneshot.GlobalMP{Sparsity: .8}, foldedJob(t, 2) }, 0, 3, 13)
	if got := names(r.Graph); !slices.Equal(got, before) {
		t.Errorf("names %v, were %v", got, before)
	}
	if !strings.Contains(modeltest.Said(r), "put back") {
		t.Errorf("notes %q", r.Notes)
	}
	for l, w := range r.Masks.Weights {
		if r.Graph.Value(w.Name) != w.Value {
			t.Fatalf("the mask of %s is of another network", w.Name)
		}
		for i, x := range w.Data() {
			if x != 0 && !r.Masks.Mask[l].Kept(i) {
				t.Fatalf("%s[%d] is cut and %v", w.Name, i, x)
			}
		}
	}
	off := foldedJob(t, 2)
	off.Recipe.Renorm = "off"
	if q := modeltest.Run(t, &oneshot.GlobalMP{Sparsity: .8}, off); strings.Contains(modeltest.Said(q), "put back") {
		t.Error("off put it back")
	}
}

// looks is a method that changes nothing, and lets a function see the network.
type looks struct {
	oneshot.GlobalMP
	f func(*graph.Graph)
}

func (l *looks) Run(_ context.Context, j *model.Job) (*model.Result, error) {
	l.f(j.Graph)
	return &model.Result{Graph: j.Graph}, nil
}

// What is put back shifts by the mean of what the convolution makes, bias and all, of the
// whole training set: in inference the network stays what it was.
func TestRenormStatistics(t *testing.T) {
	j := foldedJob(t, 1)
	folded, _ := j.Graph.Clone(true)
	want := map[string][]float64{}
	var convs []*graph.Node
	for _, n := range folded.Nodes {
		if n.Is("Conv") && n.In(2) != nil {
			convs = append(convs, n)
		}
	}
	for _, n := range convs {
		folded.Outputs = []*graph.Value{n.Out(0)}
		mean := make([]float64, n.In(1).Const.Shape[0])
		out, width := outputs(t, j, folded)
		per := width / len(mean)
		for i, x := range out {
			mean[i%width/per] += float64(x) * float64(len(mean)) / float64(len(out))
		}
		want[n.Out(0).Name] = mean
	}
	seen := 0
	modeltest.Run(t, &looks{f: func(g *graph.Graph) {
		for _, n := range g.Nodes {
			if !n.Is("BatchNormalization") {
				continue
			}
			seen++
			for c, x := range n.In(2).Const.F32() {
				if m := want[n.Out(0).Name][c]; math.Abs(float64(x)-m) > 1e-4 {
					t.Fatalf("%s: channel %d is shifted by %v, its mean is %v", n.Name, c, x, m)
				}
			}
		}
	}}, j)
	if seen == 0 || seen != len(convs) {
		t.Errorf("normalisation is put back behind %d of %d convolutions", seen, len(convs))
	}
}

// A target that is sought is sought in the network that is then cut: what the goal saw
// is what fine-tuning starts from.
func TestRenormSeek(t *testing.T) {
	ctx := context.Background()
	j := foldedJob(t, 1)
	var seen []float64
	goal := model.Goal{Good: func(g *graph.Graph) (bool, error) {
		m, err := j.Held().Run(ctx, g)
		seen = append(seen, m.Loss)
		return m.Value() > .3, err
	}}
	m := oneshot.NewGlobalMP()
	if _, err := model.Seek(ctx, m, j, goal); err != nil {
		t.Fatal(err)
	}
	k := foldedJob(t, 1)
	k.Recipe.LR = 1e-30 // fine-tuning that moves nothing
	k.Recipe.Decay = 0
	r := modeltest.Run(t, m, k)
	zeros := func(g *graph.Graph) (at []int) {
		for _, v := range g.Params() {
			for i, x := range v.Const.F32() {
				if x == 0 {
					at = append(at, i)
				}
			}
		}
		return at
	}
	l := foldedJob(t, 1)
	l.Recipe.Renorm = "off"
	l.Recipe.LR = 1e-30
	l.Recipe.Decay = 0
	q := modeltest.Run(t, m, l)
	if slices.Equal(zeros(r.Graph), zeros(q.Graph)) {
		t.Error("the filters are ranked as if nothing had been put back")
	}
	var sought *graph.Graph
	again := model.Goal{Good: func(g *graph.Graph) (bool, error) {
		if m, err := j.Held().Run(ctx, g); err != nil || m.Value() <= .3 {
			return false, err
		}
		sought = g
		return true, nil
	}}
	if _, err := model.Seek(ctx, m, j, again); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(zeros(sought), zeros(r.Graph)) {
		t.Error("what was sought is not what is cut")
	}
}

// Methods that leave the weights alone, or read them from an array, keep the network as
// it is.
func TestRenormAsIs(t *testing.T) {
	jackpot := learned.NewJackpot()
	for name, m := range map[string]model.Method{"jackpot": jackpot, "share": rewrite.NewShare()} {
		if r := modeltest.Run(t, m, foldedJob(t, 1)); strings.Contains(modeltest.Said(r), "put back") {
			t.Errorf("%s: %q", name, r.Notes)
		}
	}
}

// A distillation of a network whose normalisation was put back begins with what least
// squares make of the cut, too.
func TestRenormSolved(t *testing.T) {
	loss := func(samples bool) float64 {
		j := foldedJob(t, 1)
		j.Recipe.Recover, j.Recipe.LR, j.Recipe.Decay = "distil", 1e-30, 0 // moves nothing
		if !samples {
			j.Samples = func(func(map[string]*tensor.Tensor) error) error { return errors.New("none") }
		}
		m := structured.NewChannels()
		m.Score = "norm"
		return modeltest.Run(t, m, j).Epochs[0].Loss
	}
	if solved, cut := loss(true), loss(false); !(solved < .8*cut) {
		t.Errorf("the distillation begins at %v, and at %v where nothing is solved", solved, cut)
	}
}
