package structured

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/graph"
	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/measure"
	"pare/model"
	"pare/tensor"
)

// inverseOf is (H + damp mean diag H)⁻¹ of what goes into a layer, by Gauss and Jordan.
func inverseOf(x [][]float64, damp float64) [][]float64 {
	n := len(x[0])
	h := make([][]float64, n)
	trace := 0.0
	for a := range h {
		h[a] = make([]float64, 2*n)
		h[a][n+a] = 1
		for b := range n {
			for _, v := range x {
				h[a][b] += v[a] * v[b]
			}
		}
		trace += h[a][a] / float64(n)
	}
	for a := range h {
		h[a][a] += damp * trace
	}
	for i := range h {
		d := h[i][i]
		for k := range h[i] {
			h[i][k] /= d
		}
		for r := range h {
			if f := h[r][i]; r != i {
				for k := range h[r] {
					h[r][k] -= f * h[i][k]
				}
			}
		}
	}
	for a := range h {
		h[a] = h[a][n:]
	}
	return h
}

// pay are what removing columns one by one costs the layers behind the groups.
func pay(n *oracle.Net, x [][]float64, damp float64) (out [][]float64) {
	in, _ := n.Forward(x)
	for l := 1; l < 3; l++ {
		layer := n.Layers[l]
		inv := inverseOf(in[l], damp)
		cost := make([]float64, layer.In)
		for i, w := range layer.W.X {
			cost[i%layer.In] += w * w / inv[i%layer.In][i%layer.In]
		}
		out = append(out, relative(cost))
	}
	return out
}

// reconstructedBy removes the columns of layers one after the other, layer after layer.
func reconstructedBy(n *oracle.Net, x [][]float64, damp float64, kept [][]bool) {
	for l := 1; l < 3; l++ {
		in, _ := n.Forward(x)
		layer := n.Layers[l]
		inv := inverseOf(in[l], damp)
		for m, stays := range kept[l-1] {
			if stays {
				continue
			}
			d, row := inv[m][m], slices.Clone(inv[m])
			for o := range layer.Out {
				f := layer.W.X[o*layer.In+m] / d
				for k := range layer.In {
					layer.W.X[o*layer.In+k] -= f * row[k]
				}
				layer.W.X[o*layer.In+m] = 0
			}
			for a := range inv {
				for b := range inv {
					inv[a][b] -= row[a] * row[b] / d
				}
			}
		}
	}
}

