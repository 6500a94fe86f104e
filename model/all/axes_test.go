package all

import (
	"slices"
	"strings"
	"testing"

	"pare/catalog"
)

// Every method has a place on every axis, and what data it can do with is what it needs.
func TestPlaced(t *testing.T) {
	for _, m := range List() {
		c := m.Card()
		if err := catalog.Placed(c); err != nil {
			t.Error(err)
		}
		has := c.Axes.Supervision
		if has.Has("none") != (c.Needs == catalog.Weights) || has.Has("unlabelled") != (c.Needs <= catalog.Samples) || !has.Has("labels") {
			t.Errorf("%s needs %s, and its supervision is %s", c.Name, c.Needs, has)
		}
	}
}

// Filters give the sets of this table, which was made by hand from the papers. Methods
// that are not known here do not count.
func TestFilter(t *testing.T) {
	known := strings.Fields("share sap global-mp lottery bip scratch granet rewind jackpot rd regimes random gmp magnitude lamp wanda sparsegpt snip grasp synflow hydra movement rigl set channels")
	for _, c := range []struct {
		filter catalog.Filter
		want   string
	}{
		{catalog.Filter{}, strings.Join(known, " ")},
		{catalog.Filter{"when": {"before"}}, "share random snip grasp synflow"},
		{catalog.Filter{"when": {"before"}, "how": {"gradient"}}, "snip grasp synflow"},
		{catalog.Filter{"when": {"before"}, "how": {"gradient", "iterative"}}, "synflow"},
		{catalog.Filter{"when": {"during"}}, "bip granet gmp movement rigl set"},
		{catalog.Filter{"when": {"run-time"}}, ""},
		{catalog.Filter{"speed-up": {"universal"}}, "bip scratch channels"},
		{catalog.Filter{"speed-up": {"universal"}, "supervision": {"none"}}, "channels"},
		{catalog.Filter{"supervision": {"none"}}, "global-mp rd magnitude lamp synflow channels"},
		{catalog.Filter{"supervision": {"unlabelled"}, "how": {"activation"}}, "wanda sparsegpt channels"},
		{catalog.Filter{"how": {"rewind"}}, "sap lottery rewind"},
		{catalog.Filter{"how": {"reconstruct"}}, "sparsegpt channels"},
		{catalog.Filter{"how": {"scores"}}, "bip jackpot hydra movement"},
		{catalog.Filter{"fusion": {"sharing"}}, "share"},
	} {
		if err := c.filter.Check(); err != nil {
			t.Error(err)
		}
		var got []string
		for _, m := range List() {
			if name := m.Card().Name; slices.Contains(known, name) && c.filter.Has(m.Card()) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v: %s, want %s", c.filter, strings.Join(got, " "), c.want)
		}
	}
}
