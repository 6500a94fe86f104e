package model_test

import (
	"context"
	"strings"
	"testing"

	"pare/dataset"
	"pare/model"
	"pare/model/atinit"
	"pare/model/gradual"
	"pare/zoo"
)

// Methods for sparse starts say that they mask trained weights: of a network that was
// trained, not of one that was just drawn, and not where weights are drawn anew or the
// start is dense.
func TestTrainedStart(t *testing.T) {
	const said = "taken for trained"
	tr, _ := dataset.Glyph(1, .3, 100, 10, 1)
	fresh := func(m model.Method) model.Method {
		switch m := m.(type) {
		case *gradual.GraNet:
			m.Fresh.Fresh = true
		case *gradual.RigL:
			m.Fresh.Fresh = true
		case *gradual.SET:
			m.Fresh.Fresh = true
		case *atinit.Random:
			m.Fresh.Fresh = true
		case *atinit.SNIP:
			m.Fresh.Fresh = true
		case *atinit.GraSP:
			m.Fresh.Fresh = true
		case *atinit.SynFlow:
			m.Fresh.Fresh = true
		}
		return m
	}
	granet := func(initial float64) model.Method {
		m := gradual.NewGraNet()
		m.Every, m.Initial = 1, initial
		return m
	}
	for name, make := range map[string]func() model.Method{
		"granet": func() model.Method { return granet(.5) },
		"rigl":   func() model.Method { m := gradual.NewRigL(); m.Every = 1; return m }, "set": func() model.Method { return gradual.NewSET() },
		"random": func() model.Method { return atinit.NewRandom() }, "snip": func() model.Method { return atinit.NewSNIP() },
		"grasp": func() model.Method { return atinit.NewGraSP() }, "synflow": func() model.Method { return atinit.NewSynFlow() },
	} {
		g, err := zoo.New("mlp:64-8-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		j := func() *model.Job {
			return &model.Job{Graph: g, Data: &dataset.Data{Train: tr, Norm: dataset.Raw}, Recipe: model.Recipe{Epochs: 4, Batch: 10, LR: .01, Schedule: "constant", Optimizer: "sgd"}}
		}
		for _, c := range []struct {
			what  string
			m     model.Method
			notes bool
		}{{"drawn", make(), false}, {"trained", make(), true}, {"drawn anew", fresh(make()), false}} {
			res, err := model.Run(context.Background(), c.m, j())
			if err != nil {
				t.Fatalf("%s, %s: %v", name, c.what, err)
			}
			n := 0
			for _, x := range res.Notes {
				if strings.Contains(string(x), said) {
					n++
				}
			}
			if (n == 1) != c.notes || n > 1 {
				t.Errorf("%s, %s: %d notes of %q", name, c.what, n, res.Notes)
			}
		}
	}
	g, err := zoo.New("mlp:64-8-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	g.Usage.Drawn = false
	res, err := model.Run(context.Background(), granet(0), &model.Job{Graph: g, Data: &dataset.Data{Train: tr, Norm: dataset.Raw}, Recipe: model.Recipe{Epochs: 4, Batch: 10, LR: .01, Schedule: "constant", Optimizer: "sgd"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range res.Notes {
		if strings.Contains(string(x), said) {
			t.Errorf("from dense: %s", x)
		}
	}
}
