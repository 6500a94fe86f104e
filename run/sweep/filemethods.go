package sweep

import (
	"slices"
	"strconv"
	"strings"

	"pare/catalog"

	"github.com/goccy/go-yaml/ast"
)

func (r *reader) methods(n ast.Node) error {
	for _, x := range items(n) {
		m, err := r.method(x)
		if err != nil {
			return err
		}
		for _, o := range r.s.Methods {
			if o.Text == m.Text {
				return wrong(x, "the method %s is given twice: one with other settings is named so, such as %s:SETTING=VALUE, or has several values for a setting", m.Text, m.Name)
			}
		}
		r.s.Methods = append(r.s.Methods, m)
	}
	if len(r.s.Methods) == 0 {
		return wrong(n, "a sweep has no methods")
	}
	return r.budgetsUsed()
}

// budgetsUsed returns an error where no method has a budget that the file gives for all.
func (r *reader) budgetsUsed() error {
	n := r.has["budgets"]
	if n == nil {
		return nil
	}
	es, err := entries(n, "budgets")
	if err != nil {
		return err
	}
	for _, e := range es {
		if !slices.ContainsFunc(r.s.Methods, func(m *Method) bool {
			return slices.ContainsFunc(m.Budgets, func(f *Factor) bool { return f.Name == e.name })
		}) {
			return wrong(e.key, "no method that could take it has a budget %s", e.name)
		}
	}
	return nil
}

// method reads a method: its text, or a mapping with settings and budgets of its own.
func (r *reader) method(n ast.Node) (*Method, error) {
	at, settings, budgets := n, ast.Node(nil), r.has["budgets"]
	own := false
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		es, err := entries(n, "a method", "method", "settings", "budgets")
		if err != nil {
			return nil, err
		}
		at = nil
		for _, e := range es {
			switch e.name {
			case "method":
				at = e.node
			case "settings":
				settings = e.node
			case "budgets":
				budgets, own = e.node, true
			}
		}
		if at == nil {
			return nil, wrong(n, "it does not say which method it is: method: NAME")
		}
	}
	text, err := scalar(at, "a method")
	if err != nil {
		return nil, err
	}
	if text == Dense {
		if settings != nil || own {
			return nil, wrong(n, "%s is the network trained alike and not cut: it has no settings and no budgets", Dense)
		}
		return &Method{Text: Dense, Name: Dense}, nil
	}
	return r.known(at, text, settings, budgets, own)
}

// known reads a method of the catalogue.
func (r *reader) known(at ast.Node, text string, settings, budgets ast.Node, own bool) (*Method, error) {
	spec, err := catalog.ParseSpec(text)
	if err != nil {
		return nil, wrong(at, "%v", err)
	}
	m := &Method{Text: text, Fixed: spec.Set}
	name, p, err := r.Method(spec.Name)
	if err != nil {
		return nil, wrong(at, "%v", err)
	}
	m.Name = name
	if err := spec.Apply(p); err != nil {
		return nil, wrong(at, "%s", catalog.Rename(err, func(field string) string { return catalog.NameOf(p, field) }))
	}
	fs, err := r.factors(settings, "the settings of "+name, p)
	if err != nil {
		return nil, err
	}
	for _, f := range fs {
		if spec.Gives(p, f.Name) {
			return nil, wrong(settings, "%s is set twice: as %s, and here", f.Name, text)
		}
		x, _ := catalog.Find(p, f.Name)
		switch vs := f.Values; {
		case len(vs) == 1:
			m.Fixed = append(m.Fixed, catalog.Assignment{Name: f.Name, Value: vs[0]})
		case strength(x):
			return nil, wrong(settings, "%s says how much %s cuts: several values of it are budgets, and stand under budgets", f.Name, name)
		default:
			m.Settings = append(m.Settings, f)
		}
	}
	return m, r.budgets(m, at, p, budgets, own)
}

// budgets reads how strongly a method cuts. Those of the file are for the methods that have
// such a setting and do not set one of them, or another that says how much goes, themselves.
func (r *reader) budgets(m *Method, at ast.Node, p any, n ast.Node, own bool) error {
	var fixed []string
	for _, a := range m.Fixed {
		if s, err := catalog.Find(p, a.Name); err == nil && strength(s) {
			fixed = append(fixed, s.Name+"="+a.Value)
		}
	}
	m.Target = strings.Join(fixed, " ")
	if n == nil {
		return nil
	}
	es, err := entries(n, "budgets")
	if err != nil {
		return err
	}
	sets := func(name string) bool {
		s, err := catalog.Find(p, name)
		return err == nil && slices.ContainsFunc(m.Fixed, func(a catalog.Assignment) bool { return s.Called(a.Name) })
	}
	if m.Target != "" && !own {
		return nil
	}
	targets := false
	for _, e := range es {
		s, err := catalog.Find(p, e.name)
		switch {
		case err != nil && own:
			return wrong(e.key, "the budgets of %s: %v", m.Name, err)
		case err != nil:
			continue
		case sets(e.name) && own:
			return wrong(e.key, "the budget %s of %s is a setting of it too: give one of them", e.name, m.Name)
		}
		f, err := r.factor(e, s)
		if err != nil {
			return err
		}
		if f.Values == nil {
			return wrong(e.node, "the range of the budget %s has no steps: runs of the same budget are ranked together", e.name)
		}
		f.Name, targets = e.name, true
		m.Budgets = append(m.Budgets, f)
	}
	for _, s := range catalog.Settings(p) {
		if strength(s) && !targets {
			return wrong(at, "the method %s has none of the budgets of the sweep: its own are settings such as %s, which it is given under budgets", m.Name, s.Name)
		}
	}
	return nil
}

// strength says whether a setting says how much a method cuts.
func strength(s *catalog.Setting) bool { return s.Target || s.Name == "sparsity" || s.Name == "budget" }

// recipe reads how networks are trained.
func (r *reader) recipe(n ast.Node) (err error) {
	p := r.Recipe()
	if r.s.Recipe, err = r.factors(n, "the recipe", p); err != nil {
		return err
	}
	epochs, err := catalog.Find(r.Recipe(), "epochs")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(r.s.Recipe, func(f *Factor) bool { return f.Name == epochs.Name })
	if i < 0 {
		r.s.Recipe = append(r.s.Recipe, &Factor{Name: epochs.Name, Values: []string{epochs.Default}})
		i = len(r.s.Recipe) - 1
	}
	f := r.s.Recipe[i]
	texts := f.Values
	if texts == nil {
		texts = []string{f.text(1)}
	}
	for _, t := range texts {
		x, err := strconv.Atoi(t)
		if err != nil || x < 0 || x > mostEpochs {
			return wrong(n, "epochs %s: from 0 to %d are possible", t, mostEpochs)
		}
		r.s.Epochs = max(r.s.Epochs, x)
	}
	return nil
}
