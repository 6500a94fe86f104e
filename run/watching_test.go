package run

import (
	"path/filepath"
	"testing"

	"pare/graph"
	"pare/train"
)

// What a step and an epoch of a training of 7,500 weights cost beside it.
func BenchmarkWatch(b *testing.B) {
	m, err := OpenMetrics(filepath.Join(b.TempDir(), MetricsFile))
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	w := m.Watcher("", true)("state")[0]
	v := &graph.Value{Shape: graph.Shape{graph.N(75), graph.N(100)}}
	r := &train.Run{Config: &train.Config{}, Total: 45000, Rate: func(int) float64 { return .1 }, Params: []*train.Param{{Value: v, W: make([]float32, 7500)}}}
	if err := w.Start(r); err != nil {
		b.Fatal(err)
	}
	b.Run("step", func(b *testing.B) {
		for b.Loop() {
			r.Step++
			w.AfterStep(r) //nolint:errcheck // it returns none
		}
	})
	b.Run("epoch", func(b *testing.B) {
		for b.Loop() {
			w.AfterEpoch(r, train.Epoch{Step: r.Step, Score: train.Score{Metric: "accuracy"}}) //nolint:errcheck // it returns none
		}
	})
}
