package measure

import (
	"fmt"
	"math"

	"pare/dataset"
	"pare/train"
)

// Course is what a training decided by itself, and what it was worth on the samples
// that were held out from it.
type Course struct {
	Rate   float64      `json:"learning_rate"`        // the peak, before any return
	Batch  int          `json:"batch,omitempty"`      // samples in each step
	Tested int          `json:"range_test,omitempty"` // steps of the test that found it; 0: it was given, or is the usual one
	Backs  []train.Back `json:"returns,omitempty"`    // to an earlier state, after explosions
	Kept   int          `json:"kept_epoch,omitempty"` // the one that was best on the set; 0: the last
	Epochs int          `json:"epochs,omitempty"`     // of the training
	Set    string       `json:"set,omitempty"`        // that it was judged on; "": on none
	N      int          `json:"n,omitempty"`          // its samples
	Before train.Score  `json:"before"`               // the training: right after the cut, where there was one
	After  train.Score  `json:"after"`
}

// Judge notes what a training of a run came to: was is what the network was worth
// before it, nil where that was not measured.
func (c *Course) Judge(r *train.Run, set *dataset.Set, was *train.Metrics) {
	c.Rate, c.Batch, c.Tested, c.Backs, c.Kept, c.Epochs = r.Peak, r.Train.Batch(), r.Tested, r.Backs, r.Kept, len(r.Past)
	if was == nil || set == nil || len(r.Past) == 0 {
		return
	}
	e := r.Past[len(r.Past)-1]
	for _, p := range r.Past {
		if p.Epoch == r.Kept {
			e = p
		}
	}
	c.Set, c.N, c.Before, c.After = set.Name, was.N, was.Main(), e.Score
}

// unnoticed is the share of a score, of those whose error is not known, that it may be
// worse by without a warning.
const unnoticed = .01

// Warning is what is wrong with the training, "" for nothing: it ended below what it
// began with, by more than two standard errors of the difference.
func (c *Course) Warning() string {
	if c == nil || c.N == 0 {
		return ""
	}
	least := 2 * errorOf(c.Before, c.After, c.N)
	if least == 0 {
		least = unnoticed * math.Abs(c.Before.Value)
	}
	if !(c.Before.Good()-c.After.Good() > least) {
		return ""
	}
	return fmt.Sprintf("the training made it worse: %s %s after it, %s before, on the %s set", c.After.Metric, c.After.Show(), c.Before.Show(), c.Set)
}

// said is what the training decided by itself, for a verdict.
func (c *Course) said() string {
	if c == nil {
		return ""
	}
	t := ""
	if c.Kept > 0 && c.Kept < c.Epochs {
		t += fmt.Sprintf("; the weights are those after epoch %d of %d, the best on the %s set", c.Kept, c.Epochs, c.Set)
	}
	if n := len(c.Backs); n > 0 {
		t += fmt.Sprintf("; the training exploded %s, went back and went on with a lower learning rate", times(n))
	}
	return t
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// Chance is what is wrong with a network that was trained, "" for nothing: it is no
// better on a set, within two standard errors, than who always gives the most frequent
// class.
func Chance(m *train.Metrics, set *dataset.Set) string {
	if m == nil || set == nil || m.Main().Metric != "accuracy" {
		return ""
	}
	y := set.Class()
	if y == nil || y.Size() != 1 || len(y.Ints) == 0 || m.N != set.Len() {
		return ""
	}
	count := map[int32]int{}
	most := 0
	for i := range set.Len() {
		k := set.Label(i)
		count[k]++
		most = max(most, count[k])
	}
	s := m.Main()
	p := s
	p.Value = float64(most) / float64(m.N)
	if s.Value > p.Value+2*p.StdErr(m.N) {
		return ""
	}
	return fmt.Sprintf("it knows no more than chance: accuracy %s, and always giving the most frequent class has %s on the %s set", s.Show(), p.Show(), set.Name)
}

// Warnings are what is wrong with networks that were trained, each with its name.
func Warnings(ns []*Network, d *dataset.Data) (out []string) {
	for _, n := range ns {
		if len(n.Epochs) == 0 || d == nil {
			continue
		}
		for _, w := range []string{Chance(n.Metrics, d.Eval()), n.Course.Warning()} {
			if w != "" {
				out = append(out, n.Name+": "+w)
			}
		}
	}
	return out
}

// errorOf is the standard error of the difference of two scores on n samples; 0 where it
// is not known.
func errorOf(p, q train.Score, n int) float64 { return math.Hypot(p.StdErr(n), q.StdErr(n)) }
