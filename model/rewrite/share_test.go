package rewrite

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"pare/graph"
	"pare/internal/modeltest"
	"pare/model"
	"pare/onnx"
	"pare/prune"
	"pare/prune/hook"
	"pare/sharing"
	"pare/train"
)

// weightsOf are the prunable weights in one line.
func weightsOf(t *testing.T, g *graph.Graph) []float32 {
	t.Helper()
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	var out []float32
	for _, w := range ws {
		out = append(out, w.Data()...)
	}
	return out
}

// apart is the largest difference.
func apart(a, b []float32) float64 {
	most := 0.0
	for i := range a {
		most = math.Max(most, math.Abs(float64(a[i]-b[i])))
	}
	return most
}

// The weights go the same way whatever the array's initial scale: with sgd by the
// scaler, with Adam by the scaled step, with decay of either kind.
func TestShareScale(t *testing.T) {
	for _, optimizer := range []string{"sgd", "adam", "adamw"} {
		var first []float32
		for _, s0 := range []float64{.05, .005, .5} {
			s := NewShare()
			s.InitScale = s0
			j := modeltest.Job(t, 1)
			j.Recipe.Optimizer = optimizer
			if optimizer != "sgd" {
				j.Recipe.LR, j.Recipe.Decay = .002, .1
			}
			if optimizer == "adam" {
				j.Recipe.Decay = 0 // within the moments it is relative to the gradient of the array
			}
			modeltest.Run(t, s, j)
			w := weightsOf(t, j.Graph)
			if first == nil {
				first = w
			}
			if d := apart(first, w); d > 2e-3 {
				t.Errorf("%s: with an initial scale of %v weights end %v apart", optimizer, s0, d)
			}
		}
	}
}

// An array as long as the weights, begun with them, trains as the dense network,
// but for the thousandth in Gamma.
func TestShareAll(t *testing.T) {
	s := NewShare()
	s.Budget, s.Begin = 1, "fit"
	j, dense := modeltest.Job(t, 1), modeltest.Job(t, 1)
	before := weightsOf(t, j.Graph)
	modeltest.Run(t, s, j)
	if _, err := dense.Fit(context.Background(), dense.Graph); err != nil {
		t.Fatal(err)
	}
	if d, moved := apart(weightsOf(t, dense.Graph), weightsOf(t, j.Graph)), apart(before, weightsOf(t, dense.Graph)); d > .02*moved {
		t.Errorf("weights end %v apart, and moved by %v", d, moved)
	}
}

