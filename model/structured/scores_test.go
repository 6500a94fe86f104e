package structured

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/prune/score"
	"pare/prune/structure"
	"pare/zoo"
)

// Scores that look at samples let channels go that say nothing, however large their
// weights are: here the first half of a hidden layer is never above zero.
func TestScoresHearChannels(t *testing.T) {
	for _, score := range []string{"activations", "reconstruction", "taylor", "auto"} {
		j := modeltest.Job(t, 0)
		w, b := j.Graph.Value("fc1.weight").Const.F32(), j.Graph.Value("fc1.bias").Const.F32()
		for i := range w[:640] {
			w[i] *= 20
		}
		for i := range b[:10] {
			b[i] = -1e4
		}
		want := append([]float32{}, w[640:]...)
		m := NewChannels()
		m.Score, m.Round = score, 1
		r := modeltest.Run(t, m, j)
		got := r.Graph.Value("fc1.weight").Const
		if got.Shape[0] != 10 {
			t.Fatalf("%s: %v channels stay", score, got.Shape)
		}
		for i, v := range got.F32() {
			if v != want[i] {
				t.Fatalf("%s: a silent channel stays in place of one that is not", score)
			}
		}
	}
}

// Half of the computation goes with what is left solved anew, and less is lost than
// without; labels are not looked at.
func TestSolved(t *testing.T) {
	for _, score := range []string{"norm", "reconstruction"} {
		var missed [2]string
		for i, recover := range []string{"", "solve"} {
			j := modeltest.ConvJob(t, "resnet8")
			j.Recipe.Epochs, j.Recipe.Recover = 0, recover
			m := NewChannels()
			m.Score = score
			r := modeltest.Run(t, m, j)
			missed[i] = modeltest.Said(r)
			if r.Kept == nil {
				t.Fatal("nothing is told of what is kept")
			}
		}
		if strings.Contains(missed[0], "least squares") || !strings.Contains(missed[1], "8 layers were solved by least squares") {
			t.Errorf("%s: said %q, and when solved %q", score, missed[0], missed[1])
		}
	}
}

// By default channels are rated by what goes into layers where there are samples, and by
// norm where there are none; gradients are of the loss where the training is by labels,
// else without them. What was done is said.
func TestScoreSaid(t *testing.T) {
	for _, c := range []struct {
		score  string
		change func(*model.Job)
		want   string
	}{
		{"auto", func(*model.Job) {}, "lose on 64 samples at most (Score reconstruction)"},
		{"auto", func(j *model.Job) { k := *j; j.Samples, _ = k.Calibration(64); j.Data = nil }, "lose on 64 samples at most (Score reconstruction)"},
		{"auto", func(j *model.Job) { j.Data = nil }, "by the norm of their weights"},
		{"taylor", func(*model.Job) {}, "by gradients of the loss on 64 samples with their labels"},
		{"taylor", func(j *model.Job) { j.Recipe.Recover = "solve" }, "by gradients of what the network before is matched by, on 64 samples without labels"},
		{"taylor", func(j *model.Job) { j.Recipe.Recover = "distil" }, "on 64 samples without labels"},
		{"taylor", func(j *model.Job) { j.Recipe.Recover = "solve,train" }, "with their labels"},
		{"taylor", func(j *model.Job) { j.Recipe.Loss = "none" }, "without labels"},
	} {
		j := modeltest.Job(t, 0)
		c.change(j)
		m, said := NewChannels(), ""
		m.Score, m.Samples = c.score, 64
		j.Log = func(format string, a ...any) { said += fmt.Sprintf(format, a...) + "\n" }
		if said += modeltest.Said(modeltest.Run(t, m, j)); !strings.Contains(said, c.want) {
			t.Errorf("said %q, want %q", said, c.want)
		}
	}
}

// What needs samples says so.
func TestScoresNeedData(t *testing.T) {
	for _, score := range []string{"activations", "reconstruction", "taylor"} {
		j := modeltest.Job(t, 0)
		j.Data = nil
		m := NewChannels()
		m.Score = score
		modeltest.Refused(t, m, j, "give Data")
	}
}

// Scores by gradients are for each multiply-accumulate that goes with a channel: of a
// hidden layer, with as many as the layer before it has values, and the layer after.
func TestTaylorPerMAC(t *testing.T) {
	j := modeltest.Job(t, 0)
	g, err := zoo.New("mlp:64-20-30-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	j.Graph = g
	groups, _ := structure.Groups(g)
	m := NewChannels()
	rates, err := (&rating{Channels: m, job: j}).taylor(context.Background(), g, groups)
	if err != nil {
		t.Fatal(err)
	}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	whole := score.NewTaylor(groups, ws)
	if _, _, err := j.EachGradient(context.Background(), whole.Weights, m.Samples, whole.Add); err != nil {
		t.Fatal(err)
	}
	macs := map[int]float64{20: 64 + 30, 30: 20 + 10}
	for k, of := range whole.Rates() {
		per := macs[len(of)]
		delete(macs, len(of))
		for c, x := range of {
			if x == 0 || math.Abs(rates[k][c]*per-x) > 1e-12*x {
				t.Fatalf("group %d, channel %d: %v for each of %v multiply-accumulates, want %v in all", k, c, rates[k][c], per, x)
			}
		}
	}
	if len(macs) != 0 {
		t.Errorf("%d groups are rated", len(groups))
	}
}
