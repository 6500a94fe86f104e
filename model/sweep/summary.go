package sweep

import (
	"cmp"
	"math"

	"pare/measure"
	"pare/train"

	"gonum.org/v1/gonum/stat"
)

// Row is the seeds of one method at one sparsity together: means over those
// that did not fail.
type Row struct {
	Label    string      `json:"label"`
	Target   string      `json:"sparsity,omitempty"` // what was asked for
	Seeds    int         `json:"seeds"`              // that ended well
	Failed   int         `json:"failed"`             // that did not
	Score    train.Score `json:"score"`              // the mean
	Spread   float64     `json:"score_sd"`           // standard deviation over seeds; 0 for one
	Kept     float64     `json:"kept"`               // numbers that must be kept, see measure.Size
	Sparsity float64     `json:"reached"`            // share of the parameters that is not kept
	ONNX     float64     `json:"bytes"`              // of the ONNX file
	Bytes    float64     `json:"sparse_bytes"`
	MACs     float64     `json:"macs"` // dense multiply-accumulates for one sample
	Time     float64     `json:"time"` // of one inference, to that of the network before; 0: not measured
	TimeHalf float64     `json:"time_spread"`
	Epochs   float64     `json:"epochs"`

	ByCommand *measure.Spread `json:"time_by_command,omitempty"` // as Time, by Sweep.LatencyCmd

	Front bool `json:"front"` // no other row is both better and has fewer numbers kept
}

// Summarise joins the outcomes of the seeds, in the order in which methods and
// sparsities first occur.
func Summarise(outs []*Outcome) []*Row {
	type at struct{ label, target string }
	by := map[at][]*Outcome{}
	var order []at
	var dense float64
	for _, o := range outs {
		k := at{o.Label, o.Target}
		if by[k] == nil {
			order = append(order, k)
		}
		by[k] = append(by[k], o)
		if o.Label == Dense && o.Error == "" {
			dense = float64(o.Size.Params)
		}
	}
	var rows []*Row
	for _, k := range order {
		rows = append(rows, row(k.label, k.target, by[k], dense))
	}
	front(rows)
	return rows
}

func row(label, target string, outs []*Outcome, params float64) *Row {
	r := &Row{Label: label, Target: target}
	var well []*Outcome
	var scores []train.Score
	var time, half, command, commandHalf []float64
	for _, o := range outs {
		if o.Error != "" {
			r.Failed++
			continue
		}
		well, scores = append(well, o), append(scores, o.Score)
		if o.Time != nil {
			time, half = append(time, o.Time.Median), append(half, o.Time.Half)
		}
		if t := o.ByCommand; t != nil {
			command, commandHalf = append(command, t.Ratio.Median), append(commandHalf, t.Ratio.Half)
		}
	}
	if r.Seeds = len(well); r.Seeds == 0 {
		return r
	}
	of := measure.NewSeeds(label, target, scores, r.Failed)
	r.Score, r.Spread = of.Score, of.Spread
	mean := func(of func(o *Outcome) int64) float64 {
		sum := int64(0)
		for _, o := range well {
			sum += of(o)
		}
		return float64(sum) / float64(len(well))
	}
	r.Kept = mean(func(o *Outcome) int64 { return cmp.Or(o.Size.Kept, o.Size.NonZero) }) // old files have no such number
	r.ONNX = mean(func(o *Outcome) int64 { return o.Size.Bytes })
	r.Bytes = mean(func(o *Outcome) int64 { return o.Size.SparseBytes })
	r.MACs = mean(func(o *Outcome) int64 { return o.Size.MACs })
	r.Epochs = mean(func(o *Outcome) int64 { return int64(o.Epochs) })
	if params > 0 {
		r.Sparsity = math.Max(0, 1-r.Kept/params)
	}
	if len(time) > 0 {
		s := together(time, half)
		r.Time, r.TimeHalf = s.Median, s.Half
	}
	if len(command) > 0 {
		s := together(command, commandHalf)
		r.ByCommand = &s
	}
	return r
}

// together is the ratios of seeds as one, with their spreads: the wider of that over seeds
// and that over rounds.
func together(ratios, halves []float64) measure.Spread {
	s := measure.SpreadOf(ratios)
	s.Half = math.Max(s.Half, stat.Mean(halves, nil))
	return s
}

// front marks the rows that no other beats in score and numbers kept.
func front(rows []*Row) {
	var good []*Row
	var cost, acc []float64
	for _, r := range rows {
		if r.Seeds > 0 {
			good, cost, acc = append(good, r), append(cost, r.Kept), append(acc, r.Score.Good())
		}
	}
	for _, i := range measure.Pareto(cost, acc) {
		good[i].Front = true
	}
}