// The gradient of the array is that of finite differences.
func TestShareGradient(t *testing.T) {
	s := NewShare()
	j := modeltest.Job(t, 1)
	l, ws, err := s.layout(j)
	if err != nil {
		t.Fatal(err)
	}
	h := &hook.Shared{Layout: l, Array: s.array(l, ws, 3), Scaler: "none"}
	step, err := train.NewStep(j.Graph, 20, train.Loss{}, j.Engine)
	if err != nil {
		t.Fatal(err)
	}
	defer step.Close()
	for i := range step.Input().F32() {
		step.Input().F32()[i] = float32(math.Sin(float64(i)))
	}
	ps, err := h.Reparametrise(step.Params)
	if err != nil {
		t.Fatal(err)
	}
	own := ps[len(ps)-1]
	r := &train.Run{Config: &train.Config{Optimizer: train.SGD{}}}
	loss := func() float64 {
		if err := h.Start(r); err != nil {
			t.Fatal(err)
		}
		x, err := step.Run()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	loss()
	if err := h.AfterGrad(r); err != nil {
		t.Fatal(err)
	}
	grad := append([]float32{}, own.G...)
	for k := 0; k < l.Len; k += 29 {
		was := h.Array[k]
		const e = 3e-4
		h.Array[k] = was + e
		up := loss()
		h.Array[k] = was - e
		down := loss()
		h.Array[k] = was
		if got := (up - down) / (2 * e); math.Abs(got-float64(grad[k])) > 2e-3+.02*math.Abs(got) {
			t.Errorf("slot %d: gradient %v, by differences %v", k, grad[k], got)
		}
	}
}

// The file holds the array, and what is read from it are the same bits.
func TestShareFile(t *testing.T) {
	for _, mapper := range []string{sharing.Fold, sharing.Hashed, sharing.Roast} {
		s := NewShare()
		s.Mapper, s.Tile = mapper, 4
		j := modeltest.Job(t, 1)
		r := modeltest.Run(t, s, j)
		if f := r.Facts.(*ShareFacts); *f != (ShareFacts{Weights: 1480, Array: 148}) || !strings.Contains(modeltest.Said(r), "1480 weights read from an array of 148 numbers") {
			t.Errorf("%s: %+v, %v", mapper, f, r.Notes)
		}
		path := filepath.Join(t.TempDir(), "net.pare")
		if err := onnx.Save(path, r.Graph, onnx.Options{}); err != nil {
			t.Fatal(err)
		}
		g, err := onnx.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if l, _ := sharing.Of(g); l == nil || l.Len != 148 || l.Mapper != mapper {
			t.Errorf("%s: layout %+v", mapper, l)
		}
		for _, p := range r.Graph.Params() {
			if d := apart(p.Const.F32(), g.Value(p.Name).Const.F32()); d != 0 {
				t.Errorf("%s: %s reads back %v apart", mapper, p.Name, d)
			}
		}
	}
}

// A run that is stopped and resumed ends with the same bytes.
func TestShareResume(t *testing.T) {
	for _, optimizer := range []string{"sgd", "adamw"} {
		mk := func() (model.Method, *model.Job) {
			j := modeltest.Job(t, 3)
			if j.Recipe.Optimizer = optimizer; optimizer == "adamw" {
				j.Recipe.LR = .002
			}
			return NewShare(), j
		}
		modeltest.Resumes(t, optimizer, mk, 60, 7, 31)
	}
}

func TestShareBad(t *testing.T) {
	for want, f := range map[string]func(j *model.Job, s *Share){
		"Budget 0: a number in (0,1]":           func(_ *model.Job, s *Share) { s.Budget = 0 },
		"Budget 1.5: a number in (0,1]":         func(_ *model.Job, s *Share) { s.Budget = 1.5 },
		"Budget NaN: a number in (0,1]":         func(_ *model.Job, s *Share) { s.Budget = math.NaN() },
		"not one number":                        func(_ *model.Job, s *Share) { s.Budget = 1e-5 },
		"no prunable":                           func(_ *model.Job, s *Share) { s.Exclude = []string{"*"} },
		"none would be":                         func(_ *model.Job, s *Share) { s.MinSize = 1e6 },
		"MinSize -1: a number of at least 0":    func(_ *model.Job, s *Share) { s.MinSize = -1 },
		`Mapper "nosuch": fold, hashed or ro`:   func(_ *model.Job, s *Share) { s.Mapper = "nosuch" },
		`Scaler "nosuch": v1, v2, v3, v4, v5`:   func(_ *model.Job, s *Share) { s.Scaler = "nosuch" },
		`Begin "nosuch": random or fit`:         func(_ *model.Job, s *Share) { s.Begin = "nosuch" },
		"InitScale 0: a number above 0":         func(_ *model.Job, s *Share) { s.InitScale = 0 },
		"do not fit":                            func(_ *model.Job, s *Share) { s.Mapper, s.Tile = sharing.Roast, 13 },
		"Tile 0: a number of at least 1":        func(_ *model.Job, s *Share) { s.Mapper, s.Tile = sharing.Roast, 0 },
		"must be trained: give Data and Recipe": func(j *model.Job, _ *Share) { j.Recipe.Epochs = 0 },
		"are alike":                             func(j *model.Job, _ *Share) { clear(j.Graph.Params()[0].Const.F32()) },
		"NaN or infinity":                       func(j *model.Job, _ *Share) { j.Graph.Params()[0].Const.F32()[3] = float32(math.NaN()) },
		"bad layer pattern":                     func(_ *model.Job, s *Share) { s.Include = []string{"["} },
	} {
		s := NewShare()
		j := modeltest.Job(t, 1)
		f(j, s)
		before := modeltest.Bits(j.Graph)
		modeltest.Refused(t, s, j, want)
		if !bytes.Equal(before, modeltest.Bits(j.Graph)) {
			t.Errorf("%s: weights were changed", want)
		}
	}
}
