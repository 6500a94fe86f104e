package reproduce

import (
	"strings"
	"testing"

	"pare/model/all"
)

// Every experiment is that of a method, has claims and seeds, and is found by its
// number and its name.
func TestList(t *testing.T) {
	last := ""
	for _, e := range List() {
		m, err := all.New(e.ID)
		if err != nil || m.Card().Name != e.Name {
			t.Errorf("%s, %s: %v", e.ID, e.Name, err)
		}
		if e.ID <= last || e.About == "" || e.Seeds < 2 || e.Run == nil || len(e.Claims) == 0 {
			t.Errorf("%s follows %s: %+v", e.ID, last, e)
		}
		last = e.ID
		for _, c := range e.Claims {
			if c.Text == "" || c.Check == nil {
				t.Errorf("%s: claim %+v", e.Name, c)
			}
		}
		if Find(e.ID) != e || Find(e.Name) != e || !strings.Contains(Names(), e.Name+" ("+e.ID+")") {
			t.Errorf("%s is not found", e.Name)
		}
	}
	if Find("channels") != nil || Find("") != nil {
		t.Error("an experiment of no paper was found")
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
				if measured, holds := c.Check(nil); holds {
					t.Errorf("%s, %q holds: %s", e.Name, c.Text, measured)
				}
			}()
		}
	}
}
