package dataset

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// gather makes of fields of one column each those that are asked for.
func (f *csvFields) gather(d *Data, s *Set) error {
	if f.each {
		return nil
	}
	taken := map[string]string{}
	var out, classes []*Field
	take := func(option string, names []string) (of []*Field, err error) {
		for _, n := range spread(names, fieldNames(s)) {
			g := s.Field(n)
			if g == nil {
				return nil, fmt.Errorf("%s: there is no column %q%s: they are %s", option, n, meant(n, fieldNames(s)), few(fieldNames(s)))
			}
			if taken[n] != "" {
				return nil, fmt.Errorf("column %q is asked for by %s and by %s", n, taken[n], option)
			}
			taken[n] = option
			of = append(of, g)
		}
		return of, nil
	}
	label := f.label
	if label == "" && len(f.order) == 0 {
		label = f.guess(d, s)
	}
	if label != "" && label != "none" {
		of, err := take("label", []string{columnOf(s, label)})
		if err != nil {
			return err
		}
		if err := s.toClasses(of[0]); err != nil {
			return fmt.Errorf("label=%s: %w; target=%[1]s takes it as a number", label, err)
		}
		of[0].Name = "label"
		taken["label"] = "label"
		classes = append(classes, of[0])
	}
	of, err := take("ints", f.ints)
	if err != nil {
		return err
	}
	for _, g := range of {
		if g.Ints == nil || g.spelled != nil {
			return fmt.Errorf("ints=%s: the column holds numbers that are not whole, or texts", g.Name)
		}
		g.Classes = 0
	}
	ints := of
	for _, name := range f.order {
		of, err := take(name, f.named[name])
		if err != nil {
			return err
		}
		made, err := stack(name, of)
		if err != nil {
			return err
		}
		classes = append(classes, made...)
	}
	var rest []*Field
	for _, g := range s.Fields {
		if len(g.Shape) > 0 { // tokens
			out = append(out, g)
		} else if taken[g.Name] == "" {
			rest = append(rest, g)
		}
	}
	if len(rest) > 0 {
		x, err := stack("x", rest)
		if err != nil {
			return err
		}
		out = append(out, x...)
	}
	s.Fields = slices.Concat(out, ints, classes)
	return nil
}

// spread writes out FIRST..LAST as the columns between the two.
func spread(names, columns []string) (out []string) {
	for _, n := range names {
		a, b, ok := strings.Cut(n, "..")
		i, j := slices.Index(columns, a), slices.Index(columns, b)
		if !ok || slices.Contains(columns, n) || i < 0 || j < i {
			out = append(out, n)
			continue
		}
		out = append(out, columns[i:j+1]...)
	}
	return out
}

func fieldNames(s *Set) []string {
	var out []string
	for _, g := range s.Fields {
		out = append(out, g.Name)
	}
	return out
}

// columnOf is the name of a column that is named, or first or last.
func columnOf(s *Set, name string) string {
	switch {
	case s.Field(name) != nil:
	case name == "first":
		return s.Fields[0].Name
	case name == "last":
		return s.Fields[len(s.Fields)-1].Name
	}
	return name
}

// guess is the column of classes by its name; none: nothing is.
func (f *csvFields) guess(d *Data, s *Set) string {
	var found []string
	for _, g := range s.Fields {
		if isTarget(g.Name) && g.Floats == nil && !slices.Contains(f.ints, g.Name) {
			found = append(found, g.Name)
		}
	}
	if len(found) == 1 {
		d.note("the class is column %q, by its name (label= names another)", found[0])
		return found[0]
	}
	d.note("no one column is named as that of classes: samples have none (label= names one)")
	return ""
}

// stack makes one field of numbers of columns; those of texts are classes, each a field
// of its own.
func stack(name string, of []*Field) ([]*Field, error) {
	var out []*Field
	var numbers []*Field
	for _, g := range of {
		switch {
		case g.spelled == nil:
			numbers = append(numbers, g)
		default:
			out = append(out, g)
		}
	}
	if len(numbers) == 0 {
		return out, nil
	}
	k, n := len(numbers), numbers[0].stored()
	f := &Field{Name: name, Shape: []int{k}, Floats: make([]float32, k*n)}
	for j, g := range numbers {
		for i := range n {
			v := g.number(i)
			if math.Abs(v) > math.MaxFloat32 {
				return nil, fmt.Errorf("column %q: %v is too large", g.Name, v)
			}
			f.Floats[i*k+j] = float32(v)
		}
	}
	return append([]*Field{f}, out...), nil
}
