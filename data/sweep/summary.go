package sweep

import (
	"pare/measure"
	"pare/train"

	"gonum.org/v1/gonum/stat"
)

// Row is the seeds of one method at one share together: means over those that did not fail.
type Row struct {
	Label     string      `json:"label"`
	Keep      string      `json:"keep,omitempty"` // what was asked for
	Seeds     int         `json:"seeds"`          // that ended well
	Failed    int         `json:"failed"`         // that did not
	Score     train.Score `json:"score"`
	Spread    float64     `json:"score_sd"`  // standard deviation over seeds; 0 for one
	Samples   float64     `json:"samples"`   // of an epoch
	Steps     float64     `json:"steps"`     // of the training
	Epoch     float64     `json:"epoch"`     // seconds of an epoch's training
	Training  float64     `json:"training"`  // seconds, without judging
	Selection float64     `json:"selection"` // seconds before it: choosing, scoring, and the training that these take
	Reach     []Reach     `json:"reach"`
	Course    []Point     `json:"course"` // by epoch, with what was spent before
}

// Reach is when a share of the score of all samples, with the same seed, is first reached.
type Reach struct {
	Share   float64 `json:"share"`
	Seeds   int     `json:"seeds"`   // that reach it; the rest are means over these
	Steps   float64 `json:"steps"`   // of the training
	Seconds float64 `json:"seconds"` // with what was spent before the training
	Ratio   float64 `json:"ratio"`   // of that to the seconds of all samples, seed by seed
}

// Summarise joins the outcomes of seeds, in the order in which methods and shares first
// occur. reach are the shares of the score of all samples that are looked for; none are
// found where a lower score is better.
func Summarise(outs []*Outcome, reach []float64) []*Row {
	type at struct{ label, keep string }
	by := map[at][]*Outcome{}
	var order []at
	full := map[uint64]*Outcome{}
	for _, o := range outs {
		k := at{o.Label, o.Keep}
		if by[k] == nil {
			order = append(order, k)
		}
		if by[k] = append(by[k], o); o.Label == All && o.Error == "" {
			full[o.Seed] = o
		}
	}
	var rows []*Row
	for _, k := range order {
		rows = append(rows, row(k.label, k.keep, by[k], full, reach))
	}
	return rows
}

func row(label, keep string, outs []*Outcome, full map[uint64]*Outcome, reach []float64) *Row {
	r := &Row{Label: label, Keep: keep}
	var well []*Outcome
	var scores []train.Score
	for _, o := range outs {
		if o.Error != "" {
			r.Failed++
			continue
		}
		well, scores = append(well, o), append(scores, o.Score)
	}
	s := measure.NewSeeds(label, keep, scores, r.Failed)
	if r.Seeds, r.Score, r.Spread = s.N, s.Score, s.Spread; s.N == 0 {
		return r
	}
	mean := func(of func(o *Outcome) float64) float64 {
		x := make([]float64, len(well))
		for i, o := range well {
			x[i] = of(o)
		}
		return stat.Mean(x, nil)
	}
	r.Samples = mean(func(o *Outcome) float64 { return float64(o.Samples) })
	r.Steps = mean(func(o *Outcome) float64 { return float64(o.last().Step) })
	r.Training = mean(func(o *Outcome) float64 { return o.last().Seconds })
	r.Epoch = mean(func(o *Outcome) float64 { return o.last().Seconds / float64(max(1, len(o.Course))) })
	r.Selection = mean(func(o *Outcome) float64 { return o.Before + o.Selection })
	for _, share := range reach {
		if r.Score.Higher {
			r.Reach = append(r.Reach, reached(well, full, share))
		}
	}
	r.Course = together(well)
	return r
}

// reached is when outcomes come to a share of the score of all samples.
func reached(outs []*Outcome, full map[uint64]*Outcome, share float64) Reach {
	out := Reach{Share: share}
	var steps, seconds, ratios []float64
	for _, o := range outs {
		f := full[o.Seed]
		if f == nil {
			continue
		}
		want := share * f.Score.Value
		p, ok := o.reach(want)
		of, _ := f.reach(want)
		if !ok {
			continue
		}
		steps, seconds = append(steps, float64(p.Step)), append(seconds, o.clock(p))
		if of.Seconds > 0 {
			ratios = append(ratios, o.clock(p)/of.Seconds)
		}
	}
	if out.Seeds = len(steps); out.Seeds > 0 {
		out.Steps, out.Seconds = stat.Mean(steps, nil), stat.Mean(seconds, nil)
	}
	if len(ratios) > 0 {
		out.Ratio = stat.Mean(ratios, nil)
	}
	return out
}

// together is the mean course of outcomes, as far as all of them go.
func together(outs []*Outcome) (course []Point) {
	n := len(outs[0].Course)
	for _, o := range outs {
		n = min(n, len(o.Course))
	}
	for i := range n {
		var p Point
		for _, o := range outs {
			q := o.Course[i]
			p.Seconds += o.clock(q) / float64(len(outs))
			p.Score += q.Score / float64(len(outs))
			p.Step = q.Step
		}
		course = append(course, p)
	}
	return course
}
