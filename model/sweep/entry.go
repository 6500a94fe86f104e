// Package sweep runs methods side by side, on the same network, data and
// recipe, at several sparsities and with several seeds. Every run that ends is
// kept in a file, so that a sweep that was stopped goes on where it was.
package sweep

import (
	"fmt"
	"slices"
	"strconv"

	"pare/catalog"
	"pare/model"
)

// Entry is a method with settings of its own, as "gmp:variant=keep:every=50"
// names it.
type Entry struct {
	Text string
	Spec catalog.Spec
	find Finder
}

// Finder gives a method by name or number, with its defaults.
type Finder func(name string) (model.Method, error)

// A sweep varies a method's sparsity, or, where weights read from an array, the
// budget that is left of them.
const sparsity, budget = "sparsity", "budget"

// target gives the setting of a method that a sweep varies, "" for none.
func target(m model.Method) string {
	for _, s := range catalog.Settings(m) {
		if s.Name == sparsity || s.Name == budget {
			return s.Name
		}
	}
	return ""
}

// ParseEntry reads a method and its settings (see catalog.ParseSpec).
func ParseEntry(text string, find Finder) (*Entry, error) {
	spec, err := catalog.ParseSpec(text)
	if err != nil {
		return nil, err
	}
	e := &Entry{Text: text, Spec: spec, find: find}
	_, err = e.method("")
	return e, err
}

// fixed says whether the method's strength is not the sweep's to choose: the
// entry sets it, or the method has none that a sweep could set.
func (e *Entry) fixed() bool {
	m, err := e.find(e.Spec.Name)
	if err != nil {
		return true
	}
	t := target(m)
	return t == "" || e.Spec.Has(t)
}

// method is the method with the entry's values and the sparsity, where one is given.
func (e *Entry) method(at string) (model.Method, error) {
	m, err := e.find(e.Spec.Name)
	if err != nil {
		return nil, err
	}
	spec := e.Spec
	spec.Set = slices.Clone(spec.Set)
	switch t := target(m); {
	case at == "":
	case t == budget:
		x, _ := strconv.ParseFloat(at, 64) // it has been checked
		spec.Set = append(spec.Set, catalog.Assignment{Name: t, Value: strconv.FormatFloat(1-x, 'g', 12, 64)})
	default:
		spec.Set = append(spec.Set, catalog.Assignment{Name: t, Value: at})
	}
	if err := spec.Apply(m); err != nil {
		return nil, fmt.Errorf("%q: %s", e.Text, catalog.Rename(err, (&Cell{Method: m}).setting))
	}
	return m, model.OneTarget(m, func(name string) bool { return spec.Gives(m, name) })
}

// Cell is one run of a sweep.
type Cell struct {
	Label  string       `json:"label"`              // the method as it was named
	Target string       `json:"sparsity,omitempty"` // what was asked for; "": what the entry or the method has
	Seed   uint64       `json:"seed"`
	Method model.Method `json:"-"` // nil: the dense network, trained alike
}

// setting calls a field as the file of outcomes does.
func (c *Cell) setting(field string) string { return model.SettingName(c.Method, field) }

// Dense is the label of the control that is trained by the recipe and not cut.
const Dense = "dense"

// Cells are the runs of all methods at all sparsities with seeds 1 to n, and of
// the dense network: seed after seed, so that a table of few seeds is soon there.
func Cells(entries []*Entry, sparsities []string, seeds int) ([]*Cell, error) {
	if err := checkSparsities(sparsities); err != nil {
		return nil, err
	}
	var out []*Cell
	for seed := uint64(1); seed <= uint64(seeds); seed++ {
		out = append(out, &Cell{Label: Dense, Seed: seed})
		for _, e := range entries {
			at := sparsities
			if e.fixed() {
				at = []string{""}
			}
			for _, s := range at {
				m, err := e.method(s)
				if err != nil {
					return nil, err
				}
				out = append(out, &Cell{e.Text, s, seed, m})
			}
		}
	}
	return out, nil
}

func checkSparsities(ss []string) error {
	var seen []float64
	for _, s := range ss {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || !(x >= 0 && x < 1) {
			return fmt.Errorf("sparsity %q is not a number in [0,1)", s)
		}
		if slices.Contains(seen, x) {
			return fmt.Errorf("sparsity %s is given twice", s)
		}
		seen = append(seen, x)
	}
	return nil
}
