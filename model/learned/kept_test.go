package learned

import (
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/prune/structure"
)

// The masks of a search are those of its best epoch on what is held out: the same as of
// a search that ends there.
func TestJackpotBestEpoch(t *testing.T) {
	search := func(epochs int) *model.Result {
		j := modeltest.Job(t, epochs)
		j.Data.Val = j.Data.Test
		s := NewJackpot()
		s.Sparsity, s.Restrict, s.ScoreLR, s.ScoreSchedule = .5, 0, 30, "constant"
		return modeltest.Run(t, s, j)
	}
	long := search(8)
	best := 0
	for i, e := range long.Epochs {
		if e.Score.Beats(long.Epochs[best].Score.Value) {
			best = i
		}
	}
	if best == len(long.Epochs)-1 {
		t.Fatalf("the last epoch is the best: %+v", long.Epochs)
	}
	if short := search(best + 1); short.Masks.Hash() != long.Masks.Hash() {
		t.Errorf("the masks are not those of epoch %d", best+1)
	}
}

// A filter that is cut gives zeros: nothing is added behind it, and its channel goes.
func TestFiltersAreSilent(t *testing.T) {
	j := modeltest.ConvJob(t, "resnet8")
	s := NewBiP()
	s.Mode, s.Sparsity = "filter", .5
	shapes := map[string]int{}
	for _, p := range j.Graph.Params() {
		shapes[p.Name] = p.Const.Shape[0]
	}
	for _, n := range j.Graph.Nodes {
		if n.Is("BatchNormalization") { // shifts that a ReLU lets through
			for i := range n.In(2).Const.F32() {
				n.In(2).Const.F32()[i] = .1
			}
		}
	}
	r := modeltest.Run(t, s, j)
	f := r.Facts.(*BiPFacts)
	smaller := 0
	for _, p := range r.Graph.Params() {
		if len(p.Const.Shape) == 4 && p.Const.Shape[0] < shapes[p.Name] {
			smaller++
		}
	}
	if f.Removed < f.Channels/4 || smaller < 3 {
		t.Errorf("%d of %d channels are removed, %d convolutions are smaller", f.Removed, f.Channels, smaller)
	}
	groups, _ := structure.Groups(r.Graph)
	for i, m := range structure.Silent(r.Graph, groups) {
		if n := len(groups[i].Channels); m.Count() < n {
			t.Errorf("%s: %d of %d channels that are left are silent", groups[i].Name, n-m.Count(), n)
		}
	}
}
