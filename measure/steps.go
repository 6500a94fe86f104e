package measure

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"pare/report"
)

// layerTime is what the steps of one node take together.
type layerTime struct {
	name, kernel, why string
	also              []string // conversions of layout and other steps beside
	time, longest     time.Duration
	within            []Step // nodes of its bodies
}

// layerTimes joins the steps of a plan by node, those that take longest first.
func layerTimes(plan []Step) (out []*layerTime, all time.Duration) {
	by := map[string]*layerTime{}
	last := ""
	for _, s := range plan {
		if s.Within != "" {
			by[last].within = append(by[last].within, s)
			continue
		}
		name := cmp.Or(s.Node, s.Op)
		last = name
		l := by[name]
		if l == nil {
			l = &layerTime{name: name, longest: -1}
			by[name] = l
			out = append(out, l)
		}
		kernel := s.Kernel
		if s.Time > l.longest { // it is the one to name
			kernel, l.kernel, l.longest = l.kernel, kernel, s.Time
		}
		if kernel != "" {
			l.also = append(l.also, kernel)
		}
		l.why = cmp.Or(l.why, s.Why)
		l.time += s.Time
		all += s.Time
	}
	slices.SortStableFunc(out, func(a, b *layerTime) int { return cmp.Compare(b.time, a.time) })
	return out, all
}

// bodyRows adds a row for each of the first n nodes of bodies, without a time: it is
// in that of the row above.
func bodyRows(t *report.Table, within []Step, n int) {
	row := func(name, kernel string) {
		r := slices.Repeat([]report.Cell{report.Missing()}, len(t.Columns))
		r[0], r[1], r[len(r)-1] = report.Text("↳ "+name), report.Text(kernel), report.Text("inside: its time is in that of the step above")
		t.Rows = append(t.Rows, r)
	}
	for _, s := range within[:min(n, len(within))] {
		row(cmp.Or(s.Node, s.Op), s.Kernel)
	}
	if more := len(within) - n; more > 0 {
		row(fmt.Sprintf("%d more", more), "")
	}
}

// StepTable lists the n nodes of the last plan that take longest, beside the
// time of the node of the same name in the first, and the rest as one.
func StepTable(plans [][]Step, n int) *report.Table {
	last, all := layerTimes(plans[len(plans)-1])
	t := &report.Table{Columns: []string{"layer", "kernel", "time", "share", "why this kernel"}}
	before := map[string]time.Duration{}
	if len(plans) > 1 {
		t.Columns = slices.Insert(t.Columns, 3, "before")
		for _, s := range plans[0] {
			if s.Within == "" {
				before[cmp.Or(s.Node, s.Op)] += s.Time
			}
		}
	}
	row := func(name, kernel string, time, was time.Duration, known bool, why string) {
		r := []report.Cell{report.Text(name), report.Text(kernel), report.Millis(time.Seconds())}
		if len(plans) > 1 {
			cell := report.Missing()
			if known {
				cell = report.Millis(was.Seconds())
			}
			r = append(r, cell)
		}
		t.Rows = append(t.Rows, append(r, report.Percent(float64(time)/max(1, float64(all))), report.Text(why)))
	}
	for _, l := range last[:min(n, len(last))] {
		kernel := l.kernel
		if len(l.also) > 0 {
			kernel += " (" + strings.Join(l.also, ", ") + ")"
		}
		was, known := before[l.name]
		delete(before, l.name)
		row(l.name, kernel, l.time, was, known, l.why)
		bodyRows(t, l.within, n)
	}
	if rest := last[min(n, len(last)):]; len(rest) > 0 {
		var sum, was time.Duration
		for _, l := range rest {
			sum += l.time
		}
		for _, d := range before {
			was += d
		}
		row(fmt.Sprintf("%d more", len(rest)), "", sum, was, true, "")
	}
	return t
}
