package metric

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Use is a metric with its arguments and parameters, as text names it.
type Use struct {
	Metric *Metric
	Args   []string // names for the roles, in order: Outputs, then Targets; "" or missing: not said
	Params Params   // what was set; what is missing has its default
}

// Roles are what the arguments stand for: the metric's outputs and, where it takes
// labels, its targets, without "?".
func (m *Metric) Roles() []string {
	roles := slices.Clone(m.Outputs)
	if m.Target != None {
		roles = append(roles, m.Targets...)
	}
	for i := range roles {
		roles[i] = strings.TrimSuffix(roles[i], "?")
	}
	return roles
}

// Form is the metric with its roles, as it is written: ap(boxes,confidence,class,box,label).
func (m *Metric) Form() string { return m.Name + "(" + strings.Join(m.Roles(), ",") + ")" }

// Arg is the name that was given for role i, "" where none was.
func (u Use) Arg(i int) string {
	if i < len(u.Args) {
		return u.Args[i]
	}
	return ""
}

// Param is the value of a parameter: what was set, or the default.
func (u Use) Param(name string) string {
	if v, ok := u.Params[name]; ok {
		return v
	}
	if p := u.Metric.Param(name); p != nil {
		return p.Default
	}
	return ""
}

// Bind is the use with a parameter set, where it has such a parameter and the user has
// not set it.
func (u Use) Bind(name, value string) Use {
	if _, set := u.Params[name]; set || u.Metric.Param(name) == nil {
		return u
	}
	p := maps.Clone(u.Params)
	if p == nil {
		p = Params{}
	}
	p[name] = value
	u.Params = p
	return u
}

// New begins a measurement. It is an error where a parameter has a value that it does
// not take.
func (u Use) New() (Accumulator, error) {
	p := Params{}
	for i := range u.Metric.Params {
		q := &u.Metric.Params[i]
		p[q.Name] = q.Default
	}
	for _, name := range slices.Sorted(maps.Keys(u.Params)) {
		q := u.Metric.Param(name)
		if q == nil {
			return nil, fmt.Errorf("metric %s has no parameter %q", u.Metric.Name, name)
		}
		if err := q.Check(u.Params[name]); err != nil {
			return nil, fmt.Errorf("metric %s: %w", u.Metric.Name, err)
		}
		p[name] = u.Params[name]
	}
	a := u.Metric.New(p)
	if m, ok := a.(*meter); ok {
		m.args = u.Args
	}
	return a, nil
}
