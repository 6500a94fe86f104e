package reproduce

import (
	"slices"
	"strings"
	"testing"

	"pare/catalog"
	dataall "pare/data/all"
	"pare/model/all"
)

// Every experiment but that of the survey is that of a method, has claims and seeds, and is found by its
// number and its name.
func TestList(t *testing.T) {
	last := ""
	for _, e := range List() {
		c, err := card(e.Name)
		if e.Name == surveyed {
			if err == nil {
				t.Errorf("%s is a method", e.Name)
			}
		} else if err != nil || c.Name != e.Name || c.ID != e.ID {
			t.Errorf("%s, %s: %v", e.ID, e.Name, err)
		}
		if e.ID != "" && e.ID <= last || e.About == "" || e.Seeds < 2 || e.Run == nil || len(e.Claims) == 0 {
			t.Errorf("%s follows %s: %+v", e.ID, last, e)
		}
		last = e.ID
		for _, c := range e.Claims {
			if c.Text == "" || c.Method == "" || c.Figure.Of == nil || len(c.Without) == 0 || slices.Contains(c.Without, c.Method) {
				t.Errorf("%s: claim %+v", e.Name, c)
			}
		}
		if e.ID != "" && Find(e.ID) != e || Find(e.Name) != e || !strings.Contains(Names(), e.Name) {
			t.Errorf("%s is not found", e.Name)
		}
	}
	if Find("") != nil {
		t.Error("an experiment of no name was found")
	}
}

// card is that of a method of networks or of training sets.
func card(name string) (*catalog.Card, error) {
	if m, err := dataall.New(name); err == nil {
		return m.Card(), nil
	}
	m, err := all.New(name)
	if err != nil {
		return nil, err
	}
	return m.Card(), nil
}

// Every method has an experiment; of those that pare training sets, every one that has a
// number.
func TestAll(t *testing.T) {
	for _, m := range dataall.List() {
		if c := m.Card(); c.ID != "" && Find(c.ID) == nil {
			t.Errorf("%s has no experiment", c.Name)
		}
	}
	for _, m := range all.List() {
		if Find(m.Card().Name) == nil {
			t.Errorf("%s has no experiment", m.Card().Name)
		}
	}
}

// No claim holds where nothing was measured.
func TestClaimsOfNothing(t *testing.T) {
	for _, e := range List() {
		for _, c := range e.Claims {
			func() {
				defer func() {
					if r := recover(); r != nil {
						t.Errorf("%s, %q: %v", e.Name, c.Text, r)
					}
				}()
				if v := c.Judge(nil); v.Holds {
					t.Errorf("%s, %q holds: %s", e.Name, c.Text, v.Measured)
				}
			}()
		}
	}
}
