package train

import (
	"context"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/train/metric"
	"pare/zoo"
)

// A metric that cannot judge is refused before anything is, with those that can.
func TestMetricsFit(t *testing.T) {
	floats := make([]float32, 30)
	for i := range floats {
		floats[i] = float32(i) / 4
	}
	set := dataset.New("training", &dataset.Field{Name: "x", Shape: []int{3}, Floats: floats}, &dataset.Field{Name: "target", Shape: []int{1}, Floats: floats[:10]})
	g, err := zoo.New("regressor-8-1", zoo.Options{In: []int{3}, Classes: 1, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"accuracy":   "is no whole number; metrics that fit this network and these samples: mae, mse, rmse",
		"ap":         "takes an output (confidence)",
		"iou":        "metrics that fit",
		"perplexity": "metrics that fit",
		"rmse":       "",
	} {
		uses, err := metric.Parse(text + "(" + g.Outputs[0].Name + ",target)")
		if err != nil {
			t.Fatal(err)
		}
		e := NewEval(set, dataset.Raw, 4, engine.Options{Threads: 1})
		e.Metrics = uses
		if err := e.Fits(context.Background(), g, true); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", text, err, want)
		}
	}
}

// A metric that the samples leave undefined is refused before work, whatever its first
// samples are; with others it is measured.
func TestMetricsHaveWhatTheyNeed(t *testing.T) {
	g, err := zoo.New("regressor-8-1", zoo.Options{In: []int{3}, Classes: 1, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		metric, want string
		target       func(i int) float32
	}{
		{"r2", "nothing varies that could be explained; metrics that fit this network and these samples: mae", func(int) float32 { return .5 }},
		{"r2", "", func(i int) float32 { return float32(i / 39) }},
		{"auroc", "the labels are all of one kind", func(int) float32 { return 1 }},
		{"auroc", "", func(i int) float32 { return float32(i / 20) }},
	} {
		x, y := make([]float32, 120), make([]float32, 40)
		for i := range x {
			x[i] = float32(i%7) / 4
		}
		for i := range y {
			y[i] = c.target(i)
		}
		set := dataset.New("training", &dataset.Field{Name: "x", Shape: []int{3}, Floats: x}, &dataset.Field{Name: "target", Shape: []int{1}, Floats: y})
		uses, err := metric.Parse(c.metric + "(" + g.Outputs[0].Name + ",target)")
		if err != nil {
			t.Fatal(err)
		}
		e := NewEval(set, dataset.Raw, 4, engine.Options{Threads: 1})
		e.Metrics = uses
		if err := e.Fits(context.Background(), g, true); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something with %q", c.metric, err, c.want)
		}
		if err := e.Fits(context.Background(), g, false); err != nil {
			t.Errorf("%s of the first samples: %v", c.metric, err)
		}
	}
}
