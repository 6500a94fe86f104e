package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// Spec is a method with settings of its own as text: "gmp:variant=keep:every=50".
// A list is written by giving its setting several times.
type Spec struct {
	Name string // of the method, or its number
	Set  []Assignment
}

// Assignment gives a setting a value.
type Assignment struct{ Name, Value string }

// ParseSpec reads NAME, and :SETTING=VALUE any number of times. A value may hold a
// colon, such as block:4x4.
func ParseSpec(text string) (Spec, error) {
	parts := strings.Split(text, ":")
	s := Spec{Name: parts[0]}
	for _, p := range parts[1:] {
		name, value, ok := strings.Cut(p, "=")
		switch {
		case ok:
			s.Set = append(s.Set, Assignment{name, value})
		case len(s.Set) > 0:
			s.Set[len(s.Set)-1].Value += ":" + p
		default:
			return s, fmt.Errorf("%q: after the method come settings as :NAME=VALUE, not %q", text, p)
		}
	}
	return s, nil
}

// Has says whether the spec sets a setting.
func (s Spec) Has(name string) bool {
	return slices.ContainsFunc(s.Set, func(a Assignment) bool { return a.Name == name })
}

// Gives says whether the spec sets a setting of p, by any of its names.
func (s Spec) Gives(p any, name string) bool {
	x, err := Find(p, name)
	return err == nil && slices.ContainsFunc(s.Set, func(a Assignment) bool { return x.Called(a.Name) })
}

// Apply gives the settings their values. It returns an error for a setting that
// is set twice and is no list.
func (s Spec) Apply(p any) error {
	given := map[string]string{}
	for _, a := range s.Set {
		x, err := Find(p, a.Name)
		if err != nil {
			return fmt.Errorf("method %s: %w", s.Name, err)
		}
		if before, again := given[x.Name]; again {
			if !x.IsList() {
				return fmt.Errorf("method %s: %s is set twice", s.Name, a.Name)
			}
			a.Value = before + "," + a.Value
		}
		given[x.Name] = a.Value
		if err := x.Set(a.Value); err != nil {
			return fmt.Errorf("method %s: %w", s.Name, err)
		}
	}
	return nil
}
