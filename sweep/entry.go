// Package sweep runs methods side by side, on the same network, data and
// recipe, at several sparsities and with several seeds. Every run that ends is
// kept in a file, so that a sweep that was stopped goes on where it was.
package sweep

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pare/method"
)

// Entry is a method with settings of its own, as "gmp:variant=keep:every=50"
// names it.
type Entry struct {
	Text   string
	Method *method.Method
	own    []pair
}

type pair struct{ name, value string }

// A sweep varies a method's sparsity, or, where weights read from an array, the
// budget that is left of them.
const sparsity, budget = "sparsity", "budget"

// target gives the setting of a method that a sweep varies, "" for none.
func target(m *method.Method) string {
	for _, s := range method.Settings(m.Settings()) {
		if s.Name == sparsity || s.Name == budget {
			return s.Name
		}
	}
	return ""
}

// ParseEntry reads NAME or NUMBER, and :SETTING=VALUE as often as wanted. A list
// is written by giving its setting several times.
func ParseEntry(text string) (*Entry, error) {
	parts := strings.Split(text, ":")
	m, err := method.Find(parts[0])
	if err != nil {
		return nil, err
	}
	e := &Entry{Text: text, Method: m}
	for _, p := range parts[1:] {
		name, value, ok := strings.Cut(p, "=")
		switch {
		case ok:
			e.own = append(e.own, pair{name, value})
		case len(e.own) > 0: // a value with a colon in it, such as block:4x4
			e.own[len(e.own)-1].value += ":" + p
		default:
			return nil, fmt.Errorf("%q: after the method come settings as :NAME=VALUE, not %q", text, p)
		}
	}
	if _, err := e.settings(""); err != nil {
		return nil, err
	}
	return e, nil
}

// fixed says whether the method's strength is not the sweep's to choose: the
// entry sets it, or the method has none that a sweep could set.
func (e *Entry) fixed() bool {
	t := target(e.Method)
	return t == "" || slices.ContainsFunc(e.own, func(p pair) bool { return p.name == t })
}

// settings are the method's, with the entry's values and the sparsity, where one
// is given.
func (e *Entry) settings(at string) (any, error) {
	p := e.Method.Settings()
	by := map[string]method.Setting{}
	for _, s := range method.Settings(p) {
		by[s.Name] = s
	}
	own := slices.Clone(e.own)
	switch t := target(e.Method); {
	case at == "":
	case t == budget:
		x, _ := strconv.ParseFloat(at, 64) // it has been checked
		own = append(own, pair{t, strconv.FormatFloat(1-x, 'g', 12, 64)})
	default:
		own = append(own, pair{t, at})
	}
	given := map[string]string{}
	for _, x := range own {
		s, ok := by[x.name]
		if !ok {
			return nil, fmt.Errorf("%q: method %s has no setting %q; see: pare methods %s", e.Text, e.Method.Name, x.name, e.Method.Name)
		}
		if before, again := given[x.name]; again {
			if s.Type != "slice" {
				return nil, fmt.Errorf("%q: %s is set twice", e.Text, x.name)
			}
			x.value = before + "," + x.value
		}
		given[x.name] = x.value
		if err := s.Set(x.value); err != nil {
			return nil, fmt.Errorf("%q: %s: %w", e.Text, x.name, err)
		}
	}
	return p, nil
}

// Cell is one run of a sweep.
type Cell struct {
	Label    string         `json:"label"`              // the method as it was named
	Target   string         `json:"sparsity,omitempty"` // what was asked for; "": what the entry or the method has
	Seed     uint64         `json:"seed"`
	Method   *method.Method `json:"-"` // nil: the dense network, trained alike
	Settings any            `json:"-"`
}

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
				set, err := e.settings(s)
				if err != nil {
					return nil, err
				}
				out = append(out, &Cell{e.Text, s, seed, e.Method, set})
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
