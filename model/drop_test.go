package model_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/prune/structure"
)

// trainedJob is a job on a network that was trained already, and learns little more.
func trainedJob(t *testing.T) *model.Job {
	t.Helper()
	j := modeltest.ConvJob(t, "resnet8")
	j.Data.Val = j.Data.Test
	j.Recipe.Epochs = 4
	if _, err := j.Fit(context.Background(), j.Graph); err != nil {
		t.Fatal(err)
	}
	j.Recipe.LR = 1e-4
	return j
}

// Cuts in steps go on as long as no more is lost, after the training behind each, than is
// asked for: what comes out is the network of the last cut that was good, as it was then.
func TestMaxDropInSteps(t *testing.T) {
	way := channels(model.ChannelTarget{MACs: .05, Round: 1, Least: .05}, 4)
	j := trainedJob(t)
	dense, err := j.Score(context.Background(), j.Graph)
	if err != nil {
		t.Fatal(err)
	}
	free := modeltest.Run(t, way, j).Facts.(*model.ChannelFacts)
	var worse []float64
	for _, s := range free.Steps {
		worse = append(worse, dense.Worse(s.Trained.Value))
	}
	bad := 1 // the first cut that is worse than the one before
	for bad < len(worse) && !(worse[bad] > worse[bad-1]) {
		bad++
	}
	if bad == len(worse) || worse[0] < 0 {
		t.Fatalf("the cuts lose %v: nothing is shown", worse)
	}
	most := max(worse[bad-1], 0)
	mk := func() (model.Method, *model.Job) {
		j := trainedJob(t)
		j.MaxDrop = &most
		return way, j
	}
	r := modeltest.Resumes(t, "channels", mk, 40, 5, 12, 17)
	f := r.Facts.(*model.ChannelFacts)
	if len(f.Steps) != bad+1 || !strings.Contains(modeltest.Said(r), "was taken back") {
		t.Fatalf("%d cuts of which the last is taken back, want %d: they lose %v, at most %v\n%s", len(f.Steps), bad+1, worse, most, modeltest.Said(r))
	}
	if macs := structure.CostOf(r.Graph).MACs; macs != f.Steps[bad-1].MACs {
		t.Errorf("%d multiply-accumulates stay, and those of the cut before were %d", macs, f.Steps[bad-1].MACs)
	}
	if s, err := j.Score(context.Background(), r.Graph); err != nil || s != *f.Steps[bad-1].Trained {
		t.Errorf("the network comes to %+v, %v; after the training of its cut it was %+v", s, err, *f.Steps[bad-1].Trained)
	}
	for _, v := range j.Graph.Params() {
		if got, w := r.Kept.Take(v.Name, v.Const), r.Graph.Value(v.Name); !slices.Equal(got.Shape, w.Const.Shape) {
			t.Errorf("%s is kept as %v, and is %v", v.Name, got.Shape, w.Const.Shape)
		}
	}
	all := 100.0
	j.MaxDrop = &all
	if r := modeltest.Run(t, way, j); len(r.Facts.(*model.ChannelFacts).Steps) != 4 || strings.Contains(modeltest.Said(r), "taken back") {
		t.Error("what may lose everything does not go the whole way")
	}
}

// What cannot be judged is refused before the work.
func TestMaxDropRefused(t *testing.T) {
	less, some := -1.0, .5
	for want, x := range map[string]struct {
		steps int
		most  *float64
		val   bool
	}{"MaxDrop -1": {2, &less, true}, "give several Steps": {1, &some, true}, "val=0.1": {2, &some, false}} {
		j := modeltest.ConvJob(t, "resnet8")
		j.Recipe.Epochs, j.MaxDrop = 2, x.most
		if x.val {
			j.Data.Val = j.Data.Test
		}
		j.OnStep = func(int, int, float64) { t.Fatalf("%s: a step was made", want) }
		modeltest.Refused(t, channels(model.ChannelTarget{MACs: .5}, x.steps), j, want)
	}
}
