package sweep

import (
	"slices"
	"strconv"

	"pare/catalog"

	"github.com/goccy/go-yaml/ast"
)

// seeds reads how many there are, from 1, or a list of them.
func (r *reader) seeds(n ast.Node) error {
	if _, list := n.(*ast.SequenceNode); !list {
		var k int
		if err := count(entry{name: "seeds", node: n}, &k, 1, mostValues); err != nil {
			return err
		}
		r.s.Seeds = nil
		for i := range k {
			r.s.Seeds = append(r.s.Seeds, uint64(i+1))
		}
		return nil
	}
	r.s.Seeds = nil
	for _, x := range items(n) {
		text, err := scalar(x, "a seed")
		if err != nil {
			return err
		}
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil || slices.Contains(r.s.Seeds, seed) {
			return wrong(x, "seed %q: a whole number of at least 0, and each once, is needed", text)
		}
		if r.s.Seeds = append(r.s.Seeds, seed); len(r.s.Seeds) > mostValues {
			return wrong(x, "there are more than %d seeds", mostValues)
		}
	}
	if len(r.s.Seeds) == 0 {
		return wrong(n, "a sweep has no seeds")
	}
	return nil
}

// search reads which combinations are made: its kind, or a mapping with it.
func (r *reader) search(n ast.Node) error {
	s := &r.s.Search
	es := []entry{{"kind", n, n}}
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		var err error
		if es, err = entries(n, "search", "kind", "draws", "seed", "eta", "min-epochs"); err != nil {
			return err
		}
	}
	given := map[string]entry{}
	for _, e := range es {
		given[e.name] = e
	}
	kind, ok := given["kind"]
	if !ok {
		return wrong(n, "the search does not say its kind: grid, random or halving")
	}
	var err error
	if s.Kind, err = scalar(kind.node, "search"); err != nil {
		return err
	}
	belongs := map[string][]string{Grid: {"kind"}, Random: {"kind", "draws", "seed"}, Halving: {"kind", "draws", "seed", "eta", "min-epochs"}}[s.Kind]
	if belongs == nil {
		text := "grid, random or halving is needed"
		if near := catalog.Nearest(s.Kind, []string{Grid, Random, Halving}); near != "" {
			text = "did you mean " + near + "?"
		}
		return wrong(kind.node, "search %q: %s", s.Kind, text)
	}
	for _, e := range es {
		if !slices.Contains(belongs, e.name) {
			return wrong(e.key, "a %s search has no %s", s.Kind, e.name)
		}
	}
	return r.searched(n, given)
}

// searched reads the numbers of a search.
func (r *reader) searched(n ast.Node, given map[string]entry) error {
	s := &r.s.Search
	s.Eta, s.MinEpochs = 0, 0
	if s.Kind == Halving {
		s.Eta, s.MinEpochs = 3, 1
	}
	for _, x := range []struct {
		name  string
		to    *int
		least int
		most  int
	}{{"draws", &s.Draws, 1, mostRuns}, {"eta", &s.Eta, 2, 1000}, {"min-epochs", &s.MinEpochs, 1, mostEpochs}} {
		if e, ok := given[x.name]; ok {
			if err := count(e, x.to, x.least, x.most); err != nil {
				return err
			}
		}
	}
	if e, ok := given["seed"]; ok {
		text, err := scalar(e.node, "seed")
		if err != nil {
			return err
		}
		if s.Seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			return wrong(e.node, "seed %q: a whole number of at least 0 is needed", text)
		}
	}
	switch {
	case s.Kind == Random && s.Draws == 0:
		return wrong(n, "a random search does not say how many combinations are drawn: draws: N")
	case s.Kind == Halving && r.s.Epochs <= s.MinEpochs:
		return wrong(n, "halving begins at %d epochs, and the recipe has %d: give the recipe more, or fewer min-epochs", s.MinEpochs, r.s.Epochs)
	}
	if s.Kind == Halving {
		for _, f := range r.s.Recipe {
			if f.Name == "epochs" && len(f.Values) != 1 {
				return wrong(n, "halving compares runs after the same share of their training: give the recipe one number of epochs")
			}
		}
	}
	return nil
}

// among reads among which others a run is ranked, to be promoted or stopped.
func (r *reader) among(n ast.Node) error {
	text, err := scalar(n, "among")
	if err != nil {
		return err
	}
	if text != "budget" && text != "method" {
		return wrong(n, "among %q: budget (runs are ranked among those with the same budget) or method (the same method and budget) is needed", text)
	}
	r.s.Apart = text == "method"
	return nil
}

// stop reads the rule that stops runs. A random search has one unless the file says none.
func (r *reader) stop(n ast.Node) error {
	m := &Median{After: max(1, r.s.Epochs/3), Least: 3}
	if n == nil {
		if r.s.Search.Kind == Random && r.s.Epochs > 1 {
			r.s.Stop = m
		}
		return nil
	}
	es := []entry{{"rule", n, n}}
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		var err error
		if es, err = entries(n, "stop", "rule", "after", "least"); err != nil {
			return err
		}
	}
	rule := ""
	for _, e := range es {
		var err error
		switch e.name {
		case "rule":
			if rule, err = scalar(e.node, "stop"); err == nil && rule != "median" && rule != "none" {
				err = wrong(e.node, "stop %q: median or none is needed", rule)
			}
		case "after":
			err = count(e, &m.After, 1, mostEpochs)
		case "least":
			err = count(e, &m.Least, 1, mostRuns)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case rule == "":
		return wrong(n, "stop does not say its rule: median or none")
	case rule == "none" && len(es) > 1:
		return wrong(n, "stop none has nothing beside it")
	case rule == "median" && r.s.Search.Kind == Halving:
		return wrong(n, "halving stops runs by itself: leave stop out")
	case rule == "median":
		r.s.Stop = m
	}
	return nil
}

func (r *reader) hours(n ast.Node) error {
	if err := number(entry{name: "hours", node: n}, &r.s.Hours, 0); err != nil {
		return err
	}
	if r.s.Hours == 0 || r.s.Hours > 1e6 {
		return wrong(n, "hours %v: above 0, and at most a million", r.s.Hours)
	}
	return nil
}

func (r *reader) metric(n ast.Node) (err error) {
	if r.s.Metric, err = scalar(n, "metric"); err != nil {
		return err
	}
	if _, err = r.Metric(r.s.Metric); err != nil {
		return wrong(n, "%v", err)
	}
	return nil
}
