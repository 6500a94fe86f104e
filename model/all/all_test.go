package all

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/catalog"
	"pare/internal/modeltest"
	"pare/model"
	"pare/model/gradual"
	"pare/zoo"
)

// Every method describes itself, its defaults are among what it allows, and all of its
// settings are read as they are written.
func TestCards(t *testing.T) {
	names, last := map[string]bool{}, "00"
	for _, m := range List() {
		c := m.Card()
		if c.Name == "" || c.Title == "" || c.Paper == "" || c.Doc == "" || c.Cuts == "" || c.Noun != "model" || names[c.Name] || names[c.ID] {
			t.Errorf("card %+v", c)
		}
		names[c.Name] = true
		if c.ID != "" {
			if names[c.ID] = true; c.ID <= last || last == "" {
				t.Errorf("%s, %s, stands behind %s", c.Name, c.ID, last)
			}
		}
		last = c.ID
		if err := catalog.Validate(m); err != nil {
			t.Errorf("defaults of %s: %v", c.Name, err)
		}
		for _, key := range []string{c.Name, c.ID} {
			if key == "" {
				continue
			}
			n, err := New(key)
			if err != nil || n.Card() != c || !reflect.DeepEqual(n, m) {
				t.Errorf("%s: %v, %v", key, n, err)
			}
			for _, s := range catalog.Settings(m) {
				if err := catalog.Set(n, s.Name, s.String()); err != nil {
					t.Errorf("%s: %s is written as %q: %v", key, s.Name, s, err)
				}
				if s.Doc == "" || s.Range != "" && len(s.Choices) > 0 {
					t.Errorf("%s: setting %+v", key, s)
				}
			}
			if !reflect.DeepEqual(n, m) {
				t.Errorf("%s is read as %+v, was %+v", key, n, m)
			}
		}
	}
	again := List()
	for i, m := range List() {
		if m == again[i] {
			t.Errorf("two lists share the settings of %s", m.Card().Name)
		}
	}
}

func TestNew(t *testing.T) {
	for name, want := range map[string]string{"grane": "did you mean granet?", "xyz": "there are share, ", "": "there are"} {
		if _, err := New(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	m, s, err := Parse("65:every=50:end=5%:exclude=a*:exclude=b*")
	if g, ok := m.(*gradual.GMP); err != nil || !ok || g.Every != 50 || g.End.String() != "5%" || !slices.Equal(g.Exclude, []string{"a*", "b*"}) || !s.Has("every") {
		t.Errorf("%+v, %v", m, err)
	}
	for text, want := range map[string]string{"nosuch": "no method", "gmp:every=0": "Every 0: a number of at least 1", "gmp:end=0.5": "write 50%", "gmp:end": "NAME=VALUE"} {
		if _, _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// Every method works with its defaults on the tests' job, to the same bytes each time,
// refuses a network with nothing in its scope, and ends with the context.
func TestEvery(t *testing.T) {
	for _, m := range List() {
		name := m.Card().Name
		t.Run(name, func(t *testing.T) {
			mk := func() (model.Method, *model.Job) {
				m, err := New(name)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range [][2]string{{"rounds", "2"}, {"sparsity", "0.6"}, {"every", "5"}, {"trainings", "1"}, {"tune", "1"}, {"points", "5"}, {"samples", "50"}, {"per-class", "3"}} {
					if _, err := catalog.Find(m, s[0]); err == nil && (s[0] != "sparsity" || name != "scratch") {
						if err := catalog.Set(m, s[0], s[1]); err != nil {
							t.Fatal(err)
						}
					}
				}
				j := modeltest.Job(t, 2)
				if nets, ok := suited[name]; ok {
					if j.Graph, err = zoo.New(nets[0].name, zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: nets[0].width}); err != nil {
						t.Fatal(err)
					}
				}
				j.Data.Val = j.Data.Test
				return m, j
			}
			modeltest.Resumes(t, name, mk, 0, 11)
			m, j := mk()
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if _, err := model.Run(ctx, m, j); !errors.Is(err, context.Canceled) {
				t.Errorf("on a context that has ended: %v", err)
			}
			if _, err := catalog.Find(m, "exclude"); err == nil {
				if err := catalog.Set(m, "exclude", "*"); err != nil {
					t.Fatal(err)
				}
				_, j = mk()
				if _, err := model.Run(context.Background(), m, j); err == nil {
					t.Error("nothing in scope was accepted")
				}
			}
		})
	}
}
