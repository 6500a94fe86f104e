package coreset

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"pare/data"
	"pare/train"
)

// piloted is a job whose pilot judges what is kept by a function of the subset.
func piloted(n int, of func(s *data.Subset) float64, tried *[]*data.Subset) *data.Job {
	set := cyclic(n, 2)
	return &data.Job{Set: set, Seed: 1, Score: scored(set, data.High, func(i int) float64 { return float64(i) }),
		Pilot: func(_ context.Context, s *data.Subset) (train.Score, error) {
			*tried = append(*tried, s)
			return train.Score{Metric: "accuracy", Unit: "%", Higher: true, Value: of(s)}, nil
		}}
}

// A pilot is trained with each end, and what it learns more from stays; the first of equal
// ones.
func TestPilotEnd(t *testing.T) {
	for _, c := range []struct {
		of   func(s *data.Subset) float64
		want string
	}{
		{func(s *data.Subset) float64 { return -float64(s.Numbers[0]) }, "easy"},
		{func(s *data.Subset) float64 { return float64(s.Numbers[0]) }, "hard"},
		{func(*data.Subset) float64 { return .5 }, "hard"},
	} {
		var tried []*data.Subset
		m := NewRank()
		m.Samples, m.End = 10, "auto"
		res, n := run(t, m, piloted(40, c.of, &tried))
		f := res.Facts.(*RankFacts)
		want := numbers(30, 40)
		if c.want == "easy" {
			want = numbers(0, 10)
		}
		if f.End != c.want || !slices.Equal(n, want) || len(tried) != 2 || len(f.Pilot) != 2 || f.Pilot[1].Choice != "easy" || !strings.Contains(string(res.Notes[0]), "pilot") {
			t.Errorf("%+v keeps %v, want %s", f, n, c.want)
		}
	}
}

// Every cut-off that leaves enough is tried, and the best stays as it would be without a
// pilot.
func TestPilotCutoff(t *testing.T) {
	var tried []*data.Subset
	m := NewCCS()
	m.Keep, m.Cutoff = .65, autoCutoff
	j := piloted(100, func(s *data.Subset) float64 {
		hard := s.Numbers[len(s.Numbers)-1] // 99, 89 ... where the hardest went
		return -max(float64(hard)-79, 79-float64(hard))
	}, &tried)
	res, n := run(t, m, j)
	f := res.Facts.(*CCSFacts)
	if len(f.Pilot) != 4 || f.Pilot[3].Choice != "0.3" || f.CutOff != 20 || len(tried) != 4 {
		t.Fatalf("%+v", f)
	}
	m.Cutoff = .2
	if _, same := run(t, m, j); !slices.Equal(n, same) {
		t.Errorf("a pilot keeps %v, the cut-off alone %v", n, same)
	}
	m.Cutoff, j.Pilot = autoCutoff, nil
	if _, err := data.Run(context.Background(), m, j); err == nil || !strings.Contains(err.Error(), "Pilot") {
		t.Error(err)
	}
	j.Pilot = func(context.Context, *data.Subset) (train.Score, error) { return train.Score{}, errors.New("no") }
	if _, err := data.Run(context.Background(), m, j); err == nil {
		t.Error("a failed pilot is no error")
	}
}
