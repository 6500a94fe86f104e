package sweep

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/stat"
)

// Results are what has come out so far.
type Results struct {
	Metric  Metric         `json:"metric"`
	Counts  map[Status]int `json:"counts"`
	Seconds float64        `json:"seconds"`   // that the sweep was at work
	Compute float64        `json:"computing"` // seconds of all runs together
	Rows    []*Row         `json:"rows"`
	Effects []*Effect      `json:"effects"`
	Runs    []*Outcome     `json:"runs"` // all that the file asks for, in their order

	Spent  bool `json:"spent"` // the hours are over
	tested bool
}

// Row is a combination with its seeds together: means over those that are done.
type Row struct {
	Label      string            `json:"label"`
	Values     map[string]string `json:"values"`
	Cell       string            `json:"cell"`
	Done       int               `json:"done"`
	Runs       int               `json:"runs"`
	Validation Number            `json:"validation"`
	SD         Number            `json:"validation_sd"` // over seeds
	Test       Number            `json:"test"`
	TestSD     Number            `json:"test_sd"`
	Kept       Number            `json:"nonzero"`
	MACs       Number            `json:"macs"`
	Bytes      Number            `json:"bytes"`
	Best       bool              `json:"best"`  // of its cell on the validation set
	Front      bool              `json:"front"` // no other is better there with fewer numbers kept

	outs []*Outcome
}

// Results are what the ledger holds of the runs that the file asks for.
func (r *Runner) Results() *Results {
	out := &Results{Metric: r.Metric, Counts: map[Status]int{}, Seconds: r.elapsed().Seconds(), Spent: r.Spent(), tested: r.Inputs.Tested, Rows: []*Row{}}
	at := map[*Config]*Row{}
	for _, m := range r.members {
		o := r.ledger.Find(m.job.ID)
		if o == nil || r.fresh[m.job.ID] {
			o = r.outcome(m)
		}
		out.Runs = append(out.Runs, o)
		out.Counts[o.Status]++
		out.Compute += o.Seconds
		row := at[m.Config]
		if row == nil {
			row = &Row{Label: o.Label, Values: o.Values, Cell: m.cell}
			at[m.Config] = row
			out.Rows = append(out.Rows, row)
		}
		row.outs = append(row.outs, o)
	}
	for _, row := range out.Rows {
		row.sum()
	}
	out.rank()
	out.Effects = out.effects()
	return out
}

// sum joins the seeds of a row.
func (w *Row) sum() {
	w.Runs = len(w.outs)
	var val, test, kept, macs, bytes []float64
	for _, o := range w.outs {
		if o.Status != Done {
			continue
		}
		w.Done++
		val = append(val, float64(o.Validation))
		if !math.IsNaN(float64(o.Test)) {
			test = append(test, float64(o.Test))
		}
		for name, to := range map[string]*[]float64{"nonzero": &kept, "macs": &macs, "bytes": &bytes} {
			if x, ok := o.Numbers[name]; ok {
				*to = append(*to, x)
			}
		}
	}
	w.Validation, w.SD = meanSD(val)
	w.Test, w.TestSD = meanSD(test)
	w.Kept, _ = meanSD(kept)
	w.MACs, _ = meanSD(macs)
	w.Bytes, _ = meanSD(bytes)
}

// meanSD are mean and standard deviation, NaN where there is none.
func meanSD(xs []float64) (m, sd Number) {
	switch len(xs) {
	case 0:
		return None, None
	case 1:
		return Number(xs[0]), None
	}
	a, b := stat.MeanStdDev(xs, nil)
	return Number(a), Number(b)
}

