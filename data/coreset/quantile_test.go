package coreset

import (
	"context"
	"slices"
	"strings"
	"testing"

	"pare/data"
	"pare/dataset"
)

// Each part is what sorting and slicing gives, whichever end is hard.
func TestQuantile(t *testing.T) {
	const n = 23
	s := dataset.New("training", &dataset.Field{Name: "x", Shape: []int{1}, Floats: make([]float32, n)})
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(i * 5 % 12)
	}
	type scored struct {
		v float64
		i int32
	}
	var all []scored
	for i, v := range x {
		all = append(all, scored{v, int32(i)})
	}
	slices.SortStableFunc(all, func(a, b scored) int { return int(a.v - b.v) })
	for _, hard := range []data.End{data.Low, data.High} {
		score := data.NewScore(s, hard, x)
		score.Name = "x"
		for part, from := range map[string]int{"low": 0, "middle": 8, "high": 16} {
			m := NewQuantile()
			m.Keep, m.Part = .32, part // 7 of 23
			res, err := data.Run(context.Background(), m, &data.Job{Set: s, Score: score})
			if err != nil {
				t.Fatal(err)
			}
			var want []int32
			for _, a := range all[from : from+7] {
				want = append(want, a.i)
			}
			slices.Sort(want)
			if f := res.Facts.(*QuantileFacts); !slices.Equal(res.Subset.Numbers, want) || f.Least != all[from].v || f.Most != all[from+6].v {
				t.Errorf("%s: %v %+v, not %v", part, res.Subset.Numbers, f, want)
			}
		}
	}
	if m := NewQuantile(); m.Keep != .5 || m.Part != "middle" {
		t.Errorf("%+v", m)
	}
	if _, err := data.Run(context.Background(), NewQuantile(), &data.Job{Set: s}); err == nil || !strings.Contains(err.Error(), "Score") {
		t.Errorf("no score: %v", err)
	}
}
