package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// module is a small one: a package, one that depends on it and alone tests what it
// doubles, and a command with an experiment.
var module = map[string]string{
	"go.mod":        "module pare\n\ngo 1.26\n",
	"add/add.go":    "// Package add adds.\npackage add\n\n// Add is a sum.\nfunc Add(a, b int) int { return a + b }\n\n// Twice doubles.\nfunc Twice(a int) int { return 2 * a }\n\n// Loop ends.\nfunc Loop() { for range 3 {} }\n\n// Thrice is told nobody.\nfunc Thrice(a int) int { return 3 * a }\n",
	"add/a_test.go": "package add\n\nimport \"testing\"\n\nfunc TestAdd(t *testing.T) {\n\tLoop()\n\tt.Run(\"two\", func(t *testing.T) {\n\t\tif Add(2, 1) != 3 {\n\t\t\tt.Fatal()\n\t\t}\n\t})\n}\n",
	"use/use.go":    "// Package use uses.\npackage use\n\nimport \"pare/add\"\n\n// Eight is 8.\nfunc Eight() int { return add.Twice(4) }\n",
	"use/u_test.go": "package use\n\nimport \"testing\"\n\nfunc TestEight(t *testing.T) {\n\tif Eight() != 8 {\n\t\tt.Fatal()\n\t}\n}\n",
	"cmd/pare/main.go": `package main

import (
	"fmt"
	"os"

	"pare/add"
)

func main() {
	nine := add.Thrice(3) == 9
	fmt.Printf("[{\"claims\":[{\"text\":\"one is one\",\"holds\":true},{\"text\":\"three threes are nine\",\"holds\":%v}]}]", nine)
	if !nine {
		os.Exit(1)
	}
}
`,
}

