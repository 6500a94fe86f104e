package continual

import (
	"context"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/randnet"
	"pare/tensor"
)

// clipwise converts a random network along an axis of its first input and runs a stream
// that is as long as a clip: what comes out must be what the network gives for the clip.
// It says whether the network has a form on a stream.
func clipwise(t *testing.T, g *graph.Graph, batch, axis int, recompute bool) bool {
	t.Helper()
	o := Options{Axes: map[string]int{}, Recompute: recompute}
	feed := map[string]*tensor.Tensor{}
	c, _ := g.Clone(true)
	if op.Bind(c, map[string]int{"N": batch}) != nil {
		return false
	}
	for i, v := range c.Inputs {
		size, _ := v.Shape.Ints()
		if v.DType != tensor.Float32 {
			return false
		}
		o.Axes[v.Name] = axis
		feed[v.Name] = random(uint64(i), size...)
	}
	s, err := Convert(c, o)
	if err != nil {
		return false
	}
	for _, n := range s.Notes {
		if strings.Contains(string(n), "drops frames at the end") {
			return true
		}
	}
	want, err := op.Run(c, feed)
	if err != nil {
		return false
	}
	r, err := NewStream(s, 1, engine.Options{Threads: 1})
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, c, s.Graph)
	}
	defer r.Close()
	rec, err := r.Run(context.Background(), feed, true)
	if err != nil {
		t.Fatalf("%v\n%s", err, c)
	}
	for _, p := range s.Out {
		w := want[p.Name]
		if p.Valid == "" || w.DType != tensor.Float32 || w.Finite() >= 0 {
			continue
		}
		got := rec.Out[p.Name]
		if one := min(1, len(w.Shape)); got != nil && p.Axis < 0 && got.Shape[one] > 1 { // an early frame of windows that are not over
			got = cut(t, got, one, 0, 1)
		}
		if got != nil && p.Axis >= 0 && got.Shape[p.Axis] > w.Shape[p.Axis] { // slices drop the end of a clip
			got = cut(t, got, p.Axis, 0, w.Shape[p.Axis])
		}
		if got == nil || difference(got, w) > 1e-4 {
			d := -1.
			if got != nil {
				d = difference(got, w)
			}
			t.Errorf("axis %d, output %q differs by %v (recompute: %v)\n%s\n%s", axis, p.Name, d, recompute, c, s.Graph)
			return true
		}
	}
	return true
}

// Random networks are refused, or computed as they are for a clip.
func TestRandom(t *testing.T) {
	streams, all := 0, 0
	for seed := range uint64(120) {
		n := randnet.New(randnet.Seed(seed, 10+int(seed)%60), randnet.Options{})
		if n == nil {
			continue
		}
		for axis := range len(n.Graph.Inputs[0].Shape) {
			for _, recompute := range []bool{false, true} {
				all++
				if clipwise(t, n.Graph, n.Batch, axis, recompute) {
					streams++
				}
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		}
	}
	if streams < all/4 {
		t.Errorf("%d of %d networks have a form on a stream", streams, all)
	}
}
