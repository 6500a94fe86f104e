package sweep

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"pare/catalog"
)

// Config is one combination, which is run with every seed.
type Config struct {
	Model    string               `json:"model"`
	Method   string               `json:"method"` // as the file names it
	Settings []catalog.Assignment `json:"-"`      // with several values in the file
	Budget   catalog.Assignment   `json:"-"`      // without a name: none
	Recipe   []catalog.Assignment `json:"-"`      // with several values in the file

	of    *Method
	fixed []catalog.Assignment // of the recipe
	cell  string               // in which it is ranked
}

// key tells a combination from others of a sweep.
func (c *Config) key() string {
	return fmt.Sprintf("%q %q %q %q %q", c.Model, c.Method, c.Settings, c.Budget, c.Recipe)
}

// Label names a combination in a line; where a sweep has one model that is left out.
func (c *Config) Label(models bool) string {
	words := []string{c.Method}
	if models {
		words = []string{c.Model, c.Method}
	}
	for _, a := range slices.Concat(c.Settings, []catalog.Assignment{c.Budget}, c.Recipe) {
		if a.Name != "" {
			words = append(words, a.Name+"="+a.Value)
		}
	}
	return strings.Join(words, " ")
}

// configOf makes a combination.
func (s *Sweep) configOf(model string, m *Method, settings []catalog.Assignment, budget catalog.Assignment, recipe []catalog.Assignment) *Config {
	c := &Config{Model: model, Method: m.Text, Settings: settings, Budget: budget, of: m}
	for i, a := range recipe {
		if len(s.Recipe[i].Values) == 1 {
			c.fixed = append(c.fixed, a)
		} else {
			c.Recipe = append(c.Recipe, a)
		}
	}
	how := cmp.Or(m.Target, "no budget")
	switch {
	case m.Name == Dense:
		how = Dense
	case budget.Name != "":
		how = budget.Name + "=" + budget.Value
	}
	if s.Apart && m.Name != Dense {
		how = m.Text + " " + how
	}
	c.cell = how
	if len(s.Models) > 1 {
		c.cell = model + " " + how
	}
	return c
}

// budgets are those of a method, one after the other; one without a name where it has none.
func (m *Method) budgets() (out []catalog.Assignment) {
	if m.each != nil {
		return m.each
	}
	defer func() { m.each = out }()
	for _, f := range m.Budgets {
		for _, v := range f.Values {
			out = append(out, catalog.Assignment{Name: f.Name, Value: v})
		}
	}
	if out == nil {
		return make([]catalog.Assignment, 1)
	}
	return out
}

// product calls f with every combination of values, the last factor's changing fastest.
func product(fs []*Factor, f func([]catalog.Assignment)) {
	at := make([]catalog.Assignment, len(fs))
	var fill func(i int)
	fill = func(i int) {
		if i == len(fs) {
			f(slices.Clone(at))
			return
		}
		for _, v := range fs[i].Values {
			at[i] = catalog.Assignment{Name: fs[i].Name, Value: v}
			fill(i + 1)
		}
	}
	fill(0)
}

// size is the number of combinations, infinite where a range is drawn from.
func (s *Sweep) size() float64 {
	n := 0.
	for _, m := range s.Methods {
		k := float64(len(m.budgets()))
		for _, f := range slices.Concat(m.Settings, s.Recipe) {
			vs := f.Values
			if vs == nil {
				return math.Inf(1)
			}
			k *= float64(len(vs))
		}
		n += k
	}
	return n * float64(len(s.Models))
}

// Configs are the combinations that are made, all or as drawn.
func (s *Sweep) Configs() []*Config {
	if s.Search.Draws > 0 {
		return s.drawn()
	}
	return s.all()
}

// all are all combinations.
func (s *Sweep) all() (out []*Config) {
	for _, model := range s.Models {
		for _, m := range s.Methods {
			for _, b := range m.budgets() {
				product(m.Settings, func(settings []catalog.Assignment) {
					product(s.Recipe, func(recipe []catalog.Assignment) {
						out = append(out, s.configOf(model, m, settings, b, recipe))
					})
				})
			}
		}
	}
	return out
}

// draw is a combination by a number: that of draw i is the same however many are drawn.
func (s *Sweep) draw(i int) *Config {
	r := rand.New(rand.NewPCG(s.Search.Seed, uint64(i)))
	model := s.Models[r.IntN(len(s.Models))]
	m := s.Methods[r.IntN(len(s.Methods))]
	b := m.budgets()[r.IntN(len(m.budgets()))]
	take := func(fs []*Factor) (out []catalog.Assignment) {
		for _, f := range fs {
			out = append(out, catalog.Assignment{Name: f.Name, Value: f.draw(r)})
		}
		return out
	}
	return s.configOf(model, m, take(m.Settings), b, take(s.Recipe))
}

// drawn are combinations that are drawn, without those that came before. A small space may
// come to its end first: what a thousand draws in a row do not bring is not looked for.
func (s *Sweep) drawn() (out []*Config) {
	seen := map[string]bool{}
	for i, again := 0, 0; len(out) < s.Search.Draws && again < missed; i++ {
		c := s.draw(i)
		if again++; !seen[c.key()] {
			seen[c.key()], again = true, 0
			out = append(out, c)
		}
	}
	return out
}

// missed is how many draws in a row bring nothing new before a space is taken for exhausted.
const missed = 1000
