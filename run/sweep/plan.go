package sweep

import (
	"fmt"
	"math"
	"strings"

	"pare/report"
)

// Plan is a run that a sweep asks for, and how it stands.
type Plan struct {
	ID     string   `json:"id"`
	Label  string   `json:"label"`
	Cell   string   `json:"cell"`
	Seed   uint64   `json:"seed"`
	Status Status   `json:"status"`
	Args   []string `json:"args"` // of pare; files have names in braces
}

// Plans are the runs that the file asks for.
func (r *Runner) Plans() []*Plan {
	out := []*Plan{}
	for _, m := range r.members {
		p := &Plan{ID: m.job.ID, Label: m.Label(len(r.Sweep.Models) > 1), Cell: m.cell, Seed: m.seed, Status: Missing, Args: m.job.Args}
		if o := r.ledger.Find(m.job.ID); o != nil && !r.fresh[m.job.ID] {
			p.Status = o.Status
		}
		out = append(out, p)
	}
	return out
}

// Notes say how the runs are chosen and stopped.
func (r *Runner) Notes() []string { return r.Sweep.notes() }

func (s *Sweep) notes() (out []string) {
	size := "infinitely many"
	if n := s.size(); !math.IsInf(n, 1) {
		size = fmt.Sprintf("%.0f", n)
	}
	switch {
	case s.Search.Kind == Grid:
		out = append(out, fmt.Sprintf("search: all %s combinations", size))
	case s.Search.Draws > 0:
		out = append(out, fmt.Sprintf("search: %s, %d of %s combinations drawn with seed %d", s.Search.Kind, s.Search.Draws, size, s.Search.Seed))
	default:
		out = append(out, fmt.Sprintf("search: %s of all %s combinations", s.Search.Kind, size))
	}
	same := "budget"
	if s.Apart {
		same = "method and budget"
	}
	if s.Search.Kind == Halving {
		var words []string
		for _, r := range Rungs(s.Search.MinEpochs, s.Search.Eta, s.Epochs) {
			words = append(words, fmt.Sprint(r))
		}
		out = append(out, fmt.Sprintf("halving: after %s epochs one of %d with the same %s goes on", strings.Join(words[:len(words)-1], ", "), s.Search.Eta, same))
	}
	if s.Stop != nil {
		out = append(out, fmt.Sprintf("stop: by the median of at least %d others with the same %s, from epoch %d", s.Stop.Least, same, s.Stop.After))
	}
	if s.Hours > 0 {
		out = append(out, fmt.Sprintf("hours: %v", s.Hours))
	}
	return out
}

// Facts say how a sweep was made; shown is how data is shown.
func (r *Runner) Facts(shown func(data string) string) []report.Fact {
	s := r.Sweep
	var recipe []string
	for _, f := range s.Recipe {
		if vs := f.Values; len(vs) == 1 {
			recipe = append(recipe, f.Name+" "+vs[0])
		}
	}
	out := []report.Fact{{Name: "Models", Text: strings.Join(s.Models, ", ")}, {Name: "Data", Text: shown(s.Data)}, {Name: "Recipe", Text: strings.Join(recipe, ", ")}}
	for _, n := range s.notes() {
		name, text, _ := strings.Cut(n, ": ")
		out = append(out, report.Fact{Name: strings.ToUpper(name[:1]) + name[1:], Text: text})
	}
	return append(out, report.Fact{Name: "Worked for", Text: fmt.Sprintf("%.0f s", r.elapsed().Seconds())})
}

// Said is what a run came to, in words.
func (r *Runner) Said(o *Outcome) string {
	text := r.Metric.Name + " " + r.Metric.show(float64(o.Validation))
	switch o.Status {
	case Failed:
		return "failed: " + o.Why
	case Done:
		return text
	case Paused:
		return text + " after " + plural(o.Epochs, "epoch")
	}
	return string(o.Status) + ": " + o.Why
}
