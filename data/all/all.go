// Package all names every method that pares training sets.
package all

import (
	"fmt"
	"strings"

	"pare/catalog"
	"pare/data"
	"pare/data/coreset"
	"pare/data/score"
)

// List gives every method with its defaults: those that choose samples, then those that
// score them.
func List() []data.Method {
	return []data.Method{
		coreset.NewRS2(), coreset.NewCCS(), coreset.NewRandom(), coreset.NewRank(), coreset.NewHerding(), coreset.NewKCentre(),
		score.NewPrototypes(), score.NewAUM(), score.NewForgetting(), score.NewEL2N(), score.NewGraNd(), score.NewLoss(), score.NewEntropy(), score.NewMargin(), score.NewLeastConfidence(),
	}
}

// Scores says whether a method gives a score, not a subset.
func Scores(m data.Method) bool { return strings.HasPrefix(m.Card().Cuts, "nothing") }

// New gives a method by number or name with its defaults; the error suggests the nearest
// name.
func New(name string) (data.Method, error) {
	var names []string
	for _, m := range List() {
		c := m.Card()
		if c.Name == name || c.ID != "" && c.ID == name {
			return m, nil
		}
		names = append(names, c.Name)
	}
	if near := catalog.Nearest(name, names); near != "" {
		return nil, fmt.Errorf("there is no method %q of data; did you mean %s?", name, near)
	}
	return nil, fmt.Errorf("there is no method %q of data: there are %s", name, strings.Join(names, ", "))
}

// Parse reads a method with settings, such as "ccs:keep=0.1:cutoff=0.3" (see
// catalog.ParseSpec).
func Parse(text string) (data.Method, catalog.Spec, error) {
	s, err := catalog.ParseSpec(text)
	if err != nil {
		return nil, s, err
	}
	m, err := New(s.Name)
	if err != nil {
		return nil, s, err
	}
	return m, s, s.Apply(m)
}
