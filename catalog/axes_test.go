package catalog

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestPlaced(t *testing.T) {
	whole := Axes{"specific", "after", "magnitude one-shot none", "none", "none"}
	if err := Placed(&Card{Name: "x", Axes: whole}); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Axes){
		"axis speed-up is without any value":                       func(a *Axes) { a.SpeedUp = "" },
		"axis when is without any value":                           func(a *Axes) { a.When = " " },
		"axis how is without a criterion or something learned":     func(a *Axes) { a.How = "one-shot none" },
		"axis how is without a schedule":                           func(a *Axes) { a.How = "gates none" },
		"axis how is without an update":                            func(a *Axes) { a.How = "magnitude one-shot" },
		"axis supervision is without any value: there are labels,": func(a *Axes) { a.Supervision = "" },
		"axis fusion is without any value":                         func(a *Axes) { a.Fusion = "" },
		`"befor" is no value of when: did you mean before?`:        func(a *Axes) { a.When = "befor" },
	} {
		c := Card{Name: "x", Axes: whole}
		change(&c.Axes)
		if err := Placed(&c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A filter that asks for nothing that there is says what there is.
func TestFilter(t *testing.T) {
	for want, f := range map[string]Filter{
		`"xyz" is no value of when: there are before, during, after, run-time`: {"when": {"before", "xyz"}},
		`"where" is no axis`: {"where": {"before"}},
	} {
		if err := f.Check(); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
		if f.Has(&Card{}) {
			t.Errorf("%v lets an empty card through", f)
		}
	}
	b, err := json.Marshal(Axes{SpeedUp: "universal specific"})
	if err != nil || string(b) != `{"speed_up":["universal","specific"],"when":[],"how":[],"supervision":[],"fusion":[]}` {
		t.Errorf("%s, %v", b, err)
	}
}

// Within an axis each word stands once, so that a filter means one thing.
func TestTaxonomy(t *testing.T) {
	for i := range Taxonomy {
		x, seen := &Taxonomy[i], map[string]bool{}
		for _, w := range x.Words() {
			if seen[w] || strings.ContainsAny(w, " ,") {
				t.Errorf("%s: %q", x.Name, w)
			}
			seen[w] = true
		}
		if FindAxis(x.Name) != x {
			t.Errorf("%s is not found", x.Name)
		}
	}
}