// What OBSPA leaves is the plain computation: scores of the dense network, layers in order
// with columns removed one after the other, then the cut; on samples, on noise, with and
// without moving weights; and trained on where a recipe asks for it.
func TestOBSPAOracle(t *testing.T) {
	for name, f := range map[string]func(s *OBSPA, j *model.Job){
		"data":         func(*OBSPA, *model.Job) {},
		"few, damped":  func(s *OBSPA, _ *model.Job) { s.Samples, s.Damp = 70, .5 },
		"uniform":      func(s *OBSPA, _ *model.Job) { s.Calibrate = "uniform" },
		"normal":       func(s *OBSPA, _ *model.Job) { s.Calibrate = "normal" },
		"without data": func(_ *OBSPA, j *model.Job) { j.Data = nil },
		"not moved":    func(s *OBSPA, _ *model.Job) { s.Move = "none" },
		"trained":      func(_ *OBSPA, j *model.Job) { j.Recipe.Epochs = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			j := oracle.Job(t, sizes, 200, 20, 0, 6)
			s := NewOBSPA()
			s.Round = 1
			f(s, j)
			noise := s.Calibrate
			if j.Data == nil {
				noise = "normal"
			}
			var x [][]float64
			if noise == "auto" {
				x = oracle.NewStream(t, j.Data.Train.Draw(s.Samples, j.Seed), j.Data.Norm, min(200, s.Samples), false, 0).Batch(0, 0).X
				if s.Samples == 70 {
					x = x[:70/35*35] // two batches of 35
				}
			} else {
				batches, err := j.Noise(noise, s.Samples)
				if err != nil {
					t.Fatal(err)
				}
				if err := batches(func(in map[string]*tensor.Tensor) error {
					for v := oracle.Wide(in[j.Graph.Inputs[0].Name].F32()); len(v) > 0; v = v[10:] {
						x = append(x, v[:10])
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			n := oracle.Read(t, j.Graph)
			kept := ranked(t, pay(n, x, s.Damp), .1, [2]int{1, 1})
			if s.Move == "obs" {
				reconstructedBy(n, x, s.Damp, kept)
			}
			cut(n, kept)
			var losses []float64
			if j.Recipe.Epochs > 0 {
				tr := oracle.NewTraining(t, j)
				tr.Net = n
				for _, f := range tr.Run().Frames {
					losses = append(losses, f.Loss)
				}
			}
			j.OnStep = func(step, _ int, loss float64) {
				if math.Abs(loss-losses[step-1]) > 1e-4 {
					t.Errorf("loss %v at step %d, want %v", loss, step, losses[step-1])
				}
			}
			res, err := model.Run(t.Context(), s, j)
			if err != nil {
				t.Fatal(err)
			}
			want := n.Frame(0).Values
			for _, p := range res.Graph.Params() {
				if len(p.Const.F32()) != len(want[p.Name]) {
					t.Fatalf("%s is %v, want %d entries", p.Name, p.Const.Shape, len(want[p.Name]))
				}
				for i, v := range p.Const.F32() {
					if w := want[p.Name][i]; math.Abs(float64(v)-w) > 2e-5*(1+math.Abs(w)) {
						t.Fatalf("%s[%d] is %v, want %v", p.Name, i, v, w)
					}
				}
			}
			if said := modeltest.Said(res); (s.Move == "obs") != strings.Contains(said, "2 layers were reconstructed") || (noise == "auto") == strings.Contains(said, "without data") {
				t.Errorf("said %q", said)
			}
		})
	}
}

// Statistics of batch normalisation are those of the cut network on the samples that it was
// cut by; noise leaves them. Zeroing what went, in the network as it was reconstructed, is
// cutting it.
func TestOBSPAStatistics(t *testing.T) {
	for _, how := range []string{"data", "uniform", "glyph?n=160&test=10", "keep"} {
		j := modeltest.ConvJob(t, "resnet8")
		j.Recipe.Epochs = 0
		was, _ := j.Graph.Clone(true)
		s := NewOBSPA()
		if s.Samples = 150; how == "keep" {
			s.Statistics = how
		} else {
			s.Calibrate = how
		}
		r := modeltest.Run(t, s, j)
		again, _ := r.Graph.Clone(true)
		set := j.Data.Train
		if strings.HasPrefix(how, "glyph") {
			d, err := dataset.Open(how)
			if err != nil {
				t.Fatal(err)
			}
			set = d.Train
		}
		k := *j
		k.Data = &dataset.Data{Train: set.Draw(150, j.Seed), Norm: j.Data.Norm}
		if err := k.Recalibrate(context.Background(), again, 128); err != nil {
			t.Fatal(err)
		}
		moved := 0
		for _, v := range r.Graph.Consts() {
			if v.Role != graph.Stat {
				continue
			}
			want := again.Value(v.Name).Const.F32()
			if how == "uniform" || how == "keep" {
				want = r.Kept.Take(v.Name, was.Value(v.Name).Const).F32()
			}
			for i, x := range v.Const.F32() {
				if math.Abs(float64(x-want[i])) > 1e-5*(1+math.Abs(float64(x))) {
					t.Fatalf("%s: %s[%d] is %v, want %v", how, v.Name, i, x, want[i])
				}
				if x != was.Value(v.Name).Const.F32()[min(i, was.Value(v.Name).Const.Len()-1)] {
					moved++
				}
			}
		}
		if moved == 0 && how != "uniform" && how != "keep" {
			t.Errorf("%s: statistics stay", how)
		}
		a, _ := measure.Count(was)
		b, _ := measure.Count(r.Graph)
		if share := float64(b.MACs) / float64(a.MACs); share > .5 || share < .35 {
			t.Errorf("%s: %.3f of the computation is left", how, share)
		}
	}
}

// Without data, a network with batch normalisation is cut by matched noise, in equal shares,
// and its statistics stay; that is what asking for it comes to. Where noise stands for data
// in another way all groups are ranked together.
func TestOBSPAMatched(t *testing.T) {
	run := func(f func(s *OBSPA, j *model.Job)) (*model.Result, *graph.Graph) {
		t.Helper()
		j := modeltest.ConvJob(t, "resnet8")
		j.Recipe.Epochs, j.Data = 0, nil
		was, _ := j.Graph.Clone(true)
		s := NewOBSPA()
		s.Samples, s.Round = 8, 1
		f(s, j)
		return modeltest.Run(t, s, j), was
	}
	r, was := run(func(*OBSPA, *model.Job) {})
	said := modeltest.Said(r)
	if !strings.Contains(said, "8 samples of noise, without data, which were moved until the statistics of") || !strings.Contains(said, "the same share of every group of channels goes") {
		t.Error(said)
	}
	for _, v := range r.Graph.Consts() {
		if want := was.Value(v.Name); v.Role == graph.Stat && !slices.Equal(v.Const.F32(), r.Kept.Take(v.Name, want.Const).F32()) {
			t.Errorf("%s moved", v.Name)
		}
	}
	same := func(f func(s *OBSPA, j *model.Job)) bool {
		o, _ := run(f)
		return bytes.Equal(modeltest.Bits(o.Graph), modeltest.Bits(r.Graph))
	}
	for name, f := range map[string]func(s *OBSPA, j *model.Job){
		"asked for":    func(s *OBSPA, _ *model.Job) { s.Calibrate = "matched" },
		"even":         func(s *OBSPA, _ *model.Job) { s.Even = true },
		"even, shares": func(s *OBSPA, _ *model.Job) { s.Shares = "even" },
	} {
		if !same(f) {
			t.Errorf("%s: another network", name)
		}
	}
	for name, f := range map[string]func(s *OBSPA, j *model.Job){
		"ranked":    func(s *OBSPA, _ *model.Job) { s.Shares = "ranked" },
		"normal":    func(s *OBSPA, _ *model.Job) { s.Calibrate = "normal" },
		"its seed":  func(_ *OBSPA, j *model.Job) { j.Seed++ },
		"not moved": func(s *OBSPA, _ *model.Job) { s.Move = "none" },
	} {
		if same(f) {
			t.Errorf("%s: the same network", name)
		}
	}
	n, _ := run(func(s *OBSPA, _ *model.Job) { s.Calibrate = "normal" })
	e, _ := run(func(s *OBSPA, _ *model.Job) { s.Calibrate, s.Shares = "normal", "ranked" })
	if !bytes.Equal(modeltest.Bits(n.Graph), modeltest.Bits(e.Graph)) {
		t.Error("other noise is not ranked")
	}
}

// Outputs on samples of which none was looked at move less where the weights that are left
// move too.
func TestOBSPAMovesTowards(t *testing.T) {
	var off [2]float64
	for i, move := range []string{"obs", "none"} {
		j := oracle.Job(t, sizes, 400, 20, 0, 6)
		all := j.Data.Train
		j.Data.Train = all.First(200)
		x := oracle.NewStream(t, all, j.Data.Norm, 400, false, 0).Batch(0, 0).X[200:]
		_, want := oracle.Read(t, j.Graph).Forward(x)
		s := NewOBSPA()
		s.Move = move
		_, got := oracle.Read(t, modeltest.Run(t, s, j).Graph).Forward(x)
		for n, y := range got {
			for o := range y {
				off[i] += (y[o] - want[n][o]) * (y[o] - want[n][o])
			}
		}
	}
	if !(off[0] < .9*off[1]) {
		t.Errorf("outputs move by %v where weights move, by %v where they stay", off[0], off[1])
	}
}

// Samples that do not fit, noise that an input does not take, and targets that no cut meets
// are refused, with the way on.
func TestOBSPABadInput(t *testing.T) {
	for _, c := range []struct {
		f    func(s *OBSPA, j *model.Job)
		want string
	}{
		{func(s *OBSPA, j *model.Job) { s.Calibrate, j.Data = "data", nil }, "give Data, or Calibrate normal"},
		{func(s *OBSPA, j *model.Job) { s.Calibrate = "nosuch" }, "Calibrate nosuch"},
		{func(s *OBSPA, j *model.Job) { s.Calibrate = "matched" }, "Calibrate matched: there is no batch normalisation with statistics of its own to match; Calibrate normal"},
		{func(s *OBSPA, j *model.Job) { s.Calibrate = "digits" }, "Calibrate digits does not fit the network"},
		{func(s *OBSPA, j *model.Job) { j.Graph, j.Data = idle(), nil }, "no channels can be cut from this network"},
		{func(s *OBSPA, j *model.Job) { s.MACs = 1e-6 }, "no cut of channels reaches the target"},
		{func(s *OBSPA, j *model.Job) { s.Samples = 0 }, "Samples 0"},
		{func(s *OBSPA, j *model.Job) { s.Damp = 0 }, "Damp 0"},
		{func(s *OBSPA, j *model.Job) { s.Exclude = []string{"*"} }, "weights that are to stay whole"},
	} {
		s, j := NewOBSPA(), oracle.Job(t, sizes, 200, 20, 0, 4)
		c.f(s, j)
		modeltest.Refused(t, s, j, c.want)
	}
}