// rank sorts the rows, cell by cell the best first, and marks the best and the front. Both
// are of the validation set.
func (s *Results) rank() {
	var cells []string
	for _, w := range s.Rows {
		if !slices.Contains(cells, w.Cell) {
			cells = append(cells, w.Cell)
		}
	}
	slices.SortFunc(cells, func(a, b string) int {
		if (a == Dense) != (b == Dense) { // the control comes first
			return map[bool]int{true: -1, false: 1}[a == Dense]
		}
		return cmp.Compare(a, b)
	})
	slices.SortStableFunc(s.Rows, func(a, b *Row) int {
		return cmp.Or(cmp.Compare(slices.Index(cells, a.Cell), slices.Index(cells, b.Cell)), order(float64(a.Validation), float64(b.Validation), s.Metric.Higher))
	})
	seen := map[string]bool{}
	for _, w := range s.Rows {
		if w.Done == 0 {
			continue
		}
		w.Best = !seen[w.Cell]
		seen[w.Cell] = true
		w.Front = !math.IsNaN(float64(w.Kept)) && !slices.ContainsFunc(s.Rows, func(o *Row) bool {
			by := order(float64(o.Validation), float64(w.Validation), s.Metric.Higher)
			return o.Done > 0 && (by < 0 && o.Kept <= w.Kept || by == 0 && o.Kept < w.Kept)
		})
	}
}

// Effect is what the values of a factor come to, whatever the others are.
type Effect struct {
	Factor string  `json:"factor"`
	Epochs int     `json:"epochs"` // after which; 0: at the end
	Levels []Level `json:"levels"`
}

// Level is a value of a factor, or a part of its range.
type Level struct {
	Value string  `json:"value"`
	Runs  int     `json:"runs"`
	Mean  float64 `json:"mean"`
	SD    Number  `json:"sd"` // over its runs
}

// parts of a range that was drawn from.
const parts = 4

// effects are the main effects of all factors with two values or more. Where runs were
// stopped or dropped all are looked at after as many epochs as each has made, for those that
// came to their end are the better ones.
func (s *Results) effects() (out []*Effect) {
	epochs, begun := 0, []*Outcome{}
	all := true
	for _, o := range s.Runs {
		if o.Status == Failed || o.Status == Missing || o.Cell == Dense {
			continue
		}
		begun = append(begun, o)
		all = all && o.Status == Done
	}
	if !all {
		for _, o := range begun {
			if o.Status != Done && (epochs == 0 || len(o.Curve) < epochs) {
				epochs = len(o.Curve)
			}
		}
		if epochs == 0 {
			return nil
		}
	}
	var names []string
	for _, o := range begun {
		for name := range o.Values {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		e := &Effect{Factor: name, Epochs: epochs}
		var values []string
		var xs []float64
		for _, o := range begun {
			if v, ok := o.Values[name]; ok {
				x := float64(o.Validation)
				if epochs > 0 {
					x = o.at(epochs)
				}
				values, xs = append(values, v), append(xs, x)
			}
		}
		if e.Levels = levels(values, xs); len(e.Levels) > 1 {
			out = append(out, e)
		}
	}
	return out
}

// levels groups values; more than a dozen different numbers by parts of equal count.
func levels(values []string, xs []float64) (out []Level) {
	different := slices.Clone(values)
	slices.Sort(different)
	different = slices.Compact(different)
	var ns []float64
	for _, v := range different {
		if x, err := strconv.ParseFloat(v, 64); err == nil {
			ns = append(ns, x)
		}
	}
	numeric := len(ns) == len(different)
	if numeric {
		slices.SortStableFunc(different, func(a, b string) int { return cmp.Compare(float(a), float(b)) })
	}
	groups := make([][]string, 0, len(different))
	if numeric && len(different) > 12 {
		for i := range parts {
			groups = append(groups, different[i*len(different)/parts:(i+1)*len(different)/parts])
		}
	} else {
		for _, v := range different {
			groups = append(groups, []string{v})
		}
	}
	for _, g := range groups {
		l := Level{Value: g[0]}
		if len(g) > 1 {
			l.Value += " to " + g[len(g)-1]
		}
		var in []float64
		for i, v := range values {
			if slices.Contains(g, v) && !math.IsNaN(xs[i]) {
				in = append(in, xs[i])
			}
		}
		if l.Runs = len(in); l.Runs == 0 {
			continue
		}
		m, sd := meanSD(in)
		l.Mean, l.SD = float64(m), sd
		out = append(out, l)
	}
	return out
}

func float(s string) float64 {
	x, _ := strconv.ParseFloat(s, 64)
	return x
}
