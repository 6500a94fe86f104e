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
	Bytes    float64     `json:"sparse_bytes"`
	MACs     float64     `json:"macs"` // dense multiply-accumulates for one sample
	Time     float64     `json:"time"` // of one inference, to that of the network before; 0: not measured
	TimeHalf float64     `json:"time_spread"`
	Epochs   float64     `json:"epochs"`
	Front    bool        `json:"front"` // no other row is both better and has fewer numbers kept
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
	var acc, kept, bytes, macs, time, half, epochs []float64
	for _, o := range outs {
		if o.Error != "" {
			r.Failed++
			continue
		}
		r.Score = o.Score
		acc, kept = append(acc, o.Score.Value), append(kept, float64(cmp.Or(o.Size.Kept, o.Size.NonZero))) // old files have no such number
		bytes, macs = append(bytes, float64(o.Size.SparseBytes)), append(macs, float64(o.Size.MACs))
		epochs = append(epochs, float64(o.Epochs))
		if o.Time != nil {
			time, half = append(time, o.Time.Median), append(half, o.Time.Half)
		}
	}
	if r.Seeds = len(acc); r.Seeds == 0 {
		return r
	}
	r.Score.Value, r.Kept, r.Bytes, r.MACs, r.Epochs = stat.Mean(acc, nil), stat.Mean(kept, nil), stat.Mean(bytes, nil), stat.Mean(macs, nil), stat.Mean(epochs, nil)
	if r.Seeds > 1 {
		r.Spread = stat.StdDev(acc, nil)
	}
	if params > 0 {
		r.Sparsity = math.Max(0, 1-r.Kept/params)
	}
	if len(time) > 0 {
		s := measure.SpreadOf(time)
		r.Time, r.TimeHalf = s.Median, math.Max(s.Half, stat.Mean(half, nil))
	}
	return r
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
