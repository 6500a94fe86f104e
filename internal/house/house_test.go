package house

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func packages(t *testing.T) map[string]*Package {
	t.Helper()
	ps, err := Read(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) < 30 {
		t.Fatalf("%d packages were found", len(ps))
	}
	return ps
}

// Every package stands in the plan, once, and imports only from floors below it.
func TestFloors(t *testing.T) {
	level := Level()
	n := 0
	for _, f := range Floors {
		n += len(f.Packages)
	}
	if n != len(level) {
		t.Error("a package stands on two floors")
	}
	ps := packages(t)
	for folder, p := range ps {
		at, ok := level[folder]
		if !ok {
			t.Errorf("package %s stands on no floor: put it into Floors", folder)
			continue
		}
		for _, i := range p.Imports {
			if below, ok := level[i]; !ok || below >= at {
				t.Errorf("%s (floor %d) imports %s (floor %d): a package imports only from floors below it", folder, at, i, below)
			}
		}
		if p.Doc == "" {
			t.Errorf("package %s has no comment", folder)
		}
	}
	for folder := range level {
		if ps[folder] == nil {
			t.Errorf("there is no package %s", folder)
		}
	}
}

// The words know neither training nor files of samples; claims know no network; the
// catalogue knows nothing of this module.
func TestApart(t *testing.T) {
	ps := packages(t)
	var reaches func(from, to string) bool
	reaches = func(from, to string) bool {
		for _, i := range ps[from].Imports {
			if i == to || reaches(i, to) {
				return true
			}
		}
		return false
	}
	for _, c := range [][2]string{
		{"prune", "train"}, {"prune", "dataset"}, {"prune/structure", "dataset"}, {"prune/structure", "train"}, {"prune/score", "train"}, {"prune/allocate", "train"},
		{"evidence", "graph"}, {"graph/op", "engine"},
	} {
		if reaches(c[0], c[1]) {
			t.Errorf("%s reaches %s", c[0], c[1])
		}
	}
	if len(ps["catalog"].Imports) > 0 {
		t.Errorf("catalog imports %v", ps["catalog"].Imports)
	}
	for folder, p := range ps {
		for _, i := range p.Imports {
			if i == "reproduce" && folder != "cmd/pare" {
				t.Errorf("%s imports the experiments", folder)
			}
		}
	}
}

// generated marks files that a program wrote.
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// A file of product code has at most 400 lines, unless its first comment says why in
// a line that begins with "Long:"; a function has at most 80.
func TestLengths(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range p.Files {
			b, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			if generated.Match(b) {
				continue
			}
			if n := strings.Count(string(b), "\n"); n > 400 && !strings.Contains(strings.SplitN(string(b), "\npackage", 2)[0], "Long:") {
				t.Errorf("%s has %d lines", name, n)
			}
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, name, b, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				if n := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1; n > 80 {
					t.Errorf("%s: %s has %d lines", name, fn.Name.Name, n)
				}
			}
		}
	}
}

// flag is a command-line flag in an error of a library: it names the field instead.
var flag = regexp.MustCompile(`(Errorf|errors\.New|Error\{)\(?[^\n]*"[^"\n]*--[a-z]`)

// Libraries know no command line.
func TestNoFlags(t *testing.T) {
	for folder, p := range packages(t) {
		if folder == "cmd/pare" || folder == "bench" || folder == "interop" || strings.HasPrefix(folder, "scripts") {
			continue
		}
		for _, name := range p.Files {
			f, err := os.Open(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(f)
			for n := 1; lines.Scan(); n++ {
				if flag.MatchString(lines.Text()) {
					t.Errorf("%s:%d: %s", name, n, strings.TrimSpace(lines.Text()))
				}
			}
			if err := lines.Err(); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
}
