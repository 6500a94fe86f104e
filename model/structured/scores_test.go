package structured

import (
	"fmt"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
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
