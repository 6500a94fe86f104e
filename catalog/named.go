package catalog

import (
	"fmt"
	"strings"
)

// Described is a method, or what else has a card.
type Described interface{ Card() *Card }

// Named gives the one of a list that has a number or a name. of says what they are of, as in
// "of data"; it may be empty. The error suggests the nearest name.
func Named[M Described](list []M, name, of string) (M, error) {
	var none M
	var names []string
	for _, m := range list {
		c := m.Card()
		if c.Name == name || c.ID != "" && c.ID == name {
			return m, nil
		}
		names = append(names, c.Name)
	}
	if of != "" {
		of = " " + of
	}
	if near := Nearest(name, names); near != "" {
		return none, fmt.Errorf("there is no method %q%s; did you mean %s?", name, of, near)
	}
	return none, fmt.Errorf("there is no method %q%s: there are %s", name, of, strings.Join(names, ", "))
}

// Parsed gives the one of a list that a text names, with the settings that it gives, such as
// "gmp:every=50" (see ParseSpec and Named).
func Parsed[M Described](list []M, text, of string) (m M, s Spec, err error) {
	if s, err = ParseSpec(text); err != nil {
		return m, s, err
	}
	found, err := Named(list, s.Name, of)
	if err != nil {
		return m, s, err
	}
	return found, s, s.Apply(found)
}
