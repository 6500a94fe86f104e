package coreset

import (
	"context"
	"fmt"
	"strings"

	"pare/data"
	"pare/train"
)

// Tried is a choice that a pilot was trained with.
type Tried struct {
	Choice string      `json:"choice"`
	Score  train.Score `json:"score"` // on samples held out
}

// pilot is short trainings with one choice after another.
type pilot struct {
	tried []Tried
	best  int // the first of the best
}

// try trains with a choice, and says whether it is better than all before.
func (p *pilot) try(ctx context.Context, j *data.Job, choice string, s *data.Subset) (better bool, err error) {
	x, err := j.Pilot(ctx, s)
	if err != nil {
		return false, err
	}
	if better = len(p.tried) == 0 || x.Beats(p.tried[p.best].Score.Value); better {
		p.best = len(p.tried)
	}
	p.tried = append(p.tried, Tried{choice, x})
	if j.Log != nil {
		j.Log("pilot: %s: %s %s", choice, x.Metric, x.Show())
	}
	return better, nil
}

// said tells what was measured.
func (p *pilot) said() string {
	var out []string
	for _, t := range p.tried {
		out = append(out, fmt.Sprintf("%s %s", t.Choice, t.Score.Show()))
	}
	return fmt.Sprintf("a pilot has %s of samples held out with %s", p.tried[p.best].Score.Metric, strings.Join(out, ", "))
}