// What mutants of a small module come to: a test notices, or one that depends on the
// package, or the time limit, or a claim, or nobody; what does not build is an error; and
// the source stays as it is.
func TestLab(t *testing.T) {
	dir := t.TempDir()
	for name, text := range module {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := newLab(dir, settings{}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	try := func(m Mutant, s settings) (*result, error) {
		s.jobs, s.tests = 1, true
		if s.timeout == 0 {
			s.timeout = time.Minute
		}
		l.settings = s
		m.File, m.Tests, m.Name = "add/add.go", []string{"add"}, "m"
		rs, err := l.all(context.Background(), []*Mutant{&m})
		if err != nil {
			return nil, err
		}
		return rs[0], nil
	}
	for _, c := range []struct {
		old, new string
		settings
		want, by string
	}{
		{"a + b", "a - b", settings{}, killed, "add TestAdd/two"},
		{"2 * a", "3 * a", settings{}, killed, "use TestEight"},
		{"2 * a", "3 * a", settings{near: true}, survived, ""},
		{"3 * a", "4 * a", settings{claims: true}, killed, "reproduce e: three threes are nine"},
		{"3 * a", "a + a + a", settings{claims: true}, survived, ""},
		{"range 3 {}", "{}", settings{timeout: time.Second}, killed, "add takes too long"},
		{"a + b", "a - b", settings{limit: 1}, leftOut, ""},
	} {
		r, err := try(Mutant{Old: c.old, New: c.new, Claims: "e"}, c.settings)
		if err != nil || r.word() != c.want || r.by != c.by {
			t.Errorf("%q for %q: %+v, %v", c.new, c.old, r, err)
		}
	}
	if r, _ := try(Mutant{Old: "3 * a", New: "4 * a", Survives: "nobody asks"}, settings{near: true}); r.word() != argued {
		t.Errorf("argued: %+v", r)
	}
	for text, m := range map[string]Mutant{
		"does not build":  {Old: "a + b", New: "a + c"},
		"occurs 0 times":  {Old: "a % b", New: "a"},
		"occurs 2 times":  {Old: "* a", New: "+ a"},
		"changes nothing": {Old: "a + b", New: "a + b"},
	} {
		if _, err := try(m, settings{}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
	for name, text := range module {
		if b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err != nil || string(b) != text {
			t.Errorf("%s is changed: %v", name, err)
		}
	}
}

// Tests that fail without a mutant prove nothing with one.
func TestUnsound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":        "module pare\n\ngo 1.26\n",
		"add/add.go":    "// Package add adds.\npackage add\n\nconst one = 1\n",
		"add/a_test.go": "package add\n\nimport \"testing\"\n\nfunc TestOne(t *testing.T) {\n\tif one != 2 {\n\t\tt.Fatal()\n\t}\n}\n",
	} {
		os.MkdirAll(filepath.Join(dir, "add"), 0o755)
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := newLab(dir, settings{jobs: 1, tests: true, timeout: time.Minute}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	m := &Mutant{Name: "m", File: "add/add.go", Tests: []string{"add"}, Old: "= 1", New: "= 3"}
	if _, err := l.all(context.Background(), []*Mutant{m}); err == nil || !strings.Contains(err.Error(), "fail without a mutant: add TestOne") {
		t.Error(err)
	}
}

// A sample is the same for a seed, another for another, without what may survive.
func TestDraw(t *testing.T) {
	var all []*Mutant
	for i := range 30 {
		m := &Mutant{Name: string(rune('a' + i))}
		if i%3 == 0 {
			m.Survives = "it may"
		}
		all = append(all, m)
	}
	names := func(ms []*Mutant) (s string) {
		for _, m := range ms {
			s += m.Name
			if m.Survives != "" {
				t.Errorf("%s is drawn", m.Name)
			}
		}
		return s
	}
	a, b, c := names(draw(all, 6, 1)), names(draw(all, 6, 1)), names(draw(all, 6, 2))
	if len(a) != 6 || a != b || a == c {
		t.Errorf("%s %s %s", a, b, c)
	}
	if n := len(draw(all, 99, 1)); n != 20 {
		t.Errorf("%d of 20 are drawn", n)
	}
}

// Mutants are chosen by their name and by what they break.
func TestChoose(t *testing.T) {
	ms, err := mutants([]Broken{
		{What: "gmp", File: "model/a.go", Mutants: []Mutant{{Name: "gmp-one"}, {Name: "gmp-two", File: "prune/b.go"}}},
		{What: "hooks", File: "prune/c.go", Tests: []string{"x"}, Claims: "e", Mutants: []Mutant{{Name: "hold"}}},
	})
	if err != nil || len(ms) != 3 || ms[0].Tests[0] != "model" || ms[1].Tests[0] != "prune" || ms[2].Tests[0] != "x" || ms[2].Claims != "e" {
		t.Fatalf("%+v, %v", ms, err)
	}
	for pattern, want := range map[string]int{"gmp": 2, "gmp-*": 2, "hooks": 1, "*-two": 1} {
		if got, err := choose(ms, []string{pattern}); err != nil || len(got) != want {
			t.Errorf("%s chooses %d: %v", pattern, len(got), err)
		}
	}
	if _, err := choose(ms, []string{"rigl"}); err == nil {
		t.Error("a pattern that matches nothing was taken")
	}
	if _, err := mutants([]Broken{{What: "a", Mutants: []Mutant{{Name: "x"}}}, {What: "b", Mutants: []Mutant{{Name: "x"}}}}); err == nil {
		t.Error("two mutants have one name")
	}
}

// The page says what survived and why, and what killed the others.
func TestPage(t *testing.T) {
	text := page([]*result{
		{Mutant: &Mutant{Name: "one", Breaks: "a|b", File: "f.go", what: "gmp"}, by: "model/gradual TestGMP"},
		{Mutant: &Mutant{Name: "two", Breaks: "c", File: "g.go", Survives: "it is the same", what: "gmp"}, ran: []string{"p", "q"}},
		{Mutant: &Mutant{Name: "three", Breaks: "d", File: "g.go", what: "rd"}},
	}, true)
	for _, want := range []string{
		"| one | a\\|b | f.go | model/gradual TestGMP |", "| two | c | p, q | it is the same |", "| two | c | g.go | argued |", "| three | d | g.go | SURVIVED |",
		"these 3 breakages", "the paper's claims", "1 are killed", "2 survived, 1 of them as argued", "\n## rd\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// What is done is remembered, and not done again.
func TestDone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "done")
	for _, o := range []outcome{{"one", "", []string{"a"}}, {"two", "b TestB", []string{"b"}}, {"one", "a TestA", []string{"a"}}} {
		if err := addDone(file, o); err != nil {
			t.Fatal(err)
		}
	}
	l := &lab{settings: settings{jobs: 1}, out: io.Discard}
	var err error
	if l.known, err = readDone(file); err != nil {
		t.Fatal(err)
	}
	rs, err := l.all(context.Background(), []*Mutant{{Name: "one"}, {Name: "two"}})
	if err != nil || rs[0].by != "a TestA" || rs[1].by != "b TestB" {
		t.Errorf("%+v, %v", rs, err)
	}
	if err := os.WriteFile(file, []byte("{\"mutant\":\"one\"}\n{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readDone(file); err == nil {
		t.Error("half a line was taken")
	}
	if got, err := readDone(file + "x"); err != nil || len(got) != 0 {
		t.Errorf("no file: %v, %v", got, err)
	}
}
