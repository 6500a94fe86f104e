package model_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"pare/graph"
	"pare/internal/modeltest"
	"pare/model"
	"pare/model/gradual"
	"pare/model/oneshot"
	"pare/model/structured"
	"pare/prune"
)

// The strongest good cut is found, and the weakest; it is left in the settings.
func TestSeek(t *testing.T) {
	zeros := func(g *graph.Graph) float64 {
		ws, err := prune.Weights(g, prune.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, w := range ws {
			for _, x := range w.Data() {
				if x == 0 {
					n++
				}
			}
		}
		return float64(n) / float64(prune.Total(ws))
	}
	ctx, j := context.Background(), modeltest.Job(t, 0)
	before := modeltest.Bits(j.Graph)
	m := &oneshot.GlobalMP{}
	for _, w := range []model.Goal{
		{Good: func(g *graph.Graph) (bool, error) { return zeros(g) <= .7, nil }},
		{Good: func(g *graph.Graph) (bool, error) { return zeros(g) >= .7, nil }, Weakest: true},
	} {
		found, err := model.Seek(ctx, m, j, w)
		if err != nil {
			t.Fatal(err)
		}
		if s := m.Sparsity; math.Abs(s-.7) > .005 || (s > .7) != w.Weakest {
			t.Errorf("weakest %v: sparsity %v", w.Weakest, s)
		}
		if found.Name != "sparsity" {
			t.Errorf("found %+v", found)
		}
	}
	if string(before) != string(modeltest.Bits(j.Graph)) {
		t.Error("the job's network was cut")
	}
	never := model.Goal{Good: func(*graph.Graph) (bool, error) { return false, nil }}
	if _, err := model.Seek(ctx, m, j, never); err == nil {
		t.Error("an impossible wish was granted")
	}
	never.Weakest = true // cuts too strong to be made grant nothing
	if at, err := model.Seek(ctx, structured.NewChannels(), modeltest.Job(t, 0), never); err == nil {
		t.Error("an impossible wish was granted:", at)
	}
	if _, err := model.Seek(ctx, gradual.NewGMP(), modeltest.Job(t, 1), never); err == nil || !strings.Contains(err.Error(), "before training") {
		t.Errorf("a method that trains was sought: %v", err)
	}
}
