package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	dataall "pare/data/all"
	"pare/model/all"
	"pare/reproduce"
)

const root = "../.."

func every(t *testing.T) []*Mutant {
	t.Helper()
	ms, err := mutants(list)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

// compiled is what the go command knows of a package.
type compiled struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// packages are those of the module and all that they import, by path, compiled.
func packages(t *testing.T) map[string]*compiled {
	t.Helper()
	c := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles", "./...")
	c.Dir = root
	c.Stderr = os.Stderr
	b, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*compiled{}
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		p := &compiled{}
		if err := d.Decode(p); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out[p.ImportPath] = p
	}
}

// Every mutant applies, and what it makes is Go that compiles.
func TestApply(t *testing.T) {
	known := packages(t)
	set := token.NewFileSet()
	conf := types.Config{Sizes: types.SizesFor("gc", runtime.GOARCH), Importer: importer.ForCompiler(set, "gc", func(p string) (io.ReadCloser, error) {
		if known[p] == nil {
			return nil, fmt.Errorf("package %s is not known", p)
		}
		return os.Open(known[p].Export)
	})}
	parsed := map[string]*ast.File{} // by path
	parse := func(file string, src any) (*ast.File, error) {
		return parser.ParseFile(set, file, src, parser.SkipObjectResolution)
	}
	for _, m := range every(t) {
		src, err := m.source(root)
		if err != nil {
			t.Error(err)
			continue
		}
		p := known[path.Join("pare", path.Dir(m.File))]
		if p == nil || !slices.Contains(p.GoFiles, path.Base(m.File)) {
			t.Errorf("mutant %s: %s is no file that is compiled here", m.Name, m.File)
			continue
		}
		var files []*ast.File
		for _, name := range p.GoFiles {
			file := filepath.Join(p.Dir, name)
			if name == path.Base(m.File) {
				f, err := parse(file, src)
				if err != nil {
					t.Errorf("mutant %s: %v", m.Name, err)
				}
				files = append(files, f)
				continue
			}
			if parsed[file] == nil {
				if parsed[file], err = parse(file, nil); err != nil {
					t.Fatal(err)
				}
			}
			files = append(files, parsed[file])
		}
		if _, err := conf.Check(p.ImportPath, set, files, nil); err != nil {
			t.Errorf("mutant %s: %v", m.Name, err)
		}
	}
}

// Every method has three mutants that something must notice; packages and experiments
// that mutants name exist.
func TestList(t *testing.T) {
	n := map[string]int{}
	for _, m := range every(t) {
		if m.Survives == "" {
			n[m.what]++
		}
		if m.Breaks == "" || strings.ContainsAny(m.Name, " |*?[") {
			t.Errorf("mutant %q breaks %q", m.Name, m.Breaks)
		}
		for _, p := range m.Tests {
			if tests, _ := filepath.Glob(filepath.Join(root, p, "*_test.go")); len(tests) == 0 {
				t.Errorf("mutant %s: there are no tests in %s", m.Name, p)
			}
		}
		if m.Claims != "" && reproduce.Find(m.Claims) == nil {
			t.Errorf("mutant %s: there is no experiment %s", m.Name, m.Claims)
		}
	}
	for _, m := range dataall.List() {
		if name := m.Card().Name; n[name] < 3 && m.Card().ID != "" {
			t.Errorf("method %s has %d mutants: give it 3 at least", name, n[name])
		}
	}
	for _, m := range all.List() {
		if name := m.Card().Name; n[name] < 3 {
			t.Errorf("method %s has %d mutants: give it 3 at least", name, n[name])
		}
	}
}
