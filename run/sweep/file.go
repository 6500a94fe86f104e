package sweep

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"pare/catalog"

	"github.com/goccy/go-yaml/ast"
)

// Read reads the file of a sweep. An error names the file, and the line and column where
// there is one.
func Read(path string, v *Vocabulary) (*Sweep, []byte, error) {
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	if err == nil && st.Size() > mostBytes {
		err = fmt.Errorf("%s: it has %d bytes; %d are the most", path, st.Size(), mostBytes)
	}
	if err != nil {
		return nil, nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	s, err := Parse(b, v)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return s, b, err
}

// Parse reads a sweep. What it does not know is an error.
func Parse(b []byte, v *Vocabulary) (*Sweep, error) {
	root, err := parse(b)
	if err != nil {
		return nil, err
	}
	r := &reader{Vocabulary: v, s: &Sweep{Seeds: []uint64{1}, Search: Search{Kind: Grid, Seed: 1}}}
	return r.s, r.read(root)
}

// reader makes a sweep of nodes.
type reader struct {
	*Vocabulary
	s   *Sweep
	has map[string]ast.Node
}

// keys are those of a file.
var keys = []string{"models", "data", "methods", "budgets", "recipe", "seeds", "search", "among", "stop", "hours", "metric"}

func (r *reader) read(root ast.Node) error {
	es, err := entries(root, "a sweep", keys...)
	if err != nil {
		return err
	}
	r.has = map[string]ast.Node{}
	for _, e := range es {
		r.has[e.name] = e.node
	}
	for _, name := range []string{"models", "data", "methods"} {
		if r.has[name] == nil {
			return wrong(root, "a sweep has no %s", name)
		}
	}
	// Later ones lean on those before.
	for _, read := range []struct {
		name string
		f    func(ast.Node) error
	}{{"models", r.models}, {"data", r.data}, {"recipe", r.recipe}, {"methods", r.methods}, {"seeds", r.seeds}, {"search", r.search}, {"among", r.among}, {"stop", r.stop}, {"hours", r.hours}, {"metric", r.metric}} {
		n := r.has[read.name]
		if n == nil && read.name != "recipe" && read.name != "stop" {
			continue
		}
		if err := read.f(n); err != nil {
			return err
		}
	}
	return r.whole(root)
}

// whole checks what no part knows alone.
func (r *reader) whole(root ast.Node) error {
	s, at := r.s, root
	if n := r.has["search"]; n != nil {
		at = n
	}
	size := s.size()
	switch {
	case s.Search.Draws == 0 && math.IsInf(size, 1):
		return wrong(at, "a range has no steps, so that not every number of it can be tried: give it steps, or the search draws")
	case s.Search.Draws == 0 && size*float64(len(s.Seeds)) > mostRuns:
		return wrong(at, "that is %.0f runs; %d are the most", size*float64(len(s.Seeds)), mostRuns)
	case s.Search.Draws*len(s.Seeds) > mostRuns:
		return wrong(at, "that is %d runs; %d are the most", s.Search.Draws*len(s.Seeds), mostRuns)
	}
	return nil
}

func (r *reader) models(n ast.Node) error {
	for _, x := range items(n) {
		m, err := scalar(x, "a model")
		if err != nil {
			return err
		}
		if m == "" || slices.Contains(r.s.Models, m) {
			return wrong(x, "a model is named once, and not %q", m)
		}
		r.s.Models = append(r.s.Models, m)
	}
	if len(r.s.Models) == 0 {
		return wrong(n, "a sweep has no models")
	}
	return nil
}

func (r *reader) data(n ast.Node) (err error) {
	if r.s.Data, err = scalar(n, "data"); err == nil && r.s.Data == "" {
		err = wrong(n, "data is empty")
	}
	return err
}

// settings reads values of the settings of a struct.
func (r *reader) factors(n ast.Node, what string, p any) (out []*Factor, err error) {
	if n == nil {
		return nil, nil
	}
	es, err := entries(n, what)
	if err != nil {
		return nil, err
	}
	for _, e := range es {
		s, err := catalog.Find(p, e.name)
		if err != nil {
			return nil, wrong(e.key, "%s: %v", what, err)
		}
		if slices.ContainsFunc(out, func(f *Factor) bool { return f.Name == s.Name }) {
			return nil, wrong(e.key, "%s: %s is given twice", what, s.Name)
		}
		f, err := r.factor(e, s)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// factor reads the values of a setting.
func (r *reader) factor(e entry, s *catalog.Setting) (*Factor, error) {
	f := &Factor{Name: s.Name}
	switch e.node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return f, r.span(f, e, s)
	}
	for _, x := range items(e.node) {
		text, err := scalar(x, e.name)
		if err != nil {
			return nil, err
		}
		if err := s.Set(text); err != nil {
			return nil, wrong(x, "%s", catalog.Rename(err, func(string) string { return e.name }))
		}
		if slices.Contains(f.Values, text) {
			return nil, wrong(x, "%s has the value %s twice", e.name, text)
		}
		if f.Values = append(f.Values, text); len(f.Values) > mostValues {
			return nil, wrong(x, "%s has more than %d values", e.name, mostValues)
		}
	}
	if len(f.Values) == 0 {
		return nil, wrong(e.key, "%s has no values", e.name)
	}
	return f, nil
}

// span reads a range.
func (r *reader) span(f *Factor, e entry, s *catalog.Setting) error {
	if s.Kind == "bool" || s.Kind == "text" || s.Kind == "list" || s.Choices != nil {
		return wrong(e.node, "%s is no number, so it has no range: give a list of values", e.name)
	}
	es, err := entries(e.node, "a range", "from", "to", "log", "steps")
	if err != nil {
		return err
	}
	f.Whole = s.Kind == "count"
	ends := map[string]bool{}
	for _, x := range es {
		ends[x.name] = true
		switch x.name {
		case "from":
			err = number(x, &f.From, math.Inf(-1))
		case "to":
			err = number(x, &f.To, math.Inf(-1))
		case "log":
			f.Log, err = truth(x)
		case "steps":
			err = count(x, &f.Steps, 2, mostValues)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case !ends["from"] || !ends["to"]:
		return wrong(e.node, "the range of %s has a from and a to", e.name)
	case !(f.From < f.To):
		return wrong(e.node, "the range of %s begins at %v, which is not below its end %v", e.name, f.From, f.To)
	case f.Log && f.From <= 0:
		return wrong(e.node, "the range of %s begins at %v: with log it begins above 0", e.name, f.From)
	case f.Whole && (f.From != math.Round(f.From) || f.To != math.Round(f.To) || f.To-f.From > 1<<31 || math.Abs(f.From) > 1<<31):
		return wrong(e.node, "the range of %s has ends that are no whole numbers below 2^31", e.name)
	}
	for _, share := range []float64{0, 1} {
		if err := s.Set(f.text(share)); err != nil {
			return wrong(e.node, "%s", catalog.Rename(err, func(string) string { return e.name }))
		}
	}
	f.Values = f.steps()
	return nil
}

func number(e entry, x *float64, least float64) error {
	text, err := scalar(e.node, e.name)
	if err != nil {
		return err
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < least {
		want := "a number"
		if !math.IsInf(least, 0) {
			want += fmt.Sprintf(" of at least %v", least)
		}
		return wrong(e.node, "%s %q: %s is needed", e.name, text, want)
	}
	*x = v
	return nil
}

func count(e entry, x *int, least, most int) error {
	text, err := scalar(e.node, e.name)
	if err != nil {
		return err
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < least || v > most {
		return wrong(e.node, "%s %q: a whole number from %d to %d is needed", e.name, text, least, most)
	}
	*x = v
	return nil
}

func truth(e entry) (bool, error) {
	text, err := scalar(e.node, e.name)
	if err != nil {
		return false, err
	}
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, wrong(e.node, "%s %q: true or false is needed", e.name, text)
}
