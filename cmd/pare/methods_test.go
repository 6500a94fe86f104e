package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"pare/model/all"
)

// Methods are filtered by their place in the field, as a table and for machines.
func TestMethodsFilter(t *testing.T) {
	s, out, _ := pare(t, "methods", "--when", "before", "--how", "gradient")
	if s != 0 || !strings.Contains(out, "snip") || !strings.Contains(out, "synflow") || strings.Contains(out, "gmp") || !strings.Contains(out, "sensitivity, gradient, one-shot, retrain") {
		t.Errorf("status %d\n%s", s, out)
	}
	s, out, _ = pare(t, "methods", "--how", "gradient,iterative", "--when", "before", "--json")
	var got []struct {
		Name string
		Axes map[string][]string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if s != 0 || len(got) != 2 || got[0].Name != "spa" || got[1].Name != "synflow" || strings.Join(got[1].Axes["when"], "") != "before" {
		t.Errorf("status %d\n%s", s, out)
	}
	if s, out, _ := pare(t, "methods", "--when", "run-time", "--json"); s != 0 || strings.TrimSpace(out) != "[]" {
		t.Errorf("status %d, %q", s, out)
	}
	for want, a := range map[string][]string{
		"did you mean before? there are before, during, after, run-time": {"methods", "--when", "befor"},
		"leave gmp out": {"methods", "gmp", "--when", "before"},
	} {
		if s, _, e := pare(t, a...); s != 2 || !strings.Contains(e, want) {
			t.Errorf("status %d, %q, want %q", s, e, want)
		}
	}
}

// The table of methods in README.md has every method of the catalogue.
func TestReadmeHasMethods(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all.List() {
		if name := m.Card().Name; !strings.Contains(string(b), "`"+name+"`") {
			t.Errorf("README.md does not name method %s", name)
		}
	}
}
