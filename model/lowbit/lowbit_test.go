package lowbit

import (
	"context"
	"strings"
	"testing"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/model"
	"pare/tensor"
	"pare/zoo"
)

// job trains a small network on the digits, a little.
func job(t *testing.T, epochs int) *model.Job {
	t.Helper()
	d, err := dataset.Options{}.Open("digits?n=800")
	if err != nil {
		t.Fatal(err)
	}
	in := d.Train.X().Shape
	g, err := zoo.New("mlp:64-32-24-10", zoo.Options{Seed: 1, In: in, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	j := &model.Job{Graph: g, Data: d, Recipe: model.Defaults(), Seed: 1}
	j.Recipe.Epochs, j.Recipe.Batch, j.Recipe.LR = 3, 32, .1
	if _, err := j.Train(context.Background()); err != nil {
		t.Fatal(err)
	}
	j.Recipe.Epochs, j.Recipe.LR = epochs, .01
	return j
}

func score(t *testing.T, j *model.Job, g *graph.Graph) float64 {
	t.Helper()
	s, err := j.Score(context.Background(), g)
	if err != nil {
		t.Fatal(err)
	}
	return s.Value
}

// Every mode gives a network about as good, whose weights are integers.
func TestModes(t *testing.T) {
	for _, c := range []struct {
		set  func(s *Settings)
		drop float64
	}{
		{func(*Settings) {}, .02},
		{func(s *Settings) { s.Ranges, s.Activations, s.Equalise = "mse", "int8", true }, .02},
		{func(s *Settings) { s.Mode = "dynamic" }, .02},
		{func(s *Settings) { s.Mode, s.Bits, s.Group = "weights", 4, 16 }, .05},
	} {
		j, s := job(t, 0), Defaults()
		c.set(s)
		before := score(t, j, j.Graph)
		res, err := s.Run(context.Background(), j)
		if err != nil {
			t.Fatal(err)
		}
		f := res.Facts.(*Facts)
		if len(f.Layers) != 3 || len(f.Left) != 0 || s.static() != (f.Corrected == 32+24+10) {
			t.Errorf("%s: %+v", s.Mode, f)
		}
		if after := score(t, j, res.Graph); after < before-c.drop {
			t.Errorf("%s: %v, and %v in float", s.Mode, after, before)
		}
		for _, v := range res.Graph.Consts() {
			if len(v.Const.Shape) > 1 && v.DType == tensor.Float32 && v.Const.Len() > 100 {
				t.Errorf("%s: %q is in float", s.Mode, v.Name)
			}
		}
	}
}

// Training with rounding makes the network better that rounding has hurt, and leaves zeros
// zero.
func TestQAT(t *testing.T) {
	j, s := job(t, 3), Defaults()
	w := j.Graph.Params()[0].Const.F32()
	for i := range w {
		if i%2 == 0 {
			w[i] = 0
		}
	}
	name := j.Graph.Params()[0].Name
	s.QAT, s.Ranges = true, "percentile:60" // far too tight, until the ranges are learned
	plain := *s
	plain.QAT, plain.Correct = false, false
	k := *j
	k.Graph, _ = j.Graph.Clone(true)
	k.Recipe.Epochs = 0
	hurt, err := plain.Run(context.Background(), &k)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Run(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Epochs) != 3 {
		t.Errorf("%d epochs", len(res.Epochs))
	}
	a, b := score(t, j, hurt.Graph), score(t, j, res.Graph)
	if b < a+.02 {
		t.Errorf("%v with training, %v without", b, a)
	}
	tight, wide := hurt.Facts.(*Facts).Layers[1].Input.Step, res.Facts.(*Facts).Layers[1].Input.Step
	if tight == wide {
		t.Errorf("the step %v was not learned", tight)
	}
	for i, v := range tensor.Of[int8](res.Graph.Value(name).Const) {
		if i%2 == 0 && v != 0 {
			t.Fatalf("entry %d was zero and is %d", i, v)
		}
	}
}

// Layers are left in float until the budget holds: none where there is room, some where
// there is little.
func TestBudget(t *testing.T) {
	for _, most := range []float64{100, .4} {
		j, s := job(t, 0), Defaults()
		s.Ranges, s.Correct = "percentile:65", false
		j.MaxDrop = &most
		before := score(t, j, j.Graph)
		res, err := s.Run(context.Background(), j)
		if err != nil {
			t.Fatal(err)
		}
		d := res.Facts.(*Facts).Drop
		if got := 100 * (before - score(t, j, res.Graph)); got > most {
			t.Errorf("%v points are lost, and %v may be", got, most)
		}
		if most == 100 && len(d.Float) != 0 || most < 1 && (len(d.Float) == 0 || len(d.Ranked) != 3 || len(res.Facts.(*Facts).Left) != len(d.Float)) {
			t.Errorf("budget %v: %+v", most, d)
		}
	}
}

func TestRefused(t *testing.T) {
	for want, set := range map[string]func(s *Settings, j *model.Job){
		"{Ranges}":          func(s *Settings, _ *model.Job) { s.Ranges = "widest" },
		"{Group}":           func(s *Settings, _ *model.Job) { s.Mode, s.Group = "weights", 24 },
		"Mode":              func(s *Settings, _ *model.Job) { s.Mode = "half" },
		"{QAT}":             func(s *Settings, j *model.Job) { s.Mode, s.QAT = "dynamic", true },
		"give {Data}":       func(_ *Settings, j *model.Job) { j.Data = nil },
		"has 10 samples":    func(_ *Settings, j *model.Job) { d := *j.Data; d.Train = d.Train.First(10); j.Data = &d },
		"matches no weight": func(s *Settings, _ *model.Job) { s.Exclude = []string{"nobody"} },
	} {
		j, s := job(t, 0), Defaults()
		set(s, j)
		_, err := s.Run(context.Background(), j)
		if err == nil || !strings.Contains(err.Error(), strings.Trim(want, "{}")) && !strings.Contains(err.Error(), strings.ReplaceAll(strings.ReplaceAll(want, "{", ""), "}", "")) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A budget that nothing meets is refused by the names of the fields.
func TestNoBudget(t *testing.T) {
	j, s := job(t, 0), Defaults()
	s.Mode, s.Bits, s.Group = "weights", 4, 256
	j.MaxDrop = new(float64)
	*j.MaxDrop = -1 // better than in float
	_, err := s.Run(context.Background(), j)
	if err == nil || catalog.Rename(err, func(f string) string { return "<" + f + ">" }) != "no layer can become integers within the budget: allow a larger <MaxDrop>, or train with rounding (<QAT>)" {
		t.Error(err)
	}
}
